/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/text.h"
#include "../show/format.h"
#include "changes.h"
#include "cli.h"
#include "output.h"
#include "service.h"

/* ---- run and dry-run ------------------------------------------------------------------ */

static const struct column task_columns[] = {COLUMN("id", "task"), COLUMN("status", "status"),
					     COLUMN("zones", "zones"), COLUMNS_END};

static json_t *zone_body(const char *zone, const char *comment)
{
	return json_pack("{s:s?, s:s*}", "zone", zone, "comment", comment);
}

static void warn_of(const json_t *root, const json_t *problem)
{
	const char *path = json_string_value(json_object_get(problem, "path"));
	char *place = staging_path(root, path ? path : ""), *line = NULL, *safe = NULL;

	if (place && asprintf(&line, "%s%s%s", place, *place ? ": " : "",
			      json_string_value(json_object_get(problem, "message"))) >= 0)
		safe = display_escape(line);
	fprintf(stderr, "warning: %s\n", safe ? safe : "out of memory");
	free(safe);
	free(line);
	free(place);
}

/* In text mode; under -j they are in what is printed. */
static void print_warnings(const json_t *answer)
{
	json_t *problems = json_object_get(answer, "problems"), *problem;
	struct staging staging = {0};
	size_t i;

	if (options.json || !json_array_size(problems) || staging_open(&staging))
		return;
	json_array_foreach (problems, i, problem)
		warn_of(staging.root, problem);
	staging_close(&staging);
}

static int refresh_run(const char *const *values)
{
	const char *status, *message;
	json_t *task, *body;
	int code = service_zone_check("refresh", values[0]);

	if (code)
		return code;
	body = zone_body(values[0], values[1]);
	if (!body)
		return fail(CLI_USAGE, "refresh: the comment is not UTF-8");
	code = service_call("refresh", "POST", "refresh", body, &task);
	if (code)
		return code;
	status = json_string_value(json_object_get(task, "status"));
	message = json_string_value(json_object_get(task, "message"));
	print_warnings(task);
	if (status && !strcmp(status, "error"))
		code = fail_with(CLI_FAILED, json_pack("{s:O}", "task", task), "refresh: %s",
				 message ? message : "failed without a reason");
	else
		code = output_record(task_columns, task);
	json_decref(task);
	return code;
}

static int refresh_dry_run(const char *const *values)
{
	json_t *answer;
	int code = service_zone_check("refresh", values[0]);

	if (!code)
		code = service_call("refresh", "POST", "/1.0/alpnlb/dryRun",
				    zone_body(values[0], NULL), &answer);
	if (code)
		return code;
	print_warnings(answer);
	if (options.json)
		code = output_json(answer);
	json_decref(answer);
	return code;
}

/* ---- diff ---------------------------------------------------------------------------- */

static int refresh_diff(const char *const *values)
{
	char path[SERVICE_PATH_MAX];
	char zone[64];
	json_t *diff;
	int code;

	code = service_zone_check("refresh", values[0]);
	if (code)
		return code;
	snprintf(path, sizeof(path), "/1.0/alpnlb/diff%s%.100s", values[0] ? "?zone=" : "",
		 values[0] ? values[0] : "");
	code = service_call("refresh", "GET", path, NULL, &diff);
	if (code)
		return code;
	snprintf(zone, sizeof(zone), "running in zone %s",
		 json_string_value(json_object_get(diff, "zone")));
	if (options.json)
		code = output_json(diff);
	else
		changes_print(zone, "staged", json_object_get(diff, "changes"));
	json_decref(diff);
	return code;
}

static const struct keyword run_keywords[] = {{"zone", "ZONE"}, {"comment", "TEXT"}, {NULL, NULL}};
static const struct keyword zone_keywords[] = {{"zone", "ZONE"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "run",
	 .help = "make what is staged the running configuration, of every zone or one",
	 .keywords = run_keywords,
	 .run = refresh_run},
	{.name = "dry-run",
	 .help = "say what run would refuse or warn of, and change nothing",
	 .keywords = zone_keywords,
	 .run = refresh_dry_run},
	{.name = "diff",
	 .help = "print what run would change; prints nothing if nothing",
	 .keywords = zone_keywords,
	 .run = refresh_diff},
	{.name = NULL},
};

const struct noun noun_refresh = {
	.name = "refresh",
	.help = "make what is staged run",
	.text = "All of it takes effect at once, or nothing does; no connection is dropped.\n"
		"Manual: alpnlb-refresh(8).\n",
	.verbs = verbs,
};
