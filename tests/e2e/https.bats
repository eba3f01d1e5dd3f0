#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The API on HTTPS: signed requests of applications, and everything else refused.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

load lib

HOST=127.0.0.1:8443

# api_certificate NAME: $NETNS_DIR/NAME.pem and NAME.key; it signs itself.
api_certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj "/CN=$1" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1,IP:$LB4" \
		-keyout "$NETNS_DIR/$1.key" -out "$NETNS_DIR/$1.pem" 2>/dev/null
}

# api_settings [LISTEN [NAME]]: the line of the configuration.
api_settings() {
	printf 'api: { listen: "%s", certificate: %s, key: %s }\n' "${1:-$HOST}" \
		"$NETNS_DIR/${2:-api}.pem" "$NETNS_DIR/${2:-api}.key"
}

start_api() {
	[[ -e $NETNS_DIR/api.pem ]] || api_certificate api
	small_config "$(api_settings)" >"$CONFIG"
	start_daemon
}

# application NAME [ACCESS]: makes one, and its keys those of the requests that follow.
application() {
	local keys
	keys=$(alpnlb -j application add "$@") || return
	KEY=$(gojq -r .key <<<"$keys") SECRET=$(gojq -r .secret <<<"$keys") CONSUMER=$(gojq -r .consumer <<<"$keys")
}

in_clear() {
	netns_exec balancer curl --silent --show-error --max-time 40 --cacert "$NETNS_DIR/${CERTIFICATE:-api}.pem" "$@"
}

# A time of its own for each request: the same request twice in a second would be a repeated one.
own_time() {
	[[ -e $NETNS_DIR/times ]] || date +%s >"$NETNS_DIR/times"
	printf '.\n' >>"$NETNS_DIR/times"
	printf '%d' $(($(head -1 "$NETNS_DIR/times") - $(wc -l <"$NETNS_DIR/times")))
}

# sign METHOD URL [BODY]: sets HEADERS. SIGNED_URL and TIME stand in for what is signed otherwise.
sign() {
	local time=${TIME:-$(own_time)} sum
	sum=$(printf '%s' "$SECRET+$CONSUMER+$1+${SIGNED_URL:-$2}+${3:-}+$time" | sha1sum)
	HEADERS=(-H "X-Ovh-Application: $KEY" -H "X-Ovh-Consumer: $CONSUMER" -H "X-Ovh-Timestamp: $time"
		-H "X-Ovh-Signature: \$1\$${sum%% *}")
}

