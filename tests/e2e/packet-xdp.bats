#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Spliced packets that are forwarded at XDP, and when they are left to tc. The other tests of the
# packet path do the same with ACCEL=xdp.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

ACCEL=xdp
load lib
load packet

CONNECTIONS=${PACKET_CONNECTIONS:-200}

# forwarded INTERFACE MIN: at least so many frames that came in there.
forwarded() {
	local n
	n=$(netns_at_xdp "$1")
	((n >= $2)) || fail "$n frames from $1 were forwarded at XDP, not $2"
}

# crossing ROLE HOST ADDRESS: clients in the namespace of ROLE; every byte in its place, both ways.
crossing() {
	local client
	packet_farm packet "$2"
	crossing_serve
	start_daemon
	client=$(netns_exec "$1" "$PEERS/crossing" client "$3" 443 -f "$NETNS_DIR/hello" -n "$CONNECTIONS" -p 50 -s 1)
	assert_clean "$client"
	assert_clean "$(crossing_report)"
	(($(stats .counters.spliced) > CONNECTIONS / 2)) || fail "few were spliced"
	assert_equal "$(stats .counters.splice_dropped)" 0
}

@test "the switch under load and on to XDP: every byte in its place, IPv4" {
	crossing client 11 "$LB4"
	forwarded client $((10 * CONNECTIONS))
	forwarded server $((10 * CONNECTIONS))
}

@test "the switch under load and on to XDP: every byte in its place, IPv6" {
	crossing client 11v6 "$LB6"
	forwarded client $((10 * CONNECTIONS))
	forwarded server $((10 * CONNECTIONS))
}

@test "client and server on one interface, forwarded at XDP" {
	ip -n "$NETNS_NAME-server" route add 192.0.2.1 via 198.51.100.1
	crossing server 11 "$LB4"
	forwarded server $((20 * CONNECTIONS))
}

@test "without a daemon XDP goes on, and half-close, close and reset are noted as at tc" {
	local report before
	start_echo 11
	hold client "$LB4" 443 --alpn h2 --then 3000000
	all_are_spliced 1
	kill_daemon
	before=$(netns_at_xdp client)
	report=$(end_held client)
	assert_echoed "$report"
	forwarded client $((before + 1000))
	start_daemon
	await_flows 0
	assert_equal "$(stats '.frontends[0] | [.bytes_from_clients, .bytes_from_servers] | unique | tostring')" \
		"[$(report_field sent <<<"$report")]"

	hold other "$LB4" 443 --alpn h2 --bytes 100000
	await_stat .counters.spliced 2
	all_are_spliced 1
	netns_exec client ss -K dport = :443 >/dev/null
	await_flows 0
	assert_equal "$(stats .counters.client_resets)" 1
	touch "$NETNS_DIR/other.go"
}

# says STATE: what the daemon has said of both interfaces at last.
says() {
	[[ $(grep -c "accel: .*: spliced packets $1" "$NETNS_DIR/daemon.log") == "$2" ]]
}

# A megabyte and back, of a connection that has left its sockets.
transfer() {
	TRANSFERS=$((${TRANSFERS:-0} + 1))
	hold "client$TRANSFERS" "$LB4" 443 --alpn h2 --then 1000000
	await_stat .counters.spliced "$TRANSFERS"
	netns_await 10 sockets_are_gone || fail "the balancer still has sockets"
	assert_echoed "$(end_held "client$TRANSFERS")"
}

programs() {
	netns_exec balancer "$ALPNLB" --instance "$NETNS_NAME" -j xdp show | gojq -r '[.interfaces[] | .name // "none"] | join(" ")'
}

programs_are() {
	[[ $(programs) == "$1" ]]
}

doctor_says() {
	netns_exec balancer "$ALPNLB" -j doctor | gojq -r '.[].found' | grep -q "$1" || fail "doctor does not say '$1'"
}

@test "where XDP cannot forward, tc does, and it is told why" {
	local before
	packet_farm packet 11
	# In TIME_WAIT it would acknowledge a repeated FIN with a whole checksum, in spite of its interface.
	netns_exec client sysctl -qw net.ipv4.tcp_max_tw_buckets=0
	start_tcp server 11 9000 echo
	netns_exec balancer sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
	start_daemon
	says 'go by tc, too: its sysctl forwarding is off' 2 || fail "it says nothing"
	doctor_says 'client: spliced packets go by tc, too: its sysctl'
	transfer
	assert_equal "$(netns_at_xdp client)" 0

	netns_exec balancer sysctl -qw net.ipv4.ip_forward=1
	netns_await 5 says 'are forwarded at XDP' 2 || fail "it does not look again"
	doctor_says 'client: spliced packets are forwarded at XDP'
	transfer
	forwarded client 100

	netns_exec server ethtool -K balancer gro off >/dev/null
	netns_await 5 says 'go by tc, too: it takes no frames' 1 || fail "it does not see"
	before=$(netns_at_xdp client)
	transfer
	assert_equal "$(netns_at_xdp client)" "$before"
	forwarded server 100
	netns_exec server ethtool -K balancer gro on >/dev/null

	netns_await 5 says 'are forwarded at XDP' 3 || fail "it does not see"
	netns_exec client ethtool -K balancer tx on >/dev/null
	before=$(netns_at_xdp client)
	transfer
	assert_equal "$(netns_at_xdp client)" "$before" "without checksums"

	sed -i 's/^accel: .*/accel: { client: tc, server: tc }/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(programs)" "none none"
	transfer
	sed -i 's/^accel: .*/&\nxdp: generic/' "$CONFIG" # its copies of packets are to have an Ethernet header
	alpnlb apply "$CONFIG"
	assert_equal "$(programs)" "door door"
	transfer
	sed -i '/^xdp: /d; s/^accel: .*/accel: auto/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(programs)" "none none" # a veth may come without checksums
	transfer

	# the only one that is to have the program comes, and goes
	sed -i 's/^accel: .*/accel: { extra: xdp }/' "$CONFIG"
	alpnlb apply "$CONFIG"
	ip -n "$NETNS_NAME-balancer" link add extra type veth peer name other netns "$NETNS_NAME-client"
	netns_await 5 programs_are "none none door"
	ip -n "$NETNS_NAME-balancer" link delete extra
	netns_await 5 programs_are "none none"
	transfer
	stop_daemon
}
