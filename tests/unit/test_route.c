// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Configurations compiled to tables, and what is decided from them: route, farm and server.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../user/kernel/decide.h"
#include "../../user/model/decode.h"
#include "../../user/model/text.h"
#include "balance_memory.h"
#include "choose.h"

/* ---- configurations ---------------------------------------------------------------------- */

static char *text;
static size_t text_size;
static FILE *config_file;
static unsigned int n_routes;

/* printf()s a part of the configuration. */
static __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
	va_list args;

	if (!config_file)
		config_file = open_memstream(&text, &text_size);
	assert_non_null(config_file);
	va_start(args, format);
	vfprintf(config_file, format, args);
	va_end(args);
}

/* Two farms and a frontend; routes follow. */
static void begin_routes(void)
{
	n_routes = 0;
	say("farms: [{name: one, servers: [{name: s, address: 10.0.0.1, port: 1}]},"
	    "{name: two, servers: [{name: s, address: 10.0.0.2, port: 1}]}]\n"
	    "frontends: [{name: web, port: 443, default_farm: one}]\nroutes:\n");
}

/* The next route, whose id is the number of calls so far. */
static void route(unsigned int weight, const char *action, const char *rules)
{
	say("- {name: r%u, frontend: web, weight: %u, action: {type: %s}, rules: [%s]}\n",
	    ++n_routes, weight, action, rules);
}

#define TO_TWO "farm, target: two"

/* Compiles what was said. */
static void compile(struct tables *tables)
{
	struct problems problems = {0};
	struct document *document;
	struct config *config;

	fclose(config_file);
	config_file = NULL;
	document = document_parse(text, text_size, &problems);
	config = document ? config_decode(document, &problems) : NULL;
	if (problems.errors)
		print_error("line %d: %s: %s\n", problems.v[0].line, problems.v[0].path,
			    problems.v[0].message);
	assert_non_null(config);
	assert_int_equal(config_assign_ids(config, NULL, NULL), 0);
	memset(tables, 0, sizeof(*tables));
	assert_int_equal(tables_compile(config, tables), 0);
	config_free(config);
	document_free(document);
	problems_free(&problems);
	free(text);
	text = NULL;
}

/* ---- clients ----------------------------------------------------------------------------- */

struct client {
	const char *sni, *alpn; /* each name behind its length byte; NULL = none */
	const char *source;	/* NULL = 192.0.2.1 */
	enum verdict verdict;	/* 0 = TLS */
	uint16_t version;	/* by supported_versions; 0 = none */
	bool ech;
};

static void read_source(const char *name, uint8_t source[16])
{
	memset(source, 0, 16);
	memset(source + 10, 0xff, 2);
	if (inet_pton(AF_INET, name ? name : "192.0.2.1", source + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, name, source), 1);
}

static struct decision decide_for(const struct tables *tables, const struct client *client)
{
	struct hello hello = {.verdict = client->verdict ? client->verdict : VERDICT_TLS};
	struct decision decision;
	struct subject subject;
	uint8_t source[16];

	if (client->sni) {
		hello.flags |= HELLO_SNI;
		hello.sni_len = strlen(client->sni);
		memcpy(hello.sni, client->sni, hello.sni_len);
	}
	if (client->alpn) {
		hello.flags |= HELLO_ALPN;
		hello.alpn_len = strlen(client->alpn);
		memcpy(hello.alpn, client->alpn, hello.alpn_len);
	}
	hello.version = client->version;
	hello.flags |= (client->version ? HELLO_VERSIONS : 0) | (client->ech ? HELLO_ECH : 0);
	read_source(client->source, source);
	subject_init(&subject, &hello, source);
	decide(tables, 1, &subject, &decision);
	return decision;
}

/* A client with that verdict and no names. */
static uint32_t route_of(const struct tables *tables, enum verdict verdict)
{
	struct hello hello = {.verdict = verdict};
	struct decision decision;
	struct subject subject;
	uint8_t source[16];

	read_source(NULL, source);
	subject_init(&subject, &hello, source);
	decide(tables, 1, &subject, &decision);
	return decision.route_id;
}

#define EXPECT_ROUTE_OF(tables, id, verdict) assert_int_equal(route_of(tables, verdict), id)
#define EXPECT_ROUTE(tables, id, ...)                                                              \
	assert_int_equal(decide_for(tables, &(struct client){__VA_ARGS__}).route_id, id)

/* ---- rules ------------------------------------------------------------------------------- */

static void every_rule_of_a_route_has_to_hold(void **state)
{
	struct tables t;

	begin_routes();
	route(0, TO_TWO,
	      "{field: sni, match: is, pattern: a.example}, {field: alpn, match: is, pattern: h2},"
	      "{field: source, match: is, pattern: 192.0.2.0/24}");
	compile(&t);
	EXPECT_ROUTE(&t, 1, .sni = "a.example", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 0, .sni = "b.example", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 0, .sni = "a.example", .alpn = "\2h3");
	EXPECT_ROUTE(&t, 0, .sni = "a.example");
	EXPECT_ROUTE(&t, 0, .alpn = "\2h2");
	EXPECT_ROUTE(&t, 0, .sni = "a.example", .alpn = "\2h2", .source = "192.0.3.1");
	tables_free(&t);
}

