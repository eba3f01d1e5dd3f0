// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Warnings about routes; that they are true of every client is what fuzz_route checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "../../user/model/decode.h"
#include "../../user/model/warnings.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* "path: message" of each problem of a configuration with these routes; malloc()ed. */
static char *warnings_for(const char *frontend, const char *routes,
			  const struct frontend_stats *stats)
{
	struct problems problems = {0};
	struct document *document;
	struct config *config;
	char *text, *found;
	size_t size;
	FILE *out = open_memstream(&found, &size);

	assert_true(
		asprintf(&text,
			 "farms: [{name: one, servers: [{name: s, address: 10.0.0.1, port: 1}]},"
			 "{name: two, servers: [{name: s, address: 10.0.0.2, port: 1}]}]\n"
			 "frontends: [{name: web, port: 443, %s}]\nroutes:\n%s",
			 frontend, routes) > 0);
	document = document_parse(text, strlen(text), &problems);
	assert_non_null(document);
	config = config_decode(document, &problems);
	assert_int_equal(problems.errors, 0);
	if (stats) {
		assert_int_equal(config_assign_ids(config, NULL, NULL), 0);
		config_warn_of_ech(config, document_root(document), stats, &problems);
	}
	for (size_t i = 0; i < problems.n; i++)
		fprintf(out, "%s%s: %s", i ? "\n" : "", problems.v[i].path, problems.v[i].message);
	fclose(out);
	config_free(config);
	document_free(document);
	problems_free(&problems);
	free(text);
	return found;
}

static char *warnings_of(const char *default_farm, const char *routes)
{
	char frontend[64];

	snprintf(frontend, sizeof(frontend), "default_farm: %s", default_farm);
	return warnings_for(frontend, routes, NULL);
}

static void expect(const char *default_farm, const char *routes, const char *expected)
{
	char *found = warnings_of(default_farm, routes);

	assert_string_equal(found, expected);
	free(found);
}

#define ROUTE(name, target, rules)                                                                 \
	"- {name: " name ", frontend: web, action: {type: farm, target: " target                   \
	"}, rules: [" rules "]}\n"
#define REJECT(name, rules)                                                                        \
	"- {name: " name ", frontend: web, weight: 9, action: {type: reject}, "                    \
	"rules: [" rules "]}\n"
#define RULE(field, match, pattern) "{field: " field ", match: " match ", pattern: '" pattern "'}"
#define NOT(field, match, pattern)                                                                 \
	"{field: " field ", match: " match ", pattern: '" pattern "', negate: true}"
#define EXISTS(field)	  "{field: " field ", match: exists}"
#define NOT_EXISTS(field) "{field: " field ", match: exists, negate: true}"

/* ---- routes that never match ------------------------------------------------------------- */

