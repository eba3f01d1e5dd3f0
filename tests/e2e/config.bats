#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The configuration file and the life of the daemon.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

load lib

# everybody_to NAME: everybody goes to farm NAME, whose server is `one` (11) or `two` (12).
everybody_to() {
	farms one=11 two=12
	frontend auto "$1"
}

start_both() {
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	everybody_to one >"$CONFIG"
	start_daemon
}

# hold_connection: an echo connection through the balancer that goes on.
hold_connection() {
	hold held "$LB4" 443 --alpn h2 --bytes 100000
	await_connections 1
}

held_connection_ends_well() {
	assert_echoed "$(end_held held)"
}

start_echo() {
	{
		farms echo=11
		frontend "$1" echo
		printf 'routes:\n'
		route h2 echo "alpn is h2"
	} >"$CONFIG"
	start_tcp echo 11 9000 echo
	shift
	start_daemon "$@"
}

# ---- warnings -----------------------------------------------------------------------------

@test "check, apply and the daemon warn of routes that never match" {
	{
		everybody_to one
		printf 'routes:\n'
		route tls two "protocol is tls"
		route never one "sni is a.test"
	} >"$CONFIG"
	local line warning
	line=$(grep -n 'name: never' "$CONFIG" | cut -d: -f1)
	warning="config.yaml:$line: routes\[1\]: the route \"tls\" in line [0-9]+ comes first and matches"
	run -0 --separate-stderr alpnlb check "$CONFIG"
	assert_matches "$stderr" "warning: .*$warning" check
	start_tcp two 12 9000 name
	start_daemon
	daemon_says "warning: .*$warning"
	run -0 --separate-stderr alpnlb apply "$CONFIG"
	assert_matches "$stderr" "warning: .*$warning" apply
	assert_equal "$(alpnlb -j apply "$CONFIG" | gojq -r '.problems[] | "\(.warning) \(.line)"')" "true $line"
	assert_equal "$(reached "$LB4" 443 --sni a.test)" two
	stop_daemon
}

# ---- mistakes -----------------------------------------------------------------------------

# refused_with PATTERN: check and daemon refuse $NETNS_DIR/bad.yaml, saying BAD.YAML:PATTERN.
refused_with() {
	run -1 alpnlb check "$NETNS_DIR/bad.yaml"
	assert_matches "$output" "bad.yaml:$1" check
	run -1 timeout 20 nsenter --net="$(netns_path balancer)" "$ALPNLB" --instance "$NETNS_NAME" \
		daemon -c "$NETNS_DIR/bad.yaml"
	assert_matches "$output" "bad.yaml:$1" daemon
}

@test "a mistake is one line: file, line, path of the attribute, what is allowed" {
	{
		farms one=11
		frontend auto one
	} >"$NETNS_DIR/good.yaml"
	alpnlb check "$NETNS_DIR/good.yaml"

	sed 's/path: auto/path: fast/' "$NETNS_DIR/good.yaml" >"$NETNS_DIR/bad.yaml"
	refused_with '9: frontends\[0\]\.path: .*fast.*sockmap'
	sed 's/default_farm: one/default_farm: none/' "$NETNS_DIR/good.yaml" >"$NETNS_DIR/bad.yaml"
	refused_with '10: frontends\[0\]\.default_farm: .*none'
	sed 's/port: "443"/port: "70000"/' "$NETNS_DIR/good.yaml" >"$NETNS_DIR/bad.yaml"
	refused_with '8: frontends\[0\]\.port: .*70000'
	sed 's/port: 9000/prot: 9000/' "$NETNS_DIR/good.yaml" >"$NETNS_DIR/bad.yaml"
	refused_with '3: farms\[0\].*prot'
	printf 'farms: [\n' >"$NETNS_DIR/bad.yaml"
	refused_with '[0-9]+: '
}

