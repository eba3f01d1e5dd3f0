/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that wait until a server of their farm may have one more: a queue for each farm, of
 * the sessions of all workers, in the order they came. Whichever worker sees a place serves the
 * head, and leaves it to its own worker to connect.
 */
#ifndef ALPNLB_QUEUE_H
#define ALPNLB_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct session;
struct worker;
struct queue;

struct queues {
	pthread_mutex_t lock; /* of all that is here; before engine.tables_lock */
	struct queue *farms;  /* by farm id */
	LIST_HEAD(, queue) busy;
};

/* 0 or -ENOMEM. */
int queues_init(struct queues *queues);
void queues_free(struct queues *queues);

/*
 * Puts a session behind the others of its farm; false if `size` are there already. Who waits for
 * some server of its own is not `in_line`, and holds up nobody.
 */
bool queue_enter(struct session *session, uint32_t size, bool in_line);

/* Takes a session out, which may have been served meanwhile. */
void queue_leave(struct session *session);

/* A connection of a farm has ended: some worker is to look at the queues. */
void queue_wake(struct worker *worker);

/* In the worker's thread: serves the heads, and goes on with those of its own. */
void queues_serve(struct worker *worker);

#endif
