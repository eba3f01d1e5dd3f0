/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is allowed, but known to bite. Whether a rule implies another one is answered with "no"
 * where it takes more than comparing two rules: a warning that is missing is better than a wrong
 * one.
 */
#include <stdlib.h>
#include <string.h>

#include "../../bpf/anchor.h"
#include "decoder.h"
#include "prefix.h"
#include "warnings.h"

/* ---- what rules say about a client ------------------------------------------------------ */

/* What a client speaks for certain that speaks one protocol, or offers one ALPN name. */
static uint32_t protocol_certain(uint32_t protocol)
{
	return protocol == PROTOCOL_HTTPS ? PROTOCOL_TCP | PROTOCOL_TLS | PROTOCOL_HTTPS
					  : PROTOCOL_TCP | protocol;
}

static uint32_t alpn_certain(const struct pattern *pattern)
{
	uint32_t https = protocol_certain(PROTOCOL_HTTPS);

	if (!strcmp(pattern->text, "h2"))
		return https | PROTOCOL_HTTP2;
	if (!strcmp(pattern->text, "http/1.1"))
		return https | PROTOCOL_HTTP1;
	return strcmp(pattern->text, "http/1.0") ? PROTOCOL_TCP | PROTOCOL_TLS : https;
}

/* The protocols that every client speaks for which the rule, taken without `negate`, holds. */
static uint32_t certain(const struct rule *rule)
{
	uint32_t protocols = rule_protocols(rule), all = ~0u;

	if (rule->field == FIELD_SOURCE)
		return PROTOCOL_TCP;
	if (rule->field == FIELD_PROTOCOL) {
		for (uint32_t bit = 1; bit <= protocols; bit <<= 1)
			all &= protocols & bit ? protocol_certain(bit) : ~0u;
		return all;
	}
	if (rule->field != FIELD_ALPN || !match_is_exact(rule->match))
		return PROTOCOL_TCP | PROTOCOL_TLS;
	for (size_t i = 0; i < rule->n_patterns; i++)
		all &= alpn_certain(&rule->patterns[i]);
	return all;
}

/* What a client cannot speak beside others. */
static uint32_t excluded(uint32_t protocols)
{
	uint32_t none = 0;

	if (protocols & PROTOCOL_TLS)
		none |= PROTOCOL_HTTP | PROTOCOL_SSH;
	if (protocols & PROTOCOL_HTTP)
		none |= PROTOCOL_TLS | PROTOCOL_HTTPS | PROTOCOL_SSH;
	if (protocols & PROTOCOL_SSH)
		none |= PROTOCOL_TLS | PROTOCOL_HTTPS | PROTOCOL_HTTP | PROTOCOL_HTTP1 |
			PROTOCOL_HTTP2;
	return none;
}

static bool protocols_exclude(const struct rule *a, const struct rule *b)
{
	uint32_t needs = b->field == FIELD_PROTOCOL ? rule_protocols(b)
			 : field_of_hello(b->field) ? PROTOCOL_TLS
						    : PROTOCOL_TCP;

	return !(needs & ~excluded(certain(a)));
}

/* ---- patterns ---------------------------------------------------------------------------- */

static bool begins(const struct pattern *text, const struct pattern *with)
{
	return with->len <= text->len && !memcmp(text->text, with->text, with->len);
}

static bool ends(const struct pattern *text, const struct pattern *with)
{
	return with->len <= text->len &&
	       !memcmp(text->text + text->len - with->len, with->text, with->len);
}

/* Does a rule with this match and pattern hold for every name that holds `text` by `match`? */
static bool name_implies(enum match match, const struct pattern *text, enum match other,
			 const struct pattern *pattern)
{
	bool whole = match_is_exact(match);

	switch (other) {
	case MATCH_IS:
	case MATCH_IN:
		return whole && text->len == pattern->len && begins(text, pattern);
	case MATCH_STARTSWITH:
		return (whole || match == MATCH_STARTSWITH) && begins(text, pattern);
	case MATCH_ENDSWITH:
		return (whole || match == MATCH_ENDSWITH) && ends(text, pattern);
	case MATCH_CONTAINS:
		return match != MATCH_MATCHES &&
		       memmem(text->text, text->len, pattern->text, pattern->len);
	case MATCH_MATCHES:
		return match == MATCH_MATCHES && !strcmp(text->text, pattern->text);
	default:
		return false;
	}
}

