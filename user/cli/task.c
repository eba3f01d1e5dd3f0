/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "cli.h"
#include "complete.h"
#include "output.h"
#include "service.h"

static const struct column columns[] = {
	COLUMN("id", "ID"),
	COLUMN("action", "ACTION", .drop = 3),
	COLUMN("status", "STATUS"),
	COLUMN("creationDate", "BEGUN", .drop = 1, .keep = KEEP_WHOLE),
	COLUMN("doneDate", "ENDED", .drop = 4, .keep = KEEP_WHOLE),
	COLUMN("zones", "ZONES", .drop = 2),
	COLUMN("message", "MESSAGE"),
	COLUMNS_END,
};

static int task_get(json_int_t id, json_t **task)
{
	char path[SERVICE_PATH_MAX];

	snprintf(path, sizeof(path), "task/%lld", (long long)id);
	return service_call(NULL, "GET", path, NULL, task);
}

static int show_all(void)
{
	json_t *ids, *id, *task, *rows;
	int code = service_call(NULL, "GET", "task", NULL, &ids);
	size_t i;

	if (code)
		return code;
	rows = json_array();
	json_array_foreach (ids, i, id) {
		code = task_get(json_integer_value(id), &task);
		if (code)
			break;
		json_array_append_new(rows, task);
	}
	json_decref(ids);
	if (!code)
		return output_show(columns, rows, false);
	json_decref(rows);
	return code;
}

static int task_show(const char *const *values)
{
	unsigned int id = values[0] ? id_parse(values[0], 999999999) : 0;
	json_t *task;
	int code;

	if (!values[0])
		return show_all();
	if (!id)
		return fail(CLI_USAGE, "task id '%s': expected 1..999999999", values[0]);
	code = task_get(id, &task);
	return code ? code : output_show(columns, json_pack("[o]", task), true);
}

static void print_ids(void)
{
	complete_service("task", NULL);
}

static const struct keyword show_keywords[] = {{"id", "ID"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list what the daemon was told to do, or show one in full",
	 .subject = "ID",
	 .keywords = show_keywords,
	 .run = task_show},
	{.name = NULL},
};

const struct noun noun_task = {
	.name = "task",
	.help = "refreshes and how they went",
	.text = "The last 1,000 since the daemon started. Manual: alpnlb-refresh(8).\n",
	.verbs = verbs,
	.default_verb = "show",
	.names = print_ids,
};
