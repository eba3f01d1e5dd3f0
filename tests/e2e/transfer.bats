#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What happens to the bytes once a server is chosen. Each test runs over every path, which have
# to behave alike.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib

# one_farm PATH HOSTS KIND [SERVER-OPTION...]: the default farm; the first host gets the server.
one_farm() {
	local path=$1 hosts=$2 kind=$3
	shift 3
	{
		farms default="$hosts"
		frontend "$path" default "connect_timeout: 500ms"
		printf 'routes:\n'
		route h2 default "alpn is h2"
	} >"$CONFIG"
	start_tcp server "${hosts%%[v,]*}" 9000 "$kind" "$@"
	start_daemon
}

both_ways() {
	local client
	one_farm "$1" "$2" exchange --bytes 110000000 --half-close
	client=$(tcp_client "$3" 443 --alpn h2 --bytes 120000000 --seed other --half-close)
	assert_same_bytes "$client" "$(server_report server)"
	assert_equal "$(report_field received <<<"$client")" 110000000
	assert_equal "$(report_field end <<<"$client")" eof
	await_connections 0
	stop_daemon
}
@test "100 MB each way at once, IPv4 (sockmap)" { both_ways sockmap 11 "$LB4"; }
@test "100 MB each way at once, IPv4 (relay)" { both_ways relay 11 "$LB4"; }
@test "100 MB each way at once, IPv4 (packet)" { both_ways packet 11 "$LB4"; }
@test "100 MB each way at once, IPv6 (sockmap)" { both_ways sockmap 11v6 "$LB6"; }
@test "100 MB each way at once, IPv6 (relay)" { both_ways relay 11v6 "$LB6"; }
@test "100 MB each way at once, IPv6 (packet)" { both_ways packet 11v6 "$LB6"; }

small_pieces() {
	local client n
	quick_acks
	one_farm "$1" 11 exchange --bytes 2000000 --pieces --half-close
	for n in 1 2 3 4 5 6; do
		client=$(tcp_client "$LB4" 443 --alpn h2 --cut $((n * 90)) --bytes 1000000 --pieces \
			--seed "$n" --half-close)
		assert_same_bytes "$client" "$(server_report server $n)"
	done
	stop_daemon
}
@test "writes of random sizes right behind a hello in pieces (sockmap)" { small_pieces sockmap; }
@test "writes of random sizes right behind a hello in pieces (relay)" { small_pieces relay; }
@test "writes of random sizes right behind a hello in pieces (packet)" { small_pieces packet; }

# answered PORT: what its client has seen.
answered() {
	netns_exec client "$TREE/tests/e2e/peers/acks.py" "$LB4" "$1" "$NETNS_DIR/hello"
}

@test "a hello is acknowledged with its answer, and at once if there is more to come" {
	local path port=443
	{
		farms default=11
		printf 'frontends:\n'
		for path in relay sockmap packet; do
			printf '  - { name: %s, port: "%d", path: %s, default_farm: default }\n' $path $port $path
			port=$((port + 1))
		done
		printf 'routes:\n'
		for path in relay sockmap packet; do
			route $path default "alpn is h2" | sed "s/frontend: web/frontend: $path/"
		done
	} >"$CONFIG"
	"$PEERS/tcp" hello --alpn h2 >"$NETNS_DIR/hello"
	start_tcp server 11 9000 echo # which does not end first: its FIN would be counted
	start_daemon
	for port in 443 444 445; do
		answered $port
	done | gojq -sc '.' >"$NETNS_DIR/answered"
	assert_equal "$(gojq -c 'map(.ms < 30)' "$NETNS_DIR/answered")" '[true,true,true]' "delayed acknowledgements"
	assert_equal "$(gojq -c '.[:2] | map(.segments)' "$NETNS_DIR/answered")" '[2,2]' "segments"
	stop_daemon
}

