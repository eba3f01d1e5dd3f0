// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "resolver.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "../kernel/clock.h"
#include "../model/decode.h"
#include "log.h"
#include "socket.h"

#define AGAIN	     (5000 * MILLISECOND) /* getaddrinfo() tells no TTL */
#define AGAIN_FAILED (1000 * MILLISECOND)

/*
 * A DNS server that does not answer takes getaddrinfo() 10 seconds and more. One thread is for
 * names that are known to be answered at once.
 */
#define THREADS 4
#define SLOW	(1000 * MILLISECOND)

struct name {
	char *text;
	uint8_t address[16];
	bool known;    /* the address, be it from before */
	bool asked;    /* once, at least */
	bool failed;   /* the last time */
	bool busy;     /* asked for just now */
	bool quick;    /* the last time */
	bool wanted;   /* by the configuration that is being looked at */
	uint64_t next; /* monotonic_time() */
	struct name *after;
};

struct resolver {
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t news;  /* names to look up, or answers */
	struct name *names;
	bool stop;
	unsigned int running; /* threads ... */
	unsigned int waiting; /* ... of which these ask for names that may be slow */
	struct event *changed;
	void (*on_change)(void *context);
	void *context;
};

static struct name *find(struct resolver *r, const char *text)
{
	struct name *name = r->names;

	while (name && strcmp(name->text, text))
		name = name->after;
	return name;
}

/* ---- the threads ------------------------------------------------------------------------- */

/* Is `address` among the answers that can be used? `first` is the first of these, if there is one.
 */
static bool look_through(const struct addrinfo *answers, const uint8_t address[16],
			 uint8_t first[16], bool *any)
{
	*any = false;
	for (; answers; answers = answers->ai_next) {
		struct sockaddr_storage from = {0};
		uint8_t one[16];

		memcpy(&from, answers->ai_addr, answers->ai_addrlen);
		(void)socket_endpoint(&from, one);
		if (!address_is_host(one))
			continue;
		if (!memcmp(one, address, sizeof(one)))
			return *any = true;
		if (!*any)
			memcpy(first, one, sizeof(one));
		*any = true;
	}
	return false;
}

/*
 * Asks for a name. An address that is still among the answers stays: their order changes from one
 * to the next. 0, or an EAI_* and the address is as it was.
 */
static int look_up(const char *text, uint8_t address[16])
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *answers = NULL;
	uint8_t first[16];
	bool any;
	int err = getaddrinfo(text, NULL, &hints, &answers);

	if (err)
		return err;
	if (!look_through(answers, address, first, &any) && any)
		memcpy(address, first, sizeof(first));
	freeaddrinfo(answers);
	return any ? 0 : EAI_NONAME;
}

static void note_answer(struct resolver *r, struct name *name, const uint8_t address[16], int err)
{
	bool changed = !err && (!name->known || memcmp(name->address, address, 16));
	char text[64];

	if (err && !name->failed)
		log_line(LOG_WARN, "host name %s: %s%s", name->text, gai_strerror(err),
			 name->known ? ": its address stays as it was" : "");
	if (changed)
		log_line(LOG_INFO, "host name %s is %s", name->text,
			 endpoint_format(address, 0, text, sizeof(text)));
	name->failed = err;
	name->asked = true;
	name->known |= !err;
	memcpy(name->address, address, sizeof(name->address));
	name->next = monotonic_time() + (err ? AGAIN_FAILED : AGAIN);
	if (changed)
		event_active(r->changed, EV_READ, 0);
}

static bool may_be_asked_for(const struct resolver *r, const struct name *name)
{
	return !name->busy && (name->quick || r->waiting < THREADS - 1);
}

/* The name to ask for next; NULL if there is none. */
static struct name *first_due(const struct resolver *r)
{
	struct name *first = NULL;

	for (struct name *name = r->names; name; name = name->after)
		if (may_be_asked_for(r, name) && (!first || name->next < first->next))
			first = name;
	return first;
}

/* Until then, or until there is news. */
static void wait_until(struct resolver *r, uint64_t when)
{
	struct timespec until = {when / 1000000000, when % 1000000000};

	if (when)
		pthread_cond_timedwait(&r->news, &r->lock, &until);
	else
		pthread_cond_wait(&r->news, &r->lock);
}

static void ask_for(struct resolver *r, struct name *due)
{
	char *text = strdup(due->text);
	uint64_t began = monotonic_time();
	unsigned int waits = !due->quick;
	uint8_t address[16];
	struct name *name;
	int err;

	memcpy(address, due->address, sizeof(address));
	due->busy = true;
	r->waiting += waits;
	pthread_mutex_unlock(&r->lock);
	err = text ? look_up(text, address) : EAI_MEMORY;
	pthread_mutex_lock(&r->lock);
	r->waiting -= waits;
	name = text ? find(r, text) : NULL; /* it may be gone */
	if (name) {
		name->busy = false;
		name->quick = monotonic_time() - began < SLOW;
	}
	if (name && !r->stop)
		note_answer(r, name, address, err);
	pthread_cond_broadcast(&r->news);
	free(text);
}

