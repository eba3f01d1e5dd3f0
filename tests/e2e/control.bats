#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The command line writes the model: every verb, on live traffic where it makes a difference.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

load lib

# refused STATUS MESSAGE WORD...: the exit status, and the one line on stderr, a pattern.
refused() {
	local status=$1 message=$2
	shift 2
	run "-$status" --separate-stderr alpnlb "$@"
	assert_equal "$output" "" "$*" || return
	assert_equal "${#stderr_lines[@]}" 1 "$*: lines" || return
	assert_matches "$stderr" "^alpnlb: .*$message" "$*"
}

staged() {
	alpnlb -j export staged | gojq -c "$1"
}

# ---- guides -------------------------------------------------------------------------------

@test "the guide: HTTP/2 to a farm of its own, step by step" {
	start_guide
	assert_equal "$(alpnlb farm add h2 port 9000 balance roundrobin)" 2
	assert_equal "$(alpnlb server add h2/a address "$(server4 11)")" 2
	assert_equal "$(alpnlb route add http2 frontend web action farm target h2)" 1
	assert_equal "$(alpnlb rule add route http2 field protocol match is pattern http/2.0)" 1
	assert_equal "$(alpnlb -j pending show | jq -c .)" '[{"zone":"gra","number":4}]'
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/1.1 h1-a" "before the refresh"
	run -0 alpnlb refresh dry-run
	assert_equal "$output" ""
	run -0 alpnlb refresh run zone gra
	assert_matches "$output" 'status +done'
	assert_equal "$(alpnlb -j pending show | jq -c .)" '[]'
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 h2-a"
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http1.1)" "HTTP/1.1 h1-a"
	assert_equal "$(alpnlb -j route show name http2 | gojq -r .when)" "protocol is http/2.0"
	stop_daemon
}

@test "by SNI with reject and negate, pre-production by source, blue/green" {
	start_small
	alpnlb route add strangers frontend web action reject
	alpnlb rule add route strangers field sni match endswith pattern .alpnlb.test negate true
	alpnlb route add preproduction frontend web action farm target two weight 5
	alpnlb rule add route preproduction field source match in pattern "$(server4 99), 192.0.2.0/24"
	alpnlb refresh run
	assert_equal "$(reached "$LB4" 443 --sni www.alpnlb.test)" two
	assert_equal "$(reached "$LB4" 443 --sni www.example.com)" reset
	assert_equal "$(reached "$LB6" 443 --sni www.alpnlb.test)" one
	alpnlb route delete strangers
	alpnlb route set preproduction frontend null
	alpnlb frontend set web default_farm two
	alpnlb refresh run
	assert_equal "$(reached "$LB4" 443 --sni www.example.com)" two
	stop_daemon
}

# ---- verbs --------------------------------------------------------------------------------

@test "set changes the attributes given, null unsets, names and ids both find" {
	start_small
	alpnlb farm set one port 9001 balance leastconn displayName "farm one"
	alpnlb farm set 1 balance null
	assert_equal "$(staged '.farms[0] | [.port, .balance, .display_name]')" '[9001,null,"farm one"]'
	alpnlb farm set one probe http probe.interval 2s
	alpnlb farm set one probe.url /up probe.forceSsl true
	assert_equal "$(staged '.farms[0].probe | [.type, .interval, .url, .force_ssl]')" '["http","2s","/up",true]'
	alpnlb farm set one probe null
	assert_equal "$(staged '.farms[0].probe')" null
	alpnlb server set one/s11 weight 0 status inactive
	alpnlb server set 1/s11 backup true
	alpnlb server set s12 weight 7
	assert_equal "$(staged '[.farms[].servers[0] | [.weight, .status, .backup]]')" \
		'[[0,"inactive",true],[7,null,null]]'
	alpnlb fr set web allowed 10.0.0.0/8,2001:db8::/32 helloTimeout 5s defaultFarmId 2 idle 0
	assert_equal "$(staged '.frontends[0] | [.allowed_source, .hello_timeout, .default_farm]')" \
		'[["10.0.0.0/8","2001:db8::/32"],"5s","two"]'
	alpnlb farm set two name deux
	assert_equal "$(staged '.frontends[0].default_farm')" '"deux"'
	alpnlb route add r frontend web action farm target deux
	alpnlb route set r action reject
	alpnlb rule add route 1 field sni match exists
	alpnlb rule set r/1 match is pattern a.example
	assert_equal "$(staged '.routes[0] | [.action, .rules[0].pattern]')" '[{"type":"reject"},"a.example"]'
	alpnlb rule delete 1
	assert_equal "$(staged '.routes[0].rules')" null
	alpnlb route delete r
	alpnlb frontend set web default_farm 1
	alpnlb server delete deux/s12
	alpnlb farm delete deux
	assert_equal "$(staged '[(.farms | length), .routes]')" '[1,null]'
	stop_daemon
}