static bool prefix_within(const struct prefix *inner, const struct prefix *outer)
{
	return inner->length >= outer->length && prefix_contains(outer, inner->address);
}

static bool pattern_implies(const struct rule *a, const struct pattern *pattern,
			    const struct rule *b)
{
	for (size_t i = 0; i < b->n_patterns; i++)
		if (a->field == FIELD_SOURCE
			    ? prefix_within(&pattern->source, &b->patterns[i].source)
			    : name_implies(a->match, pattern, b->match, &b->patterns[i]))
			return true;
	return false;
}

/* Can no server name, or no address, have both? */
static bool patterns_exclude(const struct rule *a, const struct pattern *p, const struct rule *b,
			     const struct pattern *q)
{
	if (a->field == FIELD_SOURCE)
		return !prefix_within(&p->source, &q->source) &&
		       !prefix_within(&q->source, &p->source);
	if (a->match == MATCH_MATCHES || b->match == MATCH_MATCHES)
		return false;
	if (match_is_exact(a->match))
		return !name_implies(a->match, p, b->match, q);
	if (match_is_exact(b->match))
		return !name_implies(b->match, q, a->match, p);
	if (a->match == MATCH_STARTSWITH && b->match == MATCH_STARTSWITH)
		return !begins(p, q) && !begins(q, p);
	if (a->match == MATCH_ENDSWITH && b->match == MATCH_ENDSWITH)
		return !ends(p, q) && !ends(q, p);
	return false;
}

/* ---- rules, taken without `negate` ------------------------------------------------------- */

/* Does it hold for every ClientHello? */
static bool holds_for_tls(const struct rule *rule)
{
	uint32_t none = ~rule_protocols(rule);

	return !(none & PROTOCOL_VERSIONS) || !(none & (PROTOCOL_ECH | PROTOCOL_NO_ECH));
}

/* Does `b` hold for every client that `a` holds for? */
static bool positive_implies(const struct rule *a, const struct rule *b)
{
	uint32_t protocols = rule_protocols(b);

	if (b->field == FIELD_PROTOCOL && certain(a) & protocols)
		return true;
	if (certain(a) & PROTOCOL_TLS && holds_for_tls(b))
		return true;
	if (a->field != b->field)
		return false;
	if (protocols)
		return !(rule_protocols(a) & ~protocols);
	if (b->match == MATCH_EXISTS)
		return true;
	for (size_t i = 0; i < a->n_patterns; i++)
		if (!pattern_implies(a, &a->patterns[i], b))
			return false;
	return a->n_patterns;
}

/* Is there no client that both hold for? */
static bool positive_excludes(const struct rule *a, const struct rule *b)
{
	if (protocols_exclude(a, b) || protocols_exclude(b, a))
		return true;
	/* A client has any number of protocols and ALPN names, and one of the rest. */
	if (a->field != b->field || a->field == FIELD_PROTOCOL || a->field == FIELD_ALPN)
		return false;
	if (rule_protocols(a))
		return !(rule_protocols(a) & rule_protocols(b));
	for (size_t i = 0; i < a->n_patterns; i++)
		for (size_t j = 0; j < b->n_patterns; j++)
			if (!patterns_exclude(a, &a->patterns[i], b, &b->patterns[j]))
				return false;
	return a->n_patterns && b->n_patterns;
}

/* ---- rules ------------------------------------------------------------------------------- */

static bool implies(const struct rule *a, const struct rule *b)
{
	if (!a->negate && !b->negate)
		return positive_implies(a, b);
	if (!a->negate)
		return positive_excludes(a, b);
	if (!b->negate)
		return rule_protocols(b) & PROTOCOL_TCP;
	/* A negated rule on the hello does not hold for one that cannot be read. */
	return (field_of_hello(a->field) || !field_of_hello(b->field)) && positive_implies(b, a);
}

