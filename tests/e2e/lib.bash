# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Loaded by every test. A test has namespaces of its own (scripts/netns.sh), named after the
# test and its process; whatever happens, teardown removes them, and setup those of runs that
# were killed.

bats_require_minimum_version 1.5.0

TREE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
ALPNLB=${ALPNLB:-$TREE/alpnlb}
PEERS=${PEERS:-$TREE/build/tests/e2e/peers}
export NODE_PATH=${NODE_PATH:-$TREE/build/npm/node_modules}
export PYTHONDONTWRITEBYTECODE=1 # the tree is only read
# shellcheck source=scripts/netns.sh
source "$TREE/scripts/netns.sh"
# shellcheck source=scripts/peers.sh
source "$TREE/scripts/peers.sh"
# shellcheck source=tests/e2e/inside.bash
source "$TREE/tests/e2e/inside.bash"

# Shown when a test fails.
test_logs() {
	local log
	for log in "$NETNS_DIR"/*.log; do
		[[ -s $log ]] || continue
		printf -- '---- %s\n' "${log##*/}"
		tail -n 30 "$log" | cut -c -400
	done
	show_links
}

# What the interfaces have counted, and whom they know: a frame that is lost between two hosts is in
# no log.
show_links() {
	local role link
	for role in client balancer server; do
		printf -- '---- interfaces of the %s\n' "$role"
		netns_exec "$role" ip -s neigh show || true
		for link in $(netns_exec "$role" ls /proc/sys/net/ipv4/neigh); do
			[[ $link != default && $link != lo ]] || continue
			netns_exec "$role" ip -s link show dev "$link" || true
			netns_exec "$role" ethtool -S "$link" | grep -v ': 0$' || true
		done
	done 2>&1 | cut -c -200
}