@test "a word is a name or an id wherever an object is meant" {
	local word
	start_small
	alpnlb route add r frontend web action farm target two
	alpnlb rule add route r field sni match exists name named
	alpnlb refresh run
	for word in one 1 id:1 name:one; do
		assert_equal "$(alpnlb -j farm show "$word" | gojq -r .name)" one "$word"
		assert_equal "$(alpnlb -j farm show name "$word" | gojq -r .name)" one "$word"
		assert_equal "$(alpnlb -j server show farm "$word" | gojq -r '.[].name')" s11 "$word"
		assert_equal "$(alpnlb -j server show "$word/1" | gojq -r .name)" s11 "$word"
		assert_equal "$(alpnlb -j conn show farm "$word")" '[]' "$word"
		assert_equal "$(alpnlb -j flow show farm "$word")" '[]' "$word"
	done
	for word in web 1; do
		assert_equal "$(alpnlb -j frontend show "$word" | gojq -r .name)" web
		assert_equal "$(alpnlb -j route show frontend "$word" | gojq -r '.[].name')" r
		assert_equal "$(printf 'x' | alpnlb -j hello classify frontend "$word" | gojq -r .frontend)" web
		assert_equal "$(alpnlb -j conn show frontend "$word" server 1)" '[]'
		assert_equal "$(alpnlb -j flow count frontend "$word" server s11 | gojq .flows)" 0
	done
	for word in "r" "name r" "route r" "route 1"; do
		# shellcheck disable=SC2086 # words
		assert_equal "$(alpnlb -j rule show $word | gojq -r '.[].field')" sni "rule show $word"
	done
	for word in 1 id:1 named r/1 r/named 1/1 "id 1" "name named"; do
		# shellcheck disable=SC2086 # words
		assert_equal "$(alpnlb -j rule show $word | gojq -r .field)" sni "rule show $word"
	done
	assert_equal "$(alpnlb -j route show 1 | gojq -r .name)" r
	assert_equal "$(alpnlb -j task show 1 | gojq -r .id)" 1
	assert_equal "$(alpnlb -j revision show 1 | gojq -r .number)" 1
	refused 3 "no farm 'stagd', see: alpnlb farm show; before a refresh: alpnlb farm show staged$" farm show stagd
	refused 3 "no farm '77'" conn show farm 77
	refused 3 "no rule 'x'" rule show x
	refused 2 "name is given twice: 'one' and 'two'" farm show one name two
	refused 2 "farm: give either name or id" farm show one id 1
	refused 2 "rule: give one of" rule show name r id 1
	refused 2 "server id '0': expected 1" server show id:0
	stop_daemon
}

@test "show tells all that was set" {
	local staged
	start_small
	alpnlb farm set one vrack_network_id 7 probe http probe.interval 2s probe.url /up
	alpnlb server set one/s11 probe true on_marked_down shutdown-sessions
	alpnlb route add r frontend web action farm target two
	alpnlb rule add route r field sni match exists name named
	alpnlb refresh run
	for staged in "" staged; do
		# shellcheck disable=SC2086 # a word, or none
		{
			assert_equal "$(alpnlb -j farm show one $staged | gojq -c '[.probe, .vrack_network_id]')" \
				"$(staged '.farms[0] | [.probe, .vrack_network_id]')"
			assert_equal "$(alpnlb -j server show $staged | gojq -c '.[0] | [.probe, .on_marked_down]')" \
				'[true,"shutdown-sessions"]'
			assert_equal "$(alpnlb -j rule show $staged | gojq -r '.[].name')" named
			run -0 alpnlb farm show id 1 $staged
			assert_matches "$output" $'\nPROBE +type: http, interval: 2s, url: /up\nVRACK NETWORK ID +7'
			run -0 alpnlb server show s11 $staged
			assert_matches "$output" $'\nON MARKED DOWN +shutdown-sessions'
			run -0 alpnlb rule show $staged
			assert_matches "$output" $'NAME.*\n.* named '
		}
	done
	stop_daemon
}

