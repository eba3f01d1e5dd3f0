/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Arrays of a loaded object, as memory. */
#ifndef ALPNLB_MAPS_H
#define ALPNLB_MAPS_H

struct bpf_map;

/*
 * Maps all of an array into memory: rows stand 8 bytes apart, or a multiple of that. NULL with
 * errno set when it cannot.
 */
void *map_memory(const struct bpf_map *map);

/* Accepts NULL. */
void map_unmap(const struct bpf_map *map, void *memory);

#endif
