#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The PROXY protocol: what servers are told about the client, and what proxies tell about theirs.

load lib
load packet

# proxy_farm NAME HOST PORT ATTRIBUTE...: a farm of one server, with these attributes.
proxy_farm() {
	printf '  - { name: %s, port: %s, servers: [ { name: s, address: "%s", %s } ] }\n' \
		"$1" "$3" "$(host_address "$2")" "$4"
}

# port NUMBER PATH FARM [ATTRIBUTE]: a frontend.
port() {
	printf '  - { name: p%s, port: %s, path: %s, default_farm: %s, %s }\n' "$1" "$1" "$2" "$3" "${4:-disabled: false}"
}

# start_proxied PORT HOST: a server that says what its headers say.
start_proxied() {
	netns_spawn server "$NETNS_DIR/proxied.log" "$TREE/tests/e2e/peers/proxy.py" serve "$1" \
		"$(server4 "$2")" "$(server6 "$2")"
	netns_await 10 netns_listens_at "$(server4 "$2")" "$1" && netns_await 10 netns_listens_at "[$(server6 "$2")]" "$1"
}

# proxied N: the report of connection number N.
proxied() {
	netns_await 20 proxied_has "$1" || fail "no report number $1: $(cat "$NETNS_DIR/proxied.log")" || return
	sed -n "${1}p" "$NETNS_DIR/proxied.log"
}

proxied_has() {
	(($(wc -l <"$NETNS_DIR/proxied.log") >= $1))
}

# start_haproxy HOST PORT: TLS behind a PROXY header, whose sum it checks; answers with what that says.
start_haproxy() {
	peers_certificate
	cat "$NETNS_DIR/cert.pem" "$NETNS_DIR/key.pem" >"$NETNS_DIR/haproxy.pem"
	cat >"$NETNS_DIR/haproxy.cfg" <<-END
		defaults
		    mode http
		    timeout client 20s
		    timeout connect 20s
		    timeout server 20s
		frontend web
		    bind $(server4 "$1"):$2 accept-proxy ssl crt $NETNS_DIR/haproxy.pem alpn h2,http/1.1
		    http-request return status 200 content-type text/plain lf-string "%[src] %[dst] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"
	END
	netns_spawn server "$NETNS_DIR/haproxy.log" haproxy -db -f "$NETNS_DIR/haproxy.cfg"
	netns_await 10 netns_listens_at "$(server4 "$1")" "$2" || fail "$(cat "$NETNS_DIR/haproxy.log")"
}

# id_told N: what the log calls connection number N.
ids_told() {
	gojq -r 'select(.event == "ended") | .id' "$NETNS_DIR/events.log"
}

has_ids() {
	(($(ids_told | wc -l) >= $1))
}

# ---- what servers are told ----------------------------------------------------------------

@test "servers are told what they ask for, byte-exact, on every path; nginx and HAProxy take it" {
	local n=0 port client report address all='proxy_tlvs: [ alpn, authority, unique_id, crc32c ]'
	{
		printf 'farms:\n'
		proxy_farm four 11 9000 "proxy_protocol_version: v2-ssl, $all"
		proxy_farm six 11v6 9000 "proxy_protocol_version: v2-ssl-cn, $all"
		proxy_farm line 11 9000 'proxy_protocol_version: v1'
		proxy_farm nginx 12 8443 'proxy_protocol_version: v2-ssl, proxy_tlvs: [ authority, crc32c ]'
		proxy_farm haproxy 13 8443 "proxy_protocol_version: v2-ssl, $all"
		printf 'frontends:\n'
		port 443 packet four
		port 444 sockmap four
		port 445 relay four
		port 446 packet six
		port 447 packet line
		port 448 auto nginx
		port 449 auto haproxy
	} >"$CONFIG"
	start_proxied 9000 11
	start_nginx nginx 12 8443 proxy
	start_haproxy 13 8443
	start_daemon
	netns_spawn balancer "$NETNS_DIR/events.log" "$ALPNLB" --instance "$NETNS_NAME" -j monitor connections
	netns_await 10 test -s "$NETNS_DIR/events.log"

	for port in 443 444 445 446 447; do
		address=$LB4
		[[ $port != 446 ]] || address=$LB6
		client=$(tcp_client "$address" "$port" --sni WWW.alpnlb.test --alpn h2 http/1.1 --bytes 2000000 --half-close)
		assert_echoed "$client"
		((++n))
		report=$(proxied "$n")
		assert_equal "$(report_field received_sha256 <<<"$report")" "$(report_field sent_sha256 <<<"$client")" "$port"
		assert_matches "$(report_field source <<<"$report")" '^(192\.0\.2\.2|2001:db8:1::2) [0-9]+$'
		assert_equal "$(report_field destination <<<"$report")" "$address $port"
		[[ $port != 447 ]] || break
		assert_equal "$(gojq -c '.tlvs | del(.unique_id)' <<<"$report")" \
			'{"alpn":"02683208687474702f312e31","authority":"www.alpnlb.test","crc32c":true,"ssl":"0000000001"}' "$port"
	done
	netns_await 10 has_ids 5
	assert_equal "$(gojq -r '.tlvs.unique_id // empty' "$NETNS_DIR/proxied.log" | sort)" \
		"$(gojq -r 'select(.event == "ended" and .frontend != "p447") | .id' "$NETNS_DIR/events.log" | sort)" "ids"
	assert_equal "$(stats '[.paths.packet + .paths.relay, .paths.packet >= 1, .paths.sockmap] | join(" ")')" "4 true 1"

	assert_equal "$(peers_curl "$LB4" www.alpnlb.test:448/ --output /dev/null --dump-header - | tr -d '\r' | sed -n 's/^x-client: //p')" 192.0.2.2
	assert_matches "$(peers_curl "$LB4" www.alpnlb.test:449/ --interface 192.0.2.4)" \
		"^192.0.2.4 $LB4 449 www.alpnlb.test [0-9a-f]{24}$"
	stop_daemon
}

