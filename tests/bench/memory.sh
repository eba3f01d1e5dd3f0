# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Sourced by run: what an idle connection costs in memory. A process has descriptors for some
# thousand connections only, so clients and servers are several; and a client address has not ports
# enough for one port of the balancer, so these are several, too. Every measurement has namespaces
# and programs of its own, so that nothing of the one before is left in the kernel.

HOLDERS_MAX=18  # servers 11 to 28
DOOR=9000       # the balancer's first port
SPARE=1000      # descriptors of a process that are not for connections
PORTS_MAX=30000 # source ports towards one address and port

# Four sockets with all that hangs on them, and a balancer's buffers: generously, in kB.
KB_PER_CONNECTION=40

descriptors_max() {
	local hard
	hard=$(ulimit -Hn)
	[[ $hard != unlimited ]] || hard=$(</proc/sys/fs/nr_open)
	printf '%d' "$hard"
}

# at_most N WHY: lowers `connections`, and says so.
at_most() {
	(($1 > 0)) || die "$2: too little for any connection"
	((connections > $1)) || return 0
	[[ ,$lines, != *,memory,* ]] || say "$2: $1 idle connections, not $connections"
	connections=$1
}

# Sets few_connections: what a balancer can hold that has one process and two descriptors for each.
limit_connections() {
	local hard available
	ulimit -Sn "$(ulimit -Hn)"
	hard=$(descriptors_max)
	available=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
	at_most $((HOLDERS_MAX * (hard - SPARE))) \
		"RLIMIT_NOFILE is $hard, for $HOLDERS_MAX processes at each end"
	at_most $((HOLDERS_MAX * PORTS_MAX)) "$HOLDERS_MAX servers, $PORTS_MAX ports to each"
	at_most $(($(</proc/sys/fs/file-max) / 5)) "fs.file-max is $(</proc/sys/fs/file-max)"
	at_most $((available / KB_PER_CONNECTION)) "$((available / 1024)) MB of memory are available"
	few_connections=$(((hard - SPARE) / 2 / 100 * 100))
	((few_connections < connections)) || few_connections=$connections
}

# ceiling A B: A / B, not less.
ceiling() {
	printf '%d' $((($1 + $2 - 1) / $2))
}

least() {
	printf '%d' $(($1 < $2 ? $1 : $2))
}

# share_out PROGRAM CONNECTIONS MOST: sets `shares`, and how much each has room for, which is a
# quarter more: they share a port, and none gets exactly its share.
share_out() {
	local with_slack=$(($2 * 5 / 4))
	shares=$(ceiling $with_slack "$3")
	((shares > 1)) || shares=2
	ROOM[$1]=$(ceiling $with_slack $shares)
}

# HAProxy needs two descriptors per connection and half of one more for pipes, nginx two.
memory_plan() {
	local subject=$1 connections=$2 room shares
	room=$(($(descriptors_max) - SPARE))
	holders=$(ceiling "$connections" "$(least $room $PORTS_MAX)")
	PATHS=("$subject")
	doors=$(ceiling "$connections" $PORTS_MAX)
	PORTS[$subject]=$DOOR-$((DOOR + doors - 1))
	SERVERS[$subject]=$(seq -s ' ' 11 $((10 + holders)))
	share_out haproxy "$connections" $((room * 2 / 5))
	PROCESSES=([alpnlb]=1 [nginx]=1 [haproxy]=$shares)
	share_out nginx "$connections" $((room / 2))
	THREADS=([haproxy]=1 [nginx]=$shares)
}

memory_servers() {
	local server
	for server in ${SERVERS[$1]}; do
		netns_spawn server "$NETNS_DIR/server$server.log" \
			"$LOAD" serve "$(server4 "$server")" $SERVER_PORT
	done
	for server in ${SERVERS[$1]}; do
		netns_await 10 netns_listens_at "$(server4 "$server")" $SERVER_PORT ||
			not_started "server $server" || return
	done
}

