#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the packet path has a limited number of, what it survives, and where it works.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib
load packet

# held_clients N [OPTION...]: position-coded connections of some seconds, all open at once.
held_clients() {
	local n=$1
	shift
	netns_spawn client "$NETNS_DIR/client.log" "$PEERS/crossing" client "$LB4" 443 \
		-f "$NETNS_DIR/hello" -n "$n" -p "$n" -q -1 "$@"
	CLIENT_PID=$NETNS_PID
	netns_await 30 grep -q started "$NETNS_DIR/client.log" || fail "the clients are not all there"
}

clients_finish() {
	netns_await 60 netns_dead "$CLIENT_PID" || fail "the clients do not end" || return
	assert_clean "$(cat "$NETNS_DIR/client.log")"
}

start() {
	packet_farm packet 11 "$@"
	crossing_serve
	start_daemon
}

@test "without a source port left connections take another path, and ports come back" {
	local before
	start "nat_ports: 20000-20009"
	held_clients 50 -w 100
	await_stat '.counters | [.spliced, .splice_refused] | join(" ")' "10 40"
	clients_finish
	await_flows 0
	before=$(stats .counters.spliced)
	held_clients 10 -w 20
	await_stat .counters.spliced $((before + 10))
	clients_finish
	assert_clean "$(crossing_report)"
}

@test "several source addresses have a range of ports each" {
	ip -n "$NETNS_NAME-balancer" addr add 198.51.100.2/24 dev server
	start "nat_ip: [198.51.100.1, 198.51.100.2]" "nat_ports: 20000-20009"
	held_clients 50 -w 100
	await_stat '.counters | [.spliced, .splice_refused] | join(" ")' "20 30"
	clients_finish
	assert_clean "$(crossing_report)"
}

# echoed N: so many connections, one after the other, all reach their end; none ends early, which would
# be a reason not to splice it.
echoed() {
	local n handled='.counters | .spliced + .splice_refused' before
	before=$(stats "$handled")
	for ((n = 1; n <= $1; n++)); do
		hold "echoed$n" "$LB4" 443 --alpn h2 --bytes 100
		await_stat "$handled" $((before + n)) || return
		assert_equal "$(end_held "echoed$n" | report_field end)" eof || return
	done
}

@test "an address that is given while flows live has their ports in use" {
	local n
	start_echo 11 "nat_ports: 20000-20009"
	for n in 1 2 3 4 5; do hold "client$n" "$LB4" 443 --alpn h2 --bytes 100; done
	await_stat .counters.spliced 5
	sed -i '1i nat_ip: [198.51.100.1]' "$CONFIG"
	alpnlb apply "$CONFIG"
	echoed 5
	assert_equal "$(stats '.counters | [.spliced, .splice_refused, .retries] | join(" ")')" "10 0 0"
	for n in 1 2 3 4 5; do assert_equal "$(end_held "client$n" | report_field end)" eof; done
}

refusal_is() {
	[[ $(ask conn show | gojq -r '.[0].refusal') == "$1" ]]
}

# refused PATTERN: a connection is refused for that reason, and works.
refused() {
	hold client "$1" 443 --alpn h2 --bytes 100
	netns_await 10 refusal_is "$2" || fail "$(alpnlb -j conn show | gojq '.[0].refusal')"
	assert_equal "$(end_held client | report_field end)" eof
}

@test "source addresses of one family, and a server of the other" {
	start_echo 11v6 "nat_ip: [198.51.100.1]"
	refused "$LB6" "nat_ip has no address of the server's family"
}

@test "with a full flow table connections take another path" {
	start "max_flows: 1024"
	held_clients 1300 -w 300 -m 20000
	await_stat '.counters | [.spliced, .splice_refused] | join(" ")' "1024 276"
	clients_finish
	assert_clean "$(crossing_report)"
}

second() {
	"$ALPNLB" --instance "$NETNS_NAME-2" "$@"
}

second_says() {
	grep -Eq "$1" "$NETNS_DIR/second.log"
}

# end_second: and what it left.
end_second() {
	netns_stop "$SECOND_PID" || fail "the second daemon does not end" || return
	netns_exec balancer "$ALPNLB" --instance "$NETNS_NAME-2" unload
}

second_counts() {
	[[ $(second -j stat show | gojq -c '.counters | [.spliced, .splice_refused]') == "$1" ]]
}

