#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Which farm a connection goes to. Each test runs over every path.

load lib

# start_farms PATH [FRONTEND-ATTRIBUTE...] < ROUTES: a `name` server per farm: special, other,
# and the default farm.
start_farms() {
	local path=$1 farm host=11
	shift
	{
		farms special=11 other=12 default=13
		frontend "$path" default "$@"
		printf 'routes:\n'
		cat
	} >"$CONFIG"
	for farm in special other default; do
		start_tcp "$farm" $host 9000 name
		host=$((host + 1))
	done
	start_daemon
}

# expect FARM CLIENT-OPTION...: over IPv4 and IPv6, all connections.
expect() {
	local farm=$1
	shift
	assert_equal "$(reached "$LB4" 443 "$@" | sort -u)" "$farm" "IPv4, client $*"
	assert_equal "$(reached "$LB6" 443 "$@" | sort -u)" "$farm" "IPv6, client $*"
}

# ---- the guide ----------------------------------------------------------------------------

# guide PATH: an HTTP/2 and an HTTP/1.1 farm of real servers, each with an IPv4 and an IPv6 one.
guide() {
	{
		farms h2=11,12v6 h1=21,22v6
		frontend "$1" h1
		printf 'routes:\n'
		route http2 h2 "protocol is http/2.0"
	} >"$CONFIG"
	start_nginx h2-a 11 9000 h2
	start_nginx h2-b 12 9000 h2
	start_nginx h1-a 21 9000 http1
	start_nginx h1-b 22 9000 http1
	start_daemon
}

http2_is_routed() {
	local address
	guide "$1"
	for address in "$LB4" "$LB6" "$LB4" "$LB6"; do
		assert_matches "$(served_by "$address" www.alpnlb.test --http2)" '^HTTP/2 h2-[ab]$'
		assert_matches "$(served_by "$address" www.alpnlb.test --http1.1)" '^HTTP/1.1 h1-[ab]$'
	done
	assert_equal "$(stats '.routes[0].matched')" 4
	assert_equal "$(stats ".paths.$1")" 8 "connections over the path asked for"
	assert_equal "$(stats '[.servers[].connected] | join(" ")')" "2 2 2 2" "round robin"
	stop_daemon
}
@test "HTTP/2 clients reach the HTTP/2 farm, others the default farm (sockmap)" {
	http2_is_routed sockmap
}
@test "HTTP/2 clients reach the HTTP/2 farm, others the default farm (relay)" {
	http2_is_routed relay
}
@test "HTTP/2 clients reach the HTTP/2 farm, others the default farm (packet)" {
	http2_is_routed packet
}

@test "OpenSSL's ALPN names are compared byte for byte" {
	local alpn
	guide auto
	for alpn in x-h2 h2c H2 h h22; do
		assert_matches "$(s_client "$LB4" -alpn "$alpn,http/1.1")" '^h1-[ab]$' "-alpn $alpn"
	done
	assert_matches "$(s_client "$LB6")" '^h1-[ab]$' "no ALPN"
	for alpn in h2 h2,http/1.1 http/1.1,h2 spdy/3,http/1.1,h2; do
		assert_equal "$(s_client_alpn "$LB4" "$alpn")" h2 "-alpn $alpn"
	done
	assert_equal "$(stats '.routes[0].matched')" 4
	stop_daemon
}

other_clients() {
	local address
	guide "$1"
	for address in "$LB4" "$LB6"; do
		assert_matches "$(s_client "$address" -alpn http/1.1)" '^h1-[ab]$' "s_client, $address"
		assert_equal "$(s_client_alpn "$address" http/1.1,h2)" h2 "s_client, $address"
		assert_equal "$(gnutls "$address" --alpn h2)" h2 "gnutls-cli, $address"
		assert_equal "$(gnutls "$address" --alpn http/1.1)" http/1.1 "gnutls-cli, $address"
	done
	assert_equal "$(stats '.routes[0].matched')" 4
	assert_equal "$(stats ".paths.$1")" 8 "connections over the path asked for"
	stop_daemon
}
@test "openssl s_client and gnutls-cli are routed as curl is (sockmap)" { other_clients sockmap; }
@test "openssl s_client and gnutls-cli are routed as curl is (relay)" { other_clients relay; }

