/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "changes.h"
#include "cli.h"
#include "complete.h"
#include "output.h"
#include "report.h"
#include "service.h"

#define PATH	   "/1.0/alpnlb/revision"
#define NUMBER_MAX 999999999

/* ---- show ---------------------------------------------------------------------------- */

static const struct column columns[] = {
	COLUMN("number", "NUMBER"),
	COLUMN("date", "DATE", .keep = KEEP_WHOLE),
	COLUMN("zone", "ZONE", .drop = 3),
	COLUMN("created", "CREATED", .drop = 4),
	COLUMN("changed", "CHANGED", .drop = 5),
	COLUMN("deleted", "DELETED", .drop = 6),
	COLUMN("running", "RUNNING", .drop = 2),
	COLUMN("comment", "COMMENT", .drop = 1),
	COLUMNS_END,
};

static int bad_number(const char *text)
{
	return fail(CLI_USAGE, "revision '%s': expected a number, see: alpnlb revision show", text);
}

static int show_one(const char *text)
{
	unsigned int number = id_parse(text, NUMBER_MAX);
	char path[SERVICE_PATH_MAX];
	json_t *revision;
	int code;

	if (!number)
		return bad_number(text);
	snprintf(path, sizeof(path), PATH "/%u", number);
	code = service_call(NULL, "GET", path, NULL, &revision);
	return code ? code : output_show(columns, json_pack("[o]", revision), true);
}

static int revision_show(const char *const *values)
{
	json_t *rows;
	int code;

	if (values[0])
		return show_one(values[0]);
	code = service_call(NULL, "GET", PATH, NULL, &rows);
	return code ? code : output_show(columns, rows, false);
}

/* ---- diff ---------------------------------------------------------------------------- */

static int revision_diff(const char *const *values)
{
	const char *to = values[1] ? values[1] : "running";
	bool is_word = !strcmp(to, "running") || !strcmp(to, "staged");
	unsigned int number = id_parse(values[0], NUMBER_MAX);
	char path[SERVICE_PATH_MAX], before[32], after[32];
	json_t *changes;
	int code = 0;

	if (!number)
		return bad_number(values[0]);
	if (!is_word && !id_parse(to, NUMBER_MAX))
		return fail(CLI_USAGE, "revision '%s': expected a number, running or staged", to);
	snprintf(path, sizeof(path), PATH "/%u/diff?to=%s", number, to);
	code = service_call(NULL, "GET", path, NULL, &changes);
	if (code)
		return code;
	snprintf(before, sizeof(before), "revision %u", number);
	snprintf(after, sizeof(after), "%s%s", is_word ? "" : "revision ", to);
	if (options.json)
		code = output_json(changes);
	else
		changes_print(before, after, changes);
	json_decref(changes);
	return code;
}

/* ---- rollback ------------------------------------------------------------------------ */

static int print_rollback(const json_t *answer)
{
	json_int_t revision = json_integer_value(json_object_get(answer, "revision"));

	if (options.json)
		return output_json(answer);
	if (json_is_true(json_object_get(answer, "running")))
		printf("running as revision %lld\n", (long long)revision);
	else
		printf("staged; to make it run: alpnlb refresh run\n");
	report_kept(answer);
	return CLI_OK;
}

static int revision_rollback(const char *const *values)
{
	unsigned int number = id_parse(values[0], NUMBER_MAX);
	char path[SERVICE_PATH_MAX];
	json_t *answer;
	int code;

	if (!number)
		return bad_number(values[0]);
	snprintf(path, sizeof(path), PATH "/%u/rollback", number);
	code = service_call("rollback", "POST", path,
			    json_pack("{s:b}", "refresh", values[1] != NULL), &answer);
	if (code)
		return code;
	code = print_rollback(answer);
	json_decref(answer);
	return code;
}

static void print_numbers(void)
{
	complete_service(PATH, "number");
}

static const struct keyword show_keywords[] = {{"id", "N"}, {NULL, NULL}};
static const struct keyword diff_keywords[] = {{"to", "N|running|staged"}, {NULL, NULL}};
static const struct keyword rollback_keywords[] = {{"refresh", NULL}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the revisions, or show one with its configuration (under -j)",
	 .subject = "N",
	 .keywords = show_keywords,
	 .run = revision_show},
	{.name = "diff",
	 .help = "print what differs from a revision to what runs, or to another one",
	 .argument = "N",
	 .keywords = diff_keywords,
	 .run = revision_diff},
	{.name = "rollback",
	 .help = "stage a revision; with refresh, make it run as well",
	 .argument = "N",
	 .keywords = rollback_keywords,
	 .run = revision_rollback},
	{.name = NULL},
};

const struct noun noun_revision = {
	.name = "revision",
	.help = "configurations that ran, and going back to one",
	.text = "Every refresh and apply makes one; the last 100 are kept.\n"
		"Manual: alpnlb-revision(8).\n",
	.verbs = verbs,
	.default_verb = "show",
	.names = print_numbers,
};