static const struct pair {
	const char *first, *second;
	bool warns;
} contradictions[] = {
	{RULE("sni", "is", "a"), RULE("sni", "is", "b"), true},
	{RULE("sni", "is", "a"), RULE("host", "in", "b, a"), false},
	{RULE("sni", "in", "a, b"), RULE("sni", "startswith", "c"), true},
	{RULE("sni", "in", "a, cb"), RULE("sni", "startswith", "c"), false},
	{RULE("sni", "endswith", ".x"), RULE("sni", "endswith", ".y"), true},
	{RULE("sni", "endswith", ".x"), RULE("sni", "endswith", ".a.x"), false},
	{RULE("sni", "startswith", "a"), RULE("sni", "endswith", "b"), false},
	{RULE("sni", "startswith", "a"), RULE("sni", "contains", "b"), false},
	{RULE("sni", "is", "a"), RULE("sni", "matches", "b"), false},
	{RULE("sni", "is", "a"), NOT("sni", "is", "a"), true},
	{RULE("sni", "is", "a.x"), NOT("sni", "endswith", ".x"), true},
	{RULE("sni", "endswith", ".x"), NOT("sni", "is", "a.x"), false},
	{RULE("sni", "matches", "x"), NOT("sni", "matches", "x"), true},
	{RULE("sni", "contains", "x"), NOT_EXISTS("sni"), true},
	{NOT("sni", "is", "a"), NOT("sni", "is", "b"), false},
	{RULE("alpn", "is", "h2"), RULE("alpn", "is", "http/1.1"), false},
	{RULE("alpn", "is", "h2"), NOT("alpn", "in", "h2, h3"), true},
	{RULE("alpn", "is", "h2"), NOT("protocol", "is", "http/2.0"), true},
	{RULE("alpn", "is", "h2"), NOT("protocol", "is", "https"), true},
	{RULE("source", "is", "10.0.0.0/8"), RULE("source", "is", "10.1.0.0/16"), false},
	{RULE("source", "is", "10.0.0.0/8"), RULE("source", "in", "11.0.0.0/8, 2001:db8::/32"),
	 true},
	{RULE("source", "is", "10.1.0.0/16"), NOT("source", "is", "10.0.0.0/8"), true},
	{RULE("protocol", "is", "ssh"), EXISTS("sni"), true},
	{RULE("protocol", "is", "http"), EXISTS("tls.version"), true},
	{RULE("protocol", "is", "http/2.0"), EXISTS("sni"), false},
	{RULE("protocol", "is", "http/2.0"), RULE("protocol", "is", "http/1.1"), false},
	{RULE("protocol", "in", "ssh, tls"), RULE("protocol", "in", "http, tls"), false},
	{RULE("protocol", "is", "ssh"), RULE("protocol", "in", "http, https"), true},
	{NOT("protocol", "is", "tls"), RULE("sni", "is", "a"), true},
	{NOT("protocol", "is", "tls"), NOT_EXISTS("sni"), false},
	{NOT("protocol", "in", "tcp, ssh"), EXISTS("sni"), true},
	{RULE("tls.version", "is", "1.2"), RULE("tls.version", "is", "1.3"), true},
	{RULE("tls.version", "in", "1.2, 1.3"), NOT("tls.version", "is", "1.3"), false},
	{RULE("tls.ech", "is", "absent"), EXISTS("tls.ech"), true},
	{NOT_EXISTS("tls.version"), RULE("protocol", "is", "tls"), true},
	{NOT_EXISTS("tls.version"), EXISTS("alpn"), true},
	{NOT_EXISTS("tls.version"), RULE("protocol", "is", "ssh"), false},
	{NOT("tls.version", "in", "1.2, 1.3"), RULE("protocol", "is", "tls"), false},
	{NOT("tls.ech", "in", "absent, present"), RULE("protocol", "is", "https"), true},
	{NOT("tls.ech", "is", "absent"), NOT("tls.ech", "is", "present"), false}, /* in clear */
};

static void rules_that_exclude_each_other_are_told(void **state)
{
	for (size_t i = 0; i < COUNT(contradictions); i++)
		for (int turned = 0; turned < 2; turned++) {
			const struct pair *p = &contradictions[i];
			char *routes, *found;

			assert_true(asprintf(&routes, REJECT("r", "%s, %s"),
					     turned ? p->second : p->first,
					     turned ? p->first : p->second) > 0);
			found = warnings_of("one", routes);
			if (!strstr(found, "never matches") == p->warns)
				fail_msg("%s: '%s'", routes, found);
			free(routes);
			free(found);
		}
}

/* Where no two of the rules do. */
static const struct {
	const char *rules, *told;
} many[] = {
	{RULE("protocol", "is", "http/1.1") "," NOT("protocol", "is", "http") "," NOT("protocol",
										      "is", "tls"),
	 "its rules exclude each other"},
	{RULE("protocol", "is", "http/1.1") "," NOT("protocol", "is", "http"), NULL},
	{RULE("protocol", "is", "http/1.1") "," NOT("protocol", "is", "tls"), NULL},
	{RULE("protocol", "in", "http/1.1, http/2.0") "," NOT("protocol", "is", "http") "," NOT(
		 "protocol", "is", "https"),
	 "its rules exclude each other"},
	{RULE("protocol", "in", "ssh, http") "," NOT("protocol", "is", "ssh") "," NOT("protocol",
										      "is", "http"),
	 "each pattern of rule 1 is excluded by another rule"},
	{RULE("protocol", "is", "https") "," EXISTS("alpn") "," NOT("alpn", "in",
								    "h2, http/1.1, http/1.0"),
	 "its rules exclude each other"},
	{RULE("protocol", "is", "https") "," NOT("alpn", "in", "h2, http/1.1, http/1.0"), NULL},
	{RULE("protocol", "is", "https") "," EXISTS("alpn") "," NOT("alpn", "in", "h2, http/1.1"),
	 NULL},
	{RULE("alpn", "is", "x") "," RULE("protocol", "is", "http/1.1") "," NOT("protocol", "is",
										"http"),
	 NULL},
	{EXISTS("tls.version") "," NOT("tls.version", "in",
				       "1.0, 1.1, 1.2") "," NOT("tls.version", "in", "ssl3, 1.3"),
	 NULL}, /* what comes after it */
	{NOT("tls.ech", "is", "present") "," NOT("tls.ech", "is", "absent") "," EXISTS("sni"),
	 "its rules exclude each other"},
	{RULE("sni", "in", "a.x, b.y") "," NOT("sni", "is", "a.x") "," RULE("sni", "endswith",
									    ".x"),
	 "each pattern of rule 1 is excluded by another rule"},
	{RULE("sni", "in", "a.x, b.y") "," NOT("sni", "is", "a.x"), NULL},
	{RULE("alpn", "in", "h2, h3") "," NOT("alpn", "is", "h2") "," NOT("alpn", "is", "h3"),
	 "each pattern of rule 1 is excluded by another rule"},
	{RULE("source", "in", "10.1.0.0/16, 2001:db8::1") "," NOT(
		 "source", "is", "10.0.0.0/8") "," NOT("source", "is", "2001:db8::/32"),
	 "each pattern of rule 1 is excluded by another rule"},
};

