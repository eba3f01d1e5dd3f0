#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The switch from sockets to packets, made while data comes from both ends, and on networks that
# lose and reorder packets.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib
load packet

CONNECTIONS=${PACKET_CONNECTIONS:-2000}	    # of each test; more for a longer run
ROUGH=$((CONNECTIONS / 5))		    # ... and where packets are lost
SEED=${PACKET_SEED:-1}

# crossing ADDRESS CONNECTIONS [CLIENT-OPTION...]: all bytes right at both ends, of the
# configuration that stands. GREETING: the server speaks first.
crossing() {
	local address=$1 connections=$2 client
	shift 2
	crossing_serve ${GREETING:+-g "$GREETING"}
	start_daemon
	client=$(crossing_client "$address" -n "$connections" -p 100 -s "$SEED" \
		${GREETING:+-g "$GREETING"} "$@") || fail "client: $client"
	assert_clean "$client"
	assert_clean "$(crossing_report)"
	echo "# $(stats '"\(.counters.spliced) of \(.counters.accepted) spliced"')" >&3
	(($(stats .counters.spliced) > connections / 2)) || fail "few were spliced"
}

@test "the switch under load: every byte in its place, IPv4" {
	packet_farm packet 11
	crossing "$LB4" "$CONNECTIONS"
}

@test "the switch under load: every byte in its place, IPv6" {
	packet_farm packet 11v6
	crossing "$LB6" "$CONNECTIONS"
}

@test "the switch under load with path auto" {
	packet_farm auto 11
	crossing "$LB4" "$CONNECTIONS"
}

behind_proxy_header() {
	packet_farm packet "$2"
	sed -i "/name: s11/s/ }/, proxy_protocol_version: $1 }/" "$CONFIG"
	crossing "$3" "$CONNECTIONS"
}
@test "the switch under load behind a PROXY header, version 1" { behind_proxy_header v1 11 "$LB4"; }
@test "the switch under load behind a PROXY header, version 2" { behind_proxy_header v2 11v6 "$LB6"; }

# Without routes that look at the hello, the server is reached before the client says a word.
server_speaks_first() {
	packet_farm packet "$1"
	sed -i '/^routes:/,$d' "$CONFIG"
	GREETING=$2 crossing "$3" "$CONNECTIONS"
}
@test "the switch under load, and the server speaks first" { server_speaks_first 11 5000 "$LB4"; }
@test "the switch under load, and the server speaks first, more than a window" {
	server_speaks_first 11v6 300000 "$LB6"
}

# Where packets are lost nobody resets: an RST that is lost is not repeated.
rough() {
	local host=$1 address=$2 impairment=$3
	shift 3
	packet_farm packet "$host"
	# shellcheck disable=SC2086 # options
	impair_all $impairment
	crossing "$address" "$ROUGH" "$@"
}
@test "the switch under load with 1 % of the packets lost, each way on both legs" {
	rough 11 "$LB4" "-d 10" -q
}
@test "the switch under load with packets out of order, each way on both legs" {
	rough 11 "$LB4" "-r 100"
}
@test "the switch under load with loss and packets out of order, IPv6" {
	rough 11v6 "$LB6" "-d 10 -r 50" -q
}

@test "a server that speaks first over a network that loses and reorders" {
	packet_farm packet 11
	sed -i '/^routes:/,$d' "$CONFIG"
	impair_all -d 10 -r 50
	GREETING=10000 crossing "$LB4" "$ROUGH" -q
}

# A server that answers late finds 100 kB behind the hello, more than a socket can hand over.
ahead_at_first() {
	packet_farm packet "$1"
	head -c 100000 /dev/urandom >>"$NETNS_DIR/hello"
	start_tcp server 11 9000 echo
	impair server balancer -r 1000
	start_daemon
	hold client "$2" 443 --hello "$NETNS_DIR/hello" --then 500000 --repeat 40 --parallel 40
	await_stat .counters.spliced 40
	(($(stats '.frontends[0].paths.relay') > 20)) || fail "few were ahead"
	end_held client >/dev/null
	await_flows 0
	assert_equal "$(gojq -r '"\(.end) \(.sent_sha256 == .received_sha256)"' "$NETNS_DIR/client.log" |
		sort | uniq -c | xargs)" "40 eof true"
	assert_equal "$(stats '.frontends[0].bytes_from_servers')" \
		"$(gojq -s 'map(.received) | add' "$NETNS_DIR/client.log")" "counted"
}
@test "connections that are ahead of the server are spliced at a quiet moment (IPv4)" { ahead_at_first 11 "$LB4"; }
@test "connections that are ahead of the server are spliced at a quiet moment (IPv6)" { ahead_at_first 11v6 "$LB6"; }

# Has the server leg's socket sent its first packet in vain, so many times?
has_repeated() {
	netns_exec balancer ss -Htin 'dport = :9000' | grep -q "backoff:[$1-9]"
}

# The hello is lost on its way to the server for so long that the socket which has sent it knows
# nothing of much that the server says meanwhile.
late_hello() {
	local report loss
	packet_farm packet "$1"
	start_tcp server 11 9000 exchange --bytes 300000 --half-close
	start_daemon
	impair server balancer -l 300
	loss=$NETNS_PID
	hold client "$2" 443 --hello "$NETNS_DIR/hello" --buffer 65536 --then 200000 --timeout 30
	await_stat .counters.spliced 1
	netns_await 20 has_repeated 3 || fail "nothing is sent in vain"
	netns_stop "$loss"
	report=$(end_held client)
	assert_equal "$(report_field end <<<"$report")" eof
	assert_same_bytes "$report" "$(server_report server)"
}
@test "a hello that comes late reaches the server, whatever that has said meanwhile (IPv4)" { late_hello 11 "$LB4"; }
@test "a hello that comes late reaches the server, whatever that has said meanwhile (IPv6)" { late_hello 11v6 "$LB6"; }