@test "two instances do not use the same source ports" {
	FRONTEND="idle_timeout: 20s" # it looks again within a quarter of this
	start_echo 11
	hold client "$LB4" 443 --alpn h2 --bytes 100
	await_flows 1
	sed 's/port: "443"/port: "444"/' "$CONFIG" >"$NETNS_DIR/second.yaml"
	netns_spawn balancer "$NETNS_DIR/second.log" "$ALPNLB" --instance "$NETNS_NAME-2" daemon -c "$NETNS_DIR/second.yaml"
	SECOND_PID=$NETNS_PID
	netns_await 10 second_says ready || fail "the second daemon did not start"
	second_says "nat_ports 10240-32767: instance '$NETNS_NAME' on this host uses these" || fail "it says nothing"
	hold other "$LB4" 444 --alpn h2 --bytes 100 # one that had ended early would not be spliced anyway
	netns_await 10 second_counts "[0,1]" || fail "it is spliced, or not refused"
	assert_equal "$(end_held other | report_field end)" eof
	netns_exec balancer "$ALPNLB" -j doctor | gojq -e --arg found "instance '$NETNS_NAME' uses source ports" \
		'any(.[]; .found | startswith($found))' >/dev/null || fail "doctor does not tell"
	kill_daemon
	sed -i 's/444/445/' "$NETNS_DIR/second.yaml" # another look: the flow is still there
	second apply "$NETNS_DIR/second.yaml"
	run ! second_says 'no other instance uses these any more'
	assert_equal "$(end_held client | report_field end)" eof
	alpnlb unload
	netns_await 10 second_says 'no other instance uses these any more' || fail "it does not look again"
	hold third "$LB4" 445 --alpn h2 --bytes 100
	netns_await 10 second_counts "[1,1]" || fail "it is not spliced"
	assert_equal "$(end_held third | report_field end)" eof
	end_second
}

@test "another max_flows is not for a table that is there, and the daemon says so" {
	local line="max_flows 5000: the flow table that is there keeps its room for 2000"
	start "max_flows: 2000"
	run ! daemon_says 'max_flows'
	sed -i 's/max_flows: 2000/max_flows: 5000/' "$CONFIG"
	alpnlb apply "$CONFIG"
	daemon_says "$line" || fail "nothing is said of it at the refresh"
	stop_daemon
	start_daemon
	daemon_says "$line" || fail "nothing is said of it at the start"
	stop_daemon
	alpnlb unload
	start_daemon
	run ! daemon_says 'max_flows'
}

# ---- the daemon ends ----------------------------------------------------------------------

