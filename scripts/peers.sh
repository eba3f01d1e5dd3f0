# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Sourced after netns.sh: the real servers behind the balancer, and the balancer itself.

PEER_DOMAIN=alpnlb.test # the certificate is good for it and for every name one level below

# Makes $NETNS_DIR/{ca,cert,key}.pem; the certificate signs itself and so is its own authority.
peers_certificate() {
	[[ ! -e $NETNS_DIR/cert.pem ]] || return 0
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj "/CN=$PEER_DOMAIN" -addext "subjectAltName=DNS:$PEER_DOMAIN,DNS:*.$PEER_DOMAIN" \
		-keyout "$NETNS_DIR/key.pem" -out "$NETNS_DIR/cert.pem" 2>"$NETNS_DIR/certificate.out" || {
		cat "$NETNS_DIR/certificate.out" >&2
		return 1
	}
	cp "$NETNS_DIR/cert.pem" "$NETNS_DIR/ca.pem"
}

# peers_nginx NAME HOST PORT h2|http1|clear|proxy: an nginx on both addresses of server HOST. It says
# NAME in the header x-server and in the body; PUT and GET below /files/ store and serve files;
# /slow/ serves the same files at 1 kB/s. `proxy` is h2 behind a PROXY header, and says the client's
# address in the header x-client. Sets NETNS_PID.
peers_nginx() {
	local name=$1 host=$2 port=$3 kind=$4 dir=$NETNS_DIR/$1 options='' headers=''
	case $kind in
	h2) options='ssl http2' ;;
	http1) options=ssl ;;
	clear) ;;
	proxy) options='ssl http2 proxy_protocol' headers="add_header x-client \$proxy_protocol_addr always;" ;;
	*) netns_die "nginx speaks h2, http1, clear or proxy, not $kind" || return ;;
	esac
	mkdir -p "$dir/files"
	[[ $kind == clear ]] || peers_certificate || return
	cat >"$dir/nginx.conf" <<-END
		daemon off;
		user root;
		worker_processes 1;
		pid $dir/pid;
		error_log $dir/error.log;
		events { worker_connections 8192; }
		http {
			access_log off;
			client_max_body_size 0;
			client_body_temp_path $dir/body;
			proxy_temp_path $dir/proxy;
			fastcgi_temp_path $dir/fastcgi;
			uwsgi_temp_path $dir/uwsgi;
			scgi_temp_path $dir/scgi;
			default_type text/plain;
			server {
				listen $(server4 "$host"):$port $options;
				listen [$(server6 "$host")]:$port $options;
				$([[ $kind == clear ]] || printf 'ssl_certificate %s; ssl_certificate_key %s;' \
					"$NETNS_DIR/cert.pem" "$NETNS_DIR/key.pem")
				add_header x-server $name always;
				$headers
				location / { return 200 "$name\n"; }
				location /files/ { alias $dir/files/; dav_methods PUT; }
				location /slow/ { alias $dir/files/; limit_rate 1k; }
			}
		}
	END
	netns_spawn server "$dir/log" nginx -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf"
	netns_await 10 netns_listens_at "$(server4 "$host")" "$port" && return
	cat "$dir/log" "$dir/error.log" >&2
	netns_die "nginx $name did not start"
}

netns_listens_at() {
	[[ -n $(netns_exec server ss -Hltn "src $1 and sport = :$2") ]]
}

# What the daemon says on stderr once it takes connections.
PEER_READY='(^|[^[:alnum:]])ready([^[:alnum:]]|$)'

peers_daemon_settled() {
	grep -Esq "$PEER_READY" "$NETNS_DIR/daemon.log" || netns_dead "$DAEMON_PID"
}

# peers_daemon CONFIG [OPTION...]: starts $ALPNLB as instance $NETNS_NAME, without a file if CONFIG
# is empty, and waits until it is ready. Its stderr goes to $NETNS_DIR/daemon.log. Sets DAEMON_PID; 1 if it ended or hangs.
peers_daemon() {
	local config=$1
	shift
	rm -f "$NETNS_DIR/daemon.log" # of the daemon before, which says that it is ready
	netns_spawn balancer "$NETNS_DIR/daemon.log" \
		"$ALPNLB" --instance "$NETNS_NAME" daemon ${config:+-c "$config"} "$@"
	DAEMON_PID=$NETNS_PID
	netns_await 30 peers_daemon_settled || netns_die "the daemon is not ready after 30 s" || return
	netns_alive "$DAEMON_PID"
}

# The CLI of that instance.
alpnlb() {
	netns_exec balancer "$ALPNLB" --instance "$NETNS_NAME" "$@"
}

# peers_curl ADDRESS NAME[:PORT]/PATH [OPTION...]: https from the client through ADDRESS.
peers_curl() {
	local address=$1 url=$2 authority
	shift 2
	authority=${url%%/*}
	[[ $authority == *:* ]] || authority+=:443
	[[ $address != *:* ]] || address="[$address]"
	netns_exec client curl --silent --show-error --max-time 60 --cacert "$NETNS_DIR/ca.pem" \
		--resolve "$authority:$address" "$@" "https://$authority/${url#*/}"
}
