#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Servers that are probed: who is up, how that is found out and shown, and what becomes of clients.

# shellcheck disable=SC2030,SC2031 # every test is a subshell

load lib
load api
load packet

# server FARM/NAME EXPRESSION: a gojq expression over the server as it is shown.
server() {
	ask server show "$1" | gojq -r "$2"
}

server_is() {
	[[ $(server "$1" .state) == "$2" ]]
}

await_state() {
	netns_await "${3:-10}" server_is "$1" "$2" || fail "$1 is not $2: $(alpnlb -j server show "$1")"
}

all_checked() {
	[[ $(ask server show | gojq 'all(.[]; .probe == false or .last_check != null)') == true ]]
}

# as_user USER COMMAND...: PostgreSQL refuses to be root.
as_user() {
	local user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
}

# start_mariadb HOST PORT: sets MARIADB_PID once it listens; its files are made before.
start_mariadb() {
	local dir=$NETNS_DIR/mariadb
	netns_spawn server "$dir.log" mariadbd --no-defaults --user=mysql --datadir="$dir" \
		--tmpdir="$dir.tmp" --socket="$dir/socket" --pid-file="$dir/pid" \
		--bind-address="$(server4 "$1")" --port="$2" \
		--innodb-log-file-size=4M --innodb-buffer-pool-size=8M --skip-name-resolve --log-warnings=9 \
		--init-file="$dir.sql" --ssl-cert="$NETNS_DIR/cert.pem" --ssl-key="$dir.key"
	MARIADB_PID=$NETNS_PID
	netns_await 20 netns_listens_at "$(server4 "$1")" "$2" || fail "$(cat "$dir.log")"
}

# A user who may come from the balancer: whoever has none there is not let in at all. Each server
# has a directory for its temporary tables: where it starts it removes whatever others have there.
make_mariadb() {
	local dir=$NETNS_DIR/mariadb
	install -o mysql -m 600 "$NETNS_DIR/key.pem" "$dir.key"
	install -o mysql -d "$dir.tmp"
	echo "CREATE USER IF NOT EXISTS app@'%' IDENTIFIED BY 'secret';" >"$dir.sql"
	mariadb-install-db --no-defaults --user=mysql --datadir="$dir" --tmpdir="$dir.tmp" \
		--skip-test-db --skip-name-resolve --innodb-log-file-size=4M \
		--auth-root-authentication-method=normal
}

make_postgres() {
	local dir=$NETNS_DIR/postgres
	install -d -o postgres -m 700 "$dir" &&
		install -o postgres -m 600 "$NETNS_DIR/key.pem" "$dir.key" &&
		as_user postgres "$(pg_config --bindir)/initdb" --no-sync --auth-local=trust -D "$dir" \
			--auth-host=scram-sha-256 &&
		echo 'host all all 0.0.0.0/0 scram-sha-256' >>"$dir/pg_hba.conf"
}

# start_postgres HOST PORT: likewise.
start_postgres() {
	local dir=$NETNS_DIR/postgres
	netns_spawn server "$dir.log" setpriv --reuid=postgres --regid=postgres --clear-groups -- \
		"$(pg_config --bindir)/postgres" -D "$dir" -c fsync=off -c unix_socket_directories= \
		-c listen_addresses="$(server4 "$1")" -c port="$2" \
		-c ssl=on -c ssl_cert_file="$NETNS_DIR/cert.pem" -c ssl_key_file="$dir.key"
	netns_await 20 netns_listens_at "$(server4 "$1")" "$2" || fail "$(cat "$dir.log")"
}

# probed NAME PORT PROBE [SERVER-ATTRIBUTES]: a farm with a probed server `a` at host 11.
probed() {
	printf '  - { name: %s, port: %s, probe: { interval: 500ms, %s },\n' "$1" "$2" "$3"
	printf '      servers: [ { name: a, address: %s, probe: true%s } ] }\n' "$(server4 11)" "${4:+, $4}"
}

# How each server is: FARM STATE CHECK CODE, in the order of the file.
states() {
	alpnlb -j server show | gojq -r '.[] | [.farm, .state, .check_status, .check_code] | join(" ")'
}