# ---- what proxies tell --------------------------------------------------------------------

# header VERSION SOURCE... < HELLO: a file's bytes behind a header.
header() {
	"$TREE/tests/e2e/peers/proxy.py" header "$@"
	cat
}

# office NUMBER PATH [FARM]: a frontend behind a proxy; its routes are for two clients.
office() {
	port "$1" "$2" "${3:-null}" 'proxy_sources: [ 192.0.2.4, "2001:db8:1::4/127" ], denied_source: [ 203.0.113.66 ], hello_timeout: 500ms'
}

office_routes() {
	local port
	printf 'routes:\n'
	for port in "$@"; do
		printf '  - { name: h2-of%s, frontend: p%s, action: { type: farm, target: h2 }, rules: [ { field: alpn, match: is, pattern: h2 }, { field: source, match: is, pattern: 203.0.113.9 } ] }\n' "$port" "$port"
		printf '  - { name: of%s, frontend: p%s, action: { type: farm, target: four }, rules: [ { field: source, match: in, pattern: "203.0.113.9, 2001:db8:77::9" } ] }\n' "$port" "$port"
	done
}

# More than a socket takes before the server leg is up: the end comes after that.
MUCH=2000000

# as_proxy FILE [OPTION...]: a connection of the trusted proxy to each path, the file's bytes first.
as_proxy() {
	tcp_client "$LB4" 443 --source 192.0.2.4 --hello "$1" --bytes "$MUCH" --half-close --each port 443 444 445 "${@:2}"
}

# assert_passed N WANTED: the server of connection N was told of the client, and got these bytes.
assert_passed() {
	local report
	report=$(proxied "$1")
	assert_equal "$(report_field received_sha256 <<<"$report")" "$2" "connection $1: what came through" || return
	assert_equal "$(gojq -r '[.source, .destination] | join(" ")' <<<"$report")" "203.0.113.9 4711 203.0.113.1 8443" "connection $1"
}

shown_on_paths() {
	[[ $(ask conn show | gojq -r '[.[] | select(.state == "open") | .path] | sort | join(" ")') == "packet relay sockmap" ]]
}

