#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Connections that the packet path opens by itself: no socket of the balancer's is in them.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib
load packet

CONNECTIONS=${PACKET_CONNECTIONS:-1000} # of each test; more for a longer run
SEED=${PACKET_SEED:-1}
FRONTEND='handshake: packet'

opened() {
	stats .counters.opened
}

# assert_opened NUMBER: of all connections so far.
assert_opened() {
	await_stat .counters.opened "$1"
}

# Nobody is left behind: connections are counted off, ports are free.
assert_nothing_left() {
	await_stat '[.frontends[].live, .routes[].live, .servers[].live] | add' 0
	await_flows 0
	await_stat .counters.ports_in_use 0
	netns_await 10 no_openings || fail "there are still openings"
}

no_openings() {
	[[ $(bpftool -j map show name openings | gojq -s 'flatten | length') -gt 0 ]] || return
	! bpftool -j map dump name openings 2>/dev/null | grep -q '"key"'
}

# ---- bytes --------------------------------------------------------------------------------

# opening ADDRESS CONNECTIONS [CLIENT-OPTION...]: as crossing of packet.bats, whose clients send half of
# the hellos in pieces: those get sockets.
opening() {
	local address=$1 connections=$2 client
	shift 2
	crossing_serve
	start_daemon
	client=$(crossing_client "$address" -n "$connections" -p 100 -s "$SEED" "$@") || fail "client: $client"
	assert_clean "$client"
	assert_clean "$(crossing_report)"
	echo "# $(stats '"\(.counters.opened) of \(.counters.accepted) opened by packets"')" >&3
	(($(opened) > connections / 3)) || fail "few were opened by packets"
	assert_nothing_left
}

@test "opened by packets under load: every byte in its place, IPv4" {
	packet_farm packet 11
	opening "$LB4" "$CONNECTIONS"
}

@test "opened by packets under load: every byte in its place, IPv6" {
	packet_farm packet 11v6
	opening "$LB6" "$CONNECTIONS"
}

@test "opened by packets with loss and packets out of order" {
	packet_farm packet 11
	impair_all -d 10 -r 100
	opening "$LB4" "$((CONNECTIONS / 5))" -q
}

# offloads ON|OFF: of the interfaces to both peers.
offloads() {
	local peer
	for peer in client server; do
		netns_exec $peer ethtool -K balancer tso "$1" gso "$1" gro "$1" tx "$1" rx "$1" >/dev/null 2>&1
		netns_exec balancer ethtool -K $peer tso "$1" gso "$1" gro "$1" tx "$1" rx "$1" >/dev/null 2>&1
	done
}

# hellos ADDRESS N: one connection for each size, all echoed; N of them opened by packets.
hellos() {
	local address=$1 pad before client
	before=$(opened)
	for pad in 0 1000 1180 1200 1300 1800; do
		"$PEERS/tcp" hello --alpn h2 --pad $pad >"$NETNS_DIR/hello"
		client=$(tcp_client "$address" 443 --hello "$NETNS_DIR/hello" --bytes 100000 --half-close)
		assert_echoed "$client" || return
	done
	assert_equal "$(($(opened) - before))" "$2" "opened at $address"
}

@test "hellos of one segment and of two, as one packet and each on its own, with whole checksums" {
	start_echo 11
	hellos "$LB4" 6
	offloads off
	hellos "$LB4" 6
	# One that does not fit what is kept gets a socket.
	"$PEERS/tcp" hello --alpn h2 --pad 4000 >"$NETNS_DIR/hello"
	assert_echoed "$(tcp_client "$LB4" 443 --hello "$NETNS_DIR/hello" --bytes 100000 --half-close)"
	assert_opened 12
	assert_nothing_left
}

@test "hellos of two segments, IPv6" {
	start_echo 11v6
	hellos "$LB6" 6
	offloads off
	hellos "$LB6" 6
	assert_nothing_left
}

# ---- what becomes a socket ----------------------------------------------------------------

# counts: opened and, of the frontend, all.
counts() {
	stats '[.counters.opened, .counters.accepted, .counters.spliced] | join(" ")'
}

