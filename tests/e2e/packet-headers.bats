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

# ---- unusual IP headers -------------------------------------------------------------------

# From the client's entry of the only flow: EXPRESSION.
client_entry() {
	show_flows | gojq -r "select(.constant % 2 == 0) | $1"
}

# odd_packet KIND HOST SOURCE ADDRESS: 100 more bytes of a connection come like that. The balancer has
# no socket of it any more: whatever its stack gets, it answers with RST.
odd_packet() {
	local kind=$1 host=$2 source=$3 address=$4 port
	start_echo "$host"
	hold client "$address" 443 --alpn h2 --timeout 10
	all_are_spliced 1
	port=$(alpnlb -j flow show | gojq -r '.[0].client | sub(".*:"; "")')
	netns_exec client "$TREE/tests/e2e/peers/unusual.py" "$kind" "$source" "$port" "$address" 443 \
		"$(client_entry '.base + .end')" "$(client_entry .acked)"
}
# The server has echoed them; the client knows nothing of them.
odd_packet_arrives() {
	odd_packet options "$@"
	netns_await 5 server_has 617 || fail "they did not arrive: $(show_flows)"
	[[ ! -s $NETNS_DIR/client.log ]] || fail "the client's connection has ended"
	alpnlb flow delete all
}
server_has() {
	[[ $(client_entry .end) == "$1" ]] &&
		netns_exec server ss -Htni state established sport = :9000 | grep -q "bytes_received:$1 "
}
@test "a packet with IPv4 options" { odd_packet_arrives 11 "$CLIENT4" "$LB4"; }
@test "a packet with IPv6 extension headers" { odd_packet_arrives 11v6 "$CLIENT6" "$LB6"; }

odd_packet_drops() {
	odd_packet "$@"
	await_stat .counters.splice_dropped 1
	assert_equal "$(end_held client | gojq -c '[.end, .received]')" '["eof",517]'
	assert_equal "$(server_report server | gojq -c '[.end, .received]')" '["eof",517]'
}
@test "fragments of a spliced connection are dropped, IPv4" { odd_packet_drops tiny 11 "$CLIENT4" "$LB4"; }
@test "fragments of a spliced connection are dropped, IPv6" { odd_packet_drops tiny 11v6 "$CLIENT6" "$LB6"; }
@test "a packet with an IPv6 fragment header is dropped" { odd_packet_drops atomic 11v6 "$CLIENT6" "$LB6"; }

# Linux puts a hop-by-hop header into them.
@test "IPv6 packets of more than 64 kB" {
	local role
	for role in client server; do
		ip -n "$NETNS_NAME-$role" link set balancer gso_max_size 180000 gro_max_size 180000
		ip -n "$NETNS_NAME-balancer" link set $role gso_max_size 180000 gro_max_size 180000
	done
	packet_farm packet 11v6
	start_tcp server 11 9000 echo
	start_daemon
	hold client "$LB6" 443 --alpn h2 --then 60000000 --timeout 20
	await_flows 1
	assert_equal "$(end_held client | gojq -c '[.end, .received]')" '["eof",60000517]'
	assert_equal "$(server_report server | gojq -c '[.end, .received]')" '["eof",60000517]'
	assert_equal "$(stats .counters.spliced)" 1
}

@test "frames for another host are not forwarded" {
	start_echo 11
	hold client "$LB4" 443 --alpn h2 --bytes 1000
	all_are_spliced 1
	ip -n "$NETNS_NAME-balancer" link set client promisc on
	ip -n "$NETNS_NAME-client" neigh replace "$LB4" lladdr 02:00:00:00:00:99 dev balancer nud permanent
	packets=$(client_entry .packets) # now: an acknowledgement may have been under way
	touch "$NETNS_DIR/client.go"
	netns_await 10 fin_repeated || fail "the client has not repeated its FIN"
	assert_equal "$(client_entry .packets)" "$packets"
	ip -n "$NETNS_NAME-client" neigh del "$LB4" dev balancer
	held_report client
}
fin_repeated() {
	netns_exec client ss -Htni state fin-wait-1 | grep -q 'retrans:[0-9]*/[1-9]'
}

# ---- clocks -------------------------------------------------------------------------------

# finer_timestamps NETWORK INTERFACE SOURCE: connections by that route of the balancer have timestamps
# in microseconds (RTAX_FEATURE_TCP_USEC_TS, which ip(8) may not know).
finer_timestamps() {
	ip -n "$NETNS_NAME-balancer" route del "$1/24" dev "$2"
	netns_exec balancer /usr/bin/python3 - "$@" <<-'END'
		import socket, struct, sys
		network, interface, source = sys.argv[1:]
		def attribute(kind, value):
		    return struct.pack("HH", 4 + len(value), kind) + value
		RTA_DST, RTA_OIF, RTA_PREFSRC, RTA_METRICS, RTAX_FEATURES = 1, 4, 7, 8, 12
		route = struct.pack("BBBBBBBBI", socket.AF_INET, 24, 0, 0, 254, 4, 253, 1, 0)
		route += attribute(RTA_DST, socket.inet_aton(network))
		route += attribute(RTA_OIF, struct.pack("I", socket.if_nametoindex(interface)))
		route += attribute(RTA_PREFSRC, socket.inet_aton(source))
		route += attribute(RTA_METRICS, attribute(RTAX_FEATURES, struct.pack("I", 1 << 4)))
		netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
		netlink.send(struct.pack("IHHII", 16 + len(route), 24, 0x605, 1, 0) + route)
		error = struct.unpack("i", netlink.recv(4096)[16:20])[0]
		raise SystemExit("no such route: %d" % error if error else 0)
	END
}
# finer_clock ROLE NETWORK SOURCE PORT: what comes to ROLE from the socket and later from the other end
# is on one clock.
finer_clock() {
	finer_timestamps "$2" "$1" "$3"
	start_echo 11
	capture "$1"
	hold client "$LB4" 443 --alpn h2 --bytes 1000
	await_flows 1
	assert_equal "$(end_held client | gojq -c '[.end, .received]')" '["eof",1517]'
	netns_await 5 captured "$1" "$4 && ip.ttl == 63" || fail "nothing came from the other end"
	(($(seconds_spanned "$1" "$4") < 30)) || fail "$(seconds_spanned "$1" "$4") seconds"
}
captured() {
	(($(packets "$@") > 0))
}
# By timestamps in microseconds.
seconds_spanned() {
	tshark -r "$NETNS_DIR/$1.pcap" -Y "$2" -T fields -e tcp.options.timestamp.tsval 2>/dev/null |
		awk 'NR == 1 { first = $1 } { span = ($1 - first + 2 ^ 32) % 2 ^ 32; if (span > most) most = span }
			END { printf "%d", most / 1000000 }'
}
@test "timestamps in microseconds on the client's leg" {
	finer_clock client 192.0.2.0 "$LB4" "tcp.srcport == 443"
}
@test "timestamps in microseconds on the server's leg" {
	finer_clock server 198.51.100.0 198.51.100.1 "tcp.dstport == 9000"
}
