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

static void close_sessions(struct worker *worker, void *argument)
{
	const bool *servers = argument;
	struct session *s, *next;

	for (s = LIST_FIRST(&worker->live); s; s = next) {
		next = LIST_NEXT(s, live);
		session_servers_down(s, servers);
	}
	worker_end_turn(worker);
}

static void cut(struct health *health, bool *servers)
{
	uint64_t flows = 0;
	int err;

	/* Those that still have sockets first: what remains then has none. */
	for (unsigned int i = 0; i < health->n_workers; i++)
		worker_call(&health->workers[i], close_sessions, servers, true);
	err = spliced_cut_servers(health->instance->name, COUNTER_MARKED_DOWN, servers, &flows);
	if (err && err != -ENOENT)
		log_line(LOG_ERROR, "cannot end spliced connections of a server that is down: %s",
			 strerror(-err));
	__atomic_fetch_add(&health->instance->counters[COUNTER_MARKED_DOWN], flows,
			   __ATOMIC_RELAXED);
}

/* Those that have been asked for since the last time; NULL: the thread is over. */
static bool *take_servers(struct health *health)
{
	bool *servers;

	pthread_mutex_lock(&health->lock);
	servers = health->to_cut;
	health->to_cut = NULL;
	health->cutting = servers;
	pthread_mutex_unlock(&health->lock);
	return servers;
}

/* Servers that go down meanwhile share the next look. */
static void *cut_main(void *argument)
{
	struct health *health = argument;
	bool *servers;

	while ((servers = take_servers(health))) {
		cut(health, servers);
		free(servers);
	}
	return NULL;
}

static int start_thread(struct health *health)
{
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, cut_main, health);

	if (!err)
		pthread_detach(thread);
	return err;
}

void health_cut(struct health *health, uint32_t server_id)
{
	int err = -ENOMEM;

	pthread_mutex_lock(&health->lock);
	if (!health->to_cut)
		health->to_cut = calloc(MAX_SERVERS + 1, sizeof(*health->to_cut));
	if (health->to_cut) {
		health->to_cut[server_id] = true;
		err = health->cutting ? 0 : start_thread(health);
		health->cutting |= !err;
	}
	pthread_mutex_unlock(&health->lock);
	if (err)
		log_line(LOG_ERROR, "connections of a server that is down go on: %s",
			 strerror(-err));
}

static bool is_cutting(struct health *health)
{
	bool cutting;

	pthread_mutex_lock(&health->lock);
	cutting = health->cutting;
	pthread_mutex_unlock(&health->lock);
	return cutting;
}

void health_cut_wait(struct health *health)
{
	static const struct timespec wait = {.tv_nsec = 1000000};

	while (is_cutting(health))
		nanosleep(&wait, NULL);
}
