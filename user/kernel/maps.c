// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "maps.h"

#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

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
