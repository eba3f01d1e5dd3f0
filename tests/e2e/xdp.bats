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

# drops_at INTERFACE: how many there, of all reasons; null = there is no door.
drops_at() {
	ask xdp show | gojq ".interfaces[] | select(.interface == \"$1\") |
		if .packets_dropped == (.dropped // {} | add) then .packets_dropped else \"\(.)\" end"
}

# make_later [OPTION...]: one more interface of the balancer, and what is at its other end.
make_later() {
	ip -n "$NETNS_NAME-balancer" link add later "$@" type veth peer name other netns "$NETNS_NAME-client"
	ip -n "$NETNS_NAME-balancer" addr add 203.0.113.1/24 dev later
	ip -n "$NETNS_NAME-balancer" link set later up
	ip -n "$NETNS_NAME-client" addr add 203.0.113.2/24 dev other
	ip -n "$NETNS_NAME-client" link set other up
}

later_has_dropped() {
	tcp_client 203.0.113.1 443 --alpn h2 --timeout 0.3 >/dev/null || true
	(($(drops_at later) > 0))
}

later_has_a_door() {
	[[ $(doors) == *"later native door"* ]]
}

# dropped_at ADDRESS: does a source that is denied get no further than to the door there?
dropped_at() {
	local before
	before=$(dropped source)
	tcp_client "$1" 443 --source 192.0.2.3 --alpn h2 --timeout 0.3 >/dev/null || true
	(($(dropped source) > before))
}

# door_cannot_be_loaded: it finds an acl that programs may not read.
door_cannot_be_loaded() {
	mkdir -p "/sys/fs/bpf/alpnlb/$NETNS_NAME"
	bpftool map create "/sys/fs/bpf/alpnlb/$NETNS_NAME/acl4" type lpm_trie key 12 value 16 \
		entries 16777216 name acl4 flags 0x101 # BPF_F_WRONLY_PROG, BPF_F_NO_PREALLOC
}

# acl_empty: nothing that has ended is left.
acl_empty() {
	[[ $(pinned acl4) == 0 && $(pinned acl6) == 0 ]]
}

@test "the door is closed by what a frontend allows, and stays over restarts until unload" {
	local program index before
	small_config 'xdp: auto' >"$CONFIG"
	start_tcp one 11 9000 name
	start_daemon
	assert_equal "$(doors)" "client null null, server null null" "nothing to enforce"
	assert_equal "$(drops_at client)" null

	printf '    denied_source: [ 192.0.2.3, 203.0.113.2 ]\n' >>"$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(doors)" "client native door, server native door"
	hold denied "$LB4" 443 --source 192.0.2.3 --alpn h2
	netns_await 10 dropped_some source
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.2 --alpn h2)" one
	assert_equal "$(stats .counters.refused_source)" 0 "it did not come as far as that"
	make_later
	netns_await 10 later_has_a_door
	netns_await 10 later_has_dropped
	assert_equal "$(drops_at server)" 0
	before=$(drops_at client)
	((before > 0)) || fail "$before drops at client"
	assert_matches "$(alpnlb xdp show)" "client +native +[0-9]+ +door +alpnlb +[1-9]"

	kill_daemon
	assert_equal "$(doors)" "client native door, server native door, later native door"
	# What has its number now is another interface.
	index=$(ip -n "$NETNS_NAME-balancer" -j link show later | gojq '.[0].ifindex')
	ip -n "$NETNS_NAME-balancer" link delete later
	make_later index "$index"
	assert_equal "$(drops_at later)" null
	start_daemon
	assert_equal "$(doors)" "client native door, server native door, later native door"
	dropped_some source || fail "counters are lost"
	(($(drops_at client) >= before)) || fail "counters of interfaces are lost: $(alpnlb -p xdp show)"
	assert_equal "$(drops_at later)" 0
	# What stands on others is not asked a second time.
	ip -n "$NETNS_NAME-balancer" link add bridge type bridge
	ip -n "$NETNS_NAME-balancer" link add link server name macvlan type macvlan
	ip -n "$NETNS_NAME-balancer" link set later master bridge
	ip -n "$NETNS_NAME-balancer" addr add 192.0.2.77/24 dev client
	netns_await 10 dropped_at 192.0.2.77

	sed -i 's/xdp: auto/xdp: generic/' "$CONFIG"
	alpnlb apply "$CONFIG"
	assert_equal "$(doors)" "client generic door, server generic door, later generic door"
	(($(drops_at client) >= before)) || fail "counters of interfaces are lost: $(alpnlb -p xdp show)"
	stop_daemon
	alpnlb unload >/dev/null
	assert_equal "$(doors 2>/dev/null)" ""
	for program in client server later; do
		ip -n "$NETNS_NAME-balancer" link show "$program" | grep -q xdp && fail "$program still has a program"
	done
	[[ ! -e /sys/fs/bpf/alpnlb/$NETNS_NAME ]]

	door_cannot_be_loaded
	start_daemon
	for program in 1 2; do # it looks every second
		alpnlb acl add 192.0.2.9 ttl 1ms
		netns_await 10 acl_empty
	done
	assert_matches "$(reached "$LB4" 443 --source 192.0.2.3 --alpn h2)" '^(eof|reset)$'
	(($(stats .counters.refused_source) > 0)) # the client that was held tries on
	alpnlb acl add 192.0.2.2/31 frontend web >/dev/null
	alpnlb acl add 2001:db8:1::2 >/dev/null
	assert_matches "$(reached "$LB4" 443 --source 192.0.2.2 --alpn h2)" '^(eof|reset)$' "a ban after accept"
	assert_matches "$(reached "$LB6" 443 --source 2001:db8:1::2 --alpn h2)" '^(eof|reset)$' "a ban after accept"
	(($(stats .counters.refused_acl) >= 2))
	alpnlb acl delete all >/dev/null
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.2 --alpn h2)" one
	assert_equal "$(grep -c 'xdp: cannot load the program.*are enforced after accept' "$NETNS_DIR/daemon.log")" 1
	stop_daemon
	alpnlb unload >/dev/null
}

