#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The PROXY protocol: what servers are told about the client, and what proxies tell about theirs.

load lib

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
	jq -r 'select(.event == "ended") | .id' "$NETNS_DIR/events.log"
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
		client=$(tcp_client "$address" "$port" --sni WWW.alpnlb.test --alpn h2 http/1.1 --bytes 300000 --half-close)
		assert_echoed "$client"
		((++n))
		report=$(proxied "$n")
		assert_equal "$(report_field received_sha256 <<<"$report")" "$(report_field sent_sha256 <<<"$client")" "$port"
		assert_matches "$(report_field source <<<"$report")" '^(192\.0\.2\.2|2001:db8:1::2) [0-9]+$'
		assert_equal "$(report_field destination <<<"$report")" "$address $port"
		[[ $port != 447 ]] || break
		assert_equal "$(jq -c '.tlvs | del(.unique_id)' <<<"$report")" \
			'{"alpn":"02683208687474702f312e31","authority":"www.alpnlb.test","ssl":"0000000001","crc32c":true}' "$port"
	done
	netns_await 10 has_ids 5
	assert_equal "$(jq -r '.tlvs.unique_id // empty' "$NETNS_DIR/proxied.log" | sort)" \
		"$(jq -r 'select(.event == "ended" and .frontend != "p447") | .id' "$NETNS_DIR/events.log" | sort)" "ids"
	assert_equal "$(stats '[.paths.packet, .paths.sockmap, .paths.relay] | join(" ")')" "3 1 1"

	assert_equal "$(peers_curl "$LB4" www.alpnlb.test:448/ --output /dev/null --dump-header - | tr -d '\r' | sed -n 's/^x-client: //p')" 192.0.2.2
	assert_matches "$(peers_curl "$LB4" www.alpnlb.test:449/ --interface 192.0.2.4)" \
		"^192.0.2.4 $LB4 449 www.alpnlb.test [0-9a-f]{24}$"
	stop_daemon
}