# ---- first bytes --------------------------------------------------------------------------

segmentation() {
	local cuts="1 2 5 6 43 100 516"
	quick_acks
	start_farms "$1" <<<"$(route h2 special "alpn is h2" "sni is www.alpnlb.test")"
	# shellcheck disable=SC2086 # numbers
	{
		expect special --sni www.alpnlb.test --alpn http/1.1 h2 --each cut $cuts
		expect default --sni www.alpnlb.test --alpn http/1.1 x-h2 --each cut $cuts
	}
	stop_daemon
}
@test "a hello is understood in segments of any size (sockmap)" { segmentation sockmap; }
@test "a hello is understood in segments of any size (relay)" { segmentation relay; }
@test "a hello is understood in segments of any size (packet)" { segmentation packet; }

records() {
	local sizes="1 2 3 37 250"
	quick_acks
	start_farms "$1" <<<"$(route h2 special "alpn is h2" "sni is www.alpnlb.test")"
	# shellcheck disable=SC2086 # numbers
	{
		expect special --sni www.alpnlb.test --alpn http/1.1 h2 --each records $sizes
		expect special --sni www.alpnlb.test --alpn http/1.1 h2 --cut 7 --each records $sizes
		expect default --sni www.alpnlb.test --alpn http/1.1 h3 --cut 4 --each records $sizes
	}
	stop_daemon
}
@test "a hello is understood over TLS records of any size (sockmap)" { records sockmap; }
@test "a hello is understood over TLS records of any size (relay)" { records relay; }
@test "a hello is understood over TLS records of any size (packet)" { records packet; }

sizes() {
	local sizes="1 1500 4000 16384 64900"
	quick_acks
	start_farms "$1" <<<"$(route h2 special "alpn is h2" "sni is www.alpnlb.test")"
	# shellcheck disable=SC2086 # numbers
	{
		expect special --sni www.alpnlb.test --alpn h2 --grease --each pad $sizes
		expect special --sni www.alpnlb.test --alpn h2 --grease --records 1000 --cut 1400 --each pad $sizes
		expect default --sni www.alpnlb.test --alpn http/1.1 --grease --each pad $sizes
	}
	stop_daemon
}
@test "a hello of up to 64 kB with unknown extensions is understood (sockmap)" { sizes sockmap; }
@test "a hello of up to 64 kB with unknown extensions is understood (relay)" { sizes relay; }
@test "a hello of up to 64 kB with unknown extensions is understood (packet)" { sizes packet; }

dripping() {
	start_farms "$1" "hello_timeout: 600ms" <<<"$(route h2 special "alpn is h2")"
	assert_equal "$(reached "$LB4" 443 --alpn h2 --cut 300 --pause 0.2)" special
	assert_equal "$(reached "$LB4" 443 --alpn h2 --cut 30 --pause 0.2)" default
	await_stat .counters.hello_timeouts 1
	stop_daemon
}
@test "the hello timeout is for the whole hello of a client that drips (sockmap)" {
	dripping sockmap
}
@test "the hello timeout is for the whole hello of a client that drips (relay)" { dripping relay; }
@test "the hello timeout is for the whole hello of a client that drips (packet)" { dripping packet; }

plain_protocols() {
	quick_acks
	start_farms "$1" "hello_timeout: 300ms" <<-END
		$(route h2 special "protocol is http/2.0")
		$(route clear other "protocol in http, ssh" "not protocol is tls")
	END
	expect special --text 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
	expect special --text 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' --cut 1
	expect special --alpn 'h2'
	expect default --alpn 'a,h2' http/1.1
	expect other --text 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' --cut 1
	expect other --text 'SSH-2.0-OpenSSH_9.2\r\n'
	expect default --text '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00'
	expect default --text 'EHLO host.example\r\n'
	assert_equal "$(stats .counters.hello_timeouts)" 0
	stop_daemon
}
@test "clear-text protocols are told apart (sockmap)" { plain_protocols sockmap; }
@test "clear-text protocols are told apart (relay)" { plain_protocols relay; }
@test "clear-text protocols are told apart (packet)" { plain_protocols packet; }

