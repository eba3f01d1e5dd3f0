/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which source ports an instance uses on the packet path. Instances in one network namespace must
 * not share them: the kernel takes the port of a spliced connection for free, and so would another
 * instance. The claim is pinned beside the flow table, and stands as long as its daemon lives or
 * has left flows.
 */
#ifndef ALPNLB_CLAIM_H
#define ALPNLB_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "../model/objects.h"

#define CLAIM_ADDRESSES 16

/* The value of the map `claims`. */
struct claim {
	uint64_t netns; /* cookie of the network namespace */
	uint64_t since; /* CLOCK_MONOTONIC, nanoseconds: of two claims, the older one stands */
	uint16_t first; /* ports, host order; 0 = none */
	uint16_t last;
	uint32_t n;				/* addresses; 0 = any */
	uint8_t addresses[CLAIM_ADDRESSES][16]; /* IPv6, or IPv4 mapped */
};

/* Of the calling thread's network namespace. */
void claim_fill(struct claim *claim, const struct port_range *range,
		const struct prefix_list *addresses, uint64_t since);

/* The map for a claim, to be pinned: its fd or -errno. */
int claim_map(void);
int claim_write(int map, const struct claim *claim);

/* What an instance has pinned. 0 or -errno. */
int claim_read(const char *instance, struct claim *claim);

/*
 * Is there an older claim of another instance to some of these ports? Its name is in `other` then,
 * which has room for NAME_MAX and a NUL.
 */
bool claim_disputed(const char *instance, const struct claim *claim, char *other);

#endif