@test "what is the name of one and the id of another is refused until it is said which" {
	start_small
	alpnlb farm add 1 port 80
	alpnlb server add name:1/2 address 192.0.2.9
	refused 2 "farm '1' is the name of one and the id of another: say name:1 or id:1" farm delete 1
	refused 2 "farm '1' is the name of one" farm set 1 port 81
	refused 2 "farm '1' is the name of one" farm show staged name 1
	refused 2 "farm '1' is the name of one" frontend set web default_farm 1
	refused 2 "server '2' is the name of one and the id of another" server set 2 weight 3
	alpnlb server set id:2 weight 3
	alpnlb server set name:2 weight 4
	alpnlb server set id:3/name:2 backup true
	alpnlb frontend set web default_farm name:1
	assert_equal "$(staged '[.farms[].servers[0] | [.id, .weight, .backup]]')" \
		'[[1,null,null],[2,3,null],[3,4,true]]'
	assert_equal "$(staged '.frontends[0].default_farm')" '"1"'
	alpnlb frontend set web default_farm id:1
	alpnlb farm delete name:1
	assert_equal "$(staged '[.farms[].name]')" '["one","two"]'
	alpnlb farm add 3 # its id is 3 as well
	alpnlb farm delete 3
	stop_daemon
}

@test "show staged is what a refresh would make run, show is what runs" {
	start_small
	alpnlb farm add three balance first
	alpnlb server add three/x address 192.0.2.99 port 80
	alpnlb frontend set web default_farm three
	assert_equal "$(alpnlb -j farm show | gojq -r '[.[].name] | join(" ")')" "one two"
	assert_equal "$(alpnlb -j farm show staged | gojq -r '[.[].name] | join(" ")')" "one two three"
	assert_equal "$(alpnlb -j farm show staged name three | gojq -r .balance)" first
	assert_equal "$(alpnlb -j server show staged farm three | gojq -r '.[].endpoint')" 192.0.2.99:80
	assert_equal "$(alpnlb -j frontend show staged id 1 | gojq -r .default_farm)" three
	run -0 alpnlb farm show staged
	[[ ${lines[0]} != *LIVE* ]]
	run -3 alpnlb farm show name three
	alpnlb route add r action reject
	assert_equal "$(alpnlb -j route show staged name r | gojq -c '[.frontend, .live]')" '[null,null]'
	alpnlb rule add route r field sni match exists
	assert_equal "$(alpnlb -j rule show staged name r | gojq -r '.[].match')" exists
	stop_daemon
}

@test "diff says what a refresh changes, in text and as JSON" {
	start_small
	run -0 alpnlb refresh diff
	assert_equal "$output" ""
	alpnlb farm set one port 9001
	alpnlb server delete two/s12
	alpnlb frontend set web default_farm two
	alpnlb route add r frontend web action reject
	run -0 alpnlb refresh diff
	assert_equal "$output" "$(cat <<-'END'
		--- running in zone all
		+++ staged
		@@ farm one (1) changed @@
		-port: 9000
		+port: 9001
		@@ server two/s12 (2) deleted @@
		-address: 198.51.100.12
		@@ frontend web (1) changed @@
		-default_farm: one
		+default_farm: two
		@@ route r (1) created @@
		+frontend: web
		+action: {"type": "reject"}
	END
	)"
	assert_equal "$(alpnlb -j refresh diff | gojq -c '.changes[0] | [.name, .before, .after]')" \
		'["one",{"port":9000},{"port":9001}]'
	refused 3 "there is no zone 'ma rs', allowed: all" refresh diff zone "ma rs"
	refused 3 "no zone 'mars', allowed: all" refresh diff zone mars
	stop_daemon
}