nginx_files() {
	{
		farms h2=11
		frontend "$1" h2
	} >"$CONFIG"
	start_nginx h2-a 11 9000 h2
	start_daemon
	openssl enc -aes-128-ctr -pass pass:alpnlb -nosalt -md sha256 </dev/zero 2>/dev/null |
		head -c 120000000 >"$NETNS_DIR/body" || true
	peers_curl "$LB4" www.alpnlb.test/files/body --http2 --output /dev/null --upload-file "$NETNS_DIR/body"
	cmp "$NETNS_DIR/body" "$NETNS_DIR/h2-a/files/body"
	peers_curl "$LB6" www.alpnlb.test/files/body --http2 --output "$NETNS_DIR/back"
	cmp "$NETNS_DIR/body" "$NETNS_DIR/back"
	stop_daemon
}
@test "curl puts 120 MB to nginx and gets them back over HTTP/2 (sockmap)" { nginx_files sockmap; }
@test "curl puts 120 MB to nginx and gets them back over HTTP/2 (relay)" { nginx_files relay; }
@test "curl puts 120 MB to nginx and gets them back over HTTP/2 (packet)" { nginx_files packet; }

many_requests() {
	local address
	{
		farms h2=11,12v6
		frontend "$1" h2
	} >"$CONFIG"
	start_nginx h2-a 11 9000 h2
	start_nginx h2-b 12 9000 h2
	start_daemon
	for address in "$LB4" "[$LB6]"; do
		run -0 netns_exec client h2load --requests 10000 --clients 50 --max-concurrent-streams 10 \
			--connect-to="$address:443" https://www.alpnlb.test/
		assert_matches "$output" '10000 succeeded, 0 failed, 0 errored, 0 timeout'
	done
	await_connections 0
	assert_equal "$(stats '[.servers[].connected] | join(" ")')" "50 50"
	stop_daemon
}
@test "h2load: 20,000 requests over 100 connections (sockmap)" { many_requests sockmap; }
@test "h2load: 20,000 requests over 100 connections (relay)" { many_requests relay; }
@test "h2load: 20,000 requests over 100 connections (packet)" { many_requests packet; }

client_closes_first() {
	local client
	one_farm "$1" 11 echo
	client=$(tcp_client "$LB4" 443 --alpn h2 --bytes 5000000 --half-close)
	assert_same_bytes "$client" "$(server_report server)"
	assert_equal "$(report_field end <<<"$client")" eof
	await_connections 0
}
@test "a client that half-closes still gets the whole answer (sockmap)" {
	client_closes_first sockmap
}
@test "a client that half-closes still gets the whole answer (relay)" { client_closes_first relay; }
@test "a client that half-closes still gets the whole answer (packet)" { client_closes_first packet; }

legs_with_keepalive() {
	netns_exec balancer ss -Htno state established "( sport = :443 or dport = :9000 )" |
		grep -c 'timer:(keepalive'
}

both_legs_have_keepalive() { [[ $(legs_with_keepalive) == 2 ]]; }

@test "a peer that vanishes is found out by keepalives (relay)" {
	one_farm relay 11 echo
	hold held "$LB4" 443 --alpn h2 --bytes 100
	netns_await 10 both_legs_have_keepalive || fail "$(legs_with_keepalive) legs have keepalives"
	end_held held
}

first_has_received() {
	[[ $(ask conn show | gojq '.[0].bytes_from_server') == "$1" ]]
}

server_closes_first() {
	local client
	one_farm "$1" 11 exchange --bytes 1000 --half-close
	hold client "$LB4" 443 --alpn h2
	netns_await 10 first_has_received 1000 || fail "the server's bytes did not arrive"
	client=$(tcp_client "$LB4" 443 --alpn h2 --bytes 30000000 --half-close)
	assert_same_bytes "$client" "$(server_report server 1)"
	await_connections 1 # half-closed by the server, kept for the client
	assert_same_bytes "$(end_held client)" "$(server_report server 2)"
	await_connections 0
}
@test "a server that half-closes still gets everything (sockmap)" { server_closes_first sockmap; }
@test "a server that half-closes still gets everything (relay)" { server_closes_first relay; }
@test "a server that half-closes still gets everything (packet)" { server_closes_first packet; }

