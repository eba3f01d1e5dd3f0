#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Which servers of a farm are used, and what becomes of a client when some cannot be reached.

load lib

# with HOST ATTRIBUTES: edits the server in the configuration read from standard input.
with() {
	sed "/name: s$1,/s/ }/, $2 }/"
}

# spread N: "3 one,2 two": who served N connections, half of them over IPv6.
spread() {
	local address
	for address in "$LB4" "$LB6"; do
		tcp_client "$address" 443 --alpn h2 --repeat $(($1 / 2)) --timeout 10
	done | gojq -r 'if .received > 0 then .line else .end end' | sort | uniq -c |
		awk '{ print $1, $2 }' | paste -sd,
}

# ---- who is used --------------------------------------------------------------------------

start_backups() {
	{ farms default=11,12v6,13,14 && frontend auto default; } >"$NETNS_DIR/plain.yaml"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_tcp backup 13 9000 name
	start_tcp inactive 14 9000 name
	with 13 "backup: true" <"$NETNS_DIR/plain.yaml" | with 14 "status: inactive" >"$CONFIG"
	start_daemon
}

# change [HOST ATTRIBUTES]...: applies the configuration with these edits.
change() {
	cp "$CONFIG" "$NETNS_DIR/changed.yaml"
	while (($# > 0)); do
		with "$1" "$2" <"$NETNS_DIR/changed.yaml" >"$NETNS_DIR/next.yaml"
		mv "$NETNS_DIR/next.yaml" "$NETNS_DIR/changed.yaml"
		shift 2
	done
	alpnlb apply "$NETNS_DIR/changed.yaml"
}

@test "a backup is used when no primary is, and an inactive server never" {
	start_backups
	assert_equal "$(spread 8)" "4 one,4 two"
	change 11 "status: inactive"
	assert_equal "$(spread 4)" "4 two" "one primary is left"
	change 11 "status: inactive" 12v6 "weight: 0"
	assert_equal "$(spread 4)" "4 backup" "no primary is left"
	change
	assert_equal "$(spread 4)" "2 one,2 two" "they are back"
	assert_equal "$(stats '.servers[] | select(.name == "s14") | .chosen')" 0
	stop_daemon
}

@test "a backup is used when every primary refuses" {
	{ farms default=11,12v6,13 && frontend auto default; } | with 13 "backup: true" >"$CONFIG"
	start_tcp backup 13 9000 name
	start_daemon
	assert_equal "$(spread 4)" "4 backup"
	assert_equal "$(stats .counters.connect_failed)" 0
	stop_daemon
}

@test "a farm whose servers are all inactive closes its connections, counted" {
	{ farms default=11,12v6 && frontend auto default; } |
		with 11 "status: inactive" | with 12v6 "weight: 0" >"$CONFIG"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_daemon
	assert_matches "$(spread 4)" '^4 (eof|reset)$'
	await_stat .counters.no_server 4
	stop_daemon
}

# ---- servers that cannot be reached -------------------------------------------------------

# start_path PATH HOST[,HOST...]: the first tries come in the order of the farm.
start_path() {
	{
		farms default="$2" | sed '/- name: default/a\    balance: first'
		frontend "$1" default "connect_timeout: 300ms"
		printf 'routes:\n'
		route h2 default "alpn is h2"
	} >"$CONFIG"
	start_daemon
}

third_time_lucky() {
	local address client server n=0
	start_tcp server 13 9000 echo
	black_hole 99v6
	start_path "$1" 11,99v6,13
	for address in "$LB4" "$LB6"; do
		client=$(tcp_client "$address" 443 --alpn h2 --bytes 500000 --half-close)
		n=$((n + 1))
		server=$(server_report server $n)
		assert_equal "$(report_field end <<<"$client")" eof
		assert_equal "$(report_field received_sha256 <<<"$client")" "$(report_field sent_sha256 <<<"$client")"
		assert_equal "$(report_field received_sha256 <<<"$server")" "$(report_field sent_sha256 <<<"$client")"
	done
	await_connections 0
	assert_equal "$(stats '[.servers[] | "\(.refused) \(.timeouts) \(.connected)"] | join(", ")')" \
		"2 0 0, 0 2 0, 0 0 2"
	assert_equal "$(stats '[.counters.retries, .counters.connect_failed] | join(" ")')" "4 0"
	assert_equal "$(stats ".paths.$1")" 2
	stop_daemon
}
@test "one server refuses, one is silent, the third serves: the client sees nothing (sockmap)" {
	third_time_lucky sockmap
}
@test "one server refuses, one is silent, the third serves: the client sees nothing (relay)" {
	third_time_lucky relay
}

three_failures() {
	local report
	fill_backlog 12
	black_hole 99v6
	start_tcp fourth 13 9000 name # never tried: three tries are what a connection gets
	start_path "$1" 11,12,99v6,13
	report=$(tcp_client "$LB6" 443 --alpn h2 --timeout 10)
	assert_matches "$(report_field end <<<"$report")" '^(eof|reset)$'
	awk -v s="$(report_field seconds <<<"$report")" 'BEGIN { exit !(s >= 0.6 && s < 1.5) }' ||
		fail "closed after $(report_field seconds <<<"$report") s, not after two connect timeouts"
	await_connections 0
	assert_equal "$(stats '.counters | [.connect_timeouts, .connect_failed, .retries, .closed] | join(" ")')" "1 0 2 1"
	assert_equal "$(stats '[.servers[] | "\(.refused) \(.timeouts) \(.chosen)"] | join(", ")')" \
		"1 0 1, 0 1 1, 0 1 1, 0 0 0"
	stop_daemon
}
@test "three servers that fail: the client is closed in time, and it is counted (sockmap)" {
	three_failures sockmap
}
@test "three servers that fail: the client is closed in time, and it is counted (relay)" {
	three_failures relay
}
