#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The HTTP API on the control socket.

# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell, `run` sets output and stderr

load lib
load api

# ---- the guide ----------------------------------------------------------------------------

@test "the guide: HTTP/2 to a farm of its own, step by step" {
	local h2 web route task
	start_guide
	h2=$(created tcp/farm '{"zone": "gra", "port": 9000, "displayName": "HTTP/2"}' farmId)
	created "tcp/farm/$h2/server" "{\"address\": \"$(server4 11)\", \"status\": \"active\"}" serverId
	assert_equal "$(api GET 'tcp/frontend?port=443' | jq -c .)" '[1]'
	web=1
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/1.1 h1-a"

	route=$(created tcp/route "{\"action\": {\"type\": \"farm\", \"target\": $h2}, \"frontendId\": $web}" routeId)
	api POST "tcp/route/$route/rule" '{"field": "protocol", "match": "is", "pattern": "http/2.0"}'
	assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"gra","number":4}]'
	assert_equal "$(api GET "tcp/route/$route" | gojq -r .status)" creating
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/1.1 h1-a" "before the refresh"

	task=$(api POST refresh '{"zone": "gra"}')
	assert_equal "$(gojq -c '[.action, .status, .progress, .zones, .problems]' <<<"$task")" \
		'["refreshIplb","done",100,["gra"],[]]'
	assert_equal "$(api GET pendingChanges | jq -c .)" '[]'
	assert_equal "$(api GET "task/$(gojq .id <<<"$task")" | jq -c .)" "$(jq -c . <<<"$task")"
	assert_equal "$(api GET "tcp/route/$route" | gojq -r .status)" ok
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http2)" "HTTP/2 h2-a"
	assert_equal "$(served_by "$LB4" www.alpnlb.test --http1.1)" "HTTP/1.1 h1-a"
	stop_daemon
}

@test "blue/green: another default farm in one refresh" {
	start_small
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(api PUT tcp/frontend/1 '{"defaultFarmId": 2}')" null
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	api POST refresh
	assert_equal "$(reached "$LB4" 443 --alpn h2)" two
	stop_daemon
}

# ---- objects ------------------------------------------------------------------------------

@test "farms are created, read, changed and deleted" {
	start_small
	assert_equal "$(api GET tcp/farm | jq -c .)" '[1,2]'
	assert_equal "$(created tcp/farm '{"zone": "all", "balance": "leastconn"}' farmId)" 3
	assert_equal "$(api GET tcp/farm/3 | gojq -c .)" \
		'{"balance":"leastconn","displayName":null,"fallbackFarmId":null,"farmId":3,"name":"farm-3","port":null,"probe":null,"queueSize":null,"queueTimeout":null,"stickOnDrain":false,"stickSize":null,"stickTtl":null,"stickiness":null,"vrackNetworkId":null,"zone":"all"}'
	api PUT tcp/farm/3 '{"port": 80, "probe": {"type": "http", "interval": 30, "forceSsl": true}}'
	assert_equal "$(api GET tcp/farm/3 | gojq -c '[.port, .balance, .probe.interval, .probe.forceSsl, .probe.url]')" \
		'[80,"leastconn",30,true,null]'
	api PUT tcp/farm/3 '{"port": null, "probe": {"type": "tcp", "interval": 0.5}}'
	assert_equal "$(api GET tcp/farm/3 | gojq -c '[.port, .probe.interval]')" '[null,0.5]'
	api PUT tcp/farm/3 '{"balance": "maglev", "stickiness": "sourceIp"}'
	assert_equal "$(api GET tcp/farm/3 | gojq -c '[.balance, .stickiness]')" '["maglev","sourceIp"]'
	assert_equal "$(api DELETE tcp/farm/3)" null
	refused 404 NotFound 'no farm with the id 3' GET tcp/farm/3
	assert_equal "$(created tcp/farm '{}' farmId)" 4 "ids are not given twice"
	stop_daemon
}

@test "zone and status have the defaults of a file" {
	start_small
	assert_equal "$(api POST tcp/farm '{}' | gojq -c '[.farmId, .zone]')" '[3,"all"]'
	assert_equal "$(api POST tcp/frontend '{"port": "444"}' | gojq -r .zone)" all
	assert_equal "$(api POST tcp/farm/3/server '{"address": "10.0.0.1"}' | gojq -r .status)" active
	stop_daemon
}

@test "null, 0 and unset are three things" {
	start_small
	api PUT tcp/farm/1/server/1 '{"weight": 0}'
	assert_equal "$(api GET tcp/farm/1/server/1 | gojq .weight)" 0
	api PUT tcp/farm/1/server/1 '{"weight": null}'
	assert_equal "$(api GET tcp/farm/1/server/1 | gojq .weight)" null
	api PUT tcp/farm/1/server/1 '{"weight": 1}'
	assert_equal "$(api GET tcp/farm/1/server/1 | gojq .weight)" 1
	api PUT tcp/farm/1/server/1 '{}'
	assert_equal "$(api GET tcp/farm/1/server/1 | gojq .weight)" 1
	refused 400 BadRequest '^port: 0 is out of range, allowed: 1..65535, null$' \
		PUT tcp/farm/1/server/1 '{"port": 0}'
	api PUT tcp/farm/1/server/1 '{"backup": null, "probe": null, "ssl": null}'
	assert_equal "$(api GET tcp/farm/1/server/1 | gojq -c '[.backup, .probe, .ssl]')" '[false,false,false]'
	api PUT tcp/farm/1 '{"zone": null}'
	refused 400 BadRequest '^zone: cannot be changed' PUT tcp/farm/1 '{"zone": ""}'
	api PUT tcp/frontend/1 '{"idleTimeout": 0.0}'
	refused 400 BadRequest '^idleTimeout: 1e-05 is out of range, allowed: 0, 1..2592000 seconds, null' \
		PUT tcp/frontend/1 '{"idleTimeout": 0.00001}'
	refused 400 BadRequest '^idleTimeout: 1e\+300 is out of range' PUT tcp/frontend/1 '{"idleTimeout": 1e300}'
	api PUT tcp/farm/1 '{"vrackNetworkId": 9223372036854775807}'
	assert_equal "$(api GET 'tcp/farm?vrackNetworkId=9223372036854775807')" '[1]'
	assert_equal "$(api GET 'tcp/farm?vrackNetworkId=9223372036854775808')" '[]'
	# what has to be there is not unset: the same for what is new and what is there
	refused 400 BadRequest '^status: null cannot unset it, allowed: active, inactive, drain$' \
		PUT tcp/farm/1/server/1 '{"status": null}'
	refused 400 BadRequest '^address: null cannot unset it' POST tcp/farm/1/server '{"address": null}'
	refused 400 BadRequest '^probe.type: null cannot unset it, allowed: tcp, http' PUT tcp/farm/1 '{"probe": {"type": null}}'
	refused 400 BadRequest '^probe.type: null cannot unset it, allowed: tcp, http' POST tcp/farm '{"probe": {"type": null}}'
	refused 400 BadRequest '^action: null cannot unset it, allowed: a mapping' POST tcp/route '{"action": null}'
	api POST tcp/route '{"action": {"type": "reject", "target": null}, "weight": null, "frontendId": null}'
	refused 400 BadRequest '^action: null cannot unset it, allowed: a mapping' PUT tcp/route/1 '{"action": null}'
	refused 400 BadRequest '^field: null cannot unset it' POST tcp/route/1/rule '{"field": null, "match": "exists"}'
	api POST tcp/route/1/rule '{"field": "sni", "match": "exists", "pattern": null, "negate": null}'
	refused 400 BadRequest '^match: null cannot unset it' PUT tcp/route/1/rule/1 '{"match": null}'
	stop_daemon
}

