# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the balancer of $NETNS_NAME has inside, for the tests, tests/soak and tests/bench. Sourced after
# peers.sh.

# pinned MAP: the number of its entries.
pinned() {
	bpftool -j map dump pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/$1" | gojq length
}

# Entries of the flow table, hellos that are kept, source ports in use, and the live connections of
# frontends, routes, farms and servers.
what_is_left() {
	printf '%s entries, %s hellos, %s ports, live: %s' "$(pinned flows)" "$(pinned hellos)" \
		"$(stats '.counters.ports_in_use')" \
		"$(stats '[(.frontends[], .routes[], .farms[], .servers[]).live] | join(" ")')"
}

# Entries of the flow table that are left, for the log.
show_flows() {
	bpftool -j map dump pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/flows" |
		gojq -c '.[].formatted.value | del(.source, .destination)'
}

flows_forgotten() {
	[[ $(stats '[(.frontends[], .routes[], .farms[], .servers[]).live, .counters.ports_in_use] | add') == 0 ]] || return
	[[ ! -e /sys/fs/bpf/alpnlb/$NETNS_NAME/flows || $(pinned flows) == 0 && $(pinned hellos) == 0 ]]
}

# How many the daemon has open.
descriptors() {
	find "/proc/$DAEMON_PID/fd" -type l | wc -l
}

no_sanitizer_report() {
	! grep -E 'runtime error:|(Address|Leak|UndefinedBehavior)Sanitizer' "$NETNS_DIR/daemon.log"
}

# ask NOUN VERB [ARGUMENT...]: what is asked again and again, as JSON. With sanitizers a process takes
# long to start: QUICK is the same program without.
ask() {
	netns_exec balancer "${QUICK:-$ALPNLB}" --instance "$NETNS_NAME" -j "$@"
}

# stats EXPRESSION: a gojq expression over the output of `stat show`.
stats() {
	ask stat show | gojq -r "$1"
}

# impair ROLE INTERFACE OPTION...: see peers/impair.c. Sets NETNS_PID.
impair() {
	local role=$1 log=$NETNS_DIR/impair-$1-$2.log
	shift
	netns_spawn "$role" "$log" "$PEERS/impair" "$@"
	netns_await 10 grep -q ready "$log" || netns_die "impair: $(cat "$log")"
}
