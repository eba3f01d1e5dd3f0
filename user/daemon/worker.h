/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Worker threads: each accepts from its own listeners and carries its connections from the
 * first byte to the last. What they share is in `struct engine`.
 */
#ifndef ALPNLB_WORKER_H
#define ALPNLB_WORKER_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "../kernel/door.h"
#include "../kernel/flows.h"
#include "../kernel/instance.h"
#include "grace.h"
#include "pipes.h"
#include "ports.h"
#include "queue.h"
#include "rates.h"

struct health;
struct session;

/* Shared by all workers. */
struct engine {
	struct instance instance;
	pthread_rwlock_t tables_lock; /* held for reading while instance.tables is used */
	struct flows flows;
	struct door door;
	struct ports ports;
	struct grace grace;
	struct health *health;
	struct queues queues;
	struct rates rates;
	uint8_t usual_scale;	  /* the window scale that a new socket announces */
	bool sockmap_works;	  /* the self-test passed */
	bool sockmap_auto;	  /* ... and `path: auto` may use it on this kernel */
	struct session *sessions; /* by slot */
	pthread_mutex_t slots_lock;
	uint32_t *free_slots; /* a stack */
	uint32_t n_free_slots;
	uint32_t first_serial;	/* of a connection in a slot: flows know an earlier daemon's */
	uint32_t drain_timeout; /* milliseconds */
	atomic_uint live;	/* connections */
};

/*
 * A listening socket of one worker. Owned by the main thread, which changes `frontend_id`
 * when a refresh gives the port to another frontend; everything else belongs to the worker.
 */
struct listener {
	int fd;
	atomic_uint frontend_id;
	bool carry;	      /* what it accepts is prepared by socket_carry() */
	unsigned int at_once; /* connections to accept in one turn */
	struct worker *worker;
	struct listener *next; /* in the worker's list */
};

#define COPY_BUFFER (256 * 1024)

struct worker {
	struct engine *engine;
	unsigned int index;
	pthread_t thread;
	struct event_base *base;
	int epoll; /* of all legs and listeners; its readiness is an event of `base` */
	struct event epoll_event;
	int ring; /* fd of the ring buffer of throttle events */
	struct ring_buffer *ring_buffer;
	struct event ring_event;
	struct event resume_event; /* accepting goes on */
	struct event sweep_event;  /* session_sweep() of all of them */
	struct listener *listeners;
	struct session *again;	      /* sessions that have more to do than one turn allows */
	struct session *dead;	      /* closed in this turn: their slots are free after it */
	LIST_HEAD(, session) live;    /* those that hold a slot */
	LIST_HEAD(, session) spliced; /* of them, those that are spliced */
	struct event spliced_event;
	struct session *served; /* have waited for a server, and got one; see queue.h */
	uint32_t n_queued;	/* that wait, or were served just now */
	struct event queue_event;
	struct pipes pipes;
	uint64_t dead_cookies[DEAD_COOKIES]; /* entries of `legs` to delete */
	uint32_t n_dead_cookies;
	uint8_t buffer[COPY_BUFFER];
};

/* Creates the worker's event base, epoll and ring. 0 or -errno. */
int worker_init(struct worker *worker, struct engine *engine, unsigned int index);
int worker_start(struct worker *worker);
/* Asks the thread to end, waits for it, and closes what is left of its connections. */
void worker_stop(struct worker *worker);

/*
 * Runs step(worker, argument) in the worker's thread. With `wait`, returns when it has run.
 */
void worker_call(struct worker *worker, void (*step)(struct worker *, void *), void *argument,
		 bool wait);

/* In the worker's thread: begin and end to accept. Ending empties the backlog first. */
void worker_listen(struct worker *worker, struct listener *listener);
void worker_unlisten(struct worker *worker, struct listener *listener);

/* After every callback that may have closed sessions, or queued them to go on. */
void worker_end_turn(struct worker *worker);

#endif
