/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How many new connections a second a frontend takes, of everybody and of one source. A
 * token bucket for each: it holds what comes in a second, so as many may come at once after a
 * pause.
 */
#ifndef ALPNLB_RATES_H
#define ALPNLB_RATES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RATE_LOCKS 64

struct source_bucket;

struct rates {
	_Atomic uint64_t *frontends; /* by id: when its bucket is full again, in nanoseconds */
	struct source_bucket
		*sources; /* those that came last; one that is full is as good as none */
	pthread_mutex_t locks[RATE_LOCKS];
	uint64_t seed; /* which ones share a place, nobody else shall know */
};

/* What a frontend allows; connections per second, 0 = no limit. */
struct rate_limits {
	uint32_t frontend_id;
	uint32_t all, source;
	uint32_t prefix_v4, prefix_v6; /* of 128 bits, those that tell one source from another */
};

/* 0 or -errno. */
int rates_init(struct rates *rates);
void rates_free(struct rates *rates);

/* May a client come now? Then it is counted. */
bool rates_admit(struct rates *rates, const struct rate_limits *limits, const uint8_t source[16],
		 uint64_t now);

#endif
