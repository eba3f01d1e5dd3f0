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

programs_there() {
	netns_exec balancer bpftool net show 2>/dev/null | grep -c sk_lookup || true
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
	hold held "$LB4" 15000 --alpn h2
	await_connections 1
	netns_spawn client "$NETNS_DIR/clients.log" "$TREE/tests/e2e/peers/tcp.py" client "$LB4" 443 --alpn h2 \
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

# In one breath: 2,000 addresses that no interface has.
@test "2,000 dedicated addresses and a range of ports, routed here" {
	local addresses
	addresses=$(printf '10.9.%d.%d\n' $(for a in {0..7}; do for b in {1..250}; do echo "$a $b"; done; done) | paste -sd,)
	ip -n "$NETNS_NAME-balancer" route add local 10.9.0.0/16 dev lo
	ip -n "$NETNS_NAME-client" route add 10.9.0.0/16 via "$LB4"
	small_config | sed "/name: web/,\$s/port: .*/port: 443,8000-8100\n    dedicated_ipfo: [ $addresses ]/" >"$CONFIG"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_daemon
	assert_equal "$(listening_sockets)" "$(nproc)"
	assert_equal "$(names_at 10.9.0.1 443 8000 8063 8064 8100)" one
	assert_equal "$(names_at 10.9.7.250 443 8000 8063 8064 8100)" one
	assert_equal "$(names_at 10.9.3.77 444 7999 8101)" refused
	assert_equal "$(names_at 10.9.8.1 443)" refused
	assert_equal "$(names_at "$LB4" 443)" refused
	alpnlb frontend set web dedicated_ipfo "10.9.0.1,10.9.7.250,10.10.0.1"
	conflict 'frontend web: cannot listen on 10\.10\.0\.1:443: Cannot assign requested address'
	alpnlb frontend set web dedicated_ipfo "10.9.0.1,10.9.7.250"
	alpnlb frontend add other port 8001-8002 default_farm two dedicated_ipfo "10.9.0.2,10.9.0.3,$LB6"
	alpnlb refresh run
	assert_equal "$(names_at 10.9.0.1 443 8100)" one
	assert_equal "$(names_at 10.9.0.3 443 8003)" refused
	assert_equal "$(names_at 10.9.0.3 8001 8002)" two
	assert_equal "$(names_at "$LB6" 8001)" two
	stop_daemon
}