@test "check, apply and daemon answer odd files in the same way" {
	start_both
	printf 'farms:\n  - name: \xff\n' >"$NETNS_DIR/bad.yaml"
	refused_with '2: not UTF-8 text'
	run -1 alpnlb apply "$NETNS_DIR/bad.yaml"
	assert_matches "$output" 'bad.yaml:2: not UTF-8 text'
	run -1 --separate-stderr alpnlb -j apply "$NETNS_DIR/bad.yaml"
	assert_equal "$(gojq -r '.problems[0].line' <<<"$stderr")" 2
	printf '# nothing\n' >"$NETNS_DIR/bad.yaml"
	refused_with ' is empty, allowed: '
	run -1 alpnlb apply "$NETNS_DIR/bad.yaml"
	assert_matches "$output" 'bad.yaml: is empty, allowed: '
	head -c 4096 /dev/urandom >"$NETNS_DIR/bad.yaml"
	run -1 alpnlb check "$NETNS_DIR/bad.yaml"
	run -1 alpnlb apply "$NETNS_DIR/bad.yaml"
	{ cat "$CONFIG" && head -c 10000000 /dev/zero | tr '\0' '#'; } >"$NETNS_DIR/large.yaml"
	alpnlb apply "$NETNS_DIR/large.yaml"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(stats .revision)" 2
	stop_daemon
}

@test "a configuration without a frontend is refused, also by apply" {
	start_both
	farms one=11 >"$NETNS_DIR/bad.yaml"
	refused_with '1: frontends: there is none, allowed: 1'
	run -1 alpnlb apply "$NETNS_DIR/bad.yaml"
	assert_matches "$output" 'bad.yaml:1: frontends: there is none'
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(stats .revision)" 1
	stop_daemon
}

@test "every frontend has a farm or a route with rules, a disabled one as well" {
	{
		farms one=11
		frontend auto one
		printf '  - { name: off, port: 444, disabled: true }\nroutes:\n'
		printf '  - { name: r, frontend: off, action: { type: reject } }\n'
	} >"$NETNS_DIR/bad.yaml"
	refused_with '11: frontends\[1\]\.default_farm: is missing, allowed: '
	sed -i 's/reject } }/reject }, rules: [ { field: sni, match: exists } ] }/' "$NETNS_DIR/bad.yaml"
	alpnlb check "$NETNS_DIR/bad.yaml"
}

@test "JSON is accepted like YAML" {
	cat >"$CONFIG" <<-END
		{"farms": [{"name": "one", "port": 9000, "servers": [{"name": "s", "address": "$(server4 11)"}]}],
		 "frontends": [{"name": "web", "port": "443", "default_farm": "one"}]}
	END
	start_tcp one 11 9000 name
	start_daemon
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
}

@test "a bad apply changes nothing" {
	start_both
	sed 's/port: 9000/port: nine/' "$CONFIG" >"$NETNS_DIR/bad.yaml"
	run -1 alpnlb apply "$NETNS_DIR/bad.yaml"
	assert_matches "$output" 'bad.yaml:3: farms\[0\]\.port'
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(stats .revision)" 1
	stop_daemon
}

# ---- apply --------------------------------------------------------------------------------

@test "apply takes effect for the next connection and keeps the live ones" {
	start_echo auto
	hold_connection
	start_tcp two 12 9000 name
	everybody_to two | sed 's/name: one/name: echo/' >"$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" two
	await_connections 1
	held_connection_ends_well
	stop_daemon
}

@test "apply that removes the farm of a live connection keeps the connection" {
	start_echo auto
	hold_connection
	start_tcp two 12 9000 name
	{ farms two=12 && frontend auto two; } >"$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" two
	held_connection_ends_well
	stop_daemon
}

# Under `old`, SNI x goes to farm one and the rest to farm four; under `new`, all go to farm two.
# A client with SNI x that reaches farm four has seen routes and frontend of different files.
@test "a connection sees the old or the new configuration, never a mix" {
	local name host=11
	for name in one two four; do
		start_tcp $name $host 9000 name
		host=$((host + 1))
	done
	{
		farms one=11 two=12 four=13
		frontend auto four
		printf 'routes:\n'
		route x one "sni is x.test"
	} >"$NETNS_DIR/old.yaml"
	{
		farms one=11 two=12 four=13
		frontend auto two
		printf 'routes:\n'
		route y one "sni is y.test"
	} >"$NETNS_DIR/new.yaml"
	cp "$NETNS_DIR/old.yaml" "$CONFIG"
	start_daemon
	for _ in {1..30}; do
		alpnlb apply "$NETNS_DIR/new.yaml" && alpnlb apply "$NETNS_DIR/old.yaml" || exit
	done >"$NETNS_DIR/apply.log" 2>&1 3>&- &
	while kill -0 $! 2>/dev/null; do
		reached "$LB4" 443 --sni x.test --cut 40 >>"$NETNS_DIR/reached"
	done
	wait $! || fail "an apply failed"
	assert_equal "$(sort -u "$NETNS_DIR/reached" | paste -sd,)" one,two
	assert_equal "$(stats .revision)" 61
	stop_daemon
}

