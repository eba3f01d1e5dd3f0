#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# How many connections a server gets, how fast a frontend takes them, and to which server a client
# sticks.

load lib
load api

# three_frontends FARM [ATTRIBUTE...]: packet on 443, sockmap on 444, relay on 445, else alike.
three_frontends() {
	local farm=$1 path port=443
	shift
	printf 'frontends:\n'
	for path in packet sockmap relay; do
		frontend "$path" "$farm" "$@" | sed -e 1d -e "s/name: web/name: $path/" -e "s/\"443\"/\"$port\"/"
		port=$((port + 1))
	done
}

# farm_with ATTRIBUTE... SERVERS: the farm `default` with servers as farms() takes them.
farm_with() {
	farms default="${*: -1}" | sed "/- name: default/a\\$(printf '\\    %s\\n' "${@:1:$#-1}")"
}

# each_server ATTRIBUTES: edits all of them in the configuration read from standard input.
each_server() {
	sed "/ name: s/s/ }/, $1 }/"
}

# states: of the live connections, by the client's address: "2 open,3 queued".
states() {
	ask conn show | gojq -r '.[] | "\(.client | sub("192.0.2.(?<host>[0-9]+):.*"; "\(.host)")) \(.state)"' |
		sort | paste -sd,
}

states_are() {
	[[ $(states) =~ ^$1$ ]]
}

await_states() {
	netns_await 10 states_are "$1" || fail "connections are '$(states)', not '$1'"
}

counters() {
	stats "[.counters | $(printf '.%s,' "$@" | sed 's/,$//')] | join(\" \")"
}

# ---- max_connections of a server ----------------------------------------------------------

# Many at a time on each path, which end in each way that they end: none is over the limit, as the
# servers see it, and the waiting ones are woken by all of them.
@test "a server has never more than max_connections, and those that wait are all served" {
	local path pids=() port=443
	{
		farm_with "queue_timeout: 30s" 11,12 | each_server "max_connections: 3"
		three_frontends default
	} >"$CONFIG"
	start_tcp one 11 9000 most
	start_tcp two 12 9000 most
	start_daemon
	for path in packet sockmap relay; do
		netns_spawn client "$NETNS_DIR/$path.log" "$PEERS/tcp" client "$LB4" "$port" \
			--bytes 3000 --half-close --repeat 60 --parallel 8
		pids+=("$NETNS_PID")
		port=$((port + 1))
	done
	for path in "${pids[@]}"; do
		netns_await 60 netns_dead "$path" || fail "clients do not end: $(states)"
	done
	assert_equal "$(cat "$NETNS_DIR"/{packet,sockmap,relay}.log | gojq -r '"\(.end) \(.received)"' | sort | uniq -c |
		awk '{ $1 = $1; print }')" "180 eof 2" "how they ended"
	assert_equal "$(cat "$NETNS_DIR"/{packet,sockmap,relay}.log | gojq -s '[.[].line | tonumber] | max')" 3
	assert_equal "$(counters queue_timeouts queue_full no_server connect_failed)" "0 0 0 0"
	(($(counters queued) > 50)) || fail "only $(counters queued) waited"
	assert_equal "$(stats '[.servers[].connected] | add')" 180
	await_stat '[(.frontends[], .routes[], .servers[]).live] | add' 0
	stop_daemon
}

