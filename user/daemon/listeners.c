// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "../kernel/clock.h"
#include "../model/decode.h"
#include "../model/prefix.h"
#include "segments.h"
#include "socket.h"

/* The key is compared as memory: no padding. */
struct endpoint_key {
	uint8_t address[16];
	uint16_t port;	   /* host order; 0 where connections are steered to it */
	uint16_t steer_id; /* the frontend it is the listener of then, else 0 */
};

/* One address and port, with a socket per worker. */
struct endpoint {
	struct endpoint_key key;
	uint32_t frontend_id; /* in the configuration that runs; 0 = not in it */
	uint32_t next_id;     /* in the one being prepared */
	bool accepting;
	bool retiring;		    /* see retire() */
	struct listener *listeners; /* n_workers */
	UT_hash_handle hh;
};

/* A handshake that has begun at a socket ends with it. */
#define SECOND_NS 1000000000ULL
#define HANDSHAKE SECOND_NS

static struct endpoint *find_endpoint(const struct listeners *l, const struct endpoint_key *key)
{
	struct endpoint *endpoint;

	HASH_FIND(hh, l->open, key, sizeof(*key), endpoint);
	return endpoint;
}

/* The one for all addresses at the same port. */
static struct endpoint *find_any(const struct listeners *l, const struct endpoint_key *key)
{
	struct endpoint_key any = *key;

	memcpy(any.address, address_is_mapped(key->address) ? any_v4 : any_v6, sizeof(any.address));
	return find_endpoint(l, &any);
}

static void endpoint_free(struct listeners *l, struct endpoint *endpoint)
{
	for (unsigned int i = 0; i < l->n_workers; i++)
		if (endpoint->listeners[i].fd >= 0)
			close(endpoint->listeners[i].fd);
	HASH_DEL(l->open, endpoint);
	free(endpoint->listeners);
	free(endpoint);
}

static int open_sockets(struct listeners *l, struct endpoint *endpoint, bool carry)
{
	const struct endpoint_key *key = &endpoint->key;
	__be16 port = htons(key->port);

	for (unsigned int i = 0; i < l->n_workers; i++) {
		int fd = key->steer_id ? socket_listen_apart(key->address, &port, carry, l->owner)
				       : socket_listen(key->address, port, carry, l->owner);

		if (fd < 0)
			return fd;
		endpoint->listeners[i].fd = fd;
		endpoint->listeners[i].carry = carry;
	}
	return key->steer_id ? steering_listen(&l->steered.steering, key->steer_id,
					       !address_is_mapped(key->address),
					       endpoint->listeners[0].fd)
			     : 0;
}

/* Adds an endpoint with its sockets. 0 or -errno. */
static int endpoint_open(struct listeners *l, const struct endpoint_key *key, bool carry,
			 struct endpoint **opened)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	int err;

	if (!endpoint)
		return -ENOMEM;
	endpoint->key = *key;
	endpoint->listeners = calloc(l->n_workers, sizeof(*endpoint->listeners));
	if (!endpoint->listeners) {
		free(endpoint);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < l->n_workers; i++)
		endpoint->listeners[i].fd = -1;
	HASH_ADD(hh, l->open, key, sizeof(*key), endpoint);
	err = open_sockets(l, endpoint, carry);
	if (err)
		endpoint_free(l, endpoint);
	else
		*opened = endpoint;
	return err;
}

/* ---- closing ------------------------------------------------------------------------------- */

static void unlisten_step(struct worker *worker, void *argument)
{
	worker_unlisten(worker, argument);
}

static void endpoint_close(struct listeners *l, struct endpoint *endpoint)
{
	for (unsigned int i = 0; i < l->n_workers && endpoint->accepting; i++)
		worker_call(&l->workers[i], unlisten_step, &endpoint->listeners[i], true);
	endpoint_free(l, endpoint);
}

