// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "session.h"

/*
 * While something waits: nobody tells of a place that a spliced connection has left, a refresh has
 * made, or a server that came up.
 */
static const struct timeval look_interval = {0, 10 * 1000};

struct queue {
	struct session *waiting; /* in order; of utlist.h */
	LIST_ENTRY(queue) busy;	 /* in queues.busy, unless nobody waits */
};

#define APPEND(list, s) DL_APPEND2(list, s, prev_queued, next_queued)
#define DELETE(list, s) DL_DELETE2(list, s, prev_queued, next_queued)

static struct queues *queues_of(const struct session *s)
{
	return &s->worker->engine->queues;
}

static struct farm_stats *farm_stats(const struct session *s)
{
	return &s->worker->engine->instance.balance.farms[s->queue_farm];
}

int queues_init(struct queues *queues)
{
	pthread_mutex_init(&queues->lock, NULL);
	LIST_INIT(&queues->busy);
	queues->farms = calloc(MAX_FARMS + 1, sizeof(*queues->farms));
	return queues->farms ? 0 : -ENOMEM;
}

void queues_free(struct queues *queues)
{
	free(queues->farms);
	queues->farms = NULL;
}

void queue_wake(struct worker *worker)
{
	event_active(&worker->queue_event, EV_TIMEOUT, 0);
}

static void set_in_line(struct session *s, bool in_line)
{
	if (s->in_line != in_line)
		__atomic_fetch_add(&farm_stats(s)->in_line, in_line ? 1 : -1ULL, __ATOMIC_SEQ_CST);
	s->in_line = in_line;
}

bool queue_enter(struct session *s, uint32_t size, bool in_line)
{
	struct queues *queues = queues_of(s);
	struct queue *queue = &queues->farms[s->conn->farm_id];
	bool room;

	s->queue_farm = s->conn->farm_id;
	pthread_mutex_lock(&queues->lock);
	room = farm_stats(s)->queued < size;
	if (room) {
		if (!queue->waiting)
			LIST_INSERT_HEAD(&queues->busy, queue, busy);
		APPEND(queue->waiting, s);
		s->served = false;
		__atomic_fetch_add(&farm_stats(s)->queued, 1, __ATOMIC_SEQ_CST);
		set_in_line(s, in_line);
	}
	pthread_mutex_unlock(&queues->lock);
	if (!room)
		return false;
	s->worker->n_queued++;
	queue_wake(s->worker); /* a place may have been left before it stood here */
	return true;
}

static void remove_waiting(struct queue *queue, struct session *s)
{
	DELETE(queue->waiting, s);
	__atomic_fetch_sub(&farm_stats(s)->queued, 1, __ATOMIC_SEQ_CST);
	set_in_line(s, false);
	if (!queue->waiting)
		LIST_REMOVE(queue, busy);
}

void queue_leave(struct session *s)
{
	struct queues *queues = queues_of(s);

	pthread_mutex_lock(&queues->lock);
	if (s->served)
		DELETE(s->worker->served, s);
	else
		remove_waiting(&queues->farms[s->queue_farm], s);
	pthread_mutex_unlock(&queues->lock);
	s->worker->n_queued--;
}

/*
 * From the first to the last, until one has to go on waiting for any server: then so do those
 * behind it.
 */
static void serve_queue(struct worker *worker, struct queue *queue)
{
	struct session *s, *next;

	for (s = queue->waiting; s; s = next) {
		enum chosen chosen = session_choose(s, true);

		next = s->next_queued;
		if (chosen >= CHOSEN_FULL)
			set_in_line(s, chosen == CHOSEN_FULL);
		if (chosen == CHOSEN_FULL)
			return;
		if (chosen == CHOSEN_OWN_FULL)
			continue;
		remove_waiting(queue, s);
		s->served = true;
		APPEND(s->worker->served, s);
		if (s->worker != worker)
			queue_wake(s->worker);
	}
}

static struct session *take_served(struct worker *worker)
{
	struct queues *queues = &worker->engine->queues;
	struct session *s;

	pthread_mutex_lock(&queues->lock);
	s = worker->served;
	pthread_mutex_unlock(&queues->lock);
	if (s)
		queue_leave(s);
	return s;
}

void queues_serve(struct worker *worker)
{
	struct queues *queues = &worker->engine->queues;
	struct queue *queue, *next;
	struct session *s;

	pthread_mutex_lock(&queues->lock);
	for (queue = LIST_FIRST(&queues->busy); queue; queue = next) {
		next = LIST_NEXT(queue, busy); /* it may leave the list */
		serve_queue(worker, queue);
	}
	pthread_mutex_unlock(&queues->lock);
	while ((s = take_served(worker)))
		session_served(s);
	if (worker->n_queued)
		event_add(&worker->queue_event, &look_interval);
}
