#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What packets of spliced connections look like where they arrive.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib
load packet

# capture ROLE: what leaves and arrives at its interface, as it is on the wire.
capture() {
	netns_spawn "$1" "$NETNS_DIR/tcpdump-$1.log" tcpdump -U -i balancer -s 200 -w "$NETNS_DIR/$1.pcap" tcp
	netns_await 10 grep -q 'listening on' "$NETNS_DIR/tcpdump-$1.log"
}

# packets ROLE FILTER: how many of the captured match.
packets() {
	tshark -r "$NETNS_DIR/$1.pcap" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE \
		-Y "$2" 2>/dev/null | wc -l
}

headers() {
	local host=$1 address=$2 role ttl=$3
	for role in client server; do
		netns_exec $role ethtool -K balancer tx off tso off gso off gro off >/dev/null 2>&1
		netns_exec balancer ethtool -K $role tx off tso off gso off gro off >/dev/null 2>&1
		netns_exec $role sysctl -qw net.ipv4.tcp_ecn=1
	done
	packet_farm packet "$host"
	crossing_serve
	start_daemon
	capture client
	capture server
	assert_clean "$(crossing_client "$address" -n 20 -p 5 -s 3 -m 60000 -q -w 4)"
	assert_clean "$(crossing_report)"
	(($(stats .counters.spliced) > 5)) || fail "few were spliced"
	for role in client server; do
		(($(packets $role "$ttl == 63") > 100)) || fail "$role: no packet passed a router"
		assert_equal "$(packets $role "$ttl < 63")" 0 "$role: too far"
		assert_equal "$(packets $role 'tcp.checksum.status == "Bad" || ip.checksum.status == "Bad"')" 0 \
			"$role: bad checksums"
		assert_equal "$(packets $role 'ip && !ip.flags.df && tcp.len > 0')" 0 "$role: without DF"
	done
	# The client's leg has ECN, the server's has not: nothing of it may get there.
	assert_equal "$(packets server 'tcp.flags.syn == 0 && (tcp.flags.ece == 1 || tcp.flags.cwr == 1 ||
		ip.dsfield.ecn > 0 || ipv6.tclass.ecn > 0)')" 0 "ECN bits at the server"
	(($(packets client 'tcp.flags.syn == 1 && tcp.flags.ece == 1 && tcp.flags.ack == 1') > 0)) ||
		fail "the client's leg did not negotiate ECN"
}
@test "hop limits, checksums, DF and ECN on the wire, IPv4" { headers 11 "$LB4" ip.ttl; }
@test "hop limits, checksums and ECN on the wire, IPv6" { headers 11v6 "$LB6" ipv6.hlim; }
