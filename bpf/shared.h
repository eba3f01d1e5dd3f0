/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What programs of more than one object count in, and the daemon reads. The maps are those of
 * classify.bpf.c: who loads another object puts them in the place of its own.
 */
#ifndef ALPNLB_SHARED_H
#define ALPNLB_SHARED_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "model.h"

#define SHARED_ARRAY(name, row, entries)                                                           \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, entries);                                                      \
		__type(key, __u32);                                                                \
		__type(value, row);                                                                \
	} name SEC(".maps")

SHARED_ARRAY(control, struct control, 1);
SHARED_ARRAY(counters, __u64, COUNTER_MAX);
SHARED_ARRAY(frontend_stats, struct frontend_stats, MAX_FRONTENDS + 1);
SHARED_ARRAY(route_stats, struct route_stats, MAX_ROUTES + 1);
SHARED_ARRAY(server_stats, struct server_stats, MAX_SERVERS + 1);

static __always_inline void count(enum counter counter)
{
	__u32 key = counter;
	__u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

#endif
