# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Loaded by tests that use the HTTP API on the control socket.

# request METHOD PATH [BODY] [CURL-OPTION...]: STATUS on the first line, then the body.
request() {
	local method=$1 path=$2 body=${3:-}
	shift $(($# < 3 ? $# : 3))
	curl --silent --show-error --unix-socket "/run/alpnlb/$NETNS_NAME/control.sock" \
		--request "$method" ${body:+--data-binary "$body"} "$@" \
		--output "$NETNS_DIR/answer" --write-out '%{http_code}\n' "http://alpnlb/1.0/$path" || return
	cat "$NETNS_DIR/answer"
}

# api METHOD PATH [BODY]: below the service; the answer's body, which has to come with 200.
api() {
	local answer
	answer=$(request "$1" "ipLoadbalancing/$NETNS_NAME/$2" "${3:-}") || return
	[[ $answer == 200$'\n'* ]] || fail "$1 $2 ${3:-}: $answer" || return
	printf '%s\n' "${answer#*$'\n'}"
}

# refused STATUS CLASS MESSAGE METHOD PATH [BODY]: the message is a pattern.
refused() {
	local status=$1 class=$2 message=$3 answer
	shift 3
	answer=$(request "$1" "ipLoadbalancing/$NETNS_NAME/$2" "${@:3}")
	assert_equal "${answer%%$'\n'*}" "$status" "$*: $answer" || return
	answer=${answer#*$'\n'}
	assert_equal "$(gojq -r .class <<<"$answer")" "Client::$class" "$*" || return
	assert_matches "$(gojq -r .message <<<"$answer")" "$message" "$*"
}

# created PATH BODY ID-FIELD: its id.
created() {
	api POST "$1" "$2" | gojq -er ".$3"
}