server_speaks_first() {
	{
		farms special=11 default=12
		frontend "$1" default "hello_timeout: 300ms"
		printf 'routes:\n'
		route h2 special "alpn is h2"
	} >"$CONFIG"
	start_tcp special 11 9000 banner
	start_tcp default 12 9000 banner
	start_daemon
	assert_equal "$(reached "$LB4" 443 --expect 8 --timeout 5)" default
	await_stat .counters.hello_timeouts 1
	assert_equal "$(stats .verdicts.silent)" 1
}
@test "a client that waits for the server gets the default farm (sockmap)" {
	server_speaks_first sockmap
}
@test "a client that waits for the server gets the default farm (relay)" {
	server_speaks_first relay
}
@test "a client that waits for the server gets the default farm (packet)" {
	server_speaks_first packet
}

unreadable() {
	start_farms "$1" "hello_timeout: 300ms" <<-END
		$(ROUTE_WEIGHT=1 route lacks special "not sni is x.test")
		$(ROUTE_WEIGHT=2 route lacks-alpn special "not alpn exists")
		$(ROUTE_WEIGHT=3 route near other "source is 192.0.2.0/24")
	END
	local malformed='\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00'
	expect special --sni y.test
	expect special --text 'EHLO x\r\n'
	assert_equal "$(reached "$LB4" 443 --text "$malformed")" other
	assert_equal "$(reached "$LB6" 443 --text "$malformed")" default
	assert_equal "$(reached "$LB6" 443 --text '\x80\x2e\x01\x00\x02')" default
	assert_equal "$(reached "$LB6" 443 --sni y.test --cut 30 --pause 0.2)" default
	assert_equal "$(reached "$LB4" 443 --sni y.test --cut 30 --pause 0.2)" other
	assert_equal "$(stats '.verdicts | "\(.malformed) \(.sslv2) \(.silent)"')" "2 1 2"
	stop_daemon
}
@test "a negated rule does not catch a hello that cannot be read, or is late (sockmap)" {
	unreadable sockmap
}
@test "a negated rule does not catch a hello that cannot be read, or is late (relay)" {
	unreadable relay
}

# ---- rules --------------------------------------------------------------------------------

sni_rules() {
	start_farms "$1" <<-END
		$(ROUTE_WEIGHT=1 route exact special "sni is shop.alpnlb.test")
		$(ROUTE_WEIGHT=2 route suffix special "sni endswith .api.alpnlb.test")
		$(ROUTE_WEIGHT=3 route prefix other "sni startswith static-")
		$(ROUTE_WEIGHT=4 route middle other "sni contains .cdn.")
		$(ROUTE_WEIGHT=5 route list special "sni in one.test, two.test")
		$(ROUTE_WEIGHT=6 route present other "sni exists" "not sni endswith .plain.test")
	END
	expect special --sni shop.alpnlb.test
	expect special --sni SHOP.AlpnLB.test
	expect other --sni shop.alpnlb.test.example
	expect special --sni a.api.alpnlb.test
	expect other --sni api.alpnlb.test
	expect other --sni static-7.plain.test
	expect other --sni x.cdn.plain.test
	expect special --sni two.test
	expect other --sni three.test
	expect default --sni x.plain.test
	expect default --alpn h2
	stop_daemon
}
@test "SNI rules: is, endswith, startswith, contains, in, exists, negate (sockmap)" {
	sni_rules sockmap
}
@test "SNI rules: is, endswith, startswith, contains, in, exists, negate (relay)" {
	sni_rules relay
}
@test "SNI rules: is, endswith, startswith, contains, in, exists, negate (packet)" {
	sni_rules packet
}

@test "a trailing dot of the SNI is ignored" {
	guide auto
	printf 'routes:\n%s\n' "$(route dot h2 "sni is www.alpnlb.test")" >"$NETNS_DIR/routes"
	{ sed '/^routes:/,$d' "$CONFIG" && cat "$NETNS_DIR/routes"; } >"$NETNS_DIR/new.yaml"
	alpnlb apply "$NETNS_DIR/new.yaml"
	assert_matches "$(s_client "$LB4" -servername www.alpnlb.test.)" '^h2-[ab]$'
	assert_matches "$(s_client "$LB4" -servername WWW.alpnlb.TEST)" '^h2-[ab]$'
	assert_matches "$(s_client "$LB4" -servername ww.alpnlb.test.)" '^h1-[ab]$'
	stop_daemon
}