@test "what was read can be written back, and is no change" {
	local path
	start_small
	created tcp/route '{"action": {"type": "farm", "target": 2}, "frontendId": 1}' routeId
	created tcp/route/1/rule '{"field": "sni", "match": "in", "pattern": "a.test, b.test"}' ruleId
	api PUT tcp/frontend/1 '{"helloTimeout": 5, "idleTimeout": 0}'
	api PUT tcp/farm/1 '{"probe": {"type": "http", "interval": 1.5}}'
	assert_equal "$(alpnlb -j export staged | gojq -c '[.frontends[0].hello_timeout, .farms[0].probe.interval]')" \
		'["5s","1500ms"]'
	api POST refresh
	for path in frontend/1 farm/1 farm/1/server/1 route/1 route/1/rule/1; do
		api PUT "tcp/$path" "$(api GET "tcp/$path")"
	done
	assert_equal "$(api GET pendingChanges)" '[]'
	assert_equal "$(alpnlb refresh diff)" ""
	api PUT tcp/route/1/rule/1 '{"negate": true}'
	assert_equal "$(alpnlb -j refresh diff | gojq -c '[.changes[] | [.kind, .before, .after]]')" \
		'[["rule",{},{"negate":true}]]'
	stop_daemon
}

@test "servers are in their farm, with fixed address" {
	start_small
	assert_equal "$(created tcp/farm/2/server '{"address": "2001:db8::5", "status": "inactive", "weight": 0}' serverId)" 3
	assert_equal "$(api GET tcp/farm/2/server | jq -c .)" '[2,3]'
	assert_equal "$(api GET 'tcp/farm/2/server?status=inactive' | jq -c .)" '[3]'
	assert_equal "$(api GET 'tcp/farm/2/server?address=2001:db8::5' | jq -c .)" '[3]'
	assert_equal "$(api GET tcp/farm/2/server/3 | gojq -c '[.backendId, .weight, .backup, .serverState, .ssl, .chain]')" \
		'[2,0,false,[],false,null]'
	assert_equal "$(api GET tcp/farm/2/server/2 | gojq -c '.serverState[0].status')" '"unknown"'
	refused 404 NotFound 'no server with the id 3' GET tcp/farm/1/server/3
	refused 404 NotFound 'no farm with the id 9' GET tcp/farm/9/server
	refused 400 BadRequest '^address: cannot be changed' PUT tcp/farm/2/server/3 '{"address": "10.0.0.1"}'
	refused 400 BadRequest '^backendId: is read-only' PUT tcp/farm/2/server/3 '{"backendId": 1}'
	api PUT tcp/farm/2/server/3 "$(api GET tcp/farm/2/server/3 | gojq '.weight = 7 | .proxyProtocolVersion = "v2" | .proxyTlvs = ["crc32c", "alpn"]')"
	assert_equal "$(api GET tcp/farm/2/server/3 | gojq -c '[.weight, .proxyTlvs]')" '[7,["alpn","crc32c"]]'
	api DELETE tcp/farm/2/server/3
	assert_equal "$(api GET tcp/farm/2/server | jq -c .)" '[2]'
	created tcp/farm/2/server '{"address": "2001:db8::5", "status": "active"}' serverId
	assert_equal "$(api GET 'tcp/farm/2/server?address=2001:DB8:0::5&status=active' | jq -c .)" '[4]'
	assert_equal "$(api GET 'tcp/farm/2/server?address=2001:db8::6' | jq -c .)" '[]'
	stop_daemon
}

@test "frontends are created, filtered, and may be incomplete until the refresh" {
	start_small
	assert_equal "$(created tcp/frontend '{"zone": "all", "port": "8000-8001", "allowedSource": ["198.51.100.0/24"], "helloTimeout": 1.5}' frontendId)" 2
	assert_equal "$(api GET tcp/frontend/2 | gojq -c '[.port, .zone, .defaultFarmId, .defaultSslId, .ssl, .allowedSource, .deniedSource, .helloTimeout, .disabled]')" \
		'["8000-8001","all",null,null,false,["198.51.100.0/24"],null,1.5,false]'
	assert_equal "$(api GET 'tcp/frontend?defaultFarmId=1' | jq -c .)" '[1]'
	assert_equal "$(api GET 'tcp/frontend?zone=all&port=8000-8001' | jq -c .)" '[2]'
	# a port is found wherever it is in a list or a range
	api PUT tcp/frontend/2 '{"port": "8002,8000-8001,9000"}'
	assert_equal "$(for port in 8001 8000-8002 9000,8000 443 80 8001-8003 8002,443; do
		api GET "tcp/frontend?port=$port"
	done | jq -c . | xargs)" '[2] [2] [2] [1] [] [] []'
	refused 400 BadRequest '^port: is no port, allowed: 1..65535, ranges' GET 'tcp/frontend?port=%25443'
	refused 400 BadRequest '^port: is no port' GET 'tcp/frontend?port=80,'
	api PUT tcp/frontend/2 '{"port": "8000-8001"}'
	# lists have one order
	api PUT tcp/frontend/2 '{"allowedSource": ["2001:DB8::/32", "198.51.100.0/24", "10.0.0.1/32", "10.0.0.1"], "dedicatedIpfo": ["192.0.2.1", "127.0.0.1"]}'
	assert_equal "$(api GET tcp/frontend/2 | gojq -c '[.allowedSource, .dedicatedIpfo]')" \
		'[["10.0.0.1","198.51.100.0/24","2001:db8::/32"],["127.0.0.1","192.0.2.1"]]'
	api PUT tcp/frontend/2 '{"dedicatedIpfo": null}'
	refused 400 BadRequest '^frontend 2 \(frontend-2\).defaultFarmId: is missing' POST refresh '{}'
	refused 400 BadRequest '^deniedSource: stands beside' PUT tcp/frontend/2 '{"deniedSource": ["10.0.0.0/8"]}'
	refused 400 BadRequest '^port: 443 belongs to the frontend "web" on the same address' \
		PUT tcp/frontend/2 '{"port": "443"}'
	refused 400 BadRequest '^ssl: true is out of scope' PUT tcp/frontend/2 '{"ssl": true}'
	api PUT tcp/frontend/2 '{"defaultFarmId": 2, "allowedSource": null, "disabled": null}'
	api POST refresh
	assert_equal "$(reached "$LB4" 8001 --alpn h2)" two
	api DELETE tcp/frontend/2
	api POST refresh
	assert_equal "$(reached "$LB4" 8001 --alpn h2)" refused
	api DELETE tcp/frontend/1
	refused 400 BadRequest '^frontends: there is none' POST refresh
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
}