# start_door LINE...: servers, and the daemon with frontends of these attributes: 443 `web`.
start_door() {
	small_config "${XDP:-xdp: auto}" >"$CONFIG"
	printf '    %s\n' "$@" >>"$CONFIG"
	printf '  - { name: other, port: "8000-8100", default_farm: two }\n' >>"$CONFIG"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_tcp ssh 11 22 echo
	netns_spawn balancer "$NETNS_DIR/sshd.log" "$PEERS/tcp" serve echo \
		--name sshd --listen "$LB4" "$LB6" --port 22
	netns_await 10 netns_listens balancer 22
	start_daemon
}

door_is_open() {
	[[ $(doors) == *null* ]]
}

door_is_closed() {
	[[ $(doors) == "client $1 door, server $1 door" ]]
}

@test "the acl bans at once, for a while or for good, also who is connected, and never ssh" {
	local log=$NETNS_DIR/monitor.log
	start_door
	door_is_open
	netns_spawn client "$log" "$ALPNLB" --instance "$NETNS_NAME" -j monitor
	netns_await 10 grep -q '"monitor"' "$log"
	hold ssh "$LB4" 22 --source 192.0.2.3 --bytes 1000
	hold live "$LB4" 443 --source 192.0.2.3 --alpn h2
	await_connections 1

	assert_equal "$(alpnlb help list acl add 192.0.2.3 frontend | paste -sd,)" web,other
	assert_equal "$(alpnlb -j acl add 192.0.2.3 ttl 1h)" '{"added":1}'
	alpnlb acl add 2001:db8:1::/64 frontend web
	assert_equal "$(alpnlb -j acl show | gojq -r '.[] | "\(.source) \(.frontend) \(.expires_ms == null)"' | sort)" \
		"192.0.2.3 null false
2001:db8:1::/64 web true"
	alpnlb acl add 192.0.2.0/24 ttl 100ms frontend other
	# In force after accept from the first moment on, and at the door within a second.
	netns_await 10 door_is_closed native
	tcp_client "$LB4" 443 --source 192.0.2.3 --alpn h2 --timeout 1 || true
	netns_await 10 dropped_some acl
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.4 --alpn h2)" one
	assert_equal "$(reached "$LB4" 8000 --source 192.0.2.4 --alpn h2)" two "its ban has ended"
	assert_equal "$(reached "$LB6" 8000 --alpn h2)" two "it is banned from another frontend"
	assert_equal "$(reached "$LB6" 443 --alpn h2 --timeout 1)" timeout
	netns_await 10 grep -q '"dropped"' "$log"
	assert_equal "$(grep '"dropped"' "$log" | head -1 | gojq -r '"\(.reason) \(.frontend)"')" "acl web"

	assert_echoed "$(end_held ssh)"
	assert_equal "$(alpnlb -j acl delete 192.0.2.3)" '{"deleted":1}'
	end_held live >/dev/null
	alpnlb acl delete all >/dev/null
	netns_await 10 acl_empty
	netns_await 10 door_is_open
	# The last one that goes opens the door, too; and nobody inherits what a frontend had.
	alpnlb acl add 192.0.2.9 >/dev/null
	netns_await 10 door_is_closed native
	alpnlb acl delete 192.0.2.9 >/dev/null
	netns_await 10 door_is_open
	alpnlb acl add 192.0.2.0/24 frontend other >/dev/null
	alpnlb frontend delete other
	alpnlb refresh run
	assert_equal "$(alpnlb -j acl show)" '[]'
	alpnlb frontend add heir port 8000-8100 default_farm two
	alpnlb refresh run
	assert_equal "$(reached "$LB4" 8000 --source 192.0.2.4 --alpn h2)" two
	dropped_some acl || fail "counters are lost"
	assert_equal "$(reached "$LB4" 443 --source 192.0.2.3 --alpn h2)" one
}

