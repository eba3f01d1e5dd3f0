/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../user/model/decode.h"
#include "../../user/model/decoder.h"
#include "../../user/show/rows.h"

/* Every attribute is set, and to another value than the one it has without that. */
static const char everything[] =
	"farms:\n"
	"  - name: f\n"
	"    display_name: a farm\n"
	"    zone: gra\n"
	"    port: 80\n"
	"    balance: leastconn\n"
	"    probe: { type: http, port: 81, interval: 2s, match: contains, pattern: ok,"
	" negate: true, method: GET, url: /up, force_ssl: true }\n"
	"    fallback_farm: other\n"
	"    vrack_network_id: 7\n"
	"    stickiness: sourceIp\n"
	"    stick_size: 1001\n"
	"    stick_ttl: 1h\n"
	"    stick_on_drain: true\n"
	"    queue_size: 10\n"
	"    queue_timeout: 11s\n"
	"    servers:\n"
	"      - name: s\n"
	"        display_name: a server\n"
	"        address: 192.0.2.1\n"
	"        port: 82\n"
	"        status: inactive\n"
	"        weight: 3\n"
	"        backup: true\n"
	"        probe: true\n"
	"        ssl: true\n"
	"        max_connections: 5\n"
	"        slow_start: 10s\n"
	"        proxy_protocol_version: v2\n"
	"        proxy_tlvs: [ alpn, crc32c ]\n"
	"        on_marked_down: shutdown-sessions\n"
	"  - { name: other }\n"
	"frontends:\n"
	"  - name: w\n"
	"    display_name: a frontend\n"
	"    zone: gra\n"
	"    port: \"80,443\"\n"
	"    default_farm: f\n"
	"    denied_source: [ 192.0.2.0/24 ]\n"
	"    dedicated_ipfo: [ 192.0.2.3 ]\n"
	"    disabled: true\n"
	"    path: relay\n"
	"    hello_timeout: 1s\n"
	"    connect_timeout: 4s\n"
	"    idle_timeout: 5s\n"
	"    half_close_timeout: 6s\n"
	"    proxy_sources: [ 192.0.2.4 ]\n"
	"    max_connections: 6\n"
	"    rate_limit: 8\n"
	"    source_rate_limit: 12\n"
	"    source_rate_prefix_v4: 24\n"
	"    source_rate_prefix_v6: 48\n"
	"  - { name: other, port: \"81\", default_farm: f, allowed_source: [ 192.0.2.0/24 ] }\n"
	"routes:\n"
	"  - name: r\n"
	"    display_name: a route\n"
	"    frontend: w\n"
	"    weight: 9\n"
	"    action: { type: farm, target: f }\n"
	"    rules: [ { name: named, display_name: a rule, field: sni, match: is, negate: true,"
	" pattern: a.example } ]\n";

static const struct config *config;

static int decode(void **state)
{
	struct problems problems = {0};
	struct document *document = document_parse(everything, strlen(everything), &problems);
	struct config *decoded = config_decode(document, &problems);

	assert_int_equal(problems.errors, 0);
	assert_int_equal(config_assign_ids(decoded, NULL, NULL), 0);
	document_free(document);
	problems_free(&problems);
	config = *state = decoded;
	return 0;
}

static int forget(void **state)
{
	config_free(*state);
	return 0;
}

/* What the key of an attribute is in rows, if it is another one there. */
static const char *key_in_rows(const char *key)
{
	static const char *const other[][2] = {
		{"dedicated_ipfo", "addresses"},
		{"hello_timeout", "hello_timeout_ms"},
		{"connect_timeout", "connect_timeout_ms"},
		{"idle_timeout", "idle_timeout_ms"},
		{"half_close_timeout", "half_close_timeout_ms"},
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		if (!strcmp(key, other[i][0]))
			return other[i][1];
	return key;
}

/* The action of a route is two keys, ports are a list, and durations numbers. */
static bool is_written_otherwise(enum kind kind, const struct attribute *a)
{
	return a->type == &type_mapping ||
	       (kind == KIND_FRONTEND && (a->type == &type_duration || !strcmp(a->key, "port")));
}

/* It cannot stand beside others that are set here. */
static bool is_alone(const char *key)
{
	return !strcmp(key, "allowed_source") || !strcmp(key, "handshake");
}

/* Each attribute `export` writes of the object has to be in its row. Takes over `row`. */
static void assert_complete(json_t *row, enum kind kind, const void *object)
{
	const struct table *table = kind_table(kind);

	for (size_t i = 0; i < table->n; i++) {
		const struct attribute *a = &table->v[i];
		json_t *exported = a->type->encode(a, object), *shown;

		if (a->type == &type_list || a->type == &type_refused || a->type == &type_off) {
			json_decref(exported);
			continue;
		}
		if (!exported && !is_alone(a->key))
			fail_msg("%s.%s is not set by this test", kind_name(kind), a->key);
		shown = json_object_get(row, kind == KIND_FRONTEND && !strcmp(a->key, "port")
						     ? "ports"
						     : key_in_rows(a->key));
		if (!shown)
			fail_msg("%s.%s is not shown", kind_name(kind), a->key);
		if (exported && !is_written_otherwise(kind, a) && !json_equal(shown, exported))
			fail_msg("%s.%s is shown otherwise", kind_name(kind), a->key);
		json_decref(exported);
	}
	json_decref(row);
}

static void rows_have_every_attribute_that_was_set(void **state)
{
	const struct farm *farm = &config->farms[0];
	const struct route *route = &config->routes[0];

	assert_complete(farm_row(farm, NULL), KIND_FARM, farm);
	assert_complete(server_row(farm, &farm->servers[0], NULL), KIND_SERVER, &farm->servers[0]);
	assert_complete(frontend_row(config, &config->frontends[0], NULL), KIND_FRONTEND,
			&config->frontends[0]);
	assert_complete(route_row(route, 1, NULL), KIND_ROUTE, route);
	assert_complete(rule_row(route, &route->rules[0]), KIND_RULE, &route->rules[0]);
}

static void attributes_that_were_not_set_are_null_or_false(void **state)
{
	const struct frontend *other = &config->frontends[1];
	json_t *row = frontend_row(config, other, NULL);

	assert_true(json_is_null(json_object_get(row, "denied_source")));
	assert_true(json_is_false(json_object_get(row, "disabled")));
	assert_int_equal(json_array_size(json_object_get(row, "allowed_source")), 1);
	json_decref(row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_have_every_attribute_that_was_set),
		cmocka_unit_test(attributes_that_were_not_set_are_null_or_false),
	};

	return cmocka_run_group_tests(tests, decode, forget);
}
