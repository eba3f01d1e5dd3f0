/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "attributes.h"

#include <string.h>

/* Rows of frontends have these under another key: as a list, or in milliseconds. */
static bool has_other_key(enum kind kind, const char *key)
{
	static const char *const keys[] = {"port",	    "dedicated_ipfo",
					   "hello_timeout", "connect_timeout",
					   "idle_timeout",  "half_close_timeout"};

	for (size_t i = 0; kind == KIND_FRONTEND && i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(key, keys[i]))
			return true;
	return false;
}

bool attribute_is_shown(enum kind kind, const struct attribute *a)
{
	return a->type != &type_list && a->type != &type_refused && a->type != &type_off &&
	       !has_other_key(kind, a->key);
}

void attributes_add(json_t *row, enum kind kind, const void *object)
{
	const struct table *table = kind_table(kind);

	for (size_t i = 0; i < table->n; i++) {
		const struct attribute *a = &table->v[i];
		json_t *value;

		if (!attribute_is_shown(kind, a) || json_object_get(row, a->key))
			continue;
		value = a->type->encode(a, object);
		if (!value)
			value = a->type == &type_bool ? json_false() : json_null();
		json_object_set_new(row, a->key, value);
	}
}
