#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What survives the daemon: staged and running configuration, and the revisions.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

load lib
load api

KILLS=${KILLS:-60}

state_file() {
	printf '/var/lib/alpnlb/%s/state.json' "$NETNS_NAME"
}

# restart [CONFIG]: as the machine's does; without CONFIG, the daemon is given no file.
restart() {
	stop_daemon || return
	CONFIG=${1:-} start_daemon
}

everything() {
	request GET alpnlb/config
}

running_name() {
	alpnlb -j farm show name one | gojq -r .display_name
}

# revision N: "COMMENT created changed deleted RUNNING".
revision() {
	alpnlb -j revision show id "$1" |
		gojq -r '[.comment, .created, .changed, .deleted, .running] | join(" ")'
}

# ---- restarts -----------------------------------------------------------------------------

@test "a restart keeps ids, what is staged and what runs, with the file and without" {
	local file before
	start_small
	created tcp/farm '{"displayName": "third"}' farmId
	api DELETE tcp/farm/3
	assert_equal "$(created tcp/farm '{"displayName": "fourth"}' farmId)" 4
	api PUT tcp/frontend/1 '{"defaultFarmId": 2}'
	api POST refresh '{"comment": "to the other farm"}'
	api DELETE tcp/farm/4
	api PUT tcp/farm/1 '{"displayName": "staged"}'
	before=$(everything)
	for file in "" "$CONFIG"; do
		restart "$file"
		assert_equal "$(everything)" "$before"
		assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"all","number":2}]'
		assert_equal "$(stats .revision)" 2
		assert_equal "$(reached "$LB4" 443 --alpn h2)" two
		assert_equal "$(running_name)" null
		assert_equal "$(alpnlb -j farm show | gojq -c '[.[].id]')" '[1,2,4]'
	done
	daemon_says "$CONFIG has not changed since it became revision 1; revision 2, which was refreshed later, runs" ||
		fail "the file is not what runs, and that is not said"
	daemon_says "staged changes that were not refreshed" || fail "what is staged is not told"
	assert_equal "$(created tcp/farm '{}' farmId)" 5 "no id is given twice"
	api POST refresh
	assert_equal "$(running_name)" staged
	assert_equal "$(alpnlb -j revision show | gojq -c '[.[] | [.number, .comment, .created, .changed, .deleted, .running]]')" \
		"[[1,\"daemon -c $CONFIG\",5,0,0,false],[2,\"to the other farm\",1,1,0,false],[3,\"refresh\",1,1,1,true]]"
	stop_daemon
}

@test "without a file and without a state there is nothing to run" {
	run -1 alpnlb daemon
	assert_matches "$output" "/var/lib/alpnlb/$NETNS_NAME has no state to go on with; begin with a file"
}

@test "a file that was edited wins, with its ids; what was staged is kept" {
	start_small
	api PUT tcp/farm/1 '{"displayName": "not refreshed"}'
	small_config "# only a comment" >"$CONFIG"
	restart "$CONFIG"
	! daemon_says "not the file that ran last" || fail "a comment counts as a change"
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" "not refreshed"

	{
		farms new=11 two=12 one=11
		frontend auto two
	} >"$CONFIG"
	restart "$CONFIG"
	daemon_says "$CONFIG is not the file that ran last: it runs now, as revision 3" || fail "not noticed"
	daemon_says "staged changes that were not refreshed are kept as revision 2 .*revision rollback 2" ||
		fail "what became of the staged changes is not told"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" two
	assert_equal "$(alpnlb -j farm show | gojq -c '[.[] | [.name, .id]]')" '[["new",3],["two",2],["one",1]]'
	assert_equal "$(api GET pendingChanges)" '[]'
	assert_equal "$(revision 2)" "staged, not refreshed, and replaced 0 1 0 false"
	alpnlb revision rollback 2
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" "not refreshed"
	stop_daemon
}

@test "apply keeps what was staged, and a daemon goes on with what was applied" {
	start_small
	created tcp/farm '{"displayName": "not refreshed"}' farmId
	small_config | sed 's/default_farm: one/default_farm: two/' >"$NETNS_DIR/other.yaml"
	run -0 --separate-stderr alpnlb apply "$NETNS_DIR/other.yaml"
	assert_matches "$stderr" 'warning: staged changes that were not refreshed are kept as revision 2'
	assert_matches "$output" 'revision +3'
	restart "$NETNS_DIR/other.yaml"
	assert_equal "$(stats .revision)" 3
	restart
	assert_equal "$(reached "$LB4" 443 --alpn h2)" two
	run -0 --separate-stderr alpnlb -j apply "$NETNS_DIR/other.yaml"
	assert_equal "$(gojq .kept <<<"$output")" null
	stop_daemon
}

