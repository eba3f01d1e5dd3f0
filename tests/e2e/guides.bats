#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Guides, each as a user follows it: files are written and applied to the running daemon, or changes
# are staged and refreshed, and real servers and clients show what has changed.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

load lib
load api

# apply_file: what a user does with standard input: check it, then make it the running one.
apply_file() {
	cat >"$CONFIG"
	alpnlb check "$CONFIG" >"$NETNS_DIR/checked" 2>"$NETNS_DIR/warned" || fail "$(cat "$NETNS_DIR/warned")"
	alpnlb apply "$CONFIG"
}

# closed ADDRESS HOST: curl gets no answer, since the connection is closed in the handshake.
closed() {
	local status=0
	peers_curl "$1" "$2/" >"$NETNS_DIR/curl.out" 2>&1 || status=$?
	((status == 35)) || fail "curl to $2 at $1: exit status $status, $(cat "$NETNS_DIR/curl.out")"
}

# two_farms FIRST SECOND DEFAULT < ROUTES: farms of a server each behind one address.
two_farms() {
	cat <<-END
		farms:
		  - name: $1
		    port: 8443
		    servers: [ { name: a, address: $(server4 11) } ]
		  - name: $2
		    port: 8443
		    servers: [ { name: b, address: $(server4 12) } ]
		frontends:
		  - { name: web, port: "443", default_farm: $3 }
		routes:
	END
	cat
}

# ---- routing by SNI, with reject and negate -----------------------------------------------

sni_file() {
	two_farms www shop www
}

# Of the client in the capture, once it is there.
says_why() {
	alpnlb hello classify file "$NETNS_DIR/hello.pcap" >"$NETNS_DIR/why" 2>&1 &&
		grep -Eq '1 +foreign +not sni in www[^ ]+ shop[^ ]+ +other.alpnlb.test +yes +decides' "$NETNS_DIR/why"
}

@test "guide: routing by SNI, with reject and negate" {
	local address route_shop route_foreign
	start_nginx www 11 8443 h2
	start_nginx shop 12 8443 h2

	# 1. one farm has everything
	sni_file <<<'  []' >"$CONFIG"
	start_daemon
	assert_equal "$(served_by "$LB4" shop.alpnlb.test --http2)" "HTTP/2 www"

	# 2. a route for the shop
	route_shop='  - name: shop
    frontend: web
    action: { type: farm, target: shop }
    rules:
      - { field: host, match: is, pattern: shop.alpnlb.test }'
	sni_file <<<"$route_shop" | apply_file
	for address in "$LB4" "$LB6"; do
		assert_equal "$(served_by "$address" shop.alpnlb.test --http2)" "HTTP/2 shop"
		assert_equal "$(served_by "$address" SHOP.alpnlb.test --http1.1)" "HTTP/1.1 shop"
		assert_equal "$(served_by "$address" www.alpnlb.test --http2)" "HTTP/2 www"
		assert_equal "$(served_by "$address" other.alpnlb.test --http2)" "HTTP/2 www"
	done

	# 3. names that are not ours are rejected, and so are clients without a name
	route_foreign='  - name: foreign
    frontend: web
    weight: 200
    action: { type: reject }
    rules:
      - { field: host, match: in, pattern: "www.alpnlb.test, shop.alpnlb.test", negate: true }'
	sni_file <<<"$route_shop"$'\n'"$route_foreign" | apply_file
	assert_matches "$(cat "$NETNS_DIR/warned")" \
		'warning: [^ ]*: frontends\[0\]: server names choose between the farms "shop", "[a-z]+", for HTTP/2'
	assert_equal "$(wc -l <"$NETNS_DIR/warned")" 1
	for address in "$LB4" "$LB6"; do
		assert_equal "$(served_by "$address" shop.alpnlb.test --http2)" "HTTP/2 shop"
		assert_equal "$(served_by "$address" www.alpnlb.test --http2)" "HTTP/2 www"
		closed "$address" other.alpnlb.test
		assert_equal "$(s_client "$address" -noservername)" ""
	done

	# 4. why, and how often
	netns_spawn balancer "$NETNS_DIR/tcpdump.log" \
		tcpdump --immediate-mode -U -i any -w "$NETNS_DIR/hello.pcap" tcp port 443
	netns_await 20 grep -q 'listening on' "$NETNS_DIR/tcpdump.log"
	closed "$LB4" other.alpnlb.test
	netns_await 10 says_why || fail "$(cat "$NETNS_DIR/why")"
	netns_stop "$NETNS_PID"
	assert_equal "$(alpnlb -j route show name foreign | gojq .matched)" 5
	assert_equal "$(stats .counters.rejected)" 5
	stop_daemon
}

