/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kinds of clients there are, told apart by all that is finite about them: what they speak,
 * the TLS version, ECH, and which names of HTTP they offer. A route that may match none of them
 * never matches, however many of its rules that takes.
 */
#include <string.h>

#include "../../bpf/protocols.h"
#include "warnings.h"

#define OFFERS (HELLO_OFFERS_H2 | HELLO_OFFERS_HTTP1 | HELLO_OFFERS_HTTP10)

struct client_kind {
	uint32_t flags;	    /* HELLO_* */
	uint32_t protocols; /* PROTOCOL_* */
};

static uint32_t offered(const struct pattern *name)
{
	if (!strcmp(name->text, "h2"))
		return HELLO_OFFERS_H2;
	if (!strcmp(name->text, "http/1.1"))
		return HELLO_OFFERS_HTTP1;
	return strcmp(name->text, "http/1.0") ? 0 : HELLO_OFFERS_HTTP10;
}

/* Names that are none of HTTP may be offered, or not. */
static bool may_offer(const struct client_kind *kind, const struct rule *rule)
{
	bool some = kind->flags & HELLO_ALPN;

	if (rule->match == MATCH_EXISTS)
		return some != rule->negate;
	if (!match_is_exact(rule->match))
		return some || rule->negate;
	for (size_t i = 0; i < rule->n_patterns; i++) {
		uint32_t name = offered(&rule->patterns[i]);

		if (rule->negate ? kind->flags & name : some && (!name || kind->flags & name))
			return !rule->negate;
	}
	return rule->negate;
}

static bool may_hold(const struct client_kind *kind, const struct rule *rule)
{
	uint32_t protocols = rule_protocols(rule);

	/* No rule on a hello holds, negated or not, for one that cannot be read. */
	if (field_of_hello(rule->field) && !(kind->protocols & PROTOCOL_NAMES_KNOWN))
		return false;
	if (protocols)
		return !!(kind->protocols & protocols) != rule->negate;
	if (rule->field == FIELD_ALPN)
		return may_offer(kind, rule);
	return rule->field == FIELD_SOURCE || rule->negate || kind->protocols & PROTOCOL_TLS;
}

static bool may_match(const struct route *route, enum verdict verdict, uint32_t flags,
		      uint32_t version)
{
	const struct client_kind kind = {flags, hello_protocols(verdict, flags, version)};

	for (size_t i = 0; i < route->n_rules; i++)
		if (!may_hold(&kind, &route->rules[i]))
			return false;
	return true;
}

static bool may_match_tls(const struct route *route, uint32_t flags)
{
	/* from none that is known to one behind TLS 1.3 */
	for (uint32_t version = 0x02ff; version <= 0x0305; version++)
		if (may_match(route, VERDICT_TLS, flags | HELLO_VERSIONS, version) ||
		    may_match(route, VERDICT_TLS, flags | HELLO_VERSIONS | HELLO_ECH, version))
			return true;
	return false;
}

bool route_may_match(const struct route *route)
{
	static const enum verdict others[] = {VERDICT_MALFORMED, VERDICT_OTHER, VERDICT_SSH,
					      VERDICT_HTTP1, VERDICT_HTTP2};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (may_match(route, others[i], 0, 0))
			return true;
	/* Every subset of the names. */
	for (uint32_t offers = OFFERS;; offers = (offers - 1) & OFFERS) {
		if (may_match_tls(route, HELLO_ALPN | offers))
			return true;
		if (!offers)
			return may_match_tls(route, 0);
	}
}
