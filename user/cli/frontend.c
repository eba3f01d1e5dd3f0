/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "../show/rows.h"
#include "columns.h"
#include "edit.h"
#include "find.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("id", "ID", .drop = 3),
	COLUMN("name", "NAME"),
	DETAIL("display_name", "DISPLAY NAME"),
	DETAIL_AS(FORMAT_ALL, "zone", "ZONE"),
	COLUMN_AS(FORMAT_ALL, "addresses", "ADDRESSES", .drop = 7),
	COLUMN("ports", "PORTS"),
	COLUMN("path", "PATH", .drop = 9),
	COLUMN("default_farm", "DEFAULT FARM", .brief = "DEFAULT", .drop = 2),
	COLUMN("routes", "ROUTES", .drop = 10),
	COLUMN("listens", "LISTENS", .drop = 4),
	DETAIL("disabled", "DISABLED"),
	DETAIL("allowed_source", "ALLOWED SOURCE"),
	DETAIL("denied_source", "DENIED SOURCE"),
	DETAIL("proxy_sources", "PROXY SOURCES"),
	DETAIL_AS(FORMAT_MILLISECONDS, "hello_timeout_ms", "HELLO TIMEOUT"),
	DETAIL_AS(FORMAT_MILLISECONDS, "connect_timeout_ms", "CONNECT TIMEOUT"),
	DETAIL_AS(FORMAT_MILLISECONDS, "idle_timeout_ms", "IDLE TIMEOUT"),
	DETAIL_AS(FORMAT_MILLISECONDS, "half_close_timeout_ms", "HALF-CLOSE TIMEOUT"),
	DETAIL("max_connections", "MAX CONNECTIONS"),
	COLUMN("live", "LIVE", .drop = 1),
	COLUMN("accepted", "ACCEPTED", .drop = 5),
	COLUMN("refused", "REFUSED", .drop = 8),
	DETAIL("to_default_farm", "TO DEFAULT FARM"),
	DETAIL("ech", "WITH ECH"),
	BYTES_COLUMNS(6, 6),
	PACKETS_DETAILS,
	COLUMNS_END,
};

static int frontend_show(const char *const *values)
{
	const char *name = values[0], *id = values[1];
	const struct frontend *frontend;
	struct snapshot s;
	json_t *rows;
	int code = snapshot_open_shown(&s, values[2], values[3]);

	if (code)
		goto out;
	if (!name && !id) {
		code = output_show(columns, frontend_rows(s.config, s.counters), false);
		goto out;
	}
	code = find_frontend(s.config, name, id, &frontend);
	if (code)
		goto out;
	rows = json_pack("[o]", frontend_row(s.config, frontend, s.counters));
	code = output_object(KIND_FRONTEND, columns, rows);
out:
	snapshot_close(&s);
	return code;
}

static const struct keyword show_keywords[] = {
	{"name", "NAME|ID"}, {"id", "ID"}, {"staged", NULL}, {"zone", "ZONE"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the frontends, or show one of them in full; staged: as they are staged; "
		 "zone: as they are there",
	 .subject = "NAME|ID",
	 .keywords = show_keywords,
	 .run = frontend_show},
	EDIT_VERBS(KIND_FRONTEND, "NAME", "NAME|ID"),
	{.name = NULL},
};

const struct noun noun_frontend = {
	.name = "frontend",
	.help = "where clients connect to",
	.text = "What runs is read from the pinned maps: no daemon is needed. What is written is\n"
		"staged: alpnlb refresh run makes it run. Manual: alpnlb-frontend(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