@test "who waits is served in order, up to queue_size of them and for queue_timeout" {
	local n
	{
		farm_with "queue_size: 3" 11 | each_server "max_connections: 1"
		three_frontends default
	} >"$CONFIG"
	start_tcp one 11 9000 echo
	start_daemon
	for n in 2 3 4 5; do # one has the server, the others came one after the other
		hold "client$n" "$LB4" $((443 + n % 3)) --source "192.0.2.$n" --bytes 100
		await_states ".*$n (open|queued).*"
	done
	assert_equal "$(states)" "2 open,3 queued,4 queued,5 queued"
	assert_equal "$(alpnlb -j farm show default | gojq .queued)" 3
	assert_equal "$(report_field end <<<"$(tcp_client "$LB4" 443 --source 192.0.2.6)")" reset "the queue is full"
	assert_equal "$(counters queued queue_full queue_timeouts)" "3 1 0"

	assert_echoed "$(end_held client2)"
	await_states "3 open,4 queued,5 queued"
	assert_echoed "$(end_held client3)"
	await_states "4 open,5 queued"

	hold client7 "$LB4" 445 --source 192.0.2.7 --bytes 100
	await_states "4 open,5 queued,7 queued"
	touch "$NETNS_DIR/client5.go" # its end waits, too
	sed -i 's/max_connections: 1/max_connections: 2/' "$CONFIG"
	alpnlb apply "$CONFIG" # there is one place more
	assert_echoed "$(held_report client5)"
	await_states "4 open,7 open"

	sed -i '/queue_size/a\    queue_timeout: 300ms' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(report_field end <<<"$(tcp_client "$LB4" 444 --source 192.0.2.8)")" reset "waited for 300 ms"
	assert_equal "$(counters queued queue_full queue_timeouts)" "5 1 1"
	sed -i 's/queue_size: 3/queue_size: 0/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(report_field end <<<"$(tcp_client "$LB4" 444 --source 192.0.2.8)")" reset "nobody may wait"
	assert_equal "$(counters queued queue_full queue_timeouts)" "5 2 1"
	assert_echoed "$(end_held client4)"
	assert_echoed "$(end_held client7)"
	stop_daemon
}

# ---- slow start ---------------------------------------------------------------------------

# got NAME: how many of the servers' connections it has had.
got() {
	stats ".servers[] | select(.name == \"$1\") | .connected"
}

state_is() {
	[[ $(ask server show "$1" | gojq -r .state) == "$2" ]]
}

# Decided by the program and by the daemon; what there was when it started is not new.
@test "a server that is added or set active gets its share by and by" {
	local n one
	{
		farm_with "probe: { type: tcp, interval: 200ms }" 11,12
		frontend auto default
		printf '  - { name: other, port: "444", path: relay, default_farm: default }\n'
		printf 'routes:\n'
		route h2 default "alpn is h2"
	} | each_server "slow_start: 1h" >"$CONFIG"
	start_tcp one 11 9000 name
	one=$NETNS_PID
	start_tcp two 12 9000 name
	start_tcp three 13 9000 name
	start_daemon
	tcp_client "$LB4" 443 --alpn h2 --repeat 10 >/dev/null
	assert_equal "$(got s11) $(got s12)" "5 5"

	alpnlb server add default/s13 address "$(server4 13)" slow_start 1h
	alpnlb server set s12 status inactive
	alpnlb refresh run
	alpnlb server set s12 status active
	alpnlb refresh run
	tcp_client "$LB4" 443 --alpn h2 --repeat 30 >/dev/null
	tcp_client "$LB4" 444 --text x --repeat 30 >/dev/null
	(($(got s11) >= 60)) || fail "of 60 more the old one got only $(($(got s11) - 5))"

	alpnlb server set s13 slow_start null
	alpnlb refresh run
	n=$(got s13)
	tcp_client "$LB4" 443 --alpn h2 --repeat 30 >/dev/null
	(($(got s13) - n >= 10)) || fail "of 30 more the new one got only $(($(got s13) - n))"

	alpnlb server set s11 probe true
	alpnlb refresh run
	(($(grep -c RLIMIT_NOFILE "$NETNS_DIR/daemon.log") <= 1)) || fail "a probe is no news for the limit of descriptors"
	netns_await 5 state_is s11 up
	netns_stop "$one"
	netns_await 5 state_is s11 down
	start_tcp one 11 9000 name
	netns_await 5 state_is s11 up
	n=$(got s11)
	tcp_client "$LB4" 443 --alpn h2 --repeat 30 >/dev/null
	(($(got s11) - n <= 4)) || fail "of 30 more the one that came up got $(($(got s11) - n))"
	stop_daemon
}

# ---- rates --------------------------------------------------------------------------------

# burst PORT N [OPTION...]: "3 one,7 reset": what comes of N connections, one after the other.
burst() {
	local port=$1 n=$2
	shift 2
	tcp_client "$LB4" "$port" --text x --repeat "$n" "$@" | gojq -r 'if .received > 0 then .line else .end end' |
		sort | uniq -c | awk '{ print $1, $2 }' | paste -sd,
}

reaches_one() {
	[[ $(reached "$LB4" "$1" --text x) == one ]]
}