setup() {
	# To follow each command takes a tenth of the time; with STACK=1 a failure tells the way there.
	[[ -n ${STACK:-} ]] || set +T
	local name=${BATS_TEST_DESCRIPTION//[^[:alnum:]]/-}
	((EUID == 0)) || skip "network namespaces and BPF need root"
	DAEMON_PID=
	netns_sweep
	name=${name,,}
	netns_up "t-${name:0:20}-$$" # an instance name has at most 32 characters
	CONFIG=$NETNS_DIR/config.yaml
}

# Ends all that the test has started but the daemon.
end_others() {
	local pid
	tac "$NETNS_DIR/pids" | while read -r pid _; do
		[[ $pid == "$DAEMON_PID" ]] || netns_stop "$pid" TERM 5 || true
	done
}

# A daemon that still runs has nothing left once everybody else has ended, or what FORGOTTEN tells.
teardown() {
	local left=
	((EUID == 0)) || return 0
	if [[ -n ${BATS_TEST_COMPLETED:-} && -n ${DAEMON_PID:-} ]] && netns_alive "$DAEMON_PID"; then
		end_others
		netns_await 8 "${FORGOTTEN:-flows_forgotten}" || left="left behind: $(what_is_left)"
	fi
	[[ -z $left ]] || show_flows >"$NETNS_DIR/flows.log"
	[[ -z $left && -n ${BATS_TEST_COMPLETED:-} ]] || test_logs
	netns_down
	[[ -z $left ]] || fail "$left"
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

# daemon_under COMMAND...: makes start_daemon run it that way: `prlimit --nofile=900`, for instance.
daemon_under() {
	printf '#!/bin/bash\nexec %s %q "$@"\n' "${*@Q}" "$ALPNLB" >"$NETNS_DIR/daemon"
	chmod +x "$NETNS_DIR/daemon"
	ALPNLB=$NETNS_DIR/daemon
}

# limited_to N: descriptors, for a daemon that may not raise the limit.
limited_to() {
	daemon_under setpriv --bounding-set=-sys_resource -- prlimit --nofile="$1:$1" --
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

kill_daemon() {
	kill -KILL "$DAEMON_PID"
	netns_await 10 netns_dead "$DAEMON_PID"
}

# ---- peers --------------------------------------------------------------------------------

start_nginx() {
	peers_nginx "$@"
}

# start_tcp NAME HOST PORT KIND [OPTION...]: a server of peers/tcp.c on both addresses of HOST;
# its reports go to $NETNS_DIR/NAME.log.
start_tcp() {
	local name=$1 host=$2 port=$3 kind=$4
	shift 4
	netns_spawn server "$NETNS_DIR/$name.log" "$PEERS/tcp" serve "$kind" \
		--name "$name" --listen "$(server4 "$host")" "$(server6 "$host")" --port "$port" "$@"
	netns_await 10 netns_listens_at "$(server4 "$host")" "$port" &&
		netns_await 10 netns_listens_at "[$(server6 "$host")]" "$port"
}

# Nobody answers there: packets go to a neighbour that is none.
black_hole() {
	netns_exec balancer ip neigh replace "$(host_address "$1")" lladdr 02:00:00:00:00:99 dev server
}

# fill_backlog HOST: a listener that accepts nothing, and whose queue is full: SYNs are dropped.
fill_backlog() {
	netns_spawn server "$NETNS_DIR/deaf.log" /usr/bin/python3 -c '
import socket, sys
listener = socket.create_server((sys.argv[1], 9000), backlog=0)
one = socket.create_connection((sys.argv[1], 9000))
print("full", flush=True)
one.recv(1)' "$(host_address "$1")"
	netns_await 10 grep -q full "$NETNS_DIR/deaf.log"
}

# start_postfix HOST PORT: takes mail behind a PROXY header, and throws it away.
start_postfix() {
	local dir=$NETNS_DIR/postfix
	mkdir -p "$dir/queue" "$dir/data"
	chown postfix "$dir/data"
	cat >"$dir/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $dir/queue
		data_directory = $dir/data
		mail_owner = postfix
		setgid_group = postdrop
		maillog_file = $dir/log
		maillog_file_prefixes = $dir
		myhostname = mx.alpnlb.test
		mynetworks =
		smtpd_upstream_proxy_protocol = haproxy
		smtpd_peername_lookup = no
		alias_maps =
		local_recipient_maps =
		local_transport = discard
	END
	cat >"$dir/master.cf" <<-END
		$(server4 "$1"):$2 inet n - n - - smtpd
		postlog unix-dgram n - n - 1 postlogd
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		rewrite unix - - n - - trivial-rewrite
		anvil unix - - n - 1 anvil
		discard unix - - n - - discard
	END
	postfix -c "$dir" check || fail "no place for postfix"
	netns_spawn server "$NETNS_DIR/postfix.log" env MAIL_CONFIG="$dir" \
		"$(postconf -h daemon_directory)/master" -s
	netns_await 20 netns_listens_at "$(server4 "$1")" "$2" || fail "$(cat "$dir/log")"
}

# The balancer acknowledges every segment at once. A client that waits for that before it sends
# the next one (--cut) would wait 40 ms each time.
quick_acks() {
	ip -n "$NETNS_NAME-balancer" route change 192.0.2.0/24 dev client src "$LB4" quickack 1
	ip -n "$NETNS_NAME-balancer" -6 route add 2001:db8:1::/64 dev client metric 1 quickack 1
}

# tcp_client ADDRESS PORT [OPTION...]: prints its report.
tcp_client() {
	netns_exec client "$PEERS/tcp" client "$@"
}

# report_field FIELD: of the report on standard input.
report_field() {
	gojq -r ".$1"
}

# assert_same_bytes CLIENT SERVER: what each end sent, by its report, is what the other received.
assert_same_bytes() {
	local client=$1 server=$2 sha256='^[0-9a-f]{64}$'
	assert_matches "$(report_field sent_sha256 <<<"$client")" "$sha256" "the client's report" || return
	assert_matches "$(report_field sent_sha256 <<<"$server")" "$sha256" "the server's report" || return
	assert_equal "$(report_field received_sha256 <<<"$server")" \
		"$(report_field sent_sha256 <<<"$client")" "what the server received" || return
	assert_equal "$(report_field received_sha256 <<<"$client")" \
		"$(report_field sent_sha256 <<<"$server")" "what the client received"
}

# assert_echoed REPORT: of a client that has got back all that it sent, and then the end.
assert_echoed() {
	assert_equal "$(report_field end <<<"$1")" eof || return
	assert_same_bytes "$1" "$1"
}

# hold NAME ADDRESS PORT [OPTION...]: a client that sends no end before $NETNS_DIR/NAME.go exists;
# its report goes to $NETNS_DIR/NAME.log.
hold() {
	local name=$1
	shift
	netns_spawn client "$NETNS_DIR/$name.log" "$PEERS/tcp" client "$@" \
		--half-close --until-sent "$NETNS_DIR/$name.go"
}

# end_held NAME: lets it end and prints its report.
end_held() {
	touch "$NETNS_DIR/$1.go"
	held_report "$1"
}

# held_report NAME: awaits the end of it.
held_report() {
	netns_await 20 grep -q '^{' "$NETNS_DIR/$1.log" || fail "client $1 does not end" || return
	cat "$NETNS_DIR/$1.log"
}

# The name of the `name` or `banner` server that a client with these options reaches, or how
# the connection ended when none answered.
reached() {
	tcp_client "$@" --timeout 10 |
		gojq -r 'if .received > 0 then .line else .end end'
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

# s_client_alpn ADDRESS NAMES: the application protocol openssl s_client negotiates.
s_client_alpn() {
	local address=$1
	[[ $address != *:* ]] || address="[$address]"
	netns_exec client timeout 20 openssl s_client -connect "$address:443" -alpn "$2" </dev/null \
		2>/dev/null | sed -n 's/^ALPN protocol: //p'
}

# gnutls ADDRESS [OPTION...]: the application protocol gnutls-cli negotiates, "" for none.
gnutls() {
	local address=$1
	shift
	netns_exec client timeout 20 gnutls-cli --insecure --port 443 "$@" "$address" </dev/null \
		2>&1 | sed -n 's/^- Application protocol: //p'
}

# ---- configuration ------------------------------------------------------------------------

# farms NAME=HOST[,HOST...]...: a farm per argument; its servers listen on port 9000 and are
# named HOST4 and HOST6 after the address they are reached at, a HOST alone is IPv4.
farms() {
	local farm host
	printf 'farms:\n'
	for farm in "$@"; do
		printf '  - name: %s\n    port: 9000\n    servers:\n' "${farm%%=*}"
		for host in $(tr , ' ' <<<"${farm#*=}"); do
			printf '      - { name: s%s, address: "%s" }\n' "$host" "$(host_address "$host")"
		done
	done
}

# "11" or "11v6"
host_address() {
	if [[ $1 == *v6 ]]; then server6 "${1%v6}"; else server4 "$1"; fi
}

# frontend PATH DEFAULT-FARM [ATTRIBUTE...]: the frontend `web` on 443; empty: no default farm.
frontend() {
	local path=$1 farm=$2
	shift 2
	printf 'frontends:\n  - name: web\n    port: "443"\n    path: %s\n' "$path"
	[[ -z $farm ]] || printf '    default_farm: %s\n' "$farm"
	printf '    %s\n' "$@" | grep -v '^ *$' || true
}

# route NAME FARM|reject RULE...: a rule is "FIELD MATCH PATTERN", or "not FIELD MATCH PATTERN".
# The first route has to be preceded by a line `routes:`.
route() {
	local name=$1 target=$2 rule negate
	shift 2
	printf '  - name: %s\n    frontend: web\n' "$name"
	[[ -z ${ROUTE_WEIGHT:-} ]] || printf '    weight: %s\n' "$ROUTE_WEIGHT"
	if [[ $target == reject ]]; then
		printf '    action: { type: reject }\n'
	else
		printf '    action: { type: farm, target: %s }\n' "$target"
	fi
	printf '    rules:\n'
	for rule in "$@"; do
		negate=
		[[ $rule != "not "* ]] || negate=', negate: true'
		rule=${rule#not }
		awk -v negate="$negate" '{
			printf "      - { field: %s, match: %s", $1, $2
			if (NF > 2) { sub(/^[^ ]+ [^ ]+ /, ""); printf ", pattern: \047%s\047", $0 }
			print negate " }"
		}' <<<"$rule"
	done
}

# small_config [LINE...]: farms one and two of a server each, `one` for everybody; the lines first.
small_config() {
	printf '%s\n' "$@"
	farms one=11 two=12
	frontend auto one
}

# start_small [LINE...]: that, with servers that say their names.
start_small() {
	small_config "$@" >"$CONFIG"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_daemon
}

# start_guide [LINE...]: the zone gra, all clients go to the farm h1 and to the nginx h1-a there; h2-a
# at server 11 is in no farm.
start_guide() {
	{
		printf '%s\n' 'zone: gra' "$@"
		farms h1=21
		frontend auto h1
	} >"$CONFIG"
	start_nginx h2-a 11 9000 h2
	start_nginx h1-a 21 9000 http1
	start_daemon
}

list_links() {
	bpftool -j link show >"$NETNS_DIR/links.json"
}

# links_with CONDITION: how many BPF links of the host meet it, in jq's words. The list breaks off
# at a link that somebody is about to attach (EAGAIN): it is no list then.
links_with() {
	netns_await 10 list_links || fail "$(cat "$NETNS_DIR/links.json")"
	gojq "[.[] | select($1)] | length" "$NETNS_DIR/links.json"
}

# take_port PORT: of the balancer's host, so that the daemon cannot listen there.
take_port() {
	netns_spawn balancer "$NETNS_DIR/taken.log" "$PEERS/tcp" serve name \
		--name taken --listen "$LB4" --port "$1"
	netns_await 10 netns_listens balancer "$1"
}

# other_lookups N: programs like the one that steers connections, on the balancer's host.
other_lookups() {
	netns_spawn balancer "$NETNS_DIR/lookup.log" "$PEERS/lookup" "$1"
	netns_await 5 grep -q ready "$NETNS_DIR/lookup.log"
}

# As many as there can be: the daemon has to do without its own.
no_steering() {
	other_lookups 64
}

# ---- what alpnlb counts -------------------------------------------------------------------

stat_is() {
	[[ $(stats "$1") == "$2" ]]
}

# await_stat EXPRESSION VALUE: counters of a connection are final a moment after its end.
await_stat() {
	netns_await 10 stat_is "$1" "$2" || fail "$1 is $(stats "$1"), not $2"
}

live_connections() {
	ask conn show | gojq length
}

daemon_says() {
	grep -Eq "$1" "$NETNS_DIR/daemon.log"
}

has_connections() {
	[[ $(live_connections) == "$1" ]]
}

await_connections() {
	netns_await 10 has_connections "$1" || fail "not $1 live connections: $(alpnlb -p conn show)"
}