static void free_names(struct resolver *r, bool all)
{
	struct name **at = &r->names;

	while (*at) {
		struct name *name = *at;

		if (name->wanted && !all) {
			at = &name->after;
			continue;
		}
		*at = name->after;
		free(name->text);
		free(name);
	}
}

static void *resolver_main(void *argument)
{
	struct resolver *r = argument;

	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		struct name *due = first_due(r);

		if (!due || due->next > monotonic_time())
			wait_until(r, due ? due->next : 0);
		else
			ask_for(r, due);
	}
	r->running--;
	pthread_cond_broadcast(&r->news);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* ---- the main thread --------------------------------------------------------------------- */

static void on_changed(evutil_socket_t fd, short what, void *argument)
{
	struct resolver *r = argument;

	r->on_change(r->context);
}

/* One is enough to go on with. */
static int start_threads(struct resolver *r)
{
	pthread_t thread;
	int err = 0;

	pthread_mutex_lock(&r->lock);
	while (!err && r->running < THREADS) {
		err = -pthread_create(&thread, NULL, resolver_main, r);
		if (err)
			break;
		pthread_detach(thread);
		r->running++;
	}
	err = r->running ? 0 : err;
	pthread_mutex_unlock(&r->lock);
	return err;
}

int resolver_start(struct resolver **resolver, struct event_base *base,
		   void (*on_change)(void *context), void *context)
{
	struct resolver *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	int err = -ENOMEM;

	if (!r)
		return err;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->news, &monotonic);
	r->on_change = on_change;
	r->context = context;
	r->changed = event_new(base, -1, 0, on_changed, r);
	if (r->changed)
		err = start_threads(r);
	if (!err) {
		*resolver = r;
		return 0;
	}
	if (r->changed)
		event_free(r->changed);
	free(r);
	return err;
}

/* Threads that wait for an answer are left to it: the process ends soon. */
void resolver_stop(struct resolver *r)
{
	bool ended;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->news);
	for (int tries = 0; r->running && tries < 10; tries++)
		wait_until(r, monotonic_time() + 10 * MILLISECOND);
	ended = !r->running;
	event_free(r->changed);
	pthread_mutex_unlock(&r->lock);
	if (!ended)
		return;
	free_names(r, true);
	pthread_cond_destroy(&r->news);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* NULL when out of memory. */
static struct name *name_of(struct resolver *r, const char *text)
{
	struct name *name = find(r, text);

	if (name)
		return name;
	name = calloc(1, sizeof(*name));
	if (!name)
		return NULL;
	name->text = strdup(text);
	if (!name->text) {
		free(name);
		return NULL;
	}
	name->after = r->names;
	r->names = name;
	pthread_cond_broadcast(&r->news);
	return name;
}

/* Calls step() for each server with a host name. */
static void each_name(struct resolver *r, const struct config *config,
		      void (*step)(struct name *name, struct server *server, void *context),
		      void *context)
{
	for (size_t i = 0; i < config->n_farms; i++)
		for (size_t j = 0; j < config->farms[i].n_servers; j++) {
			struct server *server = &config->farms[i].servers[j];
			struct name *name = server->host ? name_of(r, server->host) : NULL;

			if (name)
				step(name, server, context);
		}
}

static void note_unasked(struct name *name, struct server *server, void *context)
{
	*(bool *)context |= !name->asked;
}

static void fill_one(struct name *name, struct server *server, void *context)
{
	if (!name->known || !memcmp(server->address, name->address, sizeof(name->address)))
		return;
	memcpy(server->address, name->address, sizeof(name->address));
	*(bool *)context = true;
}

bool resolver_fill(struct resolver *r, struct config *config, uint32_t wait)
{
	uint64_t end = monotonic_time() + wait * MILLISECOND;
	bool missing, changed = false;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		missing = false;
		each_name(r, config, note_unasked, &missing);
		if (!missing || monotonic_time() >= end)
			break;
		wait_until(r, end);
	}
	each_name(r, config, fill_one, &changed);
	pthread_mutex_unlock(&r->lock);
	return changed;
}

static void want(struct name *name, struct server *server, void *context)
{
	name->wanted = true;
}

void resolver_keep(struct resolver *r, const struct config *config)
{
	pthread_mutex_lock(&r->lock);
	for (struct name *name = r->names; name; name = name->after)
		name->wanted = false;
	each_name(r, config, want, NULL);
	free_names(r, false);
	pthread_mutex_unlock(&r->lock);
}