static bool contradict(const struct rule *a, const struct rule *b)
{
	if (a->negate && b->negate)
		return false;
	if (!a->negate && !b->negate)
		return positive_excludes(a, b);
	return a->negate ? positive_implies(b, a) : positive_implies(a, b);
}

/* ---- routes that never match ------------------------------------------------------------- */

const struct rule *route_contradiction(const struct route *route, const struct rule **other)
{
	for (size_t i = 0; i < route->n_rules; i++) {
		*other = &route->rules[i];
		if ((*other)->negate && rule_protocols(*other) & PROTOCOL_TCP)
			return *other;
	}
	for (size_t i = 0; i < route->n_rules; i++) {
		const struct rule *a = &route->rules[i];

		for (size_t j = i + 1; j < route->n_rules; j++) {
			*other = &route->rules[j];
			if (contradict(a, *other))
				return a;
		}
	}
	return NULL;
}

static bool is_excluded(const struct route *route, const struct rule *rule)
{
	for (size_t i = 0; i < route->n_rules; i++)
		if (contradict(rule, &route->rules[i]))
			return true;
	return false;
}

const struct rule *route_exhausted(const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++) {
		const struct rule *rule = &route->rules[i];
		size_t excluded = 0;

		for (size_t j = 0; !rule->negate && j < rule->n_patterns; j++) {
			struct rule one = *rule;

			one.patterns = &rule->patterns[j];
			one.n_patterns = 1;
			excluded += is_excluded(route, &one);
		}
		if (excluded && excluded == rule->n_patterns)
			return rule;
	}
	return NULL;
}

static bool is_refused(const struct frontend *frontend, const struct prefix *source)
{
	const struct prefix_list *allowed = &frontend->allowed_source;
	const struct prefix_list *denied = &frontend->denied_source;

	for (size_t i = 0; denied->set && i < denied->n; i++)
		if (prefix_within(source, &denied->v[i]))
			return true;
	for (size_t i = 0; allowed->set && i < allowed->n; i++)
		if (prefix_within(source, &allowed->v[i]) || prefix_within(&allowed->v[i], source))
			return false;
	return allowed->set;
}

static bool has_source(const struct rule *rule, const struct prefix *source)
{
	for (size_t i = 0; i < rule->n_patterns; i++)
		if (prefix_within(source, &rule->patterns[i].source))
			return true;
	return false;
}

/* Does the frontend let nobody in that the rule on the source holds for? */
static bool all_refused(const struct frontend *frontend, const struct rule *rule)
{
	const struct prefix_list *allowed = &frontend->allowed_source;

	if (!rule->negate) {
		for (size_t i = 0; i < rule->n_patterns; i++)
			if (!is_refused(frontend, &rule->patterns[i].source))
				return false;
		return true;
	}
	for (size_t i = 0; allowed->set && i < allowed->n; i++)
		if (!has_source(rule, &allowed->v[i]))
			return false;
	return allowed->set;
}

static const struct rule *route_refused(const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++)
		if (route->rules[i].field == FIELD_SOURCE &&
		    all_refused(route->frontend, &route->rules[i]))
			return &route->rules[i];
	return NULL;
}

bool route_shadows(const struct route *earlier, const struct route *later)
{
	for (size_t i = 0; i < earlier->n_rules; i++) {
		bool implied = false;

		for (size_t j = 0; j < later->n_rules && !implied; j++)
			implied = implies(&later->rules[j], &earlier->rules[i]);
		if (!implied)
			return false;
	}
	return earlier->n_rules;
}

/* A number for the only server name a route can match, 0 if there may be others. */
static uint64_t only_name(const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++) {
		const struct rule *rule = &route->rules[i];
		uint64_t hash = HASH_SEED;

		if (rule->field != FIELD_SNI || rule->negate || !match_is_exact(rule->match) ||
		    rule->n_patterns != 1)
			continue;
		for (size_t k = 0; k < rule->patterns->len; k++)
			hash = hash_byte(hash, rule->patterns->text[k]);
		return hash | 1;
	}
	return 0;
}

/* Pairs of routes that are compared in one configuration, at most: a fraction of a second. */
#define COMPARISONS_MAX 10000000

