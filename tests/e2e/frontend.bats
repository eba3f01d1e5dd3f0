#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Where a frontend listens, whom it lets in, how many, and for how long.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

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
	assert_equal "$(alpnlb -j frontend show name web | gojq .listens)" false
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

# keep_connecting NAME ADDRESS PORT: clients of which some are always in the handshake.
keep_connecting() {
	netns_spawn client "$NETNS_DIR/$1.log" "$PEERS/tcp" client "$2" "$3" --alpn h2 \
		--handshake 0.15 --timeout 10 --parallel 6 --repeat-until "$NETNS_DIR/$1.go"
	netns_await 10 grep -q '^{' "$NETNS_DIR/$1.log"
}

# came_to NAME PID: ends these clients; who answered them, or how the connection ended, each once.
came_to() {
	touch "$NETNS_DIR/$1.go"
	netns_await 20 netns_dead "$2" || fail "clients $1 do not end"
	gojq -r 'if .received > 0 then .line else .end end' "$NETNS_DIR/$1.log" | sort -u | paste -sd,
}

# reaches ADDRESS=NAME...: who answers on 443.
reaches() {
	local pair
	for pair in "$@"; do
		assert_equal "$(reached "${pair%=*}" 443 --alpn h2)" "${pair##*=}" "${pair%=*}" || return
	done
}

more_addresses() {
	ip -n "$NETNS_NAME-balancer" addr add 192.0.2.101/24 dev client
	ip -n "$NETNS_NAME-balancer" addr add 2001:db8:1::101/64 dev client nodad
}

@test "a frontend gets and loses dedicated addresses, and no client fails" {
	local v4 v6
	more_addresses
	start_small
	hold held "$LB4" 443 --alpn h2
	keep_connecting v4 "$LB4" 443
	v4=$NETNS_PID
	keep_connecting v6 "$LB6" 443
	v6=$NETNS_PID
	# One that fails opens much before that.
	take_port 11999
	alpnlb frontend set web dedicated_ipfo "$LB6,$LB4" port 443,10000-11999
	run -1 alpnlb refresh run
	assert_matches "$output" 'cannot listen on 192.0.2.1:11999: Address already in use'
	alpnlb frontend set web port 443
	for _ in 1 2; do
		alpnlb frontend set web dedicated_ipfo "$LB4,$LB6"
		alpnlb refresh run
		reaches 192.0.2.101=refused 2001:db8:1::101=refused "$LB4=one" "$LB6=one"
		alpnlb frontend set web dedicated_ipfo null
		alpnlb refresh run
		reaches 192.0.2.101=one 2001:db8:1::101=one "$LB4=one" "$LB6=one"
	done
	sed "/name: web/a\    dedicated_ipfo: [ 192.0.2.101, $LB4, \"$LB6\" ]" "$CONFIG" >"$NETNS_DIR/dedicated.yaml"
	alpnlb apply "$NETNS_DIR/dedicated.yaml"
	reaches 192.0.2.101=one 2001:db8:1::101=refused
	assert_equal "$(came_to v4 "$v4")" one
	assert_equal "$(came_to v6 "$v6")" one
	assert_equal "$(end_held held | report_field line)" one
	stop_daemon
}

# foreign ADDRESS: another program listens there, ready to share the port with others.
foreign() {
	netns_spawn balancer "$NETNS_DIR/foreign.log" /usr/bin/python3 -c '
import signal, socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind((sys.argv[1], 443))
listener.listen()
print("listens", flush=True)
signal.pause()' "$1"
	netns_await 10 grep -Eq 'listens|Error' "$NETNS_DIR/foreign.log"
}

