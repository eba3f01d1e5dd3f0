#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What an operator sees of spliced connections and does to them, with a daemon and without.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib

# start_two [PATH]: h2 goes to server 11, everything else over IPv6 to server 12; both echo.
start_two() {
	{
		farms h2=11 h1=12v6
		frontend "${1:-packet}" h1
		printf 'routes:\n'
		route http2 h2 "protocol is http/2.0"
	} >"$CONFIG"
	start_tcp h2 11 9000 echo
	start_tcp h1 12 9000 echo
	start_daemon
}

# stay NAME ADDRESS [OPTION...]: a connection that has sent 5,000 bytes and never ends by itself;
# its report goes to $NETNS_DIR/NAME.log.
stay() {
	local name=$1 address=$2
	shift 2
	netns_spawn client "$NETNS_DIR/$name.log" "$PEERS/tcp" client "$address" 443 \
		--bytes 5000 "$@"
}

# hold NAME ADDRESS [OPTION...]: one that ends when the file $NETNS_DIR/go exists.
hold() {
	stay "$@" --half-close --until-sent "$NETNS_DIR/go"
}

flows_are() {
	[[ $(ask flow show | gojq "[.[] | select($1)] | length") == "$2" ]]
}

# await_flows CONDITION NUMBER: so many flows fulfil a condition of gojq.
await_flows() {
	netns_await 10 flows_are "$1" "$2" || fail "not $2 flows with $1: $(alpnlb -p flow show)"
}

sockets_gone() {
	[[ $(ask conn show | gojq '[.[] | select(.worker != null)] | length') == 0 ]]
}

await_sockets_gone() {
	netns_await 10 sockets_gone || fail "connections keep their sockets: $(alpnlb -p conn show)"
}

# three stay|hold stay|hold stay|hold: connections `one` and `two` to h2, `three` to h1, all without
# sockets and with all bytes there.
three() {
	start_two
	"$1" one "$LB4" --alpn h2 --source 192.0.2.3
	"$2" two "$LB4" --alpn h2 --source 192.0.2.4
	"$3" three "$LB6" --sni www.alpnlb.test
	await_flows '.bytes_from_server >= 5000 and .bytes_from_server == .bytes_from_client' 3
	await_sockets_gone
}

# ended NAME: how that connection ended, once it has.
ended() {
	netns_await 10 grep -q '^{' "$NETNS_DIR/$1.log" || fail "connection $1 goes on" || return
	report_field end <"$NETNS_DIR/$1.log"
}

count_of() {
	alpnlb -j flow count "$@" | gojq .flows
}

@test "flow show tells all about a spliced connection" {
	local row
	three hold hold hold
	row=$(alpnlb -j flow show client 192.0.2.3 | gojq '.[0]')
	assert_equal "$(gojq -r '[.frontend, .route, .farm, .server, .state] | join(" ")' <<<"$row")" \
		"web http2 h2 s11 open"
	assert_matches "$(gojq -r .client <<<"$row")" '^192\.0\.2\.3:[0-9]+$'
	assert_equal "$(gojq -r .local <<<"$row")" "$LB4:443"
	assert_equal "$(gojq -r .server_address <<<"$row")" 198.51.100.11:9000
	assert_matches "$(gojq -r .nat_address <<<"$row")" '^198\.51\.100\.1:[0-9]+$'
	assert_equal "$(gojq .bytes_from_server <<<"$row")" "$(gojq .bytes_from_client <<<"$row")"
	gojq -e '.packets_from_client > 0 and .packets_from_server > 0' <<<"$row"
	gojq -e '.idle_ms <= .age_ms and .age_ms < 60000' <<<"$row"
	assert_matches "$(alpnlb -j flow show farm h1 | gojq -r '.[0].client')" '^\[2001:db8:1::2\]:[0-9]+$'
	assert_equal "$(alpnlb -j flow show farm h1 | gojq -r '.[0].route')" default
	run -0 alpnlb flow show
	assert_equal "${#lines[@]}" 4
	assert_equal "$(alpnlb -p flow show | gojq length)" 3
	touch "$NETNS_DIR/go"
	assert_equal "$(ended one)" eof
	await_flows true 0
	assert_equal "$(alpnlb -j flow show)" "[]"
	stop_daemon
}