static const struct route *find_shadow(struct route *const *routes, const uint64_t *names,
				       size_t at, size_t *comparisons)
{
	for (size_t i = 0; i < at && *comparisons < COMPARISONS_MAX; i++) {
		/* Who comes with one name only is no match for another one. */
		if (names[i] && names[i] != names[at])
			continue;
		++*comparisons;
		if (route_shadows(routes[i], routes[at]))
			return routes[i];
	}
	return NULL;
}

static struct text object_quoted(const struct object *object)
{
	return text_quoted(object->name, strlen(object->name));
}

static void warn_contradiction(struct decoder *d, const struct value *value,
			       const struct route *route, const struct rule *a,
			       const struct rule *b)
{
	if (a == b)
		decode_warning(d, value, "rule %zu holds for nobody: the route never matches",
			       a - route->rules + 1);
	else
		decode_warning(d, value,
			       "rules %zu and %zu exclude each other: the route never matches",
			       a - route->rules + 1, b - route->rules + 1);
}

/* Did it? */
static bool warn_of_rules(struct decoder *d, const struct value *value, const struct route *route)
{
	const struct rule *b, *a = route_contradiction(route, &b);

	if (a) {
		warn_contradiction(d, value, route, a, b);
		return true;
	}
	a = route_exhausted(route);
	if (a)
		decode_warning(d, value,
			       "each pattern of rule %zu is excluded by another rule: the route "
			       "never matches",
			       a - route->rules + 1);
	else if (!route_may_match(route))
		decode_warning(d, value, "its rules exclude each other: the route never matches");
	else
		return false;
	return true;
}

static void warn_of_route(struct decoder *d, const struct value *routes, struct route *const *order,
			  const uint64_t *names, size_t at, size_t *comparisons)
{
	const struct route *route = order[at], *shadow;
	struct value value = value_item(routes, route - d->config->routes);
	const struct rule *refused;

	/* One without rules was told when it was decoded. */
	if (!route->n_rules || warn_of_rules(d, &value, route))
		return;
	refused = route_refused(route);
	if (refused) {
		decode_warning(d, &value,
			       "rule %zu is for sources that the frontend does not let in: the "
			       "route never matches",
			       refused - route->rules + 1);
		return;
	}
	shadow = find_shadow(order, names, at, comparisons);
	if (shadow)
		decode_warning(d, &value,
			       "the route %s%s comes first and matches whenever this one would: it "
			       "never does",
			       object_quoted(&shadow->o).s, in_line(&shadow->o).s);
}

/* ---- encrypted names --------------------------------------------------------------------- */

static bool has_rule(const struct route *route, bool (*test)(const struct rule *))
{
	for (size_t i = 0; i < route->n_rules; i++)
		if (!route->rules[i].negate && test(&route->rules[i]))
			return true;
	return false;
}

static bool is_server_name(const struct rule *rule)
{
	return rule->field == FIELD_SNI && rule->match != MATCH_EXISTS;
}

/* Does the frontend's choice depend on server names, and on nothing that tells of ECH? */
static bool trusts_names(const struct config *config, const struct frontend *frontend)
{
	bool names = false;

	for (size_t i = 0; i < config->n_routes; i++) {
		const struct route *route = &config->routes[i];

		for (size_t j = 0; route->frontend == frontend && j < route->n_rules; j++) {
			if (route->rules[j].field == FIELD_TLS_ECH)
				return false;
			names |= is_server_name(&route->rules[j]);
		}
	}
	return names;
}

void config_warn_of_ech(const struct config *config, const json_t *root,
			const struct frontend_stats *stats, struct problems *problems)
{
	struct value top = {.json = root}, list = value_member(&top, "frontends");

	for (size_t i = 0; i < config->n_frontends; i++) {
		const struct frontend *frontend = &config->frontends[i];
		unsigned long long hellos = stats[frontend->o.id].ech;
		struct value value = value_item(&list, i);

		if (!frontend->disabled && hellos && trusts_names(config, frontend))
			value_warning(problems, &value,
				      "routes go by server names, and %llu hellos had "
				      "encrypted_client_hello: theirs may be an outer name, common "
				      "to many; a rule on tls.ech tells them apart",
				      hellos);
	}
}

