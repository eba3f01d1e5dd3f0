#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What both legs of a spliced connection have to agree on: TCP options and packet sizes.

# shellcheck disable=SC2030,SC2031 # every test is a subshell

load lib
load packet

# start_spliced HOST KIND [OPTION...]: the frontend on the packet path, and its server.
start_spliced() {
	local host=$1
	shift
	packet_farm packet "$host"
	start_tcp server "${host%v6}" 9000 "$@"
	start_daemon
}

# same_bytes N REPORT: the client's, of connection number N.
same_bytes() {
	assert_same_bytes "$2" "$(server_report server "$1")"
}

# start_megabytes HOST: a server that sends 3 MB at once, for exchange_spliced.
start_megabytes() {
	start_spliced "$1" exchange --bytes 3000000 --half-close
}

# A client that is far ahead of the server is not spliced; some are not.
exchange_spliced() {
	local n
	for n in {1..10}; do
		same_bytes "$n" "$(tcp_client "$1" 443 --alpn h2 --bytes 4000000 --half-close --timeout 20)"
		[[ $(stats .counters.spliced) == 0 ]] || return 0
	done
	fail "none of $n connections was spliced"
}

# echo_held ADDRESS N COUNTER: connection number N ends no sooner than COUNTER is N.
echo_held() {
	hold "client$2" "$1" 443 --alpn h2 --bytes 5000
	await_stat ".counters.$3" "$2"
	same_bytes "$2" "$(end_held "client$2")"
}

# options_off ROLE HOST ADDRESS COUNTER: each connection counts there.
options_off() {
	local role=$1 host=$2 address=$3 counter=$4 n=1 option
	start_spliced "$host" echo
	for option in timestamps sack window_scaling; do
		netns_exec "$role" sysctl -qw "net.ipv4.tcp_$option=0"
		echo_held "$address" $((n++)) "$counter"
	done
	netns_exec "$role" sysctl -qw net.ipv4.tcp_timestamps=1
	echo_held "$address" $((n++)) "$counter"
}

@test "clients without timestamps, SACK, window scaling are spliced (IPv4)" {
	FORGOTTEN=plain_flows_linger
	options_off client 11 "$LB4" spliced
	assert_equal "$(stats .counters.splice_refused)" 0
}

@test "clients without timestamps, SACK, window scaling are spliced (IPv6)" {
	FORGOTTEN=plain_flows_linger
	options_off client 11v6 "$LB6" spliced
}

@test "servers without an option that the client has take another path" {
	options_off server 11 "$LB4" splice_refused
}

small_link() {
	local role=$1 host=$2 address=$3
	start_megabytes "$host"
	ip -n "$NETNS_NAME-balancer" link set "$role" mtu 1300
	exchange_spliced "$address"
}

# The clients know segments of 1460 bytes from before.
@test "a smaller MTU of the interface to the server (IPv4)" {
	small_link server 11 "$LB4"
	(($(stats .counters.splice_too_big) > 0)) || fail "the client was not told"
}
@test "a smaller MTU of the interface to the server (IPv6)" {
	small_link server 11v6 "$LB6"
	(($(stats .counters.splice_too_big) > 0)) || fail "the client was not told"
}
@test "a smaller MTU of the interface to the client (IPv4)" { small_link client 11 "$LB4"; }
@test "a smaller MTU of the interface to the client (IPv6)" { small_link client 11v6 "$LB6"; }

# known_way HOST ADDRESS ARGUMENT...: ip(8) gives the way to the server an MTU of 1300. Clients do not
# send "don't fragment".
known_way() {
	local host=$1 address=$2
	shift 2
	ip -n "$NETNS_NAME-balancer" "$@"
	netns_exec client sysctl -qw net.ipv4.ip_no_pmtu_disc=1
	start_megabytes "$host"
	exchange_spliced "$address"
	assert_equal "$(stats .counters.splice_too_big)" 0
}
@test "clients are told of the MTU of the interface to the server (IPv4)" {
	known_way 11 "$LB4" link set server mtu 1300
}
@test "clients are told of the MTU of the interface to the server (IPv6)" {
	known_way 11v6 "$LB6" link set server mtu 1300
}
@test "clients are told of the MTU of the route to the server" {
	known_way 11 "$LB4" route add "$(server4 11)/32" dev server src 198.51.100.1 mtu lock 1300
}
@test "a refresh tells clients of another MTU" {
	netns_exec client sysctl -qw net.ipv4.ip_no_pmtu_disc=1
	start_megabytes 11
	ip -n "$NETNS_NAME-balancer" link set server mtu 1300
	alpnlb apply "$CONFIG"
	exchange_spliced "$LB4"
	assert_equal "$(stats .counters.splice_too_big)" 0
}