tls_rules() {
	start_farms "$1" <<-END
		$(ROUTE_WEIGHT=1 route old reject "tls.version in 1.0, 1.1")
		$(ROUTE_WEIGHT=2 route hidden other "tls.ech exists" "host is public.test")
		$(ROUTE_WEIGHT=3 route modern special "tls.version is 1.3" "tls.ech is absent")
	END
	assert_matches "$(reached "$LB4" 443 --tls 1.0)" '^(eof|reset)$'
	assert_matches "$(reached "$LB6" 443 --sni a.test --tls 1.1)" '^(eof|reset)$'
	expect default --sni public.test --tls 1.2
	expect special --sni public.test --tls 1.3
	expect special --alpn h2 http/1.1
	expect other --sni public.test --ech
	expect other --sni public.test --ech --tls 1.2 --cut 100
	expect default --sni other.test --ech
	expect default --text 'GET / HTTP/1.1\r\n\r\n'
	assert_equal "$(stats .counters.rejected)" 2
	stop_daemon
}
@test "TLS rules: the highest version offered, and ECH (sockmap)" { tls_rules sockmap; }
@test "TLS rules: the highest version offered, and ECH (relay)" { tls_rules relay; }
@test "TLS rules: the highest version offered, and ECH (packet)" { tls_rules packet; }

expressions() {
	local all=20
	quick_acks
	start_farms "$1" <<-END
		$(ROUTE_WEIGHT=1 route exact other "sni is web1.alpnlb.test")
		$(ROUTE_WEIGHT=2 route shape special 'sni matches ^web\d{1,3}[.]alpnlb[.]test$' "alpn is h2")
		$(ROUTE_WEIGHT=3 route words other 'alpn matches ^x-(a|b)+$')
		$(ROUTE_WEIGHT=4 route foreign special 'not sni matches [.]test$' "sni exists")
	END
	expect other --sni web1.alpnlb.test --alpn h2
	expect special --sni web2.alpnlb.test --alpn h2
	expect special --sni WEB200.AlpnLB.test --alpn http/1.1 h2 --cut 30 --records 90
	expect default --sni web2.alpnlb.test --alpn http/1.1
	expect default --sni web2000.alpnlb.test --alpn h2
	expect other --sni web2.alpnlb.test --alpn http/1.1 x-abba
	expect default --sni web2.alpnlb.test --alpn x-abc
	expect special --sni a.test.example
	expect default --alpn h2
	expect default --text 'GET / HTTP/1.1\r\n\r\n'
	[[ $1 != packet ]] || all=10 # the servers are IPv4
	assert_equal "$(stats ".paths.$1")" "$all" "connections over the path asked for"
	stop_daemon
}
@test "regular expressions for SNI and ALPN (sockmap)" { expressions sockmap; }
@test "regular expressions for SNI and ALPN (relay)" { expressions relay; }
@test "regular expressions for SNI and ALPN (packet)" { expressions packet; }

@test "only connections that need a regular expression ask the daemon" {
	start_farms auto <<-END
		$(ROUTE_WEIGHT=1 route exact special "sni is a.test")
		$(ROUTE_WEIGHT=2 route shape other "sni matches ^b" "alpn is h2")
	END
	expect special --sni a.test --alpn h2
	expect default --sni b.test
	expect default --alpn h2
	assert_equal "$(stats .counters.asked)" 0
	expect other --sni b.test --alpn h2
	expect default --sni c.test --alpn h2
	assert_equal "$(stats .counters.asked)" 4
	stop_daemon
}