static void more_than_two_rules_that_exclude_each_other_are_told(void **state)
{
	for (size_t i = 0; i < COUNT(many); i++) {
		char *routes, *found;

		assert_true(asprintf(&routes, REJECT("r", "%s"), many[i].rules) > 0);
		found = warnings_of("one", routes);
		if (many[i].told ? !strstr(found, many[i].told) : *found)
			fail_msg("%zu: %s: '%s'", i, routes, found);
		free(routes);
		free(found);
	}
}

static void a_contradiction_names_the_rules(void **state)
{
	expect("one",
	       REJECT("r", EXISTS("alpn") "," RULE("sni", "is", "a") "," RULE("sni", "is", "b")),
	       "routes[0]: rules 2 and 3 exclude each other: the route never matches");
	expect("one", REJECT("r", EXISTS("alpn") "," NOT("protocol", "is", "tcp")),
	       "routes[0]: rule 2 holds for nobody: the route never matches");
}

/* `second` comes later, and holds for no client that `first` does not hold for. */
static const struct pair shadows[] = {
	{RULE("sni", "is", "a"), RULE("sni", "is", "a"), true},
	{RULE("sni", "is", "a"), RULE("sni", "is", "b"), false},
	{RULE("sni", "in", "a, b"), RULE("sni", "is", "b") "," RULE("alpn", "is", "h2"), true},
	{RULE("sni", "is", "a") "," RULE("alpn", "is", "h2"), RULE("sni", "is", "a"), false},
	{RULE("sni", "is", "b"), RULE("sni", "in", "a, b"), false},
	{RULE("sni", "endswith", ".x"), RULE("sni", "in", "a.x, b.x"), true},
	{RULE("sni", "endswith", ".x"), RULE("sni", "endswith", ".a.x"), true},
	{RULE("sni", "endswith", ".a.x"), RULE("sni", "endswith", ".x"), false},
	{RULE("sni", "contains", "."), RULE("sni", "startswith", "www."), true},
	{RULE("sni", "startswith", "www"), RULE("sni", "contains", "www."), false},
	{RULE("sni", "matches", "a|b"), RULE("sni", "matches", "a|b"), true},
	{RULE("sni", "matches", "a|b"), RULE("sni", "is", "a"), false},
	{RULE("sni", "contains", "a"), RULE("sni", "matches", "ab"), false},
	{EXISTS("sni"), RULE("sni", "matches", "ab"), true},
	{EXISTS("sni"), NOT("sni", "is", "ab"), false},
	{NOT("sni", "is", "a"), RULE("sni", "is", "b"), true},
	{NOT("sni", "is", "a"), NOT("sni", "in", "a, b"), true},
	{NOT("sni", "in", "a, b"), NOT("sni", "is", "a"), false},
	{NOT("sni", "is", "a"), NOT("protocol", "is", "tls"), false}, /* unreadable hellos */
	{NOT("sni", "is", "a"), RULE("protocol", "is", "ssh"), true},
	{NOT("alpn", "is", "h2"), RULE("alpn", "is", "http/1.1"), false},
	{RULE("protocol", "is", "tls"), RULE("sni", "is", "a"), true},
	{RULE("protocol", "is", "tls"), RULE("source", "is", "10.0.0.0/8"), false},
	{RULE("protocol", "is", "https"), RULE("alpn", "in", "h2, http/1.1"), true},
	{RULE("protocol", "is", "https"), RULE("alpn", "in", "h2, xmpp"), false},
	{RULE("protocol", "is", "tcp"), NOT_EXISTS("alpn"), true},
	{RULE("source", "in", "10.0.0.0/8, 2001:db8::/32"), RULE("source", "is", "10.1.2.3"), true},
	{RULE("source", "is", "10.1.0.0/16"), RULE("source", "is", "10.0.0.0/8"), false},
	{EXISTS("tls.version"), RULE("tls.version", "is", "1.3"), true},
	{RULE("tls.version", "is", "1.3"), EXISTS("tls.version"), false},
	{EXISTS("tls.version"), RULE("sni", "is", "a"), true},
};

