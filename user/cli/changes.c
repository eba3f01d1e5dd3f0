/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../show/format.h"

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

void changes_print(const char *before, const char *after, const json_t *changes)
{
	json_t *change;
	size_t i;

	if (json_array_size(changes))
		printf("--- %s\n+++ %s\n", before, after);
	json_array_foreach (changes, i, change)
		print_change(change);
}
