// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Every attribute of the model: unset, null, nothing (0, "", false, []), and of a wrong type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/model/decode.h"
#include "../../user/model/decoder.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char document[] =
	"{'zone': 'gra', 'farms': [{'name': 'f', 'zone': 'gra', 'probe': {'type': 'tls'}, "
	"'servers': "
	"[{'name': 's', 'address': '10.0.0.1', 'probe': true}]}],"
	" 'frontends': [{'name': 'w', 'port': '1', 'default_farm': 'f'}],"
	" 'routes': [{'name': 'r', 'frontend': 'w', 'action': {'type': 'farm', 'target': 'f'},"
	" 'rules': [{'field': 'sni', 'match': 'is', 'pattern': 'a'}]}]}";

enum part {
	OF_ROOT,
	OF_FARM,
	OF_PROBE,
	OF_SERVER,
	OF_FRONTEND,
	OF_ROUTE,
	OF_ACTION,
	OF_RULE,
	PARTS,
};

static json_t *part_of(json_t *root, enum part part)
{
	json_t *farm = json_array_get(json_object_get(root, "farms"), 0);
	json_t *route = json_array_get(json_object_get(root, "routes"), 0);

	switch (part) {
	case OF_ROOT:
		return root;
	case OF_FARM:
		return farm;
	case OF_PROBE:
		return json_object_get(farm, "probe");
	case OF_SERVER:
		return json_array_get(json_object_get(farm, "servers"), 0);
	case OF_FRONTEND:
		return json_array_get(json_object_get(root, "frontends"), 0);
	case OF_ROUTE:
		return route;
	case OF_ACTION:
		return json_object_get(route, "action");
	default:
		return json_array_get(json_object_get(route, "rules"), 0);
	}
}

static const struct table *table_of(enum part part)
{
	static const enum kind kinds[PARTS] = {
		[OF_FARM] = KIND_FARM,	 [OF_SERVER] = KIND_SERVER, [OF_FRONTEND] = KIND_FRONTEND,
		[OF_ROUTE] = KIND_ROUTE, [OF_RULE] = KIND_RULE,
	};

	if (part == OF_ROOT)
		return &config_table;
	if (part == OF_PROBE)
		return &probe_table;
	return part == OF_ACTION ? table_find(kind_table(KIND_ROUTE), "action")->table
				 : kind_table(kinds[part]);
}

/* What a value may be. */
enum outcome {
	REFUSED,
	DEFAULT, /* the same as leaving it out */
	VALUE,	 /* something else */
};

