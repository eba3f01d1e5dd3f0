#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Many connections at once, each with its own sizes and segmentation. Each test runs over
# every path.

load lib

CONNECTIONS=${STRESS_CONNECTIONS:-200} # of each load; three of them in a test

descriptors_are() {
	(($(descriptors) <= $1))
}

# Packets that the server took for forgeries before its handshake was over; none on kernels before 6.15.
echoes_rejected() {
	netns_exec server nstat -asz TcpExtTSEcrRejected | awk '/TSEcr/ { n = $2 } END { print n + 0 }'
}

# start_farm PATH KIND [SERVER-OPTION...]
start_farm() {
	local path=$1 kind=$2
	shift 2
	{
		farms default=11,11v6
		frontend "$path" default
		printf 'routes:\n'
		route h2 default "alpn is h2"
	} >"$CONFIG"
	start_tcp server 11 9000 "$kind" "$@"
	start_daemon
}

# flows THERE BACK: bytes and hash each way of every report.
flows() {
	gojq -r "\"\(.$1) \(.$1_sha256) \(.$2) \(.$2_sha256)\"" | sort
}

# load ADDRESS SEED CONNECTIONS
load_with() {
	tcp_client "$1" 443 --alpn h2 http/1.1 --bytes 1000000 --random --half-close --seed "$2" \
		--repeat "$3" --parallel 40 >>"$NETNS_DIR/clients"
	await_connections 0
}

many_at_once() {
	local before all=$((3 * CONNECTIONS))
	quick_acks
	start_farm "$1" exchange --bytes 1500000 --random --half-close
	load_with "$LB4" warm "$CONNECTIONS" # what the daemon keeps for later is open now
	before=$(descriptors)
	load_with "$LB4" four "$CONNECTIONS"
	load_with "$LB6" six "$CONNECTIONS"
	server_report server $all >/dev/null
	assert_equal "$(gojq -r .end "$NETNS_DIR/clients" | sort | uniq -c | xargs)" "$all eof"
	diff <(flows sent received <"$NETNS_DIR/clients") \
		<(flows received sent <"$NETNS_DIR/server.log") >"$NETNS_DIR/diff.log" ||
		fail "bytes differ"
	# What is kept for later depends on how many were open at once; one for each would be twice as many.
	netns_await 10 descriptors_are $((before + CONNECTIONS)) || fail "$(descriptors) descriptors, $before before"
	assert_equal "$(echoes_rejected)" 0 "echoed times the server did not know"
	# An ended connection of the packet path lingers for two seconds before it is counted.
	await_stat '.counters | [.accepted, .closed, .connect_failed, .internal_errors,
		.redirect_failed, .leg_unknown] | join(" ")' "$all $all 0 0 0 0"
	stop_daemon
}
@test "hundreds of connections of random sizes and cuts, 40 at a time (sockmap)" { many_at_once sockmap; }
@test "hundreds of connections of random sizes and cuts, 40 at a time (relay)" { many_at_once relay; }
@test "hundreds of connections of random sizes and cuts, 40 at a time (packet)" { many_at_once packet; }

resets_and_closes() {
	local before all=$((3 * CONNECTIONS))
	quick_acks
	start_farm "$1" exchange --bytes 200000 --random
	before=$(($(descriptors) + 20)) # pipes are kept for later
	tcp_client "$LB4" 443 --alpn h2 --bytes 300000 --random --reset --repeat 200 --parallel 20 \
		--timeout 20 >"$NETNS_DIR/resets"
	tcp_client "$LB4" 443 --repeat 100 --parallel 20 --reset >"$NETNS_DIR/silent"
	tcp_client "$LB4" 443 --text 'GET' --half-close --repeat 100 --parallel 20 >"$NETNS_DIR/early"
	await_connections 0
	netns_await 10 descriptors_are "$before" || fail "$(descriptors) descriptors, $before before"
	await_stat '.counters | .accepted - .closed' 0
	await_stat '[.servers[].live] | add' 0
	stop_daemon
}
@test "clients that reset or leave early take nothing with them (sockmap)" {
	resets_and_closes sockmap
}
@test "clients that reset or leave early take nothing with them (relay)" {
	resets_and_closes relay
}
@test "clients that reset or leave early take nothing with them (packet)" {
	resets_and_closes packet
}