# ---- pre-production by source -------------------------------------------------------------

# source_file DEFAULT < ROUTES: what is in production, and what comes next.
source_file() {
	two_farms production preproduction "$1"
}

# from ADDRESS-OF-CLIENT LB [CURL-OPTION...]: who answers a client at this address.
from() {
	served_by "$2" www.alpnlb.test --interface "$1" "${@:3}"
}

@test "guide: pre-production by source" {
	local route
	start_nginx production 11 8443 h2
	start_nginx next 12 8443 h2

	# 1. everybody is served by production
	source_file production <<<'  []' >"$CONFIG"
	start_daemon
	assert_equal "$(from 192.0.2.4 "$LB4")" "HTTP/2 production"

	# 2. the office, at some addresses of both families, sees what comes next
	route='  - name: office
    frontend: web
    action: { type: farm, target: preproduction }
    rules:
      - { field: source, match: in, pattern: "192.0.2.4, 192.0.2.8/31, 2001:db8:1::4/127" }'
	source_file production <<<"$route" | apply_file
	assert_equal "$(from 192.0.2.4 "$LB4")" "HTTP/2 next"
	assert_equal "$(from 192.0.2.9 "$LB4")" "HTTP/2 next"
	assert_equal "$(from 2001:db8:1::5 "$LB6")" "HTTP/2 next"
	assert_equal "$(from 192.0.2.5 "$LB4")" "HTTP/2 production"
	assert_equal "$(from 192.0.2.7 "$LB4")" "HTTP/2 production"
	assert_equal "$(from 2001:db8:1::6 "$LB6")" "HTTP/2 production"

	# 3. only under the name of the test, which the rule beside it asks for
	source_file production <<<"$route"'
      - { field: host, match: startswith, pattern: next. }' | apply_file
	assert_equal "$(from 192.0.2.4 "$LB4")" "HTTP/2 production"
	assert_equal "$(served_by "$LB4" next.alpnlb.test --interface 192.0.2.4)" "HTTP/2 next"
	assert_equal "$(served_by "$LB4" next.alpnlb.test --interface 192.0.2.5)" "HTTP/2 production"

	# 4. it has proved itself: the default farm changes, and the route goes
	source_file preproduction <<<'  []' | apply_file
	assert_equal "$(from 192.0.2.5 "$LB4")" "HTTP/2 next"
	assert_equal "$(from 2001:db8:1::6 "$LB6")" "HTTP/2 next"
	stop_daemon
}

# slow_download NGINX...: a file that these have, at 1 kB/s. Sets DOWNLOAD, to wait for.
slow_download() {
	local name
	head -c 4000 /dev/urandom >"$NETNS_DIR/slow"
	for name in "$@"; do cp "$NETNS_DIR/slow" "$NETNS_DIR/$name/files"; done
	peers_curl "$LB4" www.alpnlb.test/slow/slow --no-buffer --output "$NETNS_DIR/download" 3>&- &
	DOWNLOAD=$!
	netns_await 10 test -s "$NETNS_DIR/download"
}

# ---- blue/green ---------------------------------------------------------------------------

