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

#include "../model/decode.h"
#include "../model/prefix.h"
#include "segments.h"
#include "socket.h"

/* The key is compared as memory: no padding. */
struct endpoint_key {
	uint8_t address[16];
	uint16_t port; /* host order */
};

/* One address and port, with a socket per worker. */
struct endpoint {
	struct endpoint_key key;
	uint32_t frontend_id; /* in the configuration being prepared; 0 = not in it */
	bool accepting;
	bool hidden;		    /* see take_over() */
	struct listener *listeners; /* n_workers */
	UT_hash_handle hh;
};

static const uint8_t any4[16] = {[10] = 0xff, [11] = 0xff}, any6[16];

int listeners_init(struct listeners *l, struct worker *workers, unsigned int n_workers)
{
	uint32_t random;

	l->workers = workers;
	l->n_workers = n_workers;
	if (getrandom(&random, sizeof(random), 0) < 0)
		return -errno;
	l->owner = 1u << 31 | random >> 2; /* users are below, and -1 is none */
	return 0;
}

static struct endpoint *find_endpoint(const struct listeners *l, const uint8_t address[16],
				      uint16_t port)
{
	struct endpoint_key key;
	struct endpoint *endpoint;

	memset(&key, 0, sizeof(key));
	memcpy(key.address, address, sizeof(key.address));
	key.port = port;
	HASH_FIND(hh, l->open, &key, sizeof(key), endpoint);
	return endpoint;
}

static struct endpoint *find_any(const struct listeners *l, const uint8_t address[16],
				 uint16_t port)
{
	return find_endpoint(l, address_is_mapped(address) ? any4 : any6, port);
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

/* Adds an endpoint with its sockets. 0 or -errno. */
static int endpoint_open(struct listeners *l, const struct endpoint_key *key, bool carry,
			 struct endpoint **opened)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));

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
	for (unsigned int i = 0; i < l->n_workers; i++) {
		int fd = socket_listen(key->address, htons(key->port), carry, l->owner);

		if (fd < 0) {
			endpoint_free(l, endpoint);
			return fd;
		}
		endpoint->listeners[i].fd = fd;
		endpoint->listeners[i].carry = carry;
	}
	*opened = endpoint;
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
	return walk->step(walk, frontend, &key);
}

/* All addresses: of both families, where the host has them. */
static int walk_any(struct walk *walk, const struct frontend *frontend, uint16_t port)
{
	int err = walk_endpoint(walk, frontend, any4, port);

	if (err)
		return err;
	err = walk_endpoint(walk, frontend, any6, port);
	return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL ? 0 : err;
}

static int walk_port(struct walk *walk, const struct frontend *frontend, uint16_t port)
{
	const struct prefix_list *addresses = &frontend->dedicated_ipfo;
	int err = 0;

	if (!addresses->set)
		return walk_any(walk, frontend, port);
	for (size_t i = 0; i < addresses->n && !err; i++)
		err = walk_endpoint(walk, frontend, addresses->v[i].address, port);
	return err;
}

static int walk_frontend(struct walk *walk, const struct frontend *frontend)
{
	int err = 0;

	if (walk->segments)
		walk->largest = segments_for(walk->segments, frontend);
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

		if (!frontend->disabled && config_in_zone(config, frontend->zone))
			err = walk_frontend(walk, frontend);
	}
	return err;
}

