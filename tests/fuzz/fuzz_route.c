// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Compiles routes made from the input and asks the evaluator where clients made from the
 * input go; the answer has to be that of going through routes, rules and patterns in order.
 * Names are short and of few letters, so that much matches; as a regular expression, a name
 * has the dot for any byte. What is said about routes without a client has to be true of each.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/kernel/decide.h"
#include "../../user/model/decode.h"
#include "../../user/model/warnings.h"

#define ROUTES	 12
#define RULES	 4
#define PATTERNS 3
#define NAME	 24

struct input {
	const uint8_t *bytes;
	size_t len;
};

struct client {
	struct hello hello;
	struct subject subject;
	uint32_t speaks;
};

struct made {
	struct config config;
	struct frontend frontend;
	struct farm farms[2];
	struct route routes[ROUTES];
	struct rule rules[ROUTES][RULES];
	struct pattern patterns[ROUTES][RULES][PATTERNS];
	char texts[ROUTES][RULES][PATTERNS][NAME + 1];
};

/* 0 .. n - 1; zeros when the input has ended. */
static uint32_t pick(struct input *in, uint32_t n)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->bytes++ % n;
}

static size_t pick_name(struct input *in, char *to)
{
	static const char *const known[] = {"h2", "http/1.1", "a.b", "www.a.b"};
	size_t len = pick(in, NAME + 5);

	if (len > NAME) {
		strcpy(to, known[len - NAME - 1]);
		return strlen(to);
	}
	if (!len)
		len = 1;
	for (size_t i = 0; i < len; i++)
		to[i] = "ab.w"[pick(in, 4)];
	to[len] = 0;
	return len;
}

/* Addresses differ in few places, so that prefixes cover some of them. */
static void pick_address(struct input *in, uint8_t to[16])
{
	memset(to, 0, 16);
	if (pick(in, 2)) {
		memset(to + 10, 0xff, 2);
		to[12] = 192;
		to[14] = pick(in, 3);
		to[15] = pick(in, 256);
	} else {
		to[0] = 0x20;
		to[7] = pick(in, 3);
		to[15] = pick(in, 256);
	}
}

static void pick_prefix(struct input *in, struct prefix *prefix)
{
	static const uint8_t lengths[] = {0, 1, 3, 56, 64, 96, 97, 112, 120, 121, 126, 127, 128};

	pick_address(in, prefix->address);
	prefix->length = lengths[pick(in, sizeof(lengths))];
	for (size_t bit = prefix->length; bit < 128; bit++)
		prefix->address[bit / 8] &= ~(0x80 >> bit % 8);
}

/* ---- routes from the input --------------------------------------------------------------- */

static void make_rule(struct input *in, struct rule *rule, struct pattern *patterns,
		      char (*texts)[NAME + 1])
{
	static const enum match matches[] = {MATCH_IS,	     MATCH_IN,	     MATCH_STARTSWITH,
					     MATCH_ENDSWITH, MATCH_CONTAINS, MATCH_EXISTS,
					     MATCH_MATCHES};
	bool of_names;

	rule->field = FIELD_PROTOCOL + pick(in, 6);
	of_names = rule->field == FIELD_SNI || rule->field == FIELD_ALPN;
	rule->negate = pick(in, 4) == 3;
	rule->match = matches[pick(in, of_names ? 7 : 2)];
	rule->patterns = patterns;
	rule->n_patterns = rule->match == MATCH_EXISTS ? 0
			   : rule->match == MATCH_IN   ? 1 + pick(in, PATTERNS)
						       : 1;
	for (size_t i = 0; i < rule->n_patterns; i++) {
		patterns[i].text = texts[i];
		patterns[i].len = pick_name(in, texts[i]);
		patterns[i].protocols = rule->field == FIELD_TLS_VERSION
						? PROTOCOL_SSL3 << pick(in, 5)
					: rule->field == FIELD_TLS_ECH ? PROTOCOL_ECH << pick(in, 2)
								       : 1 << pick(in, 7);
		pick_prefix(in, &patterns[i].source);
	}
}