@test "guide: blue/green, by swapping the default farms of two frontends in one refresh" {
	start_nginx one 11 8443 h2
	start_nginx two 12 8443 h2

	# 1. blue is live on 443, green is looked at on 8443
	two_farms blue green blue <<<'  []' >"$CONFIG"
	start_daemon
	alpnlb frontend add preview port 8443 default_farm green
	alpnlb refresh run
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 one"
	assert_equal "$(served_by "$LB4" www.alpnlb.test:8443 --http2)" "HTTP/2 two"

	# 2. somebody is in the middle of a download
	slow_download one two

	# 3. they change places: nothing does before the refresh, both do with it
	alpnlb frontend set web default_farm green
	alpnlb frontend set preview default_farm blue
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 one"
	alpnlb refresh run
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 two"
	assert_equal "$(served_by "$LB6" www.alpnlb.test --http2)" "HTTP/2 two"
	assert_equal "$(served_by "$LB4" www.alpnlb.test:8443 --http2)" "HTTP/2 one"

	# 4. the download ends where it began
	kill -0 "$DOWNLOAD" || fail "the download ended before the refresh"
	wait "$DOWNLOAD" || fail "the download failed"
	cmp "$NETNS_DIR/download" "$NETNS_DIR/slow"

	# 5. and back, to the revision before
	alpnlb revision rollback 2
	alpnlb refresh run
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 one"
	stop_daemon
}

# ---- dedicated addresses ------------------------------------------------------------------

# refused_at ADDRESS [PORT]: nobody listens there.
refused_at() {
	local status=0
	peers_curl "$1" "www.alpnlb.test:${2:-443}/" >"$NETNS_DIR/curl.out" 2>&1 || status=$?
	((status == 7)) || fail "curl to $1: exit status $status, $(cat "$NETNS_DIR/curl.out")"
}

@test "guide: dedicated addresses" {
	local second=192.0.2.101
	ip -n "$NETNS_NAME-balancer" addr add "$second/24" dev client
	start_nginx www 11 8443 h2
	start_nginx shop 12 8443 h2

	# 1. one frontend has every address of the host
	sni_file <<<'  []' >"$CONFIG"
	start_daemon
	assert_equal "$(served_by "$LB4" www.alpnlb.test)" "HTTP/2 www"
	assert_equal "$(served_by "$second" www.alpnlb.test)" "HTTP/2 www"

	# 2. another one on the same port is refused, as long as it has
	run -1 alpnlb frontend add shop port 443 default_farm shop dedicated_ipfo "$second"
	assert_matches "$output" '443 belongs to the frontend "web" on the same address'

	# 3. each gets its own
	alpnlb frontend set web dedicated_ipfo "$LB4,$LB6"
	alpnlb frontend add shop port 443 default_farm shop dedicated_ipfo "$second"
	alpnlb refresh run
	assert_equal "$(served_by "$LB4" www.alpnlb.test)" "HTTP/2 www"
	assert_equal "$(served_by "$LB6" www.alpnlb.test)" "HTTP/2 www"
	assert_equal "$(served_by "$second" www.alpnlb.test)" "HTTP/2 shop"

	# 4. the shop closes, and its address with it
	alpnlb frontend delete shop
	alpnlb refresh run
	refused_at "$second"
	assert_equal "$(served_by "$LB4" www.alpnlb.test)" "HTTP/2 www"

	# 5. back to all
	alpnlb frontend set web dedicated_ipfo null
	alpnlb refresh run
	assert_equal "$(served_by "$second" www.alpnlb.test)" "HTTP/2 www"
	stop_daemon
}

# ---- zones --------------------------------------------------------------------------------

# zones: "gra here 0, rbx - 1": each zone, and how much is staged for it.
zones() {
	alpnlb -j zone show | gojq -r 'map("\(.name) \(if .here then "here" else "-" end) \(.pending)") | join(", ")'
}

