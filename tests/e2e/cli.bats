#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The command line, as a script sees it: output, messages and exit codes.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

load lib

# start_web PATH: two named servers, HTTP/2 to farm h2.
start_web() {
	{
		farms h2=11 h1=12v6
		frontend "$1" h1
		printf 'routes:\n'
		route http2 h2 "protocol is http/2.0"
	} >"$CONFIG"
	start_tcp h2 11 9000 echo
	start_tcp h1 12 9000 name
	start_daemon
}

@test "--version, help of every noun, and exit codes" {
	local noun
	run -0 alpnlb --version
	assert_matches "$output" '^alpnlb [0-9]+\.[0-9]+\.[0-9]+'
	for noun in daemon check apply frontend farm server route rule pending refresh zone task \
		export batch conn flow acl xdp stat hello doctor unload; do
		run -0 alpnlb help
		assert_matches "$output" $'\n'" +$noun "
		run -0 alpnlb $noun help
		assert_matches "$output" "^alpnlb $noun"
		! grep ' $' <<<"$output" || fail "$noun: a blank at the end of a line"
	done
	run -2 --separate-stderr alpnlb
	assert_equal "$output" ""
	assert_matches "$stderr" 'daemon, check.*alpnlb help'
	run -2 alpnlb nonsense
	run -2 alpnlb --nonsense conn show
	run -2 alpnlb f show # farm or frontend?
	run -1 alpnlb check "$NETNS_DIR/missing.yaml"
	run -4 alpnlb conn show
	assert_matches "$output" "$NETNS_NAME"
	run -4 alpnlb -j conn show
	assert_matches "$(gojq -r .error <<<"$output")" "$NETNS_NAME"
}

@test "under -j help is JSON, and so is what is wrong" {
	local wrong
	for wrong in "" nonsense f "conn shwo" "conn show farm" "check" "hello" "daemon --workers"; do
		# shellcheck disable=SC2086 # words
		run -2 --separate-stderr alpnlb -j $wrong
		assert_equal "$output" "" "alpnlb -j $wrong"
		assert_matches "$(gojq -r .error <<<"$stderr")" '.' "alpnlb -j $wrong"
	done
	for wrong in "--instance bad/name -j conn show" "--nonsense -j" "-xj" "-j --instance" "--in x/y --js"; do
		# shellcheck disable=SC2086 # words
		run -2 --separate-stderr netns_exec balancer "$ALPNLB" $wrong
		assert_matches "$(gojq -r .error <<<"$stderr")" '.' "alpnlb $wrong"
	done
	for wrong in "conn -j shwo" "conn show -j farm" "check -j" "doctor more -j" "daemon -j --workers" \
		"farm add -j x port" "frontend show --instance bad/name -j" "unload --nonsense -j" \
		"nonsense -j" "farm shwo -p" "farm set x prot 1 -j" "--nonsense farm show --json"; do
		# shellcheck disable=SC2086 # words
		run -2 --separate-stderr alpnlb $wrong
		assert_matches "$(gojq -r .error <<<"$stderr")" '.' "alpnlb $wrong"
	done
	run -2 --separate-stderr netns_exec balancer "$ALPNLB" --nonsense -p
	assert_matches "$stderr" $'^\\{\n    "error": '
	assert_equal "$(alpnlb -p --version | head -2 | cut -c -16)" $'{\n    "version": "'
	assert_equal "$(alpnlb --version -j | gojq -r 'keys | join(" ")')" "libbpf version"
	assert_equal "$(alpnlb -j help | gojq -r '.[] | select(.name == "conn") | .verbs[0].name')" show
	assert_equal "$(alpnlb -j -h | gojq length)" "$(alpnlb -j help | gojq length)"
	assert_equal "$(alpnlb -j help server | gojq -r '.verbs[0].keywords.farm')" 'FARM|ID'
	assert_equal "$(alpnlb -j help list | gojq -r '.[0]')" daemon
	assert_equal "$(alpnlb -j help list farm | jq -c .)" '["show","add","set","delete"]'
	assert_equal "$(alpnlb -j help list farm show staged | jq -c .)" '["name","id","zone"]'
	assert_equal "$(alpnlb -j help list nonsense | jq -c .)" '[]'
	assert_equal "$(alpnlb -j conn show help | gojq -r .name)" conn
	assert_equal "$(alpnlb conn show farm x --help -j | gojq -r .name)" conn
	assert_matches "$(alpnlb -j daemon help | gojq -r .arguments)" '^\[-c FILE\]'
}