static int count_missing(struct walk *walk, const struct frontend *frontend,
			 const struct endpoint_key *key)
{
	walk->missing += !find_endpoint(walk->listeners, key->address, key->port);
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

/* ---- opening and closing ------------------------------------------------------------------ */

/* Also where the ones that are open go on with the old configuration: the routes are as they are.
 */
static void limit_segments(const struct walk *walk, const struct endpoint *endpoint)
{
	bool v4 = address_is_mapped(endpoint->key.address);

	for (unsigned int i = 0; i < walk->listeners->n_workers; i++)
		socket_limit_segments(endpoint->listeners[i].fd,
				      v4 ? walk->largest.v4 : walk->largest.v6);
}

static int prepare_endpoint(struct walk *walk, const struct frontend *frontend,
			    const struct endpoint_key *key)
{
	struct listeners *l = walk->listeners;
	struct endpoint *endpoint = find_endpoint(l, key->address, key->port);
	char text[64];
	bool carry;
	int err;

	/* Only a guess: a refresh may change the path, and a connection take another one. */
	carry = frontend->path == PATH_SOCKMAP || frontend->path == PATH_RELAY;
	err = endpoint ? 0 : endpoint_open(l, key, carry, &endpoint);
	if (err)
		snprintf(walk->failed, walk->size, "frontend %s: cannot listen on %s: %s",
			 frontend->o.name,
			 endpoint_format(key->address, key->port, text, sizeof(text)),
			 strerror(-err));
	if (err)
		return err;
	endpoint->frontend_id = frontend->o.id;
	limit_segments(walk, endpoint);
	return 0;
}

void listeners_abort(struct listeners *l)
{
	struct endpoint *endpoint, *next;

	HASH_ITER (hh, l->open, endpoint, next)
		if (!endpoint->accepting)
			endpoint_free(l, endpoint);
}

int listeners_prepare(struct listeners *l, const struct config *config, char *failed, size_t size)
{
	struct segments segments;
	struct walk walk = {
		.listeners = l, .step = prepare_endpoint, .failed = failed, .size = size};
	struct endpoint *endpoint, *next;
	int err = segments_init(&segments, config);

	if (!err)
		walk.segments = &segments;
	HASH_ITER (hh, l->open, endpoint, next)
		endpoint->frontend_id = 0;
	err = walk_config(&walk, config);
	segments_free(&segments);
	if (err)
		listeners_abort(l);
	return err;
}

static void listen_step(struct worker *worker, void *argument)
{
	worker_listen(worker, argument);
}

static void unlisten_step(struct worker *worker, void *argument)
{
	worker_unlisten(worker, argument);
}

void listeners_retarget(struct listeners *l)
{
	struct endpoint *endpoint, *next;

	HASH_ITER (hh, l->open, endpoint, next)
		for (unsigned int i = 0; i < l->n_workers && endpoint->frontend_id; i++)
			atomic_store(&endpoint->listeners[i].frontend_id, endpoint->frontend_id);
}

static void endpoint_accept(struct listeners *l, struct endpoint *endpoint)
{
	for (unsigned int i = 0; i < l->n_workers; i++) {
		struct listener *listener = &endpoint->listeners[i];

		if (endpoint->accepting)
			continue;
		worker_call(&l->workers[i], listen_step, listener, true);
		(void)socket_hide(listener->fd, false); /* socket_listen() has tried it */
	}
	endpoint->accepting = true;
}

static void endpoint_close(struct listeners *l, struct endpoint *endpoint)
{
	for (unsigned int i = 0; i < l->n_workers && endpoint->accepting; i++)
		worker_call(&l->workers[i], unlisten_step, &endpoint->listeners[i], true);
	endpoint_free(l, endpoint);
}

/*
 * Sockets for all addresses of a port and ones for a single address: where only one of them goes
 * on, it takes new connections over. Returns whether the other one has handshakes to wait for.
 */
static bool take_over(struct listeners *l, struct endpoint *endpoint)
{
	struct endpoint *any = find_any(l, endpoint->key.address, endpoint->key.port);
	struct endpoint *old;

	if (!any || !any->frontend_id == !endpoint->frontend_id)
		return false;
	old = any->frontend_id ? endpoint : any;
	for (unsigned int i = 0; i < l->n_workers; i++)
		(void)socket_hide(old->listeners[i].fd, true);
	old->hidden = true;
	return true;
}

/* A handshake that has begun at a socket ends with it. */
static void await_handshakes(void)
{
	static const struct timespec enough = {.tv_sec = 1};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &enough, NULL);
}

void listeners_commit(struct listeners *l)
{
	struct endpoint *endpoint, *next;
	bool wait = false;

	HASH_ITER (hh, l->open, endpoint, next)
		if (endpoint->frontend_id)
			endpoint_accept(l, endpoint);
	HASH_ITER (hh, l->open, endpoint, next)
		wait |= take_over(l, endpoint);
	HASH_ITER (hh, l->open, endpoint, next)
		if (!endpoint->frontend_id && !endpoint->hidden)
			endpoint_close(l, endpoint);
	if (wait)
		await_handshakes();
	HASH_ITER (hh, l->open, endpoint, next)
		if (endpoint->hidden)
			endpoint_close(l, endpoint);
}

void listeners_close(struct listeners *l)
{
	struct endpoint *endpoint, *next;

	HASH_ITER (hh, l->open, endpoint, next)
		endpoint_close(l, endpoint);
}