@test "zones, tasks and a refresh that fails" {
	start_small 'zone: gra'
	alpnlb farm add far zone rbx
	alpnlb server add far/x address 192.0.2.99
	assert_equal "$(alpnlb -j zone show | gojq -c 'map([.name, .here, .pending])')" '[["gra",true,0],["rbx",false,2]]'
	alpnlb refresh run zone rbx
	assert_equal "$(alpnlb -j pending show)" '[]'
	alpnlb frontend add more port 444 default_farm one
	take_port 444
	refused 1 'refresh: frontend more: cannot listen on .*:444' refresh dry-run
	refused 1 'refresh: frontend more: cannot listen on .*:444' refresh run
	assert_equal "$(alpnlb -j task show | gojq -c 'map([.id, .status, .zones])')" \
		'[[1,"done",["rbx"]],[2,"error",["gra","rbx"]]]'
	assert_matches "$(alpnlb task show id 2)" 'MESSAGE +frontend more: cannot listen'
	refused 3 'no task with the id 9' task show id 9
	refused 2 "task id 'x': expected 1\.\." task show id x
	stop_daemon
}

# ---- mistakes -----------------------------------------------------------------------------

@test "each mistake is one line: what, where, what is allowed" {
	start_small
	refused 2 "unknown verb 'ad'.*add, set|unknown verb" farm addd
	refused 2 "farm add needs NAME" farm add
	refused 2 "unknown or ambiguous option '-x', expected one of: -j, -p, --instance NAME" farm add -x
	refused 2 "unknown attribute 'prot', expected one of: name, .*port" farm add x prot 1
	refused 2 "attribute 'p' is ambiguous: port, probe" farm add x p 1
	refused 2 "port needs a value: port 1\.\.65535, null" farm set one port
	refused 2 "port is given twice: '1' and '2'" farm set one port 1 port 2
	refused 2 "the name is given twice" farm add x name y
	refused 2 "farm one: set needs an attribute" farm set one
	refused 2 "expected FARM/SERVER" server add x address 192.0.2.1
	refused 2 "rule add needs the route" rule add field sni match exists
	refused 2 'farm .xff: a value is not UTF-8' farm add $'\xff'
	refused 2 'farm one: a value is not UTF-8' farm set one display_name $'\xff' port 1
	refused 2 'frontend web: a value is not UTF-8' frontend set web allowed_source $'10.0.0.1,\xff'
	refused 3 'refresh: there is no zone .\\xff., allowed: all' refresh run zone $'\xff'
	refused 3 "refresh: there is no zone 'mars', allowed: all" refresh run zone mars
	refused 3 "refresh: there is no zone ''" refresh dry-run zone ""
	refused 1 'farm one: port: 70000 is out of range, allowed: 1\.\.65535, null' farm set one port 70000
	refused 1 'farm one: balance: "x" is unknown, allowed: roundrobin' farm set one balance x
	refused 1 'farm a b: name: .* is not a name' farm add 'a b'
	refused 1 'farm one: name: ' farm add one
	refused 1 'server one/x: address: is missing' server add one/x
	refused 1 'server one/s11: address: cannot be changed' server set one/s11 address 192.0.2.1
	refused 1 'route r: action: is missing' route add r
	refused 1 'route r: target: is missing, the action farm needs one' route add r action farm
	refused 1 'farm one: probe: is missing, allowed: tcp, http' farm set one probe.url /x
	refused 1 'farm one: probe.port: 0 is out of range' farm set one probe tcp probe.port 0
	refused 1 'farm one: .*the default farm of the frontend web' farm delete one
	refused 3 "no farm 'x' is staged, see: alpnlb farm show staged" farm set x port 1
	refused 3 "no farm 'x' is staged" server add x/y address 192.0.2.1
	refused 3 "no farm 'x' is staged" frontend set web default_farm x
	refused 3 "no rule '7' is staged" rule delete 7
	refused 3 "no server 'two/s11' is staged" server delete two/s11
	alpnlb server add two/s11 address 192.0.2.9
	refused 2 "server 's11' is in several farms: one/s11, two/s11" server delete s11
	alpnlb route add r action reject
	alpnlb rule add route r field sni match exists
	refused 2 "rule 1: a rule stays in its route" rule set 1 route r
	alpnlb frontend set web default_farm null
	refused 1 'refresh: frontend web: default_farm: is missing, allowed: a farm' refresh run
	stop_daemon
	refused 4 'no daemon is running' farm add x
	refused 4 'no daemon is running' refresh run
}