@test "flow count and its filters" {
	three hold hold hold
	assert_equal "$(count_of)" 3
	assert_equal "$(count_of client 192.0.2.3)" 1
	assert_equal "$(count_of client 192.0.2.0/24)" 2
	assert_equal "$(count_of client 2001:db8:1::/64)" 1
	assert_equal "$(count_of client 2001:db8:2::/64)" 0
	assert_equal "$(count_of server s11)" 2
	assert_equal "$(count_of server h1/s12v6)" 1
	assert_equal "$(count_of farm h2 client 192.0.2.4)" 1
	assert_equal "$(count_of farm h1 client 192.0.2.4)" 0
	assert_equal "$(count_of frontend web)" 3
	assert_equal "$(count_of older 1h)" 0
	assert_equal "$(count_of younger 1h)" 3
	assert_equal "$(alpnlb -j flow count | jq -c .)" \
		'{"flows":3,"open":3,"closing":0,"closed":0,"reset":0}'
	run -3 alpnlb flow show farm nowhere
	run -3 alpnlb flow show server h1/s11
	run -2 alpnlb flow show older soon
	assert_matches "$output" "older 'soon': expected a duration"
	run -2 alpnlb flow show client 192.0.2.3/24
	assert_matches "$output" 'did you mean 192\.0\.2\.0/24'
	run -2 alpnlb flow show client www
	run -2 alpnlb flow delete
	assert_matches "$output" 'needs a filter, or all'
	run -2 alpnlb flow delete all farm h2
	assert_equal "$(count_of)" 3
	touch "$NETNS_DIR/go"
	assert_equal "$(ended three)" eof
	stop_daemon
}

@test "flow delete resets both ends at once, and nobody else" {
	three hold stay stay
	assert_equal "$(alpnlb -j flow delete client 192.0.2.4)" '{"deleted":1}'
	assert_equal "$(ended two)" reset
	assert_equal "$(server_report h2 1 | report_field end)" reset
	assert_equal "$(count_of)" 2
	assert_equal "$(alpnlb -j flow delete farm h1)" '{"deleted":1}'
	assert_equal "$(ended three)" reset
	assert_equal "$(server_report h1 1 | report_field end)" reset
	assert_equal "$(alpnlb -j flow delete farm h1)" '{"deleted":0}'
	touch "$NETNS_DIR/go"
	assert_equal "$(ended one)" eof
	await_flows true 0
	await_stat '.frontends[0].live' 0
	await_stat .counters.closed 3
	assert_equal "$(stats .counters.idle_timeouts)" 0
	stop_daemon
}

@test "flow delete in the midst of transfers" {
	local n
	start_two
	for n in 1 2 3 4 5 6 7 8; do
		stay "c$n" "$LB4" --alpn h2 --until-sent "$NETNS_DIR/begin" --then 3000000000
	done
	await_flows '.state == "open"' 8
	touch "$NETNS_DIR/begin"
	await_flows '.bytes_from_client > 1000000' 8
	assert_equal "$(alpnlb -j flow delete all)" '{"deleted":8}'
	for n in 1 2 3 4 5 6 7 8; do
		# "closed": its sender saw the reset before its reader did.
		assert_matches "$(ended "c$n")" '^(reset|closed)$'
		assert_equal "$(server_report h2 "$n" | report_field end)" reset
	done
	stop_daemon
}

# traffic OBJECT: bytes and packets of the first of them, by `stat show`.
traffic() {
	stats ".$1[0] | \"\(.bytes_from_clients) \(.bytes_from_servers) \(.packets_from_clients) \(.packets_from_servers)\""
}

