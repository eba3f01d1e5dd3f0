// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCH 1024

static size_t map_size(const struct bpf_map *map)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = (size_t)bpf_map__max_entries(map) * ((bpf_map__value_size(map) + 7) & ~7u);

	return (size + page - 1) & ~(page - 1);
}

void *map_memory(const struct bpf_map *map)
{
	void *memory =
		mmap(NULL, map_size(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void map_unmap(const struct bpf_map *map, void *memory)
{
	if (memory)
		munmap(memory, map_size(map));
}

int map_walk(int map, size_t key_size, size_t value_size, map_step *step, void *context)
{
	uint8_t *keys = calloc(BATCH, key_size), *values = calloc(BATCH, value_size);
	int err = keys && values ? 0 : -ENOMEM;
	bool first = true, more = true;
	uint32_t position;

	while (!err && more) {
		uint32_t n = BATCH;

		if (bpf_map_lookup_batch(map, first ? NULL : &position, &position, keys, values, &n,
					 NULL)) {
			more = false; /* it comes with the last of them */
			err = errno == ENOENT ? 0 : -errno;
		}
		first = false;
		for (uint32_t i = 0; !err && i < n; i++)
			step(keys + i * key_size, values + i * value_size, context);
	}
	free(keys);
	free(values);
	return err;
}