static void one_pattern_of_a_list_is_enough(void **state)
{
	struct tables t;

	begin_routes();
	route(0, TO_TWO, "{field: sni, match: in, pattern: 'a.example, b.example, c.example'}");
	route(0, TO_TWO, "{field: alpn, match: in, pattern: 'h2, h3'}");
	route(0, TO_TWO,
	      "{field: sni, match: in, pattern: 'd, e'},"
	      "{field: source, match: in, pattern: '10.0.0.0/8, 2001:db8::/32'}");
	compile(&t);
	EXPECT_ROUTE(&t, 1, .sni = "a.example");
	EXPECT_ROUTE(&t, 1, .sni = "c.example", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 2, .alpn = "\10http/1.1\2h3");
	EXPECT_ROUTE(&t, 3, .sni = "e", .source = "2001:db8:1::1");
	EXPECT_ROUTE(&t, 3, .sni = "d", .source = "10.255.0.1");
	EXPECT_ROUTE(&t, 0, .sni = "d", .source = "11.0.0.1");
	tables_free(&t);
}

/* Every kind of rule, and a client that it holds for, or not. */
static const struct rule_case {
	const char *rule;
	struct client client;
	bool holds;
} rule_cases[] = {
	{"field: sni, match: is, pattern: a.example", {.sni = "a.example"}, true},
	{"field: sni, match: is, pattern: a.example", {.sni = "aa.example"}, false},
	{"field: sni, match: is, pattern: a.example", {.sni = "a.exampl"}, false},
	{"field: sni, match: is, pattern: a.example", {.alpn = "\2h2"}, false},
	{"field: sni, match: is, pattern: A.Example.", {.sni = "a.example"}, true},
	{"field: sni, match: in, pattern: 'b, a.example'", {.sni = "a.example"}, true},
	{"field: sni, match: in, pattern: 'b, a.example'", {.sni = "c"}, false},
	{"field: sni, match: startswith, pattern: www.", {.sni = "www.example"}, true},
	{"field: sni, match: startswith, pattern: www.", {.sni = "ww"}, false},
	{"field: sni, match: startswith, pattern: www.", {.sni = "a.www."}, false},
	{"field: sni, match: endswith, pattern: .example", {.sni = "a.example"}, true},
	{"field: sni, match: endswith, pattern: .example", {.sni = ".example"}, true},
	{"field: sni, match: endswith, pattern: .example", {.sni = "example"}, false},
	{"field: sni, match: endswith, pattern: .example", {.sni = "a.example.net"}, false},
	{"field: sni, match: contains, pattern: mpl", {.sni = "a.example"}, true},
	{"field: sni, match: contains, pattern: a.example", {.sni = "a.example"}, true},
	{"field: sni, match: contains, pattern: mpl", {.sni = "a.exam"}, false},
	{"field: sni, match: contains, pattern: aab", {.sni = "aaab"}, true},
	{"field: sni, match: exists", {.sni = "a"}, true},
	{"field: sni, match: exists", {.alpn = "\2h2"}, false},
	{"field: alpn, match: is, pattern: h2", {.alpn = "\2h2"}, true},
	{"field: alpn, match: is, pattern: h2", {.alpn = "\10http/1.1\2h2"}, true},
	{"field: alpn, match: is, pattern: h2", {.alpn = "\2H2"}, false},
	{"field: alpn, match: is, pattern: h2", {.alpn = "\3h2c\4\2h2h"}, false},
	{"field: alpn, match: is, pattern: h2", {.sni = "h2"}, false},
	{"field: alpn, match: in, pattern: 'h3, h2'", {.alpn = "\2h2"}, true},
	{"field: alpn, match: startswith, pattern: http/", {.alpn = "\2h2\10http/1.1"}, true},
	{"field: alpn, match: startswith, pattern: http/", {.alpn = "\2h2\4http\1/"}, false},
	{"field: alpn, match: endswith, pattern: '1.1'", {.alpn = "\10http/1.1\2h2"}, true},
	{"field: alpn, match: endswith, pattern: '1.1'", {.alpn = "\3h21\2.1"}, false},
	{"field: alpn, match: contains, pattern: tp/", {.alpn = "\2h2\10http/1.0"}, true},
	{"field: alpn, match: contains, pattern: tp/", {.alpn = "\2tp\1/"}, false},
	{"field: sni, match: matches, pattern: '^w+[.][a-z]{2,3}$'", {.sni = "www.ex"}, true},
	{"field: sni, match: matches, pattern: '^W+[.]EX'", {.sni = "www.ex"}, true},
	{"field: sni, match: matches, pattern: '^w+[.][a-z]{2,3}$'", {.sni = "www.exam"}, false},
	{"field: sni, match: matches, pattern: 'x'", {.sni = "www.ex"}, true},
	{"field: sni, match: matches, pattern: '.*'", {.alpn = "\2h2"}, false},
	{"field: sni, match: matches, pattern: '.*'", {.verdict = VERDICT_HTTP1}, false},
	{"field: alpn, match: matches, pattern: '^h[23]$'", {.alpn = "\1h\2h3"}, true},
	{"field: alpn, match: matches, pattern: '^h[23]$'", {.alpn = "\2H2\3h3x"}, false},
	{"field: alpn, match: matches, pattern: ',|^$'", {.alpn = "\2h2\3a,b"}, true},
	{"field: alpn, match: matches, pattern: '.'", {.sni = "a"}, false},
	{"field: alpn, match: exists", {.alpn = "\1x"}, true},
	{"field: alpn, match: exists", {.sni = "a"}, false},
	{"field: source, match: is, pattern: 192.0.2.1", {.sni = "a"}, true},
	{"field: source, match: is, pattern: 192.0.2.1", {.source = "192.0.2.2"}, false},
	{"field: source, match: is, pattern: 192.0.2.0/31", {.sni = "a"}, true},
	{"field: source, match: is, pattern: 0.0.0.0/0", {.sni = "a"}, true},
	{"field: source, match: is, pattern: 0.0.0.0/0", {.source = "2001:db8::1"}, false},
	{"field: source, match: is, pattern: '2000::/3'", {.sni = "a"}, false},
	{"field: source, match: in, pattern: '10.0.0.0/8, 2001:db8::/33'",
	 {.source = "2001:db8:7fff::1"},
	 true},
	{"field: source, match: in, pattern: '10.0.0.0/8, 2001:db8::/33'",
	 {.source = "2001:db8:8000::1"},
	 false},
	{"field: tls.version, match: is, pattern: '1.3'", {.version = 0x0304}, true},
	{"field: tls.version, match: is, pattern: '1.3'", {.version = 0x0303}, false},
	{"field: tls.version, match: is, pattern: '1.3'", {.version = 0x0305}, false},
	{"field: tls.version, match: in, pattern: 'ssl3, 1.0, 1.1'", {.version = 0x0302}, true},
	{"field: tls.version, match: in, pattern: 'ssl3, 1.0, 1.1'", {.version = 0x0303}, false},
	{"field: tls.version, match: exists", {.version = 0x0305}, true},
	{"field: tls.version, match: exists", {.sni = "a"}, false},
	{"field: tls.version, match: exists", {.verdict = VERDICT_HTTP1}, false},
	{"field: tls.ech, match: exists", {.ech = true}, true},
	{"field: tls.ech, match: exists", {.sni = "a"}, false},
	{"field: tls.ech, match: is, pattern: present", {.ech = true}, true},
	{"field: tls.ech, match: is, pattern: absent", {.ech = true}, false},
	{"field: tls.ech, match: is, pattern: absent", {.sni = "a"}, true},
	{"field: tls.ech, match: is, pattern: absent", {.verdict = VERDICT_SSH}, false},
	{"field: protocol, match: is, pattern: tcp", {.verdict = VERDICT_OTHER}, true},
	{"field: protocol, match: is, pattern: tls", {.sni = "a"}, true},
	{"field: protocol, match: is, pattern: tls", {.verdict = VERDICT_MALFORMED}, false},
	{"field: protocol, match: is, pattern: tcp", {.verdict = VERDICT_MALFORMED}, true},
	{"field: protocol, match: is, pattern: tcp", {.verdict = VERDICT_SILENT}, true},
	{"field: source, match: is, pattern: 192.0.2.1", {.verdict = VERDICT_SSLV2}, true},
	{"field: protocol, match: is, pattern: ssh", {.verdict = VERDICT_SSH}, true},
	{"field: protocol, match: is, pattern: http", {.verdict = VERDICT_HTTP1}, true},
	{"field: protocol, match: is, pattern: http", {.sni = "a"}, false},
	{"field: protocol, match: is, pattern: https", {.sni = "a"}, true},
	{"field: protocol, match: is, pattern: https", {.alpn = "\3ftp"}, false},
	{"field: protocol, match: in, pattern: 'ssh, https'", {.alpn = "\2h2"}, true},
	{"field: protocol, match: in, pattern: 'ssh, https'", {.verdict = VERDICT_HTTP2}, false},
};

