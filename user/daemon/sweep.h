/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow table's housekeeping, in the main thread: takes over the flows of an earlier daemon,
 * forgets those that have ended, gives their ports back, and attaches to new interfaces. Without a
 * daemon nothing is forgotten, but nothing new comes either: the next daemon's sweep makes up for
 * it.
 */
#ifndef ALPNLB_SWEEP_H
#define ALPNLB_SWEEP_H

#include <event2/event.h>
#include <stdint.h>

#include "../kernel/claim.h"
#include "../kernel/reset.h"
#include "worker.h"

struct ring_buffer;

struct lingering;

struct sweeper {
	struct engine *engine;
	struct event *event;
	struct event *interfaces;
	int netlink;
	struct ring_buffer *closed, *removed;
	struct lingering *first, **last; /* flows that seem to have ended, oldest first */
	uint64_t next_sweep;		 /* monotonic_time() */
	uint32_t shortest_idle;		 /* idle timeout of all frontends, milliseconds; 0 = none */
	struct reset_sockets resets;
	flow_step *step; /* of the walk through the table that goes on; NULL = none */
	struct flow_walk walk;
	uint32_t adopted; /* flows */
	struct claim claim;
};

int sweeper_init(struct sweeper *sweeper, struct engine *engine, struct event_base *base);

/*
 * Ends what an earlier daemon was handing over when it was killed, by the maps it has pinned, and
 * takes over what else is in the flow table, before the first connection; if there is much, most of
 * it afterwards, unless the configuration limits connections, which has them counted. Until
 * ports.whole says that it is done, the table knows of ports that the book does not. Needs the
 * programs of the packet path to be pinned: the end of a flow has to come to this daemon.
 */
void sweeper_adopt(struct sweeper *sweeper, const struct config *config);

/* Claims the source ports of a configuration, unless another instance has them. */
void sweeper_claim(struct sweeper *sweeper, const struct config *config);

/* Begins, or goes on with another configuration. */
void sweeper_start(struct sweeper *sweeper, uint32_t shortest_idle);
void sweeper_free(struct sweeper *sweeper);

#endif