@test "guide: zones" {
	start_nginx www 11 8443 h2
	start_nginx shop 12 8443 h2

	# 1. this instance is in gra
	{
		printf 'zone: gra\n'
		sni_file <<<'  []' | sed 's/name: web,/&  zone: gra,/'
	} >"$CONFIG"
	start_daemon
	assert_equal "$(zones)" "gra here 0"

	# 2. what is of rbx is kept, and not installed here
	alpnlb frontend add far zone rbx port 8443 default_farm shop
	assert_equal "$(zones)" "gra here 0, rbx - 1"
	alpnlb refresh run zone rbx
	assert_equal "$(zones)" "gra here 0, rbx - 0"
	assert_equal "$(alpnlb -j frontend show name far staged | gojq .listens)" false
	run -3 alpnlb frontend show far
	assert_matches "$output" "no frontend 'far', .*; of another zone: alpnlb frontend show zone ZONE"
	assert_equal "$(alpnlb -j frontend show far zone rbx | gojq -r '[.zone, .default_farm, .listens] | join(" ")')" "rbx shop false"
	assert_equal "$(alpnlb -j server show farm shop zone rbx | gojq -r '.[0] | .endpoint, .live')" $'198.51.100.12:8443\nnull'
	assert_equal "$(served_by "$LB4" www.alpnlb.test)" "HTTP/2 www"
	refused_at "$LB4" 8443

	# 3. a refresh of one zone leaves what is staged for the other
	alpnlb frontend set web default_farm shop
	alpnlb frontend set far default_farm www
	assert_equal "$(zones)" "gra here 1, rbx - 1"
	alpnlb refresh run zone rbx
	assert_equal "$(zones)" "gra here 1, rbx - 0"
	assert_equal "$(alpnlb -j frontend show zone rbx | gojq -r 'map("\(.name) \(.default_farm)") | join(", ")')" "web shop, far www"
	assert_equal "$(alpnlb -j frontend show zone gra | gojq -r 'map("\(.name) \(.default_farm)") | join(", ")')" "web www"
	run -3 alpnlb frontend show zone 'rbx&'
	assert_matches "$output" "there is no zone 'rbx&', allowed: gra, rbx"
	run -2 alpnlb frontend show staged zone rbx
	assert_equal "$(served_by "$LB4" www.alpnlb.test)" "HTTP/2 www"
	alpnlb refresh run zone gra
	assert_equal "$(zones)" "gra here 0, rbx - 0"
	assert_equal "$(served_by "$LB4" www.alpnlb.test)" "HTTP/2 shop"

	# 4. for every zone: here, too
	alpnlb frontend set far zone all
	alpnlb refresh run
	assert_equal "$(served_by "$LB4" www.alpnlb.test:8443)" "HTTP/2 www"
	stop_daemon
}

# ---- balancing ----------------------------------------------------------------------------

# shares N: "3 a, 1 b": who served N clients, one after the other.
shares() {
	local i
	for ((i = 0; i < $1; i++)); do served_by "$LB4" www.alpnlb.test --http2; done |
		sort | uniq -c | awk '{ print $1, $3 }' | paste -sd, | sed 's/,/, /'
}

# balance WORD...: sets attributes of the farm.
balance() {
	alpnlb farm set web balance "$@"
	alpnlb refresh run
}

# by_source: who serves each of some clients.
by_source() {
	local source
	for source in 192.0.2.{2..9}; do from "$source" "$LB4"; done
}

