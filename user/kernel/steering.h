/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program that steers new connections to listeners which are not bound where they go, see
 * lookup.bpf.c. It works as long as the daemon lives: without a listener there is nothing to steer
 * to. What a killed daemon leaves pinned steers nothing, and the next one replaces it.
 */
#ifndef ALPNLB_STEERING_H
#define ALPNLB_STEERING_H

#include "spans.h"

/* Blocks of ports, each at an address, that there can be. */
#define STEER_BLOCKS (1 << 18)

struct lookup_bpf;

struct steering {
	struct lookup_bpf *programs; /* NULL = it is not loaded */
	const char *instance;	     /* the caller's */
	int link;
	bool pinned;
};

/* Loads it and attaches it to this network namespace. 0 or -errno; *failed then says where. */
int steering_open(struct steering *steering, const char *instance, const char **failed);
void steering_close(struct steering *steering);

/* Would steering_open() do? */
int steering_probe(const char **failed);

/* Gives a frontend its listeners of a family: one of the SO_REUSEPORT group. 0 or -errno. */
int steering_listen(const struct steering *steering, uint32_t frontend_id, bool v6, int socket);

/* A table for steering_publish(): its fd, or -errno; -E2BIG = beyond STEER_BLOCKS. */
int steering_compile(const struct spans *spans);

/*
 * Puts a table in force, in the place of the one before, at once. No connection goes by the old
 * one any more when it returns. 0 or -errno.
 */
int steering_publish(struct steering *steering, int table);

/* Takes away what an earlier daemon has left. */
void steering_forget(const char *instance);

/* Adds what an instance steers, if it runs on this network namespace. 0 or -errno. */
int steering_of(const char *instance, struct spans *spans);

/* Adds what the others steer. 0 or -errno. */
int steering_of_others(const char *instance, struct spans *spans);

#endif