static void close_retired(struct listeners *l)
{
	struct endpoint *endpoint, *next;

	HASH_ITER (hh, l->open, endpoint, next)
		if (endpoint->retiring)
			endpoint_close(l, endpoint);
	l->orphans = false;
}

static void on_handshakes(evutil_socket_t fd, short what, void *argument)
{
	close_retired(argument);
}

/* For what is left of their time. */
static void await_handshakes(struct listeners *l)
{
	struct timespec end = {l->retired / SECOND_NS, l->retired % SECOND_NS};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
	close_retired(l);
}

int listeners_init(struct listeners *l, struct worker *workers, unsigned int n_workers,
		   struct event_base *base, const char *instance)
{
	uint32_t random;

	l->workers = workers;
	l->n_workers = n_workers;
	l->instance = instance;
	steering_forget(instance);
	if (getrandom(&random, sizeof(random), 0) < 0)
		return -errno;
	l->owner = 1u << 31 | random >> 2; /* users are below, and -1 is none */
	evtimer_assign(&l->handshakes, base, on_handshakes, l);
	return 0;
}

/* ---- what a configuration listens on ------------------------------------------------------ */

/* A walk over the endpoints of a configuration: what is done with each, and what came of it. */
struct walk {
	struct listeners *listeners;
	struct segments *segments;    /* NULL = sizes do not matter */
	struct segment_sizes largest; /* of the frontend at hand */
	int (*step)(struct walk *walk, const struct frontend *frontend,
		    const struct endpoint_key *key);
	size_t missing; /* endpoints that are not open */
	char *failed;
	size_t size;
};

static int walk_endpoint(struct walk *walk, const struct frontend *frontend,
			 const uint8_t address[16], uint16_t port)
{
	struct endpoint_key key;

	memset(&key, 0, sizeof(key));
	memcpy(key.address, address, sizeof(key.address));
	key.port = port;
	key.steer_id = port ? 0 : frontend->o.id;
	return walk->step(walk, frontend, &key);
}

/* All addresses: of both families, where the host has them. */
static int walk_any(struct walk *walk, const struct frontend *frontend, const uint8_t v4[16],
		    const uint8_t v6[16], uint16_t port)
{
	int err = walk_endpoint(walk, frontend, v4, port);

	if (err)
		return err;
	err = walk_endpoint(walk, frontend, v6, port);
	return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL ? 0 : err;
}

static int walk_port(struct walk *walk, const struct frontend *frontend, uint16_t port)
{
	const struct prefix_list *addresses = &frontend->dedicated_ipfo;
	int err = 0;

	if (!addresses->set)
		return walk_any(walk, frontend, any_v4, any_v6, port);
	for (size_t i = 0; i < addresses->n && !err; i++)
		err = walk_endpoint(walk, frontend, addresses->v[i].address, port);
	return err;
}

/* Of each family that there is an address of, one stands for all of them. */
static int walk_steered(struct walk *walk, const struct frontend *frontend)
{
	const struct prefix_list *addresses = &frontend->dedicated_ipfo;
	bool has[2] = {false};
	int err = 0;

	if (!addresses->set)
		return walk_any(walk, frontend, apart_v4, apart_v6, 0);
	for (size_t i = 0; i < addresses->n; i++)
		has[address_is_mapped(addresses->v[i].address)] = true;
	if (has[true])
		err = walk_endpoint(walk, frontend, apart_v4, 0);
	if (has[false] && !err)
		err = walk_endpoint(walk, frontend, apart_v6, 0);
	return err;
}

static int walk_frontend(struct walk *walk, const struct frontend *frontend)
{
	int err = 0;

	if (walk->segments)
		walk->largest = segments_for(walk->segments, frontend);
	if (steered_has(&walk->listeners->steered, frontend))
		return walk_steered(walk, frontend);
	for (size_t i = 0; i < frontend->n_ports; i++)
		for (uint32_t port = frontend->ports[i].first;
		     port <= frontend->ports[i].last && !err; port++)
			err = walk_port(walk, frontend, port);
	return err;
}