static const struct row {
	enum part part;
	const char *key;
	enum outcome unset, null, nothing;
	const char *empty; /* that nothing */
	const char *wrong; /* a value of another type */
} rows[] = {
	{OF_ROOT, "display_name", DEFAULT, DEFAULT, VALUE, "''", "1"},
	{OF_ROOT, "zone", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_ROOT, "control_group", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_ROOT, "api", DEFAULT, DEFAULT, REFUSED, "{}", "1"},
	{OF_ROOT, "nat_ip", DEFAULT, DEFAULT, REFUSED, "[]", "'10.0.0.1'"},
	{OF_ROOT, "nat_ports", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_ROOT, "max_flows", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_ROOT, "xdp", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_ROOT, "accel", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_ROOT, "farms", REFUSED, REFUSED, REFUSED, "[]", "{}"}, /* is referred to */
	{OF_ROOT, "frontends", REFUSED, REFUSED, REFUSED, "[]", "{}"},
	{OF_ROOT, "routes", DEFAULT, DEFAULT, DEFAULT, "[]", "{}"},

	{OF_FARM, "id", DEFAULT, REFUSED, REFUSED, "0", "'1'"},
	{OF_FARM, "name", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_FARM, "display_name", DEFAULT, DEFAULT, VALUE, "''", "1"},
	{OF_FARM, "zone", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_FARM, "port", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_FARM, "fallback_farm", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_FARM, "balance", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_FARM, "stickiness", DEFAULT, DEFAULT, REFUSED, "''", "true"},
	{OF_FARM, "stick_size", DEFAULT, DEFAULT, REFUSED, "0", "'1000'"},
	{OF_FARM, "stick_ttl", DEFAULT, DEFAULT, REFUSED, "0", "5"},
	{OF_FARM, "stick_on_drain", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_FARM, "queue_size", DEFAULT, DEFAULT, VALUE, "0", "'1'"},
	{OF_FARM, "queue_timeout", DEFAULT, DEFAULT, REFUSED, "0", "5"},
	{OF_FARM, "probe", DEFAULT, DEFAULT, REFUSED, "{}", "true"},
	{OF_FARM, "vrack_network_id", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_FARM, "servers", DEFAULT, DEFAULT, DEFAULT, "[]", "{}"},

	{OF_PROBE, "type", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_PROBE, "port", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_PROBE, "interval", DEFAULT, DEFAULT, REFUSED, "0", "30"},
	{OF_PROBE, "timeout", DEFAULT, DEFAULT, REFUSED, "0", "30"},
	{OF_PROBE, "rise", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_PROBE, "fall", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_PROBE, "match", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_PROBE, "pattern", DEFAULT, DEFAULT, VALUE, "''", "1"},
	{OF_PROBE, "negate", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_PROBE, "method", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_PROBE, "url", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_PROBE, "force_ssl", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_PROBE, "sni", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_PROBE, "alpn", DEFAULT, DEFAULT, REFUSED, "''", "['h2']"},
	{OF_PROBE, "verify", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_PROBE, "ca", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_PROBE, "cert_name", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_PROBE, "cert_days", DEFAULT, DEFAULT, DEFAULT, "0", "'1'"},

	{OF_SERVER, "id", DEFAULT, REFUSED, REFUSED, "0", "'1'"},
	{OF_SERVER, "name", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_SERVER, "display_name", DEFAULT, DEFAULT, VALUE, "''", "1"},
	{OF_SERVER, "address", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_SERVER, "port", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_SERVER, "status", DEFAULT, REFUSED, REFUSED, "''", "true"},
	{OF_SERVER, "weight", DEFAULT, DEFAULT, VALUE, "0", "'1'"},
	{OF_SERVER, "backup", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_SERVER, "probe", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_SERVER, "proxy_protocol_version", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_SERVER, "proxy_tlvs", DEFAULT, DEFAULT, DEFAULT, "[]", "'alpn'"},
	{OF_SERVER, "on_marked_down", DEFAULT, DEFAULT, REFUSED, "''", "true"},
	{OF_SERVER, "ssl", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_SERVER, "chain", DEFAULT, DEFAULT, REFUSED, "''", "true"},
	{OF_SERVER, "max_connections", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_SERVER, "slow_start", DEFAULT, DEFAULT, REFUSED, "0", "5"},

	{OF_FRONTEND, "id", DEFAULT, REFUSED, REFUSED, "0", "'1'"},
	{OF_FRONTEND, "name", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_FRONTEND, "display_name", DEFAULT, DEFAULT, VALUE, "''", "1"},
	{OF_FRONTEND, "zone", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_FRONTEND, "port", REFUSED, REFUSED, REFUSED, "''", "true"},
	{OF_FRONTEND, "default_farm", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_FRONTEND, "allowed_source", DEFAULT, DEFAULT, REFUSED, "[]", "'10.0.0.1'"},
	{OF_FRONTEND, "denied_source", DEFAULT, DEFAULT, REFUSED, "[]", "'10.0.0.1'"},
	{OF_FRONTEND, "dedicated_ipfo", DEFAULT, DEFAULT, REFUSED, "[]", "'10.0.0.1'"},
	{OF_FRONTEND, "proxy_sources", DEFAULT, DEFAULT, REFUSED, "[]", "'10.0.0.1'"},
	{OF_FRONTEND, "disabled", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_FRONTEND, "path", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_FRONTEND, "hello_timeout", DEFAULT, DEFAULT, REFUSED, "0", "5"},
	{OF_FRONTEND, "connect_timeout", DEFAULT, DEFAULT, REFUSED, "0", "5"},
	{OF_FRONTEND, "idle_timeout", DEFAULT, DEFAULT, DEFAULT, "0", "5"},
	{OF_FRONTEND, "half_close_timeout", DEFAULT, DEFAULT, VALUE, "0", "5"},
	{OF_FRONTEND, "handshake", DEFAULT, DEFAULT, REFUSED, "''", "true"},
	{OF_FRONTEND, "max_connections", DEFAULT, DEFAULT, DEFAULT, "0", "'1'"},
	{OF_FRONTEND, "rate_limit", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_FRONTEND, "source_rate_limit", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_FRONTEND, "source_rate_prefix_v4", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_FRONTEND, "source_rate_prefix_v6", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},
	{OF_FRONTEND, "ssl", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_FRONTEND, "default_ssl", DEFAULT, DEFAULT, REFUSED, "0", "'1'"},

	{OF_ROUTE, "id", DEFAULT, REFUSED, REFUSED, "0", "'1'"},
	{OF_ROUTE, "name", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_ROUTE, "display_name", DEFAULT, DEFAULT, VALUE, "''", "1"},
	{OF_ROUTE, "frontend", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_ROUTE, "weight", DEFAULT, DEFAULT, DEFAULT, "0", "'1'"},
	{OF_ROUTE, "action", REFUSED, REFUSED, REFUSED, "{}", "'farm'"},
	{OF_ROUTE, "rules", DEFAULT, DEFAULT, DEFAULT, "[]", "{}"},

	{OF_ACTION, "type", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_ACTION, "target", REFUSED, REFUSED, REFUSED, "''", "1"}, /* farm needs one */

	{OF_RULE, "id", DEFAULT, REFUSED, REFUSED, "0", "'1'"},
	{OF_RULE, "name", DEFAULT, DEFAULT, REFUSED, "''", "1"},
	{OF_RULE, "display_name", DEFAULT, DEFAULT, VALUE, "''", "1"},
	{OF_RULE, "field", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_RULE, "match", REFUSED, REFUSED, REFUSED, "''", "1"},
	{OF_RULE, "negate", DEFAULT, DEFAULT, DEFAULT, "false", "0"},
	{OF_RULE, "pattern", REFUSED, REFUSED, REFUSED, "''", "1"}, /* is needs one */
	{OF_RULE, "sub_field", DEFAULT, DEFAULT, REFUSED, "''", "1"},
};

