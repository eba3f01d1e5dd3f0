// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "segments.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "../kernel/interface.h"
#include "../kernel/outgoing.h"
#include "../model/prefix.h"

#define ANY_SIZE UINT32_MAX

/* The smallest MTU on the ways to the servers of a farm, by family. */
struct farm_ways {
	bool known;
	uint32_t v4, v6;
};

int segments_init(struct segments *segments, const struct config *config)
{
	segments->config = config;
	segments->farms = calloc(config->n_farms + 1, sizeof(*segments->farms));
	segments->netlink = outgoing_open();
	if (!segments->farms)
		return -ENOMEM;
	return segments->netlink < 0 ? segments->netlink : 0;
}

void segments_free(struct segments *segments)
{
	free(segments->farms);
	if (segments->netlink >= 0)
		close(segments->netlink);
}

static void lower(uint32_t *bound, uint32_t to)
{
	if (to < *bound)
		*bound = to;
}

static void ask_way(const struct segments *segments, const struct server *server,
		    struct farm_ways *ways)
{
	static const uint8_t any[16];
	struct outgoing way;
	uint32_t mtu;

	if (!server_is_found(server) ||
	    outgoing_find(segments->netlink, any, server->address, &way))
		return;
	mtu = outgoing_mtu(&way, interface_mtu(way.ifindex));
	if (mtu)
		lower(address_is_mapped(server->address) ? &ways->v4 : &ways->v6, mtu);
}

/* Each farm is asked about once, however many routes lead there. */
static void consider_farm(struct segments *segments, const struct farm *farm,
			  struct farm_ways *smallest)
{
	struct farm_ways *ways = &segments->farms[farm - segments->config->farms];

	if (!ways->known) {
		*ways = (struct farm_ways){.known = true, .v4 = ANY_SIZE, .v6 = ANY_SIZE};
		for (size_t i = 0; i < farm->n_servers; i++)
			ask_way(segments, &farm->servers[i], ways);
	}
	lower(&smallest->v4, ways->v4);
	lower(&smallest->v6, ways->v6);
}

static unsigned int segment_size(uint32_t mtu, size_t headers)
{
	return mtu == ANY_SIZE || mtu <= headers ? 0 : mtu - headers;
}

struct segment_sizes segments_for(struct segments *segments, const struct frontend *frontend)
{
	const struct config *config = segments->config;
	struct farm_ways smallest = {.v4 = ANY_SIZE, .v6 = ANY_SIZE};

	if (frontend->path != PATH_PACKET && frontend->path != PATH_AUTO)
		return (struct segment_sizes){0, 0};
	if (frontend->default_farm)
		consider_farm(segments, frontend->default_farm, &smallest);
	for (size_t i = 0; i < config->n_routes; i++)
		if (config->routes[i].frontend == frontend && config->routes[i].target)
			consider_farm(segments, config->routes[i].target, &smallest);
	return (struct segment_sizes){
		.v4 = segment_size(smallest.v4, sizeof(struct iphdr) + sizeof(struct tcphdr)),
		.v6 = segment_size(smallest.v6, sizeof(struct ip6_hdr) + sizeof(struct tcphdr)),
	};
}