# Puts a router with a small MTU behind it between the balancer and ROLE.
add_router() {
	local role=$1 prefix4=$2 prefix6=$3
	ip netns add "$NETNS_NAME-router"
	ip -n "$NETNS_NAME-router" link set lo up
	ip -n "$NETNS_NAME-balancer" link set "$role" netns "$NETNS_NAME-router"
	ip -n "$NETNS_NAME-balancer" link add "$role" type veth peer name uplink netns "$NETNS_NAME-router"
	ip -n "$NETNS_NAME-balancer" link set "$role" addrgenmode none up
	ip -n "$NETNS_NAME-router" link set uplink addrgenmode none up
	ip -n "$NETNS_NAME-router" link set "$role" addrgenmode none up mtu 1300
	nsenter --net="/run/netns/$NETNS_NAME-router" sysctl -qw net.ipv4.ip_forward=1 \
		net.ipv6.conf.all.forwarding=1
	# Between balancer and router: 203.0.113.0/24, 2001:db8:3::/64
	ip -n "$NETNS_NAME-balancer" addr add 203.0.113.1/24 dev "$role"
	ip -n "$NETNS_NAME-balancer" addr add 2001:db8:3::1/64 dev "$role" nodad
	ip -n "$NETNS_NAME-router" addr add 203.0.113.2/24 dev uplink
	ip -n "$NETNS_NAME-router" addr add 2001:db8:3::2/64 dev uplink nodad
	ip -n "$NETNS_NAME-router" addr add "$prefix4.1/24" dev "$role"
	ip -n "$NETNS_NAME-router" addr add "$prefix6::1/64" dev "$role" nodad
	# Without a link-local address nothing is forwarded to a neighbour that is not known yet.
	ip -n "$NETNS_NAME-balancer" addr add fe80::1/64 dev "$role" nodad
	ip -n "$NETNS_NAME-router" addr add fe80::2/64 dev uplink nodad
	ip -n "$NETNS_NAME-router" addr add fe80::1/64 dev "$role" nodad
	ip -n "$NETNS_NAME-balancer" route add "$prefix4.0/24" via 203.0.113.2
	ip -n "$NETNS_NAME-balancer" route add "$prefix6::/64" via 2001:db8:3::2
	ip -n "$NETNS_NAME-$role" route add 203.0.113.0/24 via "$prefix4.1"
	ip -n "$NETNS_NAME-$role" route add 2001:db8:3::/64 via "$prefix6::1"
}

@test "a smaller MTU beyond a router to the server (IPv4)" {
	add_router server 198.51.100 2001:db8:2
	start_megabytes 11
	exchange_spliced "$LB4"
}
@test "a smaller MTU beyond a router to the server (IPv6)" {
	add_router server 198.51.100 2001:db8:2
	start_megabytes 11v6
	exchange_spliced "$LB6"
}
@test "a smaller MTU beyond a router to the client (IPv4)" {
	add_router client 192.0.2 2001:db8:1
	start_megabytes 11
	exchange_spliced 203.0.113.1
}
@test "a smaller MTU beyond a router to the client (IPv6)" {
	add_router client 192.0.2 2001:db8:1
	start_megabytes 11v6
	exchange_spliced 2001:db8:3::1
}

# Two segments, which the balancer's own socket sends.
hello_beyond_router() {
	local report
	add_router server 198.51.100 2001:db8:2
	start_spliced "$1" echo
	"$PEERS/tcp" hello --alpn h2 --pad 1900 >"$NETNS_DIR/hello"
	hold client "$2" 443 --hello "$NETNS_DIR/hello" --timeout 10 # an early end is a reason not to splice
	await_stat .counters.spliced 1
	report=$(end_held client)
	assert_equal "$(report_field end <<<"$report")" eof
	same_bytes 1 "$report"
}
@test "a large hello to a server beyond a router with a smaller MTU (IPv4)" { hello_beyond_router 11 "$LB4"; }
@test "a large hello to a server beyond a router with a smaller MTU (IPv6)" { hello_beyond_router 11v6 "$LB6"; }

# The balancer's sockets have the greeting before there is a flow.
greeting_beyond_router() {
	add_router client 192.0.2 2001:db8:1
	start_spliced "$1" exchange --bytes 5000
	ip -n "$NETNS_NAME-server" route add blackhole "$3"
	hold client "$2" 443 --alpn h2 --timeout 10
	netns_await 10 server_leg_is syn-sent || fail "the balancer does not connect"
	kill -STOP "$DAEMON_PID"
	ip -n "$NETNS_NAME-server" route del blackhole "$3"
	netns_await 10 server_leg_is established 'Recv-Q 5000' || fail "no greeting came"
	kill -CONT "$DAEMON_PID"
	await_stat .counters.spliced 1
	same_bytes 1 "$(end_held client)"
}
server_leg_is() {
	netns_exec balancer ss -Htn state "$1" dport = :9000 | awk '{ print "Recv-Q " $1 }' | grep -q "${2:-.}"
}
@test "a greeting to a client beyond a router with a smaller MTU (IPv4)" {
	greeting_beyond_router 11 203.0.113.1 198.51.100.1
}
@test "a greeting to a client beyond a router with a smaller MTU (IPv6)" {
	greeting_beyond_router 11v6 2001:db8:3::1 2001:db8:2::1
}
