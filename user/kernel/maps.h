/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Arrays of a loaded object, as memory, and the entries of hashes. */
#ifndef ALPNLB_MAPS_H
#define ALPNLB_MAPS_H

#include <stddef.h>

struct bpf_map;

/*
 * Maps all of an array into memory: rows stand 8 bytes apart, or a multiple of that. NULL with
 * errno set when it cannot.
 */
void *map_memory(const struct bpf_map *map);

/* Accepts NULL. */
void map_unmap(const struct bpf_map *map, void *memory);

typedef void map_step(const void *key, const void *value, void *context);

/*
 * Calls step() for each entry of a hash, by its fd, with copies of key and value: 0 or -errno.
 * Entries that come or go meanwhile may be missed; step() may delete its own.
 */
int map_walk(int map, size_t key_size, size_t value_size, map_step *step, void *context);

#endif
