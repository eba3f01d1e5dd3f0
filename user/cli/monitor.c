/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../show/format.h"
#include "cli.h"
#include "control.h"
#include "output.h"
#include "service.h"

/* ---- text ---------------------------------------------------------------------------- */

static void put_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void put_string(FILE *out, const json_t *value)
{
	char *safe = display_escape(json_string_value(value));

	if (safe && (!*safe || strpbrk(safe, " \"=")))
		put_quoted(out, safe);
	else if (safe)
		fputs(safe, out);
	free(safe);
}

static void put_value(FILE *out, const json_t *value)
{
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		put_string(out, value);
	else if (json_is_integer(value))
		fprintf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_true(value))
		fputs("yes", out);
	json_array_foreach (value, i, item) {
		if (i)
			fputc(',', out);
		put_string(out, item);
	}
}

/* Does it say anything? */
static bool has_value(const json_t *value)
{
	return !json_is_null(value) && !json_is_false(value) &&
	       !(json_is_array(value) && !json_array_size(value));
}

char *event_text(const json_t *event)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	const char *key;
	json_t *value;

	if (!out)
		return NULL;
	json_object_foreach ((json_t *)event, key, value) {
		if (!has_value(value))
			continue;
		if (!strcmp(key, "event"))
			fputc(' ', out);
		else if (strcmp(key, "time") != 0)
			fprintf(out, " %s=", key);
		put_value(out, value);
	}
	fclose(out);
	return text;
}

/* ---- the command --------------------------------------------------------------------- */

static void print_text(const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, 0, NULL);
	char *text = event ? event_text(event) : NULL;

	if (text)
		printf("%s\n", text);
	free(text);
	json_decref(event);
}

/* False when nobody reads what is printed. */
static bool print_line(const char *line, size_t len, void *context)
{
	if (options.pretty) {
		json_t *event = json_loadb(line, len, 0, NULL);

		output_json(event);
		json_decref(event);
	} else if (options.json) {
		printf("%.*s\n", (int)len, line);
	} else {
		print_text(line, len);
	}
	return !fflush(stdout);
}

static int follow(const char *path)
{
	int code = service_follow(path, print_line, NULL);

	return code ? code
		    : fail(CLI_NO_DAEMON, "instance '%s': the daemon has ended", options.instance);
}

static int monitor_events(const char *const *values)
{
	return follow("/1.0/alpnlb/events");
}

static int monitor_connections(const char *const *values)
{
	return follow("/1.0/alpnlb/events?connections=true");
}

static const struct verb verbs[] = {
	{.name = "events", .help = "print what happens, as it happens", .run = monitor_events},
	{.name = "connections",
	 .help = "the same, and every connection that ends",
	 .run = monitor_connections},
	{.name = NULL},
};

const struct noun noun_monitor = {
	.name = "monitor",
	.help = "events as they happen, and a log of connections",
	.text = "A line each: its time and its name, then KEY=VALUE of whatever has one; with -j "
		"an\n"
		"object each. Who reads too slowly loses events, and is told how many.\n"
		"Manual: alpnlb-monitor(8).\n",
	.verbs = verbs,
	.default_verb = "events",
};
