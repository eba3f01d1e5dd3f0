/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>

#include "../model/names.h"
#include "../show/format.h"
#include "../show/rows.h"
#include "cli.h"
#include "explain.h"
#include "output.h"

static const struct column columns[] = {
	COLUMN("place", "PLACE", .drop = 2),
	COLUMN("route", "ROUTE"),
	COLUMN("rule", "RULE"),
	COLUMN("value", "VALUE", .drop = 1),
	COLUMN("answer", "HOLDS"),
	COLUMN("outcome", "OUTCOME"),
	COLUMNS_END,
};

/* ---- what a rule looks at ------------------------------------------------------------- */

json_t *protocols_json(uint32_t protocols)
{
	json_t *list = json_array();

	for (size_t i = 0; i < protocol_names.n; i++)
		if (protocols & protocol_names.v[i].value)
			json_array_append_new(list, json_string(protocol_names.v[i].text));
	return list;
}

/* The first of the names offered that decides by itself, or NULL; *len with its length byte. */
static const uint8_t *deciding_name(const struct classification *c, const struct rule *rule,
				    size_t *len)
{
	struct rule positive = *rule;
	struct classification one = *c;

	positive.negate = false;
	for (size_t at = 0; at < c->subject.alpn_len; at += one.subject.alpn_len) {
		one.subject.alpn = c->subject.alpn + at;
		one.subject.alpn_len = 1 + c->subject.alpn[at];
		if (evaluate_rule(&one, &positive).holds) {
			*len = one.subject.alpn_len;
			return one.subject.alpn;
		}
	}
	return NULL;
}

static json_t *alpn_value(const struct classification *c, const struct rule *rule, bool gave_up)
{
	const uint8_t *list = c->subject.alpn;
	size_t len = c->subject.alpn_len;
	const uint8_t *name = gave_up ? NULL : deciding_name(c, rule, &len);

	return json_alpn(name ? name : list, len, false);
}

/* NULL when the client does not have it, or it is not known. */
static json_t *rule_value(const struct classification *c, const struct rule *rule, bool gave_up)
{
	const struct hello *hello = &c->hello;
	uint32_t protocols = classification_protocols(c);
	uint32_t flags = hello->verdict == VERDICT_TLS ? hello->flags : 0;

	switch (rule->field) {
	case FIELD_PROTOCOL:
		return protocols_json(protocols);
	case FIELD_SOURCE:
		return json_endpoint(c->subject.source, 0);
	case FIELD_SNI:
		return flags & HELLO_SNI ? json_bytes(hello->sni, hello->sni_len, false) : NULL;
	case FIELD_ALPN:
		return flags & HELLO_ALPN ? alpn_value(c, rule, gave_up) : NULL;
	case FIELD_TLS_VERSION:
		protocols &= PROTOCOL_VERSIONS;
		return protocols ? json_string(names_text(&tls_version_names, protocols)) : NULL;
	case FIELD_TLS_ECH:
		protocols &= PROTOCOL_ECH | PROTOCOL_NO_ECH;
		return protocols ? json_string(names_text(&tls_ech_names, protocols)) : NULL;
	}
	return NULL;
}

/* ---- rules and routes ----------------------------------------------------------------- */

static json_t *explain_rule(const struct classification *c, const struct route *route,
			    const struct rule *rule)
{
	struct rule_answer answer = decided_rule(c, route, rule);
	bool known = rule->field != FIELD_SOURCE || c->source_known;
	json_t *value = known ? rule_value(c, rule, answer.gave_up) : NULL;
	json_t *row = rule_row(route, rule);

	json_object_set_new(row, "value", value ? value : json_null());
	json_object_set_new(row, "holds", known ? json_boolean(answer.holds) : json_null());
	json_object_set_new(row, "gave_up", json_boolean(answer.gave_up));
	return row;
}

