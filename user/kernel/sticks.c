// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sticks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS_SIZE 16
#define BATCH	     1024

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

struct batch {
	uint8_t clients[BATCH][ADDRESS_SIZE];
	struct stick_row rows[BATCH];
};

int sticks_walk(int table, sticks_step *step, void *context)
{
	struct batch *batch = malloc(sizeof(*batch));
	__u32 at = 0, n;
	bool more = true, begun = false;
	int err = batch ? 0 : -ENOMEM;

	while (!err && more) {
		n = BATCH;
		if (bpf_map_lookup_batch(table, begun ? &at : NULL, &at, batch->clients,
					 batch->rows, &n, NULL)) {
			more = false;
			err = errno == ENOENT ? 0 : -errno;
		}
		begun = true;
		for (__u32 i = 0; !err && i < n; i++)
			if (step(batch->clients[i], &batch->rows[i], context))
				bpf_map_delete_elem(table, batch->clients[i]);
	}
	free(batch);
	return err;
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

/* Returns the new table, or -errno. */
static int make_table(const struct instance *instance, uint32_t farm_id, uint32_t size)
{
	int before = instance->sticks[farm_id], err;
	int table = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "stick", ADDRESS_SIZE,
				   sizeof(struct stick_row), size, NULL);

	if (table < 0)
		return -errno;
	if (before >= 0)
		(void)sticks_walk(before, copy_entry, &table);
	if (!bpf_map_update_elem(instance_map(instance, "sticks"), &farm_id, &table, BPF_ANY))
		return table;
	err = -errno;
	close(table);
	return err;
}

static int configure_farm(struct instance *instance, pthread_rwlock_t *lock, uint32_t farm_id,
			  uint32_t size)
{
	int table = -ENOENT;

	if (size == size_of(instance->sticks[farm_id]))
		return 0;
	if (size)
		table = make_table(instance, farm_id, size);
	else
		(void)bpf_map_delete_elem(instance_map(instance, "sticks"), &farm_id);
	if (size && table < 0)
		return table;
	put_table(instance, lock, farm_id, table);
	return 0;
}

int sticks_configure(struct instance *instance, const struct config *config, pthread_rwlock_t *lock,
		     const struct farm **failed)
{
	const struct farm **farms = calloc(MAX_FARMS + 1, sizeof(*farms));
	int err = farms ? 0 : -ENOMEM;

	for (size_t i = 0; farms && i < config->n_farms; i++)
		if (config->farms[i].sticky)
			farms[config->farms[i].o.id] = &config->farms[i];
	for (uint32_t id = 1; id <= MAX_FARMS && !err; id++) {
		*failed = farms[id];
		err = configure_farm(instance, lock, id, farms[id] ? farms[id]->stick_size : 0);
	}
	free(farms);
	return err;
}
