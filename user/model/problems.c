/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "problems.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct value value_item(const struct value *list, size_t index)
{
	const struct lines *lines = list->lines;

	return (struct value){
		.parent = list,
		.index = index,
		.json = json_array_get(list->json, index),
		.lines = lines && index < lines->n ? &lines->child[index] : NULL,
	};
}

struct value value_nth_member(const struct value *mapping, size_t n, const char *key,
			      const json_t *json)
{
	const struct lines *lines = mapping->lines;

	return (struct value){
		.parent = mapping,
		.key = key,
		.json = json,
		.lines = lines && n < lines->n ? &lines->child[n] : NULL,
	};
}

struct value value_member(const struct value *mapping, const char *key)
{
	const char *name;
	json_t *json;
	size_t n = 0;

	json_object_foreach ((json_t *)mapping->json, name, json) {
		if (!strcmp(name, key))
			return value_nth_member(mapping, n, key, json);
		n++;
	}
	return (struct value){.parent = mapping, .key = key};
}

static void append_path(FILE *out, const struct value *value)
{
	struct text key = {0};

	if (!value->parent)
		return;
	append_path(out, value->parent);
	if (value->key) {
		text_append_escaped(&key, value->key, strlen(value->key));
		fprintf(out, "%s%s", value->parent->parent ? "." : "", key.s);
	} else {
		fprintf(out, "[%zu]", value->index);
	}
}

/* "frontends[0].port", malloc()ed; NULL when out of memory. */
static char *value_path(const struct value *value)
{
	char *path = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&path, &size);

	if (!out)
		return NULL;
	append_path(out, value);
	if (fclose(out)) {
		free(path);
		return NULL;
	}
	return path;
}

int value_line(const struct value *value)
{
	while (value && !value->lines)
		value = value->parent;
	return value ? value->lines->line : 0;
}

static struct problem *grow(struct problems *problems)
{
	size_t n = problems->n;
	struct problem *v;

	if (n & (n - 1)) /* the array has room up to the next power of two */
		return &problems->v[problems->n++];
	v = reallocarray(problems->v, n ? n * 2 : 1, sizeof(*v));
	if (!v)
		return NULL;
	problems->v = v;
	return &v[problems->n++];
}

/* A new problem, or NULL when there are too many. The first one too many has its text set. */
static struct problem *reserve(struct problems *problems, bool warning)
{
	size_t errors = problems->errors;
	size_t kept_errors = errors <= PROBLEMS_MAX ? errors : PROBLEMS_MAX + 1;
	size_t kept = warning ? problems->n - kept_errors : errors;
	struct problem *problem;

	if (!warning)
		problems->errors++;
	problem = kept <= PROBLEMS_MAX ? grow(problems) : NULL;
	if (!problem)
		return NULL;
	*problem = (struct problem){.warning = warning};
	if (kept == PROBLEMS_MAX)
		problem->message = strdup(warning ? "more warnings follow" : "more errors follow");
	return problem;
}

void value_problem(struct problems *problems, bool warning, const struct value *value,
		   const char *format, ...)
{
	struct problem *problem = reserve(problems, warning);
	va_list ap;

	if (!problem || problem->message)
		return;
	problem->line = value_line(value);
	problem->path = value_path(value);
	va_start(ap, format);
	if (vasprintf(&problem->message, format, ap) < 0)
		problem->message = NULL;
	va_end(ap);
}

void line_error(struct problems *problems, int line, const char *format, ...)
{
	struct problem *problem = reserve(problems, false);
	va_list ap;

	if (!problem || problem->message)
		return;
	problem->line = line;
	va_start(ap, format);
	if (vasprintf(&problem->message, format, ap) < 0)
		problem->message = NULL;
	va_end(ap);
}

void problems_drop(struct problems *problems, size_t i)
{
	struct problem *problem = &problems->v[i];

	problems->errors -= !problem->warning;
	free(problem->path);
	free(problem->message);
	memmove(problem, problem + 1, (--problems->n - i) * sizeof(*problem));
}

/* What has no line, such as "more errors follow", comes last. */
static unsigned int sort_key(const struct problem *problem)
{
	return (unsigned int)problem->line - 1;
}

void problems_sort(struct problems *problems)
{
	for (size_t i = 1; i < problems->n; i++) {
		struct problem problem = problems->v[i];
		size_t j = i;

		for (; j > 0 && sort_key(&problems->v[j - 1]) > sort_key(&problem); j--)
			problems->v[j] = problems->v[j - 1];
		problems->v[j] = problem;
	}
}

void problems_free(struct problems *problems)
{
	if (!problems)
		return;
	for (size_t i = 0; i < problems->n; i++) {
		free(problems->v[i].path);
		free(problems->v[i].message);
	}
	free(problems->v);
	*problems = (struct problems){0};
}

char *problem_format(const struct problem *problem, const char *file)
{
	const char *message = problem->message ? problem->message : "out of memory";
	const char *path = problem->path ? problem->path : "";
	char line[16] = "", *text;

	if (problem->line && file)
		snprintf(line, sizeof(line), ":%d", problem->line);
	else if (problem->line)
		snprintf(line, sizeof(line), "%d", problem->line);
	if (asprintf(&text, "%s%s%s%s%s%s", file ? file : "", line, file || *line ? ": " : "", path,
		     *path ? ": " : "", message) < 0)
		return NULL;
	return text;
}

json_t *problem_json(const struct problem *problem)
{
	json_t *line = problem->line ? json_integer(problem->line) : NULL;

	return json_pack("{s:b, s:o*, s:s*, s:s*}", "warning", problem->warning, "line", line,
			 "path", problem->path, "message", problem->message);
}

json_t *problems_json(const struct problems *problems)
{
	json_t *list = json_array();

	for (size_t i = 0; i < problems->n; i++)
		json_array_append_new(list, problem_json(&problems->v[i]));
	return list;
}