@test "under -j every answer and every mistake is JSON" {
	start_small
	assert_equal "$(alpnlb -j farm add x)" '{"id":3,"name":"x"}'
	assert_equal "$(alpnlb -j farm set x port 80)" '{"id":3,"name":"x"}'
	assert_equal "$(alpnlb -j farm delete x)" '{"id":3,"name":"x"}'
	assert_equal "$(alpnlb -j refresh dry-run)" '{"problems":[]}'
	assert_equal "$(alpnlb -j refresh run | gojq -r .status)" 'done'
	run -1 --separate-stderr alpnlb -j farm set one port x balance y
	assert_equal "$output" ""
	assert_equal "$(gojq -c '[.problems[].path]' <<<"$stderr")" '["port","balance"]'
	run -2 --separate-stderr alpnlb -j farm set one prot 1
	assert_matches "$(gojq -r .error <<<"$stderr")" "unknown attribute"
	run -3 --separate-stderr alpnlb -j farm set x port 1
	assert_matches "$(gojq -r .error <<<"$stderr")" "no farm 'x'"
	alpnlb frontend set web default_farm null
	run -1 --separate-stderr alpnlb -j refresh run
	assert_equal "$(gojq -c '[.problems[].path]' <<<"$stderr")" '["frontends[0].default_farm"]'
	stop_daemon
}

@test "null in quotes is a text, and blanks at the ends of a pattern are shown" {
	start_small
	alpnlb route add r frontend web action farm target two display_name '"null"'
	alpnlb rule add route r field sni match is pattern '"null"'
	alpnlb rule add route r field alpn match is pattern ' x '
	assert_equal "$(alpnlb -j rule show staged | gojq -c 'map(.pattern)')" '["null"," x "]'
	assert_equal "$(alpnlb -j route show name r staged | gojq -r .display_name)" null
	assert_matches "$(alpnlb rule show staged)" ' is +null.* is +" x "$'
	assert_matches "$(alpnlb route show staged)" 'sni is null and alpn is " x "'
	alpnlb rule set r/1 display_name '"null"' pattern a
	alpnlb route set r display_name null
	assert_equal "$(alpnlb -j route show name r staged | gojq -r '.display_name | type')" null
	run -1 --separate-stderr alpnlb farm set one name null
	assert_equal "$stderr" "alpnlb: farm one: name: null is not a string without quotes, allowed: 1..50 of A-Z a-z 0-9 . _ -"
	alpnlb farm set one name '"null"'
	assert_equal "$(alpnlb -j frontend show name web staged | gojq -r .default_farm)" null
	alpnlb frontend set web default_farm two
	alpnlb frontend set web default_farm '"null"'
	stop_daemon
}