live_connection() {
	local row
	start_web "$1"
	netns_spawn client "$NETNS_DIR/client.log" "$PEERS/tcp" client "$LB6" 443 \
		--sni www.alpnlb.test --alpn h2 http/1.1 --bytes 100000 --half-close \
		--until-sent "$NETNS_DIR/go"
	netns_await 10 has_echoed || fail "the connection is not shown with its bytes"
	row=$(alpnlb -j conn show | gojq '.[0]')
	assert_equal "$(gojq -r '[.frontend, .route, .farm, .server, .sni, .path, .state] | join(" ")' <<<"$row")" \
		"web http2 h2 s11 www.alpnlb.test $1 open"
	assert_equal "$(gojq -c .alpn <<<"$row")" '["h2","http/1.1"]'
	assert_matches "$(gojq -r .client <<<"$row")" '^\[2001:db8:1::2\]:[0-9]+$'
	assert_equal "$(gojq -r .server_address <<<"$row")" 198.51.100.11:9000
	assert_equal "$(gojq .bytes_from_server <<<"$row")" "$(gojq .bytes_from_client <<<"$row")"
	run -0 alpnlb conn show
	assert_matches "${lines[1]}" 'www\.alpnlb\.test'
	assert_equal "$(alpnlb -j conn show farm h1 | gojq length)" 0
	assert_equal "$(stats '.frontends[0].live, .routes[0].live, (.servers[] | select(.name == "s11") | .live)' | paste -sd' ')" "1 1 1"
	for row in .frontends[0] .routes[0] .farms[0] '(.servers[] | select(.name == "s11"))'; do
		await_stat "$row.bytes_from_clients" "$(alpnlb -j conn show | gojq '.[0].bytes_from_client')"
		await_stat "$row.bytes_from_servers" "$(alpnlb -j conn show | gojq '.[0].bytes_from_server')"
	done
	unreadable_flows
	touch "$NETNS_DIR/go"
	await_connections 0
	await_stat '.counters.closed' 1
	await_stat '.frontends[0].live' 0
	await_stat '.routes[0].bytes_from_clients' "$(report_field received <<<"$(server_report h2)")"
	stop_daemon
}
# What was read before is not printed: one document says what is wrong.
unreadable_flows() {
	local flows=/sys/fs/bpf/alpnlb/$NETNS_NAME/flows
	mv "$flows" "${flows}_aside"
	mkdir "$flows"
	run -1 --separate-stderr alpnlb -j conn show
	assert_equal "$output" ''
	assert_matches "$(gojq -r .error <<<"$stderr")" 'the flow table'
	rmdir "$flows"
	mv "${flows}_aside" "$flows"
}
has_echoed() {
	alpnlb -j conn show | gojq -e '.[0].bytes_from_server > 100000' >/dev/null
}
@test "conn show and stat show tell all about a live connection (sockmap)" {
	live_connection sockmap
}
@test "conn show and stat show tell all about a live connection (relay)" { live_connection relay; }

@test "show lists objects by name and id" {
	start_web auto
	assert_equal "$(alpnlb -j frontend show | gojq -r '.[].name')" web
	assert_equal "$(alpnlb -j farm show | gojq -r '[.[].name] | join(" ")')" "h2 h1"
	assert_equal "$(alpnlb -j server show name h2/s11 | gojq -r .name)" s11
	assert_equal "$(alpnlb -j route show | gojq -r '.[0] | "\(.name) \(.frontend) \(.target)"')" "http2 web h2"
	assert_equal "$(alpnlb -j rule show | gojq -r '.[0] | "\(.field) \(.match) \(.pattern)"')" \
		"protocol is http/2.0"
	assert_equal "$(alpnlb -j rule show id 1 | gojq -r '.route')" http2
	run -3 alpnlb rule show id 77
	assert_equal "$output" "alpnlb: no rule with id '77', see: alpnlb rule show"
	run -2 alpnlb rule show id 0
	assert_equal "$output" "alpnlb: rule id '0': expected 1..1048576"
	run -3 alpnlb farm show name nowhere
	run -3 alpnlb farm show id 77
	run -0 alpnlb fa show
	assert_matches "$output" 'h2'
	stop_daemon
}

