#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Spliced connections when the host's routes change.

# shellcheck disable=SC2030,SC2031 # every test is a subshell

load lib
load packet

# A second link from the balancer to ROLE, not used yet.
second_link() {
	local role=$1
	ip -n "$NETNS_NAME-balancer" link add second type veth peer name second netns "$NETNS_NAME-$role"
	ip -n "$NETNS_NAME-balancer" link set second addrgenmode none up
	ip -n "$NETNS_NAME-$role" link set second addrgenmode none up
	ip -n "$NETNS_NAME-balancer" addr add fe80::3/64 dev second nodad
	ip -n "$NETNS_NAME-$role" addr add fe80::4/64 dev second nodad
}

# move ROLE NEAR FAR: packets between these go over the second link, the first one loses all.
move() {
	local to_near=() to_far=()
	if [[ $2 == *:* ]]; then # a neighbour answers for the interface's own addresses only
		to_near=(via fe80::3) to_far=(via fe80::4)
	fi
	impair balancer "$1" -d 1000
	ip -n "$NETNS_NAME-$1" route add "$2" "${to_near[@]}" dev second src "$3"
	ip -n "$NETNS_NAME-balancer" route add "$3" "${to_far[@]}" dev second src "$2"
}

held_flow() {
	start_echo "$1"
	hold client "$2" 443 --alpn h2 --bytes 1000
	await_flows 1
	await_stat .counters.spliced 1
}

goes_on() {
	assert_echoed "$(end_held client)"
}

follows() {
	local role=$1 host=$2 address=$3 near=$4 far=$5
	held_flow "$host" "$address"
	second_link "$role"
	move "$role" "$near" "$far"
	netns_await 10 daemon_says '1 entries moved' || fail "nothing moved"
	goes_on
}
@test "connections follow the route to the server (IPv4)" {
	follows server 11 "$LB4" 198.51.100.1 "$(server4 11)"
}
@test "connections follow the route to the server (IPv6)" {
	follows server 11v6 "$LB6" 2001:db8:2::1 "$(server6 11)"
}
@test "connections follow the route to the client (IPv4)" { follows client 11 "$LB4" "$LB4" "$CLIENT4"; }
@test "connections follow the route to the client (IPv6)" { follows client 11v6 "$LB6" "$LB6" "$CLIENT6"; }

@test "the next daemon moves connections whose route changed before" {
	held_flow 11 "$LB4"
	second_link server
	kill_daemon
	move server 198.51.100.1 "$(server4 11)"
	start_daemon
	netns_await 10 daemon_says '1 entries moved' || fail "nothing moved"
	goes_on
}

has_moved() {
	[[ $(ask flow show | gojq ".[0].bytes_from_client > $1") == true ]]
}

shrinks() {
	local host=$1 address=$2
	start_echo "$host"
	hold client "$address" 443 --alpn h2 --then 300000000 --timeout 30
	await_stat .counters.spliced 1
	touch "$NETNS_DIR/client.go"
	netns_await 10 has_moved 1000000 || fail "it does not move"
	ip -n "$NETNS_NAME-balancer" link set server mtu 1300
	ip -n "$NETNS_NAME-server" link set balancer mtu 1300
	netns_await 30 grep -q '^{' "$NETNS_DIR/client.log" || fail "the client hangs"
	assert_echoed "$(cat "$NETNS_DIR/client.log")"
	(($(stats .counters.splice_too_big) > 0)) || fail "the client was not told"
}
@test "the MTU of the interface to the server shrinks in the midst of a transfer (IPv4)" { shrinks 11 "$LB4"; }
@test "the MTU of the interface to the server shrinks in the midst of a transfer (IPv6)" { shrinks 11v6 "$LB6"; }
@test "the MTU of the interface shrinks below that of the route in the midst of a transfer" {
	ip -n "$NETNS_NAME-balancer" route add "$(server4 11)/32" dev server src 198.51.100.1 mtu 1500
	shrinks 11 "$LB4"
}
