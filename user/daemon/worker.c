// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "worker.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <event2/thread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "events.h"
#include "session.h"
#include "splice.h"

/*
 * Legs are watched by an epoll of the worker's own, whose readiness libevent reports:
 * libevent drops the EPOLLERR of a descriptor that asks for EPOLLRDHUP alone, and then spins
 * on it; a redirected leg must ask for nothing else, or every packet would wake the worker.
 */
#define EVENTS_PER_TURN 256
#define ACCEPTS_MAX	64 /* for one listener in one turn */
#define STAY		(5 * MILLISECOND)
#define STAY_WAIT	1 /* milliseconds without an event */

static const struct timeval resume_delay = {0, 20 * 1000};
static const struct timeval sweep_interval = {1, 0};

/* Returns 0 when none is left. */
static uint32_t take_slot(struct engine *engine)
{
	uint32_t slot = 0;

	pthread_mutex_lock(&engine->slots_lock);
	if (engine->n_free_slots)
		slot = engine->free_slots[--engine->n_free_slots];
	pthread_mutex_unlock(&engine->slots_lock);
	return slot;
}

static void return_slot(struct engine *engine, uint32_t slot)
{
	pthread_mutex_lock(&engine->slots_lock);
	engine->free_slots[engine->n_free_slots++] = slot;
	pthread_mutex_unlock(&engine->slots_lock);
}

/* ---- turns ------------------------------------------------------------------------------- */

/* Goes on with those that had more to do, once each. */
static void worker_continue(struct worker *worker)
{
	struct session *s = worker->again, *next;

	worker->again = NULL;
	for (; s; s = next) {
		next = s->next;
		s->queued = false;
		if (s->phase != PHASE_FREE) {
			session_continue(s);
			continue;
		}
		s->next = worker->dead;
		worker->dead = s;
	}
}

void worker_end_turn(struct worker *worker)
{
	if (worker->again) {
		worker_continue(worker);
		if (worker->again) /* come back at once, but let others have their turn */
			event_active(&worker->epoll_event, EV_READ, 0);
	}
	worker_reap(worker);
}

static void accept_some(struct listener *listener);

/* What data.u64 of an epoll event says: a listener, or slot << 1 | side of a leg. */
#define LISTENER_EVENT (1ULL << 63)

static void handle_event(struct worker *worker, const struct epoll_event *event)
{
	uint64_t data = event->data.u64;

	if (data & LISTENER_EVENT)
		accept_some((struct listener *)(uintptr_t)(data & ~LISTENER_EVENT));
	else
		session_event(&worker->engine->sessions[data >> 1], data & 1, event->events);
}

/*
 * Stays here while events keep coming, since the way through libevent is a system call more for
 * each of them; but not for longer than timers and calls can wait.
 */
static void on_events(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;
	struct epoll_event events[EVENTS_PER_TURN];
	uint64_t end = monotonic_time() + STAY;
	int wait = 0, n;

	do {
		n = epoll_wait(worker->epoll, events, EVENTS_PER_TURN, wait);
		for (int i = 0; i < n; i++)
			handle_event(worker, &events[i]);
		worker_end_turn(worker);
		wait = worker->again ? 0 : STAY_WAIT;
	} while (n > 0 && monotonic_time() < end);
}

static int on_throttle(void *context, void *data, size_t size)
{
	struct worker *worker = context;
	const struct throttle_event *event = data;
	struct session *s = &worker->engine->sessions[event->slot];

	if (s->worker == worker && s->phase != PHASE_FREE && s->conn->serial == event->serial)
		session_throttled(s, event->side & 1);
	return 0;
}

static void on_ring(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;

	ring_buffer__consume(worker->ring_buffer);
	worker_end_turn(worker);
}

static void on_sweep(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;
	struct session *s, *next;

	for (s = LIST_FIRST(&worker->live); s; s = next) {
		next = LIST_NEXT(s, live);
		session_sweep(s);
	}
	worker_end_turn(worker);
}

static void on_spliced(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;

	splice_finish(worker);
	worker_end_turn(worker);
}

static void on_queue(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;

	queues_serve(worker);
	worker_end_turn(worker);
}

/* ---- accept ------------------------------------------------------------------------------ */

/* Level-triggered: what one turn leaves is there in the next. */
static void watch_listener(struct worker *worker, struct listener *listener, bool on)
{
	struct epoll_event event = {.events = EPOLLIN,
				    .data.u64 = (uintptr_t)listener | LISTENER_EVENT};

	epoll_ctl(worker->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener->fd, &event);
}

static void pause_accepting(struct worker *worker)
{
	instance_count(&worker->engine->instance, COUNTER_ACCEPT_PAUSED);
	event_limit(LIMIT_SLOTS, 0);
	for (struct listener *listener = worker->listeners; listener; listener = listener->next)
		watch_listener(worker, listener, false);
	event_add(&worker->resume_event, &resume_delay);
}

static void on_resume(evutil_socket_t fd, short what, void *argument)
{
	struct worker *worker = argument;

	for (struct listener *listener = worker->listeners; listener; listener = listener->next)
		watch_listener(worker, listener, true);
}