static void each_kind_of_rule_and_its_negation(void **state)
{
	for (size_t i = 0; i < sizeof(rule_cases) / sizeof(*rule_cases); i++)
		for (int negate = 0; negate < 2; negate++) {
			const struct rule_case *c = &rule_cases[i];
			char rule[256];
			struct tables t;
			uint32_t id;

			begin_routes();
			snprintf(rule, sizeof(rule), "{%s, negate: %s}", c->rule,
				 negate ? "true" : "false");
			route(0, TO_TWO, rule);
			compile(&t);
			id = decide_for(&t, &c->client).route_id;
			if (id != (c->holds != negate))
				fail_msg("%s: %u (case %zu)", rule, id, i);
			tables_free(&t);
		}
}

static void names_of_what_is_no_hello_do_not_count(void **state)
{
	struct tables t;

	begin_routes();
	route(0, TO_TWO, "{field: sni, match: is, pattern: a}");
	route(0, TO_TWO, "{field: alpn, match: exists}");
	compile(&t);
	EXPECT_ROUTE(&t, 0, .sni = "a", .alpn = "\2h2", .verdict = VERDICT_MALFORMED);
	EXPECT_ROUTE(&t, 0, .sni = "a", .alpn = "\2h2", .verdict = VERDICT_SILENT);
	tables_free(&t);
}

/* A hello that cannot be read is not a match for anything but `tcp`. */
static void what_cannot_be_read_lacks_no_names(void **state)
{
	static const enum verdict unreadable[] = {VERDICT_MALFORMED, VERDICT_SSLV2, VERDICT_SILENT,
						  VERDICT_NEED_MORE};
	static const enum verdict nameless[] = {VERDICT_HTTP1, VERDICT_HTTP2, VERDICT_SSH,
						VERDICT_OTHER};
	static const char *const names[] = {
		"{field: sni, match: is, pattern: x, negate: true}",
		"{field: sni, match: in, pattern: 'x, y', negate: true}",
		"{field: sni, match: exists, negate: true}",
		"{field: alpn, match: contains, pattern: x, negate: true}",
		"{field: alpn, match: exists, negate: true}",
		"{field: sni, match: matches, pattern: x, negate: true}",
		"{field: tls.version, match: is, pattern: '1.3', negate: true}",
		"{field: tls.ech, match: exists, negate: true}",
	};
	struct tables t;

	begin_routes();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		route(i, TO_TWO, names[i]);
	route(8, TO_TWO, "{field: protocol, match: is, pattern: tls, negate: true}");
	route(9, TO_TWO, "{field: protocol, match: is, pattern: tcp}");
	compile(&t);
	for (size_t i = 0; i < sizeof(unreadable) / sizeof(*unreadable); i++) {
		EXPECT_ROUTE_OF(&t, 9, unreadable[i]);
		EXPECT_ROUTE_OF(&t, 1, nameless[i]);
	}
	EXPECT_ROUTE(&t, 1, .alpn = "\2h2");
	EXPECT_ROUTE(&t, 4, .sni = "x");
	tables_free(&t);

	begin_routes();
	route(0, TO_TWO, names[0]);
	route(1, TO_TWO, "{field: source, match: is, pattern: 192.0.2.0/24}");
	compile(&t);
	EXPECT_ROUTE_OF(&t, 2, VERDICT_MALFORMED);
	EXPECT_ROUTE_OF(&t, 2, VERDICT_SILENT);
	tables_free(&t);
}