client_resets() {
	one_farm "$1" 11 echo
	netns_spawn client "$NETNS_DIR/client.log" "$PEERS/tcp" client "$LB4" 443 \
		--alpn h2 --reset --until-sent "$NETNS_DIR/go"
	await_stat '.servers[0].connected' 1
	touch "$NETNS_DIR/go"
	assert_equal "$(server_report server | report_field end)" reset
	await_stat .counters.client_resets 1
	await_connections 0
}
@test "a client's reset reaches the server as a reset (sockmap)" { client_resets sockmap; }
@test "a client's reset reaches the server as a reset (relay)" { client_resets relay; }
@test "a client's reset reaches the server as a reset (packet)" { client_resets packet; }

server_resets() {
	one_farm "$1" 11 reset
	assert_equal "$(tcp_client "$LB4" 443 --alpn h2 --timeout 10 | report_field end)" reset
	await_stat .counters.server_resets 1
	await_connections 0
}
@test "a server's reset reaches the client as a reset (sockmap)" { server_resets sockmap; }
@test "a server's reset reaches the client as a reset (relay)" { server_resets relay; }
@test "a server's reset reaches the client as a reset (packet)" { server_resets packet; }

# tcp_info ROLE sport|dport PORT FIELD: of the one connection there.
tcp_info() {
	netns_exec "$1" ss -Htin "$2 = :$3" | sed -nE "s/.*\\b$4:([0-9]+).*/\\1/p"
}

# spawn_client [OPTION...]: in the background, its report goes to $NETNS_DIR/client.log.
spawn_client() {
	netns_spawn client "$NETNS_DIR/client.log" "$PEERS/tcp" client "$@"
}

client_report() {
	netns_await 30 grep -q '^{' "$NETNS_DIR/client.log" || fail "the client does not end" || return
	cat "$NETNS_DIR/client.log"
}

# bytes_from client|server
bytes_from() {
	ask conn show | gojq ".[0].bytes_from_$1"
}

has_sent() {
	(($(bytes_from "$1") >= $2))
}

LEAST_SENT=100000

# Nothing more comes in from there for half a second.
sender_stopped() {
	local before after
	before=$(bytes_from "$1")
	sleep 0.5
	after=$(bytes_from "$1")
	((before == after && after > LEAST_SENT))
}

# held SENDER RECEIVER: bytes acknowledged to one end that the other end has not got. Each is
# "ROLE sport|dport PORT".
held() {
	# shellcheck disable=SC2086 # three words
	echo $(($(tcp_info $1 bytes_acked) - $(tcp_info $2 bytes_received)))
}

# What the balancer's sockets are charged with, and the daemon's own memory.
memory() {
	{
		netns_exec balancer ss -Htmn state established |
			sed -nE 's/.*skmem:\(r([0-9]+),.*,w([0-9]+),.*/\1\n\2/p'
		sed -nE 's/^RssAnon:\s*([0-9]+) kB/\1 1024/p' "/proc/$DAEMON_PID/status"
	} | awk '{ sum += $1 * (NF > 1 ? $2 : 1) } END { printf "%d\n", sum }'
}

MOST_HELD=$((8 << 20))

