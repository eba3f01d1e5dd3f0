/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looks after servers, in a thread of its own: probes them, hears of connections that failed, and
 * says in the map `server_health` which are up. What it says there outlives the daemon.
 */
#ifndef ALPNLB_HEALTH_H
#define ALPNLB_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../model/objects.h"

struct event;
struct event_base;
struct instance;
struct regex_scratch;
struct watch;
struct worker;

/* A connection that failed, as a worker tells of it. */
struct failure {
	uint32_t server_id;
	int err;	/* errno of the connect; 0: the server has reset it without a byte */
	uint64_t began; /* monotonic_time() of the try */
};

#define FAILURES_MAX 256 /* that wait to be heard: more of them say nothing new */

struct health {
	const struct instance *instance;
	struct worker *workers; /* that close connections of a server that is down */
	unsigned int n_workers;
	pthread_t thread;
	struct event_base *base; /* NULL: not started */
	struct regex_scratch *scratch;
	struct watch **watches; /* by server id, NULL where there is none; of the thread */
	atomic_bool *watched;	/* by server id: is there one? */
	uint32_t last;		/* server id: there is nothing in the map behind it */
	pthread_mutex_t lock;	/* of the failures and the cuts */
	struct failure failures[FAILURES_MAX];
	unsigned int n_failures;
	struct event *heard;
	bool *to_cut; /* by server id: whose connections are to be cut; NULL: nobody's */
	bool cutting; /* there is a thread for it */
};

/* 0 or -errno. The instance is open, and the workers are there until health_stop(). */
int health_start(struct health *health, const struct instance *instance, struct worker *workers,
		 unsigned int n_workers);
/* Workers may still tell of failures between the two. Both accept one that was not started. */
void health_stop(struct health *health);
void health_free(struct health *health);

/* Can the probes of a configuration be made? 0, or -errno and one line in `failed`. */
int health_check(const struct config *config, char *failed, size_t size);

/* From now on looks after the servers of this configuration; those it had go on as they were. */
void health_configure(struct health *health, const struct config *config);

/* How many servers it would look after, which is how many sockets it may need at once. */
uint32_t health_count(const struct config *config);

enum server_state health_state(const struct health *health, uint32_t server_id);

/*
 * Of a worker: a connect to a server has failed, or the server has reset a connection of which it
 * had sent no byte. Counts like a failed check where the server has a probe.
 */
void health_failed(struct health *health, uint32_t server_id, int err, uint64_t began);

#endif
