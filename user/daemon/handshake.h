/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frontends whose connections are opened by the packet path, in the main thread: tells the program
 * where it answers, and how servers are reached, and looks after openings that do not get on.
 */
#ifndef ALPNLB_HANDSHAKE_H
#define ALPNLB_HANDSHAKE_H

#include "../kernel/openings.h"
#include "../kernel/reset.h"
#include "../model/objects.h"
#include "worker.h"

struct ring_buffer;

struct handshake {
	struct engine *engine;
	struct event_base *base;
	struct openings openings;
	const struct config *config; /* the running one */
	struct event *look, *routes, *settle;
	int watch, query; /* netlink sockets */
	struct ring_buffer *failures;
	struct reset_sockets probes;
	uint32_t generation;
	bool refused; /* it cannot be had here */
	bool stopped;
};

void handshake_init(struct handshake *handshake, struct engine *engine, struct event_base *base);

/*
 * From now on answers for those frontends of the configuration that want it; the tables are in
 * force, and `config` lasts until the next call. What cannot be had is logged, and left to sockets.
 */
void handshake_configure(struct handshake *handshake, const struct config *config);

/*
 * The tables are about to change to those of `next`: until the next handshake_configure(), sockets
 * take what the program would send to servers of farms that are not as they were, or of any, if
 * frontends are at other addresses or ports, or servers to be connected to from others.
 */
void handshake_pause(struct handshake *handshake, const struct config *next);

/* They have not changed. */
void handshake_resume(struct handshake *handshake);

/* Of the source ports, those that are left to others. */
struct port_range handshake_others(const struct handshake *handshake,
				   const struct port_range *range);

/* Answers nobody any more. */
void handshake_stop(struct handshake *handshake);

/* Accepts one that was not initialized. */
void handshake_free(struct handshake *handshake);

#endif
