// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/cli.h"
#include "../show/format.h"

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warning", [LOG_INFO] = "info"};

/* Written at once: workers have something to say, too. */
static void log_object(enum log_level level, const char *text)
{
	char *safe = display_escape(text);
	json_t *object = json_pack("{s:s?}", level_names[level], safe);
	char *line = json_dumps(object, JSON_COMPACT);

	fprintf(stderr, "%s\n", line ? line : "{\"error\":\"out of memory\"}");
	free(line);
	json_decref(object);
	free(safe);
}

static void log_text(enum log_level level, const char *text)
{
	bool plain = level == LOG_INFO;

	if (options.json)
		log_object(level, text);
	else if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", level, text);
	else
		fprintf(stderr, "alpnlb: %s%s%s\n", plain ? "" : level_names[level],
			plain ? "" : ": ", text);
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_text(level, text);
}

/* One message may be many lines: the verifier's reasons for a refusal. */
static int libbpf_lines(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *rest, *line;

	if (level != LIBBPF_WARN || vasprintf(&text, format, args) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		log_text(LOG_INFO, line);
	free(text);
	return 0;
}

void log_adopt_libbpf(void)
{
	libbpf_set_print(libbpf_lines);
}
