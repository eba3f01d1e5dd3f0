# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Sourced by the demo, the tests and the benchmark. Makes three network namespaces
#
#	NAME-client  ---  NAME-balancer  ---  NAME-server
#	192.0.2.2-9       .1        .1        198.51.100.11-29
#	2001:db8:1::2-9   ::1       ::1       2001:db8:2::11-29
#
# and keeps book of the processes started in them, so that netns_down ends those and no others.
# Programs run through nsenter: `ip netns exec` would mount a fresh /sys and hide bpffs.

NETNS_ROOT=/run/alpnlb-netns

# The balancer's address towards clients, the client's first address.
# shellcheck disable=SC2034 # for those who source this file
{
	LB4=192.0.2.1 LB6=2001:db8:1::1
	CLIENT4=192.0.2.2 CLIENT6=2001:db8:1::2
}

# Addresses of server N, 11..29.
server4() { printf '198.51.100.%d' "$1"; }
server6() { printf '2001:db8:2::%d' "$1"; }

netns_die() {
	printf 'netns: %s\n' "$*" >&2
	return 1
}

# netns_use NAME: names what the other functions work on; NETNS_DIR is a directory for its files.
netns_use() {
	NETNS_NAME=$1
	NETNS_DIR=$NETNS_ROOT/$NETNS_NAME
}

netns_path() {
	printf '/run/netns/%s-%s' "$NETNS_NAME" "$1"
}

# netns_exec ROLE COMMAND...: runs a command in the client, balancer or server namespace.
netns_exec() {
	local role=$1
	shift
	nsenter --net="$(netns_path "$role")" -- "$@"
}

# netns_await SECONDS COMMAND...: repeats the command until it succeeds. What has not come soon is
# asked for less often: to ask is work, too, and whatever is awaited has to share the processors.
netns_await() {
	local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000)) wait=10 pause
	shift
	until "$@"; do
		((${EPOCHREALTIME/[.,]/} < deadline)) || return 1
		printf -v pause '0.%03d' "$wait"
		sleep "$pause"
		((wait >= 160)) || wait=$((wait * 3 / 2))
	done
}

netns_listens() {
	[[ -n $(netns_exec "$1" ss -Hltn "sport = :$2") ]]
}

# A process is known by its id and start time, so that a reused id is never signalled. One whose
# first thread has ended has its files until the last one has.
netns_start_time() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	# shellcheck disable=SC2086 # fields 3, 20 and 22 of proc(5), counted from behind the name
	set -- $stat
	[[ $1 != Z ]] || ((${18} > 1)) && printf '%s' "${20}"
}

# netns_alive PID: does the process that netns_spawn started still run?
netns_alive() {
	local pid start
	while read -r pid start; do
		[[ $pid == "$1" && $(netns_start_time "$pid") == "$start" ]] && return 0
	done <"$NETNS_DIR/pids"
	return 1
}

netns_dead() {
	! netns_alive "$1"
}

# netns_spawn ROLE LOG COMMAND...: starts a process with its own process group; sets NETNS_PID.
netns_spawn() {
	local role=$1 log=$2
	shift 2
	: >"$log" # there at once for those who look into it
	setsid nsenter --net="$(netns_path "$role")" -- "$@" </dev/null >"$log" 2>&1 3>&- &
	NETNS_PID=$!
	printf '%s %s\n' "$NETNS_PID" "$(netns_start_time "$NETNS_PID")" >>"$NETNS_DIR/pids"
}

# netns_stop PID [SIGNAL [SECONDS]]: ends a process that netns_spawn started; kills one that
# does not end in time, and fails then.
netns_stop() {
	local pid=$1 signal=${2:-TERM} seconds=${3:-10}
	netns_alive "$pid" || return 0
	kill -s "$signal" "$pid" 2>/dev/null || true
	netns_await "$seconds" netns_dead "$pid" && return 0
	kill -s KILL -- "-$pid" 2>/dev/null || true
	netns_await 5 netns_dead "$pid" || true
	return 1
}