static int walk_config(struct walk *walk, const struct config *config)
{
	int err = 0;

	for (size_t i = 0; i < config->n_frontends && !err; i++) {
		const struct frontend *frontend = &config->frontends[i];

		if (frontend_listens(config, frontend))
			err = walk_frontend(walk, frontend);
	}
	return err;
}

static int count_missing(struct walk *walk, const struct frontend *frontend,
			 const struct endpoint_key *key)
{
	walk->missing += !find_endpoint(walk->listeners, key);
	return 0;
}

size_t listeners_missing(struct listeners *l, const struct config *config)
{
	struct walk walk = {.listeners = l, .step = count_missing};

	walk_config(&walk, config);
	return walk.missing;
}

size_t listeners_open(const struct listeners *l)
{
	return HASH_COUNT(l->open);
}

bool listeners_accept(const struct listeners *l, uint32_t frontend_id)
{
	for (const struct endpoint *endpoint = l->open; endpoint; endpoint = endpoint->hh.next)
		if (endpoint->accepting && endpoint->frontend_id == frontend_id)
			return true;
	return false;
}

/* ---- opening ------------------------------------------------------------------------------ */

/* Also where the ones that are open go on with the old configuration: the routes are as they are.
 */
static void limit_segments(const struct walk *walk, const struct endpoint *endpoint)
{
	bool v4 = address_is_mapped(endpoint->key.address);

	for (unsigned int i = 0; i < walk->listeners->n_workers; i++)
		socket_limit_segments(endpoint->listeners[i].fd,
				      v4 ? walk->largest.v4 : walk->largest.v6);
}

static int open_endpoint(struct listeners *l, const struct frontend *frontend,
			 const struct endpoint_key *key, struct endpoint **endpoint)
{
	/* Only a guess: a refresh may change the path, and a connection take another one. */
	bool carry = frontend->path == PATH_SOCKMAP || frontend->path == PATH_RELAY;

	/* That of another instance would get none of the connections. */
	return steered_taken(&l->steered, key->address, key->port)
		       ? -EADDRINUSE
		       : endpoint_open(l, key, carry, endpoint);
}

static int prepare_endpoint(struct walk *walk, const struct frontend *frontend,
			    const struct endpoint_key *key)
{
	struct endpoint *endpoint = find_endpoint(walk->listeners, key);
	int err = endpoint ? 0 : open_endpoint(walk->listeners, frontend, key, &endpoint);
	char text[64];

	if (err)
		snprintf(walk->failed, walk->size, "frontend %s: cannot listen on %s: %s",
			 frontend->o.name,
			 endpoint_format(key->address, key->port, text, sizeof(text)),
			 strerror(-err));
	if (err)
		return err;
	endpoint->next_id = frontend->o.id;
	limit_segments(walk, endpoint);
	return 0;
}

void listeners_abort(struct listeners *l)
{
	struct endpoint *endpoint, *next;

	steered_abort(&l->steered);
	HASH_ITER (hh, l->open, endpoint, next)
		if (!endpoint->accepting)
			endpoint_free(l, endpoint);
}

static int prepare_endpoints(struct listeners *l, const struct config *config, char *failed,
			     size_t size)
{
	struct segments segments;
	struct walk walk = {
		.listeners = l, .step = prepare_endpoint, .failed = failed, .size = size};
	int err = segments_init(&segments, config);

	if (!err)
		walk.segments = &segments;
	err = walk_config(&walk, config);
	segments_free(&segments);
	return err;
}

int listeners_prepare(struct listeners *l, const struct config *config, char *failed, size_t size)
{
	struct endpoint *endpoint, *next;
	int err;

	if (l->orphans)
		await_handshakes(l);
	HASH_ITER (hh, l->open, endpoint, next)
		endpoint->next_id = 0;
	err = steered_look(&l->steered, l->instance);
	if (err)
		snprintf(failed, size, "cannot see what other instances listen on: %s",
			 strerror(-err));
	err = err ? err : prepare_endpoints(l, config, failed, size);
	err = err ? err : steered_prepare(&l->steered, config, l->owner, failed, size);
	if (err)
		listeners_abort(l);
	return err;
}

