// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ports.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "../model/prefix.h"

/* The key is compared as memory: no padding. */
struct pool_key {
	uint8_t address[16]; /* source; zero = the kernel's choice */
	uint8_t server[16];
	__be16 server_port;
};

struct port_pool {
	struct pool_key key;
	uint32_t next;		   /* port to try first: the one that was longest out of use */
	uint32_t used;		   /* of the range */
	uint64_t busy[65536 / 64]; /* bit by port */
	UT_hash_handle hh;
};

static const uint8_t no_address[16];

static bool is_busy(const struct port_pool *pool, uint32_t port)
{
	return pool->busy[port / 64] >> (port % 64) & 1;
}

static void set_busy(const struct ports *ports, struct port_pool *pool, uint32_t port, bool busy)
{
	if (is_busy(pool, port) == busy)
		return;
	pool->busy[port / 64] ^= 1ULL << (port % 64);
	if (port >= ports->range.first && port <= ports->range.last)
		pool->used += busy ? 1 : -1;
}

static void count_used(const struct ports *ports, struct port_pool *pool)
{
	pool->used = 0;
	for (uint32_t port = ports->range.first; port <= ports->range.last; port++)
		pool->used += is_busy(pool, port);
}

void ports_init(struct ports *ports)
{
	memset(ports, 0, sizeof(*ports));
	pthread_mutex_init(&ports->lock, NULL);
}

void ports_configure(struct ports *ports, const struct port_range *range,
		     const struct prefix_list *addresses)
{
	struct port_pool *pool, *next;
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
	HASH_ITER (hh, ports->pools, pool, next)
		count_used(ports, pool);
	pthread_mutex_unlock(&ports->lock);
}

void ports_free(struct ports *ports)
{
	struct port_pool *pool, *next;

	HASH_ITER (hh, ports->pools, pool, next) {
		HASH_DEL(ports->pools, pool);
		free(pool);
	}
	free(ports->addresses.v);
	ports->addresses = (struct prefix_list){0};
}

static struct port_pool *find_pool(struct ports *ports, const uint8_t address[16],
				   const uint8_t server[16], __be16 server_port)
{
	struct port_pool *pool;
	struct pool_key key;

	memset(&key, 0, sizeof(key));
	memcpy(key.address, address, sizeof(key.address));
	memcpy(key.server, server, sizeof(key.server));
	key.server_port = server_port;
	HASH_FIND(hh, ports->pools, &key, sizeof(key), pool);
	if (pool)
		return pool;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return NULL;
	pool->key = key;
	HASH_ADD(hh, ports->pools, key, sizeof(key), pool);
	return pool;
}

/* Goes round, so that a port that came back rests as long as others are free. */
static uint16_t take_from(struct ports *ports, struct port_pool *pool)
{
	uint32_t first = ports->range.first, n = ports->range.last - first + 1;

	for (uint32_t i = 0; i < n && pool->used < n; i++) {
		uint32_t port = pool->next;

		if (port < first || port > ports->range.last)
			port = first;
		pool->next = port + 1;
		if (is_busy(pool, port))
			continue;
		set_busy(ports, pool, port, true);
		return port;
	}
	return 0;
}

static bool take_at(struct ports *ports, const uint8_t address[16], const uint8_t server[16],
		    __be16 port, struct port_lease *lease)
{
	struct port_pool *pool = find_pool(ports, address, server, port);

	lease->port = pool ? take_from(ports, pool) : 0;
	memcpy(lease->address, address, sizeof(lease->address));
	return lease->port;
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

static void set_lease(struct ports *ports, const uint8_t server[16], __be16 port,
		      const uint8_t address[16], uint16_t lease, bool busy)
{
	struct port_pool *pool;

	pthread_mutex_lock(&ports->lock);
	pool = find_pool(ports, address, server, port);
	if (pool)
		set_busy(ports, pool, lease, busy);
	pthread_mutex_unlock(&ports->lock);
}

void ports_give(struct ports *ports, const uint8_t server[16], __be16 port,
		const struct port_lease *lease)
{
	set_lease(ports, server, port, lease->address, lease->port, false);
}

/* A flow knows the address the kernel chose, too. Freed in both pools it may be from. */
static void set_flow(struct ports *ports, const struct flow_key *key, bool busy)
{
	uint16_t port = ntohs(key->destination_port);

	set_lease(ports, key->source, key->source_port, no_address, port, busy);
	if (ports->addresses.set)
		set_lease(ports, key->source, key->source_port, key->destination, port, busy);
}

void ports_take_flow(struct ports *ports, const struct flow_key *key)
{
	set_flow(ports, key, true);
}

void ports_give_flow(struct ports *ports, const struct flow_key *key)
{
	set_flow(ports, key, false);
}

unsigned int ports_used_percent(struct ports *ports)
{
	struct port_pool *pool, *next;
	uint32_t most = 0, n;

	pthread_mutex_lock(&ports->lock);
	n = ports->range.last - ports->range.first + 1;
	HASH_ITER (hh, ports->pools, pool, next)
		most = pool->used > most ? pool->used : most;
	pthread_mutex_unlock(&ports->lock);
	return (uint64_t)most * 100 / n;
}