static void make_route(struct input *in, struct made *made, size_t i)
{
	struct route *route = &made->routes[i];

	route->o.id = i + 1;
	route->frontend = &made->frontend;
	route->action = pick(in, 5) ? ACTION_FARM : ACTION_REJECT;
	route->target = route->action == ACTION_FARM ? &made->farms[1] : NULL;
	route->weight = pick(in, 3);
	route->rules = made->rules[i];
	route->n_rules = 1 + pick(in, RULES);
	for (size_t j = 0; j < route->n_rules; j++)
		make_rule(in, &route->rules[j], made->patterns[i][j], made->texts[i][j]);
}

static void make_config(struct input *in, struct made *made)
{
	*made = (struct made){
		.frontend = {.o = {.id = 1, .name = "web"}, .default_farm = &made->farms[0]},
		.farms = {{.o = {.id = 1, .name = "one"}}, {.o = {.id = 2, .name = "two"}}},
	};
	made->config = (struct config){
		.farms = made->farms,
		.n_farms = 2,
		.frontends = &made->frontend,
		.n_frontends = 1,
		.routes = made->routes,
		.n_routes = 1 + pick(in, ROUTES),
	};
	for (size_t i = 0; i < made->config.n_routes; i++)
		make_route(in, made, i);
}

/* ---- clients from the input --------------------------------------------------------------- */

static void make_alpn(struct input *in, struct hello *hello)
{
	size_t n = pick(in, 4);
	char name[NAME + 1];

	for (size_t i = 0; i < n; i++) {
		size_t len = pick_name(in, name);

		hello->flags |= HELLO_ALPN;
		hello->alpn[hello->alpn_len] = len;
		memcpy(hello->alpn + hello->alpn_len + 1, name, len);
		hello->alpn_len += 1 + len;
		if (!strcmp(name, "h2"))
			hello->flags |= HELLO_OFFERS_H2;
		if (!strcmp(name, "http/1.1"))
			hello->flags |= HELLO_OFFERS_HTTP1;
	}
}

static void make_client(struct input *in, struct client *client)
{
	static const enum verdict verdicts[] = {
		VERDICT_TLS, VERDICT_TLS,   VERDICT_TLS,    VERDICT_HTTP1,     VERDICT_HTTP2,
		VERDICT_SSH, VERDICT_OTHER, VERDICT_SILENT, VERDICT_MALFORMED, VERDICT_SSLV2};
	struct hello *hello = &client->hello;
	uint8_t source[16];
	char name[NAME + 1];

	memset(client, 0, sizeof(*client));
	hello->verdict = verdicts[pick(in, sizeof(verdicts) / sizeof(*verdicts))];
	if (hello->verdict == VERDICT_TLS) {
		if (pick(in, 4)) {
			hello->flags |= HELLO_SNI;
			hello->sni_len = pick_name(in, name);
			memcpy(hello->sni, name, hello->sni_len);
		}
		make_alpn(in, hello);
		hello->version = 0x0300 + pick(in, 6);
		hello->flags |= HELLO_VERSIONS | (pick(in, 2) ? HELLO_ECH : 0);
	}
	pick_address(in, source);
	subject_init(&client->subject, hello, source);
	client->speaks = hello_speaks(hello);
}

/* ---- the plain evaluation ------------------------------------------------------------------ */

static bool expression_holds(const uint8_t *text, size_t len, const struct pattern *p)
{
	for (size_t at = 0; at + p->len <= len; at++) {
		bool same = true;

		for (size_t i = 0; i < p->len; i++)
			same &= p->text[i] == '.' || p->text[i] == text[at + i];
		if (same)
			return true;
	}
	return false;
}

static bool text_holds(const uint8_t *text, size_t len, enum match match, const struct pattern *p)
{
	if (p->len > len)
		return false;
	switch (match) {
	case MATCH_IS:
	case MATCH_IN:
		return p->len == len && !memcmp(text, p->text, len);
	case MATCH_STARTSWITH:
		return !memcmp(text, p->text, p->len);
	case MATCH_ENDSWITH:
		return !memcmp(text + len - p->len, p->text, p->len);
	case MATCH_MATCHES:
		return expression_holds(text, len, p);
	default:
		return memmem(text, len, p->text, p->len);
	}
}