@test "what packets do not do gets a socket: silence, regular expressions, reject, bans, PROXY headers, a client that leaves" {
	{
		printf 'xdp: off\n'
		farms default=11 named=12 proxied=13 | sed '/name: s13/s/ }/, proxy_protocol_version: v2 }/'
		frontend packet default "hello_timeout: 1s" "$FRONTEND"
		printf 'routes:\n'
		route named named "alpn is h2"
		route proxied proxied "alpn is x"
		route regex named "sni matches ^r[0-9]+$"
		route never reject "sni is never.example"
	} >"$CONFIG"
	start_tcp default 11 9000 banner
	start_tcp named 12 9000 name
	start_tcp proxied 13 9000 name
	start_daemon
	assert_equal "$(reached "$LB4" 443 --alpn h2 --sni a.example)" named
	assert_equal "$(reached "$LB6" 443 --alpn h2)" named
	assert_opened 1 # the farm's server has no address of IPv6
	assert_equal "$(reached "$LB4" 443)" default
	assert_equal "$(stats '.frontends[0].verdicts.silent')" 1
	assert_equal "$(reached "$LB4" 443 --text 'SSH-2.0-x\r\n')" default
	assert_opened 2
	assert_equal "$(reached "$LB4" 443 --alpn y --sni r12)" named
	assert_equal "$(reached "$LB4" 443 --alpn x)" proxied
	assert_equal "$(reached "$LB4" 443 --alpn h3 --sni never.example)" reset
	assert_opened 2
	assert_equal "$(stats '.counters.rejected')" 1
	alpnlb acl add "$CLIENT4"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" reset
	assert_equal "$(stats '.counters.refused_acl')" 1
	alpnlb acl delete "$CLIENT4"
	tcp_client "$LB4" 443 --reset --hello /dev/null >/dev/null
	await_stat '.counters | [.client_gone, .client_resets] | add' 1
	assert_nothing_left
}

# two_servers HOST HOST: the default farm, tried in this order.
two_servers() {
	{
		farms default="$1,$2"
		frontend packet default "connect_timeout: 1s" "$FRONTEND"
		printf 'routes:\n'
		route h2 default "alpn is h2"
	} >"$CONFIG"
}

# seconds_until_served: by the second one.
seconds_until_served() {
	local report
	report=$(tcp_client "$LB4" 443 --alpn h2)
	assert_equal "$(report_field line <<<"$report")" second || return
	report_field seconds <<<"$report"
}

@test "a server that refuses, and one that is silent: the client goes to another one, and both are counted" {
	local seconds
	two_servers 11 13
	start_tcp second 13 9000 name
	start_daemon
	seconds=$(seconds_until_served)
	awk -v s="$seconds" 'BEGIN { exit !(s < 0.2) }' || fail "not at once, but after $seconds s"
	assert_equal "$(stats '[.servers[] | "\(.refused) \(.timeouts) \(.connected)"] | join(", ")')" "1 0 0, 0 0 1"
	assert_equal "$(stats .counters.retries)" 1
	two_servers 12 13
	netns_exec balancer ip neigh replace "$(server4 12)" lladdr 02:00:00:00:00:99 dev server
	alpnlb apply "$CONFIG"
	seconds=$(seconds_until_served && seconds_until_served)
	sort -n <<<"$seconds" | tail -n 1 | awk '{ exit !($1 >= 1 && $1 < 2) }' ||
		fail "after $seconds s, not a connect timeout"
	assert_equal "$(stats '[.servers[] | "\(.refused) \(.timeouts) \(.connected)"] | .[0]')" "0 1 0"
	assert_nothing_left
}

# Before anybody knows that it has none, the client was promised them.
@test "a server without timestamps or SACK: its clients get sockets from then on" {
	start_echo 11
	netns_exec server sysctl -qw net.ipv4.tcp_timestamps=0
	hellos_are_echoed 0
	alpnlb apply "$CONFIG" # what is known of it is forgotten
	netns_exec server sysctl -qw net.ipv4.tcp_timestamps=1 net.ipv4.tcp_sack=0
	hellos_are_echoed 0
	netns_exec client sysctl -qw net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling=0
	alpnlb apply "$CONFIG"
	hellos_are_echoed 2
	assert_nothing_left
}

# opens_at INTERFACE: it has the program; bpftool may not know such links.
opens_at() {
	[[ -e $(pin_of open "$1") ]]
}

opens_not_at() {
	[[ ! -e $(pin_of open "$1") ]]
}