static bool is_ech(const struct rule *rule)
{
	return rule->field == FIELD_TLS_ECH && rule_protocols(rule) == PROTOCOL_ECH;
}

static void warn_of_ech(struct decoder *d, const struct value *routes, const struct route *route)
{
	struct value value = value_item(routes, route - d->config->routes);

	if (has_rule(route, is_server_name) && has_rule(route, is_ech))
		decode_warning(d, &value,
			       "takes clients with ECH by their server name: that is the outer "
			       "name, the one they ask for is encrypted");
}

/* ---- HTTP/2 ------------------------------------------------------------------------------ */

static struct pattern http2_pattern = {.text = "h2", .len = 2};

/* Holds for every client that wants HTTP/2 of a server that lies behind TLS. */
static const struct rule offers_http2 = {
	.field = FIELD_ALPN,
	.match = MATCH_IS,
	.patterns = &http2_pattern,
	.n_patterns = 1,
};

/* Nobody offers such names beside those of HTTP. */
static bool is_alpn_of_others(const struct rule *rule)
{
	if (rule->field != FIELD_ALPN || rule->negate || !match_is_exact(rule->match))
		return false;
	for (size_t i = 0; i < rule->n_patterns; i++)
		if (alpn_certain(&rule->patterns[i]) & PROTOCOL_HTTPS)
			return false;
	return true;
}

static bool may_take_http2(const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++)
		if (contradict(&route->rules[i], &offers_http2) ||
		    is_alpn_of_others(&route->rules[i]))
			return false;
	return route->n_rules;
}

static bool takes_all_http2(const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++)
		if (!implies(&offers_http2, &route->rules[i]))
			return false;
	return route->n_rules;
}

static bool has_name_rule(const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++)
		if (is_server_name(&route->rules[i]))
			return true;
	return false;
}

#define FARMS_NAMED 4

/* Farms that one client may get by the names it asks for; no more of them than are named. */
struct choice {
	const struct farm *v[FARMS_NAMED + 1];
	size_t n;
};

static void choice_add(struct choice *choice, const struct farm *farm)
{
	for (size_t i = 0; i < choice->n; i++)
		if (choice->v[i] == farm)
			return;
	if (farm && choice->n <= FARMS_NAMED)
		choice->v[choice->n++] = farm;
}

/* Whoever is not taken by a route with names goes on to the routes behind it. */
static void http2_choice(struct choice *choice, const struct farm *default_farm,
			 struct route *const *routes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (may_take_http2(routes[i]) && (choice->n || has_name_rule(routes[i])))
			choice_add(choice, routes[i]->target);
		if (takes_all_http2(routes[i]))
			return;
	}
	if (choice->n)
		choice_add(choice, default_farm);
}

static void warn_of_coalescing(struct decoder *d, const struct value *frontend,
			       const struct farm *default_farm, struct route *const *routes,
			       size_t n)
{
	struct choice choice = {0};
	struct text farms = {0};

	http2_choice(&choice, default_farm, routes, n);
	if (choice.n < 2)
		return;
	for (size_t i = 0; i < choice.n && i < FARMS_NAMED; i++)
		text_append(&farms, "%s%s", i ? ", " : "", object_quoted(&choice.v[i]->o).s);
	decode_warning(
		d, frontend,
		"server names choose between the farms %s%s, for HTTP/2 clients, too: if "
		"their certificates share names, browsers ask one for names of another; give "
		"each its own certificates, or have servers answer that with 421",
		farms.s, choice.n > FARMS_NAMED ? ", ..." : "");
}

/* ---- frontends --------------------------------------------------------------------------- */

/* Clients that offer some ALPN name, if they use TLS. */
static bool is_alpn(const struct rule *rule)
{
	return rule->field == FIELD_ALPN ||
	       (rule->field == FIELD_PROTOCOL &&
		!(rule_protocols(rule) & ~(PROTOCOL_HTTP1 | PROTOCOL_HTTP2)));
}