@test "totals include live spliced connections, and are exact when they have ended" {
	local flows object
	three hold hold hold
	flows=$(alpnlb -j flow show farm h2 | gojq '.[] | [.bytes_from_client, .bytes_from_server,
		.packets_from_client, .packets_from_server]' | gojq -rs 'transpose | map(add) | join(" ")')
	for object in routes farms servers; do
		assert_equal "$(traffic $object)" "$flows" "$object"
	done
	assert_equal "$(alpnlb -j frontend show | gojq '.[0].bytes_from_clients')" \
		"$(alpnlb -j flow show | gojq '[.[].bytes_from_client] | add')"
	assert_equal "$(alpnlb -j route show name http2 | gojq .bytes_from_servers)" "$(cut -d' ' -f2 <<<"$flows")"
	touch "$NETNS_DIR/go"
	await_flows true 0
	assert_equal "$(traffic servers | cut -d' ' -f1-2)" "$(cut -d' ' -f1-2 <<<"$flows")"
	(($(traffic servers | cut -d' ' -f3) > $(cut -d' ' -f3 <<<"$flows"))) || fail "FIN and ACK are not counted"
	assert_equal "$(stats '.servers[0].bytes_from_clients')" \
		$(($(server_report h2 1 | report_field received) + $(server_report h2 2 | report_field received)))
	stop_daemon
}

@test "after kill -9 of the daemon flows are shown, counted and deleted" {
	three stay hold hold
	kill_daemon
	assert_equal "$(count_of)" 3
	assert_equal "$(alpnlb -j conn show | gojq -r '[.[] | .path] | join(" ")')" "packet packet packet"
	assert_equal "$(alpnlb -j conn show farm h1 | gojq -r '.[0] | "\(.frontend) \(.server) \(.state) \(.sni)"')" \
		"web s12v6 open www.alpnlb.test"
	assert_equal "$(alpnlb -j flow delete client 192.0.2.3)" '{"deleted":1}'
	assert_equal "$(ended one)" reset
	assert_equal "$(server_report h2 1 | report_field end)" reset
	touch "$NETNS_DIR/go"
	assert_equal "$(ended two)" eof
	assert_equal "$(ended three)" eof
	assert_equal "$(stats .counters.closed)" 1
	run -4 alpnlb conn show
	assert_matches "$output" 'no daemon is running'
	start_daemon
	stop_daemon
}

# says EXPECTED: what the clients said, by both commands, as gojq arrays in order.
says() {
	local noun said
	for noun in conn flow; do
		said=$(alpnlb -j "$noun" show | gojq -c 'sort_by(.verdict, .sni)[] | [.verdict, .sni, .alpn, .sni_cut, .alpn_cut]')
		assert_equal "$said" "$1" "$noun show" || return
	done
}

@test "what clients said is shown on the packet path, without the daemon, and by the next one" {
	local expected='["ssh",null,null,false,false]
["tls","www.alpnlb.test",["h2","http/1.1"],false,false]'
	start_two
	hold one "$LB4" --sni www.alpnlb.test --alpn h2 http/1.1
	hold two "$LB6" --text 'SSH-2.0-client\r\n'
	await_flows '.bytes_from_server >= 5000' 2
	await_sockets_gone
	says "$expected"
	run -0 alpnlb flow show
	assert_matches "$output" 'tls +www\.alpnlb\.test +h2, ?http/1\.1'
	kill_daemon
	says "$expected"
	start_daemon
	says "$expected"
	touch "$NETNS_DIR/go"
	await_flows true 0
	assert_equal "$(pinned hellos)" 0 "something is left of them"
	stop_daemon
}

@test "tables of another version are not taken over, and one without hellos is" {
	local pins=/sys/fs/bpf/alpnlb/$NETNS_NAME
	start_two
	hold one "$LB4" --sni www.alpnlb.test --alpn h2
	await_flows '.sni == "www.alpnlb.test"' 1
	await_sockets_gone
	kill_daemon
	rm "$pins/hellos"
	bpftool map create "$pins/hellos" type hash key 36 value 8 entries 16 name hellos flags 1
	start_daemon
	daemon_says 'another version made the spliced connections that are there' ||
		fail "taken over: $(cat "$NETNS_DIR/daemon.log")"
	says '[null,null,null,null,null]'
	kill_daemon
	rm "$pins/hellos"
	says '[null,null,null,null,null]'
	start_daemon
	says '[null,null,null,null,null]'
	touch "$NETNS_DIR/go"
	await_flows true 0
	assert_equal "$(ended one)" eof
	stop_daemon
}

