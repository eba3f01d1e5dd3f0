# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Loaded by the tests of the packet path, after lib.

# Without timestamps an ended flow stays for as long as TIME_WAIT: FLOW_FIN_ACKED, FLOW_TIMESTAMPS.
plain_flows_linger() {
	[[ $(bpftool -j map dump pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/flows" |
		gojq '[.[].formatted.value | select((.state / 8 | floor) % 2 == 0 or
			(.constant / 2 | floor) % 2 == 1)] | length') == 0 ]]
}

flows_are() {
	[[ $(pinned flows) == "$((2 * $1))" ]]
}

await_flows() {
	netns_await "${2:-10}" flows_are "$1" || fail "$(pinned flows) entries of the flow table, not two for each of $1"
}

# With ACCEL=xdp packets are forwarded at XDP. Prints the line of the configuration.
accel() {
	[[ -n ${ACCEL:-} ]] || return 0
	printf 'accel: %s\n' "$ACCEL"
	netns_forward
	netns_whole_checksums
}

# packet_farm PATH HOSTS [LINE...]: the default farm and a route by ALPN; more lines come first.
packet_farm() {
	local path=$1 hosts=$2
	shift 2
	{
		accel
		printf '%s\n' "$@" | grep -v '^ *$' || true
		farms default="$hosts"
		frontend "$path" default "connect_timeout: 20s" "${FRONTEND:-}"
		printf 'routes:\n'
		route h2 default "alpn is h2"
	} >"$CONFIG"
	"$PEERS/tcp" hello --alpn h2 >"$NETNS_DIR/hello"
}

# start_echo HOSTS [LINE...]: the default farm, which echoes.
start_echo() {
	packet_farm packet "$@"
	start_tcp server 11 9000 echo
	start_daemon
}

sockets_are_gone() {
	[[ -z $(netns_exec balancer ss -Htn state established) ]]
}

# all_are_spliced CONNECTIONS [SECONDS]: and the balancer has none of their sockets any more.
all_are_spliced() {
	await_flows "$1" "${2:-10}" || return
	netns_await "${2:-10}" sockets_are_gone || fail "the balancer still has sockets"
}

# ---- position-coded connections: peers/crossing.c ---------------------------------------------

# crossing_serve [OPTION...]: on both addresses of host 11. Sets SERVER_PID.
crossing_serve() {
	netns_spawn server "$NETNS_DIR/crossing.log" "$PEERS/crossing" serve 9000 "$(server4 11)" "$(server6 11)" "$@"
	SERVER_PID=$NETNS_PID
	netns_await 10 netns_listens_at "$(server4 11)" 9000
}

# crossing_client ADDRESS OPTION...: prints its report.
crossing_client() {
	local address=$1
	shift
	netns_exec client "$PEERS/crossing" client "$address" 443 -f "$NETNS_DIR/hello" "$@"
}

# The server's report, once all its connections have ended.
crossing_report() {
	netns_stop "$SERVER_PID" TERM 50 || fail "the server has connections that do not end" || return
	cat "$NETNS_DIR/crossing.log"
}

# assert_clean REPORT: nothing wrong with any byte or end.
assert_clean() {
	assert_equal "$(tail -n 1 <<<"$1" | gojq -c '[.bad, .stuck, .refused]')" "[0,0,0]" "bad, stuck, refused: $1"
}

# impair_all OPTION...: each direction on both legs.
impair_all() {
	impair client balancer "$@"
	impair server balancer "$@"
	impair balancer client "$@"
	impair balancer server "$@"
}
