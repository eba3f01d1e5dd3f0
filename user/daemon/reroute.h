/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Spliced connections follow the host's routes. The program sends each flow's packets out by the
 * interface its socket used; this thread looks again whenever the routes change, and once at the
 * start, for they may have changed while no daemon ran.
 */
#ifndef ALPNLB_REROUTE_H
#define ALPNLB_REROUTE_H

#include <pthread.h>
#include <stdbool.h>

#include "../kernel/flows.h"

struct rerouter {
	const struct flows *flows;
	pthread_t thread;
	int watch; /* for changes */
	int query;
	int stop; /* eventfd */
	bool running;
};

/* 0 or -errno. */
int rerouter_start(struct rerouter *rerouter, const struct flows *flows);
/* Accepts one that was not started. */
void rerouter_stop(struct rerouter *rerouter);

#endif