/* ---- regular expressions ----------------------------------------------------------------- */

static void expressions_take_their_place_in_the_order(void **state)
{
	struct tables t;

	begin_routes();
	route(2, TO_TWO, "{field: sni, match: matches, pattern: '^a'}");
	route(1, TO_TWO,
	      "{field: sni, match: matches, pattern: 'z$'}, {field: alpn, match: is, pattern: h2},"
	      "{field: sni, match: matches, pattern: 'y', negate: true}");
	route(0, TO_TWO, "{field: sni, match: is, pattern: abc}");
	route(3, TO_TWO, "{field: sni, match: startswith, pattern: a}");
	route(9, "reject",
	      "{field: alpn, match: matches, pattern: 'b.d'}, {field: sni, match: is, pattern: "
	      "az}");
	compile(&t);
	EXPECT_ROUTE(&t, 3, .sni = "abc", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 1, .sni = "abcd", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 1, .sni = "az");
	EXPECT_ROUTE(&t, 2, .sni = "az", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 1, .sni = "ayz", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 0, .sni = "yz", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 5, .sni = "az", .alpn = "\2h2\3bad");
	tables_free(&t);
}

/* A name on which `slow` gives up. */
static const char hostile[] =
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-";
static const char slow[] = "{field: sni, match: matches, pattern: '(a+)+$'}";

static void a_rule_that_is_given_up_does_not_hold_and_is_counted(void **state)
{
	struct client client = {.sni = hostile};
	struct decision decision;
	struct tables t;

	begin_routes();
	route(0, TO_TWO, slow);
	route(1, TO_TWO, "{field: sni, match: matches, pattern: '(a+)+$', negate: true}");
	route(2, TO_TWO, "{field: sni, match: matches, pattern: '-$'}");
	compile(&t);
	decision = decide_for(&t, &client);
	assert_int_equal(decision.route_id, 3);
	assert_int_equal(decision.gave_up, 2);
	assert_string_equal(regex_pattern(decision.gave_up_on), "(a+)+$");
	client.sni = "aaaa";
	decision = decide_for(&t, &client);
	assert_int_equal(decision.route_id, 1);
	assert_int_equal(decision.gave_up, 0);
	tables_free(&t);
}

/* The host is slow for ten seconds in this call, counted down, of what asks for the time. */
static int slow_call;

int clock_gettime(clockid_t clock, struct timespec *time)
{
	static time_t late;

	if (slow_call && !--slow_call)
		late += 10;
	if (syscall(SYS_clock_gettime, clock, time))
		return -1;
	time->tv_sec += late;
	return 0;
}

static void a_host_that_is_slow_for_a_moment_changes_no_decision(void **state)
{
	struct client client = {.sni = "abc"};
	struct tables t;

	begin_routes();
	route(0, TO_TWO, "{field: sni, match: matches, pattern: '^x'}");
	route(1, TO_TWO, "{field: sni, match: matches, pattern: '^y'}");
	route(2, TO_TWO, "{field: sni, match: matches, pattern: '^a'}");
	compile(&t);
	for (int call = 1; call <= 6; call++) {
		struct decision decision;

		slow_call = call;
		decision = decide_for(&t, &client);
		assert_int_equal(slow_call, 0);
		assert_int_equal(decision.route_id, 3);
		assert_int_equal(decision.gave_up, 0);
	}
	tables_free(&t);
}

static double processor_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static void many_slow_expressions_do_not_add_up(void **state)
{
	struct client client = {.sni = hostile};
	struct decision decision;
	struct tables t;
	double begin;

	begin_routes();
	for (int i = 0; i < 4095; i++)
		route(0, TO_TWO, slow);
	route(1, TO_TWO, "{field: sni, match: startswith, pattern: aa}");
	compile(&t);
	begin = processor_seconds();
	decision = decide_for(&t, &client);
	assert_true(processor_seconds() - begin < 0.5);
	assert_int_equal(decision.route_id, 4096);
	assert_int_equal(decision.gave_up, 4095);
	tables_free(&t);
}

/* Not so slow that one of them is given up: they have a few milliseconds together. */
static void expressions_that_are_nearly_too_slow_do_not_add_up(void **state)
{
	static char name[255];
	struct client client = {.sni = name};
	struct decision decision;
	struct tables t;
	double begin;

	memset(name, 'a', 254);
	begin_routes();
	for (int i = 0; i < 400; i++)
		route(0, TO_TWO, "{field: sni, match: matches, pattern: '[ab]+[bc]'}");
	compile(&t);
	begin = processor_seconds();
	decision = decide_for(&t, &client);
	assert_true(processor_seconds() - begin < 0.04);
	assert_int_equal(decision.route_id, 0);
	assert_true(decision.gave_up > 0 && decision.gave_up < 399);
	tables_free(&t);
}

/* Together they take more than all may that are not ordinary. */
static void any_number_of_ordinary_expressions_is_tried(void **state)
{
	const char *holds = "{field: sni, match: matches, pattern: '^www[.]'}";
	struct client client = {.sni = "www.shop.example.com"};
	struct decision decision;
	char rules[512];
	struct tables t;

	snprintf(rules, sizeof(rules),
		 "%s, %s, %s, %s, %s, %s, {field: sni, match: matches, pattern: 'x$'}", holds,
		 holds, holds, holds, holds, holds);
	begin_routes();
	for (int i = 0; i < 4096; i++)
		route(0, TO_TWO, rules);
	compile(&t);
	decision = decide_for(&t, &client);
	assert_int_equal(decision.gave_up, 0);
	tables_free(&t);
}

