/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_LIMITS_H
#define ALPNLB_LIMITS_H

#include <stdint.h>

/* What else takes descriptors while connections come and go. */
struct descriptors {
	uint32_t workers;
	uint64_t listening; /* sockets */
	uint32_t probes;    /* at once */
	uint32_t tables;    /* of clients that stick, one for each farm that wants it */
};

/*
 * Raises RLIMIT_NOFILE for `wanted` connections beside `others`, logging what could not be had.
 * Returns the connections there are descriptors for, at most `wanted`; 0 when not even the others
 * find room. *limit is what the limit is then, *need what it has to be for a few connections.
 */
uint32_t limits_raise(uint32_t wanted, const struct descriptors *others, uint64_t *limit,
		      uint64_t *need);

#endif