# stopped_reader PATH SERVER-HOST ADDRESS
stopped_reader() {
	local client server bytes
	one_farm "$1" "$2" exchange --until "$NETNS_DIR/go" --buffer 65536
	spawn_client "$3" 443 --alpn h2 --until-sent "$NETNS_DIR/begin" --then 60000000 --half-close
	# A client that begins at once may be ahead of its server, and is spliced at a quiet moment.
	[[ $1 != packet ]] || await_stat .counters.spliced 1
	touch "$NETNS_DIR/begin"
	netns_await 20 sender_stopped client || fail "the client could send on and on"
	bytes=$(held "client dport 443" "server sport 9000")
	echo "# $1: $bytes bytes held for a stopped reader" >&3
	((bytes < MOST_HELD)) || fail "$bytes bytes are held"
	touch "$NETNS_DIR/go"
	client=$(client_report)
	server=$(server_report server)
	assert_same_bytes "$client" "$server"
	assert_equal "$(report_field received <<<"$server")" "$(report_field sent <<<"$client")"
	await_connections 0
}
@test "a reader that stops holds its sender, and gets everything later (sockmap, IPv4)" {
	stopped_reader sockmap 11 "$LB4"
}
@test "a reader that stops holds its sender, and gets everything later (sockmap, IPv6)" {
	stopped_reader sockmap 11v6 "$LB6"
}
@test "a reader that stops holds its sender, and gets everything later (relay, IPv4)" {
	stopped_reader relay 11 "$LB4"
}
@test "a reader that stops holds its sender, and gets everything later (relay, IPv6)" {
	stopped_reader relay 11v6 "$LB6"
}
# On the packet path nothing is held but by the two ends; the SYN counts as acknowledged.
@test "a reader that stops holds its sender, and gets everything later (packet, IPv4)" {
	MOST_HELD=2 stopped_reader packet 11 "$LB4"
}
@test "a reader that stops holds its sender, and gets everything later (packet, IPv6)" {
	MOST_HELD=2 stopped_reader packet 11v6 "$LB6"
}

# It is the whole machine's: other tests may take memory, and give it back.
grown_little() {
	(($(memory) - $1 < MOST_HELD))
}

# stopped_readers PATH SERVER-HOST ADDRESS OPTION...: what both send, while neither reads.
stopped_readers() {
	local path=$1 host=$2 address=$3 before bytes client
	shift 3
	# What the sanitizer keeps of freed memory is not held for anybody.
	export ASAN_OPTIONS=${ASAN_OPTIONS-}:quarantine_size_mb=1
	one_farm "$path" "$host" exchange --until "$NETNS_DIR/go" --buffer 65536 --half-close "$@"
	before=$(memory)
	spawn_client "$address" 443 --alpn h2 --until "$NETNS_DIR/go" --buffer 65536 --half-close "$@"
	netns_await 40 sender_stopped client || fail "the client could send on and on"
	netns_await 40 sender_stopped server || fail "the server could send on and on"
	bytes=$(($(held "client dport 443" "server sport 9000") +
		$(held "server sport 9000" "client dport 443")))
	((bytes < MOST_HELD)) || fail "$bytes bytes are held"
	netns_await 20 grown_little "$before" || fail "memory grew by $(($(memory) - before))"
	echo "# $path: $bytes bytes held for two stopped readers, in $(($(memory) - before)) bytes of memory" >&3
	sleep 2
	assert_equal "$(live_connections)" 1 "held for as long as it takes"
	assert_equal "$(stats .counters.overruns)" 0
	touch "$NETNS_DIR/go"
	client=$(client_report)
	assert_same_bytes "$client" "$(server_report server)"
	assert_equal "$(report_field end <<<"$client")" eof
	await_connections 0
	stop_daemon
}
@test "two readers that stop hold both senders (sockmap, IPv4)" {
	stopped_readers sockmap 11 "$LB4" --bytes 20000000
}
@test "two readers that stop hold both senders (sockmap, IPv6)" {
	stopped_readers sockmap 11v6 "$LB6" --bytes 20000000
}
@test "two readers that stop hold both senders (relay, IPv4)" {
	stopped_readers relay 11 "$LB4" --bytes 20000000
}
@test "two readers that stop hold both senders (relay, IPv6)" {
	stopped_readers relay 11v6 "$LB6" --bytes 20000000
}

