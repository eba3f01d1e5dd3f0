#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The daemon and what it runs in: file systems, the service manager, namespaces, threads, limits.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib

# start_echo PATH [DAEMON-OPTION...]
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

# Bytes go both ways, over IPv4 and IPv6.
carries_traffic() {
	local address report
	for address in "$LB4" "$LB6"; do
		report=$(tcp_client "$address" 443 --alpn h2 --bytes 300000 --half-close)
		assert_equal "$(report_field end <<<"$report")" eof "$address"
		assert_equal "$(report_field received_sha256 <<<"$report")" \
			"$(report_field sent_sha256 <<<"$report")" "$address"
	done
}

# ---- bpffs --------------------------------------------------------------------------------

# In the mount namespace of the daemon.
in_its_mounts() {
	nsenter --mount --net --target "$DAEMON_PID" -- "$@"
}

@test "bpffs is mounted where it is missing" {
	daemon_under unshare --mount -- sh -c \
		'while mountpoint -q /sys/fs/bpf; do umount --lazy /sys/fs/bpf; done; exec "$@"' sh
	start_echo auto
	assert_equal "$(in_its_mounts findmnt --noheadings --output FSTYPE /sys/fs/bpf)" bpf
	in_its_mounts test -e "/sys/fs/bpf/alpnlb/$NETNS_NAME/counters"
	[[ ! -e /sys/fs/bpf/alpnlb/$NETNS_NAME ]] || fail "pinned outside of its mount namespace"
	carries_traffic
	stop_daemon
}

# ---- the service manager ------------------------------------------------------------------

# unit_command KEY: a command of the unit, for this instance and its configuration.
unit_command() {
	sed -n "s/^$1=//p" "$TREE/user/systemd/alpnlb@.service.in" |
		sed -e "s|@sbindir@/alpnlb|$ALPNLB|" -e "s|/etc/alpnlb/%i.yaml|$CONFIG|" \
			-e "s|%i|$NETNS_NAME|"
}

notified() {
	[[ $(paste -sd' ' "$NETNS_DIR/notify.log") == "$1" ]]
}

# notifies SOCKET: as the service manager would give it.
notifies() {
	netns_spawn balancer "$NETNS_DIR/notify.log" "$TREE/tests/e2e/peers/notify.py" "$1"
	netns_await 10 notified "listening" || fail "no listener"
	daemon_under env NOTIFY_SOCKET="$1"
	start_echo auto
	netns_await 5 notified "listening READY=1" || fail "said $(cat "$NETNS_DIR/notify.log")"

	sed -i 's/"443"/"443,444"/' "$CONFIG"
	# shellcheck disable=SC2046 # a command line
	run -0 netns_exec balancer $(unit_command ExecReload)
	assert_equal "$(tcp_client "$LB4" 444 --alpn h2 --half-close | report_field end)" eof

	stop_daemon
	netns_await 5 notified "listening READY=1 STOPPING=1" || fail "said $(cat "$NETNS_DIR/notify.log")"
}
@test "the service manager is told READY and STOPPING, and can reload" {
	notifies "$NETNS_DIR/notify.sock"
}
@test "the service manager is told by an abstract socket, too" { notifies "@$NETNS_NAME"; }

# ---- namespaces ---------------------------------------------------------------------------

# Two of everything: addresses and ports are the same, the namespaces are not.
@test "instances in two network namespaces do not see each other" {
	local first=$NETNS_NAME second=u-${NETNS_NAME#t-} net
	netns_up "$second"
	for net in "$first" "$second"; do
		netns_use "$net"
		CONFIG=$NETNS_DIR/config.yaml
		{ farms default=11 && frontend auto default; } >"$CONFIG"
		start_tcp "$net" 11 9000 banner
		start_daemon
	done
	netns_use "$first" && hold one "$LB4" 443 && await_connections 1
	netns_use "$second" && hold two "$LB6" 443 --source 2001:db8:1::7 && await_connections 1
	reached "$LB4" 443 --half-close

	netns_use "$first"
	assert_equal "$(alpnlb -j conn show | gojq -r '.[].client | sub(":[0-9]+$"; "")')" 192.0.2.2
	assert_equal "$(stats .counters.accepted)" 1
	assert_equal "$(end_held one | report_field line)" "$first"
	netns_use "$second"
	assert_equal "$(alpnlb -j conn show | gojq -r '.[].client | sub(":[0-9]+$"; "")')" '[2001:db8:1::7]'
	assert_equal "$(stats .counters.accepted)" 2
	assert_equal "$(end_held two | report_field line)" "$second"
	stop_daemon
	netns_down
	netns_use "$first"
	assert_equal "$(reached "$LB4" 443 --half-close)" "$first" "after the other has ended"
}

# ---- threads ------------------------------------------------------------------------------

threads() {
	find "/proc/$DAEMON_PID/task" -mindepth 1 -maxdepth 1 | wc -l
}

workers() {
	local report
	start_echo auto --workers "$1"
	daemon_says "ready: .* $1 workers" || fail "it says another number of workers"
	assert_equal "$(threads)" $((8 + $1)) "threads: main, for RCU, routes and probes one each, four for names, and the workers"
	report=$(tcp_client "$LB4" 443 --alpn h2 --bytes 100000 --half-close --repeat 60 --parallel 20)
	assert_equal "$(gojq -r 'select(.received_sha256 == .sent_sha256) | .end' <<<"$report" | sort | uniq -c |
		xargs)" "60 eof"
	stop_daemon
}
@test "one worker carries all the traffic" { workers 1; }
@test "three workers share the traffic" { workers 3; }