/* ---- order ------------------------------------------------------------------------------- */

static void reject_comes_first_then_weight_then_age(void **state)
{
	const char *h2 = "{field: alpn, match: is, pattern: h2}";
	const char *a = "{field: sni, match: is, pattern: a}";
	const char *any = "{field: protocol, match: is, pattern: tcp}";
	struct tables t;

	begin_routes();
	route(5, TO_TWO, any);
	route(4, TO_TWO, h2);
	route(4, TO_TWO, h2);
	route(4, TO_TWO, "{field: sni, match: endswith, pattern: b}");
	route(3, TO_TWO, a);
	route(255, "reject", "{field: sni, match: startswith, pattern: x}");
	route(254, "reject", "{field: sni, match: endswith, pattern: y}");
	compile(&t);
	EXPECT_ROUTE(&t, 1, .sni = "c");
	EXPECT_ROUTE(&t, 2, .alpn = "\2h2");
	EXPECT_ROUTE(&t, 2, .sni = "ab", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 4, .sni = "ab");
	EXPECT_ROUTE(&t, 5, .sni = "a", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 6, .sni = "xb", .alpn = "\2h2");
	EXPECT_ROUTE(&t, 7, .sni = "xy", .alpn = "\2h2");
	tables_free(&t);
}

static void routes_may_share_an_anchor(void **state)
{
	const char *a = "{field: sni, match: is, pattern: a.example}";
	char rules[256];
	struct tables t;

	begin_routes();
	for (int i = 0; i < 100; i++) {
		snprintf(rules, sizeof(rules), "%s, {field: source, match: is, pattern: 10.0.0.%d}",
			 a, i);
		route(100 - i, TO_TWO, rules);
	}
	route(200, TO_TWO, a);
	compile(&t);
	for (int i = 0; i < 100; i++) {
		char source[16];

		snprintf(source, sizeof(source), "10.0.0.%d", i);
		EXPECT_ROUTE(&t, i + 1u, .sni = "a.example", .source = source);
	}
	EXPECT_ROUTE(&t, 101, .sni = "a.example", .source = "10.0.0.100");
	EXPECT_ROUTE(&t, 0, .sni = "b.example", .source = "10.0.0.1");
	tables_free(&t);
}

static void a_suffix_may_end_another_one(void **state)
{
	struct tables t;

	begin_routes();
	route(3, TO_TWO, "{field: sni, match: endswith, pattern: e}");
	route(2, TO_TWO, "{field: sni, match: endswith, pattern: .example}");
	route(1, TO_TWO, "{field: sni, match: endswith, pattern: .a.example}");
	route(2, TO_TWO, "{field: sni, match: endswith, pattern: .b.example}");
	compile(&t);
	EXPECT_ROUTE(&t, 3, .sni = "www.a.example");
	EXPECT_ROUTE(&t, 2, .sni = "www.b.example"); /* of the same weight, and older */
	EXPECT_ROUTE(&t, 2, .sni = "a.example");
	EXPECT_ROUTE(&t, 1, .sni = "example");
	EXPECT_ROUTE(&t, 1, .sni = "e");
	EXPECT_ROUTE(&t, 0, .sni = "example.net");
	tables_free(&t);
}

static void suffixes_may_be_as_long_as_a_name(void **state)
{
	static const size_t lengths[] = {1, 63, 64, 65, 127, 128, 191, 192, 254, 255};
	char name[256] = {0};
	struct tables t;

	memset(name, 'x', 255);
	begin_routes();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		say("- {name: r%zu, frontend: web, weight: %zu, action: {type: farm, target: two},"
		    " rules: [{field: sni, match: endswith, pattern: %s}]}\n",
		    i + 1, 100 - i, name + 255 - lengths[i]);
	compile(&t);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		EXPECT_ROUTE(&t, i + 1, .sni = name + 255 - lengths[i]);
	tables_free(&t);
}

/* 56 lengths of prefixes: more than a frontend can index. */
static void sources_may_have_any_number_of_prefix_lengths(void **state)
{
	char rule[128], source[64];
	struct tables t;

	begin_routes();
	for (unsigned int length = 128; length > 72; length--) {
		snprintf(rule, sizeof(rule),
			 "{field: source, match: is, pattern: '2001:db8:%x::/%u'}", length, length);
		route(0, TO_TWO, rule);
	}
	route(9, TO_TWO, "{field: source, match: is, pattern: '2001:db8::/32'}");
	compile(&t);
	for (unsigned int length = 128, id = 1; length > 72; length--, id++) {
		snprintf(source, sizeof(source), "2001:db8:%x::", length);
		EXPECT_ROUTE(&t, id, .source = source);
		snprintf(source, sizeof(source), "2001:db8:%x:8000::", length);
		EXPECT_ROUTE(&t, 57, .source = source);
	}
	EXPECT_ROUTE(&t, 0, .source = "2001:db9::1");
	tables_free(&t);
}

