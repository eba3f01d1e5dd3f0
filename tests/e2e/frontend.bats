#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Where a frontend listens, whom it lets in, how many, and for how long.

load lib

# two_frontends FARM [ATTRIBUTE...]: 443 over sockmap and 444 over relay, alike in the rest.
two_frontends() {
	local farm=$1
	shift
	frontend sockmap "$farm" "$@"
	frontend relay "$farm" "$@" | sed -e 1d -e 's/name: web/name: other/' -e 's/"443"/"444"/'
}

# routes_on_both: so that the first bytes matter.
routes_on_both() {
	printf 'routes:\n'
	route h2 "$1" "alpn is h2"
	route ssh "$1" "protocol is ssh" | sed 's/frontend: web/frontend: other/'
}

# ---- where --------------------------------------------------------------------------------

@test "a disabled frontend does not listen until apply enables it, and again" {
	{ farms one=11 && frontend auto one "disabled: true"; } >"$CONFIG"
	start_tcp one 11 9000 name
	start_daemon
	assert_equal "$(reached "$LB4" 443 --alpn h2)" refused
	assert_equal "$(alpnlb -j frontend show name web | jq .listens)" false
	sed -i 's/disabled: true/disabled: false/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(reached "$LB6" 443 --alpn h2)" one
	sed -i 's/disabled: false/disabled: true/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" refused
	assert_equal "$(reached "$LB6" 443 --alpn h2)" refused
	stop_daemon
}

# Both on one port: each address has its own frontend, others have none.
@test "dedicated_ipfo binds those addresses and no others" {
	ip -n "$NETNS_NAME-balancer" addr add 192.0.2.101/24 dev client
	ip -n "$NETNS_NAME-balancer" addr add 192.0.2.102/24 dev client
	ip -n "$NETNS_NAME-balancer" addr add 2001:db8:1::101/64 dev client nodad
	ip -n "$NETNS_NAME-balancer" addr add 2001:db8:1::102/64 dev client nodad
	{
		farms one=11 two=12v6
		frontend auto one 'dedicated_ipfo: [ 192.0.2.101, "2001:db8:1::101" ]'
		printf '  - { name: two, port: "443", default_farm: two, %s }\n' \
			'dedicated_ipfo: [ 192.0.2.102, "2001:db8:1::102" ]'
	} >"$CONFIG"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_daemon
	assert_equal "$(reached 192.0.2.101 443 --alpn h2)" one
	assert_equal "$(reached 2001:db8:1::101 443 --alpn h2)" one
	assert_equal "$(reached 192.0.2.102 443 --alpn h2)" two
	assert_equal "$(reached 2001:db8:1::102 443 --alpn h2)" two
	assert_equal "$(reached "$LB4" 443 --alpn h2)" refused
	assert_equal "$(reached "$LB6" 443 --alpn h2)" refused
	stop_daemon
}

@test "objects of another zone are not installed, those of this and of all are" {
	{
		printf 'zone: gra\n'
		farms here=11 everywhere=12 there=13 | sed -e '/name: there/a\    zone: rbx' \
			-e '/name: here/a\    zone: gra' -e '/name: everywhere/a\    zone: all'
		printf 'frontends:\n'
		printf '  - { name: %s, port: "%s", zone: %s, default_farm: %s }\n' here 443 gra here \
			there 443 rbx there everywhere 444 all everywhere
		printf '  - { name: unsaid, port: "445", default_farm: here }\n'
		printf '  - { name: off, port: "446", zone: rbx, default_farm: here }\n'
	} >"$CONFIG"
	start_tcp here 11 9000 name
	start_tcp everywhere 12 9000 name
	start_tcp there 13 9000 name
	start_daemon
	assert_equal "$(reached "$LB4" 443 --alpn h2)" here
	assert_equal "$(reached "$LB4" 444 --alpn h2)" everywhere
	assert_equal "$(reached "$LB4" 445 --alpn h2)" here
	assert_equal "$(reached "$LB4" 446 --alpn h2)" refused
	assert_equal "$(alpnlb -j frontend show | jq -r '[.[] | "\(.name) \(.listens)"] | join(", ")')" \
		"here true, there false, everywhere true, unsaid true, off false"
	sed -i 's/^zone: gra/zone: rbx/; /name: unsaid/d' "$CONFIG"
	sed -i '/name: off/d' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" there
	assert_equal "$(reached "$LB4" 444 --alpn h2)" everywhere
	stop_daemon
}

@test "without a zone every frontend is installed, so zones cannot share a port" {
	{
		farms one=11
		printf 'frontends:\n'
		printf '  - { name: %s, port: "443", zone: %s, default_farm: one }\n' a gra b rbx
	} >"$CONFIG"
	run -1 alpnlb check "$CONFIG"
	assert_matches "$output" 'frontends\[1\]\.port: 443 belongs to the frontend .*a'
	sed -i '1i zone: gra' "$CONFIG"
	run -0 alpnlb check "$CONFIG"
}