# ---- kill -9 ------------------------------------------------------------------------------

# last KIND WHAT DEFAULT: the last number that was tried or acknowledged.
last() {
	awk -v kind="$1" -v what="$2" -v last="$3" \
		'$1 == kind && $2 == what { last = $3 } END { print last }' "$NETNS_DIR/stream"
}

# is_last VALUE WHAT BEFORE: VALUE is what was acknowledged last, or what came after it.
is_last() {
	local acknowledged tried
	acknowledged=$(last ack "$2" "$3")
	tried=$(last try "$2" "$3")
	[[ $1 == "$acknowledged" || $1 == "$tried" ]] ||
		fail "$2 is $1; acknowledged was $acknowledged, tried $tried"
}

# is_killed PID: awaits it, without the shell's line about it.
is_killed() {
	netns_await 10 netns_dead "$1" || fail "$1 is not killed" || return
	{ wait "$1" || true; } 2>/dev/null
}

# killed_start SECONDS: a daemon that is killed somewhere during its start.
killed_start() {
	netns_spawn balancer "$NETNS_DIR/daemon.log" "$ALPNLB" --instance "$NETNS_NAME" daemon
	sleep "$1"
	kill -KILL "$NETNS_PID"
	is_killed "$NETNS_PID"
}

@test "killed at any instant, the daemon comes back with what was acknowledged" {
	local staged=0 running=0 kill refreshes=0 fast=(--workers 1 --max-connections 1000)
	small_config "zone: gra" | sed 's/name: one$/&\n    display_name: "0"/' >"$CONFIG"
	start_daemon "${fast[@]}"
	for ((kill = 1; kill <= KILLS; kill++)); do
		"$TREE/tests/e2e/peers/writes.py" stream "/run/alpnlb/$NETNS_NAME/control.sock" \
			"$NETNS_NAME" $((staged + 1)) --kill "$DAEMON_PID" --writes $((RANDOM % 10)) \
			--after "0.0$((RANDOM % 1000))" >"$NETNS_DIR/stream"
		is_killed "$DAEMON_PID"
		((kill % 6)) || killed_start "0.$((RANDOM % 1000))"
		if ((kill % 2)); then
			CONFIG='' start_daemon "${fast[@]}" || fail "no start after kill $kill" || return
		else
			start_daemon "${fast[@]}" || fail "no start after kill $kill" || return
		fi
		refreshes=$((refreshes + $(grep -c 'ack running' "$NETNS_DIR/stream" || true)))
		is_last "$(api GET tcp/farm/1 | gojq -r .displayName)" staged "$staged" || return
		is_last "$(running_name)" running "$running" || return
		staged=$(api GET tcp/farm/1 | gojq -r .displayName)
		running=$(running_name)
	done
	((refreshes >= KILLS / 2)) || fail "only $refreshes refreshes in $KILLS kills"
	echo "# $KILLS kills, $staged writes, $refreshes refreshes" >&3
	stop_daemon
}

# ---- others -------------------------------------------------------------------------------

@test "who edits the state while the daemon runs is not overwritten" {
	local state before
	state=$(state_file)
	start_small
	api PUT tcp/farm/1 '{"displayName": "mine"}'
	touch "$state"
	api PUT tcp/farm/2 '{"displayName": "after a touch"}'
	sed -i 's/mine/theirs/' "$state"
	before=$(cat "$state")
	refused 409 Conflict "^$state was changed by somebody else.*restart the daemon.*move it away$" \
		PUT tcp/farm/1 '{"displayName": "mine again"}'
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" mine
	assert_equal "$(api POST refresh | gojq -r .status)" error
	assert_equal "$(stats .revision)" 1
	small_config | sed 's/default_farm: one/default_farm: two/' >"$NETNS_DIR/other.yaml"
	run -1 alpnlb apply "$NETNS_DIR/other.yaml"
	assert_matches "$output" "changed by somebody else"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(cat "$state")" "$before"

	mv "$state" "$state.theirs"
	api PUT tcp/farm/1 '{"displayName": "mine again"}'
	mv "$state.theirs" "$state"
	refused 409 Conflict "changed by somebody else" PUT tcp/farm/1 '{"displayName": "no"}'
	restart
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" theirs
	stop_daemon
}

