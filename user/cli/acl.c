/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../kernel/acl.h"
#include "../kernel/clock.h"
#include "../model/decode.h"
#include "../model/prefix.h"
#include "cli.h"
#include "find.h"
#include "flow_filter.h"
#include "input.h"
#include "output.h"
#include "report.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("source", "SOURCE"),
	COLUMN("frontend", "FRONTEND", .keep = 12),
	COLUMN_AS(FORMAT_MILLISECONDS, "expires_ms", "EXPIRES IN"),
	COLUMNS_END,
};

/* What a verb works on. */
struct job {
	struct snapshot snapshot;
	struct acl acl;
	uint32_t frontend_id; /* 0 = all of them, or none was given */
	struct prefix source; /* show: to do with it; of length 0 = any */
	uint64_t now;
	struct output_stream rows; /* show */
	json_int_t n;		   /* delete: how many went */
};

static int job_open(struct job *job, const char *frontend_word)
{
	const struct frontend *frontend = NULL;
	int code = snapshot_open(&job->snapshot), err;

	job->now = monotonic_time();
	if (!code && frontend_word)
		code = find_frontend(job->snapshot.config, frontend_word, NULL, &frontend);
	if (code)
		return code;
	job->frontend_id = frontend ? frontend->o.id : 0;
	err = acl_open(&job->acl, options.instance);
	if (err)
		return fail(CLI_FAILED, "instance '%s': the acl: %s", options.instance,
			    strerror(-err));
	return CLI_OK;
}

static struct job job_new(void)
{
	return (struct job){.acl = {.tries = {-1, -1}, .control_fd = -1},
			    .snapshot.view.config = -1};
}

static void job_close(struct job *job)
{
	acl_close(&job->acl);
	snapshot_close(&job->snapshot);
}

static int print_count(const char *key, const char *title, json_int_t n)
{
	const struct column counted[] = {{.key = key, .title = title}, COLUMNS_END};
	json_t *row = json_pack("{s:I}", key, n);
	int code = output_record(counted, row);

	json_decref(row);
	return code;
}

/* When something that lives for that long ends; 0, for good, without a text. */
static int parse_ttl(const char *text, uint64_t now, uint64_t *until)
{
	int64_t milliseconds = text ? duration_parse(text) : 0;

	*until = text ? now + milliseconds * MILLISECOND : 0;
	if (milliseconds > 0 || !text)
		return CLI_OK;
	return fail(CLI_USAGE, "ttl '%s': expected a duration such as 500ms, 30s, 5m, 1h or 1d",
		    text);
}

static int add(struct job *job, const struct acl_entry *entries, size_t n)
{
	int err = acl_add(&job->acl, entries, n);

	if (err == -ENOSPC)
		return fail(CLI_FAILED, "instance '%s': the acl has no room for more than %d",
			    options.instance, DOOR_PREFIXES);
	if (err)
		return fail(CLI_FAILED, "instance '%s': the acl: %s", options.instance,
			    strerror(-err));
	return print_count("added", "ADDED", n);
}

/* ---- add ----------------------------------------------------------------------------- */

static int acl_add_verb(const char *const *values)
{
	struct job job = job_new();
	struct acl_entry entry = {0};
	int code = prefix_word("source", values[0], &entry.prefix);

	code = code ? code : job_open(&job, values[2]);
	code = code ? code : parse_ttl(values[1], job.now, &entry.until);
	entry.frontend_id = job.frontend_id;
	code = code ? code : add(&job, &entry, 1);
	job_close(&job);
	return code;
}

/* ---- import -------------------------------------------------------------------------- */

struct import {
	const char *path;
	uint32_t frontend_id;
	uint64_t now, until; /* where a line has no ttl of its own */
	struct acl_entry *entries;
	size_t n, capacity;
};

/* `SOURCE [TTL]`, or a comment. */
static int import_line(struct import *import, char *line, size_t number)
{
	static const char blanks[] = " \t\r";
	char *rest, *source, *ttl, *more;
	struct acl_entry *entry;
	int code;

	line[strcspn(line, "#")] = '\0';
	source = strtok_r(line, blanks, &rest);
	ttl = source ? strtok_r(NULL, blanks, &rest) : NULL;
	more = ttl ? strtok_r(NULL, blanks, &rest) : NULL;
	if (!source)
		return CLI_OK;
	if (import->n == import->capacity) {
		import->capacity = import->capacity ? 2 * import->capacity : 1024;
		entry = realloc(import->entries, import->capacity * sizeof(*entry));
		if (!entry)
			return fail(CLI_FAILED, "out of memory");
		import->entries = entry;
	}
	fail_at(file_label(import->path), number);
	entry = &import->entries[import->n++];
	*entry = (struct acl_entry){.frontend_id = import->frontend_id, .until = import->until};
	code = prefix_word("source", source, &entry->prefix);
	if (!code && ttl)
		code = parse_ttl(ttl, import->now, &entry->until);
	if (!code && more)
		code = fail(CLI_USAGE, "unexpected '%s' behind the ttl", more);
	fail_at(NULL, 0);
	return code;
}

static int import_lines(struct import *import, char *text)
{
	size_t number = 0;
	char *line;
	int code = CLI_OK;

	while (!code && (line = strsep(&text, "\n")))
		code = import_line(import, line, ++number);
	return code;
}

