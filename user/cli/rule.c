/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "edit.h"
#include "find.h"
#include "rows.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("id", "ID", .drop = 1),
	COLUMN("route", "ROUTE"),
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

static int show_one(const struct config *config, const char *id)
{
	struct found found;
	int code = find_object(config, KIND_RULE, NULL, id, &found);

	if (code)
		return code;
	return output_show(columns,
			   json_pack("[o]", rule_row((const struct route *)found.parent,
						     (const struct rule *)found.object)),
			   true);
}

static int rule_show(const char *const *values)
{
	const char *name = values[0], *id = values[1];
	const struct route *route = NULL;
	struct snapshot s;
	int code;

	if (name && id)
		return fail(CLI_USAGE, "rule: give either the route's name or the rule's id");
	code = snapshot_open_shown(&s, values[2]);
	if (!code && name)
		code = find_route(s.config, name, NULL, &route);
	if (!code)
		code = id ? show_one(s.config, id)
			  : output_show(columns, rule_rows(s.config, route), false);
	snapshot_close(&s);
	return code;
}

static const struct keyword show_keywords[] = {
	{"name", "ROUTE"}, {"id", "ID"}, {"staged", NULL}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the rules, of one route if its name is given; staged: as they are staged",
	 .keywords = show_keywords,
	 .run = rule_show},
	EDIT_VERBS(KIND_RULE, NULL, "ID"),
	{.name = NULL},
};

const struct noun noun_rule = {
	.name = "rule",
	.help = "the conditions of a route",
	.text = "A rule has no name of its own: `name` is that of its route.\n"
		"What runs is read from the pinned maps: no daemon is needed. What is written is\n"
		"staged: alpnlb refresh run makes it run. Manual: alpnlb-rule(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