# blocks N: so many addresses of the acl's file, none of them used by a test.
blocks() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++)
		printf "%d.%d.%d.%d\n", 11 + i / 16777216, i / 65536 % 256, i / 256 % 256, i % 256 }'
}

# took WHAT COMMAND...: runs it, and with BLOCKS=1000000, say, tells how long it took.
took() {
	local TIMEFORMAT="$1: %R s, %U s of user and %S s of system time"
	shift
	if [[ -n ${BLOCKS:-} ]]; then { time "$@" >/dev/null; } 2>&3; else "$@" >/dev/null; fi
}

@test "big lists are imported and refreshed while connections come" {
	local n=${BLOCKS:-20000} file=$NETNS_DIR/blocks
	start_door 'rate_limit: 100000'
	door_is_closed native
	netns_spawn client "$NETNS_DIR/load.log" "$PEERS/tcp" client "$LB4" 443 --alpn h2 \
		--repeat 300 --parallel 4
	{
		printf '# a comment\n\n2001:db8:bad::/48 1h # with a ttl of its own\n'
		blocks "$n"
	} >"$file"
	took import alpnlb acl import "$file" ttl 1d
	assert_equal "$(pinned acl6)" 1
	[[ -n ${BLOCKS:-} ]] || assert_equal "$(pinned acl4)" "$n"
	printf '1.2.3.4/24\n' >"$file"
	run alpnlb acl import "$file"
	assert_matches "$output" "blocks:1: source '1.2.3.4/24': has bits behind its length, did you mean 1.2.3.0/24"
	printf '1.2.3.4\0\n1.2.3.5\n' >"$file"
	run alpnlb acl import "$file"
	assert_matches "$output" "blocks: holds a NUL byte"
	assert_equal "$(alpnlb -j acl show 1.2.3.4/31)" '[]' "nothing of a bad file is banned"

	{
		sed '/rate_limit/d' "$CONFIG" | sed '/name: other/,$d'
		printf '    denied_source:\n'
		blocks "$n" | sed 's/^/      - /'
	} >"$file"
	took apply alpnlb apply "$file"
	took delete alpnlb acl delete all
	alpnlb apply "$CONFIG" >/dev/null
	netns_await 60 netns_dead "$NETNS_PID"
	assert_equal "$(gojq -r .line "$NETNS_DIR/load.log" | sort | uniq -c | awk '{ $1 = $1; print }')" "300 one"
}

# What nobody at the door may touch: other services of the host, and the host's own connections.
@test "ssh survives any mistake, and a second program says who holds the interface" {
	local other=$NETNS_DIR/other.yaml
	XDP='xdp: generic' start_door 'denied_source: [ 0.0.0.0/0, "2000::/3" ]'
	door_is_closed generic
	alpnlb acl add 0.0.0.0/0 >/dev/null
	alpnlb acl add 2001:db8::/32 >/dev/null
	netns_exec client "$PEERS/tcp" client "$LB4" 443 --alpn h2 --timeout 1 >/dev/null || true
	netns_await 10 dropped_some acl
	assert_echoed "$(tcp_client "$LB4" 22 --bytes 100000 --half-close)"
	assert_echoed "$(tcp_client "$LB6" 22 --bytes 100000 --half-close)"
	assert_echoed "$(netns_exec balancer "$PEERS/tcp" client "$(server4 11)" 22 --bytes 1000 --half-close)"
	assert_echoed "$(netns_exec balancer "$PEERS/tcp" client "$(server6 11)" 22 --bytes 1000 --half-close)"

	sed -e 's/xdp: generic/xdp: native/' -e 's/"443"/"543"/' -e '/name: other/d' "$CONFIG" >"$other"
	netns_spawn balancer "$NETNS_DIR/other.log" "$ALPNLB" --instance "$NETNS_NAME-b" daemon -c "$other" --workers 1
	netns_await 20 grep -q ready "$NETNS_DIR/other.log"
	assert_equal "$(grep -cE 'xdp: (client|server): XDP program [0-9]+ .door. holds the interface' "$NETNS_DIR/other.log")" 2
	assert_matches "$(netns_exec balancer "$ALPNLB" --instance "$NETNS_NAME-b" -j doctor |
		gojq -r ".[] | select(.check == \"instance $NETNS_NAME-b\") | .found")" \
		"no door at the interfaces: client \\(XDP program [0-9]+ 'door'\\) server \\(XDP"
	assert_matches "$(reached "$LB4" 543 --alpn h2)" '^(eof|reset)$' "it is enforced after accept"
	door_is_closed generic
	# ... and it comes as soon as the interface is free.
	stop_daemon
	alpnlb unload >/dev/null
	netns_await 10 grep -q 'xdp: server: attached, native' "$NETNS_DIR/other.log" || fail "it does not look again"
	assert_equal "$(grep -c 'xdp: client: attached, native' "$NETNS_DIR/other.log")" 1
}
