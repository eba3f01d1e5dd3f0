/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* a name that got no room is not found, rather than exit() */
#include <uthash.h>

struct name_entry {
	struct object *object;
	UT_hash_handle hh;
};

static const struct {
	const char *name;
	uint32_t limit;
} kinds[KIND_MAX] = {
	[KIND_FARM] = {"farm", MAX_FARMS},
	[KIND_SERVER] = {"server", MAX_SERVERS},
	[KIND_FRONTEND] = {"frontend", MAX_FRONTENDS},
	[KIND_ROUTE] = {"route", MAX_ROUTES},
	[KIND_RULE] = {"rule", MAX_RULES},
};

uint32_t kind_limit(enum kind kind)
{
	return kinds[kind].limit;
}

const char *kind_name(enum kind kind)
{
	return kinds[kind].name;
}

int name_index_reset(struct name_index *index, size_t n)
{
	name_index_free(index);
	index->entries = calloc(n ? n : 1, sizeof(*index->entries));
	return index->entries ? 0 : -ENOMEM;
}

struct object *name_index_find(const struct name_index *index, const char *name)
{
	struct name_entry *entry = NULL;

	if (name && index->head)
		HASH_FIND(hh, index->head, name, strlen(name), entry);
	return entry ? entry->object : NULL;
}

struct object *name_index_add(struct name_index *index, struct object *object)
{
	struct object *other = name_index_find(index, object->name);
	struct name_entry *entry;

	if (other)
		return other;
	entry = &index->entries[index->n++];
	entry->object = object;
	HASH_ADD_KEYPTR(hh, index->head, object->name, strlen(object->name), entry);
	return NULL;
}

void name_index_free(struct name_index *index)
{
	HASH_CLEAR(hh, index->head);
	free(index->entries);
	*index = (struct name_index){0};
}

int id_set_init(struct id_set *set, uint32_t limit)
{
	set->bits = calloc(limit / 64 + 1, sizeof(*set->bits));
	set->limit = limit;
	return set->bits ? 0 : -ENOMEM;
}

bool id_set_has(const struct id_set *set, uint32_t id)
{
	return set->bits[id / 64] & 1ULL << id % 64;
}

bool id_set_add(struct id_set *set, uint32_t id)
{
	bool new = !id_set_has(set, id);

	set->bits[id / 64] |= 1ULL << id % 64;
	return new;
}

void id_set_free(struct id_set *set)
{
	free(set->bits);
	*set = (struct id_set){0};
}
