/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Waits until no packet is on its way through the kernel that came by before a given moment: a
 * packet that missed a new entry of the flow table has reached its socket by then. A thread waits
 * for RCU, which a worker must not.
 */
#ifndef ALPNLB_GRACE_H
#define ALPNLB_GRACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct grace {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted_cond;
	uint64_t wanted; /* the period that somebody waits for */
	atomic_ullong begun, done;
	bool running, stop;
};

int grace_start(struct grace *grace);
void grace_stop(struct grace *grace);

/* The period that begins after now; it is over when grace_over() says so. */
uint64_t grace_next(struct grace *grace);
bool grace_over(const struct grace *grace, uint64_t period);

#endif