# send METHOD PATH [BODY] [CURL-OPTION...]: with HEADERS. STATUS on the first line, then the body.
send() {
	local method=$1 path=$2 body=${3:-}
	shift $(($# < 3 ? $# : 3))
	in_clear --request "$method" ${body:+--data-binary "$body"} "${HEADERS[@]}" "$@" \
		--output "$NETNS_DIR/answer" --write-out '%{http_code}\n' "https://$HOST/1.0/$path" || return
	cat "$NETNS_DIR/answer"
}

# signed METHOD PATH [BODY]: signs and sends.
signed() {
	sign "$1" "https://$HOST/1.0/$2" "${3:-}"
	send "$@"
}

# allowed METHOD PATH [BODY]: the answer's body, which has to come with 200.
allowed() {
	local answer
	answer=$(signed "$@") || return
	[[ $answer == 200$'\n'* ]] || fail "$*: $answer" || return
	printf '%s\n' "${answer#*$'\n'}"
}

# refused ANSWER STATUS CLASS MESSAGE: there is an error object, and nothing else.
refused() {
	assert_equal "${1%%$'\n'*}" "$2" "$1" || return
	assert_equal "$(gojq -rc 'keys | join(",")' <<<"${1#*$'\n'}")" "class,message" || return
	assert_equal "$(gojq -r .class <<<"${1#*$'\n'}")" "Client::$3" || return
	assert_matches "$(gojq -r .message <<<"${1#*$'\n'}")" "$4"
}

# ---- who may ------------------------------------------------------------------------------

@test "a signed request is answered, an unsigned one only for the time" {
	start_api
	application tool read-write
	assert_equal "$(allowed GET ipLoadbalancing)" "[\"$NETNS_NAME\"]"
	assert_equal "$(allowed POST "ipLoadbalancing/$NETNS_NAME/tcp/farm" '{"zone": "all"}' | gojq .farmId)" 3
	assert_equal "$(allowed GET "ipLoadbalancing/$NETNS_NAME/tcp/farm?zone=all")" "[1,2,3]"
	assert_equal "$(allowed POST "ipLoadbalancing/$NETNS_NAME/refresh" | gojq -r .status)" "done"
	HEADERS=()
	assert_matches "$(send GET auth/time)" $'^200\n[0-9]+$'
	refused "$(send GET ipLoadbalancing)" 401 Unauthorized 'the header X-Ovh-[A-Z][a-z]+ is missing'
	refused "$(send POST auth/time '{}')" 401 Unauthorized 'is missing'
	refused "$(send GET nowhere)" 401 Unauthorized 'is missing'
	refused "$(send GET 'ipLoadbalancing?%zz=%')" 401 Unauthorized 'is missing'
	stop_daemon
}

@test "each header is needed, and each has to be right" {
	local i good wrong
	start_api
	application tool read-write
	for i in 1 3 5 7; do
		sign GET "https://$HOST/1.0/ipLoadbalancing"
		good=("${HEADERS[@]}")
		HEADERS=("${good[@]:0:i-1}" "${good[@]:i+1}")
		refused "$(send GET ipLoadbalancing)" 401 Unauthorized "${good[i]%%:*} is missing"
		for wrong in '' x "$(printf '%s' "${good[i]#*: }" | tr '0-9a-f' '1-9a-f0')"; do
			HEADERS=("${good[@]}")
			HEADERS[i]="${good[i]%%:*}: $wrong"
			[[ -n $wrong ]] || HEADERS[i]="${good[i]%%:*};"
			refused "$(send GET ipLoadbalancing)" 401 Unauthorized ''
		done
		HEADERS=("${good[@]}")
		assert_equal "$(send GET ipLoadbalancing | head -1)" 200 "the signature itself"
	done
	stop_daemon
}

@test "a signature is of one method, URL and body" {
	start_api
	application tool read-write
	sign POST "https://$HOST/1.0/ipLoadbalancing/$NETNS_NAME/tcp/farm" '{"zone": "all"}'
	refused "$(send PUT "ipLoadbalancing/$NETNS_NAME/tcp/farm" '{"zone": "all"}')" 401 Unauthorized 'not valid'
	refused "$(send POST "ipLoadbalancing/$NETNS_NAME/tcp/route" '{"zone": "all"}')" 401 Unauthorized 'not valid'
	refused "$(send POST "ipLoadbalancing/$NETNS_NAME/tcp/farm" '{"zone": "gra"}')" 401 Unauthorized 'not valid'
	refused "$(send POST "ipLoadbalancing/$NETNS_NAME/tcp/farm?a=b" '{"zone": "all"}')" 401 Unauthorized 'not valid'
	assert_equal "$(send POST "ipLoadbalancing/$NETNS_NAME/tcp/farm" '{"zone": "all"}' | head -1)" 200
	assert_equal "$(allowed GET "ipLoadbalancing/$NETNS_NAME/tcp/farm")" '[1,2,3]'
	stop_daemon
}

@test "the URL is signed with its port or without" {
	start_api
	application tool read-write
	SIGNED_URL=https://127.0.0.1/1.0/ipLoadbalancing
	allowed GET ipLoadbalancing
	SIGNED_URL=https://localhost:8443/1.0/ipLoadbalancing
	refused "$(signed GET ipLoadbalancing)" 401 Unauthorized 'not valid'
	SIGNED_URL=http://$HOST/1.0/ipLoadbalancing
	refused "$(signed GET ipLoadbalancing)" 401 Unauthorized 'not valid'
	SIGNED_URL=https://api.alpnlb.test:443/1.0/ipLoadbalancing
	sign GET ''
	assert_equal "$(send GET ipLoadbalancing '' -H 'Host: api.alpnlb.test' | head -1)" 200
	SIGNED_URL='https://[2001:db8::1]/1.0/ipLoadbalancing'
	sign GET ''
	assert_equal "$(send GET ipLoadbalancing '' -H 'Host: [2001:db8::1]:8443' | head -1)" 200
	stop_daemon
}

@test "a request counts once, and for five minutes" {
	local now
	start_api
	application tool read-write
	sign GET "https://$HOST/1.0/ipLoadbalancing"
	assert_equal "$(send GET ipLoadbalancing | head -1)" 200
	refused "$(send GET ipLoadbalancing)" 403 Forbidden 'was made before'
	stop_daemon
	start_daemon
	refused "$(send GET ipLoadbalancing)" 403 Forbidden 'was made before'
	kill_daemon
	start_daemon
	refused "$(send GET ipLoadbalancing)" 403 Forbidden 'was made before'
	: >"/var/lib/alpnlb/$NETNS_NAME/signatures"
	refused "$(send GET ipLoadbalancing)" 403 Forbidden 'was made before'
	allowed GET ipLoadbalancing
	now=$(date +%s)
	refused "$(TIME=$((now - 310)) signed GET ipLoadbalancing)" 401 Unauthorized 'more than 300 seconds away'
	refused "$(TIME=$((now + 310)) signed GET ipLoadbalancing)" 401 Unauthorized 'more than 300 seconds away'
	refused "$(TIME=99999999999999999999 signed GET ipLoadbalancing)" 401 Unauthorized 'is no number of seconds'
	refused "$(TIME=-1 signed GET ipLoadbalancing)" 401 Unauthorized 'is no number of seconds'
	TIME=$((now - 280)) allowed GET ipLoadbalancing
	stop_daemon
}

@test "an application that may only read reads" {
	start_api
	application reader
	assert_equal "$(allowed GET "ipLoadbalancing/$NETNS_NAME/tcp/farm")" '[1,2]'
	refused "$(signed POST "ipLoadbalancing/$NETNS_NAME/tcp/farm" '{}')" 403 Forbidden 'reader may only read'
	refused "$(signed PUT "ipLoadbalancing/$NETNS_NAME/tcp/farm/1" '{}')" 403 Forbidden 'may only read'
	refused "$(signed DELETE "ipLoadbalancing/$NETNS_NAME/tcp/farm/1")" 403 Forbidden 'may only read'
	refused "$(signed POST "ipLoadbalancing/$NETNS_NAME/refresh")" 403 Forbidden 'may only read'
	assert_equal "$(allowed GET "ipLoadbalancing/$NETNS_NAME/pendingChanges")" '[]'
	stop_daemon
}

@test "an application keeps its keys when what it may do is changed" {
	start_api
	application reader
	refused "$(signed POST "ipLoadbalancing/$NETNS_NAME/refresh")" 403 Forbidden 'reader may only read'
	run -0 alpnlb application set reader access read-write
	assert_equal "$output" ""
	allowed POST "ipLoadbalancing/$NETNS_NAME/refresh"
	assert_equal "$(alpnlb -j application set reader access read-only | gojq -c '[.name, .access]')" \
		'["reader","read-only"]'
	refused "$(signed POST "ipLoadbalancing/$NETNS_NAME/refresh")" 403 Forbidden 'reader may only read'
	allowed GET "ipLoadbalancing/$NETNS_NAME/pendingChanges"
	run -2 alpnlb application set reader
	assert_matches "$output" 'set needs access'
	run -2 alpnlb application set reader access all
	assert_matches "$output" "access 'all': expected read-only or read-write"
	run -3 alpnlb application set nobody access read-only
	assert_equal "$(alpnlb -j application add writer access read-write | gojq -r .access)" read-write
	stop_daemon
}

# read_events NAME: of the application whose keys are set, until it has no more; see NETNS_PID.
read_events() {
	sign GET "https://$HOST/1.0/alpnlb/events"
	netns_spawn balancer "$NETNS_DIR/$1.log" curl --silent --no-buffer --cacert "$NETNS_DIR/api.pem" \
		"${HEADERS[@]}" "https://$HOST/1.0/alpnlb/events"
	netns_await 10 grep -q '"event":"monitor"' "$NETNS_DIR/$1.log" || fail "no events: $(cat "$NETNS_DIR/$1.log")"
}

@test "applications are made, listed and revoked under a running daemon" {
	local first second reader
	start_api
	application one read-write
	first="$KEY $SECRET $CONSUMER"
	allowed GET ipLoadbalancing
	read_events one
	reader=$NETNS_PID
	assert_matches "$(netns_exec balancer ss -Htno state established "sport = :${HOST##*:}")" 'timer:\(keepalive,([12][0-9]|30)sec'
	application two read-only
	second="$KEY $SECRET $CONSUMER"
	allowed GET ipLoadbalancing
	read_events two
	assert_equal "$(alpnlb -j application show | gojq -c 'map([.name, .access])')" \
		'[["one","read-write"],["two","read-only"]]'
	run ! grep -rE "${SECRET}|${CONSUMER}" <(alpnlb application show; alpnlb -j application show name two)
	assert_equal "$(stat -c '%a %U' "/var/lib/alpnlb/$NETNS_NAME/applications.json")" '600 root'
	assert_equal "$(stat -c '%a %U' "/var/lib/alpnlb/$NETNS_NAME")" '700 root'
	run -1 alpnlb application add one
	assert_matches "$output" "there is an application 'one' already"
	run -2 alpnlb application add 'a b'
	run -3 alpnlb application delete three
	run -3 alpnlb application show name three
	assert_equal "$(alpnlb -j application delete one)" '{"name":"one"}'
	netns_await 5 netns_dead "$reader" || fail "the application that is gone reads on"
	netns_alive "$NETNS_PID" || fail "the other one does not"
	read -r KEY SECRET CONSUMER <<<"$first"
	refused "$(signed GET ipLoadbalancing)" 401 Unauthorized 'not valid'
	read -r KEY SECRET CONSUMER <<<"$second"
	allowed GET ipLoadbalancing
	CONSUMER=${first##* }
	refused "$(signed GET ipLoadbalancing)" 401 Unauthorized 'not valid'
	read -r KEY SECRET CONSUMER <<<"$second"
	printf '{' >"/var/lib/alpnlb/$NETNS_NAME/applications.json"
	refused "$(signed GET ipLoadbalancing)" 401 Unauthorized 'not valid'
	netns_await 10 daemon_says 'the applications cannot be read' || fail "the bad file is not told"
	run -1 alpnlb application show
	assert_matches "$output" 'applications.json: is not as alpnlb writes it'
	stop_daemon
}

# ---- the listener -------------------------------------------------------------------------

@test "TLS 1.2 and later, and nothing in the clear" {
	local version
	start_api
	for version in 1.2 1.3; do
		in_clear "https://$HOST/1.0/auth/time" --tlsv"$version" --tls-max "$version"
	done
	run ! in_clear "https://$HOST/1.0/auth/time" --tlsv1.0 --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0
	run ! in_clear "http://$HOST/1.0/auth/time"
	in_clear "https://$HOST/1.0/auth/time"
	stop_daemon
}

served_certificate() {
	netns_exec balancer openssl s_client -connect "$HOST" </dev/null 2>/dev/null |
		sed -n 's/^subject=CN = //p'
}

@test "another certificate, address or port takes effect with a refresh" {
	start_api
	api_certificate other
	assert_equal "$(served_certificate)" api
	cp "$NETNS_DIR/other.pem" "$NETNS_DIR/api.pem"
	cp "$NETNS_DIR/other.key" "$NETNS_DIR/api.key"
	assert_equal "$(served_certificate)" api
	application tool read-write
	alpnlb apply "$CONFIG"
	assert_equal "$(served_certificate)" other
	small_config "$(api_settings 0.0.0.0:8443)" >"$CONFIG"
	alpnlb apply "$CONFIG"
	netns_exec client curl -sS --cacert "$NETNS_DIR/api.pem" "https://$LB4:8443/1.0/auth/time"
	small_config "$(api_settings '[::1]:8444')" >"$CONFIG"
	HOST=127.0.0.1:8443 allowed PUT alpnlb/config "$(<"$CONFIG")" # over the listener that it closes
	run ! in_clear "https://$HOST/1.0/auth/time"
	HOST='[::1]:8444' allowed GET ipLoadbalancing
	netns_spawn balancer "$NETNS_DIR/held.log" openssl s_client -ign_eof -connect '[::1]:8444'
	netns_await 10 grep -q 'Verify return code' "$NETNS_DIR/held.log"
	small_config >"$CONFIG"
	alpnlb apply "$CONFIG"
	run ! in_clear "https://[::1]:8444/1.0/auth/time"
	netns_await 15 netns_dead "$NETNS_PID" || fail "a connection outlives its listener"
	stop_daemon
}

@test "bad files and addresses are one line, at the start and at apply" {
	local line
	api_certificate api
	api_certificate other
	mkfifo "$NETNS_DIR/fifo.pem"
	openssl ec -in "$NETNS_DIR/api.key" -aes128 -passout pass:secret -out "$NETNS_DIR/locked.key" 2>/dev/null
	start_api
	application tool read-write
	# shellcheck disable=SC2016
	while IFS='|' read -r line wanted; do
		small_config "api: { ${line//DIR/$NETNS_DIR} }" >"$NETNS_DIR/bad.yaml"
		run -1 --separate-stderr alpnlb apply "$NETNS_DIR/bad.yaml"
		assert_matches "$stderr" "$wanted" || return
		assert_equal "$(wc -l <<<"$stderr")" 1
		allowed GET ipLoadbalancing >/dev/null
	done <<-'END'
		certificate: DIR/none.pem, key: DIR/api.key|api.certificate: .*/none.pem: No such file or directory$
		certificate: DIR/api.pem, key: DIR/none.key|api.key: .*/none.key: No such file or directory$
		certificate: DIR/api.key, key: DIR/api.key|api.certificate: .*/api.key: no start line$
		certificate: DIR/api.pem, key: DIR/other.key|api.key: .*/other.key: key values mismatch$
		certificate: DIR/api.pem, key: DIR/locked.key|api.key: .*/locked.key: .+$
		certificate: DIR/fifo.pem, key: DIR/api.key|api.certificate: .*/fifo.pem: is no regular file$
		certificate: DIR, key: DIR/api.key|api.certificate: .*: is no regular file$
		listen: "192.0.2.77:8443", certificate: DIR/api.pem, key: DIR/api.key|api.listen: 192.0.2.77:8443: Cannot assign requested address$
		listen: 443, certificate: DIR/api.pem, key: DIR/api.key|api.listen: 127.0.0.1:443: Address already in use$
	END
	small_config "api: { listen: 455, certificate: $NETNS_DIR/api.pem, key: $NETNS_DIR/api.key }" |
		sed 's/"443"/443,450-459/' >"$NETNS_DIR/bad.yaml"
	run -1 --separate-stderr alpnlb apply "$NETNS_DIR/bad.yaml"
	assert_matches "$stderr" 'api.listen: 127.0.0.1:455: Address already in use$'
	stop_daemon
	small_config "api: { certificate: $NETNS_DIR/none.pem, key: /k }" >"$CONFIG"
	run ! start_daemon
	assert_equal "$(grep -c 'none.pem: No such file' "$NETNS_DIR/daemon.log")" 1
}

# ---- what goes wrong ----------------------------------------------------------------------

# answers BYTES: what the daemon answers to these bytes, which may have escapes.
answers() {
	printf '%b' "$1" | netns_exec balancer timeout 20 openssl s_client -quiet -no_ign_eof -ign_eof \
		-connect "$HOST" 2>/dev/null
}

# says BYTES: the first line of that.
says() {
	answers "$1" | head -1 | tr -d '\r'
}

@test "what is too large, is no HTTP, or comes all at once" {
	local url=https://$HOST/1.0/auth/time expect four
	start_api
	application tool read-write
	head -c 1100000 /dev/zero >"$NETNS_DIR/large"
	for expect in 'Expect: 100-continue' 'Expect:' 'Transfer-Encoding: chunked'; do
		HEADERS=()
		refused "$(send POST auth/time "@$NETNS_DIR/large" -H "$expect")" 401 Unauthorized 'is missing'
		sign POST "$url"
		refused "$(send POST auth/time "@$NETNS_DIR/large" -H "$expect")" 413 PayloadTooLarge 'larger than 1 MB'
	done
	for expect in 'Content-Length: 9999999999999999999999' $'Content-Length: 2\r\nContent-Length: 3'; do
		assert_equal "$(says "POST / HTTP/1.1\r\n$expect\r\n\r\n")" "HTTP/1.1 401 Unauthorized"
	done
	assert_equal "$(in_clear -H "A: $(head -c 20000 /dev/zero | tr '\0' a)" -o /dev/null -w '%{http_code}' "$url")" 400
	assert_equal "$(says '\x16\x03\x01 nonsense\r\n\r\n')" "HTTP/1.1 400 Bad Request"
	assert_equal "$(says 'POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n')" "HTTP/1.1 401 Unauthorized"
	head -c 100000 /dev/zero | tr '\0' '[' >"$NETNS_DIR/deep"
	assert_matches "$(signed POST "ipLoadbalancing/$NETNS_NAME/tcp/farm" "$(<"$NETNS_DIR/deep")")" \
		'maximum parsing depth'
	four=$(printf 'GET /1.0/auth/time HTTP/1.1\\r\\nConnection: %s\\r\\n\\r\\n' keep keep keep close)
	assert_equal "$(answers "$four" | grep -c '^HTTP/1.1 200 OK')" 4
	allowed GET ipLoadbalancing
	stop_daemon
}

# took NAME FROM TO: the client was closed after as many seconds.
took() {
	local seconds
	seconds=$(sed -n "s/^$1 //p" "$NETNS_DIR/slow.log")
	((seconds >= $2 && seconds <= $3)) || fail "$1 was closed after '$seconds' s"
}

@test "whoever is slow is cut, and others are served meanwhile" {
	local pid name
	start_api
	netns_spawn balancer "$NETNS_DIR/slow.log" "$TREE/tests/e2e/peers/hold.py" \
		"$NETNS_DIR/api.pem" 127.0.0.1 8443 slow
	pid=$NETNS_PID
	until netns_dead "$pid"; do
		in_clear "https://$HOST/1.0/auth/time" --max-time 5 >/dev/null
	done
	took silent 9 20
	took half-handshake 9 20
	for name in idle half-request half-body drip after; do
		took "$name" 28 45
	done
	stop_daemon
}

@test "400 connections at once: the oldest have to go, a good client is served" {
	local before
	start_api
	before=$(descriptors)
	mkfifo "$NETNS_DIR/end"
	netns_exec balancer "$TREE/tests/e2e/peers/hold.py" "$NETNS_DIR/api.pem" 127.0.0.1 8443 many \
		<"$NETNS_DIR/end" >"$NETNS_DIR/many.log" 2>&1 3>&- &
	exec 7>"$NETNS_DIR/end"
	netns_await 20 grep -q '' "$NETNS_DIR/many.log" || fail "the good client is not served"
	assert_equal "$(<"$NETNS_DIR/many.log")" "HTTP/1.1 200 OK 400"
	(($(descriptors) <= before + 140)) || fail "$(descriptors) descriptors, $before before"
	exec 7>&-
	wait $!
	netns_await 20 descriptors_are "$before" || fail "$(descriptors) descriptors, $before before"
	stop_daemon
}

descriptors_are() {
	(($(descriptors) <= $1 + 1))
}

# ---- the client that is there --------------------------------------------------------------

@test "the guide with the public client: HTTP/2 to a farm of its own" {
	[[ -d $NODE_PATH/ovh ]] || skip "the npm package ovh is missing: scripts/deps.sh installs it"
	api_certificate api
	start_guide "$(api_settings)"
	application guide read-write
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/1.1 h1-a"
	NODE_EXTRA_CA_CERTS=$NETNS_DIR/api.pem netns_exec balancer node "$TREE/tests/e2e/peers/guide.js" \
		127.0.0.1 8443 "$KEY" "$SECRET" "$CONSUMER" "$NETNS_NAME" "$(server4 11)" >"$NETNS_DIR/guide.log" 2>&1 ||
		fail "the guide does not work"
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 h2-a"
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http1.1)" "HTTP/1.1 h1-a"
	stop_daemon
}
