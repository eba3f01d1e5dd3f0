#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Frontends with many ports and addresses, whose connections are steered to few sockets.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

load lib

# names_at ADDRESS PORT...: who answers there, or how the connections ended, each once.
names_at() {
	local address=$1
	shift
	tcp_client "$address" 1 --alpn h2 --timeout 5 --each port "$@" |
		gojq -r 'if .received > 0 then .line else .end end' | sort -u | paste -sd,
}

listening_sockets() {
	netns_exec balancer ss -Hltn | wc -l
}

has_sockets() {
	(($(listening_sockets) == $1))
}

# conflict PATTERN: the refresh is refused with that line.
conflict() {
	run -1 alpnlb refresh run
	assert_matches "$output" "$1"
}


# Connections that wait to be accepted, one line per worker that has some.
waiting() {
	netns_exec balancer ss -Hltn 'src 0.0.0.1' | awk '$2 > 0 { print $2 }'
}

waits_for() {
	(($(waiting | awk '{ n += $1 } END { print n + 0 }') == $1))
}

workers_share() {
	kill -STOP "$DAEMON_PID"
	netns_spawn client "$NETNS_DIR/shared.log" "$PEERS/tcp" client "$LB4" 12345 --alpn h2 \
		--repeat 60 --parallel 60
	netns_await 10 waits_for 60 || fail "waiting: $(waiting)"
	assert_equal "$(waiting | wc -l)" "$(nproc)"
	kill -CONT "$DAEMON_PID"
	netns_await 20 netns_dead "$NETNS_PID"
	assert_equal "$(gojq -r .line "$NETNS_DIR/shared.log" | sort | uniq -c | xargs)" "60 one"
}

@test "10,000 ports take the sockets of one, and lose and gain some while clients connect" {
	local sockets clients few
	start_small
	sockets=$(listening_sockets)
	alpnlb frontend set web port 443-444
	alpnlb refresh run
	netns_await 5 has_sockets "$sockets" || fail "$(netns_exec balancer ss -ltn)"
	few=$(descriptors)
	alpnlb frontend set web port 80,443,10000-19999
	alpnlb refresh run
	assert_equal "$(names_at "$LB4" 80 443 10000 10001 14711 18191 19999)" one
	assert_equal "$(names_at "$LB6" 80 443 10000 10001 14711 18191 19999)" one
	assert_equal "$(names_at "$LB4" 81 9999 20000)" refused
	assert_equal "$(names_at "$LB6" 81 9999 20000)" refused
	assert_equal "$(listening_sockets) $(descriptors)" "$sockets $few"
	workers_share
	hold held "$LB4" 15000 --alpn h2
	await_connections 1
	netns_spawn client "$NETNS_DIR/clients.log" "$PEERS/tcp" client "$LB4" 443 --alpn h2 \
		--handshake 0.15 --timeout 10 --parallel 6 --repeat-until "$NETNS_DIR/clients.go"
	clients=$NETNS_PID
	netns_await 10 grep -q '^{' "$NETNS_DIR/clients.log"
	# fewer, and some of another frontend
	alpnlb frontend set web port 80,443,10000-12000
	alpnlb frontend add other port 12001-12999 default_farm two
	alpnlb refresh run
	assert_equal "$(names_at "$LB4" 10000 12000)" one
	assert_equal "$(names_at "$LB6" 12001 12999)" two
	assert_equal "$(names_at "$LB4" 13000 15000 19999)" refused
	# one port alone is bound, then it is one of many again, then at one address, then nowhere
	alpnlb frontend set web port 443
	alpnlb refresh run
	assert_equal "$(names_at "$LB6" 443)" one
	assert_equal "$(names_at "$LB6" 80 12000)" refused
	alpnlb frontend set web port 443-444
	alpnlb refresh run
	assert_equal "$(names_at "$LB6" 443 444)" one
	alpnlb frontend set web port 443 dedicated_ipfo "$LB4"
	alpnlb refresh run
	assert_equal "$(names_at "$LB6" 443 444)" refused
	alpnlb frontend set web port 443-445 dedicated_ipfo "$LB4"
	alpnlb refresh run
	assert_equal "$(names_at "$LB6" 443 444)" refused
	assert_equal "$(names_at "$LB4" 443 445)" one
	touch "$NETNS_DIR/clients.go"
	netns_await 20 netns_dead "$clients"
	assert_equal "$(gojq -r 'if .received > 0 then .line else .end end' "$NETNS_DIR/clients.log" | sort -u)" one
	alpnlb frontend set web disabled true
	alpnlb frontend delete other
	alpnlb refresh run
	assert_equal "$(names_at "$LB4" 443 12001)" refused
	assert_equal "$(end_held held | report_field line)" one
	stop_daemon
}

