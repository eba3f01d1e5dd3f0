/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../user/cli/classify.h"
#include "../../user/cli/explain.h"
#include "../../user/model/decode.h"

static const uint8_t source[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

/* What a client says that offers no more than a server name. */
static void init_named(struct classification *c, const char *name, size_t len)
{
	memset(c, 0, sizeof(*c));
	c->source_known = true;
	c->hello.verdict = VERDICT_TLS;
	c->hello.flags = HELLO_SNI;
	c->hello.sni_len = len;
	memcpy(c->hello.sni, name, len);
	subject_init(&c->subject, &c->hello, source);
}

/* A ClientHello in records of `cut` bytes that offers `names`, each behind its length byte. */
static size_t build_hello(uint8_t *out, const char *names, size_t names_len, size_t cut)
{
	uint8_t message[4096] = {1}, *p = message + 4;
	size_t len, size = 0;

	p[0] = p[1] = 3;
	p += 2 + 32 + 1; /* no session id */
	memcpy(p, "\x00\x02\x13\x01\x01\x00", 6);
	p += 6;
	*p++ = (names_len + 6) >> 8;
	*p++ = names_len + 6;
	memcpy(p, "\x00\x10", 2);
	p[2] = (names_len + 2) >> 8;
	p[3] = names_len + 2;
	p[4] = names_len >> 8;
	p[5] = names_len;
	memcpy(p + 6, names, names_len);
	len = p + 6 + names_len - message;
	message[2] = (len - 4) >> 8;
	message[3] = len - 4;
	for (size_t at = 0; at < len; at += cut) {
		size_t n = len - at < cut ? len - at : cut;

		memcpy(out + size, "\x16\x03\x01", 3);
		out[size + 3] = n >> 8;
		out[size + 4] = n;
		memcpy(out + size + 5, message + at, n);
		size += 5 + n;
	}
	return size;
}

static struct config *load_routes(const char *routes)
{
	struct problems problems = {0};
	struct document *document;
	struct config *config;
	char text[2048];

	snprintf(text, sizeof(text),
		 "farms: [{name: f, servers: [{name: s, address: 10.0.0.1, port: 1}]}]\n"
		 "frontends: [{name: web, port: 443, default_farm: f}]\n"
		 "routes: [%s]\n",
		 routes);
	document = document_parse(text, strlen(text), &problems);
	assert_non_null(document);
	config = config_decode(document, &problems);
	if (problems.errors)
		print_error("%s\n", problems.v[0].message);
	assert_non_null(config);
	document_free(document);
	problems_free(&problems);
	assert_int_equal(config_assign_ids(config, NULL, NULL), 0);
	return config;
}

#define REJECT(name, rules)                                                                        \
	"{name: " name ", frontend: web, action: {type: reject}, rules: [" rules "]},"

static struct config *load(const char *rules)
{
	char text[1024];

	snprintf(text, sizeof(text), REJECT("r", "%s"), rules);
	return load_routes(text);
}

static void names_that_do_not_fit_the_program_are_seen_over_any_cut(void **state)
{
	static char names[30 * 11 + 3];
	uint8_t hello[32768];

	for (size_t i = 0; i < 30; i++)
		memcpy(names + i * 11, "\x0aprotocol-x", 11);
	memcpy(names + 30 * 11, "\x02h2", 3);
	for (size_t cut = 1; cut < 400; cut += 7) {
		struct classification c;
		size_t len = build_hello(hello, names, sizeof(names), cut);

		assert_int_equal(classify(hello, len, source, &c), 0);
		assert_int_equal(c.hello.verdict, VERDICT_TLS);
		assert_true(c.hello.flags & HELLO_ALPN_CUT);
		assert_int_equal(c.subject.alpn_len, sizeof(names));
		assert_memory_equal(c.subject.alpn, names, sizeof(names));
		assert_true(classification_protocols(&c) & PROTOCOL_HTTP2);
		assert_false(classification_protocols(&c) & PROTOCOL_HTTP1);
		classification_free(&c);
	}
}

/* ---- explanations ------------------------------------------------------------------------ */

static void expect_rule(const json_t *routes, size_t rule, bool holds, const char *value)
{
	json_t *rules = json_object_get(json_array_get(routes, 0), "rules");
	json_t *row = json_array_get(rules, rule);
	char *found = json_dumps(json_object_get(row, "value"), JSON_ENCODE_ANY | JSON_COMPACT);

	assert_string_equal(found, value);
	assert_int_equal(json_is_true(json_object_get(row, "holds")), holds);
	assert_true(json_is_false(json_object_get(row, "gave_up")));
	free(found);
}

static void each_rule_is_explained_by_what_it_looks_at(void **state)
{
	struct config *config = load("{field: alpn, match: matches, pattern: '^h[23]$'},"
				     "{field: alpn, match: is, pattern: h2, negate: true},"
				     "{field: alpn, match: is, pattern: spdy},"
				     "{field: sni, match: exists, negate: true},"
				     "{field: source, match: in, pattern: 198.51.100.0/24},"
				     "{field: protocol, match: is, pattern: ssh},"
				     "{field: tls.version, match: is, pattern: '1.2'},"
				     "{field: tls.ech, match: exists}");
	const struct frontend *web = &config->frontends[0];
	struct classification c;
	uint8_t hello[256];
	size_t len = build_hello(hello, "\x08http/1.1\x02h2", 12, 64);
	json_t *routes;

	assert_int_equal(classify(hello, len, source, &c), 0);
	routes = explain_routes(config, web, &c, NULL);
	expect_rule(routes, 0, true, "[\"h2\"]");
	expect_rule(routes, 1, false, "[\"h2\"]");
	expect_rule(routes, 2, false, "[\"http/1.1\",\"h2\"]");
	expect_rule(routes, 3, true, "null");
	expect_rule(routes, 4, false, "\"192.0.2.1\"");
	expect_rule(routes, 5, false, "[\"tcp\",\"tls\",\"https\",\"http/1.1\",\"http/2.0\"]");
	expect_rule(routes, 6, true, "\"1.2\"");
	expect_rule(routes, 7, false, "\"absent\"");
	json_decref(routes);
	classification_free(&c);
	config_free(config);
}

static const char *outcome_of(const struct config *config, const struct classification *c,
			      const struct route *decided)
{
	static char outcome[64];
	json_t *routes = explain_routes(config, &config->frontends[0], c, decided);
	json_t *row = json_array_get(routes, 0);

	snprintf(outcome, sizeof(outcome), "%s",
		 json_string_value(json_object_get(row, "outcome")));
	json_decref(routes);
	return outcome;
}

static void each_route_is_explained_by_its_outcome(void **state)
{
	struct config *config = load("{field: alpn, match: is, pattern: h2},"
				     "{field: sni, match: exists}");
	struct route *route = &config->routes[0];
	struct classification c;
	uint8_t hello[256];
	size_t len = build_hello(hello, "\x02h2", 3, 64);

	assert_int_equal(classify(hello, len, source, &c), 0);
	assert_string_equal(outcome_of(config, &c, NULL), "does not match");
	route->n_rules = 1;
	assert_string_equal(outcome_of(config, &c, route), "decides");
	route->n_rules = 0;
	assert_string_equal(outcome_of(config, &c, NULL), "never matches: it has no rules");
	route->n_rules = 2;
	classification_free(&c);
	config_free(config);
}

static void what_depends_on_an_unknown_source_is_not_told(void **state)
{
	struct config *config =
		load("{field: source, match: in, pattern: 192.0.2.0/24, negate: true},"
		     "{field: alpn, match: is, pattern: h2}");
	struct classification c;
	uint8_t hello[256];
	size_t len = build_hello(hello, "\x02h2", 3, 64);
	json_t *routes, *route, *rule;

	assert_int_equal(classify(hello, len, NULL, &c), 0);
	routes = explain_routes(config, &config->frontends[0], &c, &config->routes[0]);
	route = json_array_get(routes, 0);
	rule = json_array_get(json_object_get(route, "rules"), 0);
	assert_true(json_is_null(json_object_get(rule, "value")));
	assert_true(json_is_null(json_object_get(rule, "holds")));
	assert_true(json_is_null(json_object_get(route, "matches")));
	assert_true(explain_needs_source(routes));
	json_decref(routes);
	classification_free(&c);

	len = build_hello(hello, "\x02h3", 3, 64); /* it does not match, whatever the source */
	assert_int_equal(classify(hello, len, NULL, &c), 0);
	assert_string_equal(outcome_of(config, &c, NULL), "does not match");
	classification_free(&c);
	config_free(config);
}

/* As the daemon decides when the hello timeout is over. */
static void a_client_that_says_nothing_is_explained(void **state)
{
	struct config *config = load_routes(
		REJECT("named", "{field: sni, match: exists, negate: true}")
			REJECT("near", "{field: source, match: is, pattern: 192.0.2.0/24}"));
	struct classification c;
	json_t *routes;

	assert_int_equal(classify(NULL, 0, source, &c), 0);
	assert_int_equal(c.hello.verdict, VERDICT_SILENT);
	assert_int_equal(classification_protocols(&c), PROTOCOL_TCP);
	routes = explain_routes(config, &config->frontends[0], &c, &config->routes[1]);
	expect_rule(routes, 0, false, "null");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(routes, 1), "outcome")),
		"decides");
	json_decref(routes);
	classification_free(&c);
	config_free(config);
}

