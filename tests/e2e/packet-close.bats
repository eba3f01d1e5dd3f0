#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# How spliced connections end, and what does not end them.

# shellcheck disable=SC2030,SC2031 # every test is a subshell, `run` sets output

load lib
load packet

# start KIND [SERVER-OPTION...]: the default farm.
start() {
	packet_farm packet 11
	start_tcp server 11 9000 "$@"
	start_daemon
}

# A client that has sent its hello and waits for the file `go`.
start_waiting_client() {
	netns_spawn client "$NETNS_DIR/client.log" "$PEERS/tcp" client "$LB4" 443 \
		--alpn h2 --until-sent "$NETNS_DIR/go" "$@"
	await_stat .counters.spliced 1
	all_are_spliced 1
}

# entry client|server EXPRESSION: of the only flow, of packets from there.
entry() {
	local from=0
	[[ $1 == client ]] || from=1
	bpftool -j map dump pinned "/sys/fs/bpf/alpnlb/$NETNS_NAME/flows" |
		gojq -r ".[].formatted | select(.value.constant % 2 == $from) |
			def port: (. % 256) * 256 + (. / 256 | floor);
			(.value + { port: .key.source_port | port, to: .key.destination_port | port }) | $2"
}

# spoof client|server FLAGS OFFSET [ACK-OFFSET [TIMES]]: as if from there, OFFSET behind what its
# receiver expects, and ACK-OFFSET behind what it has acknowledged.
spoof() {
	local port to seq ack
	read -r port to seq ack < <(entry "$1" "\"\(.port) \(.to) \(.base + .end + $3) \(.acked + ${4:-0})\"")
	if [[ $1 == client ]]; then
		netns_exec client "$TREE/tests/e2e/peers/spoof.py" "$CLIENT4" "$port" "$LB4" 443 \
			"$2" "$seq" "$ack" "${5:-1}"
	else
		netns_exec server "$TREE/tests/e2e/peers/spoof.py" "$(server4 11)" 9000 198.51.100.1 "$to" \
			"$2" "$seq" "$ack" "${5:-1}"
	fi
}

# More than the time an ended flow lingers: FLOW_LINGER, and a look of the daemon's.
linger_over() {
	sleep 3
}

spoofed() {
	local flags=$1 from offset
	shift
	start exchange --bytes 1000 --half-close
	start_waiting_client --half-close --bytes 1000
	for from in client server; do
		for offset in "$@"; do
			# Twice: challenge ACKs are limited to one in half a second.
			spoof $from "$flags" "$offset" 0 2
		done
	done
	linger_over
	flows_are 1 || fail "the flow is gone"
	touch "$NETNS_DIR/go"
	assert_equal "$(server_report server | report_field end)" eof
	netns_await 10 grep -q '^{' "$NETNS_DIR/client.log"
	assert_equal "$(report_field end <"$NETNS_DIR/client.log")" eof
	assert_equal "$(stats '.counters | .client_resets + .server_resets')" 0
}
@test "spoofed RSTs out of the window leave a connection alone" { spoofed R -100000 -2 1000000000 2147483647; }
@test "spoofed RSTs in the window that are not exact leave a connection alone" { spoofed R 1 1000 20000; }
@test "spoofed FINs out of the window leave a connection alone" { spoofed FA -100000 -10 1000000000; }
@test "spoofed FINs in the window leave a connection alone" { spoofed FA 1 1000 20000 1; }
@test "spoofed FINs in the longest window leave a connection alone" { spoofed FA 300000 5000000 67000000; }

# Each of them is ahead of what its receiver can have been sent.
spoofed_numbers() {
	start exchange --bytes 1000
	start_waiting_client --half-close --bytes 1000
	spoof server A 0 1000000000
	spoof client A 0 1000000000
	spoof server FA 67000000 0
	spoof client FA 67000000 0
}
@test "spoofed acknowledgements and FINs do not keep flow delete from ending both sides" {
	spoofed_numbers
	alpnlb flow delete all
	await_flows 0
	assert_equal "$(server_report server | report_field end)" reset
	touch "$NETNS_DIR/go"
	netns_await 10 grep -q '^{' "$NETNS_DIR/client.log"
	assert_equal "$(report_field end <"$NETNS_DIR/client.log")" reset
}
@test "spoofed acknowledgements and FINs do not hide a client's reset" {
	spoofed_numbers
	netns_exec client ss -K dport = :443 >/dev/null
	await_flows 0
	assert_equal "$(server_report server | report_field end)" reset
	assert_equal "$(stats .counters.client_resets)" 1
	touch "$NETNS_DIR/go"
}
@test "bytes are counted right after spoofed FINs" {
	start exchange --bytes 1000 --half-close
	start_waiting_client --half-close --bytes 1000
	spoof server FA 20000 0
	spoof client FA 20000 0
	touch "$NETNS_DIR/go"
	server_report server
	await_flows 0
	assert_equal "$(stats '.frontends[0] | [.bytes_from_clients, .bytes_from_servers] | tostring')" "[1517,1000]"
}
# As when two CPUs move them. Nobody answers, as a peer that took the RST would not.
@test "an RST before the bytes in front of it ends the connection once they have come" {
	start exchange --bytes 1000
	start_waiting_client --bytes 1000
	impair server balancer -d 1000
	spoof client R 1
	spoof client FA 0
	await_flows 0
	assert_equal "$(stats .counters.client_resets)" 1
}
# As a host answers an acknowledgement that comes after the socket has gone.
@test "an RST behind the end of both sides is no reset" {
	start exchange --bytes 1000 --half-close
	start_waiting_client --half-close --bytes 1000
	touch "$NETNS_DIR/go"
	netns_await 10 grep -q '^{' "$NETNS_DIR/client.log"
	spoof server R 0
	assert_equal "$(alpnlb -j flow show | gojq -r '.[0].state')" closed
	await_flows 0
	assert_equal "$(stats '.counters | .client_resets + .server_resets')" 0
}
@test "spoofed SYNs leave a connection alone" { spoofed S -1000 0 1000 1000000000; }