static void each_of_4096_routes_is_found(void **state)
{
	struct tables t;

	begin_routes();
	for (unsigned int i = 0; i < 4096; i++) {
		say("- {name: r%u, frontend: web, action: {type: farm, target: two}, rules: [", i);
		say(i % 4 == 0	 ? "{field: sni, match: is, pattern: host%u.example}"
		    : i % 4 == 1 ? "{field: sni, match: endswith, pattern: .site%u.example}"
		    : i % 4 == 2 ? "{field: alpn, match: is, pattern: proto%u}"
				 : "{field: source, match: is, pattern: '2001:db8:%x::/48'}",
		    i);
		say("]}\n");
	}
	compile(&t);
	for (unsigned int i = 0; i < 4096; i++) {
		char name[64], alpn[64], source[64];

		snprintf(name, sizeof(name), i % 4 ? "www.site%u.example" : "host%u.example", i);
		alpn[0] = snprintf(alpn + 1, sizeof(alpn) - 1, "proto%u", i);
		snprintf(source, sizeof(source), "2001:db8:%x::1", i);
		EXPECT_ROUTE(&t, i + 1, .sni = i % 4 < 2 ? name : NULL,
			     .alpn = i % 4 == 2 ? alpn : NULL,
			     .source = i % 4 == 3 ? source : NULL);
	}
	EXPECT_ROUTE(&t, 0, .sni = "host1.example", .alpn = "\6proto1");
	tables_free(&t);
}

/* ---- outcome ----------------------------------------------------------------------------- */

static void the_outcome_is_a_farm_a_reject_or_nothing(void **state)
{
	struct decision d;
	struct tables t;

	begin_routes();
	route(0, "reject", "{field: sni, match: is, pattern: evil}");
	route(0, TO_TWO, "{field: sni, match: is, pattern: good}");
	compile(&t);
	d = decide_for(&t, &(struct client){.sni = "evil"});
	assert_int_equal(d.action, ACTION_REJECT);
	d = decide_for(&t, &(struct client){.sni = "good"});
	assert_int_equal(d.action, ACTION_FARM);
	assert_int_equal(d.farm_id, 2);
	d = decide_for(&t, &(struct client){.sni = "other"});
	assert_int_equal(d.action, ACTION_FARM);
	assert_int_equal(d.route_id, 0);
	assert_int_equal(d.farm_id, 1);
	tables_row(&t, frontends, 1)->default_farm = 0;
	d = decide_for(&t, &(struct client){.sni = "other"});
	assert_int_equal(d.action, ACTION_NONE);
	tables_free(&t);
}

static void routes_of_another_frontend_and_without_rules_do_not_match(void **state)
{
	struct tables t;

	say("farms: [{name: one, servers: [{name: s, address: 10.0.0.1, port: 1}]}]\n"
	    "frontends: [{name: web, port: 443, default_farm: one}, {name: b, port: "
	    "444}]\nroutes:\n"
	    "- {name: r1, frontend: b, action: {type: reject},"
	    " rules: [{field: sni, match: is, pattern: a}]}\n"
	    "- {name: r2, frontend: b, action: {type: reject},"
	    " rules: [{field: protocol, match: is, pattern: tcp}]}\n"
	    "- {name: r3, frontend: web, action: {type: reject}}\n"
	    "- {name: r4, action: {type: reject},"
	    " rules: [{field: sni, match: is, pattern: a}]}\n");
	compile(&t);
	EXPECT_ROUTE(&t, 0, .sni = "a");
	tables_free(&t);
}

/* ---- servers ----------------------------------------------------------------------------- */

static const uint8_t source[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

/* A farm whose servers have the ids 1 .. n. */
static void farm_of(struct tables *t, const char *balance, const char *servers)
{
	memset(farm_stats, 0, sizeof(farm_stats));
	memset(server_stats, 0, sizeof(server_stats));
	memset(health, 0, sizeof(health));
	say("farms: [{name: f, port: 80, balance: %s, servers: [%s]}]\n"
	    "frontends: [{name: web, port: 443, default_farm: f}]\n",
	    balance, servers);
	compile(t);
}

static uint32_t choose(const struct tables *t)
{
	return choose_server(t, &stats, 1, source, NULL, 0);
}

static void roundrobin_keeps_weights_exactly(void **state)
{
	unsigned int last[8] = {0}, n = 0;
	struct tables t;

	farm_of(&t, "roundrobin",
		"{name: a, address: 10.0.0.1, weight: 10}, {name: b, address: 10.0.0.2, weight: "
		"20},"
		"{name: c, address: 10.0.0.3, weight: 50}, {name: d, address: 10.0.0.4, weight: 0},"
		"{name: e, address: 10.0.0.5, status: inactive}");
	for (; n < 800; n++) {
		uint32_t server = choose(&t), counts[4] = {0};

		assert_in_range(server, 1, 3);
		last[n % 8] = server;
		if (n < 7)
			continue;
		for (int i = 0; i < 8; i++) /* whichever 8 in turn */
			counts[last[i]]++;
		assert_int_equal(counts[1], 1);
		assert_int_equal(counts[2], 2);
		assert_int_equal(counts[3], 5);
	}
	assert_int_equal(server_stats[3].live, 500);
	tables_free(&t);
}

static void source_keeps_a_client_at_its_server(void **state)
{
	unsigned int counts[4] = {0};
	struct tables t;

	farm_of(&t, "source",
		"{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2},"
		"{name: c, address: 10.0.0.3, weight: 2}");
	for (unsigned int i = 0; i < 4000; i++) {
		uint8_t from[16] = {0x20, 1, 0xd, 0xb8, [14] = i >> 8, [15] = i};
		uint32_t server = choose_server(&t, &stats, 1, from, NULL, 0);

		assert_in_range(server, 1, 3);
		for (int again = 0; again < 3; again++)
			assert_int_equal(choose_server(&t, &stats, 1, from, NULL, 0), server);
		counts[server]++;
	}
	assert_in_range(counts[1], 850, 1150);
	assert_in_range(counts[2], 850, 1150);
	assert_in_range(counts[3], 1800, 2200);
	tables_free(&t);
}

static void leastconn_compares_live_connections_by_weight(void **state)
{
	struct tables t;

	farm_of(&t, "leastconn",
		"{name: a, address: 10.0.0.1, weight: 1}, {name: b, address: 10.0.0.2, weight: 3}");
	for (int i = 0; i < 400; i++)
		assert_int_not_equal(choose(&t), 0);
	assert_int_equal(server_stats[1].live, 100);
	assert_int_equal(server_stats[2].live, 300);
	server_stats[1].live = 3; /* many have left a */
	for (int i = 0; i < 97; i++)
		assert_int_equal(choose(&t), 1);
	tables_free(&t);
}

static void first_fills_servers_in_order(void **state)
{
	struct tables t;

	farm_of(&t, "first",
		"{name: a, address: 10.0.0.1, weight: 1},"
		"{name: b, address: 10.0.0.2, weight: 200}");
	for (int i = 0; i < 10; i++)
		assert_int_equal(choose(&t), 1);
	assert_int_equal(choose_server(&t, &stats, 1, source, (uint32_t[]){1}, 1), 2);
	assert_int_equal(choose_server(&t, &stats, 1, source, (uint32_t[]){2, 1}, 2), 0);
	tables_free(&t);
}

enum { CLIENTS = 20000 };

/* A farm of servers 10.0.0.1 .. n, of which one may be left out: who serves each of the clients. */
static void maglev_of(unsigned int n, unsigned int without, uint8_t serves[CLIENTS])
{
	struct text servers = {0};
	struct tables t;

	for (unsigned int i = 1; i <= n; i++)
		if (i != without)
			text_append(&servers,
				    "{id: %u, name: s%u, address: 10.0.0.%u, weight: %u},", i, i, i,
				    i == 1 ? 2 : 1);
	farm_of(&t, "maglev", servers.s);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		uint8_t from[16] = {0x20, 1, 0xd, 0xb8, [14] = i >> 8, [15] = i};

		serves[i] = choose_server(&t, &stats, 1, from, NULL, 0);
		assert_int_equal(choose_server(&t, &stats, 1, from, NULL, 0), serves[i]);
	}
	tables_free(&t);
}

