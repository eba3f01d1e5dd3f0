# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Sourced by what runs in the machines that scripts/kernels.sh boots: TAP, and connections.

# One port per path, see config-1.yaml, and config-packet.yaml, which has the same for `auto`.
AUTO=1001 SOCKMAP=1002 RELAY=1003 PACKET=1005 OPEN=1006
BYTES=3000000
n=0

note() { sed 's/^/# /'; }

# check NAME COMMAND...: shows what the command says if it fails; then fails, too.
check() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >/tmp/said 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		note </tmp/said
		return 1
	fi
}

# await COMMAND...: repeats it until it succeeds, for up to 20 seconds.
await() {
	local tries=200
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo "waited in vain: $*" && return 1; }
		sleep 0.1
	done
}

listens() { netstat -ltn | grep -q ":$1 "; }
deaf() { ! listens "$1"; }

# How many connections went over a path, of all frontends: the first `paths` of the output.
over() {
	alpnlb -j stat show | tr -d ' \n' | grep -o '"paths":{[^}]*}' | head -n 1 |
		sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# reaches SERVER TALK-ARGUMENT...: from this host, or politely from that of process CLIENT.
reaches() {
	local wanted=$1 got
	shift
	if [ -n "$CLIENT" ]; then
		got=$(inside "$CLIENT" peer ask "$@") || return
	else
		got=$(peer talk "$@") || return
	fi
	[ "$got" = "$wanted" ] || { echo "reached $got, not $wanted" && return 1; }
}

# goes_over PATH SERVER TALK-ARGUMENT...: the same, and the connection took that path.
goes_over() {
	local path=$1 before after
	before=$(over "$path")
	shift
	reaches "$@" || return
	after=$(over "$path")
	[ "$after" -eq $((before + 1)) ] || { echo "$path: $before, then $after" && return 1; }
}

# inside PROCESS COMMAND...: in its network namespace.
inside() {
	local process=$1
	shift
	nsenter -t "$process" -n sh -c '. /lib.sh && "$@"' sh "$@"
}

is_apart() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

# addresses INTERFACE NET HOST: as 10.NET.0.HOST and fd00:NET::HOST
addresses() {
	echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_dad"
	ip addr add "10.$2.0.$3/24" dev "$1"
	ip addr add "fd00:$2::$3/64" dev "$1"
	ip link set "$1" up
}

# other_host NET: host 2 of the net, in a namespace of its own, whose host 1 is this one. Sets
# `host` to a process in it. Of a new pair, the end without a name is veth0.
other_host() {
	unshare -n sleep 1000000 &
	host=$!
	await is_apart $host
	ip link add "net$1" type veth
	ip link set veth0 netns $host
	addresses "net$1" "$1" 1
	inside $host addresses veth0 "$1" 2
}

# other_hosts: that of clients and that of servers, as config-packet.yaml has them. Sets `client`.
other_hosts() {
	other_host 1
	client=$host
	other_host 2
	inside "$host" peer serve 9001 h2 &
	inside "$host" peer serve 9002 h1 &
	await inside "$host" listens 9001
	await inside "$host" listens 9002
}

has_no_connections() { ! netstat -tn | grep -q ESTABLISHED; }

# hold NAME: a connection on the packet path in the middle of its bytes, until /tmp/NAME exists.
# Sets `held` to its process.
hold() {
	inside "$client" peer ask 10.1.0.1 $PACKET /hello/tls-h2 200000 wait "/tmp/$1" >"/tmp/held.$1" 2>&1 &
	held=$!
	await grep h2 "/tmp/held.$1"
	await has_no_connections
}

# Lists what is attached to interfaces, or pinned for that.
filters() { bpftool prog show | grep -w sched_cls; }

not() { ! "$@"; }

clean() {
	! dmesg | grep -E 'BUG:|WARNING:|Oops|Call Trace|rcu.*stall|general protection'
}

finish() {
	echo "1..$n"
	poweroff -f
}
