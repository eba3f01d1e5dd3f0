#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the manual and the README tell to type works when it is typed.

load lib

# A machine of one's own: /run/alpnlb, /var/lib/alpnlb, /etc and bpffs, so that its instances are
# nobody else's, and stand-ins for what is not to be had here.
own_machine() {
	local layers
	layers=$(mktemp -d -p "$NETNS_DIR")
	mkdir -p /run/alpnlb /var/lib/alpnlb "$layers/etc" "$layers/work"
	make_stand_ins
	cd "$NETNS_DIR" || return
	# shellcheck disable=SC2016 # for the shell in there
	PATH=$NETNS_DIR/bin:$PATH nsenter --net="$(netns_path balancer)" -- unshare --mount -- bash -c '
		mount -t tmpfs tmp /run/alpnlb && mount -t tmpfs tmp /var/lib/alpnlb && mount -t bpf bpf /sys/fs/bpf &&
		mount -t overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/work" overlay /etc && exec "$@"' \
		"$layers" "$@" 3>&-
}

# stand_in NAME: a program of that name, from standard input.
stand_in() {
	{
		printf '#!/bin/bash\n'
		cat
	} >"$NETNS_DIR/bin/$1"
	chmod +x "$NETNS_DIR/bin/$1"
}

# shellcheck disable=SC2016 # they expand it
make_stand_ins() {
	mkdir -p "$NETNS_DIR/bin"
	ln -sf "$ALPNLB" "$NETNS_DIR/bin/alpnlb"
	stand_in sudo <<<'exec "$@"'
	stand_in render <<<'cat "$1"'
	stand_in vi <<<'until alpnlb stat show >/dev/null 2>&1; do sleep 0.02; done # who edits takes a while'
	stand_in tcpdump <<<'exec dumpcap -q -P -i "$4" -f "${*:5}" -w "$2"'
	stand_in systemctl <<-'END' # the daemon of a unit
		instance=${!#}
		instance=${instance#alpnlb@}
		if [[ $1 == stop ]]; then
			kill "$(cat "$instance.pid")" && tail --pid="$(cat "$instance.pid")" -f /dev/null
			exit
		fi
		: >"$instance.log" # an earlier daemon of it was ready, too
		alpnlb --instance "$instance" daemon -c "/etc/alpnlb/$instance.yaml" 2>"$instance.log" &
		echo $! >"$instance.pid"
		until grep -q ready "$instance.log"; do sleep 0.02; kill -0 $! || exit; done
	END
	stand_in begin <<-'END' # until it has said something
		: >begun # nothing of before
		"$@" >begun &
		until [[ -s begun ]]; do sleep 0.02; kill -0 $! || exit; done
		kill $!
		cat begun
	END
	# Runs the lines of a file, each of which has to succeed.
	stand_in typed <<-'END'
		set -o pipefail
		mapfile -t lines <"$1"
		for line in "${lines[@]}"; do
			printf '$ %s\n' "$line"
			eval "$line" </dev/null || exit
		done
	END
}

# page NAME: as a reader sees it.
page() {
	MANROFFSEQ='' LC_ALL=C MANWIDTH=200 man -l "$TREE/user/man/$1.8"
}

manual_configuration() {
	page alpnlb | sed -n 's/^           //; /^farms:/,/^ *rules:/p'
}

# examples PAGE: every line of its EXAMPLES section that is no prose; one that goes on in the next
# is one with it.
examples() {
	page "$1" | sed -n '/^EXAMPLES/,/^SEE ALSO/p' | sed -nE 's/^ {11}//p' | sed -e ':a' -e '/\\$/N; s/\\\n *//; ta'
}

# How many there are, so that none gets lost.
declare -gA EXAMPLES=([alpnlb]=9 [alpnlb-acl]=4 [alpnlb-api]=4 [alpnlb-application]=5 [alpnlb-batch]=2 [alpnlb-check]=4
	[alpnlb-conn]=2 [alpnlb-daemon]=2 [alpnlb-doctor]=1 [alpnlb-export]=2 [alpnlb-farm]=9 [alpnlb-flow]=2
	[alpnlb-frontend]=6 [alpnlb-hello]=5 [alpnlb-metrics]=2 [alpnlb-monitor]=2 [alpnlb-refresh]=11
	[alpnlb-revision]=2 [alpnlb-route]=4 [alpnlb-rule]=4 [alpnlb-server]=8 [alpnlb-stat]=2 [alpnlb-stick]=2
	[alpnlb-unload]=1 [alpnlb-xdp]=3)

# write_examples PAGE...: to files of their names; fails if there are more or less than are known.
write_examples() {
	local name
	for name in "$@"; do
		examples "$name" >"$NETNS_DIR/$name"
		assert_equal "$(wc -l <"$NETNS_DIR/$name")" "${EXAMPLES[$name]:-none}" "examples of $name" || return
	done
}

@test "every page has as many examples as are run here" {
	local file
	for file in "$TREE"/user/man/*.8; do
		write_examples "$(basename "$file" .8)"
	done
}

@test "the examples of the manual work on the configuration of the manual" {
	local pages # all but those that begin and end it, and those with a test of their own
	mapfile -t pages < <(printf '%s\n' "${!EXAMPLES[@]}" | grep -vxE 'alpnlb(-api|-daemon|-unload)?' | sort)
	manual_configuration | tee "$NETNS_DIR/lb.yaml" >"$NETNS_DIR/lb.yaml.in"
	write_examples "${pages[@]}" alpnlb-daemon alpnlb-unload
	# Another test compares what is said with this: the command and two lines of output.
	sed -i '1,3d' "$NETNS_DIR/alpnlb-check"
	sed -i 's/^alpnlb/begin &/' "$NETNS_DIR/alpnlb-monitor" # it does not end
	printf '%s\n' "${pages[@]}" >"$NETNS_DIR/pages"
	cat >"$NETNS_DIR/session" <<-'END'
		mkdir /etc/alpnlb 2>/dev/null || true
		cp lb.yaml /etc/alpnlb/default.yaml
		cp lb.yaml /etc/alpnlb/web.yaml
		echo '127.0.0.1 www.example.com' >>/etc/hosts
		head -1 alpnlb-daemon >first
		typed first
		systemctl stop alpnlb@default
		eval "$(tail -1 alpnlb-daemon) 2>daemon.log &"
		trap 'kill $! 2>/dev/null || true' EXIT
		until grep -q ready daemon.log; do sleep 0.02; kill -0 %1 || exit; done
		while read -r page; do typed "$page" || exit; done <pages
		sed 's/default_farm: h1/default_farm: h2/' lb.yaml | alpnlb apply -
		kill $!
		wait $!
		trap - EXIT
		systemctl start alpnlb@web
		typed alpnlb-unload
	END
	run -0 own_machine bash -e session
	assert_matches "$output" $'^\\$ systemctl start alpnlb@default\n'
	assert_matches "$output" $'\nSNI +www\\.example\\.com\n' "hello.pcap"
	assert_matches "$output" $'\nrevision +[0-9]+\n.*\\$ systemctl stop .*\nNAME\n.*config'
}

@test "the examples of alpnlb(8) are a session" {
	manual_configuration >"$NETNS_DIR/lb.yaml"
	write_examples alpnlb
	cat >"$NETNS_DIR/session" <<-'END'
		sed -i 's/^alpnlb daemon .* &$/& echo $! >pid/' alpnlb
		typed alpnlb || { kill "$(cat pid)"; exit 1; }
		alpnlb -j frontend show | gojq -r .[].default_farm
		kill "$(cat pid)"
	END
	run -0 own_machine bash -e session
	assert_matches "$output" $'\nh3\n'
}

@test "the examples of alpnlb-api(8) are the guide" {
	printf 'farms:\n  - { name: h1 }\n  - { name: h2 }\nfrontends: [ { name: web, port: "443", default_farm: h1 } ]\n' \
		>"$NETNS_DIR/default.yaml"
	write_examples alpnlb-api
	cat >"$NETNS_DIR/session" <<-'END'
		mkdir -p /etc/alpnlb && cp default.yaml /etc/alpnlb
		systemctl start alpnlb@default
		typed alpnlb-api
		echo
		alpnlb -j route show | gojq -r '.[] | "\(.when) \(.target)"'
		systemctl stop alpnlb@default
	END
	run -0 own_machine bash -e session
	assert_matches "$output" $'\n\\{"id":1,.*"status":"done".*\nprotocol is http/2\\.0 h2$'
}

# readme FROM TO: the lines of the README from the one to the other, patterns, without the indent.
readme() {
	sed -n "/$1/,/$2/s/^    //p" "$TREE/README.md"
}

@test "the commands of the README work" {
	readme 'sudo mkdir -p .etc' 'conn show' >"$NETNS_DIR/start"
	readme '^    alias lb=' 'lb export' >"$NETNS_DIR/objects"
	readme '^    lb()' 'lb POST refresh' | sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' >"$NETNS_DIR/api"
	assert_equal "$(wc -l <"$NETNS_DIR/objects") $(wc -l <"$NETNS_DIR/api")" "7 6" "lines about lb"
	assert_equal "$(grep -cE '^    (lb |lb\(|alias lb)' "$TREE/README.md")" 13 "other lines about lb"
	cat >"$NETNS_DIR/session" <<-'END'
		bash -eo pipefail start
		bash -eO expand_aliases -c '. ./objects'
		grep -A9 canary /etc/alpnlb/web.yaml
		systemctl stop alpnlb@web
	END
	run -0 own_machine bash -e session
	assert_matches "$output" $'\n +pattern: canary.example'
	cat >"$NETNS_DIR/session" <<-'END'
		bash -eo pipefail start >/dev/null
		typed api
		systemctl stop alpnlb@web
	END
	run -0 own_machine bash -e session
	assert_matches "$output" '"farmId":3,.*"serverId":4,.*"number":3\}\].*"status":"done"'
}

@test "the mistake that the manual of check shows reads like that" {
	page alpnlb-check | sed -n '/^EXAMPLES/,/^ *Apply/s/^ *\(lb.yaml:12.*\|alpnlb: .*\)/\1/p' >"$NETNS_DIR/told"
	assert_equal "$(wc -l <"$NETNS_DIR/told")" 2
	manual_configuration | sed -e 's/default_farm: h1/default_farm: hx/' -e '1i #\n#' >"$NETNS_DIR/lb.yaml"
	cd "$NETNS_DIR"
	run -1 alpnlb check lb.yaml
	assert_equal "$output" "$(cat told)"
}

@test "the configuration of the README is valid" {
	sed -n "/<<'END'/,/^    END/p" "$TREE/README.md" | sed '1d;$d;s/^    //' >"$CONFIG"
	grep -q '^farms:' "$CONFIG"
	run -0 alpnlb check "$CONFIG"
}