# late_hello PATH FILTER CUT [CLIENT-OPTION...]: a client has sent CUT bytes, 0 for none at all,
# when a file is applied in which FILTER has changed the frontend.
late_hello() {
	local path=$1 filter=$2 cut=$3
	shift 3
	start_tcp one 11 9000 banner
	start_tcp two 12 9000 banner
	{
		farms one=11 none=
		frontend "$path" none "hello_timeout: 2s"
		printf 'routes:\n'
		route h2 one "alpn is h2"
		route silent one "not protocol is https"
	} >"$CONFIG"
	start_daemon
	netns_spawn client "$NETNS_DIR/late.log" "$PEERS/tcp" client "$LB4" 443 \
		--cut "$cut" --rest-when "$NETNS_DIR/rest" --half-close --timeout 10 "$@"
	await_connections 1
	netns_await 10 has_sent "$cut" || fail "the client's bytes did not arrive"
	{ farms two=12 && frontend "$path" two; } | sed "$filter" >"$CONFIG"
	alpnlb apply "$CONFIG"
	touch "$NETNS_DIR/rest"
	netns_await 20 grep -q '^{' "$NETNS_DIR/late.log" || fail "the client does not end"
	assert_equal "$(report_field line <"$NETNS_DIR/late.log")" one
	assert_matches "$(reached "$LB4" 443 --alpn h2)" '^(two|refused)$'
	await_connections 0
	stop_daemon
}
has_sent() {
	(($(ask conn show | gojq '.[0].bytes_from_client') >= $1))
}
REMOVE='s/port: "443"/port: "444"/; s/name: web/name: other/'
RENAME='s/name: web/name: other/'
@test "half a hello, and a refresh removes the frontend (sockmap)" {
	late_hello sockmap "$REMOVE" 100 --alpn h2
}
@test "half a hello, and a refresh removes the frontend (relay)" {
	late_hello relay "$REMOVE" 100 --alpn h2
}
@test "half a hello, and a refresh renames the frontend (sockmap)" {
	late_hello sockmap "$RENAME" 100 --alpn h2
}
@test "half a hello, and a refresh renames the frontend (relay)" {
	late_hello relay "$RENAME" 100 --alpn h2
}
@test "no hello, and a refresh removes the frontend (sockmap)" { late_hello sockmap "$REMOVE" 0; }
@test "no hello, and a refresh removes the frontend (relay)" { late_hello relay "$REMOVE" 0; }

@test "frontends come and go with apply" {
	start_both
	{
		everybody_to one
		printf '  - { name: more, port: "8000-8002,8080", default_farm: two }\n'
	} >"$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(reached "$LB4" 8001 --alpn h2)" two
	assert_equal "$(reached "$LB6" 8080 --alpn h2)" two
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	everybody_to two | sed 's/"443"/"444"/' >"$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(reached "$LB4" 8001 --alpn h2)" refused
	assert_equal "$(reached "$LB4" 443 --alpn h2)" refused
	assert_equal "$(reached "$LB4" 444 --alpn h2)" two
	stop_daemon
}

# ---- the daemon ---------------------------------------------------------------------------

@test "a second daemon for the same instance is refused, and the first goes on" {
	start_both
	run timeout 20 nsenter --net="$(netns_path balancer)" "$ALPNLB" --instance "$NETNS_NAME" \
		daemon -c "$CONFIG"
	((status != 0 && status != 124)) || fail "status $status"
	assert_matches "$output" "$NETNS_NAME"
	assert_matches "$output" 'already|running'
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
}

# run_daemon STATUS [COMMAND...]: runs a daemon with $CONFIG that is to fail, below COMMAND.
run_daemon() {
	local status=$1
	shift
	run "-$status" timeout 20 nsenter --net="$(netns_path balancer)" "$@" "$ALPNLB" \
		--instance "$NETNS_NAME" daemon -c "$CONFIG"
}