# knock: two blocks of sources and another one where one a second may come of each, two sources where
# one may of all. All SYNs are sent at once. Prints what comes of how many within half a second, before
# they are repeated.
knock() {
	netns_exec client /usr/bin/python3 -c '
import select, socket, sys, time
sockets = []
for knock in sys.argv[3:]:
    source, port = knock.split("/")
    client = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
    client.bind((source, 0))
    client.setblocking(False)
    client.connect_ex((sys.argv[2 if ":" in source else 1], int(port)))
    sockets.append((client, port))
deadline = time.monotonic() + 0.5
for client, port in sockets:
    if not select.select([], [client], [], max(0, deadline - time.monotonic()))[1]:
        print(port, "silent")
        continue
    client.settimeout(10)
    try:
        client.send(b"x")
        print(port, "served" if client.recv(10) else "closed")
    except ConnectionError:
        print(port, "closed")
' "$LB4" "$LB6" 192.0.2.{2,3}/445 2001:db8:1::{4,5}/445 192.0.2.4/445 192.0.2.5/446 2001:db8:1::6/446 |
		sort | uniq -c | awk '{ print $1, $2, $3 }' | paste -sd,
	KNOCKED=${EPOCHREALTIME/./}
}

# A second behind a knock they may all come again.
may_knock() {
	((${EPOCHREALTIME/./} - KNOCKED > 1000000))
}

@test "a frontend takes so many new connections a second, of all and of each source, with and without XDP" {
	local refused log=$NETNS_DIR/monitor.log
	{
		printf 'xdp: off\n' # the door drops SYNs, which are sent again after a second
		farms default=11
		frontend sockmap default "rate_limit: 4"
		printf '  - { name: other, port: "444", default_farm: default, source_rate_limit: 4 }\n'
		printf '  - { name: blocks, port: "445", default_farm: default, source_rate_limit: 1, source_rate_prefix_v4: 31, source_rate_prefix_v6: 127 }\n'
		printf '  - { name: all, port: "446", default_farm: default, rate_limit: 1 }\n'
	} >"$CONFIG"
	start_tcp one 11 9000 name
	start_daemon
	# What is in the bucket, and maybe one that comes in meanwhile.
	assert_matches "$(burst 443 20)" '^(4 one,16|5 one,15) reset$'
	assert_equal "$(stats '.counters.refused_rate, .frontends[0].refused')" "$(
		n=$(grep -c '^{' "$NETNS_DIR/one.log")
		printf '%s\n' $((20 - n)) $((20 - n))
	)"
	netns_await 5 reaches_one 443 || fail "no token comes in"
	assert_matches "$(burst 444 20 --source 192.0.2.2)" '^(4 one,16|5 one,15) reset$'
	assert_equal "$(burst 444 4 --source 192.0.2.3)" "4 one" "another address"
	netns_await 5 reaches_one 444 || fail "no token comes in"
	sed -i 's/rate_limit: 4/rate_limit: 1000/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(burst 443 20) $(burst 444 20)" "20 one 20 one" "after a refresh"

	refused=$(stats .counters.refused_rate)
	knock >"$NETNS_DIR/knock"
	assert_equal "$(cat "$NETNS_DIR/knock")" "2 445 closed,3 445 served,1 446 closed,1 446 served" "after accept"
	assert_equal "$(stats .counters.refused_rate)" $((refused + 3))
	sed -i 's/xdp: off/xdp: auto/' "$CONFIG"
	alpnlb apply "$CONFIG"
	netns_spawn client "$log" "$ALPNLB" --instance "$NETNS_NAME" -j monitor
	netns_await 10 grep -q '"monitor"' "$log"
	netns_await 5 may_knock
	assert_equal "$(knock)" "3 445 served,2 445 silent,1 446 served,1 446 silent" "at the door"
	assert_equal "$(stats .counters.refused_rate)" $((refused + 3))
	assert_equal "$(ask xdp show | gojq -r '[.drops.source_rate_limit, .drops.rate_limit, .interfaces[].packets_dropped] | join(" ")')" "2 1 3 0"
	netns_await 10 grep -q '"dropped"' "$log"
	assert_equal "$(grep '"dropped"' "$log" | head -1 | gojq -r '"\(.reason) \(.frontend) \(.client | sub(":[0-9]+$"; ""))"')" \
		"source_rate_limit blocks 192.0.2.3"
	stop_daemon
}

# ---- drain --------------------------------------------------------------------------------

# drain_request STATUS [SERVER-ID]: what the API answers.
drain_request() {
	request PUT "alpnlb/farm/1/server/${2:-1}/status" "{\"status\": \"$1\"}" | paste -sd' '
}

