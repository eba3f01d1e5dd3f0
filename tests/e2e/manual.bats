#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the manual and the README tell to type works when it is typed.

load lib

# Under /run/alpnlb, /var/lib/alpnlb and bpffs of its own, the instance `default` is nobody else's.
own_machine() {
	nsenter --net="$(netns_path balancer)" -- unshare --mount -- bash -c '
		mount -t tmpfs tmp /run/alpnlb && mount -t tmpfs tmp /var/lib/alpnlb && mount -t bpf bpf /sys/fs/bpf && cd "$0" &&
		PATH=$0/bin:$PATH && exec "$@"' "$NETNS_DIR" "$@" 3>&-
}

# page NAME: as a reader sees it.
page() {
	MANROFFSEQ='' LC_ALL=C MANWIDTH=200 man -l "$TREE/user/man/$1.8"
}

# examples: every command line of the EXAMPLES sections, but those that need other programs or
# are a session of their own.
examples() {
	local file
	for file in "$TREE"/user/man/*.8; do
		page "$(basename "$file" .8)" | sed -n '/^EXAMPLES/,/^SEE ALSO/p'
	done | sed -nE 's/^ +((alpnlb|printf) .*)/\1/p' | grep -vE ' daemon | vi |hello\.pcap'
}

@test "the examples of the manual work on the configuration of the manual" {
	page alpnlb | sed -n 's/^           //; /^farms:/,/^ *rules:/p' >"$NETNS_DIR/lb.yaml"
	mkdir -p "$NETNS_DIR/bin" /run/alpnlb /var/lib/alpnlb
	ln -s "$ALPNLB" "$NETNS_DIR/bin/alpnlb"
	examples >"$NETNS_DIR/examples"
	(($(wc -l <"$NETNS_DIR/examples") >= 15)) || fail "$(cat "$NETNS_DIR/examples")"
	cat >"$NETNS_DIR/session" <<-'END'
		alpnlb check lb.yaml
		alpnlb daemon -c lb.yaml --workers 4 --drain-timeout 1m 2>daemon.log &
		trap 'kill $! 2>/dev/null || true' EXIT
		until grep ready daemon.log; do sleep 0.02; kill -0 %1 || exit; done
		while read -r line; do
			printf '$ %s\n' "$line"
			bash -o pipefail -ec "$line" </dev/null || exit
		done <examples
		sed 's/default_farm: h1/default_farm: h2/' lb.yaml | alpnlb apply -
		kill $!
		wait $!
	END
	run -0 own_machine bash -e session
	assert_matches "$output" $'revision +[0-9]+$'
}

@test "the mistake that the manual of check shows reads like that" {
	page alpnlb-check | sed -n '/^EXAMPLES/,/^ *Apply/s/^ *\(lb.yaml:12.*\|alpnlb: .*\)/\1/p' >"$NETNS_DIR/told"
	assert_equal "$(wc -l <"$NETNS_DIR/told")" 2
	page alpnlb | sed -n 's/^           //; /^farms:/,/^ *rules:/p' |
		sed -e 's/default_farm: h1/default_farm: hx/' -e '1i #\n#' >"$NETNS_DIR/lb.yaml"
	cd "$NETNS_DIR"
	run -1 alpnlb check lb.yaml
	assert_equal "$output" "$(cat told)"
}

@test "the configuration of the README is valid" {
	sed -n "/<<'END'/,/^    END/p" "$TREE/README.md" | sed '1d;$d;s/^    //' >"$CONFIG"
	grep -q '^farms:' "$CONFIG"
	run -0 alpnlb check "$CONFIG"
}