# By then the kernel has grown every buffer that nothing bounds.
stopped_later() {
	local role
	for role in client balancer server; do
		netns_exec "$role" sysctl -qw net.ipv4.tcp_wmem="4096 16384 33554432" \
			net.ipv4.tcp_rmem="4096 131072 33554432"
	done
	LEAST_SENT=50000000 stopped_readers "$@" --buffer 0 --first 50000000 --bytes 150000000
}
@test "two readers that stop after 50 MB hold both senders (sockmap, IPv4)" {
	stopped_later sockmap 11 "$LB4"
}
@test "two readers that stop after 50 MB hold both senders (sockmap, IPv6)" {
	stopped_later sockmap 11v6 "$LB6"
}
@test "two readers that stop after 50 MB hold both senders (relay, IPv4)" {
	stopped_later relay 11 "$LB4"
}
@test "two readers that stop after 50 MB hold both senders (relay, IPv6)" {
	stopped_later relay 11v6 "$LB6"
}

# The send buffers are full, the windows are open wide: then each packet has one byte.
tiny_packets() {
	quick_acks
	stopped_readers "$@" --bytes 1600000 --tiny
}
@test "two readers that stop hold senders of tiny packets (sockmap, IPv4)" {
	tiny_packets sockmap 11 "$LB4"
}
@test "two readers that stop hold senders of tiny packets (sockmap, IPv6)" {
	tiny_packets sockmap 11v6 "$LB6"
}
@test "two readers that stop hold senders of tiny packets (relay, IPv4)" {
	tiny_packets relay 11 "$LB4"
}
@test "two readers that stop hold senders of tiny packets (relay, IPv6)" {
	tiny_packets relay 11v6 "$LB6"
}

one_way_stopped() {
	local client
	one_farm "$1" "$2" exchange --until "$NETNS_DIR/go" --bytes 100000000 --half-close
	spawn_client "$3" 443 --alpn h2 --bytes 40000000 --half-close
	netns_await 30 has_sent server 100000000 || fail "the server is held: $(bytes_from server) bytes came"
	netns_await 20 sender_stopped client || fail "the client could send on and on"
	touch "$NETNS_DIR/go"
	client=$(client_report)
	assert_same_bytes "$client" "$(server_report server)"
	assert_equal "$(report_field received <<<"$client")" 100000000
	stop_daemon
}
@test "100 MB pass while the other direction is stopped (sockmap, IPv4)" {
	one_way_stopped sockmap 11 "$LB4"
}
@test "100 MB pass while the other direction is stopped (sockmap, IPv6)" {
	one_way_stopped sockmap 11v6 "$LB6"
}
@test "100 MB pass while the other direction is stopped (relay, IPv4)" {
	one_way_stopped relay 11 "$LB4"
}
@test "100 MB pass while the other direction is stopped (relay, IPv6)" {
	one_way_stopped relay 11v6 "$LB6"
}

proxy_protocol() {
	local report
	{
		farms one=11 two=12v6
		frontend "$1" one
		printf 'routes:\n'
		route two two "sni is two.alpnlb.test"
	} | sed -e '/name: s11,/s/ }/, proxy_protocol_version: v1 }/' \
		-e '/name: s12v6,/s/ }/, proxy_protocol_version: v2 }/' >"$CONFIG"
	start_tcp one 11 9000 exchange --bytes 3000000
	start_tcp two 12 9000 exchange --bytes 3000000
	start_daemon

	tcp_client "$LB4" 443 --alpn h2 --bytes 2000000 --half-close >"$NETNS_DIR/client.log"
	report=$(server_report one)
	assert_matches "$(report_field line <<<"$report")" \
		'^PROXY TCP4 192\.0\.2\.2 192\.0\.2\.1 [0-9]+ 443$'
	assert_equal "$(report_field received <<<"$report")" $(($(
		report_field sent <"$NETNS_DIR/client.log") + 2 + $(report_field line <<<"$report" | tr -d '\n' | wc -c)))

	tcp_client "$LB6" 443 --alpn h2 --sni two.alpnlb.test --bytes 2000000 --half-close >"$NETNS_DIR/client.log"
	report=$(server_report two)
	# The signature, version 2 and command PROXY, TCP over IPv6, a length.
	assert_matches "$(report_field first <<<"$report")" \
		'^0d0a0d0a000d0a515549540a2121....20010db8000100000000000000000002'
	assert_equal "$(report_field received_sha256 <"$NETNS_DIR/client.log")" \
		"$(report_field sent_sha256 <<<"$report")"
	stop_daemon
}
@test "PROXY protocol v1 and v2 in front of what the client sends (sockmap)" {
	proxy_protocol sockmap
}
@test "PROXY protocol v1 and v2 in front of what the client sends (relay)" { proxy_protocol relay; }
@test "PROXY protocol v1 and v2 in front of what the client sends (packet)" { proxy_protocol packet; }