# check_says FARM/NAME TEXT: its state and its last check, which begin like that.
check_says() {
	[[ $(server "$1" '[.state, .check_status, .check_text] | join(" ")') == "$2"* ]]
}

@test "every kind of probe, on real servers" {
	local making trust
	peers_certificate
	make_mariadb >"$NETNS_DIR/make-mariadb.out" 2>&1 &
	making=$!
	make_postgres >"$NETNS_DIR/make-postgres.out" 2>&1 || fail "$(cat "$NETNS_DIR/make-postgres.out")"
	start_postgres 11 5432
	start_nginx clear 11 9000 clear
	start_nginx h2 11 9001 h2
	start_nginx proxy 11 9002 proxy
	start_postfix 11 2525
	start_tcp oco 11 79 banner --name '200 fine'
	start_tcp sick 11 9079 banner --name '500 sick'
	wait "$making" || fail "$(cat "$NETNS_DIR/make-mariadb.out")"
	start_mariadb 11 3306
	trust="verify: true, ca: $NETNS_DIR/ca.pem, sni: www.alpnlb.test"
	{
		printf 'farms:\n'
		probed tcp 9000 'type: tcp'
		probed tcp-match 9079 'type: tcp, match: matches, pattern: "^5.. sick"'
		probed tcp-not 9079 'type: tcp, match: contains, pattern: sick, negate: true'
		probed tcp-none 9999 'type: tcp'
		probed http 9000 'type: http, url: /, method: GET'
		probed http-404 9000 'type: http, url: www.alpnlb.test/files/none, method: HEAD, match: status, pattern: "404"'
		probed http-not 9000 'type: http, method: GET, url: /files/none'
		probed http-body 9000 'type: http, method: GET, match: contains, pattern: clear'
		probed https 9001 'type: http, method: GET, force_ssl: true, match: matches, pattern: "^h2"'
		probed http-ssl 9001 'type: http, method: GET, match: matches, pattern: "^h2"' 'ssl: true'
		probed http-own-port 9002 'type: http, method: GET, port: 9000' 'proxy_protocol_version: v2'
		probed http-proxy 9002 'type: http, method: GET, force_ssl: true' 'proxy_protocol_version: v2'
		probed http-no-proxy 9002 'type: http, method: GET, force_ssl: true'
		probed smtp 2525 'type: smtp' 'proxy_protocol_version: v1'
		probed smtp-http 9000 'type: smtp'
		probed mysql 3306 'type: mysql'
		probed mysql-oco 9079 'type: mysql, timeout: 300ms'
		probed pgsql 5432 'type: pgsql'
		probed pgsql-http 9000 'type: pgsql'
		probed oco 80 'type: oco'
		probed tls 9001 "type: tls, alpn: h2, cert_name: www.alpnlb.test, cert_days: 1, $trust"
		probed tls-alpn 9001 'type: tls, alpn: imap'
		probed tls-trust 9001 'type: tls, verify: true'
		probed tls-name 9001 "type: tls, cert_name: www.example.com, $trust"
		probed tls-days 9001 "type: tls, cert_days: 30, $trust"
		probed tls-clear 9000 'type: tls'
		probed mysql-tls 3306 "type: mysql, force_ssl: true, cert_name: www.alpnlb.test, $trust"
		probed pgsql-tls 5432 "type: pgsql, force_ssl: true, cert_name: www.alpnlb.test, $trust"
		probed pgsql-trust 5432 "type: pgsql, force_ssl: true, verify: true"
		printf '  - { name: unprobed, servers: [ { name: a, address: %s } ] }\n' "$(server4 12)"
		frontend auto http
	} >"$CONFIG"
	start_daemon
	netns_await 10 all_checked || fail "$(states)"
	assert_equal "$(states)" "tcp up L4OK 
tcp-match up L7OK 
tcp-not down L7RSP 
tcp-none down L4CON 111
http up L7OK 200
http-404 up L7OK 404
http-not down L7STS 404
http-body up L7OK 200
https up L7OK 200
http-ssl up L7OK 200
http-own-port up L7OK 200
http-proxy up L7OK 200
http-no-proxy down L6RSP 
smtp up L7OK 250
smtp-http down L7TOUT 110
mysql up L7OK 
mysql-oco down L7RSP 
pgsql up L7OK 
pgsql-http down L7RSP 
oco up L7OK 200
tls up L6OK 
tls-alpn down L6RSP 
tls-trust down L6RSP 
tls-name down L6RSP 
tls-days down L6RSP 
tls-clear down L6RSP 
mysql-tls up L7OK 
pgsql-tls up L7OK 
pgsql-trust down L6RSP 
unprobed unknown  "
	# what the API says of it
	assert_matches "$(api GET tcp/farm/5/server/5 | gojq -c '.serverState[0]')" \
		"^\\{\"checkCode\":\"200\",\"checkStatus\":\"L7OK\",\"checkTime\":\"20[^\"]+\",\"instanceId\":1,\"lastCheckContent\":\"HTTP/1.1 200 OK\",\"status\":\"ok\"\\}$"
	assert_equal "$(api GET tcp/farm/4/server/4 | gojq -c '.serverState[0] | [.status, .checkCode, .lastCheckContent]')" \
		'["error","111","Connection refused"]'
	assert_equal "$(api GET status | gojq -c '[.servers, .farms.status]')" \
		'[{"status":{"error":13,"ok":16,"unknown":1,"warn":0},"total":30},{"error":13,"ok":16,"unknown":1,"warn":0}]'
	assert_matches "$(server tls/a .check_text)" '^TLSv1.[23], h2, certificate: 1 days left$'
	assert_matches "$(server mysql/a .check_text)" 'MariaDB'
	assert_matches "$(alpnlb server show tls-name/a)" $'STATE +down\nSINCE +20[^\n]+\nLAST CHECK +20[^\n]+\nCHECK +L6RSP\nCHECK CODE +-\nCHECK TEXT +certificate: is not for www.example.com\n'

	# no error that MariaDB would count against the balancer; and it goes, and comes back
	daemon_says 'server tcp-none/a is down: L4CON: Connection refused'
	grep -q "Access denied for user 'alpnlb'@" "$NETNS_DIR/mariadb.log"
	assert_equal "$(grep -Ec 'unauthenticated|reading communication packets' "$NETNS_DIR/mariadb.log" || true)" 0
	netns_stop "$MARIADB_PID"
	await_state mysql/a down
	start_mariadb 11 3306
	await_state mysql/a up
	daemon_says 'server mysql/a is up'

	# a file of trusted certificates is read again by a refresh
	mv "$NETNS_DIR/ca.pem" "$NETNS_DIR/other.pem"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=other \
		-keyout /dev/null -out "$NETNS_DIR/ca.pem" 2>/dev/null
	alpnlb refresh run
	await_state tls/a down
	mv "$NETNS_DIR/other.pem" "$NETNS_DIR/ca.pem"
	alpnlb refresh run
	await_state tls/a up

	# a file that is missing is told at the refresh; when it went missing later, the daemon starts,
	# its servers are as they were, and are checked again once it is there
	alpnlb farm set tls probe.ca /no/such.pem
	run alpnlb refresh run
	assert_matches "$output" 'the probe of farm tls: /no/such.pem: No such file or directory$'
	mkfifo "$NETNS_DIR/fifo.pem"
	alpnlb farm set tls probe.ca "$NETNS_DIR/fifo.pem"
	run timeout 20 "$ALPNLB" --instance "$NETNS_NAME" refresh run
	assert_matches "$output" 'the probe of farm tls: .*/fifo.pem: is no regular file$'
	assert_equal "$(server tls/a .state)" up
	mv "$NETNS_DIR/ca.pem" "$NETNS_DIR/other.pem"
	stop_daemon
	start_daemon
	daemon_says "error: the probe of farm tls: $NETNS_DIR/ca.pem: "
	netns_await 5 check_says tls/a "up UNK $NETNS_DIR/ca.pem: No such file" || fail "$(alpnlb server show tls/a)"
	mv "$NETNS_DIR/other.pem" "$NETNS_DIR/ca.pem"
	netns_await 5 check_says tls/a "up L6OK TLS" || fail "$(alpnlb server show tls/a)"
	stop_daemon
}