#define SLOW(name) REJECT(name, "{field: sni, match: matches, pattern: '(a+)+$'}")

/* The daemon tries no more of them after four that were given up. */
static void a_rule_is_explained_by_what_it_came_to_in_the_decision(void **state)
{
	struct config *config = load_routes(
		SLOW("s1") SLOW("s2") SLOW("s3") SLOW("s4") SLOW("s5")
			REJECT("good", "{field: sni, match: matches, pattern: 'b$'}")
				REJECT("any", "{field: sni, match: exists}")
					REJECT("late", "{field: sni, match: matches, pattern: b}"));
	static const char *const outcomes[] = {"does not match", "decides",
					       "matches, but comes later"};
	struct classification c;
	struct decision decision;
	struct tables tables = {0};
	char name[251];
	json_t *routes, *row;

	memset(name, 'a', sizeof(name));
	name[250] = 'b';
	init_named(&c, name, sizeof(name));
	assert_int_equal(tables_compile(config, &tables), 0);
	assert_int_equal(classification_decide(&c, &tables, 1, &decision), 0);
	assert_int_equal(decision.route_id, 7);
	routes = explain_routes(config, &config->frontends[0], &c, &config->routes[6]);
	for (size_t i = 0; i < 3; i++) {
		row = json_array_get(routes, 5 + i);
		assert_string_equal(json_string_value(json_object_get(row, "outcome")),
				    outcomes[i]);
		row = json_array_get(json_object_get(row, "rules"), 0);
		assert_int_equal(json_is_true(json_object_get(row, "gave_up")), i == 0);
		assert_int_equal(json_is_true(json_object_get(row, "holds")), i != 0);
	}
	json_decref(routes);
	tables_free(&tables);
	classification_free(&c);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_do_not_fit_the_program_are_seen_over_any_cut),
		cmocka_unit_test(each_rule_is_explained_by_what_it_looks_at),
		cmocka_unit_test(each_route_is_explained_by_its_outcome),
		cmocka_unit_test(what_depends_on_an_unknown_source_is_not_told),
		cmocka_unit_test(a_client_that_says_nothing_is_explained),
		cmocka_unit_test(a_rule_is_explained_by_what_it_came_to_in_the_decision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