@test "guide: balancing" {
	local a busy kind
	start_nginx a 11 8443 h2
	a=$NETNS_PID
	start_nginx b 12 8443 h2

	# 1. in turn, without a word
	cat >"$CONFIG" <<-END
		farms:
		  - name: web
		    port: 8443
		    servers:
		      - { name: a, address: $(server4 11) }
		      - { name: b, address: $(server4 12) }
		frontends:
		  - { name: web, port: "443", default_farm: web }
	END
	start_daemon
	assert_equal "$(shares 4)" "2 a, 2 b"

	# 2. by weight, to none at last
	alpnlb server set web/a weight 3
	alpnlb refresh run
	assert_equal "$(shares 8)" "6 a, 2 b"
	alpnlb server set web/a weight 0
	alpnlb refresh run
	assert_equal "$(shares 4)" "4 b"

	# 3. the least connections, by weight: who sends a slow file gets the next client later
	alpnlb server set web/a weight null
	balance leastconn
	await_stat '[.servers[].live] | add' 0
	slow_download a b
	busy=$(alpnlb -j conn show | gojq -r '.[].server')
	assert_matches "$(shares 1) $busy" '^1 (a b|b a)$'
	wait "$DOWNLOAD" || fail "the download failed"

	# 4. by the client's address: always the same server for each, and not the same for all
	for kind in source maglev; do
		balance "$kind"
		by_source >"$NETNS_DIR/before"
		by_source >"$NETNS_DIR/after"
		diff "$NETNS_DIR/before" "$NETNS_DIR/after" || fail "$kind: clients have changed their server"
		assert_equal "$(sort -u "$NETNS_DIR/after" | paste -sd,)" "HTTP/2 a,HTTP/2 b" "$kind"
	done

	# 5. by chance
	balance random
	assert_matches "$(shares 20)" '^[0-9]+ a, [0-9]+ b$'

	# 6. the first one, and the next while it is down
	balance first
	assert_equal "$(shares 4)" "4 a"
	netns_stop "$a"
	assert_equal "$(shares 4)" "4 b"

	# 7. anything else is refused
	run -1 alpnlb farm set web balance fastest
	assert_matches "$output" 'balance: "fastest" is unknown'
	stop_daemon
}

# ---- PROXY protocol -----------------------------------------------------------------------

# proxy_file VERSION [ATTRIBUTE]: of the header that the only server gets; of the frontend.
proxy_file() {
	cat <<-END
		farms:
		  - name: web
		    port: 8443
		    servers: [ { name: a, address: $(server4 11), proxy_protocol_version: $1 } ]
		frontends:
		  - { name: web, port: "443", default_farm: web, ${2:-disabled: false} }
	END
}

# start_front WORD: an HAProxy in front of the balancer, at two of the client's addresses, that tells it of its clients.
start_front() {
	cat >"$NETNS_DIR/front.cfg" <<-END
		defaults
		    timeout client 20s
		    timeout connect 20s
		    timeout server 20s
		listen four
		    bind 192.0.2.9:443
		    server lb $LB4:443 source 192.0.2.9 $1
		listen six
		    bind [2001:db8:1::9]:443
		    server lb [$LB6]:443 source [2001:db8:1::9] $1
	END
	netns_spawn client "$NETNS_DIR/front.log" haproxy -db -f "$NETNS_DIR/front.cfg"
	netns_await 10 netns_listens client 443 || fail "$(cat "$NETNS_DIR/front.log")"
}

# client_seen LB SOURCE: which client the server tells of.
client_seen() {
	peers_curl "$1" www.alpnlb.test/ --interface "$2" --output /dev/null --dump-header - |
		tr -d '\r' | sed -n 's/^x-client: //p'
}

