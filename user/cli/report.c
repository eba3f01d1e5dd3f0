/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../show/format.h"
#include "cli.h"
#include "report.h"

const char *file_label(const char *file)
{
	return strcmp(file, "-") ? file : "<stdin>";
}

static const char *member(const json_t *problem, const char *key)
{
	const char *text = json_string_value(json_object_get(problem, key));

	return text ? text : "";
}

void report_problems(const json_t *problems, const char *file)
{
	json_t *item;
	size_t i;

	if (options.json)
		return;
	json_array_foreach (problems, i, item) {
		struct problem problem = {
			.warning = json_is_true(json_object_get(item, "warning")),
			.line = json_integer_value(json_object_get(item, "line")),
			.path = (char *)member(item, "path"),
			.message = (char *)member(item, "message"),
		};
		char *line = problem_format(&problem, file_label(file));
		char *safe = line ? display_escape(line) : NULL;

		fprintf(stderr, "%s%s\n", problem.warning ? "warning: " : "",
			safe ? safe : "out of memory");
		free(safe);
		free(line);
	}
}

int report_failure(const json_t *problems, const char *file, const char *error)
{
	report_problems(problems, file);
	return fail_with(
		CLI_FAILED,
		json_pack("{s:o, s:O?}", "file", json_text(file_label(file)), "problems", problems),
		"%s", error);
}

void report_kept(const json_t *answer)
{
	const json_t *kept = json_object_get(answer, "kept");

	if (json_is_integer(kept) && !options.json)
		fprintf(stderr,
			"warning: staged changes that were not refreshed are kept as revision "
			"%lld\n",
			(long long)json_integer_value(kept));
}