# The address added first for IPv4, and last for IPv6, is the one connections start from. Without
# a link-local address nothing is forwarded to a neighbour that is not known yet.
netns_add_addresses() {
	local role=$1 device=$2 prefix4=$3 prefix6=$4 host
	shift 4
	{
		for host in "$@"; do
			printf 'addr add %s.%s/24 dev %s\n' "$prefix4" "$host" "$device"
		done
		for host in $(printf '%s\n' "$@" | tac); do
			printf 'addr add %s::%s/64 dev %s nodad\n' "$prefix6" "$host" "$device"
		done
		printf 'addr add fe80::%s/64 dev %s nodad\n' "$1" "$device"
	} | ip -n "$NETNS_NAME-$role" -batch -
}

netns_add_link() {
	local role=$1
	ip -n "$NETNS_NAME-balancer" link add "$role" type veth \
		peer name balancer netns "$NETNS_NAME-$role"
	ip -n "$NETNS_NAME-balancer" link set "$role" addrgenmode none up
	ip -n "$NETNS_NAME-$role" link set balancer addrgenmode none up
}

netns_up() {
	local role
	netns_use "$1"
	((EUID == 0)) || netns_die "network namespaces need root" || return
	[[ ! -e $NETNS_DIR ]] || netns_die "$NETNS_NAME is in use" || return
	mkdir -p "$NETNS_DIR"
	: >"$NETNS_DIR/pids"
	for role in client balancer server; do
		ip netns add "$NETNS_NAME-$role"
		ip -n "$NETNS_NAME-$role" link set lo up
	done
	netns_add_link client
	netns_add_link server
	netns_add_addresses client balancer 192.0.2 2001:db8:1 {2..9}
	netns_add_addresses balancer client 192.0.2 2001:db8:1 1
	netns_add_addresses balancer server 198.51.100 2001:db8:2 1
	netns_add_addresses server balancer 198.51.100 2001:db8:2 {11..29}
}

netns_forward() {
	netns_exec balancer sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# As network cards deliver frames, and XDP needs them: with checksums, and with GRO, which on a veth
# turns on NAPI, who takes frames that have no skb. `no` undoes it.
netns_whole_checksums() {
	local role features=(tx off gro on)
	[[ ${1:-} != no ]] || features=(tx on gro off)
	for role in client server; do
		netns_exec $role ethtool -K balancer "${features[@]}" >/dev/null
		netns_exec balancer ethtool -K $role "${features[@]}" >/dev/null
	done
}

# Frames that left the balancer without an skb, by the interface they came in.
netns_at_xdp() {
	netns_exec balancer ethtool -S "$1" | awk '/rx_queue.*xdp_(redirect|tx):/ { n += $2 } END { print n + 0 }'
}

# Lets packets pass between clients and servers without the balancer: to measure against.
netns_route() {
	netns_forward
	ip -n "$NETNS_NAME-client" route add 198.51.100.0/24 via 192.0.2.1
	ip -n "$NETNS_NAME-client" route add 2001:db8:2::/64 via 2001:db8:1::1
	ip -n "$NETNS_NAME-server" route add 192.0.2.0/24 via 198.51.100.1
	ip -n "$NETNS_NAME-server" route add 2001:db8:1::/64 via 2001:db8:2::1
}

# Ends what runs, newest first, and removes every trace, also of instances NAME-*. Safe to call at
# any point, and twice: the directory is what a sweep goes by, and goes last.
netns_down() {
	local pid path root
	: "${NETNS_NAME:?netns_use comes first}"
	if [[ -e $NETNS_DIR/pids ]]; then
		tac "$NETNS_DIR/pids" | while read -r pid _; do
			netns_stop "$pid" TERM 5 || true
		done
	fi
	for path in "/run/netns/$NETNS_NAME"-*; do # a test may have added some
		[[ ! -e $path ]] || ip netns del "${path##*/}"
	done
	for root in /sys/fs/bpf/alpnlb /run/alpnlb /var/lib/alpnlb; do
		rm -rf "${root:?}/$NETNS_NAME" "$root/$NETNS_NAME"-*
	done
	rm -rf "$NETNS_DIR"
}

# Removes what runs that were killed have left: names end in the id of the shell that made them.
# One caller at a time: two would find the same remains.
netns_sweep() (
	[[ -d $NETNS_ROOT ]] || exit 0
	exec {lock}<"$NETNS_ROOT"
	flock "$lock"
	for dir in "$NETNS_ROOT"/*-[0-9]*; do
		name=${dir##*/}
		[[ -d $dir && ! -d /proc/${name##*-} ]] || continue
		netns_use "$name"
		netns_down
	done
)