static bool prefix_holds(const struct prefix *prefix, const uint8_t address[16])
{
	for (size_t bit = 0; bit < prefix->length; bit++)
		if ((prefix->address[bit / 8] ^ address[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

static bool pattern_holds(const struct client *c, const struct rule *rule, const struct pattern *p)
{
	const struct hello *hello = &c->hello;

	switch (rule->field) {
	case FIELD_PROTOCOL:
	case FIELD_TLS_VERSION:
	case FIELD_TLS_ECH:
		return c->speaks & p->protocols;
	case FIELD_SOURCE:
		return prefix_holds(&p->source, c->subject.source);
	case FIELD_SNI:
		return hello->sni_len && text_holds(hello->sni, hello->sni_len, rule->match, p);
	case FIELD_ALPN:
		for (size_t at = 0; at < hello->alpn_len; at += 1 + hello->alpn[at])
			if (text_holds(hello->alpn + at + 1, hello->alpn[at], rule->match, p))
				return true;
		return false;
	}
	return false;
}

static bool rule_holds(const struct client *c, const struct rule *rule)
{
	enum verdict verdict = c->hello.verdict;
	bool unreadable = verdict == VERDICT_SILENT || verdict == VERDICT_MALFORMED ||
			  verdict == VERDICT_SSLV2;
	bool holds = false;

	if (unreadable && rule->field != FIELD_PROTOCOL && rule->field != FIELD_SOURCE)
		return false;
	if (rule->match == MATCH_EXISTS)
		holds = rule->field == FIELD_SNI ? c->hello.sni_len : c->hello.alpn_len;
	for (size_t i = 0; i < rule->n_patterns; i++)
		holds |= pattern_holds(c, rule, &rule->patterns[i]);
	return holds != rule->negate;
}

static bool comes_before(const struct route *a, const struct route *b)
{
	if ((a->action == ACTION_REJECT) != (b->action == ACTION_REJECT))
		return a->action == ACTION_REJECT;
	if (a->weight != b->weight)
		return a->weight < b->weight;
	return a < b;
}

static bool route_holds(const struct client *c, const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++)
		if (!rule_holds(c, &route->rules[i]))
			return false;
	return true;
}

static void check_warnings(const struct config *config, const struct client *c)
{
	for (size_t i = 0; i < config->n_routes; i++) {
		const struct route *route = &config->routes[i];
		const struct rule *other;

		if (!route_holds(c, route))
			continue;
		if (route_contradiction(route, &other) || route_exhausted(route) ||
		    !route_may_match(route))
			abort();
		for (size_t j = 0; j < config->n_routes; j++)
			if (route_shadows(&config->routes[j], route) &&
			    !route_holds(c, &config->routes[j]))
				abort();
	}
}

static uint32_t first_route(const struct config *config, const struct client *c)
{
	const struct route *best = NULL;

	for (size_t i = 0; i < config->n_routes; i++) {
		const struct route *route = &config->routes[i];

		if (route_holds(c, route) && (!best || comes_before(route, best)))
			best = route;
	}
	return best ? best->o.id : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct made made;
	struct input in = {data, size};
	struct tables tables = {0};

	make_config(&in, &made);
	if (tables_compile(&made.config, &tables))
		abort();
	for (int i = 0; i < 4; i++) {
		struct decision decision;
		struct client client;
		uint32_t expected;

		make_client(&in, &client);
		expected = first_route(&made.config, &client);
		check_warnings(&made.config, &client);
		decide(&tables, 1, &client.subject, &decision);
		if (decision.route_id != expected) {
			fprintf(stderr, "fuzz_route: client %d: route %u, expected %u\n", i,
				decision.route_id, expected);
			abort();
		}
	}
	tables_free(&tables);
	return 0;
}