/* The rules of a route; returns whether it matches: true, false, or null. */
static json_t *explain_rules(const struct classification *c, const struct route *route,
			     json_t *rules)
{
	bool some_false = !route->n_rules, some_null = false;

	for (size_t i = 0; i < route->n_rules; i++) {
		json_t *rule = explain_rule(c, route, &route->rules[i]);

		some_false |= json_is_false(json_object_get(rule, "holds"));
		some_null |= json_is_null(json_object_get(rule, "holds"));
		json_array_append_new(rules, rule);
	}
	return some_null && !some_false ? json_null() : json_boolean(!some_false);
}

/* `late`: the one that decided came before. */
static const char *outcome(const struct route *route, const struct route *decided, bool late,
			   const json_t *matches, bool source_needed)
{
	if (json_is_null(matches))
		return "depends on the source, which is not known";
	if (route == decided)
		return source_needed ? "decides otherwise" : "decides";
	if (!route->n_rules)
		return "never matches: it has no rules";
	return late && json_is_true(matches) ? "matches, but comes later" : "does not match";
}

static json_t *explain_route(const struct classification *c, const struct route *route,
			     size_t place, const struct route *decided, bool late,
			     bool source_needed)
{
	json_t *row = route_row(route, place, NULL), *rules = json_array();
	json_t *matches = explain_rules(c, route, rules);

	json_object_set_new(row, "rules", rules);
	json_object_set_new(row, "matches", matches);
	set_string(row, "outcome", outcome(route, decided, late, matches, source_needed));
	return row;
}

bool explain_needs_source(const json_t *routes)
{
	json_t *route, *matches;
	size_t i;

	json_array_foreach (routes, i, route) {
		matches = json_object_get(route, "matches");
		if (!json_is_false(matches))
			return json_is_null(matches);
	}
	return false;
}

json_t *explain_routes(const struct config *config, const struct frontend *frontend,
		       const struct classification *c, const struct route *decided)
{
	size_t n = 0;
	struct route **routes = config_routes_in_order(config, frontend, &n);
	json_t *rows = json_array();
	bool late = false;

	for (size_t i = 0; routes && i < n; i++) {
		json_array_append_new(rows, explain_route(c, routes[i], i + 1, decided, late,
							  explain_needs_source(rows)));
		late |= routes[i] == decided;
	}
	free(routes);
	return rows;
}

/* ---- text ----------------------------------------------------------------------------- */

static const char *answer_word(const json_t *rule)
{
	if (json_is_null(json_object_get(rule, "holds")))
		return "unknown";
	if (json_is_true(json_object_get(rule, "gave_up")))
		return "no: given up";
	return json_is_true(json_object_get(rule, "holds")) ? "yes" : "no";
}

static json_t *rule_line(const json_t *rule)
{
	return json_pack("{s:s, s:s, s:o, s:O, s:s, s:s}", "place", "", "route", "", "rule",
			 rule_text(rule), "value", json_object_get(rule, "value"), "answer",
			 answer_word(rule), "outcome", "");
}

/* The first line of a route names it and says what became of it. */
static void append_lines(json_t *lines, const json_t *route)
{
	json_t *rules = json_object_get(route, "rules"), *rule, *line;
	size_t i;

	json_array_foreach (rules, i, rule) {
		line = rule_line(rule);
		if (!i) {
			json_object_set(line, "place", json_object_get(route, "place"));
			json_object_set(line, "route", json_object_get(route, "name"));
			json_object_set(line, "outcome", json_object_get(route, "outcome"));
		}
		json_array_append_new(lines, line);
	}
	if (!json_array_size(rules))
		json_array_append_new(lines, json_pack("{s:O, s:O, s:n, s:n, s:n, s:O}", "place",
						       json_object_get(route, "place"), "route",
						       json_object_get(route, "name"), "rule",
						       "value", "answer", "outcome",
						       json_object_get(route, "outcome")));
}

int explain_print(const json_t *routes)
{
	json_t *lines = json_array(), *route;
	size_t i;
	int code;

	json_array_foreach (routes, i, route)
		append_lines(lines, route);
	code = output_table(columns, lines);
	json_decref(lines);
	return code;
}
