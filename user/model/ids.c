/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ids that stay with the objects' names from one configuration to the next. */
#include <errno.h>
#include <stdlib.h>

#include "decode.h"
#include "kinds.h"

/* Every object of a kind beside the one it had been before, NULL if it is new. */
struct pair {
	struct object *now;
	const struct object *before;
};

struct pairs {
	struct pair *v;
	size_t n;
};

static void add_pair(struct pairs *pairs, struct object *now, const struct object *before)
{
	pairs->v[pairs->n++] = (struct pair){now, before};
}

static size_t count_objects(const struct config *config, enum kind kind)
{
	size_t n = 0;

	switch (kind) {
	case KIND_FARM:
		return config->n_farms;
	case KIND_SERVER:
		for (size_t i = 0; i < config->n_farms; i++)
			n += config->farms[i].n_servers;
		return n;
	case KIND_FRONTEND:
		return config->n_frontends;
	case KIND_ROUTE:
		return config->n_routes;
	case KIND_RULE:
		for (size_t i = 0; i < config->n_routes; i++)
			n += config->routes[i].n_rules;
		return n;
	default:
		return 0;
	}
}

/* Indexes n objects that stand `size` bytes apart. */
static int index_objects(struct name_index *index, void *objects, size_t n, size_t size)
{
	int err = name_index_reset(index, n);

	for (size_t i = 0; i < n && !err; i++) {
		struct object *object = (struct object *)((char *)objects + i * size);

		if (object->name)
			name_index_add(index, object);
	}
	return err;
}

static int pair_by_name(struct pairs *pairs, void *now, size_t n_now, void *before, size_t n_before,
			size_t size)
{
	struct name_index index = {0};
	int err = index_objects(&index, before, n_before, size);

	for (size_t i = 0; i < n_now && !err; i++) {
		struct object *object = (struct object *)((char *)now + i * size);

		add_pair(pairs, object, name_index_find(&index, object->name));
	}
	name_index_free(&index);
	return err;
}

static int pair_servers(struct pairs *pairs, struct config *config, const struct config *previous)
{
	struct name_index index = {0};
	int err = index_objects(&index, previous->farms, previous->n_farms, sizeof(struct farm));

	for (size_t i = 0; i < config->n_farms && !err; i++) {
		struct farm *farm = &config->farms[i];
		struct farm *before = (struct farm *)name_index_find(&index, farm->o.name);

		err = pair_by_name(pairs, farm->servers, farm->n_servers,
				   before ? before->servers : NULL, before ? before->n_servers : 0,
				   sizeof(struct server));
	}
	name_index_free(&index);
	return err;
}

static int pair_rules(struct pairs *pairs, struct config *config, const struct config *previous)
{
	struct name_index index = {0};
	int err = index_objects(&index, previous->routes, previous->n_routes, sizeof(struct route));

	for (size_t i = 0; i < config->n_routes && !err; i++) {
		struct route *route = &config->routes[i];
		struct route *before = (struct route *)name_index_find(&index, route->o.name);

		for (size_t j = 0; j < route->n_rules; j++)
			add_pair(pairs, &route->rules[j].o,
				 before && j < before->n_rules ? &before->rules[j].o : NULL);
	}
	name_index_free(&index);
	return err;
}

static int pair_objects(struct pairs *pairs, struct config *config, const struct config *previous,
			enum kind kind)
{
	switch (kind) {
	case KIND_FARM:
		return pair_by_name(pairs, config->farms, config->n_farms, previous->farms,
				    previous->n_farms, sizeof(struct farm));
	case KIND_SERVER:
		return pair_servers(pairs, config, previous);
	case KIND_FRONTEND:
		return pair_by_name(pairs, config->frontends, config->n_frontends,
				    previous->frontends, previous->n_frontends,
				    sizeof(struct frontend));
	case KIND_ROUTE:
		return pair_by_name(pairs, config->routes, config->n_routes, previous->routes,
				    previous->n_routes, sizeof(struct route));
	case KIND_RULE:
		return pair_rules(pairs, config, previous);
	default:
		return 0;
	}
}

/* The ids the previous configuration used: a new object gets none of them while others last. */
static int collect_ids(struct id_set *set, const struct config *previous, enum kind kind,
		       uint32_t *highest)
{
	struct config none = {0}, *config = (struct config *)previous;
	struct pairs pairs = {calloc(count_objects(previous, kind) + 1, sizeof(*pairs.v)), 0};
	int err = pairs.v ? pair_objects(&pairs, config, &none, kind) : -ENOMEM;

	for (size_t i = 0; i < pairs.n && !err; i++) {
		uint32_t id = pairs.v[i].now->id;

		id_set_add(set, id);
		*highest = id > *highest ? id : *highest;
	}
	free(pairs.v);
	return err;
}

/* Ids the file gives come first, then those of the previous configuration. */
static void keep_ids(struct pairs *pairs, struct id_set *taken, uint32_t *highest)
{
	for (size_t i = 0; i < pairs->n; i++) {
		uint32_t id = pairs->v[i].now->id;

		id_set_add(taken, id);
		*highest = id > *highest ? id : *highest;
	}
	for (size_t i = 0; i < pairs->n; i++) {
		const struct pair *pair = &pairs->v[i];

		if (!pair->now->id && pair->before && id_set_add(taken, pair->before->id))
			pair->now->id = pair->before->id;
	}
}

/* From the highest upwards; then what nobody uses; then what only removed objects used. */
static uint32_t next_id(const struct id_set *taken, const struct id_set *before, uint32_t *highest,
			uint32_t cursor[2])
{
	if (*highest < taken->limit)
		return ++*highest;
	while (++cursor[0] <= taken->limit)
		if (!id_set_has(taken, cursor[0]) && !id_set_has(before, cursor[0]))
			return cursor[0];
	while (++cursor[1] <= taken->limit)
		if (!id_set_has(taken, cursor[1]))
			return cursor[1];
	return 0;
}

static int give_ids(struct pairs *pairs, struct id_set *taken, const struct id_set *before,
		    uint32_t highest)
{
	uint32_t cursor[2] = {0};

	for (size_t i = 0; i < pairs->n; i++) {
		struct object *object = pairs->v[i].now;

		if (object->id)
			continue;
		object->id = next_id(taken, before, &highest, cursor);
		if (!object->id)
			return -ENOSPC;
		id_set_add(taken, object->id);
	}
	return 0;
}

static int assign_kind(struct config *config, const struct config *previous, enum kind kind,
		       uint32_t highest)
{
	struct pairs pairs = {calloc(count_objects(config, kind) + 1, sizeof(*pairs.v)), 0};
	struct id_set taken = {0}, before = {0};
	int err = pairs.v ? id_set_init(&taken, kind_limit(kind)) : -ENOMEM;

	err = err ? err : id_set_init(&before, kind_limit(kind));
	err = err ? err : collect_ids(&before, previous, kind, &highest);
	err = err ? err : pair_objects(&pairs, config, previous, kind);
	if (!err) {
		keep_ids(&pairs, &taken, &highest);
		err = give_ids(&pairs, &taken, &before, highest);
	}
	id_set_free(&before);
	id_set_free(&taken);
	free(pairs.v);
	return err;
}

int config_assign_ids(struct config *config, const struct config *previous,
		      const uint32_t highest[KIND_MAX])
{
	struct config none = {0};
	int err = 0;

	for (int kind = 0; kind < KIND_MAX && !err; kind++)
		err = assign_kind(config, previous ? previous : &none, kind,
				  highest ? highest[kind] : 0);
	return err;
}