# Over two paths, of which one has no socket left that would end.
@test "server drain waits until no connection is left, and undrain undoes it" {
	{ farms default=11,12 && three_frontends default; } >"$CONFIG"
	start_tcp one 11 9000 banner
	start_tcp two 12 9000 banner
	start_daemon
	hold client2 "$LB4" 443 --source 192.0.2.2
	await_states "2 open"
	hold client3 "$LB4" 444 --source 192.0.2.3
	await_states "2 open,3 open"
	hold client4 "$LB4" 445 --source 192.0.2.4 # with client2 on the same server
	await_states "2 open,3 open,4 open"

	alpnlb server set s12 weight 7
	run -1 alpnlb server drain s11
	assert_equal "$output" "alpnlb: server default/s11: there are staged changes, which the refresh would make run, too; see them with: alpnlb refresh diff"
	assert_matches "$(drain_request drain)" '^409.*there are staged changes'
	alpnlb server set s12 weight null
	assert_matches "$(drain_request inactive)" '^400.*allowed: active, drain'
	assert_matches "$(drain_request drain 99)" '^404.*there is no server with the id 99'
	assert_equal "$(alpnlb -j server show s11 | gojq -r .status) $(alpnlb -j revision show | gojq length)" "active 1"
	run -2 alpnlb server drain s11 wait soon
	run -3 alpnlb server drain s99

	run -0 alpnlb server drain s11
	assert_equal "$output" "server default/s11: drain, 2 live connections"
	assert_equal "$(alpnlb -j server show s11 | gojq -r .status) $(alpnlb -j pending show)" "drain []"
	assert_equal "$(alpnlb -j revision show | gojq -r ".[-1].comment")" "drain default/s11"
	run -1 alpnlb -j server drain s11 wait 100ms
	assert_equal "$(gojq -r '"\(.name) \(.live) \(.error)"' <<<"$output")" \
		"s11 2 server default/s11: 2 live connections after 100ms; it goes on to drain, until: alpnlb server undrain default/s11"
	assert_equal "$(tcp_client "$LB4" 443 --half-close --repeat 3 | gojq -r .line | sort -u)" two

	netns_spawn balancer "$NETNS_DIR/drain.log" "$ALPNLB" --instance "$NETNS_NAME" server drain s11 wait 20
	netns_await 10 grep -q '2 live' "$NETNS_DIR/drain.log"
	assert_equal "$(report_field end <<<"$(end_held client2)")" eof
	netns_alive "$NETNS_PID" || fail "it waits for one only: $(cat "$NETNS_DIR/drain.log")"
	assert_equal "$(report_field end <<<"$(end_held client4)")" eof
	netns_await 10 netns_dead "$NETNS_PID" || fail "it waits on: $(cat "$NETNS_DIR/drain.log")"
	assert_equal "$(tail -1 "$NETNS_DIR/drain.log")" "server default/s11: drain, 0 live connections"
	assert_equal "$(alpnlb -j server drain s11 wait 1m | gojq -c '[.name, .status, .live]')" '["s11","drain",0]'

	assert_equal "$(alpnlb server undrain s11)" "server default/s11: active, 0 live connections"
	assert_equal "$(tcp_client "$LB4" 443 --half-close --repeat 4 | gojq -r .line | sort -u | paste -sd,)" one,two
	end_held client3 >/dev/null
	stop_daemon
}

# ---- stickiness ---------------------------------------------------------------------------

# sticks HOST: "one two": the servers that three connections from the client's address reach: decided
# by the program, by the daemon, and again.
sticks() {
	local port
	for port in 443 444 443; do
		reached "$LB4" "$port" --source "192.0.2.$1" --alpn h2
	done | sort -u | paste -sd' '
}

# change EXPRESSION...: edits the configuration with sed and applies it.
change() {
	sed -i "$@" "$CONFIG"
	alpnlb apply "$CONFIG"
}

# start_sticky KIND [ATTRIBUTE...]: 443 is decided by the program, 444 by the daemon.
start_sticky() {
	local kind=$1
	shift
	{
		farm_with "stickiness: sourceIp" "$@" 11,12
		frontend auto default
		printf '  - { name: other, port: "444", path: relay, default_farm: default }\n'
		printf 'routes:\n'
		route h2 default "alpn is h2"
	} >"$CONFIG"
	start_tcp one 11 9000 "$kind"
	start_tcp two 12 9000 "$kind"
	TWO=$NETNS_PID
	start_daemon
}