static void a_route_behind_one_that_takes_its_clients_is_told(void **state)
{
	for (size_t i = 0; i < COUNT(shadows); i++) {
		const struct pair *p = &shadows[i];
		char *routes, *found;

		assert_true(asprintf(&routes, ROUTE("r", "one", "%s") ROUTE("s", "one", "%s"),
				     p->first, p->second) > 0);
		found = warnings_of("one", routes);
		if (p->warns != !!strstr(found, "comes first and matches whenever"))
			fail_msg("%s: '%s'", routes, found);
		free(routes);
		free(found);
	}
}

static void a_shadow_is_named_in_the_order_of_evaluation(void **state)
{
	expect("one",
	       ROUTE("r", "one", RULE("sni", "is", "a"))
		       REJECT("s", RULE("source", "is", "10.0.0.0/8"))
			       REJECT("t", RULE("sni", "startswith", "a")),
	       "routes[0]: the route \"t\" in line 6 comes first and matches whenever this one "
	       "would: it never does");
}

/* Routes of other frontends, or without rules, take nobody's clients. */
static void only_a_route_of_the_frontend_shadows(void **state)
{
	expect("one",
	       "- {name: r, action: {type: reject}, rules: [" EXISTS("sni") "]}\n" REJECT(
		       "s", RULE("sni", "is", "a")),
	       "routes[0]: is attached to no frontend: the route never matches");
	expect("one", REJECT("r", "") REJECT("s", RULE("sni", "is", "a")),
	       "routes[0].rules: no rules: the route never matches");
}

#define DENIED	"denied_source: [10.0.0.0/8, '2001:db8::/32']"
#define ALLOWED "allowed_source: [10.0.0.0/8, '2001:db8::/32']"

static const struct {
	const char *frontend, *rule;
	bool warns;
} sources[] = {
	{DENIED, RULE("source", "is", "10.1.2.3"), true},
	{DENIED, RULE("source", "in", "10.1.0.0/16, 2001:db8::/48"), true},
	{DENIED, RULE("source", "in", "10.1.0.0/16, 11.0.0.0/8"), false},
	{DENIED, RULE("source", "is", "8.0.0.0/5"), false},
	{DENIED, NOT("source", "is", "10.0.0.0/8"), false},
	{DENIED, NOT("source", "is", "11.0.0.0/8"), false},
	{ALLOWED, RULE("source", "in", "11.0.0.0/8, 2001:db9::1"), true},
	{ALLOWED, RULE("source", "in", "11.0.0.0/8, 10.0.0.1"), false},
	{ALLOWED, RULE("source", "is", "8.0.0.0/5"), false},
	{ALLOWED, NOT("source", "in", "8.0.0.0/5, 2001:db8::/32"), true},
	{ALLOWED, NOT("source", "is", "10.0.0.0/8"), false},
	{"disabled: false", RULE("source", "is", "10.0.0.0/8"), false},
};

static void a_route_for_sources_that_are_not_let_in_is_told(void **state)
{
	for (size_t i = 0; i < COUNT(sources); i++) {
		char *routes, *frontend, *found;

		assert_true(asprintf(&routes, ROUTE("r", "one", "%s, %s"), EXISTS("alpn"),
				     sources[i].rule) > 0);
		assert_true(asprintf(&frontend, "default_farm: one, %s", sources[i].frontend) > 0);
		found = warnings_for(frontend, routes, NULL);
		if (strcmp(found, sources[i].warns
					  ? "routes[0]: rule 2 is for sources that the frontend "
					    "does not let in: the route never matches"
					  : ""))
			fail_msg("%zu: %s: '%s'", i, routes, found);
		free(routes);
		free(frontend);
		free(found);
	}
}

