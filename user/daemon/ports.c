// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ports.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "../model/prefix.h"

/* The key is compared as memory: no padding. */
struct server_key {
	uint8_t address[16];
	__be16 port;
};

/* Ports in use from one source address. */
struct pool {
	uint8_t address[16];	   /* zero: the kernel has still to choose one, so it may be any */
	uint32_t next;		   /* port to try first: the one that was longest out of use */
	uint64_t busy[65536 / 64]; /* bit by port */
	struct pool *other;
};

struct server_ports {
	struct server_key key;
	struct pool *pools;
	UT_hash_handle hh;
};

static const uint8_t no_address[16];

static bool is_same(const uint8_t a[16], const uint8_t b[16])
{
	return !memcmp(a, b, 16);
}

void ports_init(struct ports *ports, uint64_t *used)
{
	memset(ports, 0, sizeof(*ports));
	ports->used = used;
	*used = 0;
	pthread_mutex_init(&ports->lock, NULL);
}

void ports_configure(struct ports *ports, const struct port_range *range,
		     const struct prefix_list *addresses)
{
	struct prefix *copy = NULL;

	if (addresses->n)
		copy = calloc(addresses->n, sizeof(*copy));
	pthread_mutex_lock(&ports->lock);
	free(ports->addresses.v);
	ports->range = *range;
	ports->addresses =
		(struct prefix_list){.v = copy, .n = copy ? addresses->n : 0, .set = copy};
	if (copy)
		memcpy(copy, addresses->v, addresses->n * sizeof(*copy));
	pthread_mutex_unlock(&ports->lock);
}

void ports_free(struct ports *ports)
{
	struct server_ports *server, *next;

	HASH_ITER (hh, ports->servers, server, next) {
		HASH_DEL(ports->servers, server);
		for (struct pool *pool = server->pools, *other; pool; pool = other) {
			other = pool->other;
			free(pool);
		}
		free(server);
	}
	free(ports->addresses.v);
	ports->addresses = (struct prefix_list){0};
}

/* ---- pools ------------------------------------------------------------------------------- */

static struct server_ports *find_server(struct ports *ports, const uint8_t address[16], __be16 port,
					bool add)
{
	struct server_ports *server;
	struct server_key key;

	memset(&key, 0, sizeof(key));
	memcpy(key.address, address, sizeof(key.address));
	key.port = port;
	HASH_FIND(hh, ports->servers, &key, sizeof(key), server);
	if (server || !add)
		return server;
	server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->key = key;
	HASH_ADD(hh, ports->servers, key, sizeof(key), server);
	return server;
}

static struct pool *find_pool(struct server_ports *server, const uint8_t address[16], bool add)
{
	struct pool *pool = server ? server->pools : NULL;

	while (pool && !is_same(pool->address, address))
		pool = pool->other;
	if (pool || !add || !server)
		return pool;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return NULL;
	memcpy(pool->address, address, sizeof(pool->address));
	pool->other = server->pools;
	server->pools = pool;
	return pool;
}

/* False if it was so before. */
static bool set_busy(struct ports *ports, struct pool *pool, uint32_t port, bool busy)
{
	if ((pool->busy[port / 64] >> (port % 64) & 1) == busy)
		return false;
	pool->busy[port / 64] ^= 1ULL << (port % 64);
	__atomic_fetch_add(ports->used, busy ? 1 : -1ULL, __ATOMIC_RELAXED);
	return true;
}

/* Of 64 ports, those that cannot be had from an address. */
static uint64_t busy_word(const struct server_ports *server, const uint8_t address[16],
			  uint32_t word)
{
	uint64_t busy = 0;

	for (const struct pool *pool = server->pools; pool; pool = pool->other)
		if (is_same(address, no_address) || is_same(pool->address, no_address) ||
		    is_same(pool->address, address))
			busy |= pool->busy[word];
	return busy;
}

/* The lowest free port from `first` to `last`; 0 = none. */
static uint32_t lowest_free(const struct server_ports *server, const uint8_t address[16],
			    uint32_t first, uint32_t last)
{
	for (uint32_t word = first / 64; word <= last / 64; word++) {
		uint64_t is_free = ~busy_word(server, address, word);

		if (word == first / 64)
			is_free &= ~0ULL << (first % 64);
		if (word == last / 64)
			is_free &= ~0ULL >> (63 - last % 64);
		if (is_free)
			return word * 64 + __builtin_ctzll(is_free);
	}
	return 0;
}