@test "guide: the client's address by the PROXY protocol" {
	local version
	start_nginx web 11 8443 proxy

	# 1. the server expects a header and gets none: no handshake
	proxy_file null >"$CONFIG"
	start_daemon
	closed "$LB4" www.alpnlb.test

	# 2. with either version of the header it knows the client
	for version in v1 v2; do
		proxy_file "$version" | apply_file
		assert_equal "$(client_seen "$LB4" 192.0.2.4)" 192.0.2.4
		assert_equal "$(client_seen "$LB6" 2001:db8:1::5)" 2001:db8:1::5
	done

	# 3. behind another balancer the client is that one, until it tells of its clients
	start_front ''
	assert_equal "$(client_seen 192.0.2.9 192.0.2.4)" 192.0.2.9
	netns_stop "$NETNS_PID"
	proxy_file v1 'proxy_sources: [ 192.0.2.9, "2001:db8:1::9" ]' | apply_file
	for version in send-proxy send-proxy-v2 send-proxy-v2-ssl; do
		start_front "$version"
		assert_equal "$(client_seen 192.0.2.9 192.0.2.4)" 192.0.2.4
		assert_equal "$(client_seen 2001:db8:1::9 2001:db8:1::5)" 2001:db8:1::5
		netns_stop "$NETNS_PID"
	done
	assert_equal "$(client_seen "$LB4" 192.0.2.5)" 192.0.2.5
	stop_daemon
}

# ---- logs and metrics ---------------------------------------------------------------------

# logged PATTERN: a line of the log has it.
logged() {
	grep -Eq "$1" "$NETNS_DIR/access.log"
}

@test "guide: logs, with SNI, ALPN and route, and metrics of every object" {
	local family
	start_nginx h2-a 11 8443 h2
	start_nginx h1-a 12 8443 http1
	two_farms h2 h1 h1 <<-'END' >"$CONFIG"
		  - name: http2
		    frontend: web
		    action: { type: farm, target: h2 }
		    rules: [ { field: protocol, match: is, pattern: http/2.0 } ]
		  - name: old
		    frontend: web
		    action: { type: reject }
		    rules: [ { field: sni, match: is, pattern: old.alpnlb.test } ]
	END
	start_daemon

	# 1. a log of connections goes to a file, and each has its line
	netns_spawn balancer "$NETNS_DIR/access.log" "$ALPNLB" --instance "$NETNS_NAME" monitor connections
	netns_await 10 logged 'monitor revision=1'
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 h2-a"
	assert_equal "$(served_by "$LB6" www.alpnlb.test --http1.1)" "HTTP/1.1 h1-a"
	closed "$LB4" old.alpnlb.test
	family='client=192\.0\.2\.2:[0-9]+ local=192\.0\.2\.1:443'
	netns_await 10 logged "Z ended $family frontend=web route=http2 farm=h2 server=a .*sni=www.alpnlb.test alpn=h2,http/1.1 " ||
		fail "$(cat "$NETNS_DIR/access.log")"
	netns_await 10 logged 'Z ended client=\[2001:.* frontend=web route=default farm=h1 server=b .*sni=www.alpnlb.test alpn=http/1.1 ' ||
		fail "$(cat "$NETNS_DIR/access.log")"
	netns_await 10 logged "Z closed reason=rejected $family frontend=web route=old verdict=tls sni=old.alpnlb.test "

	# 2. metrics: by the command, for the textfile collector, and by the API; the same, and well-formed
	alpnlb metrics >"$NETNS_DIR/alpnlb.prom"
	"$TREE/tests/e2e/peers/prometheus.py" "$NETNS_DIR/alpnlb.prom" >"$NETNS_DIR/samples"
	netns_exec balancer curl -sS --fail --unix-socket "/run/alpnlb/$NETNS_NAME/control.sock" --dump-header "$NETNS_DIR/head" \
		http://lb/1.0/alpnlb/metrics | diff - "$NETNS_DIR/alpnlb.prom"
	grep -q '^Content-Type: text/plain; version=0.0.4' "$NETNS_DIR/head"
	grep -Fx 'alpnlb_rejected_total 1' "$NETNS_DIR/samples"
	grep -Fx 'alpnlb_frontend_accepted_total{frontend="web"} 3' "$NETNS_DIR/samples"
	grep -Fx 'alpnlb_frontend_hellos_total{frontend="web",verdict="tls"} 3' "$NETNS_DIR/samples"
	grep -Fx 'alpnlb_route_matched_total{frontend="web",route="http2"} 1' "$NETNS_DIR/samples"
	grep -Fx 'alpnlb_farm_chosen_total{farm="h1"} 1' "$NETNS_DIR/samples"
	grep -Fx 'alpnlb_server_connected_total{farm="h2",server="a"} 1' "$NETNS_DIR/samples"
	grep -Ex 'alpnlb_server_bytes_from_servers_total\{farm="h2",server="a"\} [1-9][0-9]{2,}' "$NETNS_DIR/samples"
	stop_daemon
}