@test "each field and match of a rule is taken, and a refresh warns of routes that never match" {
	local id
	start_small
	id=$(created tcp/route '{"action": {"type": "farm", "target": 2}, "frontendId": 1}' routeId)
	refused 400 BadRequest '^pattern: "a\(" is wrong behind byte 2: missing closing parenthesis' \
		POST "tcp/route/$id/rule" '{"field": "sni", "match": "matches", "pattern": "a("}'
	created "tcp/route/$id/rule" '{"field": "host", "match": "matches", "pattern": "^w{3}[.]"}' ruleId
	created "tcp/route/$id/rule" '{"field": "tls.version", "match": "in", "pattern": "1.2, 1.3"}' ruleId
	created "tcp/route/$id/rule" '{"field": "tls.ech", "match": "is", "pattern": "absent"}' ruleId
	assert_equal "$(api POST refresh | gojq -c '[.status, (.problems[] | .warning, .path)]')" \
		'["done",true,"frontend 1 (web)"]'
	assert_equal "$(reached "$LB4" 443 --sni www.alpnlb.test)" two
	assert_equal "$(reached "$LB4" 443 --sni ww.alpnlb.test)" one
	created "tcp/route/$id/rule" '{"field": "protocol", "match": "is", "pattern": "ssh"}' ruleId
	assert_equal "$(api POST refresh | gojq -c '[.status, (.problems[] | .warning, .path, .message)]')" \
		'["done",true,"route 1 (route-1)","rules 1 and 4 exclude each other: the route never matches"]'
	assert_equal "$(reached "$LB4" 443 --sni www.alpnlb.test)" one
	stop_daemon
}

@test "a refresh warns of clients with ECH where routes go by server names, once there are some" {
	local warned='[.status // "apply", (.problems[] | .path, .message)] | @tsv'
	start_small
	created tcp/route '{"action": {"type": "farm", "target": 1}, "frontendId": 1}' routeId
	created tcp/route/1/rule '{"field": "sni", "match": "is", "pattern": "a.test"}' ruleId
	assert_equal "$(api POST refresh | gojq -r "$warned")" done
	"$PEERS/tcp" hello --sni a.test --ech >"$NETNS_DIR/hello"
	assert_equal "$(reached "$LB4" 443 --hello "$NETNS_DIR/hello")" one
	assert_equal "$(alpnlb -j frontend show name web | gojq .ech)" 1
	assert_matches "$(api POST refresh | gojq -r "$warned")" \
		"^done.frontend 1 .web..routes go by server names, and 1 hellos had encrypted_client_hello: "
	run -0 --separate-stderr alpnlb refresh dry-run
	assert_matches "$stderr" "warning: .*web.*: routes go by server names" dry-run
	alpnlb export >"$NETNS_DIR/exported.yaml"
	run -0 --separate-stderr alpnlb apply "$NETNS_DIR/exported.yaml"
	assert_matches "$stderr" "warning: .*frontends\[0\]: routes go by server names" apply
	run -0 --separate-stderr alpnlb check "$NETNS_DIR/exported.yaml"
	assert_equal "$stderr" ""
	created tcp/route/1/rule '{"field": "tls.ech", "match": "is", "pattern": "absent"}' ruleId
	assert_equal "$(api POST refresh | gojq -r "$warned")" done
	stop_daemon
}

@test "routes stand in order of evaluation and go with their rules" {
	start_small
	assert_equal "$(created tcp/route '{"action": {"type": "farm", "target": 1}, "frontendId": 1, "weight": 9}' routeId)" 1
	assert_equal "$(created tcp/route '{"action": {"type": "farm", "target": 2}, "frontendId": 1}' routeId)" 2
	assert_equal "$(created tcp/route '{"action": {"type": "reject"}, "weight": 200}' routeId)" 3
	assert_equal "$(api GET tcp/route | jq -c .)" '[3,2,1]'
	assert_equal "$(api GET 'tcp/route?frontendId=1' | jq -c .)" '[2,1]'
	assert_equal "$(created tcp/route/3/rule '{"field": "sni", "match": "is", "pattern": "a.test", "negate": true}' ruleId)" 1
	assert_equal "$(created tcp/route/3/rule '{"field": "source", "match": "in", "pattern": "10.0.0.0/8, 192.0.2.1"}' ruleId)" 2
	assert_equal "$(api GET tcp/route/3/rule | jq -c .)" '[1,2]'
	assert_equal "$(api GET tcp/route/3 | jq -c '[.action, .frontendId, [.rules[].ruleId], .status]')" \
		'[{"type":"reject","target":null},null,[1,2],"creating"]'
	refused 400 BadRequest '^rules: is read-only' PUT tcp/route/3 '{"rules": []}'
	refused 400 BadRequest '^pattern: "x" is no protocol, allowed: tcp' \
		PUT tcp/route/3/rule/1 '{"field": "protocol", "pattern": "x"}'
	api PUT tcp/route/3/rule/1 '{"negate": null}'
	assert_equal "$(api GET tcp/route/3/rule/1 | gojq -c '[.field, .match, .negate, .pattern, .subField]')" \
		'["sni","is",false,"a.test",null]'
	api DELETE tcp/route/3/rule/2
	api DELETE tcp/route/3
	refused 404 NotFound 'no route with the id 3' GET tcp/route/3/rule
	stop_daemon
}

@test "what is in use cannot be deleted, and references have to lead somewhere" {
	start_small
	api POST tcp/route '{"action": {"type": "farm", "target": 2}, "frontendId": 1}'
	refused 409 Conflict 'one is the default farm of the frontend web' DELETE tcp/farm/1
	refused 409 Conflict 'two is the target of the route route-1' DELETE tcp/farm/2
	refused 409 Conflict 'web is the frontend of the route route-1' DELETE tcp/frontend/1
	refused 400 BadRequest '^defaultFarmId: 99 is the id of no farm' PUT tcp/frontend/1 '{"defaultFarmId": 99}'
	refused 400 BadRequest '^action.target: "two" is the id of no farm' \
		PUT tcp/route/1 '{"action": {"type": "farm", "target": "two"}}'
	refused 400 BadRequest 'target: is missing' PUT tcp/route/1 '{"action": {"type": "farm"}}'
	api PUT tcp/farm/2 '{"name": "green"}'
	assert_equal "$(api GET tcp/route/1 | gojq -c .action)" '{"target":"2","type":"farm"}'
	# an id may come as the text that is answered
	api PUT tcp/route/1 '{"action": {"type": "farm", "target": "1"}}'
	assert_equal "$(alpnlb -j export staged | gojq -r '.routes[0].action.target')" one
	refused 400 BadRequest '^action.target: "99" is the id of no farm' \
		PUT tcp/route/1 '{"action": {"type": "farm", "target": "99"}}'
	refused 400 BadRequest '^defaultFarmId: "1" is the id of no farm' PUT tcp/frontend/1 '{"defaultFarmId": "1"}'
	refused 400 BadRequest 'target: is missing' PUT tcp/route/1 '{"action": {"type": "farm", "target": ""}}'
	api PUT tcp/route/1 '{"action": {"type": "reject", "target": ""}}'
	assert_equal "$(api GET tcp/route/1 | gojq -c .action)" '{"target":null,"type":"reject"}'
	stop_daemon
}

