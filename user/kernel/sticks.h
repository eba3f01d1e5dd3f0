/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tables of clients that stick to a server: see bpf/stick.h. */
#ifndef ALPNLB_STICKS_H
#define ALPNLB_STICKS_H

#include <pthread.h>

#include "instance.h"

/* `adopted`: with those that an earlier daemon has left in the map. 0 or -ENOMEM. */
int sticks_open(struct instance *instance, bool adopted);
void sticks_close(struct instance *instance);

/*
 * Makes the tables that the farms of a configuration want beside those there are; they are
 * *tables, for one of the next two. 0 or -errno; then *failed is the farm.
 */
int sticks_prepare(const struct instance *instance, const struct config *config, int **tables,
		   const struct farm **failed);

/* Accepts NULL in *tables. */
void sticks_abort(int **tables);

/*
 * Puts them in the place of the others; who sticks goes on to do so where the new table has room.
 * Workers read instance->sticks with `lock` held. 0 or -errno: a farm goes on with the table it
 * had.
 */
int sticks_commit(struct instance *instance, int **tables, pthread_rwlock_t *lock);

/* The table of a farm in the pinned map `sticks`: a new fd, -ENOENT if it has none, or -errno. */
int sticks_table(int map, uint32_t farm_id);

/* Calls step() for each client, which is removed where that returns true. 0 or -errno. */
typedef bool sticks_step(const uint8_t client[16], const struct stick_row *row, void *context);
int sticks_walk(int table, sticks_step *step, void *context);

#endif