# Kilobytes: all but free memory and the page cache; what the kernel has for itself (sockets and
# the flow table's entries are in slabs, the other BPF maps in vmalloc); what is anonymous in the
# processes named. Inodes and names that nobody uses, such as who looks at /proc leaves by the ten
# thousand, and slabs that became empty are given back first.
memory_now() {
	local files=() cache pid
	printf '2\n' >/proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/*/shrink; do
		[[ ! -e $cache ]] || printf '1\n' >"$cache"
	done
	for pid in ${1//,/ }; do
		files+=("/proc/$pid/smaps_rollup")
	done
	awk '/^MemTotal:/ { used += $2 } /^(MemFree|Buffers|Cached):/ { used -= $2 }
		/^(Slab|VmallocUsed|Percpu|PageTables):/ { kernel += $2 }
		/^Pss_Anon:/ { anonymous += $2 }
		END { print used, kernel, anonymous + 0 }' /proc/meminfo "${files[@]}"
}

# The median of a few looks.
memory_used() {
	local i
	for i in 1 2 3 4 5; do
		sleep 0.1
		memory_now "$1"
	done | sort -n | sed -n 3p
}

# Sockets of the whole machine, in all namespaces.
sockets() {
	awk '/^TCP:/ { print $9 }' /proc/net/sockstat
}

# sockets_are_gone BEFORE: those of a namespace go after it, and other programs have some.
sockets_are_gone() {
	(($(sockets) < $1 + 500))
}

# The kernel frees after a while, and what the measurement before has left is not to be freed in
# this one.
memory_settles() {
	local before now
	read -r _ before _ <<<"$(memory_now "")"
	sleep 0.5
	read -r _ now _ <<<"$(memory_now "")"
	((before - now < 256 && now - before < 256))
}

hold_ends() {
	[[ -s $NETNS_DIR/hold$1.log ]] || netns_dead "$2"
}

# hold SUBJECT CONNECTIONS: opens them, evenly.
hold() {
	local i share pids=() target
	for ((i = 0; i < holders; i++)); do
		share=$((($2 + i) / holders))
		target="$LB4 $((DOOR + i % doors))"
		[[ $1 != direct ]] || target="$(server4 $((11 + i))) $SERVER_PORT"
		# shellcheck disable=SC2086 # address and port
		netns_spawn client "$NETNS_DIR/hold$i.log" "$LOAD" hold $target -c $share
		pids+=("$NETNS_PID")
	done
	for ((i = 0; i < holders; i++)); do
		netns_await $((60 + $2 / 1000)) hold_ends $i "${pids[i]}" &&
			grep -q '"held"' "$NETNS_DIR/hold$i.log" || hold_failed $i || return
	done
}

hold_failed() {
	local said
	said=$(<"$NETNS_DIR/hold$1.log")
	printf 'client %d of %d: %s\n' $(($1 + 1)) "$holders" "${said:-not all is open yet}" >&2
	return 1
}

balancer_has_no_connection() {
	[[ -z $(netns_exec balancer ss -Htn state established) ]]
}

# A spliced connection has no socket in the balancer; others would be measured as if it were one.
is_spliced() {
	[[ $1 == packet || $1 == open ]] || return 0
	netns_await 10 balancer_has_no_connection && return
	printf '%d sockets are left: not all connections could be spliced\n' \
		"$(netns_exec balancer ss -Htn state established | wc -l)" >&2
	return 1
}

# memory_report CONNECTIONS BEFORE IDLE HELD: the latter three are lines of memory_now.
memory_report() {
	awk '{ printf "{\"connections\": %d, \"errors\": 0, ", $1
		printf "\"rest_used_kb\": %d, \"rest_kernel_kb\": %d, ", $5 - $2, $6 - $3
		printf "\"rest_anonymous_kb\": %d, ", $7
		printf "\"used_kb\": %d, \"kernel_kb\": %d, ", $8 - $5, $9 - $6
		printf "\"anonymous_kb\": %d}\n", $10 - $7 }' <<<"$*"
}

measure_held() {
	local before idle program
	program=$(program_of "$1")
	netns_await 20 memory_settles || true
	before=$(memory_used "")
	[[ -z $program ]] || start_program "$program" || return
	idle=$(memory_used "$(pids_of "$1")")
	hold "$1" "$2" && is_spliced "$1" || return
	netns_await 5 memory_settles || true
	memory_report "$2" "$before" "$idle" "$(memory_used "$(pids_of "$1")")"
}

# measure_memory SUBJECT CONNECTIONS: prints one JSON object.
measure_memory() {
	local subject=$1 connections=$2 holders doors own status=0
	own=$(sockets)
	memory_plan "$subject" "$connections"
	spaces_up && memory_servers "$subject" && measure_held "$subject" "$connections" || status=1
	netns_down
	netns_await 60 sockets_are_gone "$own" && return $status
	printf 'its sockets remain: the next one would be measured with them\n' >&2
	return 1
}