# ---- mistakes -----------------------------------------------------------------------------

@test "each kind of mistake is a clear answer" {
	local character
	start_small
	refused 404 NotFound 'no such path' GET nowhere
	refused 405 MethodNotAllowed 'allowed: GET, POST' DELETE tcp/farm
	refused 405 MethodNotAllowed 'allowed: GET' PUT status '{}'
	refused 400 BadRequest 'no JSON:' POST tcp/farm '{"zone"'
	refused 400 BadRequest 'no JSON: invalid escape near .*\\n.*' POST tcp/farm $'{"zone": "\\u\n"}'
	refused 400 BadRequest 'no JSON object' POST tcp/farm '[1]'
	refused 400 BadRequest 'no JSON: duplicate' POST tcp/farm '{"zone": "a", "zone": "b"}'
	refused 400 BadRequest '^colour: unknown field, allowed: name, displayName, zone' POST tcp/farm '{"colour": 1}'
	refused 400 BadRequest '^probe.colour: unknown field, allowed: type, port' PUT tcp/farm/1 '{"probe": {"colour": 1}}'
	refused 400 BadRequest '^default_farm: unknown field' PUT tcp/frontend/1 '{"default_farm": "two"}'
	refused 400 BadRequest '^port: "x" is not an integer' POST tcp/farm '{"port": "x"}'
	refused 400 BadRequest '^port: a mapping is not an integer' POST tcp/farm '{"port": {}}'
	refused 400 BadRequest '^farmId: is read-only' POST tcp/farm '{"farmId": 7}'
	refused 400 BadRequest '^zone: cannot be changed' PUT tcp/farm/1 '{"zone": "gra"}'
	refused 400 BadRequest '^balance: "rr" is unknown' POST tcp/farm '{"balance": "rr"}'
	refused 400 BadRequest '^name: "one" is already the name of another farm' POST tcp/farm '{"name": "one"}'
	# what a file cannot hold, or reads as something else
	for character in 007F 0085 2028 FEFF FFFF; do
		refused 400 BadRequest "^displayName: contains the character U.$character, allowed: printable" \
			PUT tcp/farm/1 "{\"displayName\": \"a\\u$character\"}" || return
	done
	refused 400 BadRequest '^dedicatedIpfo\[0\]: contains the character U.2028' \
		PUT tcp/frontend/1 '{"dedicatedIpfo": ["::1\u2028"]}'
	refused 400 BadRequest '^port: unknown filter' GET 'tcp/farm?port=1'
	refused 400 BadRequest '^frontendId: is not an integer' GET 'tcp/route?frontendId=x'
	refused 400 BadRequest '^zone: is given twice' GET 'tcp/farm?zone=all&zone=gra'
	refused 400 BadRequest 'query cannot be read' GET 'tcp/farm?zone=all%00gra'
	refused 400 BadRequest 'there is no zone rbx' POST refresh '{"zone": "rbx"}'
	refused 400 BadRequest '^unknown field' POST refresh '{"zones": []}'
	refused 400 BadRequest '^status: "bo\\ngus" is unknown, allowed: active, inactive' GET 'tcp/farm/1/server?status=bo%0agus'
	refused 400 BadRequest '^status: "bogus" is unknown, allowed: blocked, cancelled, doing, done, error, todo$' GET 'task?status=bogus'
	refused 400 BadRequest '^address: is not an address' GET 'tcp/farm/1/server?address=10.0.0'
	refused 404 NotFound 'no such path' GET tcp/farm/one
	refused 404 NotFound 'no such path' GET tcp/farm/-
	refused 404 NotFound 'no such path' GET tcp/farm/1%00
	refused 404 NotFound 'no such path' GET tcp/farm%2f1
	refused 404 NotFound 'no farm with the id -1$' GET tcp/farm/-1
	refused 404 NotFound 'no farm with the id 1234567890$' DELETE tcp/farm/1234567890
	refused 404 NotFound 'no farm with the id 99999999999999999999$' GET tcp/farm/99999999999999999999/server/1
	refused 404 NotFound 'no rule with the id -7$' PUT tcp/route/1/rule/-7 '{}'
	refused 404 NotFound 'no task with the id -0$' GET task/-0
	refused 404 NotFound 'no task' GET task/99
	assert_equal "$(request GET ipLoadbalancing/other/status | gojq -r .class 2>/dev/null | tail -1)" "Client::NotFound"
	assert_equal "$(api GET pendingChanges | jq -c .)" '[]'
	stop_daemon
}

# problems METHOD PATH BODY: the mistakes it is refused for, "PATH: MESSAGE" each.
problems() {
	request "$1" "ipLoadbalancing/$NETNS_NAME/$2" "$3" | sed 1d | gojq -r '.problems[] | select(.warning | not) | [.path, .message] | join(": ")'
}

@test "mistakes are told in the API's names" {
	local i
	start_small
	created tcp/farm '{"vrackNetworkId": 7}' farmId
	assert_equal "$(problems PUT tcp/frontend/1 '{"rateLimit": 0, "helloTimeout": 0, "connectTimeout": 0.001, "idleTimeout": 0.1}' | sort)" \
		"connectTimeout: 0.001 is out of range, allowed: 0.01..300 seconds, null
helloTimeout: 0 is out of range, allowed: 0.01..3600 seconds, null
idleTimeout: 0.1 is out of range, allowed: 0, 1..2592000 seconds, null
rateLimit: 0 is out of range, allowed: 1..4294967295, null"
	assert_equal "$(request PUT "ipLoadbalancing/$NETNS_NAME/tcp/frontend/1" '{"rateLimit": 0}' | sed 1d | gojq -c '.problems[0] | keys')" \
		'["message","path","warning"]'
	refused 400 BadRequest '^defaultSslId: 1 is out of scope' PUT tcp/frontend/1 '{"defaultSslId": 1}'
	refused 400 BadRequest '^deniedSource: stands beside allowedSource' \
		PUT tcp/frontend/1 '{"deniedSource": ["10.0.0.0/8"], "allowedSource": ["10.0.0.0/8"]}'
	refused 400 BadRequest '^allowedSource\[1\]: "x" is no address' PUT tcp/frontend/1 '{"allowedSource": ["::1", "x"]}'
	refused 400 BadRequest '^probe: 7 is not a mapping, allowed: .*, forceSsl' PUT tcp/farm/1 '{"probe": 7}'
	refused 400 BadRequest '^probe.forceSsl: 7 is not a boolean' PUT tcp/farm/1 '{"probe": {"type": "http", "forceSsl": 7}}'
	refused 400 BadRequest '^probe.certDays: 7 goes with TLS, allowed' PUT tcp/farm/1 '{"probe": {"type": "tcp", "certDays": 7}}'
	refused 400 BadRequest '^fallbackFarmId: 9 is the id of no farm' PUT tcp/farm/1 '{"fallbackFarmId": 9}'
	refused 400 BadRequest '^fallbackFarmId: .* falls back on this farm in turn' PUT tcp/farm/1 '{"fallbackFarmId": 1}'
	refused 400 BadRequest '^action.target: is missing, .*allowed: the id of a farm' POST tcp/route '{"action": {"type": "farm"}}'
	created tcp/route '{"name": "r", "action": {"type": "reject"}}' routeId
	for i in {1..16}; do
		api POST tcp/route/1/rule '{"field": "sni", "match": "exists"}'
	done
	refused 400 BadRequest '^route 1 \(r\).rules: 17 rules, allowed: at most 16' \
		POST tcp/route/1/rule '{"field": "sni", "match": "exists"}'
	api PUT tcp/frontend/1 '{"defaultFarmId": null}'
	refused 400 BadRequest '^frontend 1 \(web\).defaultFarmId: is missing' POST refresh
	assert_equal "$(request POST "ipLoadbalancing/$NETNS_NAME/refresh" '{}' | sed 1d | gojq -c '[.problems[] | select(.warning) | .path]')" \
		'["farm 3 (farm-3).vrackNetworkId","farm 3 (farm-3).servers"]'
	stop_daemon
}