static json_t *parsed(const char *text)
{
	json_error_t error;
	char json[1024];
	json_t *value;

	snprintf(json, sizeof(json), "%s", text);
	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(json, JSON_DECODE_ANY, &error);
	assert_non_null(value);
	return value;
}

/* The configuration with that value, NULL for none, as it is encoded; NULL when it is refused. */
static json_t *with_value(const struct row *row, const char *value)
{
	struct problems problems = {0};
	json_t *root = parsed(document), *part = part_of(root, row->part), *encoded;
	struct config *config;

	json_object_del(part, row->key);
	if (value)
		json_object_set_new(part, row->key, parsed(value));
	config = config_decode_tree(root, DECODE_TO_RUN, &problems);
	for (size_t i = 0; !config && i < problems.n; i++)
		if (!problems.v[i].warning) /* it says what is allowed */
			assert_non_null(strstr(problems.v[i].message, "allowed: "));
	encoded = config ? config_encode(config) : NULL;
	config_free(config);
	problems_free(&problems);
	json_decref(root);
	return encoded;
}

static int differences;

static void expect(const struct row *row, const char *value, enum outcome expected,
		   const json_t *unset)
{
	json_t *encoded = with_value(row, value);
	enum outcome outcome = !encoded ? REFUSED : json_equal(encoded, unset) ? DEFAULT : VALUE;

	if (outcome != expected) {
		print_error("%s %s: %d, not %d\n", row->key, value ? value : "unset", outcome,
			    expected);
		differences++;
	}
	json_decref(encoded);
}

static void null_nothing_and_unset_of_every_attribute(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *unset = with_value(&rows[i], NULL);

		expect(&rows[i], NULL, rows[i].unset, unset);
		expect(&rows[i], "null", rows[i].null, unset);
		expect(&rows[i], rows[i].empty, rows[i].nothing, unset);
		expect(&rows[i], rows[i].wrong, REFUSED, unset);
		json_decref(unset);
	}
	assert_int_equal(differences, 0);
}

static void no_attribute_is_left_out(void **state)
{
	for (int part = 0; part < PARTS; part++) {
		const struct table *table = table_of(part);
		size_t n = 0;

		for (size_t i = 0; i < COUNT(rows); i++) {
			if ((int)rows[i].part != part)
				continue;
			assert_non_null(table_find(table, rows[i].key));
			n++;
		}
		assert_int_equal(n, table->n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_nothing_and_unset_of_every_attribute),
		cmocka_unit_test(no_attribute_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