@test "2,000 dedicated addresses and a range of ports, routed here" {
	local addresses
	addresses=$(for a in {0..7}; do printf "10.9.$a.%d," {1..250}; done)
	ip -n "$NETNS_NAME-balancer" route add local 10.9.0.0/16 dev lo
	ip -n "$NETNS_NAME-client" route add 10.9.0.0/16 via "$LB4"
	ip -n "$NETNS_NAME-balancer" route add local 2001:db8:9::/64 dev lo
	ip -n "$NETNS_NAME-client" route add 2001:db8:9::/64 via "$LB6"
	{
		small_config | sed "/name: web/,\$s/port: .*/port: 443,8000-8100\n    dedicated_ipfo: [ ${addresses%,} ]/"
		printf '  - { name: other, port: "444", default_farm: two, dedicated_ipfo: [ "2001:db8:9::1" ] }\n'
	} >"$CONFIG"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_tcp same 13 8002 name
	start_daemon
	assert_equal "$(listening_sockets)" $((2 * $(nproc)))
	assert_equal "$(names_at 10.9.0.1 443 8000 8063 8064 8100)" one
	assert_equal "$(names_at 10.9.7.250 443 8000 8063 8064 8100)" one
	assert_equal "$(names_at 10.9.3.77 444 7999 8101)" refused
	assert_equal "$(names_at 10.9.8.1 443) $(names_at "$LB4" 443)" "refused refused"
	assert_equal "$(names_at 2001:db8:9::1 444) $(names_at 2001:db8:9::2 444)" "two refused"
	assert_equal "$(stats .paths.packet)" 10 "those of one family"
	alpnlb frontend set web dedicated_ipfo "10.9.0.1,10.9.7.250,10.10.0.1"
	conflict 'frontend web: cannot listen on 10\.10\.0\.1:443: Cannot assign requested address'
	alpnlb frontend set web dedicated_ipfo "10.9.0.1,10.9.7.250"
	# a server that has no port gets those of the clients
	alpnlb farm add same
	alpnlb server add same/s address "$(server4 13)"
	alpnlb frontend set other port 8001-8002 default_farm same \
		dedicated_ipfo "10.9.0.2,10.9.0.3,2001:db8:9::1,2001:db8:9::2,$LB6"
	alpnlb refresh run
	assert_equal "$(names_at 10.9.0.1 443 8100)" one
	assert_equal "$(names_at 10.9.0.3 443 8003)" refused
	assert_equal "$(names_at 10.9.0.3 8002) $(names_at 2001:db8:9::2 8002) $(names_at "$LB6" 8002)" "same same same"
	stop_daemon
}

# foreign PORT [ADDRESS]: another program listens there. Sets NETNS_PID.
foreign() {
	netns_spawn balancer "$NETNS_DIR/foreign$1.log" "$PEERS/tcp" serve name \
		--name foreign --listen "${2:-$LB4}" --port "$1"
	netns_await 10 netns_listens balancer "$1"
}

# Of sk_lookup programs on the balancer's namespace.
links() {
	local inode
	inode=$(netns_exec balancer stat -L -c %i /proc/self/ns/net)
	links_with ".type == \"netns\" and .netns_ino == $inode"
}

