#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Events: who asks is told what happens, and what it was that a connection ended for.

# shellcheck disable=SC2154 # `run` sets output

load lib
load packet

# start_monitor NAME OPTION-OR-WORD...: what it prints goes to $NETNS_DIR/NAME.log.
start_monitor() {
	local log=$NETNS_DIR/$1.log
	shift
	netns_spawn balancer "$log" "$ALPNLB" --instance "$NETNS_NAME" "$@"
	netns_await 10 grep -q 'monitor' "$log" || fail "no first line: $(cat "$log")"
}

# told NAME EXPRESSION: of the events for which the jq expression holds, how many there are.
told() {
	gojq -s "map(select($2)) | length" "$NETNS_DIR/$1.log"
}

was_told() {
	(($(told "$1" "$2") >= 1))
}

told_times() {
	(($(told "$1" "$3") == $2))
}

# await_told NAME EXPRESSION
await_told() {
	netns_await 10 was_told "$1" "$2" || fail "$1 was not told of $2"
}

# port NUMBER NAME DEFAULT-FARM ATTRIBUTE...: a frontend.
port() {
	printf '  - { name: %s, port: %s, default_farm: %s, %s }\n' "$2" "$1" "$3" "${4:-disabled: false}"
}

# What each of them is closed for.
frontends_of_trouble() {
	port 444 private one 'denied_source: [ 192.0.2.4 ]'
	port 445 farmless null 'hello_timeout: 100ms'
	port 446 dead dead
	port 447 empty empty
	port 448 few one 'max_connections: 1'
	port 449 idle one 'idle_timeout: 1s, path: sockmap'
	port 450 silent silent 'connect_timeout: 100ms'
	port 451 probed probed 'path: packet'
}

trouble() {
	printf 'xdp: off\n' # or the door drops what is to be refused
	farms one=11 dead=12 silent=99
	printf '  - { name: empty }\n'
	printf '  - { name: probed, port: 9000, probe: { type: tcp, port: 9001, interval: 100ms }, servers: [ { name: s13, address: %s, probe: true, max_connections: 1, on_marked_down: shutdown-sessions } ] }\n' "$(server4 13)"
	frontend auto one
	frontends_of_trouble
	printf 'routes:\n'
	route bad reject 'sni is bad.alpnlb.test'
	route h2 one 'alpn is h2'
	printf '  - { name: of-445, frontend: farmless, action: { type: farm, target: one }, rules: [ { field: alpn, match: is, pattern: h2 } ] }\n'
}

# closed_for REASON COUNTER-EXPRESSION: one event of that reason, and one in the counter.
closed_for() {
	await_told all ".reason == \"$1\""
	assert_equal "$(told all ".reason == \"$1\"")" 1 "$1"
	assert_equal "$(stats ".counters.$1")" 1 "counter $1"
	assert_equal "$(told usual ".reason == \"$1\"")" 1 "$1, without connections"
}