stuck() {
	alpnlb -j stick show "$@" | gojq -r '.[] | "\(.client) \(.server)"' | sort | paste -sd,
}

stuck_are() {
	[[ $(stuck) == "$1" ]]
}

@test "a client sticks to its server, over refreshes and restarts, until that is not to be had" {
	start_sticky name
	assert_equal "$(sticks 2)" one
	assert_equal "$(sticks 3)" two
	assert_equal "$(sticks 2) $(sticks 3)" "one two" "whatever the turn"
	assert_equal "$(stuck)" "192.0.2.2 s11,192.0.2.3 s12"
	assert_equal "$(stuck client 192.0.2.3) $(stuck server s11 farm default)" "192.0.2.3 s12 192.0.2.2 s11"
	assert_matches "$(alpnlb -j stick show client 192.0.2.2 | gojq -c .)" \
		'^\[\{"client":"192.0.2.2","expires_ms":1[78][0-9]{5},"farm":"default","idle_ms":[0-9]+,"server":"s11"\}\]$'

	change 's/stickiness/balance: first\n    &/'
	assert_equal "$(sticks 3)" two "after a refresh"
	change '/stickiness/s/$/\n    stick_size: 2000/'
	assert_equal "$(sticks 3)" two "in a larger table"
	kill_daemon
	assert_equal "$(stuck)" "192.0.2.2 s11,192.0.2.3 s12" "without a daemon"
	start_daemon
	assert_equal "$(sticks 2) $(sticks 3)" "one two" "with the next daemon"

	change '/s12,/s/ }/, status: inactive }/'
	assert_equal "$(sticks 3)" one "its server is inactive"
	change 's/status: inactive/status: active/'
	assert_equal "$(sticks 3)" one "it sticks to the new one"
	change '/s11,/s/ }/, weight: 0 }/'
	assert_equal "$(sticks 3)" two "its server has no weight"
	change -e 's/, weight: 0//' -e 's/status: active/status: drain/'
	assert_equal "$(sticks 3)" one "its server drains"
	change 's/, status: drain//'
	netns_stop "$TWO"
	assert_equal "$(alpnlb -j stick delete client 192.0.2.2/31 | gojq .deleted)" 2
	change 's/balance: first/balance: roundrobin/'
	assert_equal "$(sticks 2) $(sticks 3)" "one one" "nobody is at the other one"
	start_tcp two 12 9000 name
	assert_equal "$(sticks 2) $(sticks 3)" "one one" "somebody is, again"
	stop_daemon
}

# The size of the only table.
table_size() {
	local id
	id=$(bpftool -j map dump pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/sticks" |
		gojq -r '.[0].value | reverse | map(.[2:]) | "0x" + add')
	bpftool -j map show id $((id)) | gojq -r '"\(.type) \(.max_entries)"'
}

@test "clients are let go by command, by time and for want of room" {
	local n state=/var/lib/alpnlb/$NETNS_NAME/state.json
	start_sticky name "stick_on_drain: true" "stick_size: 1000"
	assert_equal "$(table_size)" "lru_hash 1000"
	assert_equal "$(sticks 2) $(sticks 3)" "one two"
	change '/s12,/s/ }/, status: drain }/'
	assert_equal "$(sticks 3) $(sticks 4)" "two one" "they stick while it drains, new ones do not"
	change 's/, status: drain//'

	run -2 alpnlb stick delete
	run -2 alpnlb stick delete all farm default
	run -3 alpnlb stick delete server nobody
	assert_equal "$(alpnlb stick delete server s11)" "$(printf 'DELETED  2')"
	assert_equal "$(stuck)" "192.0.2.3 s12"
	reached "$LB6" 444 --source "2001:db8:1::5" --alpn x >/dev/null
	assert_matches "$(stuck client 2001:db8:1::/64)" "^2001:db8:1::5 s1[12]$"

	change '/stickiness/s/$/\n    stick_ttl: 1s/'
	assert_equal "$(alpnlb -j stick delete all | gojq .deleted)" 2
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.2 --alpn h2)" \
		"$(reached "$LB4" 443 --source 192.0.2.2 --alpn h2)" "it sticks"
	assert_matches "$(stuck)" "^192.0.2.2 s1[12]$"
	netns_await 5 stuck_are "" || fail "$(stuck) after a second"
	assert_matches "$(reached "$LB4" 443 --source 192.0.2.2 --alpn h2) $(reached "$LB4" 443 --source 192.0.2.3 --alpn h2)" \
		"^(one two|two one)$"

	# a refresh that fails takes no table away
	change 's/stick_ttl: 1s/stick_ttl: 1h/'
	assert_matches "$(sticks 2) $(sticks 3)" "^(one two|two one)$"
	n=$(stuck)
	mv "$state" "$NETNS_DIR/state.json"
	echo {} >"$state" # as by somebody else
	sed '/stick/d' "$CONFIG" >"$NETNS_DIR/unstuck.yaml"
	run -1 alpnlb apply "$NETNS_DIR/unstuck.yaml"
	sed '/stick_size/s/1000/2000/' "$CONFIG" >"$NETNS_DIR/larger.yaml"
	run -1 alpnlb apply "$NETNS_DIR/larger.yaml"
	mv "$NETNS_DIR/state.json" "$state"
	assert_equal "$(stuck)" "$n"
	assert_equal "$(table_size)" "lru_hash 1000"

	change '/stick/d'
	assert_equal "$(stuck)" "" "the farm is not sticky any more"
	assert_equal "$(sticks 2)" "one two"
	stop_daemon
}

