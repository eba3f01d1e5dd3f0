/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What clients are told about sizes. A spliced connection's packets are never cut, so that they
 * have to fit the way to the server as well; a client without "don't fragment" hears of nothing
 * else.
 */
#ifndef ALPNLB_SEGMENTS_H
#define ALPNLB_SEGMENTS_H

#include <stdbool.h>

#include "../model/objects.h"

struct segments {
	const struct config *config;
	int netlink;
	struct farm_ways *farms; /* as in the configuration */
};

/* The largest segment that a family's listeners shall announce, bytes; 0 = as the kernel does. */
struct segment_sizes {
	unsigned int v4, v6;
};

/* 0 or -errno; segments_free() in either case. */
int segments_init(struct segments *segments, const struct config *config);
void segments_free(struct segments *segments);

/* For a frontend of the configuration, by the routes to its farms' servers as they are now. */
struct segment_sizes segments_for(struct segments *segments, const struct frontend *frontend);

#endif
