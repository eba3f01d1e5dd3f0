/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "../show/rows.h"
#include "columns.h"
#include "drain.h"
#include "edit.h"
#include "find.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("id", "ID", .drop = 4),
	COLUMN("farm", "FARM", .keep = 12),
	COLUMN("name", "NAME"),
	DETAIL("display_name", "DISPLAY NAME"),
	COLUMN("endpoint", "ADDRESS", .drop = 2, .keep = KEEP_ENDPOINT),
	DETAIL("resolved", "RESOLVED"),
	COLUMN("status", "STATUS", .drop = 3),
	COLUMN("state", "STATE", .drop = 3),
	COLUMN("since", "SINCE", .drop = 16, .keep = KEEP_WHOLE),
	DETAIL("last_check", "LAST CHECK"),
	COLUMN("check_status", "CHECK", .drop = 15),
	DETAIL("check_code", "CHECK CODE"),
	DETAIL("check_text", "CHECK TEXT"),
	COLUMN("weight", "WEIGHT", .drop = 5),
	COLUMN_AS(FORMAT_PERCENT, "share", "SHARE", .drop = 9),
	COLUMN("backup", "BACKUP", .drop = 14),
	DETAIL("proxy_protocol_version", "PROXY PROTOCOL"),
	DETAIL("proxy_tlvs", "PROXY TLVS"),
	COLUMN("live", "LIVE", .drop = 1),
	COLUMN("chosen", "CHOSEN", .drop = 10),
	COLUMN("connected", "CONNECTED", .drop = 11),
	COLUMN("refused", "REFUSED", .drop = 13),
	COLUMN("timeouts", "TIMEOUTS", .drop = 12),
	COLUMN("errors", "ERRORS", .drop = 8),
	BYTES_COLUMNS(6, 7),
	PACKETS_DETAILS,
	COLUMNS_END,
};

static int server_show(const char *const *values)
{
	const char *name = values[0], *id = values[1], *farm_name = values[2];
	const struct server *server;
	const struct farm *farm = NULL;
	struct snapshot s;
	int code = snapshot_open_shown(&s, values[3], values[4]);

	if (!code && farm_name && (name || id))
		code = fail(CLI_USAGE, "server: give either a farm or one server (FARM/SERVER)");
	if (!code && farm_name)
		code = find_farm(s.config, farm_name, NULL, &farm);
	if (code)
		goto out;
	if (!name && !id) {
		code = output_show(columns, server_rows(s.config, farm, s.counters), false);
		goto out;
	}
	code = find_server(s.config, name, id, &server, &farm);
	if (!code)
		code = output_object(KIND_SERVER, columns,
				     json_pack("[o]", server_row(farm, server, s.counters)));
out:
	snapshot_close(&s);
	return code;
}

static const struct keyword show_keywords[] = {{"name", "[FARM/]SERVER|ID"},
					       {"id", "ID"},
					       {"farm", "FARM|ID"},
					       {"staged", NULL},
					       {"zone", "ZONE"},
					       {NULL, NULL}};

static const struct keyword drain_keywords[] = {{"wait", "SECONDS"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the servers, or show one of them in full; staged: as they are staged; "
		 "zone: as they are there",
	 .subject = "[FARM/]SERVER|ID",
	 .keywords = show_keywords,
	 .run = server_show},
	EDIT_VERBS(KIND_SERVER, "FARM/NAME", "[FARM/]SERVER|ID"),
	{.name = "drain",
	 .help = "give it no new connections, at once, and wait until it has none",
	 .argument = "[FARM/]SERVER|ID",
	 .keywords = drain_keywords,
	 .write = server_drain,
	 .kind = KIND_SERVER},
	{.name = "undrain",
	 .help = "give it new connections again, at once",
	 .argument = "[FARM/]SERVER|ID",
	 .write = server_undrain,
	 .kind = KIND_SERVER},
	{.name = NULL},
};

const struct noun noun_server = {
	.name = "server",
	.help = "where connections are forwarded to",
	.text = "A server's name is unique in its farm; FARM/SERVER always finds it.\n"
		"What runs is read from the pinned maps: no daemon is needed. What is written is\n"
		"staged: alpnlb refresh run makes it run. Manual: alpnlb-server(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
