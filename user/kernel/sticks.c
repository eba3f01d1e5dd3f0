// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sticks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps.h"

#define ADDRESS_SIZE 16

int sticks_table(int map, uint32_t farm_id)
{
	__u32 id;
	int fd;

	if (bpf_map_lookup_elem(map, &farm_id, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

int sticks_open(struct instance *instance, bool adopted)
{
	int map = instance_map(instance, "sticks");
	uint32_t farm_id, *before = NULL;

	instance->sticks = malloc((MAX_FARMS + 1) * sizeof(*instance->sticks));
	if (!instance->sticks)
		return -ENOMEM;
	instance->balance.sticks = instance->sticks;
	for (farm_id = 0; farm_id <= MAX_FARMS; farm_id++)
		instance->sticks[farm_id] = -ENOENT;
	for (; adopted && !bpf_map_get_next_key(map, before, &farm_id); before = &farm_id)
		if (farm_id <= MAX_FARMS)
			instance->sticks[farm_id] = sticks_table(map, farm_id);
	return 0;
}

void sticks_close(struct instance *instance)
{
	for (uint32_t id = 0; instance->sticks && id <= MAX_FARMS; id++)
		if (instance->sticks[id] >= 0)
			close(instance->sticks[id]);
	free(instance->sticks);
	instance->sticks = NULL;
}

/* ---- entries ----------------------------------------------------------------------------- */

struct walk {
	int table;
	sticks_step *step;
	void *context;
};

static void walk_entry(const void *client, const void *row, void *context)
{
	const struct walk *walk = context;

	if (walk->step(client, row, walk->context))
		bpf_map_delete_elem(walk->table, client);
}

int sticks_walk(int table, sticks_step *step, void *context)
{
	struct walk walk = {table, step, context};

	return map_walk(table, ADDRESS_SIZE, sizeof(struct stick_row), walk_entry, &walk);
}

static bool copy_entry(const uint8_t *client, const struct stick_row *row, void *context)
{
	(void)bpf_map_update_elem(*(int *)context, client, row, BPF_NOEXIST);
	return false;
}

/* ---- configurations ---------------------------------------------------------------------- */

static uint32_t size_of(int table)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	return table < 0 || bpf_obj_get_info_by_fd(table, &info, &len) ? 0 : info.max_entries;
}

static void put_table(struct instance *instance, pthread_rwlock_t *lock, uint32_t farm_id,
		      int table)
{
	int before = instance->sticks[farm_id];

	pthread_rwlock_wrlock(lock);
	instance->sticks[farm_id] = table;
	pthread_rwlock_unlock(lock);
	if (before >= 0)
		close(before);
}

/* In the place of a table, in what a configuration wants: the one there is, or none. */
enum {
	SAME = -1,
	NONE = -2,
};

static int new_table(uint32_t size)
{
	int table = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "stick", ADDRESS_SIZE,
				   sizeof(struct stick_row), size, NULL);

	return table < 0 ? -errno : table;
}

/* Fills what farms want to have; 0 or -errno. */
static int make_tables(const struct instance *instance, const struct farm **farms, int *tables,
		       const struct farm **failed)
{
	for (uint32_t id = 1; id <= MAX_FARMS; id++) {
		uint32_t size = farms[id] ? farms[id]->stick_size : 0;

		if (size == size_of(instance->sticks[id]))
			continue;
		*failed = farms[id];
		tables[id] = size ? new_table(size) : NONE;
		if (size && tables[id] < 0) {
			int err = tables[id];

			tables[id] = SAME;
			return err;
		}
	}
	return 0;
}

int sticks_prepare(const struct instance *instance, const struct config *config, int **tables,
		   const struct farm **failed)
{
	const struct farm **farms = calloc(MAX_FARMS + 1, sizeof(*farms));
	int err = -ENOMEM;

	*tables = malloc((MAX_FARMS + 1) * sizeof(**tables));
	for (uint32_t id = 0; *tables && id <= MAX_FARMS; id++)
		(*tables)[id] = SAME;
	for (size_t i = 0; farms && i < config->n_farms; i++)
		if (config->farms[i].sticky)
			farms[config->farms[i].o.id] = &config->farms[i];
	if (farms && *tables)
		err = make_tables(instance, farms, *tables, failed);
	free(farms);
	if (err)
		sticks_abort(tables);
	return err;
}

void sticks_abort(int **tables)
{
	for (uint32_t id = 0; *tables && id <= MAX_FARMS; id++)
		if ((*tables)[id] >= 0)
			close((*tables)[id]);
	free(*tables);
	*tables = NULL;
}

static int put_in_place(struct instance *instance, uint32_t farm_id, int table)
{
	int map = instance_map(instance, "sticks"), before = instance->sticks[farm_id];

	if (table == NONE) {
		(void)bpf_map_delete_elem(map, &farm_id);
		return 0;
	}
	if (before >= 0)
		(void)sticks_walk(before, copy_entry, &table);
	return bpf_map_update_elem(map, &farm_id, &table, BPF_ANY) ? -errno : 0;
}

int sticks_commit(struct instance *instance, int **tables, pthread_rwlock_t *lock)
{
	int err = 0;

	for (uint32_t id = 1; id <= MAX_FARMS; id++) {
		int table = (*tables)[id], failed;

		failed = table == SAME ? 0 : put_in_place(instance, id, table);
		if (table != SAME && !failed) {
			put_table(instance, lock, id, table);
			(*tables)[id] = SAME;
		}
		err = err ? err : failed;
	}
	sticks_abort(tables);
	return err;
}