@test "large, deep, half and pipelined requests" {
	local socket
	start_small
	socket=/run/alpnlb/$NETNS_NAME/control.sock
	head -c 1100000 /dev/zero | tr '\0' ' ' >"$NETNS_DIR/large"
	refused 413 PayloadTooLarge 'larger than 1 MB' POST tcp/farm "@$NETNS_DIR/large"
	head -c 100000 /dev/zero | tr '\0' '[' >"$NETNS_DIR/deep"
	refused 400 BadRequest 'no JSON: maximum parsing depth' POST tcp/farm "@$NETNS_DIR/deep"
	/usr/bin/python3 - "$socket" <<-'END'
		import socket, sys
		def connect():
		    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10); return s
		half = connect(); half.send(b"POST /1.0/ipLoad")
		body = connect(); body.send(b"PUT /1.0/alpnlb/config HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")
		gone = connect(); gone.send(b"GET /1.0/auth/time HTTP/1.1\r\nHo"); gone.close()
		two = connect(); two.send(b"GET /1.0/auth/time HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
		got = b""
		while got.count(b"HTTP/1.1 200 OK") < 2:
		    data = two.recv(4096)
		    if not data: sys.exit("pipelined: " + repr(got))
		    got += data
		odd = connect(); odd.send(b"\x16\x03\x01 nonsense\r\n\r\n")
		if b" 200 " in odd.recv(4096): sys.exit("nonsense is accepted")
	END
	assert_equal "$(request GET alpnlb/daemon | tail -n +2 | gojq .revision)" 1
	stop_daemon
}

# exchange BYTES...: what is answered to each, on a connection of its own, until that is closed, or
# half a second after the last byte; a line for each, and one for what it ends with: closed or open.
exchange() {
	/usr/bin/python3 - "/run/alpnlb/$NETNS_NAME/control.sock" "$@" <<-'END'
		import socket, sys
		for text in sys.argv[2:]:
		    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)
		    s.sendall(text.encode().decode("unicode_escape").encode("latin1"))
		    got, end = b"", "closed"
		    try:
		        while data := s.recv(65536):
		            got += data
		            s.settimeout(0.5)
		    except TimeoutError:
		        end = "open"
		    print(got.decode().replace("\r\n", "\n").rstrip(), end, sep="\n")
	END
}

# answered BYTES STATUS CLASS MESSAGE END: an error object, with its length.
answered() {
	local answer body
	answer=$(exchange "$1")
	assert_matches "${answer%%$'\n'*}" "^HTTP/1.1 $2 " "$1: $answer" || return
	assert_equal "${answer##*$'\n'}" "$5" "$1: $answer" || return
	body=$(grep '^{' <<<"$answer")
	assert_equal "$(gojq -r .class <<<"$body")" "Client::$3" "$1" || return
	assert_matches "$(gojq -r .message <<<"$body")" "$4" "$1" || return
	assert_matches "$answer" "Content-Length: $((${#body} + 1))" "$1" || return
	[[ $5 == open ]] || assert_matches "$answer" "Connection: close" "$1"
}

@test "a body that is too large is refused before it is sent" {
	local post chunk
	start_small
	post="POST /1.0/ipLoadbalancing/$NETNS_NAME/tcp/farm HTTP/1.1\\r\\n"
	answered "${post}Content-Length: 99999999\\r\\n\\r\\n" 413 PayloadTooLarge 'larger than 80 MB' closed
	answered "${post}Content-Length: 99999999999999999999\\r\\n\\r\\n" 413 PayloadTooLarge 'larger than 80 MB' closed
	chunk="${post}Transfer-Encoding: chunked\\r\\n\\r\\n1\\r\\n{\\r\\n"
	answered "${chunk}5000000\\r\\n" 413 PayloadTooLarge 'larger than 80 MB' closed
	answered "${chunk}ffffffffffffffff\\r\\n" 413 PayloadTooLarge 'larger than 80 MB' closed
	answered "${chunk}2;a=b\\r\\n}x\\r\\n0\\r\\nA: b\\r\\n\\r\\n" 400 BadRequest 'no JSON' open
	answered "${post}Expect: 100-continue\\r\\nContent-Length: 99999999\\r\\n\\r\\n" 413 PayloadTooLarge '' closed
	assert_equal "$(exchange "${post}Expect: 100-continue\\r\\nContent-Length: 2\\r\\n\\r\\n" | head -1)" \
		"HTTP/1.1 100 Continue"
	stop_daemon
}

@test "a method that is none of a path's, or of any" {
	local method time=/1.0/auth/time
	start_small
	for method in TRACE PATCH OPTIONS MKCOL brew; do
		answered "$method $time HTTP/1.1\\r\\n\\r\\n" 405 MethodNotAllowed \
			"^$method is no method of this path, allowed: GET$" open
	done
	answered "CONNECT $time HTTP/1.1\\r\\n\\r\\n" 405 MethodNotAllowed '^CONNECT is no method' closed
	answered "CONNECT a.test:443 HTTP/1.1\\r\\n\\r\\n" 404 NotFound 'no such path' closed
	answered "OPTIONS * HTTP/1.1\\r\\n\\r\\n" 404 NotFound 'no such path' open
	assert_equal "$(exchange "HEAD $time HTTP/1.1\\r\\n\\r\\n" | tail -1)" open
	stop_daemon
}

