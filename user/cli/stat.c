/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "../show/rows.h"
#include "cli.h"
#include "columns.h"
#include "control.h"
#include "snapshot.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct column counter_columns[] = {COLUMN("name", "COUNTER"), COLUMN("value", "VALUE"),
						COLUMN("help", "MEANING", .drop = 1), COLUMNS_END};
static const struct column drop_columns[] = {COLUMN("reason", "DROPPED"),
					     COLUMN("packets", "PACKETS"),
					     COLUMN("help", "MEANING", .drop = 1), COLUMNS_END};
static const struct column verdict_columns[] = {COLUMN("verdict", "HELLO"),
						COLUMN("connections", "CONNECTIONS"), COLUMNS_END};
static const struct column path_columns[] = {COLUMN("path", "PATH"),
					     COLUMN("connections", "CONNECTIONS"), COLUMNS_END};
/* clang-format off */
#define TRAFFIC_COLUMNS                                                                            \
	BYTES_COLUMNS(2, 2),                                                                       \
	COLUMN("packets_from_clients", "PACKETS FROM CLIENTS", .brief = "PACKETS IN", .drop = 8),  \
	COLUMN("packets_from_servers", "PACKETS FROM SERVERS", .brief = "PACKETS OUT", .drop = 9)
/* clang-format on */

static const struct column frontend_columns[] = {
	COLUMN("name", "FRONTEND"),
	COLUMN("live", "LIVE", .drop = 1),
	COLUMN("accepted", "ACCEPTED", .drop = 3),
	COLUMN("refused", "REFUSED", .drop = 6),
	COLUMN("to_default_farm", "TO DEFAULT FARM", .brief = "TO DEFAULT", .drop = 7),
	COLUMN("ech", "ECH", .drop = 8),
	TRAFFIC_COLUMNS,
	COLUMNS_END,
};
static const struct column route_columns[] = {
	COLUMN("frontend", "FRONTEND", .drop = 4),
	COLUMN("name", "ROUTE"),
	COLUMN("live", "LIVE", .drop = 1),
	COLUMN("matched", "MATCHED", .drop = 3),
	TRAFFIC_COLUMNS,
	COLUMNS_END,
};
static const struct column farm_columns[] = {
	COLUMN("name", "FARM"),
	COLUMN("live", "LIVE", .drop = 1),
	COLUMN("chosen", "CHOSEN", .drop = 4),
	COLUMN("queued", "QUEUED", .drop = 5),
	TRAFFIC_COLUMNS,
	COLUMNS_END,
};
static const struct column server_columns[] = {
	COLUMN("farm", "FARM"),
	COLUMN("name", "SERVER"),
	COLUMN("live", "LIVE", .drop = 1),
	COLUMN("chosen", "CHOSEN", .drop = 4),
	COLUMN("connected", "CONNECTED", .drop = 7),
	COLUMN("refused", "REFUSED", .drop = 6),
	COLUMN("timeouts", "TIMEOUTS", .drop = 5),
	COLUMN("errors", "ERRORS", .drop = 3),
	TRAFFIC_COLUMNS,
	COLUMNS_END,
};

static json_t *counter_rows(const struct view *view)
{
	json_t *rows = json_array();

#define X(id, name, help)                                                                          \
	json_array_append_new(rows, json_pack("{s:s, s:I, s:s}", "name", name, "value",            \
					      (json_int_t)view_counter(view, COUNTER_##id),        \
					      "help", help));
	COUNTERS(X)
#undef X
	return rows;
}

/* Sums over every frontend there ever was, so that a removed one does not take its past along. */
static json_t *verdict_rows(const struct view *view)
{
	json_t *rows = json_array();

	for (int verdict = VERDICT_TLS;
	     verdict < (int)COUNT(((struct frontend_stats *)0)->verdicts); verdict++) {
		json_int_t sum = 0;

		for (uint32_t id = 1; id <= MAX_FRONTENDS; id++)
			sum += view_frontend_stats(view, id).verdicts[verdict];
		json_array_append_new(rows, json_pack("{s:s, s:I}", "verdict",
						      verdict_name(verdict), "connections", sum));
	}
	return rows;
}

static json_t *path_rows(const struct view *view)
{
	json_t *rows = json_array();

	for (int path = PATH_PACKET; path < (int)COUNT(((struct frontend_stats *)0)->paths);
	     path++) {
		json_int_t sum = 0;

		for (uint32_t id = 1; id <= MAX_FRONTENDS; id++)
			sum += view_frontend_stats(view, id).paths[path];
		json_array_append_new(
			rows, json_pack("{s:s, s:I}", "path", path_name(path), "connections", sum));
	}
	return rows;
}

static int show_all(const struct snapshot *s)
{
	const struct view *view = &s->view;
	struct section sections[] = {
		{"counters", "Totals", counter_columns, counter_rows(view), true},
		{"drops", "Packets dropped at the door", drop_columns, drop_rows(view->drops),
		 true},
		{"verdicts", "What clients said first", verdict_columns, verdict_rows(view), true},
		{"paths", "How bytes are moved", path_columns, path_rows(view), true},
		{"frontends", "Frontends", frontend_columns, frontend_rows(s->config, view), false},
		{"routes", "Routes, in order of evaluation", route_columns,
		 route_rows(s->config, NULL, view), false},
		{"farms", "Farms", farm_columns, farm_rows(s->config, view), false},
		{"servers", "Servers", server_columns, server_rows(s->config, NULL, view), false},
		SECTIONS_END,
	};
	json_t *head =
		json_pack("{s:s, s:I, s:b}", "instance", options.instance, "revision",
			  (json_int_t)s->revision, "daemon", control_alive(options.instance));
	int code = output_sections(sections, head);

	json_decref(head);
	for (size_t i = 0; sections[i].key; i++)
		json_decref(sections[i].rows);
	return code;
}

static int stat_show(const char *const *values)
{
	struct snapshot s;
	int code = snapshot_open_counted(&s);

	if (!code)
		code = show_all(&s);
	snapshot_close(&s);
	return code;
}

static const struct verb verbs[] = {
	{.name = "show", .help = "print every counter", .run = stat_show},
	{.name = NULL},
};

const struct noun noun_stat = {
	.name = "stat",
	.help = "counters of the instance and of every object",
	.text = "Counters are kept while the maps are pinned, over refreshes and restarts.\n"
		"Read from the pinned maps: no daemon is needed. Manual: alpnlb-stat(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
