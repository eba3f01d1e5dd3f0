// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Mistakes as the API tells them: "frontends[1].default_farm" is "frontend 7 (web).defaultFarmId".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/keys.h"
#include "call.h"

/* ---- paths ---------------------------------------------------------------------------- */

/* The object that *path begins with, "farms[0]", and its kind; *path goes behind it. */
static const json_t *take_object(const json_t *in, const char **path, enum kind *kind)
{
	for (int k = 0; k < KIND_MAX; k++) {
		size_t len = strlen(kind_name(k));
		const json_t *object;
		unsigned int index;
		char list[16];
		int rest = 0;

		if (strncmp(*path, kind_name(k), len) ||
		    sscanf(*path + len, "s[%u]%n", &index, &rest) != 1 || !rest)
			continue;
		snprintf(list, sizeof(list), "%ss", kind_name(k));
		object = json_array_get(json_object_get(in, list), index);
		if (!object)
			return NULL;
		*path += len + rest;
		*path += **path == '.';
		*kind = k;
		return object;
	}
	return NULL;
}

/* "frontend 7 (web)", "server 3 (one/a)" */
static void append_object(FILE *out, enum kind kind, const json_t *object, const json_t *in)
{
	const char *name = object_name(object);

	fprintf(out, "%s %u", kind_name(kind), object_id(object));
	if (name && in)
		fprintf(out, " (%s/%s)", object_name(in), name);
	else if (name)
		fprintf(out, " (%s)", name);
}

/* "action.target", "allowed_source[0]": each key is of the table of the one before. */
static void append_keys(FILE *out, enum kind kind, const char *path)
{
	const struct table *table = kind == KIND_MAX ? &config_table : kind_table(kind);

	while (*path) {
		size_t len = strcspn(path, ".[");
		const struct attribute *a;
		char key[API_KEY_MAX];

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		a = table ? table_find(table, key) : NULL;
		fputs(a ? api_key(kind, a, key) : key, out);
		table = a ? a->table : NULL;
		path += len;
		len = strcspn(path, ".") + (strchr(path, '.') != NULL);
		fprintf(out, "%.*s", (int)len, path);
		path += len;
	}
}

/* malloc()ed, NULL when out of memory. */
static char *problem_path(const json_t *root, enum kind kind, const char *path)
{
	const json_t *object = take_object(root, &path, &kind), *in = NULL, *inner = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (object)
		inner = take_object(object, &path, &kind);
	if (inner) {
		in = object;
		object = inner;
	}
	if (object)
		append_object(out, kind, object, in);
	if (object && *path)
		fputc('.', out);
	append_keys(out, kind, path);
	fclose(out);
	return text;
}

/* ---- answers -------------------------------------------------------------------------- */

json_t *api_problems(const struct api_call *call, enum kind kind, const struct problems *problems)
{
	json_t *list;

	if (call->file_names)
		return problems_json(problems);
	list = json_array();
	for (size_t i = 0; i < problems->n; i++) {
		struct problem problem = problems->v[i];

		if (problem.path)
			problem.path = problem_path(call->daemon->staged.root, kind, problem.path);
		json_array_append_new(list, problem_json(&problem));
		free(problem.path);
	}
	return list;
}

void api_refuse_problems(struct api_call *call, int status, enum kind kind,
			 const struct problems *problems)
{
	json_t *list = api_problems(call, kind, problems), *problem;
	const char *path = NULL, *message = "invalid";
	size_t i;

	json_array_foreach (list, i, problem)
		if (!json_is_true(json_object_get(problem, "warning"))) {
			path = json_string_value(json_object_get(problem, "path"));
			message = json_string_value(json_object_get(problem, "message"));
			break;
		}
	api_refuse(call, status, "%s%s%s", path ? path : "", path && *path ? ": " : "", message);
	json_object_set_new(call->answer, "problems", list);
}
