# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Sourced by run after netns.sh and peers.sh: the balancers, all with the rule "who offers h2 goes
# to farm h2, everybody else to the default farm". Who starts them says before:

declare -A PORTS=()   # by subject: the ports that clients connect to, 447 or 9000-9005
declare -A SERVERS=() # by subject: the numbers of the servers of farm h2
PATHS=()              # alpnlb's: those that have a frontend

# By program: processes, threads of each and connections of each that it is to have room for.
declare -A PROCESSES=() THREADS=() ROOM=()

# By subject of the lines whole_*: who forwards on the packet path, and the door in front of it. At
# XDP that is possible behind a native door only.
declare -A MODES=(
	[xdp]=$'accel: xdp\nxdp: native'
	[tc]=$'accel: tc\nxdp: off'
	[tc+native]=$'accel: tc\nxdp: native'
	[tc+generic]=$'accel: tc\nxdp: generic'
)

declare -A PID=() # by program: alpnlb, haproxy, nginx; the processes that were started

SERVER_PORT=8443

# Nothing listens there: who is sent to the default farm by mistake gets no answer.
DEFAULT_SERVER=$(server4 29)

alpnlb_servers() {
	local server separator=
	for server in ${SERVERS[$1]}; do
		printf '%s{ name: %s-%s, address: %s }' "$separator" "$1" "$server" "$(server4 "$server")"
		separator=', '
	done
}

# write_alpnlb SUBJECT: in its mode, if it has one.
write_alpnlb() {
	local path
	printf 'nat_ports: 1024-32767\n%s\nfarms:\n' "${MODES[$1]:-}"
	for path in "${PATHS[@]}"; do
		printf '  - { name: h2-%s, port: %s, servers: [ %s ] }\n' \
			"$path" $SERVER_PORT "$(alpnlb_servers "$path")"
	done
	printf '  - { name: rest, port: 9, servers: [ { name: rest, address: %s } ] }\n' \
		"$DEFAULT_SERVER"
	printf 'frontends:\n'
	for path in "${PATHS[@]}"; do
		printf '  - { name: %s, port: "%s", path: %s, default_farm: rest }\n' \
			"$path" "${PORTS[$path]}" "${path/open/packet, handshake: packet}"
	done
	printf 'routes:\n'
	for path in "${PATHS[@]}"; do
		printf '  - { name: %s, frontend: %s, action: { type: farm, target: h2-%s }, ' \
			"$path" "$path" "$path"
		printf 'rules: [ { field: protocol, match: is, pattern: http/2.0 } ] }\n'
	done
}

write_haproxy() {
	local server
	cat <<-END
		global
			nbthread ${THREADS[haproxy]}
			maxconn ${ROOM[haproxy]}
		defaults
			mode tcp
			option splice-auto
			timeout connect 5s
			timeout client 1h
			timeout server 1h
		frontend web
			bind $LB4:${PORTS[haproxy]}
			tcp-request inspect-delay 5s
			tcp-request content accept if { req.ssl_hello_type 1 }
			use_backend h2 if { req.ssl_alpn -m sub h2 }
			default_backend rest
		backend rest
			server rest $DEFAULT_SERVER:9
		backend h2
	END
	for server in ${SERVERS[haproxy]}; do
		printf '\tserver s%s %s:%s\n' "$server" "$(server4 "$server")" $SERVER_PORT
	done
}

write_nginx() {
	cat <<-END
		load_module /usr/lib/nginx/modules/ngx_stream_module.so;
		daemon off;
		user root;
		pid $NETNS_DIR/nginx.pid;
		error_log $NETNS_DIR/nginx.log warn;
		worker_processes ${THREADS[nginx]};
		worker_rlimit_nofile $((2 * ${ROOM[nginx]} + 500));
		events { worker_connections $((2 * ${ROOM[nginx]} + 400)); }
		stream {
			map \$ssl_preread_alpn_protocols \$farm {
				~\bh2\b h2;
				default rest;
			}
			upstream h2 {
				$(for server in ${SERVERS[nginx]}; do
					printf 'server %s:%s; ' "$(server4 "$server")" $SERVER_PORT
				done)
			}
			upstream rest { server $DEFAULT_SERVER:9; }
			server {
				listen $LB4:${PORTS[nginx]} reuseport backlog=4096;
				ssl_preread on;
				proxy_timeout 1h;
				proxy_pass \$farm;
			}
		}
	END
}

spawn_program() {
	case $1 in
	alpnlb) peers_daemon "$NETNS_DIR/alpnlb.conf" ;;
	haproxy)
		netns_spawn balancer "$NETNS_DIR/haproxy$2.log" haproxy -db \
			-f "$NETNS_DIR/haproxy.conf"
		;;
	nginx)
		netns_spawn balancer "$NETNS_DIR/nginx.out" nginx -p "$NETNS_DIR" \
			-e "$NETNS_DIR/nginx.log" -c "$NETNS_DIR/nginx.conf"
		;;
	esac
}

# listeners_are PORT N: one each for N processes, which share the port.
listeners_are() {
	(($(netns_exec balancer ss -Hltn "sport = :$1" | wc -l) >= $2))
}

not_started() {
	printf 'bench: %s did not start\n' "$1" >&2
	return 1
}

# Sets PID[$1].
start_program() {
	local i
	PID[$1]=
	"write_$1" "$1" >"$NETNS_DIR/$1.conf"
	for ((i = 1; i <= ${PROCESSES[$1]}; i++)); do
		spawn_program "$1" "$i" || not_started "$1" || return
		PID[$1]+=${PID[$1]:+,}$NETNS_PID
	done
	[[ $1 == alpnlb ]] || netns_await 10 listeners_are "${PORTS[$1]%-*}" "${PROCESSES[$1]}" ||
		not_started "$1"
}

program_of() {
	case $1 in
	direct) ;;
	packet | open | sockmap | relay | xdp | tc | tc+*) printf alpnlb ;;
	*) printf '%s' "$1" ;;
	esac
}

# The processes of a subject, with commas between.
pids_of() {
	local program pid
	program=$(program_of "$1")
	[[ -n $program ]] || return 0
	printf '%s' "${PID[$program]}"
	[[ $program == nginx ]] || return 0
	pgrep -P "${PID[nginx]}" | while read -r pid; do printf ',%s' "$pid"; done
}

# Without loss, cubic and reno do the same. A namespace may choose only among those that the
# initial one allows. The balancer's sockets and alpnlb's nat_ports have half of the ports each.
tune() {
	local role ports
	for role in client balancer server; do
		ports='1024 65535'
		[[ $role != balancer ]] || ports='32768 65535'
		netns_exec $role sysctl -qw net.ipv4.ip_local_port_range="$ports" \
			net.ipv4.tcp_tw_reuse=1 net.core.somaxconn=4096
		netns_exec $role sysctl -qw net.ipv4.tcp_congestion_control=cubic 2>/dev/null ||
			netns_exec $role sysctl -qw net.ipv4.tcp_congestion_control=reno
	done
}

spaces_up() {
	netns_up "bench-$$"
	netns_route
	tune
}
