// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health_cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../kernel/instance.h"
#include "../kernel/spliced.h"
#include "health.h"
#include "log.h"
#include "session.h"
#include "worker.h"

struct cut {
	struct health *health;
	uint32_t server_id;
};

static void close_sessions(struct worker *worker, void *argument)
{
	const struct cut *cut = argument;
	struct session *s, *next;

	for (s = LIST_FIRST(&worker->live); s; s = next) {
		next = LIST_NEXT(s, live);
		session_server_down(s, cut->server_id);
	}
	worker_end_turn(worker);
}

static void *cut_main(void *argument)
{
	struct cut *cut = argument;
	struct health *health = cut->health;
	uint64_t flows = 0;
	int err;

	/* Those that still have sockets first: what remains then has none. */
	for (unsigned int i = 0; i < health->n_workers; i++)
		worker_call(&health->workers[i], close_sessions, cut, true);
	err = spliced_cut_server(health->instance->name, cut->server_id, &flows);
	if (err && err != -ENOENT)
		log_line(LOG_ERROR, "cannot end spliced connections of a server that is down: %s",
			 strerror(-err));
	__atomic_fetch_add(&health->instance->counters[COUNTER_MARKED_DOWN], flows,
			   __ATOMIC_RELAXED);
	free(cut);
	atomic_fetch_sub(&health->cuts, 1);
	return NULL;
}

void health_cut(struct health *health, uint32_t server_id)
{
	struct cut *cut = malloc(sizeof(*cut));
	pthread_t thread;

	atomic_fetch_add(&health->cuts, 1);
	if (cut) {
		*cut = (struct cut){health, server_id};
		if (!pthread_create(&thread, NULL, cut_main, cut)) {
			pthread_detach(thread);
			return;
		}
	}
	log_line(LOG_ERROR, "connections of a server that is down go on: out of memory");
	free(cut);
	atomic_fetch_sub(&health->cuts, 1);
}

void health_cut_wait(struct health *health)
{
	static const struct timespec wait = {.tv_nsec = 1000000};

	while (atomic_load(&health->cuts))
		nanosleep(&wait, NULL);
}
