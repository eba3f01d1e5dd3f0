#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Connections that the packet path opens by itself: no socket of the balancer's is in them.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib
load packet

CONNECTIONS=${PACKET_CONNECTIONS:-2000} # of each test; more for a longer run
SEED=${PACKET_SEED:-1}

# opening ADDRESS CONNECTIONS [CLIENT-OPTION...]: as crossing of packet.bats.
opening() {
	local address=$1 connections=$2 client
	shift 2
	crossing_serve
	start_daemon
	client=$(crossing_client "$address" -n "$connections" -p 100 -s "$SEED" "$@") || fail "client: $client"
	assert_clean "$client"
	assert_clean "$(crossing_report)"
	echo "# $(stats '"\(.counters.opened) of \(.counters.accepted) opened by packets"')" >&3
	(($(stats .counters.opened) > connections / 2)) || fail "few were opened by packets"
	assert_equal "$(stats '[.frontends[].live, .routes[].live, .farms[].servers_live // 0] | add')" 0
}

@test "opened by packets under load: every byte in its place, IPv4" {
	FRONTEND='handshake: packet' packet_farm packet 11
	opening "$LB4" "$CONNECTIONS"
}

@test "opened by packets under load: every byte in its place, IPv6" {
	FRONTEND='handshake: packet' packet_farm packet 11v6
	opening "$LB6" "$CONNECTIONS"
}

@test "opened by packets with loss and packets out of order" {
	FRONTEND='handshake: packet' packet_farm packet 11
	impair_all -d 10 -r 100
	opening "$LB4" "$((CONNECTIONS / 5))" -q
}