refused_server() {
	local n
	one_farm "$1" 11,12,13 name
	for n in 1 2 3 4 5 6; do
		assert_equal "$(reached "$LB4" 443 --alpn h2)" server "connection $n"
	done
	assert_equal "$(stats .counters.connect_failed)" 0
	(($(stats .counters.retries) >= 4)) || fail "retries: $(stats .counters.retries)"
	(($(stats '.servers[1].refused') >= 2)) || fail "nothing counted as refused"
	stop_daemon
}
@test "a server that refuses is replaced before the client notices (sockmap)" {
	refused_server sockmap
}
@test "a server that refuses is replaced before the client notices (relay)" { refused_server relay; }
@test "a server that refuses is replaced before the client notices (packet)" { refused_server packet; }

@test "a server that does not answer is replaced after the connect timeout" {
	one_farm auto 11,99 name
	netns_exec balancer ip neigh add 198.51.100.99 lladdr 02:00:00:00:00:99 dev server
	assert_equal "$(reached "$LB4" 443 --alpn h2)" server
	assert_equal "$(reached "$LB4" 443 --alpn h2)" server
	assert_equal "$(stats '.servers[1].timeouts')" 1
	stop_daemon
}

@test "when every server refuses, the client is closed and it is counted" {
	{
		farms default=11,12v6
		frontend auto default
	} >"$CONFIG"
	start_daemon
	assert_matches "$(reached "$LB4" 443 --alpn h2)" '^(eof|reset)$'
	await_stat .counters.connect_failed 1
	stop_daemon
}

# The kernel hands the program whole packets, also those that are partly old.
merged_retransmission() {
	local client balancer said report
	one_farm "$1" 11 exchange --bytes 0
	client=$(ip -n "$NETNS_NAME-client" -j link show balancer | gojq -r '.[0].address')
	balancer=$(ip -n "$NETNS_NAME-balancer" -j link show client | gojq -r '.[0].address')
	ip -n "$NETNS_NAME-balancer" neigh add 192.0.2.200 lladdr "$client" dev client nud permanent
	said=$(netns_exec client timeout 30 "$TREE/tests/e2e/peers/overlap.py" balancer "$client" \
		"$balancer" 192.0.2.200 "$LB4" 443 | sha256sum | cut -d' ' -f1)
	report=$(server_report server)
	assert_equal "$(report_field received <<<"$report")" 43
	assert_equal "$(report_field received_sha256 <<<"$report")" "$said"
	assert_equal "$(report_field end <<<"$report")" eof
	[[ $1 != sockmap ]] || assert_equal "$(stats .paths.sockmap)" 1
}
@test "a retransmission merged with new data arrives once (sockmap)" {
	merged_retransmission sockmap
}
@test "a retransmission merged with new data arrives once (relay)" { merged_retransmission relay; }
@test "a retransmission merged with new data arrives once (packet)" { merged_retransmission packet; }