/* Accepts one connection; false when there is none, or no room for it. */
static bool accept_one(struct worker *worker, struct listener *listener)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	uint32_t slot = take_slot(worker->engine);
	int fd;

	if (!slot) {
		pause_accepting(worker);
		return false;
	}
	fd = accept4(listener->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		session_accept(worker, slot, fd, listener, &peer);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		pause_accepting(worker);
	return_slot(worker->engine, slot);
	return errno == ECONNABORTED || errno == EINTR;
}

/*
 * To hear that there are no more is a system call, too: where there was one, the next turn looks
 * for one, and for twice as many where there were as many as it looked for.
 */
static void accept_some(struct listener *listener)
{
	unsigned int most = listener->at_once ? listener->at_once : 1, n = 0;

	while (n < most && accept_one(listener->worker, listener))
		n++;
	listener->at_once = n < most ? n : most < ACCEPTS_MAX ? 2 * most : most;
}

void worker_listen(struct worker *worker, struct listener *listener)
{
	listener->worker = worker;
	listener->next = worker->listeners;
	worker->listeners = listener;
	watch_listener(worker, listener, true);
}

void worker_unlisten(struct worker *worker, struct listener *listener)
{
	struct listener **at = &worker->listeners;

	/* Those the kernel has accepted for us would be reset by the close. */
	while (accept_one(worker, listener))
		;
	while (*at && *at != listener)
		at = &(*at)->next;
	if (*at)
		*at = listener->next;
	close(listener->fd);
	listener->fd = -1;
	worker_end_turn(worker);
}

/* ---- calls from other threads ------------------------------------------------------------ */

struct call {
	struct worker *worker;
	void (*step)(struct worker *, void *);
	void *argument;
	sem_t *done;
};

static void on_call(evutil_socket_t fd, short what, void *argument)
{
	struct call *call = argument;

	call->step(call->worker, call->argument);
	if (call->done)
		sem_post(call->done);
	free(call);
}

void worker_call(struct worker *worker, void (*step)(struct worker *, void *), void *argument,
		 bool wait)
{
	struct call *call = malloc(sizeof(*call));
	sem_t done;

	if (!call)
		abort(); /* 32 bytes; and there is no way on without */
	*call = (struct call){worker, step, argument, wait ? &done : NULL};
	if (wait)
		sem_init(&done, 0, 0);
	event_base_once(worker->base, -1, EV_TIMEOUT, on_call, call, NULL);
	if (!wait)
		return;
	while (sem_wait(&done))
		;
	sem_destroy(&done);
}

/* ---- life -------------------------------------------------------------------------------- */

static int init_events(struct worker *worker)
{
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (worker->epoll < 0)
		return -errno;
	worker->ring = instance_ring(&worker->engine->instance, worker->index);
	if (worker->ring < 0)
		return worker->ring;
	worker->base = event_base_new();
	if (!worker->base)
		return -ENOMEM;
	worker->ring_buffer = ring_buffer__new(worker->ring, on_throttle, worker, NULL);
	if (!worker->ring_buffer)
		return -errno;
	event_assign(&worker->epoll_event, worker->base, worker->epoll, EV_READ | EV_PERSIST,
		     on_events, worker);
	event_assign(&worker->ring_event, worker->base, ring_buffer__epoll_fd(worker->ring_buffer),
		     EV_READ | EV_PERSIST, on_ring, worker);
	event_assign(&worker->sweep_event, worker->base, -1, EV_PERSIST, on_sweep, worker);
	evtimer_assign(&worker->resume_event, worker->base, on_resume, worker);
	evtimer_assign(&worker->spliced_event, worker->base, on_spliced, worker);
	evtimer_assign(&worker->queue_event, worker->base, on_queue, worker);
	event_add(&worker->epoll_event, NULL);
	event_add(&worker->ring_event, NULL);
	event_add(&worker->sweep_event, &sweep_interval);
	return 0;
}

int worker_init(struct worker *worker, struct engine *engine, unsigned int index)
{
	memset(worker, 0, sizeof(*worker));
	worker->engine = engine;
	worker->index = index;
	worker->epoll = worker->ring = -1;
	evthread_use_pthreads();
	return init_events(worker);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	event_base_loop(worker->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

int worker_start(struct worker *worker)
{
	return -pthread_create(&worker->thread, NULL, worker_main, worker);
}

static void stop_loop(struct worker *worker, void *argument)
{
	event_base_loopbreak(worker->base);
}

static void close_sessions(struct worker *worker)
{
	while (!LIST_EMPTY(&worker->live))
		session_close(LIST_FIRST(&worker->live), true);
	worker_reap(worker);
}

void worker_stop(struct worker *worker)
{
	if (worker->thread) {
		worker_call(worker, stop_loop, NULL, false);
		pthread_join(worker->thread, NULL);
	}
	while (worker->listeners)
		worker_unlisten(worker, worker->listeners);
	close_sessions(worker);
	pipes_close(&worker->pipes);
	ring_buffer__free(worker->ring_buffer);
	if (worker->ring >= 0)
		close(worker->ring);
	if (worker->epoll >= 0)
		close(worker->epoll);
	if (worker->base)
		event_base_free(worker->base);
}