# ---- SMTP with PROXY v1 -------------------------------------------------------------------

has_been_sent() {
	grep -q 'status=sent' "$NETNS_DIR/postfix/log"
}

@test "guide: SMTP with PROXY v1" {
	start_postfix 11 2525

	# 1. a farm for the mail server, and a frontend without routes: the server speaks first
	cat >"$CONFIG" <<-END
		farms:
		  - name: mail
		    port: 2525
		    servers: [ { name: mx, address: $(server4 11), proxy_protocol_version: v1 } ]
		frontends:
		  - { name: smtp, port: "25", default_farm: mail }
	END
	start_daemon

	# 2. mail gets through, and the mail server knows who sent it
	printf 'Subject: greetings\n\nhello\n' >"$NETNS_DIR/mail"
	netns_exec client curl --silent --show-error --max-time 20 --interface 192.0.2.4 \
		"smtp://$LB4/client.alpnlb.test" --mail-from me@client.alpnlb.test \
		--mail-rcpt you@mx.alpnlb.test --upload-file "$NETNS_DIR/mail"
	netns_await 20 has_been_sent || fail "$(cat "$NETNS_DIR/postfix/log")"
	assert_matches "$(cat "$NETNS_DIR/postfix/log")" 'client=unknown\[192\.0\.2\.4\]'
	stop_daemon
}

# ---- probes, and reading server states ----------------------------------------------------

# state_of SERVER [EXPRESSION]: of its state by the API; `status` unless told otherwise.
state_of() {
	api GET "tcp/farm/1/server/$1" | gojq -r ".serverState[0]${2:-.status}"
}

has_status() {
	[[ $(state_of "$1") == "$2" ]]
}

@test "guide: probes, and reading server states" {
	local second i
	start_nginx first 11 8443 h2
	start_nginx second 12 8443 h2
	second=$NETNS_PID

	# 1. two servers, and nobody looks after them
	cat >"$CONFIG" <<-END
		farms:
		  - name: h2
		    port: 8443
		    servers:
		      - { name: a, address: $(server4 11) }
		      - { name: b, address: $(server4 12) }
		frontends:
		  - { name: web, port: "443", default_farm: h2 }
	END
	start_daemon
	assert_equal "$(state_of 1 '|[.status, .checkTime]|join(" ")')" "unknown "

	# 2. which probes there are; one is staged, turned on for the servers, and installed
	assert_equal "$(api GET availableFarmProbes | gojq -c 'map(select(.type == "http"))[0]')" \
		'{"matches":["default","status","contains","matches"],"method":["GET","HEAD","OPTIONS"],"negatableMatches":["default","status","contains","matches"],"port":true,"type":"http","url":true}'
	api PUT tcp/farm/1 '{"probe": {"type": "http", "interval": 0.2, "method": "GET", "url": "www.alpnlb.test/", "forceSsl": true, "match": "status", "pattern": "200"}}'
	api PUT tcp/farm/1/server/1 '{"probe": true}'
	api PUT tcp/farm/1/server/2 '{"probe": true}'
	assert_equal "$(state_of 1)" unknown "before the refresh"
	api POST refresh '{"zone": "all"}' | gojq -e '.status == "done"'

	# 3. their states
	netns_await 10 has_status 1 ok
	netns_await 10 has_status 2 ok
	assert_equal "$(state_of 2 '|[.instanceId, .checkStatus, .checkCode, .lastCheckContent]|join(" ")')" \
		"1 L7OK 200 HTTP/1.1 200 OK"
	assert_equal "$(api GET status | gojq -c '[.service.status, .farms.status.ok, .servers.status.ok]')" '["ok",1,2]'

	# 4. one stops: it is seen, and clients go to the other
	netns_stop "$second"
	netns_await 10 has_status 2 error
	assert_equal "$(state_of 2 '|[.checkStatus, .lastCheckContent]|join(" ")')" "L4CON Connection refused"
	assert_equal "$(api GET status | gojq -c '[.service.status, .farms.status.warn, .servers.status.error]')" '["ok",1,1]'
	for i in 1 2 3; do
		assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 first"
	done
	assert_matches "$(alpnlb server show)" $'\n +2 +h2 +b +[0-9.:]+ +active +down '
	assert_matches "$(alpnlb server show h2/b)" $'\nCHECK +L4CON\nCHECK CODE +111\nCHECK TEXT +Connection refused\n'

	# 5. it is back
	start_nginx second 12 8443 h2
	netns_await 10 has_status 2 ok
	assert_equal "$(for i in 1 2; do served_by "$LB4" www.alpnlb.test --http2; done | sort | paste -sd,)" \
		"HTTP/2 first,HTTP/2 second"
	stop_daemon
}