refresh_of_expressions() {
	local n
	start_farms "$1" <<<"$(route shape special "sni matches ^a")"
	for n in 1 2 3; do
		netns_spawn client "$NETNS_DIR/c$n.log" "$PEERS/tcp" client "$LB4" 443 \
			--sni b.test --cut 60 --rest-when "$NETNS_DIR/go"
	done
	await_connections 3
	sed "s/pattern: '^a'/pattern: '^b'/" "$CONFIG" >"$NETNS_DIR/new.yaml"
	alpnlb apply "$NETNS_DIR/new.yaml"
	alpnlb apply "$CONFIG"
	alpnlb apply "$NETNS_DIR/new.yaml"
	touch "$NETNS_DIR/go"
	for n in 1 2 3; do
		assert_equal "$(held_report c$n | report_field line)" special
	done
	stop_daemon
}
@test "a hello that goes on over a refresh meets the new expressions (sockmap)" {
	refresh_of_expressions sockmap
}
@test "a hello that goes on over a refresh meets the new expressions (relay)" {
	refresh_of_expressions relay
}

hostile_expressions() {
	local a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
	start_farms "$1" <<-END
		$(ROUTE_WEIGHT=1 route slow special 'sni matches ^(a+)+$')
		$(ROUTE_WEIGHT=2 route rest other "sni exists")
	END
	expect special --sni aaaa
	assert_equal "$(stats .counters.regex_limits)" 0
	expect other --sni $a.$a.$a.b
	assert_equal "$(stats .counters.regex_limits)" 2
	assert_equal "$(grep -c 'the pattern "^(a+)+$" was given up' "$NETNS_DIR/daemon.log")" 1
	stop_daemon
}
@test "an expression that would take long is no match, and is counted and told (sockmap)" {
	hostile_expressions sockmap
}
@test "an expression that would take long is no match, and is counted and told (relay)" {
	hostile_expressions relay
}

source_rules() {
	start_farms "$1" <<-END
		$(route one special "source is 192.0.2.3")
		$(route some other "source in 192.0.2.4/31, 2001:db8:1::4/127")
	END
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.2 --alpn h2)" default
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.3 --alpn h2)" special
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.5 --alpn h2)" other
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.6 --alpn h2)" default
	assert_equal "$(reached "$LB6" 443 --source 2001:db8:1::3 --alpn h2)" default
	assert_equal "$(reached "$LB6" 443 --source 2001:db8:1::4 --alpn h2)" other
	stop_daemon
}
@test "source rules: addresses and blocks of both families (sockmap)" { source_rules sockmap; }
@test "source rules: addresses and blocks of both families (relay)" { source_rules relay; }
@test "source rules: addresses and blocks of both families (packet)" { source_rules packet; }

@test "routes that only read the source do not wait for the client to speak" {
	{
		farms special=11 default=12
		frontend auto default "hello_timeout: 60s"
		printf 'routes:\n'
		route one special "source is 192.0.2.3"
	} >"$CONFIG"
	start_tcp special 11 9000 banner
	start_tcp default 12 9000 banner
	start_daemon
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.3 --expect 8)" special
	assert_equal "$(reached "$LB4" 443 --expect 8)" default
}

reject_routes() {
	start_farms "$1" <<-END
		$(ROUTE_WEIGHT=1 route h2 special "alpn is h2")
		$(ROUTE_WEIGHT=9 route banned reject "sni is banned.test")
	END
	assert_matches "$(reached "$LB4" 443 --sni banned.test --alpn h2)" '^(eof|reset)$'
	assert_matches "$(reached "$LB6" 443 --sni banned.test)" '^(eof|reset)$'
	expect special --sni fine.test --alpn h2
	assert_equal "$(stats .counters.rejected)" 2
	stop_daemon
}
@test "reject routes come before farm routes, whatever their weight (sockmap)" {
	reject_routes sockmap
}
@test "reject routes come before farm routes, whatever their weight (relay)" {
	reject_routes relay
}
@test "reject routes come before farm routes, whatever their weight (packet)" {
	reject_routes packet
}

@test "the route of the lowest weight wins, then the oldest" {
	start_farms auto <<-END
		$(ROUTE_WEIGHT=5 route late other "alpn is h2")
		$(ROUTE_WEIGHT=2 route early special "alpn is h2" "sni exists")
		$(ROUTE_WEIGHT=5 route later special "alpn is h2")
	END
	expect special --sni a.test --alpn h2
	expect other --alpn h2
	stop_daemon
}