@test "a start that fails names the step that failed" {
	everybody_to one >"$CONFIG"
	mkdir -p "/run/alpnlb/$NETNS_NAME/control.sock"
	run_daemon 1
	assert_matches "$output" "cannot open the control socket in /run/alpnlb/$NETNS_NAME: Address already in use"
	rmdir "/run/alpnlb/$NETNS_NAME/control.sock"
	# Of stacks as large as the limit says, the address space has no room for one.
	run_daemon 1 prlimit --stack=200000000000000
	assert_matches "$output" 'cannot start the grace thread: Resource temporarily unavailable'
	[[ ! -e /sys/fs/bpf/alpnlb/$NETNS_NAME ]] || fail "an empty directory of pins is left"
	run_daemon 1 setpriv --bounding-set=-perfmon,-sys_admin --
	assert_matches "$output" 'error: the daemon may not load BPF programs, missing: CAP_PERFMON; .*grant'
	[[ $output != *libbpf* ]] || fail "$output"
	# shellcheck disable=SC2016 # its own arguments
	run_daemon 1 unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh
	assert_matches "$output" 'cannot load the BPF programs: .*; this kernel lacks: BTF of the kernel \(see: alpnlb doctor\)'
	# shellcheck disable=SC2016
	run_daemon 1 unshare --mount sh -c 'umount /sys/fs/bpf && exec setpriv --bounding-set=-sys_admin -- "$@"' sh
	assert_matches "$output" 'error: cannot mount /sys/fs/bpf: Operation not permitted'
}

@test "a start that fails does not warn of what was only tried" {
	everybody_to one >"$CONFIG"
	take_port 443
	run_daemon 1
	assert_matches "$output" 'error: frontend web: cannot listen on 0\.0\.0\.0:443: Address already in use'
	[[ $output != *"warning: libbpf"* ]] || fail "$output"
}

@test "under -j a daemon that does not start leaves one error, and every line is an object" {
	{
		farms one=11
		frontend auto one
	} >"$CONFIG"
	mkdir -p "/run/alpnlb/$NETNS_NAME/control.sock"
	run -1 alpnlb -j daemon -c "$CONFIG"
	assert_equal "$(gojq -s 'map(.error // empty)[]' <<<"$output")" \
		"\"cannot open the control socket in /run/alpnlb/$NETNS_NAME: Address already in use\""
	rmdir "/run/alpnlb/$NETNS_NAME/control.sock"

	sed -i 's/path: auto/path: fast/; s/"443"/"0"/' "$CONFIG"
	run -1 alpnlb -j daemon -c "$CONFIG"
	assert_equal "$(gojq -r '.error, .file, (.problems[] | .path)' <<<"$output" | xargs)" \
		"the configuration is not valid $CONFIG frontends[0].port frontends[0].path"
}

@test "two instances run side by side" {
	local command
	start_both
	everybody_to two | sed 's/"443"/"444"/' >"$NETNS_DIR/other.yaml"
	netns_spawn balancer "$NETNS_DIR/other.log" "$ALPNLB" daemon -c "$NETNS_DIR/other.yaml" \
		--instance "$NETNS_NAME-b"
	netns_await 20 grep -Eq "$PEER_READY" "$NETNS_DIR/other.log"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(reached "$LB4" 444 --alpn h2)" two
	assert_equal "$(alpnlb frontend show web --instance "$NETNS_NAME-b" -j | gojq -c .ports)" '["444"]'
	for command in "conn show" "refresh run"; do
		# shellcheck disable=SC2086 # words
		run -4 alpnlb $command --instance "$NETNS_NAME-c"
		assert_matches "$output" '; --instance has others: [^ ]' "$command"
	done
	netns_stop "$NETNS_PID"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
}

port_is_closed() {
	[[ $(reached "$LB4" 443 --alpn h2) == refused ]]
}

drains() {
	start_echo "$1"
	hold_connection
	kill -TERM "$DAEMON_PID"
	netns_await 10 daemon_says 'draining: 1 connections' || fail "it does not drain"
	port_is_closed || fail "new connections are still taken"
	netns_alive "$DAEMON_PID" || fail "the daemon did not wait for the live connection"
	held_connection_ends_well
	daemon_ended 0
}
@test "SIGTERM drains: no new connections, live ones go on, exit 0 (sockmap)" { drains sockmap; }
@test "SIGTERM drains: no new connections, live ones go on, exit 0 (relay)" { drains relay; }

# limited N COMMAND...: with a daemon that cannot have more than N descriptors.
limited() {
	cat >"$NETNS_DIR/limited" <<-END
		#!/bin/sh
		exec prlimit --nofile=$1:$1 setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource \\
			"$ALPNLB" "\$@"
	END
	chmod 755 "$NETNS_DIR/limited"
	shift
	ALPNLB=$NETNS_DIR/limited "$@"
}