@test "a directory in the place of the one that is locked is not written to" {
	local directory
	directory=$(dirname "$(state_file)")
	start_small
	mv "$directory" "$directory-moved"
	mkdir "$directory"
	refused 409 Conflict "^$directory is not the directory any more.*move that one back, or restart" \
		PUT tcp/farm/1 '{"displayName": "lost"}'
	assert_equal "$(ls "$directory")" ""
	rmdir "$directory"
	assert_matches "$(request PUT "ipLoadbalancing/$NETNS_NAME/tcp/farm/1" '{"displayName": "lost"}')" \
		"^500.*$directory: No such file"
	mv "$directory-moved" "$directory"
	api PUT tcp/farm/1 '{"displayName": "kept"}'
	stop_daemon
}

# fnv FILE: the hash that state.json has of it.
fnv() {
	/usr/bin/python3 - "$1" <<-'END'
		import sys
		h = 0xcbf29ce484222325
		for b in open(sys.argv[1], "rb").read():
		    h = (h ^ b) * 0x100000001b3 % 2**64
		print("%016x" % h)
	END
}

@test "a rollback to a revision that is gone, or not valid any more, leaves nothing" {
	local state directory hash
	state=$(state_file)
	directory=${state%/*}/revisions
	start_small
	api PUT tcp/farm/1 '{"displayName": "second"}'
	api POST refresh
	stop_daemon
	gojq -c '.farms[0].port = 0' "$directory/1.json" >"$NETNS_DIR/1.json"
	cp "$NETNS_DIR/1.json" "$directory/1.json"
	hash=$(fnv "$directory/1.json")
	gojq -c ".revisions[0].hash = \"$hash\"" "$state" >"$NETNS_DIR/state.json"
	cp "$NETNS_DIR/state.json" "$state"
	CONFIG='' start_daemon
	api PUT tcp/farm/1 '{"displayName": "staged"}'
	run -1 alpnlb revision rollback 1
	assert_matches "$output" "revision 1 is not valid for this version: farm one: port: 0 is out of range"
	run -1 alpnlb revision rollback 1 refresh
	assert_matches "$output" "revision 1 is not valid for this version: farm one: port: 0 is out of range"
	assert_equal "$(alpnlb -j revision show | gojq -c '[.[].number]')" '[1,2]'
	assert_equal "$(ls "$directory")" $'1.json\n2.json'
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" staged
	rm "$directory/1.json"
	run -3 alpnlb revision rollback 1
	assert_matches "$output" "revision 1 cannot be read: $directory/1.json: No such file"
	restart
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" staged
	stop_daemon
}

# edited FILE EXPRESSION: changes a JSON file that the daemon wrote.
edited() {
	gojq -c "$2" "$1" >"$NETNS_DIR/edited" && cp "$NETNS_DIR/edited" "$1"
}

@test "what an earlier version stored and this one does not accept is told by name, and not lost" {
	local state directory
	state=$(state_file)
	directory=${state%/*}
	start_small
	api PUT tcp/farm/1/server/1 '{"displayName": "second"}'
	stop_daemon

	# what was staged is kept as a revision, and what ran goes on
	edited "$state" '.staged.farms[0].servers[0].weight = 999'
	CONFIG='' start_daemon
	daemon_says "$directory: staged: server one/s11: weight: 999 is out of range, allowed: 0..256" ||
		fail "the object is not told"
	daemon_says 'it is kept as revision 2, and what ran goes on' || fail "the revision is not told"
	assert_equal "$(stats .revision)" 1
	assert_equal "$(api GET pendingChanges)" '[]'
	run -1 alpnlb apply "$directory/revisions/2.json"
	assert_matches "$output" 'servers\[0\].weight: 999 is out of range'
	gojq -c 'del(.farms[0].servers[0].weight)' "$directory/revisions/2.json" >"$NETNS_DIR/corrected"
	alpnlb apply "$NETNS_DIR/corrected"
	assert_equal "$(api GET tcp/farm/1/server/1 | gojq -r .displayName)" second
	stop_daemon

	# what ran is not replaced by something else: only by a file that is new
	edited "$directory/revisions/3.json" '.frontends[0].path = "gone"'
	edited "$state" ".revisions[2].hash = \"$(fnv "$directory/revisions/3.json")\""
	cp "$state" "$NETNS_DIR/state.json"
	run -1 timeout 20 nsenter --net="$(netns_path balancer)" "$ALPNLB" --instance "$NETNS_NAME" daemon
	assert_matches "$output" "$directory: running: frontend web: path: \"gone\" is unknown, allowed: "
	assert_matches "$output" "does not accept revision 3, which ran; .* $directory/revisions/3.json"
	cmp "$state" "$NETNS_DIR/state.json"
	gojq 'del(.frontends[0].path) | .farms |= reverse | walk(if type == "object" then del(.id) else . end)' \
		"$directory/revisions/3.json" >"$NETNS_DIR/copy"
	CONFIG=$NETNS_DIR/copy start_daemon
	daemon_says 'does not accept revision 3, which ran' || fail "it is not told"
	assert_equal "$(stats .revision)" 4
	assert_equal "$(api GET tcp/farm/1/server/1 | gojq -r .displayName)" second "ids go by names"
	stop_daemon
}

@test "a second daemon that has a /run of its own is kept away" {
	start_small
	run -1 timeout 20 nsenter --net="$(netns_path balancer)" unshare --mount -- sh -c \
		'mount -t tmpfs tmp /run && exec "$@"' sh "$ALPNLB" --instance "$NETNS_NAME" daemon
	assert_matches "$output" "/var/lib/alpnlb/$NETNS_NAME is used by another daemon"
	stop_daemon
}

@test "a directory that another daemon has taken is told, and nothing is written" {
	local directory=/var/lib/alpnlb/$NETNS_NAME
	mkdir -p "${directory%/*}"
	: >"$directory"
	start_small
	rm "$directory"
	mkdir "$directory"
	exec 7<"$directory"
	flock 7
	refused 409 Conflict "$directory is used by another daemon" POST tcp/farm '{"zone": "all"}'
	refused 409 Conflict "$directory is used by another daemon" DELETE tcp/farm/2
	exec 7<&-
	created tcp/farm '{"zone": "all"}' farmId
	stop_daemon
}

# state_is_refused FILE WHY < CONTENT: as that of the next daemon, which leaves it as it is.
state_is_refused() {
	cat >"$1"
	cp "$1" "$NETNS_DIR/broken"
	run -1 timeout 20 nsenter --net="$(netns_path balancer)" "$ALPNLB" --instance "$NETNS_NAME" \
		daemon -c "$CONFIG"
	assert_matches "$output" "$1 cannot be read: $2; move ${1%/*} away to begin with a file" || return
	cmp "$1" "$NETNS_DIR/broken"
}

@test "a revision that was edited is not taken, and a broken state not replaced" {
	local state change why
	state=$(state_file)
	start_small
	api PUT tcp/farm/1 '{"displayName": "second"}'
	api POST refresh
	sed -i 's/"one"/"eno"/' "${state%/*}/revisions/1.json"
	run -1 alpnlb revision rollback 1
	assert_matches "$output" "revisions/1.json was changed since it was written.*alpnlb apply FILE"
	run -3 alpnlb revision diff 9
	assert_matches "$output" 'there is no revision 9, allowed: from 1 to 2'
	stop_daemon
	cp "$state" "$NETNS_DIR/whole"
	head -c 100 "$NETNS_DIR/whole" >"$NETNS_DIR/cut"
	state_is_refused "$state" '.*' <"$NETNS_DIR/cut"
	while read -r change why; do
		gojq "$change" "$NETNS_DIR/whole" >"$NETNS_DIR/cut"
		state_is_refused "$state" ".*$why.*" <"$NETNS_DIR/cut" || return
	done <<-'END'
		del(.revisions[0].hash) hash
		.revisions[1].number=1 revisions: 1 is out of range or order
		.revisions[0].zone=7 zone: is of another type
		.last=4294967295 last: 4294967295 is out of range
		.last="two" last: is of another type
		.running=-1 running: -1 is out of range
		.zones={"all":"one"} zones
		.highest=[] highest: is of another type
		.file={} hash
		.staged="one" staged: is of another type
	END
	cp "$NETNS_DIR/whole" "$state"
	CONFIG='' start_daemon
	stop_daemon
}

# refreshed NAME: once more, with another name of the farm one.
refreshed() {
	api PUT tcp/farm/1 "{\"displayName\": \"$1\"}"
	api POST refresh
}

@test "a state from a backup writes over no newer revision" {
	local state directory
	state=$(state_file)
	directory=${state%/*}/revisions
	start_small
	cp "$state" "$NETNS_DIR/backup"
	refreshed second
	cp "$directory/2.json" "$NETNS_DIR/2.json"
	stop_daemon
	cp "$NETNS_DIR/backup" "$state"
	CONFIG='' start_daemon
	daemon_says "revisions/2.json is newer than state.json, .* the next revision is 3" || fail "nobody is told"
	refreshed third
	cmp "$directory/2.json" "$NETNS_DIR/2.json"
	refreshed fourth
	cmp "$directory/2.json" "$NETNS_DIR/2.json"
	assert_equal "$(alpnlb -j revision show | gojq -c '[.[].number]')" '[1,3,4]'

	echo '{}' >"$directory/5.json"
	cp "$directory/5.json" "$NETNS_DIR/5.json"
	refreshed fifth
	cmp "$directory/5.json" "$NETNS_DIR/5.json"
	stop_daemon
	gojq 'del(.last)' "$state" >"$NETNS_DIR/cut"
	rm "$directory/5.json"
	cp "$NETNS_DIR/cut" "$state"
	CONFIG='' start_daemon
	refreshed sixth
	assert_equal "$(alpnlb -j revision show | gojq -c '[.[].number]')" '[1,3,4,6,7]'
	restart
	stop_daemon
}

# ---- revisions ----------------------------------------------------------------------------

@test "a rollback on live traffic: staged, then live, and no connection is dropped" {
	start_tcp three 13 9000 echo
	{
		farms one=11 two=12 three=13
		frontend auto one
		printf 'routes:\n'
		route live three "alpn is live"
	} >"$CONFIG"
	start_tcp one 11 9000 name
	start_tcp two 12 9000 name
	start_daemon
	hold held "$LB4" 443 --alpn live --bytes 100000
	await_connections 1
	api PUT tcp/frontend/1 '{"defaultFarmId": 2}'
	api DELETE tcp/route/1
	api POST refresh
	assert_equal "$(reached "$LB4" 443 --alpn h2)" two
	run -0 alpnlb revision diff 1
	assert_equal "$output" "--- revision 1
+++ running
@@ frontend web (1) changed @@
-default_farm: one
+default_farm: two
@@ route live (1) deleted @@
-frontend: web
-action: {\"type\": \"farm\", \"target\": \"three\"}
@@ rule live/1 deleted @@
-field: alpn
-match: is
-pattern: live"
	assert_equal "$(alpnlb -j revision diff 1 to 2)" "$(alpnlb -j revision diff 1)"

	run -0 alpnlb revision rollback 1
	assert_equal "$output" "staged; to make it run: alpnlb refresh run"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" two
	assert_equal "$(alpnlb revision diff 1 to staged)" ""
	alpnlb refresh run comment "as it was"
	assert_equal "$(revision 3)" "as it was 2 1 0 true"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one

	api PUT tcp/farm/1 '{"displayName": "not refreshed"}'
	run -0 --separate-stderr alpnlb revision rollback 2 refresh
	assert_equal "$output" "running as revision 5"
	assert_matches "$stderr" "kept as revision 4"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" two
	assert_equal "$(revision 5)" "rollback to 2 0 1 2 true"
	run -0 alpnlb apply "/var/lib/alpnlb/$NETNS_NAME/revisions/1.json"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(alpnlb -j route show | gojq -c '[.[].id]')" '[1]'
	assert_equal "$(end_held held | report_field end)" eof
	stop_daemon
}

@test "a rollback that cannot run changes nothing" {
	start_small
	sed 's/"443"/"443,444"/' "$CONFIG" >"$NETNS_DIR/more.yaml"
	alpnlb apply "$NETNS_DIR/more.yaml"
	alpnlb apply "$CONFIG"
	take_port 444
	api PUT tcp/farm/1 '{"displayName": "staged"}'
	run -1 alpnlb revision rollback 2 refresh
	assert_matches "$output" "rollback: .*444"
	assert_equal "$(stats .revision)" 3
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" staged
	restart
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" staged
	assert_equal "$(stats .revision)" 3
	stop_daemon
}

@test "the last 100 revisions are kept" {
	start_small
	"$TREE/tests/e2e/peers/writes.py" refresh "/run/alpnlb/$NETNS_NAME/control.sock" "$NETNS_NAME" 104
	assert_equal "$(alpnlb -j revision show | gojq -c '[length, .[0].number, .[-1].number]')" '[100,6,105]'
	api POST refresh
	assert_equal "$(find "/var/lib/alpnlb/$NETNS_NAME/revisions" -type f | wc -l)" 101
	[[ ! -e /var/lib/alpnlb/$NETNS_NAME/revisions/5.json ]] || fail "revision 5 is left"
	stop_daemon
}

# ---- zones --------------------------------------------------------------------------------

@test "another zone's objects are kept and shown, and not installed" {
	small_config 'zone: gra' >"$CONFIG"
	printf '  - { name: there, zone: rbx, port: 444, default_farm: two }\n' >>"$CONFIG"
	start_tcp one 11 9000 name
	start_daemon
	assert_equal "$(reached "$LB4" 444 --alpn h2)" refused
	api PUT tcp/frontend/2 '{"displayName": "there"}'
	assert_equal "$(api POST refresh '{"zone": "rbx"}' | gojq -r .status)" "done"
	assert_equal "$(stats .revision)" 1
	api PUT tcp/frontend/1 '{"displayName": "here"}'
	restart
	assert_equal "$(stats .revision)" 1 "what this instance runs"
	# a frontend of `all` zones has changed in each of them
	assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"gra","number":1},{"zone":"rbx","number":1}]'
	assert_equal "$(api GET tcp/frontend/2 | gojq -r '[.zone, .displayName] | join(" ")')" "rbx there"
	assert_equal "$(alpnlb -j revision show | gojq -c '[.[] | [.number, .zone, .running]]')" \
		'[[1,"all",true],[2,"rbx",false]]'
	assert_equal "$(reached "$LB4" 444 --alpn h2)" refused
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
}

# ---- disks --------------------------------------------------------------------------------

in_its_mounts() {
	nsenter --mount --target "$DAEMON_PID" -- "$@"
}

@test "where nothing can be written, a write is refused and nothing changes" {
	local binary=$ALPNLB
	daemon_under unshare --mount -- sh -c \
		'mount -t tmpfs -o size=256k tmp /var/lib/alpnlb && exec "$@"' sh
	mkdir -p /var/lib/alpnlb
	start_small
	api PUT tcp/farm/1 '{"displayName": "written"}'
	in_its_mounts sh -c 'cat /dev/zero >/var/lib/alpnlb/full 2>/dev/null' || true
	refused_everywhere 'No space left on device; nothing was changed'
	in_its_mounts rm /var/lib/alpnlb/full
	api POST refresh
	assert_equal "$(running_name)" written

	in_its_mounts mount -o remount,ro /var/lib/alpnlb
	refused_everywhere 'Read-only file system; nothing was changed'
	in_its_mounts mount -o remount,rw /var/lib/alpnlb
	assert_equal "$(api POST refresh | gojq -r .status)" "done"
	stop_daemon
}

# refused_everywhere MESSAGE: each way to write.
refused_everywhere() {
	local revision
	revision=$(stats .revision)
	answer=$(request PUT "ipLoadbalancing/$NETNS_NAME/tcp/farm/2" '{"displayName": "lost"}')
	assert_equal "${answer%%$'\n'*}" 500
	assert_matches "$answer" "$1"
	assert_equal "$(api GET tcp/farm/2 | gojq -r .displayName)" null
	assert_matches "$(api POST refresh | gojq -r '[.status, .message] | join(" ")')" "error .*$1"
	run -1 alpnlb apply "$CONFIG"
	assert_matches "$output" "$1"
	run -1 alpnlb revision rollback 1 refresh
	assert_matches "$output" "$1"
	run -1 in_its_mounts "$binary" --instance "$NETNS_NAME" application add lost
	assert_matches "$output" "applications.json: ${1%%;*}"
	assert_equal "$(api GET tcp/farm/1 | gojq -r .displayName)" written
	assert_equal "$(stats .revision)" "$revision"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
}

@test "a daemon whose state cannot be written serves, and says so" {
	daemon_under unshare --mount -- sh -c \
		'mount -t tmpfs -o ro tmp /var/lib/alpnlb && exec "$@"' sh
	mkdir -p /var/lib/alpnlb
	start_small
	daemon_says 'Read-only file system.*; changes are refused until it can be written' ||
		fail "it does not say so"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	answer=$(request PUT "ipLoadbalancing/$NETNS_NAME/tcp/farm/1" '{"displayName": "lost"}')
	assert_matches "$answer" 'Read-only file system'
	in_its_mounts mount -o remount,rw /var/lib/alpnlb
	api PUT tcp/farm/1 '{"displayName": "kept"}'
	assert_equal "$(in_its_mounts find "/var/lib/alpnlb/$NETNS_NAME" -type f | sort | xargs -n1 basename | xargs)" \
		"1.json state.json"
	stop_daemon
}