@test "what is no HTTP is refused with an error object" {
	local get=/1.0/auth/time post
	start_small
	answered "GET $get HTTP/9.9\\r\\n\\r\\n" 400 BadRequest 'version of HTTP' closed
	answered "GET $get\\r\\n\\r\\n" 400 BadRequest 'request line is not' closed
	answered "GET  $get HTTP/1.1\\r\\n\\r\\n" 400 BadRequest 'request line is not' closed
	answered "G{T $get HTTP/1.1\\r\\n\\r\\n" 400 BadRequest 'request line is not' closed
	answered "GET $get\\x01 HTTP/1.1\\r\\n\\r\\n" 400 BadRequest 'request line is not' closed
	answered "PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" 400 BadRequest 'version of HTTP' closed
	answered "GET $get HTTP/1.1\\r\\nA: \\x00\\r\\n\\r\\n" 400 BadRequest 'zero byte' closed
	answered "GET $get HTTP/1.1\\r\\nA b\\r\\n\\r\\n" 400 BadRequest 'not NAME: VALUE' closed
	answered "GET $get HTTP/1.1\\r\\nA: b\\r\\n c\\r\\n\\r\\n" 400 BadRequest 'not NAME: VALUE' closed
	answered "GET $get HTTP/1.1\\r\\nA: $(head -c 20000 /dev/zero | tr '\0' a)" 400 BadRequest '16 kB' closed
	post="POST $get HTTP/1.1\\r\\n"
	answered "${post}Content-Length: 2\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n" 400 BadRequest 'one of them, once' closed
	answered "${post}Content-Length: 2\\r\\nContent-Length: 3\\r\\n\\r\\n{}" 400 BadRequest 'one of them, once' closed
	answered "${post}Content-Length: +2\\r\\n\\r\\n{}" 400 BadRequest '^Content-Length: is no number' closed
	answered "${post}Content-Length: -5\\r\\n\\r\\n{}" 400 BadRequest '^Content-Length: is no number' closed
	answered "${post}Transfer-Encoding: gzip\\r\\n\\r\\n" 400 BadRequest 'allowed: chunked' closed
	post+="Transfer-Encoding: chunked\\r\\n\\r\\n"
	answered "${post}zz\\r\\n" 400 BadRequest 'size of a chunk' closed
	answered "${post}-1\\r\\n" 400 BadRequest 'size of a chunk' closed
	answered "${post}1\\r\\n{}\\r\\n" 400 BadRequest 'longer than its size' closed
	assert_equal "$(exchange "GET $get HTTP/1.0\\r\\n\\r\\n" | sed -n '1p;$p' | xargs)" "HTTP/1.1 200 OK closed"
	stop_daemon
}

# ---- who takes more than its share --------------------------------------------------------

# hold_control: 830 requests that never end, one of them a byte at a time; the seconds that one had.
hold_control() {
	netns_spawn balancer "$NETNS_DIR/held.log" /usr/bin/python3 -c '
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
held = []
for i in range(830):
    held.append(socket.socket(socket.AF_UNIX)); held[-1].connect(sys.argv[1]); held[-1].send(b"GET /1")
print("held", flush=True)
begin = time.monotonic()
try:
    while time.monotonic() - begin < 60:
        held[-1].send(b"x")
        time.sleep(0.2)
except OSError:
    pass
print(round(time.monotonic() - begin), flush=True)
sys.stdin.read()
' "/run/alpnlb/$NETNS_NAME/control.sock"
}

@test "requests that never end take a few descriptors, for half a minute" {
	local before
	limited_to 900
	start_small
	before=$(descriptors)
	hold_control
	netns_await 20 grep -q held "$NETNS_DIR/held.log" || fail "they cannot connect"
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(alpnlb -j pending show | jq -c .)" '[]'
	(($(descriptors) <= before + 66)) || fail "$(descriptors) descriptors, $before before"
	netns_await 45 grep -q '^[0-9]' "$NETNS_DIR/held.log" || fail "a slow request is held for ever"
	(($(tail -1 "$NETNS_DIR/held.log") >= 28)) || fail "it had $(tail -1 "$NETNS_DIR/held.log") s"
	run ! grep -i 'too many open files\|accept' "$NETNS_DIR/daemon.log"
	stop_daemon
}

@test "connections that come without end do not keep others from their answers" {
	local i socket=/run/alpnlb/$NETNS_NAME/control.sock
	start_small
	for i in 1 2; do
		netns_spawn balancer "$NETNS_DIR/flood$i.log" /usr/bin/python3 -c '
import socket, sys
while True:
    with socket.socket(socket.AF_UNIX) as s: s.connect(sys.argv[1])
' "$socket"
	done
	# not curl, which does not wait for room in the backlog
	/usr/bin/python3 - "$socket" <<-'END'
		import socket, sys
		for i in range(20):
		    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)
		    s.send(b"GET /1.0/auth/time HTTP/1.1\r\n\r\n")
		    assert s.recv(4096).startswith(b"HTTP/1.1 200 OK")
	END
	stop_daemon
}

@test "without a descriptor left the control socket waits for one, and says so once" {
	start_small
	prlimit --pid "$DAEMON_PID" --nofile=3:
	netns_spawn balancer "$NETNS_DIR/late.log" curl -sS --max-time 30 \
		--unix-socket "/run/alpnlb/$NETNS_NAME/control.sock" http://alpnlb/1.0/ipLoadbalancing
	netns_await 10 daemon_says 'control socket: accepting connections pauses: Too many open files' ||
		fail "nothing is told"
	prlimit --pid "$DAEMON_PID" --nofile=1000:
	netns_await 10 grep -q "$NETNS_NAME" "$NETNS_DIR/late.log" || fail "it is not answered"
	assert_equal "$(grep -c 'open files' "$NETNS_DIR/daemon.log")" 1
	stop_daemon
}

# ---- what is computed ---------------------------------------------------------------------

