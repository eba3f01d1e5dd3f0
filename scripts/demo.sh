#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Routes real HTTP/2 and HTTP/1.1 clients through alpnlb, in network namespaces of its own.
#
#	sudo scripts/demo.sh		build, show, check, clean up
#	sudo scripts/demo.sh --keep	leave everything up to play with
#	sudo scripts/demo.sh --clean	remove what --keep left
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/netns.sh
source scripts/netns.sh
# shellcheck source=scripts/peers.sh
source scripts/peers.sh

NAME=alpnlb-demo
SITE=www.$PEER_DOMAIN
ALPNLB=$PWD/alpnlb

die() {
	printf 'demo: %s\n' "$*" >&2
	exit 1
}

heading() {
	printf '\n== %s\n' "$*"
}

show() {
	printf '$ alpnlb %s\n' "$*"
	alpnlb "$@"
}

# Removes the network, and the directories it shares with others if it was the last.
take_down() {
	netns_down
	rmdir --ignore-fail-on-non-empty /sys/fs/bpf/alpnlb /run/alpnlb /var/lib/alpnlb \
		"$NETNS_ROOT" 2>/dev/null || true
}

clean_up() {
	local status=$?
	if ((status != 0)) && [[ -s $NETNS_DIR/daemon.log ]]; then
		printf '\ndemo: failed; what the daemon said:\n' >&2
		tail -n 40 "$NETNS_DIR/daemon.log" >&2
	fi
	take_down
	exit "$status"
}

build() {
	scripts/deps.sh
	make --no-print-directory -j"$(nproc)"
}

start_servers() {
	peers_nginx h2-a 11 8443 h2
	peers_nginx h2-b 12 8443 h2
	peers_nginx h1-a 21 8443 http1
	head -c 200000 /dev/zero >"$NETNS_DIR/h2-a/files/slow"
	cp "$NETNS_DIR/h2-a/files/slow" "$NETNS_DIR/h2-b/files/slow"
}

write_config() {
	cat <<-END
		farms:
		  - name: h2
		    port: 8443
		    servers:
		      - { name: h2-a, address: $(server4 11) }
		      - { name: h2-b, address: "$(server6 12)" }
		  - name: h1
		    port: 8443
		    servers:
		      - { name: h1-a, address: $(server4 21) }
		frontends:
		  - { name: web, port: "443", default_farm: h1 }
	END
}

write_route() {
	cat <<-END
		routes:
		  - name: http2
		    frontend: web
		    action: { type: farm, target: h2 }
		    rules:
		      - { field: protocol, match: is, pattern: http/2.0 }
	END
}

# ask ADDRESS http2|http1.1 STATUS-LINE SERVER: a request, its answer, and whether that is right.
ask() {
	local address=$1 version=$2 status=$3 server=$4 answer said
	printf '$ curl -I --%s https://%s/   # via %s\n' "$version" "$SITE" "$address"
	answer=$(peers_curl "$address" "$SITE/" -I "--$version") || die "curl --$version got no answer"
	printf '%s\n' "$answer" | tr -d '\r' | grep -v '^$'
	said=$(printf '%s\n' "$answer" | tr -d '\r' | sed -n 's/^x-server: //p')
	[[ ${answer%%[$'\r\n']*} == $status* ]] || die "curl --$version was not answered with $status"
	# shellcheck disable=SC2053 # SERVER is a pattern
	[[ $said == $server ]] || die "curl --$version went to $said, not to $server"
	printf '   -> %s, as it should\n\n' "$said"
}

live_connections() {
	[[ $(alpnlb -j conn show | jq 'flatten | length') -ge 1 ]]
}

hold_connection() {
	netns_spawn client "$NETNS_DIR/held.log" curl --silent --output /dev/null --http2 \
		--cacert "$NETNS_DIR/ca.pem" --resolve "$SITE:443:$LB4" "https://$SITE/slow/slow"
	netns_await 10 live_connections || die "conn show lists no connection while one is open"
}

say_how_to_play() {
	cat <<-END

		Everything is still up. As root, the client's and the balancer's side:
		  nsenter --net=$(netns_path client) \\
		      curl -I --http2 --cacert $NETNS_DIR/ca.pem --resolve $SITE:443:$LB4 https://$SITE/
		  nsenter --net=$(netns_path balancer) $ALPNLB --instance $NAME conn show
		  \$EDITOR $NETNS_DIR/demo.yaml
		  nsenter --net=$(netns_path balancer) $ALPNLB --instance $NAME apply $NETNS_DIR/demo.yaml
		The daemon's messages are in $NETNS_DIR/daemon.log.
		Clean up with
		  sudo scripts/demo.sh --clean
	END
}

demo() {
	heading "Servers: two that speak HTTP/2, one that speaks HTTP/1.1"
	netns_up "$NAME" || die "already up? scripts/demo.sh --clean removes it"
	trap clean_up EXIT
	trap 'exit 1' INT TERM HUP
	start_servers
	write_config >"$NETNS_DIR/demo.yaml"
	cat "$NETNS_DIR/demo.yaml"

	heading "alpnlb, with no route yet: everybody gets the default farm"
	peers_daemon "$NETNS_DIR/demo.yaml" || die "the daemon did not start"
	ask "$LB4" http2 "HTTP/1.1 200" h1-a

	heading "The route: HTTP/2 clients go to the HTTP/2 farm"
	write_route | tee -a "$NETNS_DIR/demo.yaml"
	show apply "$NETNS_DIR/demo.yaml"
	printf '\n'
	ask "$LB4" http2 "HTTP/2 200" "h2-[ab]"
	ask "$LB4" http1.1 "HTTP/1.1 200" h1-a
	ask "$LB6" http2 "HTTP/2 200" "h2-[ab]"
	ask "$LB6" http1.1 "HTTP/1.1 200" h1-a

	heading "What alpnlb knows of it"
	hold_connection
	show conn show
	printf '\n'
	show stat show
}

case ${1:-} in
'' | --keep | --clean) ;;
*) die "usage: scripts/demo.sh [--keep | --clean]" ;;
esac
((EUID == 0)) || die "needs root: sudo scripts/demo.sh"

if [[ ${1:-} == --clean ]]; then
	netns_use "$NAME"
	take_down
	exit 0
fi
build
demo
if [[ ${1:-} == --keep ]]; then
	trap - EXIT
	say_how_to_play
else
	heading "Both went where they should; cleaning up"
fi