# Of the program that is pinned.
links() {
	local program
	program=$(bpftool -j prog show pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/splice" | gojq .id)
	links_with ".prog_id == $program"
}

links_are() {
	[[ $(links) == "$1" ]]
}

# Kills the daemon and starts another one. Sets TOOK: microseconds until that accepts connections.
replace_daemon() {
	local began
	kill_daemon
	began=${EPOCHREALTIME/[.,]/}
	start_daemon
	TOOK=$((${EPOCHREALTIME/[.,]/} - began))
}

@test "spliced connections outlive a killed daemon, and the next one takes them over" {
	local tries=0
	start
	held_clients 1000 -w 400 -m 100000
	all_are_spliced 1000 20
	replace_daemon
	while ((TOOK >= 1000000)); do # other tests may have had the processors
		((++tries < 5)) || fail "each of $tries daemons took more than a second to start"
		replace_daemon
	done
	grep -E 'goes on with [1-9][0-9]* spliced connections' "$NETNS_DIR/daemon.log" || fail "nothing was taken over"
	assert_equal "$(links)" 3 "links of lo, client and server"
	clients_finish
	assert_clean "$(crossing_report)"
}

@test "connections that ended without a daemon are forgotten when the next one has come" {
	start_echo 11
	hold client "$LB4" 443 --alpn h2 --bytes 100
	all_are_spliced 1
	kill_daemon
	assert_equal "$(end_held client | report_field end)" eof
	start_daemon
	netns_await 5 flows_forgotten || fail "left behind: $(what_is_left)"
}

@test "a daemon that is told to stop leaves at once when all its connections are spliced" {
	local began
	start
	held_clients 100 -w 150 -m 100000
	all_are_spliced 100 20
	began=${EPOCHREALTIME/[.,]/}
	stop_daemon
	((${EPOCHREALTIME/[.,]/} - began < 1500000)) || fail "it waited"
	clients_finish
	assert_clean "$(crossing_report)"
}

# fill FIRST LAST AGE IDLE: without a daemon, see peers/fill.c.
fill() {
	kill_daemon
	"$PEERS/fill" "$NETNS_NAME" "$@"
}

# The longest that any of 20 requests took, milliseconds.
slowest_answer() {
	local n
	for n in {1..20}; do
		curl -sS --max-time 10 --unix-socket "/run/alpnlb/$NETNS_NAME/control.sock" -o /dev/null \
			-w '%{time_total}\n' http://lb/1.0/ipLoadbalancing || return
	done | sort -n | tail -n 1 | awk '{ print int($1 * 1000) }'
}

is_forgetting() {
	(($(stats .counters.idle_timeouts) < 60000))
}

@test "the daemon answers while it forgets many flows" {
	local slowest
	FORGOTTEN=true
	start
	fill 1 60000 60000 1000
	start_daemon
	until slowest=$(slowest_answer) && ((slowest < 500)); do # others may use the machine as well
		is_forgetting || fail "$slowest ms for an answer"
	done
	is_forgetting || fail "it has forgotten them all before it was asked"
	netns_await 60 flows_forgotten || fail "$(what_is_left)"
	assert_equal "$(stats .counters.idle_timeouts)" 60000
}

@test "the next daemon begins before it has looked at all flows, and uses none of their ports" {
	local deleted
	FORGOTTEN=true
	start_echo 11 "nat_ports: 10240-10249"
	fill 0 399999 0 0 "$(server4 11)"
	start_daemon
	run ! daemon_says 'goes on with'
	deleted=$(alpnlb -j flow delete client 10.0.0.0/21 | gojq .deleted)
	assert_equal "$deleted" 2048
	echoed 5
	netns_await 30 daemon_says 'goes on with [0-9]+ spliced connections' || fail "it does not get ready with them"
	await_stat '.frontends[0].live' 397952
	assert_equal "$(stats '.servers[0].live')" 397952

	# a limit of connections holds from the first one on
	alpnlb server set s11 max_connections 397952
	alpnlb farm set default queue_size 0
	alpnlb refresh run
	kill_daemon
	start_daemon
	daemon_says 'goes on with [0-9]+ spliced connections' || fail "it begins without having counted them"
	assert_equal "$(stats '.servers[0].live')" 397952
	assert_equal "$(tcp_client "$LB4" 443 | report_field end)" reset
	assert_equal "$(stats .counters.queue_full)" 1
}

# ---- where the ends are -------------------------------------------------------------------

@test "client and server on one interface" {
	packet_farm packet 11
	ip -n "$NETNS_NAME-server" route add 192.0.2.1 via 198.51.100.1
	crossing_serve
	start_daemon
	report=$(netns_exec server "$PEERS/crossing" client "$LB4" 443 -f "$NETNS_DIR/hello" -n 200 -p 20 -m 300000)
	assert_clean "$report"
	(($(stats .counters.spliced) > 50)) || fail "$(stats .counters.spliced) spliced"
	assert_clean "$(crossing_report)"
}

local_server() {
	local address=$1
	packet_farm packet 11
	sed -i "s/address: \"198.51.100.11\"/address: \"$address\"/" "$CONFIG"
	netns_spawn balancer "$NETNS_DIR/crossing.log" "$PEERS/crossing" serve 9000 "$address"
	SERVER_PID=$NETNS_PID
	netns_await 10 netns_listens balancer 9000
	start_daemon
	report=$(crossing_client "$LB4" -n 200 -p 20 -m 300000)
	assert_clean "$report"
	(($(stats .counters.spliced) > 100)) || fail "$(stats .counters.spliced) spliced"
	assert_clean "$(crossing_report)"
}
@test "a server on the balancer's host, at 127.0.0.1" { local_server 127.0.0.1; }
@test "a server on the balancer's host, at its own address" { local_server 198.51.100.1; }

@test "a client on the balancer's host" {
	start
	report=$(netns_exec balancer "$PEERS/crossing" client "$LB4" 443 -f "$NETNS_DIR/hello" -n 200 -p 20 -m 300000)
	assert_clean "$report"
	assert_equal "$(stats '.counters | "\(.spliced) \(.splice_refused > 150)"')" "0 true"
	assert_clean "$(crossing_report)"
}

@test "an interface that came after the daemon" {
	start
	ip -n "$NETNS_NAME-balancer" link add late type veth peer name late netns "$NETNS_NAME-client"
	ip -n "$NETNS_NAME-balancer" addr add 203.0.113.1/24 dev late
	ip -n "$NETNS_NAME-balancer" link set late up
	ip -n "$NETNS_NAME-client" addr add 203.0.113.2/24 dev late
	ip -n "$NETNS_NAME-client" link set late up
	netns_await 5 links_are 4 || fail "no program at the new interface"
	assert_clean "$(crossing_client 203.0.113.1 -n 200 -p 20 -m 300000)"
	(($(stats .counters.spliced) > 50)) || fail "$(stats .counters.spliced) spliced"
	assert_clean "$(crossing_report)"
}
@test "an interface without Ethernet headers does not get the program" {
	ip -n "$NETNS_NAME-balancer" tuntap add mode tun name tunnel
	ip -n "$NETNS_NAME-balancer" link set tunnel up
	start
	assert_equal "$(links)" 3 "links of lo, client and server"
}

@test "a client and a server of different address families take another path" {
	packet_farm packet 11v6
	crossing_serve
	start_daemon
	assert_clean "$(crossing_client "$LB4" -n 50 -p 10 -q)"
	assert_equal "$(stats .counters.spliced)" 0
	(($(stats .counters.splice_refused) > 0)) || fail "nothing was counted"
	assert_equal "$(stats '.counters | .path_fallbacks >= .splice_refused')" true # asked for by name
	assert_clean "$(crossing_report)"
}