wide() {
	everybody_to "$1"
	printf '  - { name: wide, port: "8000-9000", default_farm: two }\n'
}

# probed_by N: what runs, with so many servers more that are probed.
probed_by() {
	local n
	everybody_to one | sed '/^frontends:/,$d'
	printf '  - name: probed\n    port: 9000\n    probe: { type: tcp }\n    servers:\n'
	for ((n = 0; n < $1; n++)); do
		printf '      - { name: s%d, address: "%s", probe: true }\n' "$n" "$(server4 11)"
	done
	everybody_to one | sed -n '/^frontends:/,$p'
}

# Where ports cannot be steered to few sockets.
@test "more ports or probes than there are descriptors for: one line, and nothing changes" {
	no_steering
	start_tcp two 12 9000 name
	start_tcp one 11 9000 echo
	everybody_to one >"$CONFIG"
	limited 1200 start_daemon --workers 2
	hold_connection
	wide two >"$CONFIG"
	run -1 --separate-stderr alpnlb apply "$CONFIG"
	assert_matches "$stderr" 'no room for 2004 addresses and ports with a socket for each of 2 workers, 0 probed servers, 0 farms with stickiness, and [01] connections: RLIMIT_NOFILE stays at 1200, needed: at least [0-9]+$'
	assert_equal "$(wc -l <<<"$stderr")" 1
	probed_by 1200 >"$CONFIG.probed"
	run -1 --separate-stderr alpnlb apply "$CONFIG.probed"
	assert_matches "$stderr" 'no room for 2 addresses and ports .*, 1200 probed servers, 0 farms'
	assert_equal "$(stats .revision)" 1
	assert_equal "$(netns_exec balancer ss -Hltn 'sport >= 8000 and sport <= 9000')" ""
	held_connection_ends_well
	stop_daemon
	limited 1200 run_daemon 1
	assert_matches "$output" 'no room for 2004 addresses and ports'
	limited 20000 start_daemon --workers 2
	assert_equal "$(reached "$LB6" 9000 --alpn h2)" two
	stop_daemon
}

# stopped_at EVENT...: a daemon that gets SIGTERM at the event exits with 0 and leaves nothing.
stopped_at() {
	netns_spawn balancer "$NETNS_DIR/daemon.log" \
		"$ALPNLB" --instance "$NETNS_NAME" daemon -c "$CONFIG" 5>&-
	DAEMON_PID=$NETNS_PID
	until "$@"; do netns_alive "$DAEMON_PID" || fail "the daemon has ended" || return; done
	kill -"${SIGNAL:-TERM}" "$DAEMON_PID"
	daemon_ended 0 || return
	assert_matches "$(<"$NETNS_DIR/daemon.log")" 'stopped during the start'
	[[ ! -e /sys/fs/bpf/alpnlb/$NETNS_NAME && ! -e /run/alpnlb/$NETNS_NAME/control.sock ]] ||
		fail "something is left"
}
reads_config() {
	[[ $(readlink "/proc/$DAEMON_PID/fd"/*) == *"$CONFIG"* && $(<"/proc/$DAEMON_PID/wchan") == *pipe_read* ]]
}

@test "SIGTERM and SIGINT call a start off" {
	mkfifo "$CONFIG"
	exec 5<>"$CONFIG" # so that the daemon's open does not wait; not for itself to have
	stopped_at reads_config
	SIGNAL=INT stopped_at reads_config
	exec 5>&-
	rm "$CONFIG"
	everybody_to one >"$CONFIG"
	rm -f "/run/alpnlb/$NETNS_NAME/lock"
	stopped_at test -e "/run/alpnlb/$NETNS_NAME/lock"
	stopped_at test -e "/sys/fs/bpf/alpnlb/$NETNS_NAME"
	SIGNAL=INT stopped_at test -e "/sys/fs/bpf/alpnlb/$NETNS_NAME"
	start_tcp one 11 9000 name
	start_daemon
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
}

@test "a daemon that was killed leaves no obstacle for the next" {
	start_both
	kill_daemon
	start_daemon
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
}

@test "show and stat answer from the pinned maps when no daemon runs" {
	start_both
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
	assert_equal "$(alpnlb -j farm show name one | gojq -r '.name')" one
	assert_equal "$(stats .counters.accepted)" 1
	assert_equal "$(stats .daemon)" false
}