@test "a port is not shared with another program, before or after, and a switch that fails is none" {
	local foreign clients
	more_addresses
	small_config | sed "/name: web/a\    dedicated_ipfo: [ $LB4 ]" >"$CONFIG"
	start_tcp one 11 9000 name
	start_daemon
	foreign "$LB4"
	assert_matches "$(cat "$NETNS_DIR/foreign.log")" 'Address already in use'
	foreign 192.0.2.101
	foreign=$NETNS_PID
	keep_connecting clients "$LB4" 443
	clients=$NETNS_PID
	alpnlb frontend set web dedicated_ipfo null
	run -1 alpnlb refresh run
	assert_matches "$output" 'frontend web: cannot listen on 0\.0\.0\.0:443: Address already in use'
	assert_equal "$(alpnlb -j frontend show name web | gojq -c .addresses)" "[\"$LB4\"]"
	alpnlb frontend set web dedicated_ipfo "$LB4,$LB6,192.0.2.101"
	run -1 alpnlb refresh run
	assert_matches "$output" 'cannot listen on 192\.0\.2\.101:443: Address already in use'
	reaches "$LB4=one" "$LB6=refused"
	netns_stop "$foreign"
	alpnlb frontend set web dedicated_ipfo null
	alpnlb refresh dry-run
	reaches 192.0.2.101=refused
	alpnlb refresh run
	reaches "$LB4=one" "$LB6=one" 192.0.2.101=one
	assert_equal "$(came_to clients "$clients")" one
	stop_daemon
}

@test "the capabilities that the unit grants are enough to listen and to switch" {
	local granted
	granted=$(sed -n 's/^CapabilityBoundingSet=//p' "$TREE/user/systemd/alpnlb@.service.in" |
		sed 's/CAP_/+/g; s/ /,/g' | tr '[:upper:]' '[:lower:]')
	daemon_under setpriv --bounding-set="-all,$granted" --
	start_small
	reaches "$LB4=one"
	alpnlb frontend set web dedicated_ipfo "$LB4"
	alpnlb refresh run
	reaches "$LB4=one" "$LB6=refused"
	alpnlb frontend set web port 443-445
	alpnlb refresh run
	reaches "$LB4=one" "$LB6=refused"
	run ! daemon_says 'cannot be steered'
	stop_daemon
}

@test "frontends swap ports and addresses, and one takes over another's, and no client fails" {
	local clients
	more_addresses
	{
		small_config
		printf '  - { name: other, port: "444", default_farm: two, dedicated_ipfo: [ 192.0.2.1 ] }\n'
	} >"$CONFIG"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_daemon
	keep_connecting clients "$LB4" 443
	clients=$NETNS_PID
	# ports: 443 at one address, and at all of them
	alpnlb frontend set web port 444 disabled true
	alpnlb frontend set other port 443
	alpnlb frontend set web disabled false
	alpnlb refresh run
	reaches "$LB4=two" 192.0.2.101=refused
	assert_equal "$(reached 192.0.2.101 444 --alpn h2)" one
	# addresses
	alpnlb frontend set web port 443 dedicated_ipfo 192.0.2.101
	alpnlb refresh run
	reaches "$LB4=two" 192.0.2.101=one
	alpnlb frontend set web dedicated_ipfo "$LB4" disabled true
	alpnlb frontend set other dedicated_ipfo 192.0.2.101
	alpnlb frontend set web disabled false
	alpnlb refresh run
	reaches "$LB4=one" 192.0.2.101=two
	# what has the port at one address goes, and another one has it at all of them
	alpnlb frontend delete web
	alpnlb frontend set other dedicated_ipfo null
	alpnlb refresh run
	reaches "$LB4=two" 192.0.2.101=two
	alpnlb frontend delete other
	alpnlb frontend add last port 443 default_farm one dedicated_ipfo "$LB4"
	alpnlb refresh run
	reaches "$LB4=one" 192.0.2.101=refused
	# and once more, twice in a row: the second time waits for what the first time has left
	alpnlb batch file - <<-END
		frontend delete last
		frontend add all port 443 default_farm two
		refresh run
		frontend delete all
		frontend add last port 443 default_farm one dedicated_ipfo $LB4
		refresh run
	END
	reaches "$LB4=one" 192.0.2.101=refused
	assert_equal "$(came_to clients "$clients")" one,two
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
	assert_equal "$(alpnlb -j frontend show | gojq -r '[.[] | "\(.name) \(.listens)"] | join(", ")')" \
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
	assert_equal "$(alpnlb -j frontend show name "$3" | gojq '.refused')" 1
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
	assert_equal "$(gojq -r 'select(.line == "banner") | .end' "$NETNS_DIR/many.log" | sort | uniq -c | xargs)" \
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
		netns_spawn client "$NETNS_DIR/active$port.log" "$PEERS/tcp" client \
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
		netns_spawn client "$NETNS_DIR/silent$port.log" "$PEERS/tcp" client \
			"$LB4" "$port" --expect 7
		netns_spawn client "$NETNS_DIR/drips$port.log" "$PEERS/tcp" client \
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
