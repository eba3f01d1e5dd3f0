#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What tests/soak takes for a reason of an early end: peers/ends.py, on ends that are made up.

load lib

# ended FROM TO RECEIVED EACH: of TLS clients.
ended() {
	printf '{"path": "relay", "end": "x", "from": %d, "server": "", "address": "", "received": %d, "each": %d, "to": %d, "side": "client"}\n' \
		"$1" "$3" "$4" "$2"
}

# reasons: of the ends in the log, as the table's columns.
reasons() {
	printf '{"path": "relay", "ended": 1, "bad": 0, "stuck": 0, "bytes": 0}\n' >>"$NETNS_DIR/ends/client-tls-0.log"
	"$TREE/tests/e2e/peers/ends.py" "$NETNS_DIR" >"$NETNS_DIR/ends.txt" || true
	awk '$1 == "TLS," { print "daemon killed", $7, "no daemon", $8, "none", $9 }' "$NETNS_DIR/ends.txt"
}

@test "ends while no daemon was there have that reason, also of some of the connections that came together" {
	mkdir "$NETNS_DIR/ends"
	printf '10000 down\n13000 up\n' >"$NETNS_DIR/journal"
	: >"$NETNS_DIR/spliced-10000"
	{
		ended 12000 12100 0 0
		ended 12900 14000 15 15
		ended 12900 14000 0 15
	} >"$NETNS_DIR/ends/client-tls-0.log"
	assert_equal "$(reasons)" "daemon killed 0 no daemon 3 none 0"
	{
		ended 12900 14000 7 15
		ended 12900 14000 15 0
		ended 13100 14000 15 15
		ended 9000 10100 7 15
	} >"$NETNS_DIR/ends/client-tls-0.log"
	assert_equal "$(reasons)" "daemon killed 1 no daemon 0 none 3"
}