# ---- clients of a server that fails -------------------------------------------------------

# farm_of NAME PROBE HOST[=ATTRIBUTES]...: a farm on port 9000, its servers sHOST are probed.
farm_of() {
	local name=$1 probe=$2 host
	shift 2
	printf '  - name: %s\n    port: 9000\n    probe: { %s }\n    servers:\n' "$name" "$probe"
	for host in "$@"; do
		printf '      - { name: s%s, address: %s, probe: true%s }\n' "${host%%=*}" "$(server4 "${host%%=*}")" \
			"$([[ $host != *=* ]] || printf ', %s' "${host#*=}")"
	done
}

# kill_all PID: a server with all its processes, at once.
kill_all() {
	kill -s KILL -- "-$1"
}

chosen_again() {
	(($(server "$1" .connected) > $2))
}

gone() {
	! netns_listens_at "$(server4 "$1")" "$2"
}

# 375 connections a second on each path, begun whether those before are done or not; those to port 446
# are opened by packets.
@test "a server that is killed under load costs no client its connection, and gets new ones when it is back" {
	local victim dead connected failed path
	{
		printf 'farms:\n'
		farm_of web 'type: http, interval: 500ms, rise: 1' 11 12 13
		printf 'frontends:\n'
		printf '  - { name: %s, port: "%s", path: %s, default_farm: web }\n' \
			p 443 packet s 444 sockmap r 445 relay o 446 'packet, handshake: packet'
		printf 'routes:\n'
		route h2 web "alpn is h2" | sed 's/frontend: web/frontend: o/'
	} >"$CONFIG"
	start_nginx one 11 9000 clear
	start_nginx two 12 9000 clear
	start_nginx three 13 9000 clear
	victim=$NETNS_PID
	start_daemon
	await_state web/s13 up
	netns_spawn client "$NETNS_DIR/clients.log" "$PEERS/rate" "$LB4" 443,444,445,446 375 4 $'GET / HTTP/1.0\r\n\r\n'
	netns_await 10 chosen_again web/s13 300 || fail "too few clients"
	kill_all "$victim"
	netns_await 10 gone 13 9000
	dead=$((${EPOCHREALTIME/[.,]/} / 1000))
	await_state web/s13 down
	start_nginx three 13 9000 clear
	connected=$(server web/s13 .connected)
	netns_await 10 chosen_again web/s13 "$connected" || fail "it gets no connections"
	netns_await 30 grep -q opened "$NETNS_DIR/clients.log" || fail "the clients do not end"
	assert_equal "$(gojq 'select(.opened) | .opened' "$NETNS_DIR/clients.log")" 6000
	await_connections 0

	# a few found out; what was in the dead server's hands when it died nobody can save
	failed=$(gojq 'select(.opened) | .failed' "$NETNS_DIR/clients.log")
	(($(server web/s13 .refused) + failed > 0)) || fail "nobody came to the dead server"
	assert_equal "$(stats .counters.connect_failed)" 0
	assert_equal "$(gojq -s "map(select(.began > $dead)) | length" "$NETNS_DIR/clients.log")" 0 "failed after the first connect error"
	((failed <= 30)) || fail "$(cat "$NETNS_DIR/clients.log")"
	for path in paths.sockmap paths.relay counters.opened; do
		(($(stats ".$path") >= 1400)) || fail "$path: $(stats ".$path")"
	done
	(($(stats .paths.packet) >= 2800)) || fail "$(stats .paths.packet) on the packet path"
	stop_daemon
}

@test "backups stand in, then the fallback farm, then connections are closed at once" {
	local one two three report since
	{
		printf 'farms:\n'
		farm_of main 'type: tcp, interval: 200ms, rise: 1, fall: 1' 11 12='backup: true'
		printf '    fallback_farm: sorry\n'
		farm_of sorry 'type: tcp, interval: 200ms, rise: 1, fall: 1' 13
		printf '  - { name: dead, port: 9000, fallback_farm: main, servers: [ { name: s14, address: %s } ] }\n' \
			"$(server4 14)"
		frontend auto main
		printf '  - { name: dead, port: "444", default_farm: dead }\n'
	} >"$CONFIG"
	start_tcp one 11 9000 name
	one=$NETNS_PID
	start_tcp two 12 9000 name
	two=$NETNS_PID
	start_tcp three 13 9000 name
	three=$NETNS_PID
	start_daemon
	await_state main/s11 up
	await_state main/s12 up
	assert_equal "$(reached "$LB4" 443 --text x)" one
	assert_equal "$(reached "$LB4" 444 --text x)" one "after a connect that was refused"
	netns_stop "$one"
	await_state main/s11 down
	assert_equal "$(reached "$LB4" 443 --text x)" two
	netns_stop "$two"
	await_state main/s12 down
	assert_equal "$(reached "$LB4" 443 --text x)" three
	assert_equal "$(stats '[.counters.fallbacks, (.farms[] | .chosen)] | join(" ")')" "2 4 1 1"
	assert_equal "$(api GET status | gojq -c .farms.status)" '{"error":0,"ok":1,"unknown":1,"warn":1}'
	netns_stop "$three"
	await_state sorry/s13 down
	report=$(tcp_client "$LB4" 443 --text x --timeout 10)
	assert_equal "$(gojq -c '[.received, .seconds < 1]' <<<"$report")" '[0,true]'
	await_stat .counters.no_server 1
	assert_equal "$(stats '[.servers[].refused] | join(" ")')" "0 0 0 1"

	# what is known outlives a refresh and the daemon
	since=$(server main/s11 .since)
	alpnlb server set main/s11 weight 2
	alpnlb refresh run
	assert_equal "$(server main/s11 '[.state, .since, .weight] | join(" ")')" "down $since 2"
	kill_daemon
	assert_equal "$(server main/s11 '[.state, .since] | join(" ")')" "down $since"
	start_daemon
	assert_equal "$(server main/s11 '[.state, .since] | join(" ")')" "down $since"
	start_tcp one 11 9000 name
	await_state main/s11 up
	assert_equal "$(reached "$LB4" 443 --text x)" one

	# whoever is not probed any more is not known to be down
	alpnlb server set main/s12 probe false
	alpnlb refresh run
	assert_equal "$(server main/s12 '[.state, .since, .check_status] | join(" ")')" "unknown  "
	stop_daemon
}

@test "on_marked_down: shutdown-sessions ends connections on every path" {
	local frontend probe probes=()
	{
		printf 'farms:\n'
		farm_of cut 'type: tcp, port: 9001, interval: 200ms, fall: 1' 11='on_marked_down: shutdown-sessions'
		farm_of keep 'type: tcp, port: 9001, interval: 200ms, fall: 1' 12
		farm_of deaf 'type: tcp, port: 9001, interval: 200ms, fall: 1' 13='on_marked_down: shutdown-sessions, max_connections: 1'
		printf '  - { name: other, port: 9000, balance: first, servers: [\n'
		printf '      { name: s13, address: %s, probe: true, on_marked_down: shutdown-sessions }, { name: s12, address: %s } ],\n' \
			"$(server4 13)" "$(server4 12)"
		printf '    probe: { type: tcp, port: 9001, interval: 200ms, fall: 1 } }\n'
		printf 'frontends:\n'
		for frontend in "packet 443 cut" "sockmap 444 cut" "relay 445 cut" "packet 446 keep" "packet 447 other" \
			"sockmap 448 other" "relay 449 deaf"; do
			# shellcheck disable=SC2086 # three words
			printf '  - { name: f%s, port: "%s", path: %s, default_farm: %s, connect_timeout: 30s }\n' "$(cut -d' ' -f2 <<<"$frontend")" \
				"$(cut -d' ' -f2 <<<"$frontend")" ${frontend%% *} "${frontend##* }"
		done
	} >"$CONFIG"
	start_tcp cut 11 9000 echo
	start_tcp keep 12 9000 echo
	start_tcp probe-cut 11 9001 name
	probes+=("$NETNS_PID")
	start_tcp probe-keep 12 9001 name
	probes+=("$NETNS_PID")
	start_tcp probe-deaf 13 9001 name
	probes+=("$NETNS_PID")
	fill_backlog 13
	start_daemon
	await_state cut/s11 up
	await_state keep/s12 up
	await_state other/s13 up
	await_state deaf/s13 up
	for frontend in 443 444 445 446; do
		hold "$frontend" "$LB4" "$frontend" --text hello
	done
	await_flows 2
	await_connections 4
	for frontend in 447 448 449; do # they wait for a server that does not answer
		hold "$frontend" "$LB4" "$frontend" --text hello
	done
	await_connections 7
	hold queued "$LB4" 449 --text hello
	await_connections 8
	assert_equal "$(stats '[.frontends[].live] | join(" ")')" "1 1 1 1 1 1 2"
	for probe in "${probes[@]}"; do
		netns_stop "$probe"
	done
	await_state cut/s11 down
	await_state keep/s12 down
	for frontend in 443 444 445; do
		assert_equal "$(held_report "$frontend" | report_field end)" reset "frontend $frontend"
	done
	for frontend in 447 448; do
		assert_echoed "$(end_held "$frontend")"
	done
	for frontend in 449 queued; do
		assert_matches "$(held_report "$frontend" | report_field end)" '^(eof|reset)$' "connection $frontend"
	done
	assert_equal "$(stats '.counters | [.marked_down, .no_server, .retries] | join(" ")')" "4 1 2"
	assert_equal "$(server other/s13 .timeouts)" 0
	assert_echoed "$(end_held 446)"
	stop_daemon
}

# The server's log has a line for each connection, a check is one.
checked_more_than() {
	(($(wc -l <"$NETNS_DIR/resets.log") > $1))
}

@test "connections that fail count as checks, for servers with a probe" {
	local one port checks
	{
		printf 'farms:\n'
		farm_of probed 'type: tcp, interval: 1h' 11
		farm_of resets 'type: tcp, interval: 1h' 12
		printf '  - { name: unprobed, port: 9000, servers: [ { name: s13, address: %s } ] }\n' "$(server4 13)"
		printf 'frontends:\n'
		printf '  - { name: %s, port: "%s", path: %s, default_farm: %s }\n' a 443 auto probed \
				b 444 relay resets c 446 packet resets d 445 auto unprobed
	} >"$CONFIG"
	start_tcp one 11 9000 name
	one=$NETNS_PID
	start_tcp resets 12 9000 reset
	start_daemon
	await_state probed/s11 up
	await_state resets/s12 up
	netns_stop "$one"
	reached "$LB4" 443 --text x --repeat 2
	await_state probed/s11 down
	assert_equal "$(server probed/s11 '[.check_status, .check_code] | join(" ")')" "L4CON 111"
	assert_matches "$(server probed/s11 .check_text)" 'Connection refused$'

	# a client may have provoked a reset, on the packet path as on others: a check has the last word
	for port in 444 446; do
		reached "$LB4" "$port" --text x
		checks=$(wc -l <"$NETNS_DIR/resets.log")
		reached "$LB4" "$port" --text x
		netns_await 10 checked_more_than "$((checks + 1))" || fail "nobody has looked after the server"
	done
	assert_equal "$(server resets/s12 '[.state, .check_status] | join(" ")')" "up L4OK"

	reached "$LB4" 445 --text x --repeat 4
	assert_equal "$(server unprobed/s13 '[.state, .refused] | join(" ")')" "unknown 4"
	stop_daemon
}

# ---- host names ---------------------------------------------------------------------------

# is_served_by NAME: the client gets there.
is_served_by() {
	[[ $(reached "$LB4" 443 --text x) == "$1" ]]
}

# hosts ADDRESS NAME...: what the daemon's host knows of names.
hosts() {
	while (($# > 0)); do
		printf '%s %s.alpnlb.test\n' "$1" "$2"
		shift 2
	done >"$NETNS_DIR/hosts"
}

@test "a server with a host name follows it" {
	local second
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	peers_certificate
	start_nginx tls-one 11 9001 h2
	start_nginx tls-two 12 9001 h2
	second=$NETNS_PID
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=api \
		-keyout "$NETNS_DIR/api.key" -out "$NETNS_DIR/api.pem" 2>/dev/null
	{
		printf 'api: { listen: "127.0.0.1:8443", certificate: %s, key: %s }\n' "$NETNS_DIR"/api.{pem,key}
		printf 'farms:\n'
		farm_of web 'type: tcp, interval: 200ms' 11 12='weight: 0'
		farm_of tls "type: tls, port: 9001, interval: 200ms, verify: true, ca: $NETNS_DIR/ca.pem, sni: www.alpnlb.test" 11
		frontend auto web
	} | sed "s/$(server4 11)/web.alpnlb.test/; s/$(server4 12)/gone.alpnlb.test/" >"$CONFIG"
	hosts
	# shellcheck disable=SC2016 # the shell there expands it
	daemon_under unshare --mount -- sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$NETNS_DIR/hosts"
	start_daemon
	daemon_says 'warning: host name web.alpnlb.test: '
	assert_equal "$(server web/s11 '[.endpoint, .resolved, .state] | join(" ")')" "web.alpnlb.test:9000  unknown"
	assert_equal "$(tcp_client "$LB4" 443 --text x | report_field received)" 0
	await_stat .counters.no_server 1

	# it comes to be known
	hosts fe80::1 web "$(server4 11)" web "$(server4 12)" gone
	netns_await 10 is_served_by one || fail "$(alpnlb -j server show)"
	await_state web/s11 up
	await_state web/s12 up
	await_state tls/s11 up
	assert_equal "$(server web/s11 '[.address, .resolved] | join(" ")')" "web.alpnlb.test $(server4 11)"
	assert_equal "$(api GET 'tcp/farm/1/server?address=WEB.alpnlb.test' | gojq -c .)" '[1]'

	# it leads elsewhere: connections go there, and checks; a name that is gone stays where it was
	# ... as soon as what else it takes is there, too
	# ... and probes of a file that is gone go on with what was read
	mv "$NETNS_DIR/api.pem" "$NETNS_DIR/moved.pem"
	mv "$NETNS_DIR/ca.pem" "$NETNS_DIR/moved-ca.pem"
	hosts "$(server4 12)" web
	netns_await 15 daemon_says 'cannot follow a host name yet: api.certificate: .*/api.pem: No such file or directory'
	mv "$NETNS_DIR/moved.pem" "$NETNS_DIR/api.pem"
	netns_await 15 is_served_by two || fail "$(alpnlb -j server show)"
	await_state web/s11 up
	daemon_says "error: the probe of farm tls: $NETNS_DIR/ca.pem: No such file or directory"
	await_state tls/s11 up
	netns_stop "$second"
	await_state tls/s11 down
	netns_await 10 daemon_says 'host name gone.alpnlb.test: .*: its address stays as it was'
	assert_equal "$(server web/s12 '[.resolved, .state] | join(" ")')" "$(server4 12) up"
	assert_equal "$(alpnlb -j revision show | gojq length)" 1 "revisions"
	stop_daemon
}

# ---- many servers -------------------------------------------------------------------------

# start_clock HOST: accepts on port 9000 and says when, in tenths of a second.
start_clock() {
	netns_spawn server "$NETNS_DIR/clock.log" /usr/bin/python3 -c '
import socket, sys, time
listener = socket.create_server((sys.argv[1], 9000), backlog=1024)
while True:
    listener.accept()[0].close()
    print(int(time.monotonic() * 10), flush=True)
' "$(server4 "$1")"
	netns_await 10 netns_listens_at "$(server4 "$1")" 9000
}

has_checks() {
	(($(wc -l <"$NETNS_DIR/clock.log") >= $1))
}

@test "a thousand servers are not checked at once" {
	local most
	{
		printf 'farms:\n  - name: web\n    port: 9000\n    probe: { type: tcp, interval: 1s }\n    servers:\n'
		for most in {1..1000}; do
			printf '      - { name: s%s, address: %s, probe: true }\n' "$most" "$(server4 11)"
		done
		frontend auto web
	} >"$CONFIG"
	start_clock 11
	start_daemon
	netns_await 20 has_checks 2500 || fail "$(wc -l <"$NETNS_DIR/clock.log") checks"
	most=$(uniq -c "$NETNS_DIR/clock.log" | sort -n | awk 'END { print $1 }')
	((most <= 400)) || fail "$most checks in a tenth of a second, of 1000 in a second"
	assert_equal "$(alpnlb -j server show | gojq -r '[.[].state] | unique | join(" ")')" up
	kill -TERM "$DAEMON_PID"
	daemon_ended 0 30 # the sanitizers take their time with so many
}
