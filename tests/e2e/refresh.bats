#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Refreshes while clients come. A file of its own, since it waits most of its time, for the kernel:
# each refresh for the readers of the tables it replaces.

load lib
load api

REFRESHES=${REFRESHES:-1000}

# clients NAME OPTION...: connections until there have been the refreshes. Each hello comes in pieces
# that take longer than a refresh, so that those come in its midst.
clients() {
	local name=$1
	shift
	tcp_client "$LB4" 443 "$@" --cut 100 --pause 0.01 --timeout 20 --parallel 4 \
		--repeat-until "$NETNS_DIR/refreshed" >"$NETNS_DIR/$name.clients" 3>&-
}

# came_to NAME: the servers reached, or how the connection ended, each once.
came_to() {
	gojq -r 'if .received > 0 then .line else .end end' "$NETNS_DIR/$1.clients" | sort -u | paste -sd,
}

@test "$REFRESHES refreshes during traffic: no connection fails or is misrouted" {
	local host=11 name streams=()
	for name in h1-old h1-new h2-old h2-new; do
		start_tcp "$name" $host 9000 name
		host=$((host + 1))
	done
	{
		farms h1-old=11 h1-new=12 h2-old=13 h2-new=14
		frontend auto h1-old
		printf 'routes:\n'
		route http2 h2-old "protocol is http/2.0"
	} >"$CONFIG"
	start_daemon
	clients h2 --alpn h2 http/1.1 &
	streams+=($!)
	clients h1 --alpn http/1.1 &
	streams+=($!)
	"$TREE/tests/e2e/peers/writes.py" swap "/run/alpnlb/$NETNS_NAME/control.sock" "$NETNS_NAME" \
		"$REFRESHES" || fail "the refreshes"
	touch "$NETNS_DIR/refreshed"
	wait "${streams[@]}"
	assert_equal "$(stats .revision)" $((REFRESHES + 1))
	assert_equal "$(api GET task | gojq length)" "$REFRESHES"
	assert_equal "$(came_to h1)" h1-new,h1-old
	assert_equal "$(came_to h2)" h2-new,h2-old
	echo "# $(cat "$NETNS_DIR"/*.clients | wc -l) connections" >&3
	stop_daemon
}