# times N LETTER
times() {
	printf "%0$1d" 0 | tr 0 "$2"
}

@test "long names are cut on the packet path, with a mark" {
	local long
	long=$(times 60 a).$(times 60 b).test
	start_two
	# 88 bytes: an SNI leaves ALPN 32 of them, if it needs so many.
	hold one "$LB4" --sni "$long" --alpn h2 http/1.1
	hold two "$LB4" --sni "z.$long" --alpn h2 "$(times 40 p)" http/1.1
	hold three "$LB4" --sni zz.test --alpn h2 "$(times 40 p)" "$(times 40 q)" http/1.1
	hold four "$LB4" --sni zzz.test --alpn h2 "$(times 76 p)" http/1.1
	await_flows '.bytes_from_server >= 5000' 4
	await_sockets_gone
	says "$(printf '["tls","%s...",%s,true,%s]\n' \
		"${long:0:76}" '["h2","http/1.1"]' false \
		"z.${long:0:54}" "[\"h2\",\"$(times 28 p)...\"]" true
		printf '["tls","%s",%s,false,true]\n' \
			zz.test "[\"h2\",\"$(times 40 p)\",\"$(times 36 q)...\"]" \
			zzz.test "[\"h2\",\"$(times 76 p)\",\"...\"]")"
	touch "$NETNS_DIR/go"
	await_flows true 0
	stop_daemon
}

# Of the frontend, the routes, the farms and the servers.
live() {
	stats '[.frontends, .routes, .farms, .servers | map(.live) | join(" ")] | join(", ")'
}

live_are() {
	[[ $(live) == "$1" ]]
}

@test "without a daemon the spliced connections are live and no others" {
	start_two auto
	hold one "$LB4" --alpn h2
	hold other "$LB4" --alpn http/1.1
	await_flows '.bytes_from_server >= 5000' 1
	netns_await 10 live_are "2, 1, 1 1, 1 1" || fail "$(live)"
	kill_daemon
	assert_equal "$(live)" "1, 1, 1 0, 1 0"
	assert_equal "$(alpnlb -j conn show | gojq length)" 1
	touch "$NETNS_DIR/go"
	assert_equal "$(ended one)" eof
	netns_await 10 live_are "0, 0, 0 0, 0 0" || fail "$(live)"
	assert_equal "$(alpnlb -j flow show | gojq length)" 1 "the entry lingers"
}

@test "a new server does not get the id of one that was removed, whose flows live" {
	{
		farms h2=11
		frontend packet h2
	} >"$CONFIG"
	start_tcp h2 11 9000 echo
	start_daemon
	hold one "$LB4" --alpn h2
	await_flows true 1
	sed -i 's/name: s11, address: "198.51.100.11"/name: s12, address: "198.51.100.12"/' "$CONFIG"
	alpnlb apply "$CONFIG"
	sed -i 's/name: s12, address: "198.51.100.12"/name: s13, address: "198.51.100.13"/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(count_of server s13)" 0
	assert_equal "$(stats '.servers[0] | "\(.name) \(.live)"')" "s13 0"
	touch "$NETNS_DIR/go"
	assert_equal "$(ended one)" eof
	stop_daemon
}