# other_daemon PORTS: another instance on the same host; fails unless it becomes ready.
other_daemon() {
	sed "s/port: \"443\"/port: \"$1\"/; 1i nat_ports: 9000-9999" "$CONFIG" >"$NETNS_DIR/other.yaml"
	netns_spawn balancer "$NETNS_DIR/other.log" "$ALPNLB" --instance "$NETNS_NAME-2" daemon -c "$NETNS_DIR/other.yaml"
	netns_await 20 other_settled "$NETNS_PID" && netns_alive "$NETNS_PID"
}

other_settled() {
	grep -Esq "$PEER_READY" "$NETNS_DIR/other.log" || netns_dead "$1"
}

@test "what others listen on is refused, they get what a killed daemon had, and unload leaves nothing" {
	local foreign
	foreign 8050
	foreign=$NETNS_PID
	start_small
	alpnlb frontend set web port 443,8000-8100
	conflict 'frontend web: cannot listen on 0\.0\.0\.0:8050: Address already in use'
	alpnlb frontend set web dedicated_ipfo "$LB4,$LB6"
	conflict 'frontend web: cannot listen on 192\.0\.2\.1:8050: Address already in use'
	alpnlb frontend set web dedicated_ipfo null
	assert_equal "$(links) $(names_at "$LB4" 443) $(names_at "$LB4" 8049) $(names_at "$LB4" 8050)" \
		"1 one refused foreign"
	netns_stop "$foreign"
	other_lookups 1
	alpnlb refresh run
	assert_equal "$(names_at "$LB4" 8049 8050)" one
	assert_equal "$(links)" 2
	# another instance, to some of the ports or all
	if other_daemon 8100-8200; then fail "it shares port 8100"; fi
	assert_matches "$(cat "$NETNS_DIR/other.log")" 'cannot listen on 0\.0\.0\.0:8100: Address already in use'
	if other_daemon 8100; then fail "it has port 8100"; fi
	assert_matches "$(cat "$NETNS_DIR/other.log")" 'cannot listen on 0\.0\.0\.0:8100: Address already in use'
	other_daemon 8101-8200 || fail "$(cat "$NETNS_DIR/other.log")"
	assert_equal "$(names_at "$LB4" 8100 8101 8200)" one
	# who comes later gets nothing, and does not hinder
	foreign 8051
	foreign=$NETNS_PID
	assert_equal "$(names_at "$LB4" 8051)" one
	alpnlb -j doctor | gojq -e '.[] | select(.found == "another program listens on 192.0.2.1:8051, where a frontend gets the connections")'
	alpnlb frontend set web port 443,8000-8099
	alpnlb refresh run
	assert_equal "$(names_at "$LB4" 8099) $(names_at "$LB4" 8100)" "one refused"
	kill_daemon
	assert_equal "$(names_at "$LB4" 443 8099) $(names_at "$LB4" 8051)" "refused foreign"
	if start_daemon; then fail "it shares port 8051"; fi
	assert_matches "$(cat "$NETNS_DIR/daemon.log")" 'frontend web: cannot listen on 0\.0\.0\.0:8051: Address already in use'
	netns_stop "$foreign"
	start_daemon
	assert_equal "$(names_at "$LB6" 443 8051 8099)" one
	kill_daemon
	alpnlb unload
	assert_equal "$(links)" 2 # of the other instance, and the one of neither
	assert_equal "$(names_at "$LB6" 8101 8200)" one
}

@test "where no program can be attached every port has a socket, with one warning" {
	no_steering
	small_config | sed 's/port: "443"/port: 443-445/' >"$CONFIG"
	start_tcp one 11 9000 name
	start_daemon
	assert_equal "$(names_at "$LB6" 443 444 445)" one
	alpnlb frontend set web port 443-446
	alpnlb refresh run
	assert_equal "$(names_at "$LB4" 443 446)" one
	assert_equal "$(netns_exec balancer ss -Hltn 'sport = :446' | wc -l)" $((2 * $(nproc)))
	assert_equal "$(grep -c 'connections cannot be steered here.*Argument list too long' "$NETNS_DIR/daemon.log")" 1
	stop_daemon
}