static void warn_of_no_default(struct decoder *d, const struct value *frontend,
			       const struct farm *default_farm, struct route *const *routes,
			       size_t n)
{
	struct value value = value_member(frontend, "default_farm");
	size_t farms = 0;

	for (size_t i = 0; i < n; i++) {
		if (!routes[i]->target || !routes[i]->n_rules)
			continue;
		if (!has_rule(routes[i], is_alpn))
			return;
		farms++;
	}
	if (farms && !default_farm)
		decode_warning(
			d, &value,
			"there is none, and each route to a farm wants an ALPN name of clients "
			"with TLS: those that offer none are closed");
}

static void warn_of_frontend(struct decoder *d, const struct value *root,
			     const struct frontend *frontend, size_t *comparisons)
{
	struct value frontends = value_member(root, "frontends");
	struct value value = value_item(&frontends, frontend - d->config->frontends);
	struct value list = value_member(root, "routes");
	size_t n = 0;
	struct route **routes = config_routes_in_order(d->config, frontend, &n);
	uint64_t *names = decode_alloc(d, n + 1, sizeof(*names));

	for (size_t i = 0; routes && names && i < n; i++) {
		names[i] = only_name(routes[i]);
		warn_of_route(d, &list, routes, names, i, comparisons);
		warn_of_ech(d, &list, routes[i]);
	}
	if (routes) {
		warn_of_coalescing(d, &value, frontend->default_farm, routes, n);
		warn_of_no_default(d, &value, frontend->default_farm, routes, n);
	}
	free(names);
	free(routes);
}

/* A zone that is spelled in two ways opens nothing. */
static void warn_of_no_listener(struct decoder *d, const struct value *root)
{
	struct value list = value_member(root, "frontends");
	const struct config *config = d->config;
	struct text zone = {0};

	for (size_t i = 0; i < config->n_frontends; i++)
		if (frontend_listens(config, &config->frontends[i]))
			return;
	if (!zone_is_all(config->zone))
		text_append(&zone, ", or not of the zone %s",
			    text_quoted(config->zone, strlen(config->zone)).s);
	decode_warning(d, &list, "none listens here: each is disabled%s", zone.s);
}

/* Those without rules were told when they were decoded. */
static void warn_of_unattached(struct decoder *d, const struct value *root)
{
	struct value list = value_member(root, "routes");

	for (size_t i = 0; i < d->config->n_routes; i++) {
		const struct route *route = &d->config->routes[i];
		struct value value = value_item(&list, i);

		if (!route->frontend && route->n_rules)
			decode_warning(d, &value,
				       "is attached to no frontend: the route never matches");
	}
}

/* ---- farms ------------------------------------------------------------------------------- */

/* Has it, or a farm it falls back on, a server that new connections may go to? */
static bool takes_connections(const struct farm *farm)
{
	for (; farm; farm = farm->fallback)
		for (size_t i = 0; i < farm->n_servers; i++)
			if (server_is_used(&farm->servers[i]))
				return true;
	return false;
}

static bool is_referred_to(const struct config *config, const struct farm *farm)
{
	for (size_t i = 0; i < config->n_frontends; i++)
		if (config->frontends[i].default_farm == farm)
			return true;
	for (size_t i = 0; i < config->n_routes; i++)
		if (config->routes[i].frontend && config->routes[i].target == farm)
			return true;
	return false;
}

/* Those without servers and a farm to fall back on were told when they were decoded. */
static void warn_of_unused_servers(struct decoder *d, const struct value *root)
{
	struct value list = value_member(root, "farms");

	for (size_t i = 0; i < d->config->n_farms; i++) {
		const struct farm *farm = &d->config->farms[i];
		struct value item = value_item(&list, i), servers = value_member(&item, "servers");

		if ((farm->n_servers || farm->fallback) && !takes_connections(farm) &&
		    is_referred_to(d->config, farm))
			decode_warning(d, &servers,
				       "none is active with a weight above 0%s: connections to the "
				       "farm are closed",
				       farm->fallback ? ", nor one it falls back on" : "");
	}
}

void config_warn(struct decoder *d, const struct value *root)
{
	size_t comparisons = 0;

	warn_of_no_listener(d, root);
	warn_of_unattached(d, root);
	warn_of_unused_servers(d, root);

	for (size_t i = 0; i < d->config->n_frontends; i++)
		warn_of_frontend(d, root, &d->config->frontends[i], &comparisons);
}