@test "conn show shows spliced connections among the others" {
	local row
	start_two auto
	hold one "$LB4" --alpn h2
	hold other "$LB4" --alpn http/1.1
	await_flows '.bytes_from_server >= 5000' 1
	netns_await 10 both_shown || fail "$(alpnlb -p conn show)"
	row=$(alpnlb -j conn show farm h2 | gojq '.[0]')
	assert_equal "$(gojq -r '[.frontend, .route, .server, .path, .state, .refusal] | map(tostring) | join(" ")' <<<"$row")" \
		"web http2 s11 packet open null"
	assert_equal "$(gojq .bytes_from_client <<<"$row")" "$(gojq .bytes_from_server <<<"$row")"
	row=$(alpnlb -j conn show farm h1 | gojq '.[0]')
	assert_equal "$(gojq -r .refusal <<<"$row")" "client and server are of different address families"
	run -0 alpnlb conn show farm h1
	assert_matches "$output" 'not on the packet path: client and server are of different'
	assert_equal "$(stats '.counters | "\(.spliced) \(.splice_refused) \(.path_fallbacks)"')" "1 1 0"
	touch "$NETNS_DIR/go"
	await_connections 0
	stop_daemon
}
both_shown() {
	[[ $(ask conn show | gojq -c '[.[] | .worker == null] | sort') == "[false,true]" ]]
}

@test "unload needs the daemon to be gone" {
	start_two
	run -1 alpnlb unload
	assert_matches "$output" 'a daemon is running'
	run -1 alpnlb -j unload
	assert_equal "$(tcp_client "$LB4" 443 --alpn h2 --half-close | report_field end)" eof
	stop_daemon
}

# A program is there as long as a link, and a map as long as a program, holds on to it.
is_gone() {
	! bpftool "$1" show id "$2" &>/dev/null
}

@test "unload after kill -9 lists what it cut and leaves nothing" {
	local report n program map pins=/sys/fs/bpf/alpnlb/$NETNS_NAME
	three stay stay stay
	program=$(bpftool -j prog show pinned "$pins/splice" | gojq .id)
	map=$(bpftool -j map show pinned "$pins/flows" | gojq .id)
	kill_daemon
	report=$(alpnlb -j unload)
	assert_equal "$(gojq -r '[.flows[] | "\(.frontend) \(.route) \(.server) \(.flows)"] | sort | join(", ")' <<<"$report")" \
		"web default s12v6 1, web http2 s11 2"
	assert_equal "$(gojq -r '[.links[].interface] | sort | join(" ")' <<<"$report")" "client lo server"
	gojq -e '[.pins[].name] | contains(["flows", "hellos", "conns", "splice"])' <<<"$report"
	for n in one two three; do
		assert_equal "$(ended $n)" reset
	done
	assert_equal "$(server_report h2 2 | report_field end)" reset
	assert_equal "$(server_report h1 1 | report_field end)" reset
	[[ ! -e $pins ]] || fail "pins are left"
	[[ ! -e /run/alpnlb/$NETNS_NAME ]] || fail "files are left in /run"
	netns_await 10 is_gone prog "$program" || fail "the program is still attached"
	netns_await 10 is_gone map "$map" || fail "the flow table is still there"
	assert_equal "$(alpnlb -j unload | jq -c "del(.instance)")" '{"flows":[],"links":[],"pins":[]}'
	assert_equal "$(alpnlb unload 2>&1)" "alpnlb: instance '$NETNS_NAME': nothing was left in the kernel"
	run -4 alpnlb flow show
	rm -f "$NETNS_DIR/go"
	start_daemon
	hold four "$LB4" --alpn h2
	await_flows '.bytes_from_server >= 5000' 1
	stop_daemon
}

@test "unload finishes what was half done" {
	three stay stay stay
	kill_daemon
	rm "/sys/fs/bpf/alpnlb/$NETNS_NAME"/{config,conns,flow_remove,ingress_1}
	assert_equal "$(alpnlb -j unload | gojq -c '[.flows[].flows] | add')" 3
	assert_equal "$(ended one)" reset
	[[ ! -e /sys/fs/bpf/alpnlb/$NETNS_NAME ]] || fail "pins are left"
}