@test "a number of workers that is none is one clear line" {
	local value
	{ farms default=11 && frontend auto default; } >"$CONFIG"
	for value in 0 -1 x 3x 1.5 '' 1000000; do
		run -2 alpnlb daemon -c "$CONFIG" --workers "$value"
		assert_matches "$output" "^alpnlb: .*--workers: '$value' is not a number from 1 to [0-9]+$"
	done
	run -2 alpnlb daemon -c "$CONFIG" --workers
	assert_equal "${#lines[@]}" 1
	assert_matches "$output" '--workers needs a value'
}

@test "two configuration files are one clear line" {
	run -2 alpnlb daemon -c first.yaml -c second.yaml
	assert_equal "$output" "alpnlb: daemon: -c is given twice: 'first.yaml' and 'second.yaml'"
}

# ---- kernels whose sockmap cannot be used -------------------------------------------------

# start_both_paths: port 443 asks for sockmap, port 444 leaves it to the daemon.
start_both_paths() {
	{
		farms default=11
		frontend sockmap default
		printf '  - { name: any, port: "444", path: auto, default_farm: default }\n'
	} >"$CONFIG"
	start_tcp default 11 9000 name
	start_daemon
}

# carries PATHS: the counters `relay sockmap path_fallbacks` after a connection to each port.
carries() {
	assert_equal "$(reached "$LB4" 443 --alpn h2)" default
	assert_equal "$(reached "$LB6" 444 --alpn h2)" default
	await_connections 0
	assert_equal "$(stats '[.paths.relay, .paths.sockmap, .counters.path_fallbacks] | join(" ")')" "$1"
}

@test "who has ended before the kernel could redirect it is no failure of sockmap" {
	local ended
	start_both_paths
	kill -STOP "$DAEMON_PID"
	netns_exec client bash -c "for i in {1..5}; do : <>/dev/tcp/$LB4/443; done"
	netns_spawn client "$NETNS_DIR/ended.log" "$PEERS/tcp" client "$LB4" 443 --alpn h2 --half-close
	ended=$NETNS_PID
	netns_await 5 has_sent_all
	kill -CONT "$DAEMON_PID"
	netns_await 10 netns_dead "$ended"
	await_connections 0
	assert_equal "$(gojq -r .line "$NETNS_DIR/ended.log")" default
	assert_equal "$(stats '[.counters | .accepted, .sockmap_failed, .path_fallbacks] | join(" ")')" "6 0 0"
	stop_daemon
}

# Those that wait to be accepted, each with the FIN of its client.
has_sent_all() {
	(($(netns_exec balancer ss -Htn state close-wait 'sport = :443' | wc -l) == 6))
}

@test "where sockmap does not work there is one warning, and relay" {
	ip -n "$NETNS_NAME-balancer" addr flush dev lo # the self-test needs it, and nothing else
	start_both_paths
	assert_equal "$(grep -c 'warning: .*sockmap' "$NETNS_DIR/daemon.log")" 1
	daemon_says 'warning: sockmap does not work here, using relay: connecting .*: Cannot assign requested address$' ||
		fail "$(cat "$NETNS_DIR/daemon.log")"
	carries "2 0 1"
	stop_daemon
}