# pin_of HOOK INTERFACE
pin_of() {
	local link
	link=$(ip -n "$NETNS_NAME-balancer" -o link show "$2") &&
		printf '/sys/fs/bpf/alpnlb/%s/%s_%s' "$NETNS_NAME" "$1" "${link%%:*}"
}

# Its packets come in by the port first, which has no route to the client.
@test "clients of a bridge, whose port comes and goes, and a server on this host" {
	start_echo 11
	ip -n "$NETNS_NAME-balancer" link add bridge type bridge
	ip -n "$NETNS_NAME-balancer" link set bridge addrgenmode none up
	ip -n "$NETNS_NAME-balancer" addr flush dev client
	ip -n "$NETNS_NAME-balancer" link set client master bridge
	netns_add_addresses balancer bridge 192.0.2 2001:db8:1 1
	netns_await 10 opens_at bridge
	netns_await 10 opens_not_at client
	hellos "$LB4" 6
	ip -n "$NETNS_NAME-balancer" link del bridge
	netns_add_addresses balancer client 192.0.2 2001:db8:1 1
	netns_await 10 opens_at client
	hellos "$LB4" 6
	# Servers on this host are left to sockets.
	netns_spawn balancer "$NETNS_DIR/local.log" "$PEERS/tcp" serve echo --name local --listen 198.51.100.1 --port 9000
	netns_await 10 netns_listens balancer 9000
	sed -i 's/198.51.100.11/198.51.100.1/' "$CONFIG"
	alpnlb apply "$CONFIG"
	hellos "$LB4" 0
	assert_nothing_left
}

@test "a port that a frontend listens at is not one to connect from" {
	two_servers 11 12
	sed -i '1i nat_ports: 20000-20003' "$CONFIG"
	sed -i 's/port: "443"/port: "443,20002"/' "$CONFIG"
	start_tcp second 11 9000 name
	start_daemon
	awk -v s="$(seconds_until_served)" 'BEGIN { exit !(s < 0.5) }' || fail "not at once"
	assert_opened 1
	assert_nothing_left
}

# hellos_are_echoed NUMBER: two connections; so many are opened by packets.
hellos_are_echoed() {
	local before
	before=$(opened)
	for _ in 1 2; do
		assert_echoed "$(tcp_client "$LB4" 443 --alpn h2 --bytes 300000 --half-close)" || return
	done
	assert_equal "$(($(opened) - before))" "$1" "opened by packets"
}

@test "refreshes that leave a farm as it is leave its clients to the program" {
	local clients
	start_echo 11
	# At a pace: a source port rests for 2 s, and without one a client gets a socket.
	netns_spawn client "$NETNS_DIR/clients.log" "$PEERS/tcp" client "$LB4" 443 --alpn h2 --bytes 100 \
		--half-close --timeout 10 --handshake 0.01 --parallel 4 --repeat-until "$NETNS_DIR/clients.go"
	clients=$NETNS_PID
	printf 'route set h2 weight %d\nrefresh run\n' {2..21} | alpnlb batch file - >"$NETNS_DIR/batch.log"
	: >"$NETNS_DIR/clients.go"
	netns_await 20 netns_dead "$clients"
	assert_equal "$(gojq -r '"\(.end) \(.received)"' "$NETNS_DIR/clients.log" | sort -u)" "eof 617"
	(($(opened) > 40)) || fail "only $(opened) connections in 20 refreshes"
	assert_equal "$(opened)" "$(wc -l <"$NETNS_DIR/clients.log")" "opened by packets, of all"
	assert_nothing_left
}

# ---- the daemon ---------------------------------------------------------------------------

# While it dies, its listeners are still there.
nobody_answers() {
	[[ $(tcp_client "$LB4" 443 --alpn h2 --timeout 1 | report_field end) == refused ]]
}

others_answer() {
	[[ $(tcp_client "$LB4" 443 --alpn h2 --timeout 1 | report_field line) == taken ]]
}