/* Goes round, so that a port that came back rests as long as others are free. */
static uint32_t next_free(const struct server_ports *server, const struct pool *pool,
			  const struct port_range *range)
{
	uint32_t port = 0;

	if (pool->next > range->first && pool->next <= range->last)
		port = lowest_free(server, pool->address, pool->next, range->last);
	return port ? port : lowest_free(server, pool->address, range->first, range->last);
}

/* ---- leases ------------------------------------------------------------------------------ */

static bool take_at(struct ports *ports, const uint8_t address[16], const uint8_t server[16],
		    __be16 port, struct port_lease *lease)
{
	struct server_ports *of_server = find_server(ports, server, port, true);
	struct pool *pool = find_pool(of_server, address, true);

	lease->port = pool ? next_free(of_server, pool, &ports->range) : 0;
	memcpy(lease->address, address, sizeof(lease->address));
	if (!lease->port)
		return false;
	pool->next = lease->port + 1;
	return set_busy(ports, pool, lease->port, true);
}

bool ports_reach(struct ports *ports, const uint8_t server[16])
{
	bool reach;

	pthread_mutex_lock(&ports->lock);
	reach = !ports->addresses.set;
	for (size_t i = 0; i < ports->addresses.n && !reach; i++)
		reach = address_is_mapped(ports->addresses.v[i].address) ==
			address_is_mapped(server);
	pthread_mutex_unlock(&ports->lock);
	return reach;
}

bool ports_take(struct ports *ports, const uint8_t server[16], __be16 port,
		struct port_lease *lease)
{
	bool v4 = address_is_mapped(server), taken = false;

	pthread_mutex_lock(&ports->lock);
	if (!ports->addresses.set)
		taken = take_at(ports, no_address, server, port, lease);
	for (size_t i = 0; i < ports->addresses.n && !taken; i++)
		if (address_is_mapped(ports->addresses.v[i].address) == v4)
			taken = take_at(ports, ports->addresses.v[i].address, server, port, lease);
	pthread_mutex_unlock(&ports->lock);
	return taken;
}

bool ports_settle(struct ports *ports, const uint8_t server[16], __be16 port,
		  struct port_lease *lease, const uint8_t address[16])
{
	struct server_ports *of_server;
	struct pool *from, *to;

	pthread_mutex_lock(&ports->lock);
	of_server = find_server(ports, server, port, true);
	from = find_pool(of_server, lease->address, false);
	to = find_pool(of_server, address, true);
	if (from && to && from != to) {
		set_busy(ports, from, lease->port, false);
		set_busy(ports, to, lease->port, true);
		memcpy(lease->address, address, sizeof(lease->address));
	}
	pthread_mutex_unlock(&ports->lock);
	return to;
}

static bool free_port(struct ports *ports, const uint8_t server[16], __be16 port,
		      const uint8_t address[16], uint16_t lease)
{
	struct pool *pool;
	bool freed;

	pthread_mutex_lock(&ports->lock);
	pool = find_pool(find_server(ports, server, port, false), address, false);
	freed = pool && set_busy(ports, pool, lease, false);
	pthread_mutex_unlock(&ports->lock);
	return freed;
}

void ports_give(struct ports *ports, const uint8_t server[16], __be16 port,
		const struct port_lease *lease)
{
	free_port(ports, server, port, lease->address, lease->port);
}

bool ports_take_flow(struct ports *ports, const struct flow_key *key)
{
	struct pool *pool;
	bool taken;

	pthread_mutex_lock(&ports->lock);
	pool = find_pool(find_server(ports, key->source, key->source_port, true), key->destination,
			 true);
	taken = pool && set_busy(ports, pool, ntohs(key->destination_port), true);
	pthread_mutex_unlock(&ports->lock);
	return taken;
}

bool ports_give_flow(struct ports *ports, const struct flow_key *key)
{
	return free_port(ports, key->source, key->source_port, key->destination,
			 ntohs(key->destination_port));
}
