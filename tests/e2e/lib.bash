# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Loaded by every test. A test has namespaces of its own (scripts/netns.sh), named after the
# test and its process; whatever happens, teardown removes them, and setup those of runs that
# were killed.

bats_require_minimum_version 1.5.0

TREE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
ALPNLB=${ALPNLB:-$TREE/alpnlb}
# shellcheck source=scripts/netns.sh
source "$TREE/scripts/netns.sh"
# shellcheck source=scripts/peers.sh
source "$TREE/scripts/peers.sh"

# Shown when a test fails.
test_logs() {
	local log
	for log in "$NETNS_DIR"/*.log; do
		[[ -s $log ]] || continue
		printf -- '---- %s\n' "${log##*/}"
		tail -n 60 "$log"
	done
}

setup() {
	local name=${BATS_TEST_DESCRIPTION//[^[:alnum:]]/-}
	((EUID == 0)) || skip "network namespaces and BPF need root"
	DAEMON_PID=
	netns_sweep
	name=${name,,}
	netns_up "t-${name:0:28}-$$"
	CONFIG=$NETNS_DIR/config.yaml
}

teardown() {
	((EUID == 0)) || return 0
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || test_logs
	netns_down
}

fail() {
	printf '%s\n' "$*"
	return 1
}

assert_equal() {
	[[ $1 == "$2" ]] || fail "${3:+$3: }got '$1', wanted '$2'"
}

assert_matches() {
	[[ $1 =~ $2 ]] || fail "${3:+$3: }got '$1', wanted a match of '$2'"
}

# ---- the balancer -------------------------------------------------------------------------

# start_daemon [OPTION...]: with $CONFIG; fails unless it becomes ready.
start_daemon() {
	peers_daemon "$CONFIG" "$@" || fail "the daemon did not start"
}

no_sanitizer_report() {
	! grep -E 'runtime error:|(Address|Leak|UndefinedBehavior)Sanitizer' "$NETNS_DIR/daemon.log"
}

# daemon_ended STATUS [SECONDS]: waits for the end of the daemon and looks at its exit status.
daemon_ended() {
	local status=0
	netns_await "${2:-10}" netns_dead "$DAEMON_PID" || fail "the daemon does not end" || return
	wait "$DAEMON_PID" || status=$?
	no_sanitizer_report || return
	assert_equal "$status" "$1" "exit status of the daemon"
}

stop_daemon() {
	kill -TERM "$DAEMON_PID"
	daemon_ended 0
}

# ---- peers --------------------------------------------------------------------------------

start_nginx() {
	peers_nginx "$@"
}

# start_tcp NAME HOST PORT KIND [OPTION...]: a server of peers/tcp.py on both addresses of HOST;
# its reports go to $NETNS_DIR/NAME.log.
start_tcp() {
	local name=$1 host=$2 port=$3 kind=$4
	shift 4
	netns_spawn server "$NETNS_DIR/$name.log" "$TREE/tests/e2e/peers/tcp.py" serve "$kind" \
		--name "$name" --listen "$(server4 "$host")" "$(server6 "$host")" --port "$port" "$@"
	netns_await 10 netns_listens_at "$(server4 "$host")" "$port" &&
		netns_await 10 netns_listens_at "[$(server6 "$host")]" "$port"
}

# tcp_client ADDRESS PORT [OPTION...]: prints its report.
tcp_client() {
	netns_exec client "$TREE/tests/e2e/peers/tcp.py" client "$@"
}

# report_field FIELD: of the report on standard input.
report_field() {
	jq -r ".$1"
}

# The name of the `name` or `banner` server that a client with these options reaches, or how
# the connection ended when none answered.
reached() {
	tcp_client "$@" --timeout 10 |
		jq -r 'if .received > 0 then .line else .end end'
}

# Awaits the report of connection number N (default 1) of server NAME and prints it.
server_report() {
	local name=$1 n=${2:-1}
	netns_await 20 server_reported "$name" "$n" || fail "no report number $n of $name" || return
	sed -n "${n}p" "$NETNS_DIR/$name.log"
}

server_reported() {
	(($(grep -c '^{' "$NETNS_DIR/$1.log") >= $2))
}

# served_by ADDRESS HOST [CURL-OPTION...]: "HTTP/2 h2-a": version and name of the nginx reached.
served_by() {
	local address=$1 host=$2
	shift 2
	peers_curl "$address" "$host/" --output /dev/null --dump-header - "$@" | tr -d '\r' |
		awk 'NR == 1 { version = $1 } /^x-server: / { name = $2 } END { print version, name }'
}

# s_client ADDRESS [OPTION...]: name of the nginx that openssl s_client reaches.
s_client() {
	local address=$1
	shift
	[[ $address != *:* ]] || address="[$address]"
	printf 'GET / HTTP/1.0\r\n\r\n' |
		netns_exec client timeout 20 openssl s_client -quiet -no_ign_eof -connect "$address:443" \
			-ign_eof "$@" 2>"$NETNS_DIR/s_client.log" | tr -d '\r' | sed -n 's/^x-server: //p'
}
