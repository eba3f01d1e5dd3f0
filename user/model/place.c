// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The object that `path` begins with, "farms[0]"; *rest is what is behind it. */
static const json_t *object_at(const json_t *root, const char *path, const char **rest)
{
	char list[32];
	unsigned int index;
	int len = 0;

	if (sscanf(path, "%31[a-z_][%u]%n", list, &index, &len) != 2 || !len)
		return NULL;
	*rest = path + len + (path[len] == '.');
	return json_array_get(json_object_get(root, list), index);
}

/* A name, or for a rule without one its id. */
static const char *name_of(const json_t *object, char buf[16])
{
	const char *name = json_string_value(json_object_get(object, "name"));

	snprintf(buf, 16, "%lld", (long long)json_integer_value(json_object_get(object, "id")));
	return name ? name : buf;
}

char *place_of(const json_t *root, const char *path, const char **rest)
{
	const json_t *outer = object_at(root, path, rest), *inner;
	char name[16], parent[16], *text = NULL;
	const char *kind = path;

	if (!outer)
		return NULL;
	inner = object_at(outer, *rest, rest);
	if (inner)
		kind = strstr(path, "].") + 2;
	if (asprintf(&text, "%.*s %s%s%s", (int)strcspn(kind, "[") - 1, kind,
		     name_of(outer, parent), inner ? "/" : "",
		     inner ? name_of(inner, name) : "") < 0)
		return NULL;
	return text;
}

char *problem_by_name(const json_t *root, const struct problem *problem)
{
	const char *path = problem->path ? problem->path : "", *rest = path;
	char *place = place_of(root, path, &rest), *text = NULL;

	if (!place)
		rest = path;
	if (asprintf(&text, "%s%s%s%s%s", place ? place : "", place ? ": " : "", rest,
		     *rest ? ": " : "", problem->message) < 0)
		text = NULL;
	free(place);
	return text;
}
