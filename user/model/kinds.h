/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kinds of object, and looking objects of a kind up by name and by id. */
#ifndef ALPNLB_KINDS_H
#define ALPNLB_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "objects.h"

enum kind {
	KIND_FARM,
	KIND_SERVER,
	KIND_FRONTEND,
	KIND_ROUTE,
	KIND_RULE,
	KIND_MAX,
};

/* The highest id of a kind; also how many there may be. */
uint32_t kind_limit(enum kind kind);

/* "farm"; the plural has an s. */
const char *kind_name(enum kind kind);

struct name_entry;

/* All zero is an empty index. Names are borrowed from the objects. */
struct name_index {
	struct name_entry *entries, *head;
	size_t n;
};

/* Makes room for n names, forgetting what was there. 0 or -ENOMEM. */
int name_index_reset(struct name_index *index, size_t n);

/* Returns NULL, or the object that has the name already. */
struct object *name_index_add(struct name_index *index, struct object *object);

/* Returns NULL if there is none, or the name is NULL. */
struct object *name_index_find(const struct name_index *index, const char *name);

void name_index_free(struct name_index *index);

/* A set of the ids of a kind; all zero is empty. */
struct id_set {
	uint64_t *bits;
	uint32_t limit;
};

/* 0 or -ENOMEM. */
int id_set_init(struct id_set *set, uint32_t limit);
bool id_set_has(const struct id_set *set, uint32_t id);
/* Was it new? */
bool id_set_add(struct id_set *set, uint32_t id);
void id_set_free(struct id_set *set);

#endif