static void maglev_shares_by_weight_and_hardly_moves_clients(void **state)
{
	static uint8_t before[CLIENTS], after[CLIENTS];
	unsigned int counts[11] = {0}, moved = 0;
	double chi_square = 0;

	maglev_of(10, 0, before);
	for (unsigned int i = 0; i < CLIENTS; i++)
		counts[before[i]]++;
	for (unsigned int i = 1; i <= 10; i++) {
		double expected = CLIENTS * (i == 1 ? 2 : 1) / 11.0;

		chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
	}
	assert_true(chi_square < 27.9); /* 9 degrees of freedom: exceeded once in a thousand */
	for (unsigned int without = 1; without <= 10; without += 3) {
		maglev_of(10, without, after);
		for (unsigned int i = moved = 0; i < CLIENTS; i++)
			moved += after[i] != before[i];
		assert_in_range(moved, counts[without], counts[without] + CLIENTS / 50);
	}
}

static void random_takes_the_less_loaded_of_two(void **state)
{
	unsigned int n = 0;
	struct tables t;

	farm_of(&t, "random",
		"{name: a, address: 10.0.0.1, weight: 1}, {name: b, address: 10.0.0.2, weight: 3}");
	for (int i = 0; i < 8000; i++)
		assert_int_not_equal(choose(&t), 0);
	assert_in_range(server_stats[1].live, 1980, 2020);
	tables_free(&t);
	farm_of(&t, "random", "{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}");
	server_stats[1].live = 1000000;
	for (int i = 0; i < 8000; i++)
		n += choose(&t) == 1;
	assert_in_range(n, 1880, 2120); /* a quarter: both are the first; 3 standard deviations */
	tables_free(&t);
}

static const char *const balances[] = {"roundrobin", "source", "leastconn",
				       "first",	     "maglev", "random"};
#define N_BALANCES (sizeof(balances) / sizeof(*balances))

static void servers_that_were_tried_are_skipped(void **state)
{
	for (size_t i = 0; i < N_BALANCES; i++) {
		struct tables t;

		farm_of(&t, balances[i],
			"{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2},"
			"{name: c, address: 10.0.0.3}");
		for (uint32_t left = 1; left <= 3; left++) {
			uint32_t tried[] = {left % 3 + 1, (left + 1) % 3 + 1};

			for (int n = 0; n < 7; n++)
				assert_int_equal(choose_server(&t, &stats, 1, source, tried, 2),
						 left);
		}
		assert_int_equal(choose_server(&t, &stats, 1, source, (uint32_t[]){1, 2, 3}, 3), 0);
		tables_free(&t);
	}
}

static void backups_serve_when_no_primary_is_left(void **state)
{
	for (size_t i = 0; i < N_BALANCES; i++) {
		bool chosen[5] = {false};
		struct tables t;

		farm_of(&t, balances[i],
			"{name: a, address: 10.0.0.1, backup: true}, {name: b, address: 10.0.0.2},"
			"{name: c, address: 10.0.0.3}, {name: d, address: 10.0.0.4, backup: true}");
		for (int n = 0; n < 20; n++)
			chosen[choose(&t)] = true;
		assert_false(chosen[0] || chosen[1] || chosen[4]);
		for (int n = 0; n < 20; n++) {
			uint32_t server =
				choose_server(&t, &stats, 1, source, (uint32_t[]){3, 2}, 2);

			assert_true(server == 1 || server == 4);
		}
		tables_free(&t);
		farm_of(&t, balances[i],
			"{name: a, address: 10.0.0.1, backup: true},"
			"{name: b, address: 10.0.0.2, weight: 0}");
		assert_int_equal(choose(&t), 1);
		tables_free(&t);
	}
}

