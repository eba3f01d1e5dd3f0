/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "../show/rows.h"
#include "columns.h"
#include "edit.h"
#include "find.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("id", "ID", .drop = 1),
	COLUMN("route", "ROUTE"),
	COLUMN("name", "NAME", .drop = 2),
	COLUMN("field", "FIELD"),
	COLUMN("negate", "NEGATE", .brief = "NOT"),
	COLUMN("match", "MATCH"),
	COLUMN("pattern", "PATTERN"),
	DETAIL("display_name", "DISPLAY NAME"),
	COLUMNS_END,
};

/* Rules of `route`, NULL = any. */
static json_t *rule_rows(const struct config *config, const struct route *route)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < config->n_routes; i++) {
		const struct route *r = &config->routes[i];

		for (size_t j = 0; (!route || route == r) && j < r->n_rules; j++)
			json_array_append_new(rows, rule_row(r, &r->rules[j]));
	}
	return rows;
}

static int show_one(const struct config *config, const char *word, const char *id)
{
	struct found found;
	int code = find_object(config, KIND_RULE, word, id, &found);

	if (code)
		return code;
	return output_object(KIND_RULE, columns,
			     json_pack("[o]", rule_row((const struct route *)found.parent,
						       (const struct rule *)found.object)));
}

static int show_of(const struct config *config, const char *word)
{
	const struct route *route;
	int code = find_route(config, word, NULL, &route);

	return code ? code : output_show(columns, rule_rows(config, route), false);
}

static bool names_route(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_routes; i++)
		if (!strcmp(config->routes[i].o.name, name))
			return true;
	return false;
}

/* A name is that of a route, since rules need none; else it is a rule, as set takes it. */
static int show(const struct config *config, const char *name, const char *id, const char *route)
{
	if (!name && !id && !route)
		return output_show(columns, rule_rows(config, NULL), false);
	if (name && names_route(config, name))
		return show_of(config, name);
	return route ? show_of(config, route) : show_one(config, name, id);
}

static int rule_show(const char *const *values)
{
	struct snapshot s;
	int code;

	if ((values[0] != NULL) + (values[1] != NULL) + (values[2] != NULL) > 1)
		return fail(CLI_USAGE, "rule: give one of name, id and route");
	code = snapshot_open_shown(&s, values[3], values[4]);
	if (!code)
		code = show(s.config, values[0], values[1], values[2]);
	snapshot_close(&s);
	return code;
}

static const struct keyword show_keywords[] = {{"name", "ROUTE|[ROUTE/]ID"},
					       {"id", "ID"},
					       {"route", "ROUTE|ID"},
					       {"staged", NULL},
					       {"zone", "ZONE"},
					       {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the rules, those of a route, or show one; staged: as they are staged; "
		 "zone: as they are there",
	 .subject = "ROUTE|[ROUTE/]ID",
	 .keywords = show_keywords,
	 .run = rule_show},
	EDIT_VERBS(KIND_RULE, NULL, "ID"),
	{.name = NULL},
};

const struct noun noun_rule = {
	.name = "rule",
	.help = "the conditions of a route",
	.text = "A rule needs no name of its own: `name` is first that of a route.\n"
		"What runs is read from the pinned maps: no daemon is needed. What is written is\n"
		"staged: alpnlb refresh run makes it run. Manual: alpnlb-rule(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
