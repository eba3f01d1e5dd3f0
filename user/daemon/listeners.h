/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The listening sockets of an instance: one per worker for each address and port of its
 * frontends, or for all of a frontend, see steered.h. A refresh opens what is new before it takes
 * effect, and closes the rest after.
 */
#ifndef ALPNLB_LISTENERS_H
#define ALPNLB_LISTENERS_H

#include "../model/objects.h"
#include "steered.h"
#include "worker.h"

struct listeners {
	struct endpoint *open; /* uthash */
	struct steered steered;
	struct worker *workers;
	unsigned int n_workers;
	const char *instance;	 /* the caller's */
	uid_t owner;		 /* of the sockets, see socket_listen() */
	struct event handshakes; /* those that others have taken over are closed then ... */
	uint64_t retired;	 /* ... which is this time */
	bool orphans;		 /* connections of one of them go by the tables before */
};

/* 0 or -errno. */
int listeners_init(struct listeners *listeners, struct worker *workers, unsigned int n_workers,
		   struct event_base *base, const char *instance);

/*
 * Endpoints that `config` needs and that are not open; each takes a socket per worker. One is an
 * address and port, or what a frontend's connections of a family are steered to: as it is after
 * steered_open().
 */
size_t listeners_missing(struct listeners *listeners, const struct config *config);

/* Endpoints that are open. */
size_t listeners_open(const struct listeners *listeners);

/* Does any of them accept for that frontend? */
bool listeners_accept(const struct listeners *listeners, uint32_t frontend_id);

/*
 * Opens the sockets that `config` needs and are not open, beside those that are open at the same
 * ports. They are hidden until listeners_commit(). Returns 0, or -errno with one line in `failed`;
 * nothing has changed then.
 */
int listeners_prepare(struct listeners *listeners, const struct config *config, char *failed,
		      size_t size);

/*
 * Gives open ports to the frontends of the configuration that was prepared; a port that is
 * about to close keeps its frontend, for connections it still has. Called while no worker
 * reads the tables.
 */
void listeners_retarget(struct listeners *listeners);

/*
 * Begins to accept for the configuration that was prepared; what it does not name is closed: a
 * second later where other sockets take over, so that handshakes come to their end.
 */
void listeners_commit(struct listeners *listeners);

/* Forgets what was prepared. */
void listeners_abort(struct listeners *listeners);

/* Stops accepting everywhere. */
void listeners_close(struct listeners *listeners);

#endif