# disturbing_client PATH SOCKETLESS: its SNI and ALPN have control characters, C0 and C1.
disturbing_client() {
	start_web "$1"
	"$PEERS/tcp" hello --sni www.alpnlb.test --alpn h2 $'\e[31mred' |
		LC_ALL=C sed $'s/www\\.alpnlb/\e[m.\x9b31mxx/' >"$NETNS_DIR/hello"
	hold client "$LB4" 443 --hello "$NETNS_DIR/hello"
	netns_await 10 is_on "$1" "$2" || fail "not on path $1: $(alpnlb -p conn show)"
}

# On the packet path, once its sockets are gone: until then its hello is that of any other.
is_on() {
	[[ $(ask conn show | gojq -c '.[] | [.path, .worker == null]') == "[\"$1\",$2]" ]]
}

# shows_harmless NOUN: what the client sent, escaped, and nothing but printable ASCII.
shows_harmless() {
	local sni='\x1b[m.\x9b31mxx.test' alpn='\x1b[31mred'
	assert_equal "$(alpnlb -j "$1" show | gojq -r '.[] | .sni, .alpn[1]')" "$sni"$'\n'"$alpn" "$1 in JSON"
	run -0 alpnlb "$1" show
	[[ $output == *"$sni"* && $output == *"$alpn"* ]] || fail "$1 does not show both: $output"
	LC_ALL=C run ! grep -P '[^\x20-\x7e]' <<<"$output"
}

@test "what a client sends cannot disturb the terminal (packet)" {
	disturbing_client packet true
	shows_harmless conn
	shows_harmless flow
	end_held client
	await_connections 0
	stop_daemon
}

@test "what a client sends cannot disturb the terminal (sockmap)" {
	disturbing_client sockmap false
	shows_harmless conn
	end_held client
	await_connections 0
	stop_daemon
}

# on_terminal COLUMNS ARGUMENT...: what alpnlb writes on a terminal of that width.
on_terminal() {
	local columns=$1
	shift
	netns_exec balancer "$TREE/tests/e2e/peers/terminal.py" "$columns" "$ALPNLB" --instance "$NETNS_NAME" "$@"
}

# One of everything there is to show, with long names and large numbers.
start_all_there_is() {
	local long=a-name-of-thirty-characters-xx
	start_web packet
	alpnlb application add "$long"
	alpnlb farm add "$long" port 65535 balance roundrobin zone "$long"
	alpnlb server add "$long/$long" address 2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff weight 256
	alpnlb frontend add "$long" port 1024-1030,3000,4000,65530-65535 default_farm "$long"
	alpnlb route add "$long" frontend "$long" action farm target "$long" weight 255
	alpnlb rule add route "$long" field sni match endswith negate true pattern "$long.example.com"
	alpnlb refresh run comment "a comment of the operator on all that is long"
	alpnlb farm set "$long" port 1
	hold client "$LB4" 443 --sni "a-long-name-of-a-host.$long.example.com" --alpn h2 http/1.1
	netns_await 10 is_on packet true || fail "not on the packet path: $(alpnlb -p conn show)"
}

