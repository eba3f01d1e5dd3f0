#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the two ends negotiate and how their interfaces work, in every combination: bytes arrive in
# their places on whatever path, and on the packet path where both legs agree.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib
load packet

# netns_sysctl ROLE KEY=VALUE...: of net.ipv4.tcp_*, which IPv6 has as well.
tcp_sysctl() {
	local role=$1
	shift
	netns_exec "$role" sysctl -qw "${@/#/net.ipv4.tcp_}"
}

# start HOST: the default farm, of position-coded connections.
start() {
	packet_farm packet "$1"
	crossing_serve
	start_daemon
}

# spliced_megabytes ADDRESS WHAT: none of a few connections may be spliced, when all clients were far
# ahead of the server: then there are some more.
spliced_megabytes() {
	local i
	for i in {1..8}; do
		some_megabytes "$@" || return
		((SPLICED == 0)) || return 0
	done
	fail "not spliced: $2"
}

# A few MB each way. Sets SPLICED to how many of the connections were.
some_megabytes() {
	local address=$1 before report
	before=$(stats .counters.spliced)
	report=$(crossing_client "$address" -n 4 -p 4 -s 5 -m 4000000 -q -w 1) || fail "$2: $report" || return
	assert_clean "$report" || return
	SPLICED=$(($(stats .counters.spliced) - before))
}

# Do connections with these options on the client's leg and the server's get spliced? The server is
# not offered what the client does not have.
legs_agree() {
	local client_timestamps=$1 client_sack=$2 server_timestamps=$3 server_sack=$4
	((client_timestamps <= server_timestamps && client_sack <= server_sack))
}

negotiation() {
	FORGOTTEN=plain_flows_linger
	local address=$2 client server what
	start "$1"
	for client in {0,1}' '{0,1}' '{0,1}; do
		for server in {0,1}' '{0,1}' '{0,1}; do
			# shellcheck disable=SC2086 # three words
			set -- $client $server
			tcp_sysctl client timestamps="$1" sack="$2" window_scaling="$3"
			tcp_sysctl server timestamps="$4" sack="$5" window_scaling="$6"
			what="timestamps, SACK, window scaling of the client $client, of the server $server"
			if legs_agree "$1" "$2" "$4" "$5"; then
				spliced_megabytes "$address" "$what"
			else
				some_megabytes "$address" "$what" || fail "$what"
				assert_equal "$SPLICED" 0 "$what"
			fi
		done
	done
	assert_clean "$(crossing_report)"
}
@test "timestamps, SACK and window scaling on and off at either end, IPv4" { negotiation 11 "$LB4"; }
@test "timestamps, SACK and window scaling on and off at either end, IPv6" { negotiation 11v6 "$LB6"; }

explicit_congestion() {
	local address=$2 client server balancer
	start "$1"
	for balancer in 1 2; do
		for client in 0 1; do
			for server in 0 1 2; do
				tcp_sysctl balancer ecn=$balancer
				tcp_sysctl client ecn=$client
				tcp_sysctl server ecn=$server
				spliced_megabytes "$address" "ECN $client $balancer $server"
			done
		done
	done
	assert_equal "$(stats .counters.splice_dropped)" 0
	assert_clean "$(crossing_report)"
}
@test "ECN at either end, IPv4" { explicit_congestion 11 "$LB4"; }
@test "ECN at either end, IPv6" { explicit_congestion 11v6 "$LB6"; }

# offloads ROLE on|off: of both ends of the link of a role.
offloads() {
	netns_exec "$1" ethtool -K balancer tso "$2" gso "$2" gro "$2" sg "$2" tx "$2" rx "$2" >/dev/null 2>&1
	netns_exec balancer ethtool -K "$1" tso "$2" gso "$2" gro "$2" sg "$2" tx "$2" rx "$2" >/dev/null 2>&1
}

interfaces() {
	local address=$2 client server
	start "$1"
	for client in off on; do
		for server in off on; do
			offloads client $client
			offloads server $server
			spliced_megabytes "$address" "offloads $client, $server"
		done
	done
	assert_equal "$(stats .counters.splice_dropped)" 0
	assert_clean "$(crossing_report)"
}
@test "offloads on and off at either leg, IPv4" { interfaces 11 "$LB4"; }
@test "offloads on and off at either leg, IPv6" { interfaces 11v6 "$LB6"; }

# mtu ROLE END MTU: of one end of the link of a role, or both.
small_mtu() {
	local role=$1 end=$2
	packet_farm packet 11
	case $end in
	balancer) ip -n "$NETNS_NAME-balancer" link set "$role" mtu 1400 ;;
	peer) ip -n "$NETNS_NAME-$role" link set balancer mtu 1400 ;;
	esac
	crossing_serve
	start_daemon
	some_megabytes "$LB4" "MTU 1400 at the $end of the $role leg"
	echo "# $SPLICED of 4 spliced" >&3
	assert_clean "$(crossing_report)"
}
@test "the client leg's interface has an MTU of 1400" { small_mtu client balancer; }
@test "the server leg's interface has an MTU of 1400" { small_mtu server balancer; }
@test "the client's interface has an MTU of 1400" { small_mtu client peer; }
@test "the server's interface has an MTU of 1400" { small_mtu server peer; }

# small_window ROLE CLIENT-BUFFER SERVER-BUFFER: that end does not scale its window, and the balancer's
# sockets would announce a scale of 13.
small_window() {
	local report
	tcp_sysctl balancer rmem="4096 131072 268435456"
	tcp_sysctl "$1" window_scaling=0
	packet_farm packet 11
	start_tcp server 11 9000 exchange --bytes 200000 --half-close --buffer "$3"
	start_daemon
	# A client that sends all at once may be ahead of the server, and go by another path.
	hold client "$LB4" 443 --alpn h2 --then 200000 --timeout 20 --buffer "$2"
	await_stat .counters.spliced 1
	report=$(end_held client)
	assert_equal "$(gojq -c '[.end, .received]' <<<"$report")" '["eof",200000]' "the client"
	assert_equal "$(server_report server | gojq -c '[.end, .received]')" '["eof",200517]' "the server"
}
@test "a client with a small window and no scale" { small_window client 4096 0; }
@test "a server with a small window and no scale" { small_window server 0 4096; }
@test "no leg is told a window in far larger steps than the other says it" {
	tcp_sysctl balancer rmem="4096 131072 268435456"
	tcp_sysctl client rmem="4096 131072 6291456"
	tcp_sysctl server rmem="4096 131072 6291456"
	start_echo 11
	hold client "$LB4" 443 --alpn h2
	await_flows 1
	assert_equal "$(show_flows | gojq -c '[.window_scale, .other_scale]' | sort | tr '\n' ' ')" "[7,7] [7,9] "
	end_held client
}