# As the next daemon does first of all, while the programs of the last one are still there.
take_charge() {
	local pin=/sys/fs/bpf/alpnlb/$NETNS_NAME/control now
	now=$(bpftool -j map dump pinned "$pin" | gojq -r '.[0].value | .[14] = "0xff" | join(" ")')
	# shellcheck disable=SC2086 # sixteen words
	bpftool map update pinned "$pin" key hex 0 0 0 0 value hex ${now//0x/}
}

# What the program at the client's interface adds to its timestamps.
clock() {
	local program map
	program=$(bpftool -j link show pinned "$(pin_of open client)" | gojq .prog_id)
	for map in $(bpftool -j prog show id "$program" | gojq '.map_ids[]'); do
		[[ $(bpftool -j map show id "$map" | gojq -r .name) != open_control ]] ||
			bpftool -j map dump id "$map" | gojq '.[0].formatted.value.clock'
	done
}

# So many servers are yet to answer: FLOW_PENDING.
pending_are() {
	[[ $(bpftool -j map dump pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/flows" |
		gojq '[.[].formatted.value | select((.state / 64 | floor) % 2 == 1)] | length') == "$1" ]]
}

@test "without a daemon nobody is answered, and what is open goes on; the next one answers; unload takes it away" {
	local before clock
	start_echo 11
	hold first "$LB4" 443 --alpn h2 --bytes 100000 --then 100000
	assert_opened 1
	clock=$(clock)
	assert_matches "$clock" '^[0-9]+$' "the clock"
	black_hole 11
	hold lost "$LB4" 443 --alpn h2
	netns_await 5 pending_are 1 || fail "no server is waited for"
	assert_equal "$(ask conn show server s11 | gojq -r '.[] | select(.state != "open") |
		"\(.state) \(.path) \(.frontend) \(.route) \(.alpn[0]) \(.bytes_from_client) \(.worker)"')" \
		"connecting packet web h2 h2 517 null"
	kill_daemon
	netns_await 10 nobody_answers || fail "somebody answers"
	! pending_are 0 || fail "the program has given up by itself" # or it has opened one more meanwhile
	take_port 443
	netns_await 10 others_answer || fail "the program answers for another listener"
	netns_stop "$NETNS_PID"
	start_daemon
	assert_equal "$(clock)" "$clock" "the next daemon's clock" # or servers refuse ports they know
	netns_await 2 pending_are 0 || fail "a port is kept for an opening that is lost"
	ip -n "$NETNS_NAME-balancer" neigh del "$(server4 11)" dev server
	before=$(opened)
	hold second "$LB4" 443 --alpn h2 --bytes 100000 --then 100000
	assert_opened $((before + 1))
	sed -i 's/handshake: packet/handshake: socket/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_echoed "$(tcp_client "$LB4" 443 --alpn h2 --bytes 100000 --half-close)"
	sed -i 's/handshake: socket/handshake: packet/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_echoed "$(tcp_client "$LB4" 443 --alpn h2 --bytes 100000 --half-close)"
	assert_opened $((before + 2))
	assert_echoed "$(end_held first)"
	assert_echoed "$(end_held second)"
	assert_nothing_left
	take_charge
	assert_echoed "$(tcp_client "$LB4" 443 --alpn h2 --bytes 100000 --half-close)"
	assert_opened $((before + 2)) # it leaves clients to sockets now
	stop_daemon
	assert_equal "$(reached "$LB4" 443 --alpn h2)" refused
	alpnlb unload
	refute_programs
}

refute_programs() {
	opens_not_at client && [[ ! -e $(pin_of ingress client) ]] || fail "there are still programs"
}

@test "curl and openssl reach their nginx through connections without a socket" {
	{
		farms http1=11 h2=12
		frontend packet http1 "$FRONTEND"
		printf '  - { name: plain, port: "444", default_farm: http1, %s }\n' "$FRONTEND"
		printf 'routes:\n'
		route h2 h2 "alpn is h2"
	} >"$CONFIG"
	start_nginx http1 11 9000 http1
	start_nginx h2 12 9000 h2
	start_daemon
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 h2"
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http1.1)" "HTTP/1.1 http1"
	assert_equal "$(s_client "$LB4" -servername b.alpnlb.test)" http1
	assert_equal "$(counts)" "3 3 3"
	daemon_says 'frontend plain: handshake packet is for frontends with a route that looks' ||
		fail "nothing is said of a frontend that waits for no hello"
	assert_equal "$(stats '[.frontends[0].verdicts.tls, .frontends[0].to_default_farm, .routes[0].matched, ([.farms[].chosen] | add)] | join(" ")')" "3 2 1 3"
	assert_nothing_left
}