@test "every table fits a terminal, and is whole where there is none" {
	local noun columns
	local -A kept=([frontend]=NAME.*LIVE [farm]=NAME.*LIVE [server]=FARM.*NAME.*ADDRESS.*LIVE
		[route]=NAME.*WHEN.*TARGET [rule]=ROUTE.*NOT.*PATTERN [conn]=CLIENT.*SERVER.*SNI
		[flow]=CLIENT.*SERVER.*SNI [stat]=COUNTER.*VALUE.*FRONTEND.*LIVE.*FARM.*LIVE
		[task]=ID.*STATUS.*BEGUN [revision]=NUMBER.*DATE [zone]=ZONE.*PENDING
		[pending]=ZONE.*CHANGES [application]=NAME.*ACCESS)
	start_all_there_is
	for noun in "${!kept[@]}"; do
		for columns in 40 60 80; do
			run -0 on_terminal "$columns" "$noun" show
			! grep -E ".{$((columns + 1))}" <<<"$output" || fail "$noun is wider than $columns columns"
		done
		assert_matches "$output" "${kept[$noun]}" "$noun" || return
	done
	assert_equal "$(on_terminal 400 server show)" "$(alpnlb server show)"
	assert_matches "$(alpnlb server show | head -1)" 'BACKUP.*CONNECTED.*FROM CLIENTS +FROM SERVERS$'
	assert_matches "$(alpnlb flow show | head -1)" 'FROM ADDRESS.*PACKETS FROM CLIENT +PACKETS FROM SERVER'
	assert_matches "$(on_terminal 80 task show)" '[0-9-]{10}T[0-9:]{8}\+00:00'
	assert_matches "$(on_terminal 40 conn show)" $'^CLIENT +SERVER +SNI\n[0-9.]+:[0-9]+ '
	assert_matches "$(on_terminal 80 server show id 1)" 'timeouts|TIMEOUTS'
	end_held client
	await_connections 0
	run -0 on_terminal 80 flow show
	! grep -E '.{81}' <<<"$output" || fail "an empty table is wider than 80 columns"
	stop_daemon
}

@test "the control socket is for root only" {
	local command
	start_web auto
	assert_matches "$(command stat -c %a "/run/alpnlb/$NETNS_NAME/control.sock")" '^[67]00$'
	for command in "refresh run" "server drain h2/s11" "monitor events"; do
		# shellcheck disable=SC2086 # words
		run -1 as_nobody --instance "$NETNS_NAME" $command
		assert_matches "$output" 'control socket: Permission denied; try as root$' "$command"
	done
	mv "/run/alpnlb/$NETNS_NAME/control.sock" "$NETNS_DIR/control.sock"
	run -4 alpnlb refresh run
	assert_matches "$output" 'a daemon runs, but does not listen here: .*/control.sock was removed$'
	mv "$NETNS_DIR/control.sock" "/run/alpnlb/$NETNS_NAME/control.sock"
	run -1 as_nobody --instance "$NETNS_NAME" unload
	assert_matches "$output" 'Permission denied; try as root$'
	run -1 as_nobody --instance "$NETNS_NAME" daemon -c "$CONFIG"
	assert_equal "$output" "alpnlb: error: the daemon may not load BPF programs, missing: CAP_BPF CAP_PERFMON; run alpnlb as root"
	stop_daemon
}

@test "doctor finds nothing wrong where the other tests run" {
	run -0 alpnlb doctor
	run -0 alpnlb -j doctor
	assert_equal "$(gojq -r '[.[] | select(.status == "fail") | .check] | join(", ")' <<<"$output")" ""
}

@test "doctor says what it may not read" {
	local found
	start_web auto
	alpnlb -j doctor | gojq -e --arg name "instance $NETNS_NAME" \
		'any(.[]; .check == $name and .found == "a daemon runs")' ||
		fail "not found by root: $(alpnlb -j doctor)"
	"$ALPNLB" -j doctor | gojq -e --arg name "instance $NETNS_NAME" --arg pid "$DAEMON_PID" \
		'[.[] | select(.check == $name) | .status, .found, .advice] == ["ok",
			"a daemon runs in another network namespace", "nsenter -t \($pid) -n alpnlb doctor"]' ||
		fail "from another namespace: $("$ALPNLB" doctor)"
	found=$(as_nobody -j doctor | gojq -c '[.[] | select(.check == "instances") | .status, .found, .advice]')
	assert_equal "$found" '["warn","cannot be read: Permission denied","run doctor as root"]'
	stop_daemon
}
as_nobody() {
	install -m 755 "$ALPNLB" "$BATS_TEST_TMPDIR/alpnlb"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
	setpriv --reuid 65534 --clear-groups --inh-caps=-all "$BATS_TEST_TMPDIR/alpnlb" "$@"
}