# Of the one connection that is on the sockmap path.
both_legs_redirect() {
	[[ $(bpftool -j map dump pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/sockets" | gojq length) == 2 ]]
}

@test "a PROXY header of a trusted source says who the client is, on every path" {
	local n version wanted cut port
	{
		printf 'farms:\n'
		proxy_farm four 11 9000 'proxy_protocol_version: v2'
		proxy_farm six 11v6 9000 'proxy_protocol_version: v2'
		proxy_farm h2 11 9000 'proxy_protocol_version: v2, proxy_tlvs: [ alpn, crc32c ]' | sed 's/{ name/{ stickiness: sourceIp, name/'
		printf 'frontends:\n'
		office 443 packet
		office 444 sockmap
		office 445 relay
		office 446 packet four
		office 447 relay four
		office 448 auto six
		office_routes 443 444 445
	} >"$CONFIG"
	start_proxied 9000 11
	start_daemon
	quick_acks
	netns_spawn balancer "$NETNS_DIR/events.log" "$ALPNLB" --instance "$NETNS_NAME" -j monitor connections
	netns_await 10 test -s "$NETNS_DIR/events.log"
	"$PEERS/tcp" hello --sni www.alpnlb.test --alpn other >"$NETNS_DIR/hello"
	header v1 203.0.113.9 4711 203.0.113.1 8443 <"$NETNS_DIR/hello" >"$NETNS_DIR/v1"
	header v2 203.0.113.9 4711 203.0.113.1 8443 --pad 400 <"$NETNS_DIR/hello" >"$NETNS_DIR/v2"

	# the client's bytes, and no others, whatever segments the header comes in
	wanted=$({
		cat "$NETNS_DIR/hello"
		"$PEERS/tcp" pattern --bytes "$MUCH"
	} | sha256sum | cut -d' ' -f1)
	n=0
	for version in v1 v2; do
		for cut in 0 20 60; do
			as_proxy "$NETNS_DIR/$version" --cut "$cut" >"$NETNS_DIR/client.log"
			assert_equal "$(gojq -r .received_sha256 "$NETNS_DIR/client.log" | sort -u)" "$wanted" "$version, cut $cut: what came back"
			for port in 443 444 445; do
				((++n))
				assert_passed "$n" "$wanted" || fail "$version, cut $cut, port $port"
			done
		done
	done
	# without routes, where the server may speak first, and where the packet path cannot be taken
	as_proxy "$NETNS_DIR/v1" --each port 446 447 448 >"$NETNS_DIR/client.log"
	assert_equal "$(gojq -r .received_sha256 "$NETNS_DIR/client.log" | sort -u)" "$wanted" "no routes: what came back"
	for ((n = 19; n <= 21; n++)); do assert_passed "$n" "$wanted"; done
	# (one of which too much came at once is relayed until a quiet moment)
	assert_equal "$(stats '[.paths.packet + .paths.relay + .paths.sockmap, .paths.packet >= 3, .paths.sockmap >= 6] | join(" ")')" "21 true true"
	netns_await 10 has_ids 21
	assert_equal "$(gojq -r 'select(.event == "ended") | [.client, .via[:10], .route[:3]] | join(" ")' "$NETNS_DIR/events.log" | sort -u)" \
		"203.0.113.9:4711 192.0.2.4: def"$'\n'"203.0.113.9:4711 192.0.2.4: of4"
	assert_equal "$(gojq -r 'select(.event == "fallback") | [.frontend, .reason] | join(" ")' "$NETNS_DIR/events.log" | sort -u | grep -E 'p444|p448')" \
		"p448 client and server are of different address families"

	# by ALPN, and of an IPv6 client to an IPv4 server; live ones are shown as who they are
	"$PEERS/tcp" hello --alpn h2 | header v1 203.0.113.9 1 203.0.113.1 2 >"$NETNS_DIR/h2"
	header v2 2001:db8:77::9 4711 2001:db8:77::1 8443 <"$NETNS_DIR/hello" >"$NETNS_DIR/v6"
	hold first "$LB4" 443 --source 192.0.2.4 --hello "$NETNS_DIR/h2"
	hold second "$LB6" 445 --source 2001:db8:1::5 --hello "$NETNS_DIR/v6"
	hold third "$LB4" 444 --source 192.0.2.4 --hello "$NETNS_DIR/h2"
	netns_await 10 both_legs_redirect || fail "the legs are not the program's"
	netns_await 10 shown_on_paths || fail "$(alpnlb conn show)"
	assert_equal "$(alpnlb -j conn show | gojq -r '[.[] | [.client, (.via | sub(":[0-9]+$"; "")), .path, .farm] | join(" ")] | sort | .[]')" \
		"203.0.113.9:1 192.0.2.4 packet h2"$'\n'"203.0.113.9:1 192.0.2.4 sockmap h2"$'\n'"[2001:db8:77::9]:4711 [2001:db8:1::5] relay four"
	assert_equal "$(alpnlb -j stick show | gojq -r '[.[].client] | join(" ")')" 203.0.113.9 "who sticks"
	end_held first >/dev/null
	assert_equal "$(proxied 22 | gojq -c '[.source, .tlvs]')" '["203.0.113.9 1",{"alpn":"026832","crc32c":true}]'
	end_held second >/dev/null
	assert_equal "$(end_held third | report_field end)" eof
	assert_equal "$(proxied 23 | gojq -r '[.source, .destination] | join(" ")')" "2001:db8:77::9 4711 2001:db8:77::1 8443"

	# clients that are not welcome, and proxies that do not say who theirs is
	header v1 203.0.113.66 4711 203.0.113.1 8443 <"$NETNS_DIR/hello" >"$NETNS_DIR/denied"
	header v2 203.0.113.9 1 203.0.113.1 2 --local <"$NETNS_DIR/hello" >"$NETNS_DIR/local"
	for n in denied hello local; do
		tcp_client "$LB4" 445 --source 192.0.2.4 --hello "$NETNS_DIR/$n" >/dev/null
	done
	tcp_client "$LB4" 443 --source 192.0.2.4 >/dev/null
	tcp_client "$LB4" 444 --source 192.0.2.5 --hello "$NETNS_DIR/v1" >/dev/null
	assert_equal "$(stats '.counters | [.refused_source, .refused_proxy, .no_farm] | join(" ")')" "1 2 2"
	netns_await 5 grep -q 'no_farm.*192.0.2.5' "$NETNS_DIR/events.log"
	assert_equal "$(gojq -r 'select(.event == "refused" or .event == "closed") | [.event, .reason, (.client | sub(":[0-9]+$"; ""))] | join(" ")' "$NETNS_DIR/events.log")" \
		"refused refused_source 203.0.113.66
refused refused_proxy 192.0.2.4
closed no_farm 192.0.2.4
refused refused_proxy 192.0.2.4
closed no_farm 192.0.2.5"
	stop_daemon
}

# The header is no part of the stream that the program cuts old bytes by.
@test "a retransmission merged with new data arrives once, behind a proxy (sockmap)" {
	local client balancer report
	{
		farms default=11
		frontend sockmap default 'proxy_sources: [ 192.0.2.0/24 ]'
	} >"$CONFIG"
	start_tcp server 11 9000 exchange --bytes 0 # whose end would be too early for sockmap
	start_daemon
	client=$(ip -n "$NETNS_NAME-client" -j link show balancer | gojq -r '.[0].address')
	balancer=$(ip -n "$NETNS_NAME-balancer" -j link show client | gojq -r '.[0].address')
	ip -n "$NETNS_NAME-balancer" neigh add 192.0.2.200 lladdr "$client" dev client nud permanent
	netns_spawn client "$NETNS_DIR/said" timeout 30 "$TREE/tests/e2e/peers/overlap.py" balancer "$client" \
		"$balancer" 192.0.2.200 "$LB4" 443 "$NETNS_DIR/go"
	netns_await 10 both_legs_redirect || fail "the client's leg does not join"
	touch "$NETNS_DIR/go"
	report=$(server_report server)
	assert_equal "$(report_field received <<<"$report")" 43
	assert_equal "$(report_field received_sha256 <<<"$report")" "$(sha256sum "$NETNS_DIR/said" | cut -d' ' -f1)"
	stop_daemon
}

# switch_behind PATH VERSION CONNECTIONS SERVER-ATTRIBUTE [CLIENT-OPTION...]: data comes from both ends throughout, see peers/crossing.c.
switch_behind() {
	local path=$1 connections=$3 client
	shift
	# shellcheck disable=SC2034 # packet_farm reads it
	FRONTEND='proxy_sources: [ 192.0.2.0/24 ]'
	packet_farm "$path" 11
	[[ -z $3 ]] || sed -i "/name: s11/s/ }/, $3 }/" "$CONFIG"
	header "$1" 203.0.113.9 4711 203.0.113.1 8443 <"$NETNS_DIR/hello" >"$NETNS_DIR/behind"
	mv "$NETNS_DIR/behind" "$NETNS_DIR/hello"
	crossing_serve
	start_daemon
	client=$(crossing_client "$LB4" -n "$connections" -p 50 "${@:4}") || fail "client: $client"
	assert_clean "$client"
	assert_clean "$(crossing_report)"
	(($(stats ".paths.$path") > connections / 2)) || fail "$(stats ".paths.$path") of $connections on the $path path"
	assert_equal "$(stats '.counters.refused_proxy')" 0
}
@test "the switch under load behind a proxy that says version 1, to a server that is told version 2" {
	switch_behind packet v1 "${PACKET_CONNECTIONS:-1000}" 'proxy_protocol_version: v2'
}
@test "the sockmap path under load behind a proxy" {
	switch_behind sockmap v2 "$((${PACKET_CONNECTIONS:-1000} / 2))" 'proxy_protocol_version: v2'
}
@test "the switch behind a proxy that says version 2, where packets are lost" {
	impair_all -d 10 -r 50 # of a thousand: dropped, and out of order
	switch_behind packet v2 "$((${PACKET_CONNECTIONS:-1000} / 5))" '' -q
}
