# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Sourced by what runs in the machines that scripts/kernels.sh boots: TAP, and connections.

# One port per path, see config-1.yaml.
AUTO=1001 SOCKMAP=1002 RELAY=1003
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

# reaches SERVER TALK-ARGUMENT...
reaches() {
	local wanted=$1 got
	shift
	got=$(peer talk "$@") || return
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

clean() {
	! dmesg | grep -E 'BUG:|WARNING:|Oops|Call Trace|rcu.*stall|general protection'
}

finish() {
	echo "1..$n"
	poweroff -f
}