@test "where sockmap cannot be tested there is one warning, and relay" {
	ip -n "$NETNS_NAME-balancer" link set lo down
	start_both_paths
	assert_equal "$(grep -c 'warning: .*sockmap' "$NETNS_DIR/daemon.log")" 1
	daemon_says 'warning: lo is down, so sockmap could not be tested: using relay$' ||
		fail "$(cat "$NETNS_DIR/daemon.log")"
	carries "2 0 1"
	assert_equal "$(alpnlb -j doctor | gojq -r '.[] | select(.check == "loopback") | "\(.status) \(.found)"')" \
		"warn lo is down: sockmap cannot be tested, and connections take relay instead"
	stop_daemon
}

@test "on a kernel whose sockmap loses data, auto takes relay" {
	daemon_under setarch --uname-2.6 # the kernel says it is 2.6.x
	start_both_paths
	assert_equal "$(grep -c 'warning: .*sockmap' "$NETNS_DIR/daemon.log")" 1
	daemon_says "warning: this kernel's sockmap can lose or repeat data" || fail "$(cat "$NETNS_DIR/daemon.log")"
	carries "1 1 0"
	stop_daemon
}

# ---- the end ------------------------------------------------------------------------------

drain_is_cut() {
	start_echo "$1" --drain-timeout "$2"
	hold held "$LB4" 443 --alpn h2
	await_stat '.servers[0].connected' 1
	kill -TERM "$DAEMON_PID"
	netns_await 10 daemon_says "draining: 1 connections, up to $3 s" || fail "no word about draining"
	[[ -z ${4:-} ]] || kill -s "$4" "$DAEMON_PID"
	daemon_ended 0 5
	assert_equal "$(held_report held | report_field end)" reset
	assert_equal "$(server_report echo | report_field end)" reset
}
@test "when the drain timeout ends, live connections are reset (sockmap)" {
	drain_is_cut sockmap 300ms 0.3
	daemon_says 'warning: drain timeout: closing 1 connections'
}
@test "when the drain timeout ends, live connections are reset (relay)" {
	drain_is_cut relay 300ms 0.3
	daemon_says 'warning: drain timeout: closing 1 connections'
}
@test "a second SIGTERM ends the drain at once" { drain_is_cut relay 1h 3600 TERM; }
@test "SIGINT after SIGTERM ends the drain at once" { drain_is_cut relay 1h 3600 INT; }

@test "signals that reload or stop others do nothing but say so; without connections the drain ends at once" {
	local signal
	start_echo auto --drain-timeout 1h
	for signal in HUP USR1 USR2; do
		kill -s "$signal" "$DAEMON_PID"
		netns_await 5 daemon_says "warning: SIG$signal does nothing here; .*alpnlb --instance $NETNS_NAME apply FILE" ||
			fail "SIG$signal is not told of"
	done
	carries_traffic
	await_connections 0
	stop_daemon
}

# ---- descriptors --------------------------------------------------------------------------

waits_for_room() {
	stat_is '.counters.accept_paused > 0' true
}

@test "few descriptors: fewer connections, the rest waits and is served later" {
	limited_to 984
	start_echo relay
	assert_matches "$(grep warning "$NETNS_DIR/daemon.log")" \
		'RLIMIT_NOFILE stays at 984, of [0-9]+ wanted: room for 66 connections, not 65536$'
	hold many "$LB4" 443 --alpn h2 --bytes 1000 --repeat 90 --parallel 90
	await_connections 66
	netns_await 10 waits_for_room || fail "accepting was not paused"
	assert_equal "$(alpnlb -j pending show | jq -c .)" '[]' "control while there is no room"
	touch "$NETNS_DIR/many.go"
	netns_await 20 all_reported 90 || fail "$(wc -l <"$NETNS_DIR/many.log") of 90 ended"
	assert_equal "$(gojq -r 'select(.sent == .received) | .end' "$NETNS_DIR/many.log" | sort | uniq -c |
		xargs)" "90 eof"
	await_connections 0
	carries_traffic
	stop_daemon
}
all_reported() {
	(($(grep -c '^{' "$NETNS_DIR/many.log") == $1))
}

@test "without a descriptor left accepting pauses, and goes on when there is one" {
	start_echo auto
	prlimit --pid "$DAEMON_PID" --nofile=3:
	hold late "$LB4" 443 --alpn h2 --bytes 1000
	netns_await 10 waits_for_room || fail "accepting was not paused"
	assert_equal "$(stats .counters.accepted)" 0
	prlimit --pid "$DAEMON_PID" --nofile=1000:
	await_connections 1
	assert_equal "$(end_held late | report_field end)" eof
	assert_equal "$(stats '[.counters.accepted, .counters.internal_errors] | join(" ")')" "1 0"
	carries_traffic
	stop_daemon
}