# ---- stickiness ---------------------------------------------------------------------------

# visits HOST: who serves three visits of a client, each of them once.
visits() {
	local i
	for i in 1 2 3; do from "192.0.2.$1" "$LB4"; done | awk '{ print $2 }' | sort -u | paste -sd,
}

@test "guide: stickiness" {
	start_nginx a 11 8443 h2
	start_nginx b 12 8443 h2

	# 1. a shop whose servers keep baskets to themselves: a client comes to both
	cat >"$CONFIG" <<-END
		farms:
		  - name: shop
		    port: 8443
		    servers: [ { name: a, address: $(server4 11) }, { name: b, address: $(server4 12) } ]
		frontends:
		  - { name: web, port: "443", default_farm: shop }
	END
	start_daemon
	assert_equal "$(visits 4)" "a,b"

	# 2. sourceIp, by the API
	api PUT tcp/farm/1 '{"stickiness": "sourceIp", "stickTtl": 3600, "stickSize": 5000}' >/dev/null
	assert_matches "$(api GET tcp/farm/1)" \
		'"stickiness":"sourceIp","stickSize":5000,"stickTtl":3600,"stickOnDrain":false'
	assert_equal "$(visits 4)" "a,b" "not before the refresh"
	api POST refresh >/dev/null
	assert_matches "$(visits 4) $(visits 5) $(visits 4) $(visits 5)" '^(b a b a|a b a b)$'

	# 3. who is where
	assert_equal "$(alpnlb -j stick show | gojq -r '.[].client' | sort | paste -sd,)" 192.0.2.4,192.0.2.5
	assert_equal "$(alpnlb -j stick show client 192.0.2.4 | gojq -r '.[].server')" "$(visits 4)"

	# 4. work on b: its clients go to a, and stay there until they are let go
	alpnlb server drain shop/b wait 30
	assert_equal "$(visits 4) $(visits 5)" "a a"
	alpnlb server undrain shop/b
	assert_equal "$(visits 4) $(visits 5)" "a a"
	alpnlb stick delete farm shop
	assert_matches "$(visits 4) $(visits 5)" '^(b a|a b)$'

	# 5. no longer
	api PUT tcp/farm/1 '{"stickiness": null}' >/dev/null
	api POST refresh >/dev/null
	assert_equal "$(visits 4)" "a,b"

	# 6. other ways to stick are refused, by name
	run -1 alpnlb farm set shop stickiness cookie
	assert_matches "$output" 'stickiness: "cookie" is unknown, allowed: sourceIp, null'
	stop_daemon
}