@test "the service tells what it is and how it is doing" {
	start_small 'zone: gra' "nat_ip: [198.51.100.1]"
	assert_equal "$(request GET ipLoadbalancing | tail -n +2 | jq -c .)" "[\"$NETNS_NAME\"]"
	assert_equal "$(request GET ipLoadbalancing/availableZones | tail -n +2)" '["gra"]'
	(($(request GET auth/time | tail -1) - $(date +%s) < 5)) || fail "the time is wrong"
	assert_equal "$(api GET zone)" '["gra"]'
	assert_equal "$(api GET zone/gra | jq -c .)" '{"name":"gra","state":"ok"}'
	assert_equal "$(api GET zone/gr%61 | jq -c .)" '{"name":"gra","state":"ok"}'
	assert_equal "$(api GET %7aone/%67ra | gojq -r .name)" gra
	refused 404 NotFound 'no zone rbx' GET zone/rbx
	assert_equal "$(api GET status | gojq -c '[.service.status, .frontends.total, .frontends.status.ok, .farms.status.unknown, .servers.total]')" \
		'["ok",1,1,2,2]'
	assert_equal "$(api GET instancesState | gojq -c '.[0] | [.internalId, .zone, .state]')" '[1,"gra","running"]'
	assert_equal "$(api GET metricsToken | jq -c .)" '{"endpoint":"/1.0/alpnlb/metrics","token":null}'
	assert_equal "$(api GET natIp | jq -c .)" "[{\"zone\":\"gra\",\"ip\":[\"198.51.100.1\"]}]"
	assert_equal "$(api GET quota)" '["gra"]'
	assert_equal "$(api GET quota/gra | gojq -c 'del(.lastUpdateDate)')" \
		'{"alert":null,"included":null,"resetDate":null,"total":0,"zone":"gra"}'
	created tcp/route '{"action": {"type": "reject"}, "displayName": "nobody"}' routeId
	assert_equal "$(api GET definedRoutes | jq -c .)" '[{"routeId":1,"type":"tcp","displayName":"nobody"}]'
	assert_equal "$(api GET definedFarms | jq -c .)" '[{"id":1,"type":"tcp"},{"id":2,"type":"tcp"}]'
	assert_equal "$(api GET availableFarmType)" '["tcp"]'
	assert_equal "$(api GET availableRouteRules | gojq -c '.[] | select(.name == "source") | [.matches, .pattern]')" '[["is","in"],"cidr"]'
	assert_equal "$(api GET availableRouteRules | gojq -c '.[] | select(.name == "protocol") | .enum | index("http/2.0") != null')" true
	assert_equal "$(api GET availableRouteRules | gojq -c '.[] | select(.name == "tls.version") | [.matches, .enum]')" \
		'[["is","in","exists"],["ssl3","1.0","1.1","1.2","1.3"]]'
	assert_equal "$(api GET availableFarmProbes | jq -c '.[] | select(.type | IN("tcp", "http", "smtp"))')" \
		'{"type":"tcp","matches":["default","contains","matches"],"negatableMatches":["default","contains","matches"],"method":[],"port":true,"url":false}
{"type":"http","matches":["default","status","contains","matches"],"negatableMatches":["default","status","contains","matches"],"method":["GET","HEAD","OPTIONS"],"port":true,"url":true}
{"type":"smtp","matches":["default"],"negatableMatches":["default"],"method":[],"port":true,"url":false}'
	assert_equal "$(api GET availableFarmProbes | jq -c '.[] | select(.port | not) | .type')" '"oco"'
	assert_equal "$(api GET availableRouteActions | gojq -c 'map(.name)')" '["farm","reject"]'
	stop_daemon
}

@test "the status is of what is installed here and takes connections" {
	local counts='[.service.status, (.frontends, .farms, .servers | [.total, .status.ok, .status.warn, .status.error, .status.unknown])]'
	{
		printf 'zone: gra\n'
		farms one=11 two=12 idle=13 far=14 |
			sed 's/name: far/&\n    zone: rbx/; /name: s13/s/ }/, status: inactive }/'
		frontend auto one
		printf '  - { name: there, zone: rbx, port: 444, default_farm: one }\n'
		printf '  - { name: off, disabled: true, port: 445, default_farm: one }\n'
		printf '  - { name: dead, port: 446, default_farm: idle }\n'
	} >"$CONFIG"
	start_daemon
	assert_equal "$(api GET status | gojq -c "$counts")" '["warn",[3,1,1,1,0],[3,0,0,1,2],[3,0,1,0,2]]'
	assert_equal "$(api GET tcp/farm/4/server/4 | gojq -c .serverState)" '[]' "of another zone"
	assert_equal "$(api GET tcp/farm/3/server/3 | gojq -r '.serverState[].status')" warn
	assert_equal "$(api GET tcp/farm/1/server/1 | gojq -r '.serverState[].status')" unknown
	# a dry run is none
	api PUT tcp/frontend/1 '{"disabled": true}'
	alpnlb refresh dry-run
	assert_equal "$(api GET status | gojq -c "$counts")" '["warn",[3,1,1,1,0],[3,0,0,1,2],[3,0,1,0,2]]'
	api PUT tcp/frontend/1 '{"disabled": false, "defaultFarmId": 3}'
	api POST refresh
	assert_equal "$(api GET status | gojq -c "$counts")" '["warn",[3,0,1,2,0],[3,0,0,1,2],[3,0,1,0,2]]'
	stop_daemon
}

@test "the service can be given a name" {
	local service="ipLoadbalancing/$NETNS_NAME" name
	start_small
	assert_equal "$(request PUT "$service" '{"displayName": "front door"}' | paste -sd' ')" "200 null"
	assert_equal "$(request GET "$service" | sed 1d | gojq -r .displayName)" "front door"
	assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"all","number":1}]'
	assert_equal "$(request PUT "$service" "$(request GET "$service" | sed 1d)" | paste -sd' ')" "200 null"
	api POST refresh
	assert_equal "$(alpnlb -j export running | gojq -r .display_name)" "front door"
	# characters, not bytes
	name=$(printf '%050d' 0 | sed 's/0/ü/g')
	assert_equal "$(request PUT "$service" "{\"displayName\": \"$name\"}" | paste -sd' ')" "200 null"
	assert_matches "$(request PUT "$service" "{\"displayName\": \"${name}a\"}")" \
		'^400.*displayName: .* has 51 characters, allowed: a text of at most 50 characters, null'
	assert_matches "$(request PUT "$service" $'{"displayName": "\xfcber"}')" '^400.*no JSON: unable to decode byte 0xfc'
	assert_matches "$(request PUT "$service" '{"state": "odd"}')" '^400.*state: is read-only'
	# its address is that of its frontends, if they have one
	addresses() { request GET "$service" | sed 1d | gojq -c '[.ipv4, .ipv6]'; }
	assert_equal "$(addresses)" "[null,null]" "at all"
	api PUT tcp/frontend/1 "{\"dedicatedIpfo\": [\"$LB4\", \"$LB6\"]}"
	api POST tcp/frontend "{\"port\": 444, \"defaultFarmId\": 1, \"dedicatedIpfo\": [\"$LB6\"]}"
	api POST refresh
	assert_equal "$(addresses)" "[\"$LB4\",\"$LB6\"]"
	assert_equal "$(request PUT "$service" "$(request GET "$service" | sed 1d)" | paste -sd' ')" "200 null"
	api PUT tcp/frontend/2 '{"dedicatedIpfo": ["127.0.0.1"]}'
	api POST refresh
	assert_equal "$(addresses)" "[null,\"$LB6\"]"
	assert_matches "$(request PUT "$service" '{"color": 1}')" '^400.*color: unknown field, allowed: displayName'
	stop_daemon
}

@test "another zone's objects are kept and counted there, not here" {
	start_small 'zone: gra'
	created tcp/farm '{"zone": "rbx"}' farmId
	assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"rbx","number":1}]'
	api PUT tcp/frontend/1 '{"displayName": "here"}'
	api POST refresh '{"zone": "rbx"}'
	# a frontend of `all` zones has changed in each of them
	assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"gra","number":1}]'
	assert_equal "$(stats .revision)" 1
	api POST refresh
	assert_equal "$(api GET pendingChanges)" '[]'
	assert_equal "$(stats .revision)" 3 "the refresh of the other zone was revision 2"
	stop_daemon
}

