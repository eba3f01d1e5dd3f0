/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "format.h"
#include "output.h"
#include "service.h"

/* ---- run and dry-run ------------------------------------------------------------------ */

static const struct column task_columns[] = {COLUMN("id", "task"), COLUMN("status", "status"),
					     COLUMN("zones", "zones"), COLUMNS_END};

static json_t *zone_body(const char *zone)
{
	return json_pack("{s:s?}", "zone", zone);
}

/* A zone that cannot be sent must not become every zone. */
static int check_zone(const char *zone)
{
	size_t len = zone ? strlen(zone) : 1;

	if (len && len <= NAME_MAX_LEN && (!zone || !zone[strspn(zone, NAME_CHARACTERS)]))
		return CLI_OK;
	return fail(CLI_NOT_FOUND, "there is no zone '%s', see: alpnlb zone show", zone);
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
	json_t *task;
	int code = check_zone(values[0]);

	if (!code)
		code = service_call("refresh", "POST", "refresh", zone_body(values[0]), &task);
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
	int code = check_zone(values[0]);

	if (!code)
		code = service_call("refresh", "POST", "/1.0/alpnlb/dryRun", zone_body(values[0]),
				    &answer);
	if (code)
		return code;
	print_warnings(answer);
	if (options.json)
		code = output_json(answer);
	json_decref(answer);
	return code;
}

/* ---- diff ---------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* "@@ server h2/a (3) created @@" */
static void print_heading(const json_t *change)
{
	const char *kind = text_of(change, "kind"), *name = text_of(change, "name");
	const char *in = text_of(change, "in");
	json_int_t id = json_integer_value(json_object_get(change, "id"));

	printf("@@ %s ", kind);
	if (in)
		printf("%s/", in);
	if (name)
		printf("%s ", name);
	if (id)
		printf(name ? "(%lld) " : "%lld ", (long long)id);
	printf("%s @@\n", text_of(change, "change"));
}

static void print_attributes(char sign, const json_t *attributes)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)attributes, key, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY);
		char *safe = display_escape(json_is_string(value) ? json_string_value(value)
					    : text		  ? text
								  : "out of memory");

		if (strcmp(key, "id") && strcmp(key, "name"))
			printf("%c%s: %s\n", sign, key, safe ? safe : "out of memory");
		free(safe);
		free(text);
	}
}

/* A new name is a change like any other; that of a new object stands in its heading. */
static void print_change(const json_t *change)
{
	const json_t *before = json_object_get(change, "before");
	const json_t *after = json_object_get(change, "after");

	print_heading(change);
	if (!strcmp(text_of(change, "change"), "changed") && text_of(before, "name"))
		printf("-name: %s\n+name: %s\n", text_of(before, "name"), text_of(after, "name"));
	print_attributes('-', before);
	print_attributes('+', after);
}

static int refresh_diff(const char *const *values)
{
	char path[SERVICE_PATH_MAX];
	json_t *diff, *changes, *change;
	size_t i;
	int code;

	code = check_zone(values[0]);
	if (code)
		return code;
	snprintf(path, sizeof(path), "/1.0/alpnlb/diff%s%.100s", values[0] ? "?zone=" : "",
		 values[0] ? values[0] : "");
	code = service_call("refresh", "GET", path, NULL, &diff);
	if (code)
		return code;
	changes = json_object_get(diff, "changes");
	if (options.json)
		code = output_json(diff);
	else if (json_array_size(changes))
		printf("--- running in zone %s\n+++ staged\n", text_of(diff, "zone"));
	json_array_foreach (changes, i, change)
		if (!options.json)
			print_change(change);
	json_decref(diff);
	return code;
}

static const struct keyword zone_keywords[] = {{"zone", "ZONE"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "run",
	 .help = "make what is staged the running configuration, of every zone or one",
	 .keywords = zone_keywords,
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