@test "what is not UTF-8 in the name of a file takes nothing from the JSON" {
	local command comment bad=$'c\xff.yaml' safe='c\\xff.yaml' wanted='["'"$NETNS_DIR"'/c\\xff.yaml",1]'
	start_small
	cp "$CONFIG" "$NETNS_DIR/$bad"
	assert_equal "$(alpnlb -j check "$NETNS_DIR/$bad" | gojq -c '[.file, (.frontends | length)]')" "$wanted"
	alpnlb -j apply "$NETNS_DIR/$bad"
	printf 'farms: 1\n' >"$NETNS_DIR/$bad"
	for command in "check" "apply" "hello classify config"; do
		# shellcheck disable=SC2086 # words
		run -1 --separate-stderr alpnlb -j $command "$NETNS_DIR/$bad" </dev/null
		assert_equal "$(gojq -c '[.file, (.problems | map(select(.warning | not)) | length > 0)]' <<<"$stderr")" \
			"${wanted%1]}true]" "$command"
	done
	printf 'farm add\n' >"$NETNS_DIR/$bad"
	run -2 --separate-stderr alpnlb -j batch file "$NETNS_DIR/$bad"
	assert_equal "$(gojq -c '[.batch, .line]' <<<"$stderr")" "$wanted"
	run -1 --separate-stderr alpnlb -j batch file "$NETNS_DIR/missing-$bad"
	assert_matches "$(gojq -r .error <<<"$stderr")" "missing-$safe: No such file"
	refused 2 'the comment is not UTF-8' refresh run comment $'\xff'
	comment=$(printf 'ü%.0s' {1..255})
	alpnlb refresh run comment "$comment"
	assert_equal "$(alpnlb -j revision show | gojq -r '.[-1].comment')" "$comment"
	refused 1 'comment: is not a string of at most 255 characters, or null' refresh run comment "${comment}x"
	stop_daemon
}

# ---- files --------------------------------------------------------------------------------

@test "export, check, apply: what comes out goes in" {
	start_small
	alpnlb route add r frontend web action farm target two weight 3 display_name "Zwölf: #1 'x'"
	alpnlb rule add route r field source match in pattern "10.0.0.0/8, 2001:db8::/32" negate true
	alpnlb frontend set web denied_source 203.0.113.0/24 hello_timeout 1500ms
	alpnlb server set two/s12 proxyProtocolVersion v2
	alpnlb export staged >"$NETNS_DIR/staged.yaml"
	run -0 --separate-stderr alpnlb check "$NETNS_DIR/staged.yaml"
	assert_equal "$stderr" ""
	run -0 alpnlb apply "$NETNS_DIR/staged.yaml"
	assert_equal "$(alpnlb refresh diff)" ""
	assert_equal "$(alpnlb export)" "$(cat "$NETNS_DIR/staged.yaml")"
	assert_equal "$(alpnlb -j export)" "$(alpnlb -j export staged)"
	alpnlb -j export | alpnlb apply -
	assert_equal "$(alpnlb -j export | gojq -r '.routes[0].display_name')" "Zwölf: #1 'x'"
	stop_daemon
	assert_equal "$(alpnlb export)" "$(cat "$NETNS_DIR/staged.yaml")" "without a daemon"
}

farms_are() {
	[[ $(staged '[.farms[].name]') == "$1" ]]
}

@test "a batch runs line by line and stops at the first mistake" {
	start_small
	cat >"$NETNS_DIR/batch" <<-'END'
		# a farm of its own
		farm add h2   port 9000  # as the others
		server add h2/a address 192.0.2.1

		farm set h2 display_name "two words"
		farm show staged name h2
	END
	run -0 alpnlb batch file "$NETNS_DIR/batch"
	assert_matches "$output" $'^3\n3\n.*DISPLAY NAME +two words'
	assert_equal "$(alpnlb -j batch file "$NETNS_DIR/batch" 2>&1 | gojq -c '[.batch, .line]')" \
		"[\"$NETNS_DIR/batch\",2]" "the farm is there already"
	refused 2 "<stdin>:2: unknown noun 'nonsense'" batch file - <<<$'# x\nnonsense\nfarm add never'
	refused 1 '<stdin>:1: farm one: port: ' batch file - <<<'farm set one port 0'
	refused 2 '<stdin>:1: a quote is not closed' batch file - <<<'farm add "x'
	refused 2 '<stdin>:1: batch cannot stand in a batch' batch file - <<<'batch file -'
	refused 2 "<stdin>:1: option '-j' has to stand before batch" batch file - <<<'-j farm show'
	refused 2 "<stdin>:1: option '-j' has to stand before batch" batch file - <<<'farm show -j'
	run -1 alpnlb batch file - <<<$'check -\nfarm add h3'
	assert_matches "$output" '<stdin>: is empty' "what a command finds in standard input"
	refused 1 '<stdin>:1: holds a NUL byte' batch file - < <(printf 'farm add h2\0x\n')
	refused 1 'No such file' batch file "$NETNS_DIR/missing"
	refused 2 'batch file needs FILE' batch file
	assert_equal "$(staged '[.farms[].name]')" '["one","two","h2"]'
	{
		printf 'farm delete h2\n'
		netns_await 10 farms_are '["one","two"]' # the pipe is still open
	} | alpnlb batch file -
	stop_daemon
}