static void many_routes_are_compared_in_little_time(void **state)
{
	clock_t begin;
	char *routes, *found;
	size_t size;
	FILE *out = open_memstream(&routes, &size);

	for (int i = 0; i < 4095; i++)
		fprintf(out,
			ROUTE("r%d", "one", "{field: sni, match: %s, pattern: host%d.example}"), i,
			i % 2 ? "is" : "endswith", i);
	fprintf(out, ROUTE("s", "one", "{field: sni, match: is, pattern: host1.example}"));
	fclose(out);
	begin = clock();
	found = warnings_of("one", routes);
	assert_non_null(strstr(found, "routes[4095]: the route \"r1\" in line 5 comes first"));
	assert_true((clock() - begin) / CLOCKS_PER_SEC < 5);
	free(found);
	free(routes);
}

/* ---- frontends --------------------------------------------------------------------------- */

#define APART "frontends[0]: server names choose between the farms "
#define COALESCING(farms)                                                                          \
	APART farms ", for HTTP/2 clients, too: if their certificates share names, browsers ask "  \
		    "one for names of another; give each its own certificates, or have servers "   \
		    "answer that with 421"

#define A_TO_ONE   ROUTE("a", "one", RULE("sni", "is", "a.ex"))
#define B_TO_TWO   ROUTE("b", "two", RULE("sni", "endswith", ".other"))
#define WITHOUT_H2 NOT("alpn", "is", "h2")

/* TLS ends at the servers: whether a rule mentions HTTP/2 or not, clients offer it. */
static void names_that_lead_http2_clients_apart_are_told(void **state)
{
	static const char *const apart[] = {
		A_TO_ONE B_TO_TWO,
		B_TO_TWO A_TO_ONE,
		A_TO_ONE B_TO_TWO ROUTE("h", "one", RULE("alpn", "in", "h2, http/1.1")),
		A_TO_ONE ROUTE("h", "two", RULE("protocol", "is", "http/2.0")),
		A_TO_ONE ROUTE("s", "two", RULE("source", "is", "10.0.0.0/8")),
		ROUTE("a", "one", NOT("sni", "is", "a") "," RULE("alpn", "is", "http/1.1"))
			B_TO_TWO,
		ROUTE("h", "one", RULE("protocol", "is", "ssh")) A_TO_ONE B_TO_TWO,
		ROUTE("h", "one", RULE("alpn", "in", "h3, acme-tls/1")) A_TO_ONE B_TO_TWO,
	};

	for (size_t i = 0; i < COUNT(apart); i++) {
		char *found = warnings_of("null", apart[i]);

		if (strncmp(found, APART, strlen(APART)))
			fail_msg("%s: '%s'", apart[i], found);
		free(found);
	}
	expect("one", A_TO_ONE B_TO_TWO, COALESCING("\"one\", \"two\""));
	expect("one", B_TO_TWO, COALESCING("\"two\", \"one\""));
}

static void names_that_do_not_lead_http2_clients_apart_are_not_told(void **state)
{
	static const char *const together[] = {
		A_TO_ONE ROUTE("b", "one", RULE("sni", "is", "b.ex")),
		ROUTE("s", "two", EXISTS("sni")),
		ROUTE("a", "two", RULE("sni", "is", "a") "," WITHOUT_H2),
		ROUTE("h", "two", RULE("protocol", "is", "http/2.0")) B_TO_TWO,
		ROUTE("h", "two", RULE("alpn", "in", "h2, http/1.1")) B_TO_TWO,
		REJECT("h", RULE("alpn", "is", "h2")) B_TO_TWO,
		REJECT("b", RULE("sni", "is", "b")),
		ROUTE("s", "two", RULE("source", "is", "10.0.0.0/8")) A_TO_ONE,
		ROUTE("c", "two", RULE("sni", "is", "a") "," RULE("alpn", "is", "acme-tls/1")),
		ROUTE("a", "two", RULE("sni", "is", "a") "," NOT("protocol", "is", "https")),
	};

	for (size_t i = 0; i < COUNT(together); i++)
		expect("one", together[i], "");
}

#define NO_DEFAULT                                                                                 \
	"frontends[0].default_farm: there is none, and each route to a farm wants an ALPN name "   \
	"of clients with TLS: those that offer none are closed"

