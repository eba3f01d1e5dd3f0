#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The program at the door: what it drops, and where it is attached.

load lib

# dropped REASON...: how many packets, by reason.
dropped() {
	alpnlb -j xdp show | gojq -r "[.drops | $(printf '.%s,' "$@" | sed 's/,$//')] | join(\" \")"
}

dropped_some() {
	(($(dropped "$1") > 0))
}

# doors: the interfaces of the balancer, and who is there in which mode.
doors() {
	netns_exec balancer "$ALPNLB" --instance "$NETNS_NAME" -j xdp show |
		gojq -r '[.interfaces[] | "\(.interface) \(.mode) \(.name)"] | join(", ")'
}

links() {
	bpftool -j link show | gojq "[.[] | select(.type == \"xdp\") | .prog_id] | length"
}

@test "the door is closed by what a frontend allows, and stays over restarts until unload" {
	local program
	small_config 'xdp: auto' >"$CONFIG"
	start_tcp one 11 9000 name
	start_daemon
	assert_equal "$(doors)" "client null null, server null null" "nothing to enforce"

	printf '    denied_source: [ 192.0.2.3 ]\n' >>"$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(doors)" "client native door, server native door"
	hold denied "$LB4" 443 --source 192.0.2.3 --alpn h2
	netns_await 10 dropped_some source
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.2 --alpn h2)" one
	assert_equal "$(stats .counters.refused_source)" 0 "it did not come as far as that"

	kill_daemon
	assert_equal "$(doors)" "client native door, server native door"
	start_daemon
	assert_equal "$(doors)" "client native door, server native door"
	dropped_some source || fail "counters are lost"
	ip -n "$NETNS_NAME-balancer" link add later type veth peer name other netns "$NETNS_NAME-client"
	netns_await 10 eval '[[ $(doors) == *"later native door"* ]]'

	sed -i 's/xdp: auto/xdp: generic/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(doors)" "client generic door, server generic door, later generic door"
	stop_daemon
	alpnlb unload >/dev/null
	assert_equal "$(doors 2>/dev/null)" ""
	for program in client server later; do
		ip -n "$NETNS_NAME-balancer" link show "$program" | grep -q xdp && fail "$program still has a program"
	done
	[[ ! -e /sys/fs/bpf/alpnlb/$NETNS_NAME ]]
}