# ---- hello classify -----------------------------------------------------------------------

@test "hello classify says what the balancer then does" {
	local sni alpn said
	{
		farms special=11 other=12 default=13
		frontend auto default
		printf 'routes:\n'
		ROUTE_WEIGHT=1 route h2 special "alpn is h2" "sni endswith .alpnlb.test"
		ROUTE_WEIGHT=2 route dev other "sni in dev.test, api.alpnlb.test"
	} >"$CONFIG"
	start_tcp special 11 9000 name
	start_tcp other 12 9000 name
	start_tcp default 13 9000 name
	start_daemon
	for sni in api.alpnlb.test DEV.test www.alpnlb.test.example; do
		for alpn in h2 http/1.1; do
			"$PEERS/tcp" hello --sni $sni --alpn $alpn >"$NETNS_DIR/hello"
			said=$(alpnlb -j hello classify file "$NETNS_DIR/hello" | gojq -r .farm)
			assert_equal "$(alpnlb -j hello classify file "$NETNS_DIR/hello" config "$CONFIG" | gojq -r .farm)" "$said"
			assert_equal "$(reached "$LB4" 443 --hello "$NETNS_DIR/hello")" "$said" "$sni $alpn"
		done
	done
	stop_daemon
}

# classified EXPRESSION [WORD...]: of what `hello classify` says to a hello, as JSON.
classified() {
	alpnlb -j hello classify file "$NETNS_DIR/hello" config "$CONFIG" "${@:2}" | gojq -cr "$1"
}

explained() {
	classified "$1" source 192.0.2.7
}

@test "hello classify explains a decision rule by rule" {
	{
		farms special=11 other=12 default=13
		frontend auto default
		printf 'routes:\n'
		ROUTE_WEIGHT=1 route office other "source in 192.0.2.0/29, 2001:db8::/32" "not sni exists"
		ROUTE_WEIGHT=2 route web special 'sni matches ^www\d*[.]' "alpn is h2"
		ROUTE_WEIGHT=3 route slow other 'sni matches (a+)+[.]t$' "tls.version exists"
		ROUTE_WEIGHT=4 route any other "protocol is tls"
	} >"$CONFIG"
	"$PEERS/tcp" hello --alpn http/1.1 h2 \
		--sni www7.alpnlb.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test >"$NETNS_DIR/hello"
	assert_equal "$(explained '.route')" web
	assert_equal "$(explained '[.routes[] | "\(.name): \(.outcome)"] | join(", ")')" \
		"office: does not match, web: decides, slow: does not match, any: matches, but comes later"
	assert_equal "$(explained '[.routes[].rules[].holds] | map(tostring) | join(" ")')" \
		"true false true true false true true"
	assert_equal "$(explained '[.routes[].rules[].gave_up] | map(tostring) | join(" ")')" \
		"false false false false true false false"
	assert_equal "$(explained '.routes[0].rules[0].value')" 192.0.2.7
	assert_equal "$(explained '.routes[1].rules[1].value[]')" h2
	run -0 alpnlb hello classify file "$NETNS_DIR/hello" config "$CONFIG"
	assert_matches "$output" '1 +office +source in 192.0.2.0/29, 2001:db8::/32 +- +unknown +does not match'
	assert_matches "$output" ' +not sni exists +www7[^ ]+ +no'
	assert_matches "$output" '2 +web +sni matches .* yes +decides'
	assert_matches "$output" '3 +slow .* no: given up +does not match'
	assert_matches "$output" '4 +any .*tls, https.* yes +matches, but comes later'
}