@test "flows of another version are left alone, and unload ends them" {
	local pins=/sys/fs/bpf/alpnlb/$NETNS_NAME
	start_two
	stay one "$LB4" --alpn h2
	hold two "$LB4" --alpn h2
	await_flows '.bytes_from_server >= 5000' 2
	await_sockets_gone
	stop_daemon
	bpftool map update pinned "$pins/layout" key 0 0 0 0 value 255 255 0 0
	start_daemon
	grep -q 'another version made the spliced connections' "$NETNS_DIR/daemon.log" || fail "it does not say so"
	assert_equal "$(tcp_client "$LB4" 443 --alpn h2 --half-close | report_field end)" eof
	assert_equal "$(stats .counters.splice_refused)" 0
	run -1 alpnlb flow show
	assert_matches "$output" 'another version made its flows'
	assert_equal "$(alpnlb -j conn show)" "[]"
	touch "$NETNS_DIR/go"
	assert_equal "$(ended two)" eof
	stop_daemon
	assert_equal "$(alpnlb -j unload | jq -c .flows)" '[{"frontend":null,"route":null,"farm":null,"server":null,"flows":1}]'
	assert_equal "$(ended one)" reset
	assert_equal "$(server_report h2 3 | report_field end)" reset
	[[ ! -e $pins ]] || fail "pins are left"
	start_daemon
	run ! grep -q 'another version' "$NETNS_DIR/daemon.log"
	stop_daemon
}

@test "a table of another version that is empty makes room" {
	start_two
	stop_daemon
	bpftool map update pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/layout" key 0 0 0 0 value 255 255 0 0
	start_daemon
	run ! grep -q 'another version' "$NETNS_DIR/daemon.log"
	hold one "$LB4" --alpn h2
	await_flows true 1
	touch "$NETNS_DIR/go"
	assert_equal "$(ended one)" eof
	stop_daemon
}

# doctor_says STATUS PATTERN: a finding of this instance.
doctor_says() {
	alpnlb -j doctor | gojq -e --arg check "instance $NETNS_NAME" --arg status "$1" --arg found "$2" \
		'any(.[]; .check == $check and .status == $status and (.found | test($found)))' >/dev/null ||
		fail "no $1 with '$2': $(alpnlb doctor | grep -A1 "$NETNS_NAME")"
}

@test "doctor warns before ports run out, and of ports the kernel uses itself" {
	{
		printf 'nat_ports: 40000-40004\nmax_flows: 1024\n'
		farms h2=11
		frontend packet h2
	} >"$CONFIG"
	start_tcp h2 11 9000 echo
	start_daemon
	assert_equal "$(grep -c 'nat_ports 40000-40004 overlap net.ipv4.ip_local_port_range 32768-60999' \
		"$NETNS_DIR/daemon.log")" 1
	assert_equal "$(alpnlb -j doctor | gojq -r '.[] | select(.check == "packet path") | .found')" works
	doctor_says warn 'nat_ports 40000-40004 overlap'
	netns_exec balancer sysctl -qw net.ipv4.ip_local_reserved_ports=1,40000-40003
	doctor_says warn 'nat_ports 40000-40004 overlap'
	netns_exec balancer sysctl -qw net.ipv4.ip_local_reserved_ports=1,40000-40004
	run ! doctor_says warn 'nat_ports 40000-40004 overlap'
	hold one "$LB4" --alpn h2
	await_flows true 1
	doctor_says ok '^1 of 5 source ports in use from 198\.51\.100\.1 to 198\.51\.100\.11:9000'
	doctor_says ok '^1 of 1024 flows'
	hold two "$LB4" --alpn h2
	hold three "$LB4" --alpn h2
	await_flows true 3
	doctor_says ok '^3 of 5 source ports'
	hold four "$LB4" --alpn h2
	await_flows true 4
	doctor_says warn '^4 of 5 source ports'
	run ! doctor_says warn 'no program at'
	kill_daemon
	ip -n "$NETNS_NAME-balancer" tuntap add mode tun name tunnel # gets none: it has no Ethernet headers
	ip -n "$NETNS_NAME-balancer" link add late type veth peer name later
	doctor_says warn '^no program at the interfaces:( late| later){2}$'
}

