/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "columns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../show/attributes.h"

static bool has_column(const struct column *columns, const char *key)
{
	for (; columns->key; columns++)
		if (!strcmp(columns->key, key))
			return true;
	return false;
}

/* "on_marked_down" as a heading. */
static char *title_of(const char *key)
{
	char *title = strdup(key);

	for (char *c = title; c && *c; c++)
		*c = *c == '_' ? ' ' : toupper((unsigned char)*c);
	return title;
}

/* Behind the columns of attributes come those of the others, whose titles are malloc()ed. */
static struct column *all_columns(enum kind kind, const struct column *columns,
				  struct column **added, size_t *n_added)
{
	const struct table *table = kind_table(kind);
	size_t n = 0, known = 0;
	struct column *all;

	for (; columns[n].key; n++)
		if (table_find(table, columns[n].key))
			known = n + 1;
	all = calloc(n + table->n + 1, sizeof(*all));
	if (!all)
		return NULL;
	memcpy(all, columns, known * sizeof(*all));
	*added = all + known;
	*n_added = 0;
	for (size_t i = 0; i < table->n; i++) {
		const char *key = table->v[i].key;
		char *title;

		if (!attribute_is_shown(kind, &table->v[i]) || has_column(columns, key))
			continue;
		title = title_of(key);
		if (title)
			(*added)[(*n_added)++] = (struct column){.key = key, .title = title};
	}
	memcpy(*added + *n_added, columns + known, (n - known) * sizeof(*all));
	return all;
}

int output_object(enum kind kind, const struct column *columns, json_t *rows)
{
	struct column *added = NULL, *all;
	size_t n_added = 0;
	int code;

	all = all_columns(kind, columns, &added, &n_added);
	code = output_show(all ? all : columns, rows, true);
	for (size_t i = 0; i < n_added; i++)
		free((char *)added[i].title);
	free(all);
	return code;
}