@test "each connection that is refused or closed is told with the reason, all ends to those who ask" {
	local first probe
	trouble >"$CONFIG"
	start_tcp one 11 9000 echo
	start_daemon
	start_monitor all -j monitor connections
	start_monitor usual -j monitor
	start_monitor text monitor connections

	# an ordinary connection, on the packet path: the end of its flow is told
	hold client "$LB4" 443 --sni www.alpnlb.test --alpn h2 http/1.1 --bytes 1000
	await_stat .counters.spliced 1 # none is whose end has come by then
	end_held client >/dev/null
	await_told all '.event == "ended" and .path == "packet"'
	first=$(gojq -c 'select(.event == "ended")' "$NETNS_DIR/all.log")
	assert_equal "$(gojq -r '[.frontend, .route, .farm, .server, .verdict, .sni, (.alpn | join(",")), .local,
		.server_address, .reason, .ech] | join(" ")' <<<"$first")" \
		"web h2 one s11 tls www.alpnlb.test h2,http/1.1 $LB4:443 198.51.100.11:9000  false"
	assert_matches "$(gojq -r .client <<<"$first")" '^192\.0\.2\.2:[0-9]+$'
	assert_matches "$(gojq -r .time <<<"$first")" '^20[0-9-]+T[0-9:]+\.[0-9]{3}Z$'
	assert_equal "$(gojq .bytes_from_client <<<"$first")" "$(gojq .bytes_from_server <<<"$first")"
	(($(gojq .bytes_from_client <<<"$first") > 1000))
	netns_await 5 grep -Eq "^20[^ ]+Z ended client=192.0.2.2:[0-9]+ local=$LB4:443 frontend=web route=h2 farm=one server=s11 .* sni=www.alpnlb.test alpn=h2,http/1.1 path=packet bytes_from_client=[0-9]+ bytes_from_server=[0-9]+ duration_ms=[0-9]+ id=[0-9a-f]{24}$" "$NETNS_DIR/text.log" ||
		fail "$(cat "$NETNS_DIR/text.log")"

	# those with a reason
	tcp_client "$LB4" 443 --sni bad.alpnlb.test --alpn h2 >/dev/null
	closed_for rejected
	assert_equal "$(told all '.reason == "rejected" and .route == "bad" and .sni == "bad.alpnlb.test" and .event == "closed"')" 1
	tcp_client "$LB4" 444 --source 192.0.2.4 --alpn h2 >/dev/null
	closed_for refused_source
	assert_equal "$(told all '.event == "refused" and .frontend == "private" and .client[:10] == "192.0.2.4:"')" 1
	tcp_client "$LB4" 445 --alpn other >/dev/null
	closed_for no_farm
	tcp_client "$LB6" 445 >/dev/null
	closed_for hello_timeouts
	tcp_client "$LB4" 446 --alpn h2 >/dev/null
	closed_for connect_failed
	assert_equal "$(told all '.reason == "connect_failed" and .server == "s12" and .farm == "dead" and .error == "Connection refused"')" 1
	black_hole 99
	tcp_client "$LB4" 450 --alpn h2 >/dev/null
	closed_for connect_timeouts
	tcp_client "$LB4" 447 --alpn h2 >/dev/null
	closed_for no_server
	hold few "$LB4" 448 --alpn h2
	await_connections 1
	tcp_client "$LB4" 448 --alpn h2 >/dev/null
	closed_for refused_limit
	assert_equal "$(told usual '.event == "limit" and .limit == "max_connections" and .frontend == "few"')" 1
	end_held few >/dev/null
	hold idle "$LB4" 449 --alpn h2
	closed_for idle_timeouts

	# a server that comes up, and goes down
	start_tcp held 13 9000 echo
	start_tcp s13 13 9001 name
	probe=$NETNS_PID
	await_told usual '.event == "server_up" and .farm == "probed" and .server == "s13"'
	hold cut "$LB4" 451 --bytes 1000
	hold deleted "$LB4" 443 --alpn h2 --source 192.0.2.9
	await_flows 2
	await_told usual '.event == "limit" and .limit == "max_connections" and .farm == "probed" and .server == "s13"'
	assert_equal "$(told usual '.event == "limit" and .server == "s13"')" 1
	netns_stop "$probe"
	await_told usual '.event == "server_down" and .server == "s13" and .reason == "L4CON: Connection refused"'

	# its connection on the packet path is cut, and another one on purpose
	closed_for marked_down
	assert_equal "$(told all '.reason == "marked_down" and .path == "packet" and .server == "s13" and .bytes_from_client == 1000')" 1
	alpnlb flow delete client 192.0.2.9 >/dev/null
	closed_for deleted
	assert_equal "$(told all '.reason == "deleted" and .event == "closed" and .path == "packet" and .client[:10] == "192.0.2.9:"')" 1

	# a refresh, of whom; the objects of before keep their names
	alpnlb frontend set idle idle_timeout 2s
	alpnlb server set one/s11 status drain
	alpnlb refresh run
	await_told usual '.event == "server_drain" and .farm == "one" and .server == "s11"'
	await_told usual '.event == "refresh" and .revision == 2 and .comment == "refresh" and .by == "uid 0"'
	assert_equal "$(told usual '.event == "ended"')" 0
	stop_daemon
	netns_await 5 grep -q 'the daemon has ended$' "$NETNS_DIR/text.log"
	run -4 alpnlb monitor
	assert_equal "$(alpnlb help list monitor | xargs) $(alpnlb help list metrics)" "events connections show"
}

# Their ends come when both legs are up: sockmap takes none before.
all_have_sent() {
	[[ $(ask conn show | gojq '[.[] | select(.bytes_from_client == 1000 and (.state == "open" or .state == "splicing"))] | length') == 4 ]]
}

@test "a connection that one side has finished and the other holds is closed after half_close_timeout (every path)" {
	local path n
	{
		printf 'nat_ports: 20000-20002\n'
		farms one=11
		printf 'frontends:\n'
		port 443 packet one 'path: packet, half_close_timeout: 1s, idle_timeout: 1h'
		port 444 sockmap one 'path: sockmap, half_close_timeout: 1s'
		port 445 relay one 'path: relay, half_close_timeout: 1s'
		port 446 idle one 'path: relay, half_close_timeout: 1h, idle_timeout: 2s'
	} >"$CONFIG"
	start_tcp one 11 9000 exchange --until "$NETNS_DIR/never"
	start_daemon
	start_monitor usual -j monitor
	for n in 443 444 445 446; do hold "client$n" "$LB4" "$n" --bytes 1000; done
	netns_await 10 all_have_sent || fail "$(alpnlb conn show)"
	for n in 443 444 445 446; do touch "$NETNS_DIR/client$n.go"; done
	for n in 443 444 445 446; do
		assert_equal "$(held_report "client$n" | gojq -c '[.end, .seconds > 0.9]')" '["reset",true]' "$n"
	done
	for path in packet sockmap relay; do
		await_told usual ".event == \"closed\" and .reason == \"half_close_timeouts\" and .path == \"$path\" and .bytes_from_client == 1000"
	done
	await_told usual '.reason == "idle_timeouts" and .frontend == "idle"'
	assert_equal "$(stats '[.counters.half_close_timeouts, .counters.idle_timeouts] | join(" ")')" "3 1"

	# and limits of the packet path, as they are reached
	await_flows 0
	for n in 1 2 3 4 5; do hold "held$n" "$LB4" 443; done
	await_connections 5
	netns_await 10 told_times usual 2 '.event == "fallback" and .reason == "no source port is free" and .frontend == "packet" and .path == "sockmap"' ||
		fail "$(cat "$NETNS_DIR/usual.log")"
	await_told usual '.event == "limit" and .limit == "nat_ports"'
	for n in 1 2 3 4 5; do end_held "held$n" >/dev/null; done
	stop_daemon
}