static void listen_step(struct worker *worker, void *argument)
{
	worker_listen(worker, argument);
}

void listeners_retarget(struct listeners *l)
{
	struct endpoint *endpoint, *next;

	HASH_ITER (hh, l->open, endpoint, next)
		for (unsigned int i = 0; i < l->n_workers && endpoint->next_id; i++)
			atomic_store(&endpoint->listeners[i].frontend_id, endpoint->next_id);
}

static void endpoint_hide(struct listeners *l, struct endpoint *endpoint, bool hide)
{
	for (unsigned int i = 0; i < l->n_workers; i++)
		(void)socket_hide(endpoint->listeners[i].fd, hide); /* socket_listen() tried it */
}

static void endpoint_accept(struct listeners *l, struct endpoint *endpoint)
{
	for (unsigned int i = 0; i < l->n_workers && !endpoint->accepting; i++)
		worker_call(&l->workers[i], listen_step, &endpoint->listeners[i], true);
	if (!endpoint->accepting || endpoint->retiring)
		endpoint_hide(l, endpoint, false);
	endpoint->accepting = true;
	endpoint->retiring = false;
}

/* Its last connections go by tables that the next refresh drops. */
static bool is_orphan(const struct listeners *l, const struct endpoint *endpoint)
{
	return !listeners_accept(l, atomic_load(&endpoint->listeners[0].frontend_id));
}

/* Lets handshakes come to their end while others take new connections over. */
static void retire(struct listeners *l, struct endpoint *endpoint)
{
	static const struct timeval handshake = {HANDSHAKE / SECOND_NS, 0};

	if (!endpoint->key.steer_id)
		endpoint_hide(l, endpoint, true);
	endpoint->retiring = true;
	l->retired = monotonic_time() + HANDSHAKE;
	/* Its clock stands still in a callback, and this one may have waited or compiled. */
	event_base_update_cache_time(event_get_base(&l->handshakes));
	event_add(&l->handshakes, &handshake);
}

/*
 * Sockets for all addresses of a port and ones for a single address: where only one of them goes
 * on, it takes new connections over.
 */
static void take_over(struct listeners *l, struct endpoint *endpoint)
{
	struct endpoint *any = find_any(l, &endpoint->key);

	if (any && !any->frontend_id != !endpoint->frontend_id)
		retire(l, any->frontend_id ? endpoint : any);
}

static bool is_taken_over(const struct listeners *l, const struct endpoint *endpoint)
{
	const struct endpoint_key *key = &endpoint->key;

	return endpoint->retiring || key->steer_id ||
	       steered_covers(&l->steered, key->address, key->port);
}

static void endpoint_leave(struct listeners *l, struct endpoint *endpoint)
{
	if (!is_taken_over(l, endpoint)) {
		endpoint_close(l, endpoint);
		return;
	}
	if (!endpoint->retiring)
		retire(l, endpoint);
	l->orphans |= is_orphan(l, endpoint);
}

void listeners_commit(struct listeners *l)
{
	struct endpoint *endpoint, *next;

	HASH_ITER (hh, l->open, endpoint, next) {
		endpoint->frontend_id = endpoint->next_id;
		if (endpoint->frontend_id)
			endpoint_accept(l, endpoint);
	}
	steered_commit(&l->steered);
	HASH_ITER (hh, l->open, endpoint, next)
		take_over(l, endpoint);
	HASH_ITER (hh, l->open, endpoint, next)
		if (!endpoint->frontend_id)
			endpoint_leave(l, endpoint);
}

void listeners_close(struct listeners *l)
{
	struct endpoint *endpoint, *next;

	steered_close(&l->steered);
	if (!l->workers)
		return;
	event_del(&l->handshakes);
	HASH_ITER (hh, l->open, endpoint, next)
		endpoint_close(l, endpoint);
}