# ---- completion ---------------------------------------------------------------------------

# completes WANTED WORD...: what the shell offers when the last word is being typed.
completes() {
	local wanted=$1
	shift
	completes_line "$wanted" --instance "$NETNS_NAME" "$@"
}

# The same, with the options as they are typed.
completes_line() {
	local wanted=$1
	shift
	COMP_WORDS=("$ALPNLB" "$@")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_alpnlb || true # compopt is for real completions
	assert_equal "$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' ')" "$wanted" "$*"
}

@test "the shell completes verbs, staged names, attributes and their values" {
	start_small
	alpnlb farm add twelve
	alpnlb route add r action reject
	alpnlb rule add route r field sni match exists
	# shellcheck source=/dev/null
	source "$TREE/user/completion/alpnlb"
	completes "add delete set show" farm ""
	completes "twelve two" farm set tw
	completes "port probe probe.alpn probe.ca probe.cert_days probe.cert_name probe.fall probe.force_ssl probe.interval probe.match probe.method probe.negate probe.pattern probe.port probe.rise probe.sni probe.timeout probe.url probe.verify" farm set two p
	completes "one" farm set two fallbackFarmId o
	completes "first" farm set two balance f
	completes "balance" farm set two port 80 ba
	completes "--drain-timeout --max-connections --workers -c" daemon ""
	completes "" farm add tw
	completes "balance" farm add x ba
	completes "one/s11" server delete o
	completes "1" rule delete ""
	completes "one/ twelve/ two/" server add ""
	completes "absent null present" rule add route r field tls.ech match is pattern ""
	completes "1.0 1.1 1.2 1.3" rule add field tls.version pattern 1
	completes "http http/1.1 http/2.0 https" rule add field protocol pattern h
	completes "null" rule add field sni pattern ""
	alpnlb rule set 1 field protocol match is pattern tls
	completes "ssh" rule set r/1 pattern ss
	completes "one" frontend set web defaultFarmId on
	completes "one/s11" se show o
	completes "http" fa se one probe h
	completes "true" fa se one probe.forceSsl t
	completes "r" rule add route ""
	completes "one" frontend set web default_farm o
	completes "false null true" farm set two probe.negate ""
	completes "two" farm show name tw
	completes "two" farm show tw
	completes "staged" farm show name two s
	completes "diff dry-run run" refresh ""
	completes "comment zone" refresh run ""
	completes "" farm set two port 80 por
	completes "port" farm set two balance port por # there it is a value
	completes "staged zone" farm show name two id 2 ""
	completes "running staged" export ""
	completes "$TREE/README.md" batch file "$TREE/READ"
	completes "$TREE/README.md" check "$TREE/READ"
	completes "$TREE/README.md" ch "$TREE/READ"
	completes_line "$NETNS_NAME" --instance = "$NETNS_NAME"
	completes_line "two" --instance = "$NETNS_NAME" farm show tw
	completes_line "two" "--instance=$NETNS_NAME" farm show tw
	completes_line "--instance=$NETNS_NAME" "--instance=$NETNS_NAME"
	stop_daemon
}

@test "the shell completes revisions, tasks, zones and applications" {
	start_small
	# shellcheck source=/dev/null
	source "$TREE/user/completion/alpnlb"
	alpnlb farm add far zone rbx
	alpnlb refresh run zone rbx
	alpnlb application add terraform
	alpnlb application add dashboard
	completes "1 2" revision diff ""
	completes "2" revision rollback 2
	completes "1 2 running staged" revision diff 1 to ""
	completes "read-only read-write" application set terraform access ""
	completes "access" application set terraform ac
	completes "2" revision show id 2
	completes "1" task show id ""
	completes "rbx" refresh diff zone r
	completes "all rbx" farm show zone ""
	completes "dashboard terraform" application delete ""
	completes "terraform" application show name t
	completes "" application add ""
	stop_daemon
}