@test "without a default farm an unmatched client is closed and counted" {
	{
		farms special=11
		frontend auto ""
		printf 'routes:\n'
		route h2 special "alpn is h2"
	} >"$CONFIG"
	start_tcp special 11 9000 name
	start_daemon
	expect special --alpn h2
	assert_matches "$(reached "$LB4" 443 --alpn http/1.1)" '^(eof|reset)$'
	await_stat .counters.no_farm 1
	stop_daemon
}

@test "sources that are not allowed, or are denied, are closed and counted" {
	start_farms auto 'denied_source: [ 192.0.2.8/30, "2001:db8:1::9" ]' <<<"$(route h2 special "alpn is h2" && printf 'xdp: off\n')"
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.7 --alpn h2)" special
	assert_matches "$(reached "$LB4" 443 --source 192.0.2.9 --alpn h2)" '^(eof|reset)$'
	assert_matches "$(reached "$LB6" 443 --source 2001:db8:1::9 --alpn h2)" '^(eof|reset)$'
	assert_equal "$(stats .counters.refused_source)" 2
	assert_equal "$(reached "$LB6" 443 --source 2001:db8:1::8 --alpn h2)" special
	sed -i 's/denied_source: .*/allowed_source: [ 192.0.2.8\/30, "2001:db8:1::8\/126" ]/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.9 --alpn h2)" special
	assert_matches "$(reached "$LB4" 443 --source 192.0.2.7 --alpn h2)" '^(eof|reset)$'
	assert_equal "$(reached "$LB6" 443 --source 2001:db8:1::9 --alpn h2)" special
	assert_matches "$(reached "$LB6" 443 --source 2001:db8:1::7 --alpn h2)" '^(eof|reset)$'
	assert_equal "$(stats .counters.refused_source)" 4
	stop_daemon
}

# ---- balance ------------------------------------------------------------------------------

@test "roundrobin follows the weights exactly" {
	{
		farms default=11,12,13
		frontend auto default
	} | sed -e '/name: s11/s/ }/, weight: 3 }/' -e '/name: s13/s/ }/, weight: 0 }/' >"$CONFIG"
	start_tcp three 11 9000 name
	start_tcp one 12 9000 name
	start_tcp none 13 9000 name
	start_daemon
	for _ in {1..20}; do reached "$LB4" 443 --alpn h2; done | sort | uniq -c >"$NETNS_DIR/counts"
	assert_equal "$(awk '{ print $1, $2 }' "$NETNS_DIR/counts" | paste -sd,)" "5 one,15 three"
	stop_daemon
}

keeps_clients() {
	local host first
	{
		farms default=11,12,13,14
		frontend auto default
	} | sed "/- name: default/a\    balance: $1" >"$CONFIG"
	for host in 11 12 13 14; do start_tcp "s$host" "$host" 9000 name; done
	start_daemon
	for host in {2..9}; do
		first=$(reached "$LB4" 443 --source "192.0.2.$host" --alpn h2)
		printf '%s\n' "$first" >>"$NETNS_DIR/chosen"
		for _ in 1 2 3; do
			assert_equal "$(reached "$LB4" 443 --source "192.0.2.$host" --alpn h2)" "$first"
		done
	done
	(($(sort -u "$NETNS_DIR/chosen" | wc -l) >= 2)) || fail "8 clients, one server"
	stop_daemon
}
@test "source balance keeps a client on its server and spreads clients" { keeps_clients source; }
@test "maglev balance keeps a client on its server and spreads clients" { keeps_clients maglev; }

@test "a server that drains gets no new connections and keeps the live ones" {
	{
		farms default=11,12
		frontend auto default
	} >"$CONFIG"
	start_tcp drained 11 9000 echo
	start_tcp other 12 9000 name
	start_daemon
	hold client "$LB4" 443 --alpn h2 --then 1000
	await_stat '.servers[0].live' 1
	alpnlb server set default/s11 status drain
	alpnlb refresh run
	for _ in 1 2 3 4; do assert_equal "$(reached "$LB4" 443 --alpn h2)" other; done
	assert_echoed "$(end_held client)"
	assert_equal "$(alpnlb -j server show name default/s11 | gojq -r .status)" drain
	stop_daemon
}