@test "who sticks to a full server waits for that one, and keeps nobody else from another" {
	start_sticky banner "queue_size: 1"
	sed -i 's/, address/, max_connections: 1, address/' "$CONFIG"
	alpnlb apply "$CONFIG"
	hold first "$LB4" 443 --source 192.0.2.2 --alpn h2
	await_states "2 open"
	hold second "$LB4" 443 --source 192.0.2.2 --alpn h2
	await_states "2 open,2 queued"
	assert_equal "$(tcp_client "$LB4" 444 --source 192.0.2.3 --half-close | report_field line)" two
	assert_equal "$(tcp_client "$LB4" 443 --source 192.0.2.2 --alpn h2 | report_field end)" reset "the queue is full"
	await_states "2 open,2 queued"
	assert_equal "$(report_field line <<<"$(end_held first)") $(report_field line <<<"$(end_held second)")" "one one"
	stop_daemon
}

# ---- counts -------------------------------------------------------------------------------

# all_kinds PORT: connections that come to each end there is.
all_kinds() {
	local port=$1
	hold "full$port" "$LB4" "$port" --source 192.0.2.9 --alpn full
	await_states ".*9 open.*"
	{
		tcp_client "$LB4" "$port" --alpn x --bytes 5000 --half-close
		tcp_client "$LB4" "$port" --alpn x --bytes 5000 --reset
		tcp_client "$LB4" "$port" --half-close                # says nothing
		tcp_client "$LB4" "$port" --text $'\x16\x03' --reset  # begins, and goes
		tcp_client "$LB4" "$port" --alpn dead                 # no server answers
		tcp_client "$LB4" "$port" --alpn no                   # rejected
		tcp_client "$LB4" "$port" --alpn full                 # waits in vain
		tcp_client "$LB4" "$port" --alpn full --reset         # goes while it waits
		tcp_client "$LB4" "$port" --alpn limited --half-close # over the rate, for some
		end_held "full$port"
	} >/dev/null
}

@test "whatever becomes of connections, none is left in a count" {
	local path port
	{
		farms default=11 dead=12 full=13 |
			sed -e '/name: full/a\    queue_timeout: 200ms' -e '/s13,/s/ }/, max_connections: 1 }/'
		three_frontends default "hello_timeout: 200ms" "source_rate_limit: 100"
		printf 'routes:\n'
		for path in packet sockmap relay; do
			{
				route "dead-$path" dead "alpn is dead"
				route "full-$path" full "alpn is full"
				route "no-$path" reject "alpn is no"
			} | sed "s/frontend: web/frontend: $path/"
		done
	} >"$CONFIG"
	start_tcp one 11 9000 banner
	start_tcp full 13 9000 banner
	start_daemon
	for port in 443 444 445; do all_kinds "$port"; done
	await_stat '[(.frontends[], .routes[], .servers[], .farms[]) | .live, .queued // 0] | add' 0
	assert_equal "$(counters queue_timeouts rejected connect_failed)" "3 3 3"
	stop_daemon
}