/* Down in turn: who is left, before the backups, and before nobody. */
static void servers_that_are_down_are_skipped(void **state)
{
	for (size_t i = 0; i < N_BALANCES; i++) {
		struct tables t;

		farm_of(&t, balances[i],
			"{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2},"
			"{name: c, address: 10.0.0.3, backup: true}");
		health[1].state = SERVER_UP;
		for (uint32_t down = 1; down <= 2; down++) {
			health[down].state = SERVER_DOWN;
			for (int n = 0; n < 50; n++)
				assert_int_equal(choose(&t), 3 - down);
			health[down].state = SERVER_UNKNOWN;
		}
		health[1].state = health[2].state = SERVER_DOWN;
		for (int n = 0; n < 50; n++)
			assert_int_equal(choose(&t), 3);
		health[3].state = SERVER_DOWN;
		assert_int_equal(choose(&t), 0);
		health[1].state = SERVER_UP;
		assert_int_equal(choose(&t), 1);
		tables_free(&t);
	}
}

/* Six connections of each seven go to b and c as if there were no a, and evenly. */
static void turns_of_a_server_that_is_down_go_to_all_others(void **state)
{
	struct tables t;

	farm_of(&t, "roundrobin",
		"{name: a, address: 10.0.0.1, weight: 3}, {name: b, address: 10.0.0.2},"
		"{name: c, address: 10.0.0.3, weight: 2}");
	health[1].state = SERVER_DOWN;
	for (int n = 0; n < 600; n++) {
		choose(&t);
		if (n % 3 == 2)
			assert_int_equal(server_stats[3].live, 2 * server_stats[2].live);
	}
	assert_int_equal(server_stats[2].live, 200);
	tables_free(&t);
}

static void only_clients_of_a_server_that_is_down_move(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		unsigned int moved_to[6] = {0}, before, after, moved = 0;
		struct tables t;

		farm_of(&t, (const char *[]){"source", "maglev"}[i],
			"{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2},"
			"{name: c, address: 10.0.0.3}, {name: d, address: 10.0.0.4},"
			"{name: e, address: 10.0.0.5}");
		for (unsigned int n = 0; n < CLIENTS; n++) {
			uint8_t from[16] = {0x20, 1, 0xd, 0xb8, [14] = n >> 8, [15] = n};

			health[2].state = SERVER_UP;
			before = choose_server(&t, &stats, 1, from, NULL, 0);
			health[2].state = SERVER_DOWN;
			after = choose_server(&t, &stats, 1, from, NULL, 0);
			assert_int_equal(choose_server(&t, &stats, 1, from, NULL, 0), after);
			assert_true(before == after || before == 2);
			moved += before == 2;
			moved_to[after] += before == 2;
		}
		for (unsigned int server = 1; server <= 5; server++)
			if (server != 2) /* a quarter each, within 5 standard deviations */
				assert_in_range(moved_to[server], moved / 4 - 140, moved / 4 + 140);
		tables_free(&t);
	}
}

static void a_farm_may_have_no_server_to_choose(void **state)
{
	struct tables t;

	farm_of(&t, "roundrobin", "{name: a, address: 10.0.0.1, weight: 0}");
	assert_int_equal(choose(&t), 0);
	assert_int_equal(choose_server(&t, &stats, 7, source, NULL, 0), 0);
	assert_int_equal(server_stats[0].live, 0);
	assert_int_equal(server_stats[1].live, 0);
	tables_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_of_a_route_has_to_hold),
		cmocka_unit_test(one_pattern_of_a_list_is_enough),
		cmocka_unit_test(each_kind_of_rule_and_its_negation),
		cmocka_unit_test(names_of_what_is_no_hello_do_not_count),
		cmocka_unit_test(what_cannot_be_read_lacks_no_names),
		cmocka_unit_test(expressions_take_their_place_in_the_order),
		cmocka_unit_test(a_rule_that_is_given_up_does_not_hold_and_is_counted),
		cmocka_unit_test(a_host_that_is_slow_for_a_moment_changes_no_decision),
		cmocka_unit_test(many_slow_expressions_do_not_add_up),
		cmocka_unit_test(expressions_that_are_nearly_too_slow_do_not_add_up),
		cmocka_unit_test(any_number_of_ordinary_expressions_is_tried),
		cmocka_unit_test(reject_comes_first_then_weight_then_age),
		cmocka_unit_test(routes_may_share_an_anchor),
		cmocka_unit_test(a_suffix_may_end_another_one),
		cmocka_unit_test(suffixes_may_be_as_long_as_a_name),
		cmocka_unit_test(sources_may_have_any_number_of_prefix_lengths),
		cmocka_unit_test(each_of_4096_routes_is_found),
		cmocka_unit_test(the_outcome_is_a_farm_a_reject_or_nothing),
		cmocka_unit_test(routes_of_another_frontend_and_without_rules_do_not_match),
		cmocka_unit_test(roundrobin_keeps_weights_exactly),
		cmocka_unit_test(source_keeps_a_client_at_its_server),
		cmocka_unit_test(leastconn_compares_live_connections_by_weight),
		cmocka_unit_test(first_fills_servers_in_order),
		cmocka_unit_test(maglev_shares_by_weight_and_hardly_moves_clients),
		cmocka_unit_test(random_takes_the_less_loaded_of_two),
		cmocka_unit_test(servers_that_were_tried_are_skipped),
		cmocka_unit_test(backups_serve_when_no_primary_is_left),
		cmocka_unit_test(servers_that_are_down_are_skipped),
		cmocka_unit_test(turns_of_a_server_that_is_down_go_to_all_others),
		cmocka_unit_test(only_clients_of_a_server_that_is_down_move),
		cmocka_unit_test(a_farm_may_have_no_server_to_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