@test "hello classify explains a client that says nothing" {
	{
		farms one=11 two=12
		frontend auto one "hello_timeout: 200ms"
		printf 'routes:\n'
		route mail two "not protocol is tls"
	} >"$CONFIG"
	start_tcp two 12 9000 banner
	start_daemon
	: >"$NETNS_DIR/hello"
	local said='[.verdict, .size, .farm, (.routes[].outcome)] | join(" ")'
	assert_equal "$(classified "$said")" "silent 0 two decides"
	assert_equal "$(alpnlb -j hello classify </dev/null | gojq -r "$said")" "silent 0 two decides"
	assert_equal "$(reached "$LB4" 443 --expect 4)" two
	stop_daemon
}

@test "hello classify says that the frontend refuses a source" {
	{
		farms one=11
		frontend auto one "denied_source: [192.0.2.0/24]"
	} >"$CONFIG"
	"$PEERS/tcp" hello --alpn h2 >"$NETNS_DIR/hello"
	local fields='[.source_allowed, .route, .action, .farm]'
	assert_equal "$(classified "$fields" source 192.0.2.2)" '[false,null,"refused",null]'
	assert_equal "$(classified "$fields" source 192.0.3.2)" '[true,"default","farm","one"]'
	assert_equal "$(classified "$fields")" '[null,"default","farm","one"]'
}

@test "hello classify takes a proxy's word for who the client is" {
	local fields='[.client, .proxy, .verdict, .source_allowed, .action, .route]'
	{
		farms one=11 two=12
		frontend auto one "proxy_sources: [192.0.2.0/24]" "denied_source: [203.0.113.66]"
		printf 'routes:\n'
		route office two "source is 203.0.113.0/24" "alpn is h2"
	} >"$CONFIG"
	"$PEERS/tcp" hello --alpn h2 >"$NETNS_DIR/plain"
	cat <(printf 'PROXY TCP4 203.0.113.9 192.0.2.1 5555 443\r\n') "$NETNS_DIR/plain" >"$NETNS_DIR/hello"
	assert_equal "$(classified "$fields" source 192.0.2.7)" '["203.0.113.9:5555","192.0.2.7","tls",true,"farm","office"]'
	assert_equal "$(classified "$fields")" '["203.0.113.9:5555","unknown","tls",true,"farm","office"]'
	assert_equal "$(classified "$fields" source 198.51.100.7)" '[null,null,"other",true,"farm","default"]'
	cat <(printf 'PROXY TCP4 203.0.113.66 192.0.2.1 5555 443\r\n') "$NETNS_DIR/plain" >"$NETNS_DIR/hello"
	assert_equal "$(classified "$fields" source 192.0.2.7)" '["203.0.113.66:5555","192.0.2.7","tls",false,"refused",null]'
	cat <(printf 'PROXY UNKNOWN\r\n') "$NETNS_DIR/plain" >"$NETNS_DIR/hello"
	assert_equal "$(classified "$fields" source 192.0.2.7)" '[null,"192.0.2.7","tls",true,"farm","default"]'
	# a proxy that says nothing is refused, whoever else is let in
	mv "$NETNS_DIR/plain" "$NETNS_DIR/hello"
	assert_equal "$(classified "$fields" source 192.0.2.7)" '[null,null,"tls",false,"refused",null]'
	assert_equal "$(classified "$fields" source 203.0.113.9)" '[null,null,"tls",true,"farm","office"]'
	assert_equal "$(classified "$fields")" '[null,null,"tls",null,"unknown",null]'
}

