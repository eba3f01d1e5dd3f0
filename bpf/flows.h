/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow table, that of splice.bpf.c for every program. */
#ifndef ALPNLB_FLOWS_H
#define ALPNLB_FLOWS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2); /* the daemon says how many */
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

#endif
