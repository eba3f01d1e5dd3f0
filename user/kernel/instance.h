/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side of an instance: its programs and maps, loaded, pinned and mapped.
 */
#ifndef ALPNLB_INSTANCE_H
#define ALPNLB_INSTANCE_H

#include <stdint.h>

#include "decide.h"
#include "tables.h"

/* Entries of closed sockets in `legs` that a worker deletes in one go: room is made for them. */
#define DEAD_COOKIES 64

struct classify_bpf;

struct instance {
	const char *name; /* the caller's, as long as it is open */
	char pin_dir[128];
	struct classify_bpf *programs;
	bool sees_sequence; /* the program trims packets that are partly old: needs 6.2 */
	int link; /* of the verdict program to `sockets`; -1 where the kernel has no such links */
	/* shared memory, as long as the instance is open */
	struct control *control;
	struct conn *conns; /* slot 0 is the self-test's */
	uint32_t n_conns;
	uint64_t *counters;
	struct frontend_stats *frontend_stats;
	struct route_stats *route_stats;
	struct balance_stats balance;
	int *sticks;		 /* fds by farm id, negative = none; see sticks.h */
	struct tables tables[2]; /* by half: the generation in force, and the one before */
	bool torn[2];		 /* by half: publishing failed, the maps are not as `tables` says */
};

/*
 * Loads the programs with room for `n_conns` connections. Counters of an earlier daemon go
 * on. Returns 0 or -errno; *failed then says what could not be done.
 */
int instance_open(struct instance *instance, const char *name, uint32_t n_conns,
		  const char **failed);

/*
 * Pins everything, in the place of what an earlier daemon left. Comes after the first
 * instance_publish(): a start that fails leaves the old pins as they were. 0 or -errno.
 */
int instance_pin(const struct instance *instance);

/* Pins, if there are any, stay, so that counters and configuration can be read without a daemon. */
void instance_close(struct instance *instance);

/*
 * Makes compiled tables, those of a revision, the ones in force; their regular expressions are
 * taken over. Those before them stay, for connections of a frontend that is no longer there, until
 * the next call. instance->tables is changed between the calls lock(context) and unlock(context),
 * when no reader of it may be left. 0 or -errno; on failure nothing has changed, but for programs
 * the tables before are gone.
 */
int instance_publish(struct instance *instance, struct tables *compiled, uint32_t revision,
		     void (*lock)(void *), void (*unlock)(void *), void *context);

/*
 * A server has come up, or was added: its slow start begins. Whoever finds one up calls it.
 */
static inline void instance_server_up(const struct instance *instance, uint32_t server_id,
				      uint64_t now)
{
	__atomic_store_n(&instance->balance.servers[server_id].up_since, now, __ATOMIC_RELAXED);
}

/* The tables that are in force. */
static inline const struct tables *instance_tables(const struct instance *instance)
{
	return &instance->tables[instance->control->active & 1];
}

/*
 * The half of the tables that decides about clients of a frontend: the one in force, unless a
 * refresh has taken the frontend out of it.
 */
static inline __u32 instance_half(const struct instance *instance, uint32_t frontend_id)
{
	const struct frontend_row *row =
		tables_row(instance_tables(instance), frontends, frontend_id);
	__u32 half = instance->control->active & 1;

	return row && row->flags & FRONTEND_EXISTS ? half : !half;
}

/* A new ring buffer for the events of one worker: its fd, or -errno. */
int instance_ring(struct instance *instance, uint32_t worker);

/* The fd of a map by its name, or -ENOENT. */
int instance_map(const struct instance *instance, const char *name);

/* Waits until no program that began before still runs. */
void instance_wait_for_programs(void);

/* Pins an object in the place of an older pin of that name, with no moment in between. */
int instance_pin_object(const struct instance *instance, int fd, const char *name);

int instance_sockets_fd(const struct instance *instance);
int instance_legs_fd(const struct instance *instance);
int instance_filter_fd(const struct instance *instance);

static inline void instance_count(const struct instance *instance, enum counter counter)
{
	__atomic_fetch_add(&instance->counters[counter], 1, __ATOMIC_RELAXED);
}

#endif