@test "the shell's completion knows the words of flow" {
	start_two
	assert_equal "$(alpnlb help list flow | paste -sd' ')" "show count delete"
	assert_equal "$(alpnlb help list flow show | paste -sd' ')" "client server farm frontend older younger"
	assert_equal "$(alpnlb help list flow delete | tail -n 1)" all
	assert_equal "$(alpnlb help list flow delete server | paste -sd' ')" "h2/s11 h1/s12v6"
	stop_daemon
}

# The server takes the handshake and nothing of usual size: a hello is never acknowledged. It has to
# be alone (--bytes 0), for a packet that is to be cut into several passes.
deafen_server() {
	ip -n "$NETNS_NAME-server" link set balancer mtu 100
	ip -n "$NETNS_NAME-server" route change 198.51.100.0/24 dev balancer advmss 1460
}

is_splicing() {
	[[ $(ask conn show | gojq -r '[.[].state] | join(" ")') == splicing ]]
}

@test "flow delete leaves a connection that still has sockets, and says so" {
	start_two
	deafen_server
	stay one "$LB4" --alpn h2 --bytes 0
	netns_await 10 is_splicing || fail "$(alpnlb -p conn show)"
	assert_equal "$(count_of)" 1
	run -1 alpnlb flow delete all
	assert_matches "$output" '^alpnlb: 0 flows deleted; 1 still have their sockets'
	assert_equal "$(count_of)" 1
	ip -n "$NETNS_NAME-server" link set balancer mtu 1500
	netns_await 20 sockets_gone || fail "$(alpnlb -p conn show)"
	assert_equal "$(alpnlb -j flow delete all)" '{"deleted":1}'
	assert_equal "$(ended one)" reset
	stop_daemon
}

no_sockets() {
	[[ -z $(netns_exec balancer ss -Htn) ]]
}

# With bytes that the socket did not send, the client takes no RST of it.
@test "connections that a daemon was handing over when it ended do so at both ends, and leave nothing" {
	{
		farms h2=11
		frontend packet h2
		printf 'routes:\n'
		route http2 h2 "protocol is http/2.0" # so it waits for the hello, which is the sockets' then
	} >"$CONFIG"
	start_tcp h2 11 9000 exchange --bytes 100 --timeout 60
	start_daemon
	hold whole "$LB4" --alpn h2
	await_flows '.bytes_from_server >= 100' 1
	await_sockets_gone
	deafen_server
	hold one "$LB4" --alpn h2 --bytes 0
	await_flows '.bytes_from_server >= 100' 2
	assert_equal "$(ask conn show | gojq -r '[.[].state] | sort | join(" ")')" "open splicing"
	kill_daemon
	netns_await 1 no_sockets || fail "of the killed daemon: $(netns_exec balancer ss -Htno)"
	ip -n "$NETNS_NAME-server" link set balancer mtu 1500
	start_daemon --drain-timeout 100ms
	daemon_says 'ends 1 connections that an earlier daemon was handing over' || fail "it does not say so"
	assert_equal "$(ended one)" reset
	assert_equal "$(server_report h2 1 | report_field end)" reset
	assert_equal "$(count_of)" 1
	touch "$NETNS_DIR/go"
	assert_equal "$(ended whole)" eof
	netns_await 10 flows_forgotten || fail "left behind: $(what_is_left)"
	deafen_server
	rm "$NETNS_DIR/go"
	hold two "$LB4" --alpn h2 --bytes 0
	await_flows '.bytes_from_server >= 100' 1
	stop_daemon
	assert_equal "$(ended two)" reset
	no_sockets || fail "of the stopped daemon: $(netns_exec balancer ss -Htno)"
	assert_equal "$(count_of)" 0
}

@test "flow delete works on a connection that lost its sockets with the daemon" {
	start_two
	deafen_server
	hold one "$LB4" --alpn h2 --bytes 0
	netns_await 10 is_splicing || fail "$(alpnlb -p conn show)"
	ip -n "$NETNS_NAME-server" link set balancer down # it would answer the end with a reset
	kill_daemon
	assert_equal "$(alpnlb -j flow count | gojq '.open + .closing')" 1
	assert_equal "$(alpnlb -j flow delete all)" '{"deleted":1}'
	assert_equal "$(count_of)" 0
}