static void names_of_alpn_alone_without_a_default_farm_are_told(void **state)
{
	const char *h2 = ROUTE("h", "one", RULE("alpn", "is", "h2"));
	const char *both = ROUTE("h", "one", RULE("protocol", "is", "http/2.0"))
		ROUTE("i", "two", RULE("alpn", "is", "http/1.1") "," EXISTS("sni"))
			REJECT("j", RULE("sni", "is", "x"));
	const char *rest = ROUTE("h", "one", RULE("alpn", "is", "h2"))
		ROUTE("i", "two", RULE("protocol", "is", "tls"));

	expect("null", h2, NO_DEFAULT);
	expect("null",
	       ROUTE("h", "one", RULE("protocol", "is", "http/2.0"))
		       ROUTE("i", "two", RULE("protocol", "is", "http/1.1")),
	       NO_DEFAULT);
	expect("null", ROUTE("h", "one", RULE("protocol", "in", "http/2.0, http/1.1")), NO_DEFAULT);
	expect("null", ROUTE("h", "one", RULE("protocol", "in", "http/2.0, https")), "");
	expect("null", ROUTE("h", "one", RULE("protocol", "is", "http")), "");
	expect("one", h2, "");
	expect("null", both, NO_DEFAULT);
	expect("null", rest, "");
	expect("null", ROUTE("h", "one", NOT("alpn", "is", "h2")), "");
	expect("null", REJECT("r", RULE("alpn", "is", "h2")), "");
}

/* ---- encrypted names --------------------------------------------------------------------- */

static void names_of_clients_with_ech_are_told(void **state)
{
	expect("one", ROUTE("e", "one", RULE("sni", "is", "a") "," EXISTS("tls.ech")),
	       "routes[0]: takes clients with ECH by their server name: that is the outer name, "
	       "the one they ask for is encrypted");
	expect("one",
	       ROUTE("e", "one", EXISTS("tls.ech")) ROUTE("a", "one", RULE("sni", "is", "a")), "");
	expect("one", ROUTE("e", "one", RULE("sni", "is", "a") "," RULE("tls.ech", "is", "absent")),
	       "");
	expect("one", ROUTE("e", "one", RULE("sni", "is", "a") "," NOT_EXISTS("tls.ech")), "");
}

/* With so many hellos that had it. */
static void expect_of_ech(const char *frontend, const char *routes, uint64_t hellos,
			  const char *expected)
{
	struct frontend_stats stats[2] = {[1] = {.ech = hellos}};
	char *found = warnings_for(frontend, routes, stats);

	assert_string_equal(found, expected);
	free(found);
}

static void clients_with_ech_are_told_where_routes_go_by_server_names(void **state)
{
	const char *web = "default_farm: one";
	const char *name = ROUTE("a", "one", NOT("sni", "is", "a"));
	const char *told = "frontends[0]: routes go by server names, and 7 hellos had "
			   "encrypted_client_hello: theirs may be an outer name, common to many; "
			   "a rule on tls.ech tells them apart";

	expect_of_ech(web, name, 7, told);
	expect_of_ech(web, name, 0, "");
	expect_of_ech("default_farm: one, disabled: true", name, 7,
		      "frontends: none listens here: each is disabled");
	expect_of_ech(web, ROUTE("a", "one", RULE("alpn", "is", "h2") "," EXISTS("sni")), 7, "");
	expect_of_ech(web,
		      ROUTE("a", "one", RULE("sni", "is", "a"))
			      REJECT("e", RULE("tls.ech", "is", "present")),
		      7, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_that_exclude_each_other_are_told),
		cmocka_unit_test(more_than_two_rules_that_exclude_each_other_are_told),
		cmocka_unit_test(a_contradiction_names_the_rules),
		cmocka_unit_test(a_route_behind_one_that_takes_its_clients_is_told),
		cmocka_unit_test(a_shadow_is_named_in_the_order_of_evaluation),
		cmocka_unit_test(only_a_route_of_the_frontend_shadows),
		cmocka_unit_test(a_route_for_sources_that_are_not_let_in_is_told),
		cmocka_unit_test(many_routes_are_compared_in_little_time),
		cmocka_unit_test(names_that_lead_http2_clients_apart_are_told),
		cmocka_unit_test(names_that_do_not_lead_http2_clients_apart_are_not_told),
		cmocka_unit_test(names_of_alpn_alone_without_a_default_farm_are_told),
		cmocka_unit_test(names_of_clients_with_ech_are_told),
		cmocka_unit_test(clients_with_ech_are_told_where_routes_go_by_server_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
