/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "../show/rows.h"
#include "columns.h"
#include "edit.h"
#include "find.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("id", "ID", .drop = 4),
	COLUMN("frontend", "FRONTEND", .drop = 3),
	COLUMN("place", "PLACE", .drop = 5),
	COLUMN("name", "NAME"),
	DETAIL("display_name", "DISPLAY NAME"),
	COLUMN("weight", "WEIGHT", .drop = 8),
	COLUMN("when", "WHEN"),
	COLUMN("action", "ACTION", .drop = 2),
	COLUMN("target", "TARGET"),
	COLUMN("live", "LIVE", .drop = 6),
	COLUMN("matched", "MATCHED", .drop = 7),
	BYTES_COLUMNS(9, 10),
	PACKETS_DETAILS,
	COLUMNS_END,
};

/* The row of one route, which has to be numbered among those of its frontend. */
static json_t *one_row(const struct snapshot *s, const struct route *route)
{
	json_t *rows, *row, *found = json_array();
	size_t i;

	rows = route_rows(s->config, route->frontend, s->counters);
	json_array_foreach (rows, i, row)
		if (json_integer_value(json_object_get(row, "id")) == route->o.id)
			json_array_append(found, row);
	json_decref(rows);
	return found;
}

static int route_show(const char *const *values)
{
	const char *name = values[0], *id = values[1], *frontend_name = values[2];
	const struct frontend *frontend = NULL;
	const struct route *route;
	struct snapshot s;
	int code = snapshot_open_shown(&s, values[3], values[4]);

	if (!code && frontend_name && (name || id))
		code = fail(CLI_USAGE, "route: give either a frontend or one route");
	if (!code && frontend_name)
		code = find_frontend(s.config, frontend_name, NULL, &frontend);
	if (code)
		goto out;
	if (!name && !id) {
		code = output_show(columns, route_rows(s.config, frontend, s.counters), false);
		goto out;
	}
	code = find_route(s.config, name, id, &route);
	if (!code)
		code = output_object(KIND_ROUTE, columns, one_row(&s, route));
out:
	snapshot_close(&s);
	return code;
}

static const struct keyword show_keywords[] = {
	{"name", "NAME|ID"}, {"id", "ID"},     {"frontend", "FRONTEND|ID"},
	{"staged", NULL},    {"zone", "ZONE"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the routes in order of evaluation, or show one of them in full; staged: as "
		 "they are staged; zone: as they are there",
	 .subject = "NAME|ID",
	 .keywords = show_keywords,
	 .run = route_show},
	EDIT_VERBS(KIND_ROUTE, "NAME", "NAME|ID"),
	{.name = NULL},
};

const struct noun noun_route = {
	.name = "route",
	.help = "which connections of a frontend go to which farm",
	.text = "The first route whose rules all match decides; none: the default farm.\n"
		"What runs is read from the pinned maps: no daemon is needed. What is written is\n"
		"staged: alpnlb refresh run makes it run. Manual: alpnlb-route(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