# ---- how many -----------------------------------------------------------------------------

one_too_many() {
	local port=$1 n
	for n in 1 2; do hold "held$n" "$LB4" "$port" --alpn h2; done
	await_connections 2
	assert_matches "$(tcp_client "$LB6" "$port" --alpn h2 --timeout 5 | report_field end)" '^(eof|reset)$'
	await_stat '.counters.refused_limit' "$2"
	assert_equal "$(alpnlb -j frontend show name "$3" | jq '.refused')" 1
	assert_equal "$(live_connections)" 2
	assert_equal "$(end_held held1 | report_field end)" eof
	await_connections 1
	assert_equal "$(tcp_client "$LB6" "$port" --alpn h2 --half-close | report_field end)" eof "room again"
	assert_equal "$(end_held held2 | report_field end)" eof
	await_connections 0
	rm "$NETNS_DIR"/held*
}
@test "max_connections closes the one beyond, and gives room back (both paths)" {
	{ farms echo=11 && two_frontends echo "max_connections: 2" && routes_on_both echo; } >"$CONFIG"
	start_tcp echo 11 9000 echo
	start_daemon
	one_too_many 443 1 web
	one_too_many 444 2 other
	stop_daemon
}

@test "of 60 clients at once, exactly max_connections get in" {
	{ farms banner=11 && frontend auto banner "max_connections: 20"; } >"$CONFIG"
	start_tcp banner 11 9000 banner
	start_daemon
	hold many "$LB4" 443 --repeat 60 --parallel 60
	await_stat '.counters.refused_limit' 40
	await_connections 20
	touch "$NETNS_DIR/many.go"
	await_connections 0
	assert_equal "$(jq -r 'select(.line == "banner") | .end' "$NETNS_DIR/many.log" | sort | uniq -c | xargs)" \
		"20 eof"
	stop_daemon
}

# ---- how long -----------------------------------------------------------------------------

# An SSH client that says four bytes every 0.2 s, 2 s long.
ACTIVE=(--text "SSH-2.0-$(printf 'x%.0s' {1..32})" --cut 4 --pause 0.2 --half-close)

@test "idle_timeout closes idle connections and no active ones (both paths)" {
	local port report
	{ farms echo=11 && two_frontends echo "idle_timeout: 1s" && routes_on_both echo; } >"$CONFIG"
	start_tcp echo 11 9000 echo
	start_daemon
	for port in 443 444; do
		hold "idle$port" "$LB4" "$port" --alpn h2
		netns_spawn client "$NETNS_DIR/active$port.log" "$TREE/tests/e2e/peers/tcp.py" client \
			"$LB6" "$port" "${ACTIVE[@]}"
	done
	for port in 443 444; do
		report=$(held_report "idle$port")
		assert_matches "$(report_field end <<<"$report")" '^(eof|reset)$' "$port"
		awk -v s="$(report_field seconds <<<"$report")" 'BEGIN { exit !(s >= 0.9 && s < 2) }' ||
			fail "$port: closed after $(report_field seconds <<<"$report") s, not after 1"
		report=$(held_report "active$port")
		assert_equal "$(report_field end <<<"$report")" eof "$port"
		assert_equal "$(report_field received <<<"$report")" 40 "$port"
	done
	await_connections 0
	assert_equal "$(stats '[.counters.idle_timeouts, .paths.sockmap, .paths.relay] | join(" ")')" "2 2 2"
	stop_daemon
}

# A client that drips would be decided at 6 s if each byte began the timeout anew.
@test "the hello timeout is 3 s from the accept, for silent and dripping clients (both paths)" {
	local port report
	{ farms banner=11 && two_frontends banner && routes_on_both banner; } >"$CONFIG"
	start_tcp banner 11 9000 banner
	start_daemon
	for port in 443 444; do
		netns_spawn client "$NETNS_DIR/silent$port.log" "$TREE/tests/e2e/peers/tcp.py" client \
			"$LB4" "$port" --expect 7
		netns_spawn client "$NETNS_DIR/drips$port.log" "$TREE/tests/e2e/peers/tcp.py" client \
			"$LB6" "$port" --expect 7 --text '\x16\x03\x01\x02' --cut 1 --pause 0.9
	done
	for port in 443 444; do
		for report in "$(held_report "silent$port")" "$(held_report "drips$port")"; do
			assert_equal "$(report_field line <<<"$report")" banner "$port"
			awk -v s="$(report_field seconds <<<"$report")" 'BEGIN { exit !(s >= 2.8 && s < 4) }' ||
				fail "$port: decided after $(report_field seconds <<<"$report") s, not after 3"
		done
	done
	assert_equal "$(stats .counters.hello_timeouts)" 4
	stop_daemon
}