/* Nothing is added when a line is wrong. */
static int acl_import(const char *const *values)
{
	struct job job = job_new();
	struct import import = {.path = values[0]};
	char *text = NULL;
	int code = job_open(&job, values[2]);

	import.frontend_id = job.frontend_id;
	import.now = job.now;
	code = code ? code : parse_ttl(values[1], job.now, &import.until);
	code = code ? code : input_read_text(import.path, &text);
	code = code ? code : import_lines(&import, text);
	code = code ? code : add(&job, import.entries, import.n);
	free(import.entries);
	free(text);
	job_close(&job);
	return code;
}

/* ---- delete -------------------------------------------------------------------------- */

static bool delete_step(const struct acl_entry *entry, void *context)
{
	struct job *job = context;
	bool fits = !job->frontend_id || entry->frontend_id == job->frontend_id;

	job->n += fits;
	return fits;
}

static int delete_all(struct job *job)
{
	int err = acl_walk(&job->acl, delete_step, job);

	return err ? fail(CLI_FAILED, "instance '%s': the acl: %s", options.instance,
			  strerror(-err))
		   : print_count("deleted", "DELETED", job->n);
}

static int delete_one(struct job *job, const struct acl_entry *entry, const char *word)
{
	int err = acl_delete(&job->acl, entry);

	if (err == -ENOENT)
		return fail(CLI_NOT_FOUND, "%s is not in the acl%s, see: alpnlb acl show", word,
			    entry->frontend_id ? " of that frontend" : " of all frontends");
	return err ? fail(CLI_FAILED, "instance '%s': the acl: %s", options.instance,
			  strerror(-err))
		   : print_count("deleted", "DELETED", 1);
}

static int acl_delete_verb(const char *const *values)
{
	bool all = !strcmp(values[0], "all");
	struct job job = job_new();
	struct acl_entry entry = {0};
	int code = all ? CLI_OK : prefix_word("source", values[0], &entry.prefix);

	code = code ? code : job_open(&job, values[1]);
	entry.frontend_id = job.frontend_id;
	if (!code)
		code = all ? delete_all(&job) : delete_one(&job, &entry, values[0]);
	job_close(&job);
	return code;
}

/* ---- show ---------------------------------------------------------------------------- */

static bool has_to_do_with(const struct prefix *a, const struct prefix *b)
{
	return !b->length || prefix_contains(a, b->address) || prefix_contains(b, a->address);
}

static bool show_step(const struct acl_entry *entry, void *context)
{
	struct job *job = context;
	char text[64];
	json_t *row;

	if ((entry->until && entry->until <= job->now) ||
	    !has_to_do_with(&entry->prefix, &job->source) ||
	    (job->frontend_id && entry->frontend_id && entry->frontend_id != job->frontend_id))
		return false;
	row = json_pack("{s:s}", "source", prefix_format(&entry->prefix, text, sizeof(text)));
	object_names_set_frontend(&job->snapshot.names, row, entry->frontend_id);
	json_object_set_new(row, "expires_ms",
			    entry->until ? json_integer((entry->until - job->now) / MILLISECOND)
					 : json_null());
	output_stream_add(&job->rows, row);
	return false;
}

static int acl_show(const char *const *values)
{
	struct job job = job_new();
	int code = values[0] ? prefix_word("source", values[0], &job.source) : CLI_OK, err;

	code = code ? code : job_open(&job, values[1]);
	job.rows = output_stream_new(columns);
	err = code ? 0 : acl_walk(&job.acl, show_step, &job);
	if (err)
		code = fail(CLI_FAILED, "instance '%s': the acl: %s", options.instance,
			    strerror(-err));
	if (code)
		output_stream_free(&job.rows);
	else
		code = output_stream_end(&job.rows);
	job_close(&job);
	return code;
}

/* ---- the noun ------------------------------------------------------------------------ */

#define FRONTEND_KEYWORD                                                                           \
	{                                                                                          \
		"frontend", "NAME|ID"                                                              \
	}

static const struct keyword add_keywords[] = {{"ttl", "DURATION"}, FRONTEND_KEYWORD, {NULL, NULL}};
static const struct keyword delete_keywords[] = {FRONTEND_KEYWORD, {NULL, NULL}};
static const struct keyword show_keywords[] = {
	{"source", "ADDRESS[/LEN]"}, FRONTEND_KEYWORD, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list what is banned, or what has to do with a source",
	 .keywords = show_keywords,
	 .subject = "ADDRESS[/LEN]",
	 .run = acl_show},
	{.name = "add",
	 .help = "ban an address or a block, for a while or for good",
	 .argument = "ADDRESS[/LEN]",
	 .keywords = add_keywords,
	 .run = acl_add_verb},
	{.name = "delete",
	 .help = "let a block in again, or all of them",
	 .argument = "ADDRESS[/LEN]|all",
	 .keywords = delete_keywords,
	 .run = acl_delete_verb},
	{.name = "import",
	 .help = "ban what a file lists, a block and perhaps a ttl on each line",
	 .argument = "FILE",
	 .keywords = add_keywords,
	 .run = acl_import},
	{.name = NULL},
};

const struct noun noun_acl = {
	.name = "acl",
	.help = "sources that are banned, beside what the configuration allows",
	.text = "It is in force at once, without a refresh, for one frontend or for all. Kept in\n"
		"the pinned maps, until unload: no daemon is needed. Manual: alpnlb-acl(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
