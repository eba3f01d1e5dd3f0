#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# How many connections a server gets, how fast a frontend takes them, and to which server a client
# sticks.

load lib

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
	alpnlb -j conn show | jq -r '.[] | "\(.client | sub("192.0.2.(?<host>[0-9]+):.*"; "\(.host)")) \(.state)"' |
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
		netns_spawn client "$NETNS_DIR/$path.log" "$TREE/tests/e2e/peers/tcp.py" client "$LB4" "$port" \
			--bytes 3000 --half-close --repeat 60 --parallel 8
		pids+=("$NETNS_PID")
		port=$((port + 1))
	done
	for path in "${pids[@]}"; do
		netns_await 60 netns_dead "$path" || fail "clients do not end: $(states)"
	done
	assert_equal "$(cat "$NETNS_DIR"/{packet,sockmap,relay}.log | jq -r '"\(.end) \(.received)"' | sort | uniq -c |
		awk '{ $1 = $1; print }')" "180 eof 2" "how they ended"
	assert_equal "$(cat "$NETNS_DIR"/{packet,sockmap,relay}.log | jq -s '[.[].line | tonumber] | max')" 3
	assert_equal "$(counters queue_timeouts queue_full no_server connect_failed)" "0 0 0 0"
	(($(counters queued) > 50)) || fail "only $(counters queued) waited"
	assert_equal "$(stats '[.servers[].connected] | add')" 180
	await_stat '[(.frontends[], .routes[], .servers[]).live] | add' 0
	stop_daemon
}

@test "who waits is served in order, up to queue_size of them and for queue_timeout" {
	local n pid
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
	assert_equal "$(alpnlb -j farm show default | jq .queued)" 3
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