@test "a route's status is that of its frontend's zone" {
	start_small 'zone: gra'
	created tcp/frontend '{"zone": "rbx", "port": "444", "defaultFarmId": 1}' frontendId
	created tcp/route '{"action": {"type": "farm", "target": 2}, "frontendId": 2}' routeId
	assert_equal "$(api GET tcp/route/1 | gojq -r .status)" creating
	api POST refresh '{"zone": "rbx"}'
	assert_equal "$(api GET pendingChanges)" '[]'
	assert_equal "$(api GET tcp/route/1 | gojq -r .status)" ok
	api PUT tcp/route/1 '{"weight": 7}'
	api POST refresh '{"zone": "gra"}'
	assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"rbx","number":1}]'
	assert_equal "$(api GET tcp/route/1 | gojq -r .status)" updating
	stop_daemon
}

@test "the zone is that of what runs, not of what is staged" {
	start_small 'zone: gra'
	sed 's/zone: gra/zone: rbx/' "$CONFIG" >"$NETNS_DIR/other.yaml"
	alpnlb apply "$NETNS_DIR/other.yaml"
	assert_equal "$(api GET zone)" '["rbx"]'
	alpnlb revision rollback 1
	assert_equal "$(api GET zone)" '["rbx"]'
	assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"rbx","number":1}]'
	stop_daemon
	CONFIG='' start_daemon
	assert_equal "$(api GET zone)" '["rbx"]' "after a restart"
	assert_equal "$(api POST refresh '{"zone": "rbx"}' | gojq -r .status)" "done"
	assert_equal "$(stats .revision)" 3
	assert_equal "$(api GET zone)" '["gra"]'
	assert_equal "$(api GET pendingChanges)" '[]'
	stop_daemon
	CONFIG='' start_daemon
	assert_equal "$(api GET zone)" '["gra"]' "after a restart"
	assert_equal "$(api GET pendingChanges)" '[]'
	stop_daemon
}

@test "a zone goes with its last object" {
	start_small 'zone: gra'
	created tcp/farm '{"zone": "tmp"}' farmId
	api POST refresh
	api DELETE tcp/farm/3
	api POST refresh
	assert_equal "$(request GET ipLoadbalancing/availableZones | tail -n +2)" '["gra"]'
	assert_equal "$(alpnlb -j zone show | gojq -c 'map(.name)')" '["gra"]'
	stop_daemon
}

@test "an instance without a zone refreshes all of them, and says so" {
	local task
	start_small
	created tcp/farm '{"zone": "rbx"}' farmId
	created tcp/farm '{"zone": "gra"}' farmId
	task=$(api POST refresh '{"zone": "rbx"}')
	assert_equal "$(gojq -c '.zones | sort' <<<"$task")" '["all","gra","rbx"]'
	assert_equal "$(alpnlb -j revision show id 2 | gojq -r .zone)" all
	assert_equal "$(api GET pendingChanges)" '[]'
	stop_daemon
}

@test "no task has the id of one from before a restart" {
	start_small
	assert_equal "$(api POST refresh | gojq .id)" 1
	api PUT tcp/frontend/1 '{"port": "444"}'
	take_port 444
	assert_equal "$(api POST refresh | gojq -c '[.id, .status]')" '[2,"error"]'
	api PUT tcp/frontend/1 '{"defaultFarmId": null}'
	refused 400 BadRequest 'is missing' POST refresh
	stop_daemon
	CONFIG='' start_daemon
	refused 404 NotFound 'no task with the id 2' GET task/2
	assert_equal "$(api GET task)" '[]'
	api PUT tcp/frontend/1 '{"port": "443", "defaultFarmId": 1}'
	assert_equal "$(api POST refresh | gojq .id)" 3
	stop_daemon
}

# ---- together -----------------------------------------------------------------------------

@test "a diff and a dry run say what a refresh would do, and do nothing" {
	start_small
	alpnlb_api() { request "$1" "alpnlb/$2" "${3:-}" | sed 1d; }
	assert_equal "$(alpnlb_api GET diff | jq -c .)" '{"zone":"all","changes":[]}'
	api PUT tcp/frontend/1 '{"defaultFarmId": 2}'
	assert_equal "$(alpnlb_api GET diff | gojq -c '.changes[] | [.kind, .name, .before, .after]')" \
		'["frontend","web",{"default_farm":"one"},{"default_farm":"two"}]'
	assert_equal "$(alpnlb_api POST dryRun | jq -c .)" '{"problems":[]}'
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	assert_equal "$(api GET pendingChanges | jq -c .)" '[{"zone":"all","number":1}]'
	api PUT tcp/frontend/1 '{"defaultFarmId": null}'
	assert_matches "$(request POST alpnlb/dryRun)" $'^400\n.*frontend 1 .web..defaultFarmId: is missing'
	api PUT tcp/frontend/1 '{"defaultFarmId": 1, "port": "444"}'
	take_port 444
	assert_matches "$(request POST alpnlb/dryRun)" '^409.*frontend web: cannot listen on .*:444'
	assert_matches "$(request GET 'alpnlb/diff?zone=mars')" '^404.*there is no zone mars, allowed: all'
	assert_equal "$(reached "$LB4" 443 --alpn h2)" one
	stop_daemon
}

@test "the file and the API are one configuration" {
	start_small
	created tcp/farm '{"name": "three"}' farmId
	alpnlb apply "$CONFIG"
	assert_equal "$(api GET tcp/farm | jq -c .)" '[1,2]'
	created tcp/farm '{"name": "three"}' farmId
	api POST refresh
	assert_equal "$(alpnlb -j farm show | gojq -r '.[].name' | paste -sd,)" one,two,three
	request GET alpnlb/config | tail -n +2 >"$NETNS_DIR/staged.json"
	alpnlb check "$NETNS_DIR/staged.json"
	alpnlb apply "$NETNS_DIR/staged.json"
	assert_equal "$(api GET tcp/farm | jq -c .)" '[1,2,4]'
	stop_daemon
}

@test "a group may control the daemon, others may not" {
	start_small 'control_group: games'
	run -0 setpriv --reuid 65534 --regid 65534 --groups "$(getent group games | cut -d: -f3)" \
		curl -sS --unix-socket "/run/alpnlb/$NETNS_NAME/control.sock" http://a/1.0/auth/time
	run ! setpriv --reuid 65534 --regid 65534 --clear-groups \
		curl -sS --unix-socket "/run/alpnlb/$NETNS_NAME/control.sock" http://a/1.0/auth/time
	run -0 setpriv --reuid 65534 --regid 65534 \
		--groups "$(getent group games | cut -d: -f3),$(seq -s, 70000 71000)" \
		curl -sS --unix-socket "/run/alpnlb/$NETNS_NAME/control.sock" http://a/1.0/auth/time
	assert_matches "$output" '^[0-9]+$'
	chmod 777 "/run/alpnlb/$NETNS_NAME" "/run/alpnlb/$NETNS_NAME/control.sock"
	run -0 setpriv --reuid 65534 --regid 65534 --clear-groups \
		curl -sS --unix-socket "/run/alpnlb/$NETNS_NAME/control.sock" http://a/1.0/auth/time
	assert_equal "$(gojq -r .class <<<"$output")" "Client::Forbidden"
	sed -i 's/games/nobody-has-it/' "$CONFIG"
	run -1 alpnlb apply "$CONFIG"
	assert_matches "$output" 'control_group: nobody-has-it: there is no such group'
	stop_daemon
}