@test "hello classify says that it depends on a source it is not told" {
	{
		farms one=11 two=12 three=13
		frontend auto one
		printf 'routes:\n'
		ROUTE_WEIGHT=1 route other two "source in 192.0.2.0/24" "alpn is h3"
		ROUTE_WEIGHT=2 route near two "source in 192.0.2.0/24" "alpn is h2"
		ROUTE_WEIGHT=3 route far three "not source in 198.51.100.0/24"
		ROUTE_WEIGHT=4 route tls one "protocol is tls"
	} >"$CONFIG"
	"$PEERS/tcp" hello --alpn h2 >"$NETNS_DIR/hello"
	local outcome='"\(.action) \(.farm): \([.routes[].outcome] | join("; "))"'
	local depends="depends on the source, which is not known"
	assert_equal "$(classified "$outcome")" "unknown null: does not match; $depends; $depends; matches, but comes later"
	assert_equal "$(classified "$outcome" source 192.0.2.2)" \
		"farm two: does not match; decides; matches, but comes later; matches, but comes later"
	sed -i '/name: far/,/name: tls/{/name: tls/!d}' "$CONFIG"
	assert_equal "$(classified "$outcome")" "unknown null: does not match; $depends; decides otherwise"
	assert_equal "$(classified "$outcome" source 192.0.3.2 | cut -d: -f1)" "farm one"
	"$PEERS/tcp" hello --alpn http/1.1 >"$NETNS_DIR/hello"
	assert_equal "$(classified "$outcome")" "farm one: does not match; does not match; decides"
	run -0 alpnlb hello classify file "$NETNS_DIR/hello" config "$CONFIG"
	assert_matches "$output" '1 +other +source in 192.0.2.0/24 +- +unknown +does not match'
}

# What tshark and alpnlb read in the hellos of a capture, one line per connection.
tshark_reads() {
	tshark -r "$1" -Y 'tls.handshake.type == 1' -T fields -E separator=' ' -E aggregator=, \
		-e tcp.srcport -e tls.handshake.extensions_server_name \
		-e tls.handshake.extensions_alpn_str 2>/dev/null | sed 's/ *$//' | sort
}
alpnlb_reads() {
	alpnlb -j hello classify file "$1" config "$2" | gojq -r 'if type == "array" then .[] else . end |
		select(.verdict == "tls") |
		"\(.client | sub(".*:"; "")) \(.sni // "") \(.alpn // [] | join(","))"' | sed 's/ *$//' | sort
}

@test "captures of real clients are read as tshark reads them" {
	local n
	start_nginx h2-a 11 443 h2
	netns_route
	{
		farms h2=11
		frontend auto h2 "dedicated_ipfo: [$(server4 11)]"
		printf '  - { name: off, port: 443, disabled: true, default_farm: h2 }\n'
		printf '  - { name: six, port: 443, dedicated_ipfo: ["%s"], default_farm: h2 }\n' "$(server6 11)"
	} >"$CONFIG"
	netns_spawn client "$NETNS_DIR/capture.log" \
		dumpcap -P -i balancer -f 'tcp port 443' -w "$NETNS_DIR/capture.pcap"
	local capture=$NETNS_PID
	netns_await 20 grep -q '^File:' "$NETNS_DIR/capture.log"
	served_by "$(server4 11)" www.alpnlb.test --http2
	served_by "$(server6 11)" www.alpnlb.test --http1.1 --tls-max 1.2
	s_client "$(server4 11)" -alpn spdy/1,http/1.1 -servername Some.Alpnlb.test
	s_client "$(server6 11)" -noservername -groups P-521:X25519
	gnutls "$(server4 11)" --alpn h2 --sni-hostname gnutls.alpnlb.test
	netns_await 10 captured 5 || fail "not every hello was captured"
	netns_stop "$capture" INT
	tshark_reads "$NETNS_DIR/capture.pcap" | sed 's/Some.Alpnlb/some.alpnlb/' >"$NETNS_DIR/theirs"
	alpnlb_reads "$NETNS_DIR/capture.pcap" "$CONFIG" >"$NETNS_DIR/ours"
	n=$(wc -l <"$NETNS_DIR/theirs")
	((n == 5)) || fail "tshark sees $n hellos, not 5"
	diff -u "$NETNS_DIR/theirs" "$NETNS_DIR/ours"
	# of two frontends on a port it is the one with the address
	assert_equal "$(alpnlb -j hello classify file "$NETNS_DIR/capture.pcap" config "$CONFIG" |
		gojq -c 'map("\(.server | startswith("[")) \(.frontend)") | unique')" '["false web","true six"]'
}
captured() {
	(($(tshark_reads "$NETNS_DIR/capture.pcap" | wc -l) >= $1))
}
