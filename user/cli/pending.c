/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli.h"
#include "output.h"
#include "service.h"

static const struct column columns[] = {COLUMN("zone", "ZONE"), COLUMN("number", "CHANGES"),
					COLUMNS_END};

static int pending_show(const char *const *values)
{
	json_t *rows;
	int code = service_call(NULL, "GET", "pendingChanges", NULL, &rows);

	return code ? code : output_show(columns, rows, false);
}

static const struct verb verbs[] = {
	{.name = "show", .help = "count the staged changes of each zone", .run = pending_show},
	{.name = NULL},
};

const struct noun noun_pending = {
	.name = "pending",
	.help = "what is staged and does not run yet",
	.text = "A zone that is not listed has no changes. Which they are: alpnlb refresh diff.\n"
		"Manual: alpnlb-refresh(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