lost_last_ack() {
	start name
	impair client balancer -a 1
	assert_equal "$(reached "$LB4" 443 --alpn h2)" server
	await_stat .counters.spliced 1
	netns_await 5 no_socket_waits || fail "a FIN is not answered: $(netns_exec server ss -Htn state last-ack)"
}
no_socket_waits() {
	[[ -z $(netns_exec server ss -Htn state last-ack state closing state fin-wait-1) &&
		-z $(netns_exec client ss -Htn state last-ack state closing state fin-wait-1) ]]
}
@test "a FIN that is repeated because its acknowledgement was lost is answered" { lost_last_ack; }

same_port() {
	start "$1"
	netns_exec client /usr/bin/python3 - "$LB4" "$NETNS_DIR/hello" "$2" <<-'END'
		import socket, struct, sys
		hello = open(sys.argv[2], "rb").read()
		for number in range(400):
		    sock = socket.socket()
		    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		    sock.settimeout(10)
		    sock.bind(("192.0.2.2", 40000))
		    sock.connect((sys.argv[1], 443))
		    sock.sendall(hello)
		    answer = b""
		    while b"\n" not in answer:
		        data = sock.recv(100)
		        assert data, number
		        answer += data
		    assert answer == b"server\n", (number, answer)
		    if sys.argv[3] == "reset":
		        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		    else:
		        assert not sock.recv(100), number
		        sock.shutdown(socket.SHUT_WR)
		        closed = b"\x07"  # until its FIN is acknowledged, the port is taken
		        while sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != closed:
		            pass
		    sock.close()
	END
	assert_equal "$(stats '.counters.accepted')" 400
	(($(stats '.counters.spliced') >= 390)) || fail "$(stats '.counters.spliced') spliced"
}
@test "a client connects from the same port again at once, 400 times" { same_port name close; }
@test "a client resets and connects from the same port again at once, 400 times" { same_port name reset; }

idle_end() {
	FRONTEND="idle_timeout: 2s"
	start exchange --bytes 1000
	start_waiting_client --bytes 1000
	await_stat .counters.idle_timeouts 1
	await_flows 0
	assert_equal "$(server_report server | report_field end)" reset
	touch "$NETNS_DIR/go"
	netns_await 10 grep -q '^{' "$NETNS_DIR/client.log"
	assert_equal "$(report_field end <"$NETNS_DIR/client.log")" reset
}
@test "a connection that is idle for longer than the idle timeout is reset at both ends" { idle_end; }

@test "a connection that is used now and then outlives the idle timeout" {
	local n
	FRONTEND="idle_timeout: 2s"
	start echo
	netns_spawn client "$NETNS_DIR/client.log" "$PEERS/tcp" client "$LB4" 443 \
		--alpn h2 --cut 60 --pause 0.6 --half-close
	server_report server >"$NETNS_DIR/report"
	assert_equal "$(report_field end <"$NETNS_DIR/report")" eof
	assert_equal "$(stats .counters.idle_timeouts)" 0
}

@test "keepalives do not outlast the idle timeout" {
	FRONTEND="idle_timeout: 2s"
	start echo
	netns_exec client /usr/bin/python3 - "$LB4" "$NETNS_DIR/hello" <<-'END_OF_CLIENT'
		import socket, sys
		sock = socket.socket()
		for option in socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL:
		    sock.setsockopt(socket.IPPROTO_TCP, option, 1)
		sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
		sock.settimeout(15)
		sock.connect((sys.argv[1], 443))
		sock.sendall(open(sys.argv[2], "rb").read())
		assert sock.recv(4000)
		try:
		    while sock.recv(4000):
		        pass
		    raise SystemExit("the server has ended it")
		except ConnectionResetError:
		    pass
	END_OF_CLIENT
	assert_equal "$(stats '.counters | [.spliced, .idle_timeouts] | tostring')" "[1,1]"
}

# Without timestamps an entry outlives its connection by a minute.
live_everywhere() {
	stats '[.frontends[0], .routes[0], .servers[0] | .live] | join(" ")'
}
@test "a connection that has ended counts as live no more, though its entries stay" {
	netns_exec client sysctl -qw net.ipv4.tcp_timestamps=0
	FRONTEND="max_connections: 1"
	FORGOTTEN=true # in a minute
	start_echo 11
	hold client "$LB4" 443 --hello "$NETNS_DIR/hello" --bytes 100
	await_stat .counters.spliced 1
	assert_equal "$(live_everywhere)" "1 1 1"
	assert_echoed "$(end_held client)"
	await_stat .frontends[0].live 0
	assert_equal "$(live_everywhere)" "0 0 0"
	assert_equal "$(pinned flows)" 2
	hold next "$LB4" 443 --hello "$NETNS_DIR/hello" --bytes 100
	await_stat .counters.spliced 2
	assert_echoed "$(end_held next)"
	await_stat .frontends[0].live 0

	kill_daemon
	start_daemon
	netns_await 10 daemon_says 'goes on with 2 spliced connections' || fail "it does not take them over"
	assert_equal "$(live_everywhere)" "0 0 0"
}
