/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "../show/rows.h"
#include "columns.h"
#include "edit.h"
#include "find.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("id", "ID", .drop = 2),
	COLUMN("name", "NAME"),
	DETAIL("display_name", "DISPLAY NAME"),
	DETAIL_AS(FORMAT_ALL, "zone", "ZONE"),
	COLUMN("balance", "BALANCE", .drop = 3),
	COLUMN("port", "PORT", .drop = 6),
	COLUMN("servers", "SERVERS", .drop = 2),
	COLUMN("live", "LIVE", .drop = 1),
	COLUMN("chosen", "CHOSEN", .drop = 4),
	COLUMN("queued", "QUEUED", .drop = 7),
	BYTES_COLUMNS(5, 5),
	PACKETS_DETAILS,
	COLUMNS_END,
};

static int farm_show(const char *const *values)
{
	const char *name = values[0], *id = values[1];
	const struct farm *farm;
	struct snapshot s;
	int code = snapshot_open_shown(&s, values[2], values[3]);

	if (code)
		goto out;
	if (!name && !id) {
		code = output_show(columns, farm_rows(s.config, s.counters), false);
		goto out;
	}
	code = find_farm(s.config, name, id, &farm);
	if (!code)
		code = output_object(KIND_FARM, columns,
				     json_pack("[o]", farm_row(farm, s.counters)));
out:
	snapshot_close(&s);
	return code;
}

static const struct keyword show_keywords[] = {
	{"name", "NAME|ID"}, {"id", "ID"}, {"staged", NULL}, {"zone", "ZONE"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the farms, or show one of them in full; staged: as they are staged; "
		 "zone: as they are there",
	 .subject = "NAME|ID",
	 .keywords = show_keywords,
	 .run = farm_show},
	EDIT_VERBS(KIND_FARM, "NAME", "NAME|ID"),
	{.name = NULL},
};

const struct noun noun_farm = {
	.name = "farm",
	.help = "groups of servers that connections are spread over",
	.text = "What runs is read from the pinned maps: no daemon is needed. What is written is\n"
		"staged: alpnlb refresh run makes it run. Manual: alpnlb-farm(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
