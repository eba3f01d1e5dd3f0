// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "handshake.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../kernel/interface.h"
#include "../kernel/outgoing.h"
#include "../model/prefix.h"
#include "health.h"
#include "log.h"
#include "segments.h"
#include "socket.h"

#define PROBE_OFTEN	(2000 * MILLISECOND) /* so long, a silent client is asked at each look ... */
#define PROBE_RARELY	32		     /* ... and at one of so many later */
#define OPENING_OVERDUE (1000 * MILLISECOND) /* behind its deadline: no program looks at it */

static const struct timeval look_interval = {0, 250 * 1000};
static const struct timeval settle_time = {0, 100 * 1000}; /* routes rarely change alone */

/* ---- ways -------------------------------------------------------------------------------- */

/* Where connections to a server come from. 0 or -errno. */
static int find_source(const struct config *config, const uint8_t server[16], uint8_t source[16])
{
	for (size_t i = 0; i < config->nat_ip.n; i++) {
		if (address_is_mapped(config->nat_ip.v[i].address) != address_is_mapped(server))
			continue;
		memcpy(source, config->nat_ip.v[i].address, 16);
		return 0;
	}
	return config->nat_ip.set ? -EADDRNOTAVAIL : socket_source(server, source);
}

static bool find_way(const struct handshake *h, const struct server *server, struct way *way)
{
	struct outgoing out;

	if (find_source(h->config, server->address, way->source) ||
	    outgoing_find(h->query, way->source, server->address, &out) ||
	    out.ifindex == LOOPBACK) /* what comes by there has to be from a socket */
		return false;
	way->ifindex = out.ifindex;
	way->mtu = outgoing_mtu(&out, interface_mtu(out.ifindex));
	return way->mtu;
}

/* The program reads it meanwhile: it is not to be used before it is whole. */
static bool fill_way(const struct handshake *h, const struct server *server)
{
	struct way *row = &h->openings.ways[server->o.id], way = {0};

	if (!find_way(h, server, &way)) {
		row->state = WAY_NONE;
		return false;
	}
	if (memcmp(row->source, way.source, sizeof(way.source)))
		row->state = WAY_NONE;
	memcpy(row->source, way.source, sizeof(way.source));
	row->mtu = way.mtu;
	row->ifindex = way.ifindex;
	if (row->state != WAY_UNFIT)
		__atomic_store_n(&row->state, WAY_KNOWN, __ATOMIC_RELEASE);
	return row->state == WAY_KNOWN;
}

/*
 * Is its address the one that the program sends to? The resolver changes that of the running
 * configuration before the tables follow, or fail to.
 */
static bool is_in_force(const struct handshake *h, const struct server *server)
{
	const struct server_row *row =
		tables_row(instance_tables(&h->engine->instance), servers, server->o.id);

	return row && !memcmp(row->address, server->address, sizeof(row->address));
}

/* 4 or 6, 0 = it is for sockets. */
static uint32_t family_of_farm(const struct handshake *h, const struct farm *farm)
{
	uint32_t family = 0;

	for (size_t i = 0; i < farm->n_servers; i++) {
		const struct server *server = &farm->servers[i];
		uint32_t own = address_is_mapped(server->address) ? 4 : 6;

		if (!server_is_found(server))
			continue;
		if (server->proxy_protocol || (family && family != own) ||
		    !is_in_force(h, server) || !fill_way(h, server))
			return 0;
		family = own;
	}
	return family;
}

/* A server that was unfit may have been mended. */
static void try_again(const struct handshake *h)
{
	for (size_t i = 0; i < h->config->n_farms; i++)
		for (size_t j = 0; j < h->config->farms[i].n_servers; j++) {
			struct way *way = &h->openings.ways[h->config->farms[i].servers[j].o.id];

			if (way->state == WAY_UNFIT)
				way->state = WAY_NONE;
		}
}

static void fill_ways(const struct handshake *h)
{
	for (size_t i = 0; i < h->config->n_farms; i++) {
		const struct farm *farm = &h->config->farms[i];

		h->openings.farm_ways[farm->o.id].family = family_of_farm(h, farm);
	}
}

/* ---- where to answer --------------------------------------------------------------------- */

static bool is_wanted(const struct config *config, const struct frontend *frontend)
{
	return frontend->handshake == HANDSHAKE_PACKET && !frontend->disabled &&
	       config_in_zone(config, frontend->zone);
}

static bool some_wanted(const struct config *config)
{
	for (size_t i = 0; i < config->n_frontends; i++)
		if (is_wanted(config, &config->frontends[i]))
			return true;
	return false;
}

/* Without routes that look at them nobody waits for a client's bytes. */
static bool needs_hello(const struct handshake *h, const struct frontend *frontend)
{
	const struct instance *instance = &h->engine->instance;
	const struct frontend_row *row = tables_row(
		&instance->tables[instance->control->active & 1], frontends, frontend->o.id);

	return row && row->flags & FRONTEND_NEEDS_HELLO;
}

/* False: no more rows find room, sockets answer there. */
static bool answer_at(const struct handshake *h, const struct frontend *frontend,
		      const uint8_t address[16], struct segment_sizes sizes)
{
	struct open_frontend row = {
		.frontend_id = frontend->o.id,
		.connect_timeout = frontend->connect_timeout,
		.idle_timeout = frontend->idle_timeout,
		.half_close_timeout = (frontend->half_close_timeout + 999) / 1000,
		.mss = address_is_mapped(address) ? sizes.v4 : sizes.v6,
		.generation = h->generation,
	};
	struct open_key key = {0};

	memcpy(key.address, address, sizeof(key.address));
	for (size_t i = 0; i < frontend->n_ports; i++)
		for (uint32_t port = frontend->ports[i].first; port <= frontend->ports[i].last;
		     port++) {
			key.port = htons(port);
			if (bpf_map_update_elem(openings_frontends_map(&h->openings), &key, &row,
						BPF_ANY))
				return false;
		}
	return true;
}

/* Its address alone does not tell where such a client is. */
static bool is_link_local(const uint8_t address[16])
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* At each address of the host: packets that it forwards are not for a frontend. */
static void answer_anywhere(const struct handshake *h, const struct frontend *frontend,
			    struct segment_sizes sizes)
{
	struct ifaddrs *addresses = NULL;
	uint8_t address[16];
	bool room = true;

	if (getifaddrs(&addresses))
		return;
	for (struct ifaddrs *a = addresses; a && room; a = a->ifa_next) {
		if (!a->ifa_addr ||
		    (a->ifa_addr->sa_family != AF_INET && a->ifa_addr->sa_family != AF_INET6))
			continue;
		(void)socket_endpoint((const struct sockaddr_storage *)a->ifa_addr, address);
		if (!is_link_local(address))
			room = answer_at(h, frontend, address, sizes);
	}
	freeifaddrs(addresses);
}

static void answer_for(const struct handshake *h, struct segments *segments,
		       const struct frontend *frontend)
{
	struct segment_sizes sizes = segments_for(segments, frontend);
	const struct prefix_list *addresses = &frontend->dedicated_ipfo;
	bool room = true;

	if (!addresses->set)
		answer_anywhere(h, frontend, sizes);
	for (size_t i = 0; i < addresses->n && room; i++)
		room = answer_at(h, frontend, addresses->v[i].address, sizes);
}

/* What is not of this generation goes. */
static void forget_others(const struct handshake *h)
{
	int map = openings_frontends_map(&h->openings);
	struct open_frontend row;
	struct open_key key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!bpf_map_lookup_elem(map, &key, &row) && row.generation != h->generation)
			bpf_map_delete_elem(map, &key);
	}
}

static void fill_frontends(struct handshake *h)
{
	const struct config *config = h->config;
	struct segments segments;

	h->generation++;
	if (!segments_init(&segments, config))
		for (size_t i = 0; i < config->n_frontends && !h->stopped; i++)
			if (is_wanted(config, &config->frontends[i]) &&
			    needs_hello(h, &config->frontends[i]))
				answer_for(h, &segments, &config->frontends[i]);
	segments_free(&segments);
	forget_others(h);
}

/* ---- openings ---------------------------------------------------------------------------- */

static int on_failure(void *context, void *data, size_t size)
{
	const struct open_failure *failure = data;
	const struct handshake *h = context;

	health_failed(h->engine->health, failure->server_id, failure->err, failure->began);
	return 0;
}

/* Whoever has nothing to say is asked, in order that the program has a packet to go on with. */
static bool is_stuck(const struct opening *opening, uint64_t now)
{
	uint64_t age = now - opening->began;

	if (opening->state == OPENING_CONNECTS)
		return now - opening->asked > opening->connect_timeout * MILLISECOND;
	return opening->state == OPENING_WAITS && !opening->len && age > OPENING_SILENT &&
	       (age < PROBE_OFTEN || !(age / (250 * MILLISECOND) % PROBE_RARELY));
}

/* Its answer makes a socket of it, see go_on() of the program. */
static void probe(struct handshake *h, const struct flow_key *key, const struct opening *opening)
{
	uint32_t timestamps[] = {opening->tsecr, opening->tsval};

	(void)keepalive_send(&h->probes, key, opening->answer, opening->start,
			     opening->timestamps ? timestamps : NULL);
}

/* Nobody went on with it in time. */
static void remove_opening(const struct handshake *h, const struct flow_key *key,
			   const struct opening *opening)
{
	struct instance *instance = &h->engine->instance;

	if (bpf_map_delete_elem(openings_map(&h->openings), key) ||
	    opening->state != OPENING_CONNECTS || opening->server_id > MAX_SERVERS)
		return;
	bpf_map_delete_elem(flows_map(&h->engine->flows), &opening->server);
	__atomic_fetch_add(&instance->balance.servers[opening->server_id].live, -1ULL,
			   __ATOMIC_RELAXED);
}

static void look_at(struct handshake *h, const struct flow_key *key, const struct opening *opening,
		    uint64_t now)
{
	if (now > opening->deadline + OPENING_OVERDUE)
		remove_opening(h, key, opening);
	else if (is_stuck(opening, now))
		probe(h, key, opening);
}

/* May the program answer clients? */
static void control_program(const struct handshake *h)
{
	h->openings.control->stopped = h->stopped || h->engine->ports.disputed;
	h->openings.control->until = monotonic_time() + OPENING_ALONE;
}

static void on_look(evutil_socket_t fd, short what, void *argument)
{
	struct handshake *h = argument;
	int map = openings_map(&h->openings);
	uint64_t now = monotonic_time();
	struct flow_key key, next;
	struct opening opening;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	control_program(h);
	ring_buffer__consume(h->failures);
	while (more) {
		key = next;
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!bpf_map_lookup_elem(map, &key, &opening))
			look_at(h, &key, &opening, now);
	}
}

/* ---- routes ------------------------------------------------------------------------------ */

static void on_settled(evutil_socket_t fd, short what, void *argument)
{
	struct handshake *h = argument;

	fill_ways(h);
	fill_frontends(h);
}

static void on_routes(evutil_socket_t fd, short what, void *argument)
{
	struct handshake *h = argument;

	rtnetlink_drain(fd);
	if (!event_pending(h->settle, EV_TIMEOUT, NULL)) /* where they never rest, it looks, too */
		event_add(h->settle, &settle_time);
}

/* ---- life -------------------------------------------------------------------------------- */

void handshake_init(struct handshake *h, struct engine *engine, struct event_base *base)
{
	h->engine = engine;
	h->base = base;
	h->watch = h->query = -1;
	h->probes = RESET_SOCKETS_NONE;
}

static int watch(struct handshake *h)
{
	h->query = outgoing_open();
	h->watch = rtnetlink_watch(RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
				   RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
	if (h->query < 0 || h->watch < 0)
		return h->query < 0 ? h->query : h->watch;
	h->failures = ring_buffer__new(openings_failures_ring(&h->openings), on_failure, h, NULL);
	h->look = event_new(h->base, -1, EV_PERSIST, on_look, h);
	h->settle = event_new(h->base, -1, 0, on_settled, h);
	h->routes = event_new(h->base, h->watch, EV_READ | EV_PERSIST, on_routes, h);
	if (!h->failures || !h->look || !h->settle || !h->routes)
		return -ENOMEM;
	event_add(h->look, &look_interval);
	event_add(h->routes, NULL);
	return 0;
}

static int start(struct handshake *h, const char **failed)
{
	int err;

	*failed = "use the packet path";
	if (!h->engine->flows.programs)
		return -EOPNOTSUPP;
	err = openings_open(&h->openings, &h->engine->flows, &h->engine->door.acl, failed);
	if (err)
		return err;
	*failed = "watch the openings";
	return watch(h);
}

static void warn_of_hellos(const struct handshake *h)
{
	for (size_t i = 0; i < h->config->n_frontends; i++) {
		const struct frontend *frontend = &h->config->frontends[i];

		if (is_wanted(h->config, frontend) && !needs_hello(h, frontend))
			log_line(LOG_WARN,
				 "frontend %s: handshake packet is for frontends with a route that "
				 "looks at the client's first bytes: sockets answer there",
				 frontend->o.name);
	}
}

/* The upper half of the range is the program's. */
static uint32_t own_ports(const struct port_range *range)
{
	return (range->last - range->first + 1) / 2;
}

struct port_range handshake_others(const struct handshake *h, const struct port_range *range)
{
	struct port_range others = *range;

	if (h->openings.programs)
		others.last -= own_ports(range);
	return others;
}

/* Is the way to a server the same? `a` is that of the running configuration. */
static bool same_way(const struct handshake *h, const struct server *a, const struct server *b)
{
	return a->o.id == b->o.id && is_in_force(h, b) && a->proxy_protocol == b->proxy_protocol;
}

static bool same_ways(const struct handshake *h, const struct farm *a, const struct farm *b)
{
	if (a->o.id != b->o.id || a->n_servers != b->n_servers)
		return false;
	for (size_t i = 0; i < a->n_servers; i++)
		if (!same_way(h, &a->servers[i], &b->servers[i]))
			return false;
	return true;
}

/* By farm id: those whose ways are the same in both. NULL: nothing is known of them. */
static bool *farms_that_stay(const struct handshake *h, const struct config *next)
{
	const struct farm **farms = calloc(MAX_FARMS + 1, sizeof(*farms));
	bool *stay = calloc(MAX_FARMS + 1, sizeof(*stay));

	for (size_t i = 0; farms && stay && i < h->config->n_farms; i++)
		farms[h->config->farms[i].o.id] = &h->config->farms[i];
	for (size_t i = 0; farms && stay && i < next->n_farms; i++) {
		uint32_t id = next->farms[i].o.id;

		stay[id] = farms[id] && same_ways(h, farms[id], &next->farms[i]);
	}
	free(farms);
	return stay;
}

static bool same_addresses(const struct prefix_list *a, const struct prefix_list *b)
{
	bool same = a->set == b->set && a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = !prefix_compare(&a->v[i], &b->v[i]);
	return same;
}

/* Do connections to servers come from the same addresses and ports? */
static bool same_sources(const struct config *a, const struct config *b)
{
	return !memcmp(&a->nat_ports, &b->nat_ports, sizeof(a->nat_ports)) &&
	       same_addresses(&a->nat_ip, &b->nat_ip);
}

/* Does the program answer at the same addresses and ports for it? */
static bool same_endpoints(const struct frontend *a, const struct frontend *b)
{
	return a->o.id == b->o.id && a->n_ports == b->n_ports &&
	       !memcmp(a->ports, b->ports, a->n_ports * sizeof(*a->ports)) &&
	       same_addresses(&a->dedicated_ipfo, &b->dedicated_ipfo);
}

/*
 * A port goes to its new frontend in the moment the tables change; the program hears of it only
 * afterwards.
 */
static bool same_frontends(const struct config *a, const struct config *b)
{
	bool same = a->n_frontends == b->n_frontends;

	for (size_t i = 0; same && i < a->n_frontends; i++)
		same = same_endpoints(&a->frontends[i], &b->frontends[i]) &&
		       is_wanted(a, &a->frontends[i]) == is_wanted(b, &b->frontends[i]);
	return same;
}

void handshake_pause(struct handshake *h, const struct config *next)
{
	bool *stay = NULL;

	if (!h->openings.programs)
		return;
	if (same_sources(h->config, next) && same_frontends(h->config, next))
		stay = farms_that_stay(h, next);
	for (uint32_t id = 1; id <= MAX_FARMS; id++)
		if (!stay || !stay[id])
			h->openings.farm_ways[id].family = 0;
	free(stay);
}

void handshake_resume(struct handshake *h)
{
	if (h->openings.programs && h->config)
		fill_ways(h);
}

void handshake_configure(struct handshake *h, const struct config *config)
{
	const char *failed;
	int err = 0;

	h->config = config;
	if (h->refused || (!h->openings.programs && !some_wanted(config)))
		return;
	if (!h->openings.programs)
		err = start(h, &failed);
	if (err) {
		log_line(LOG_WARN, "handshake packet is left to sockets: cannot %s: %s", failed,
			 strerror(-err));
		h->refused = true;
		return;
	}
	h->openings.control->port_count = own_ports(&config->nat_ports);
	h->openings.control->port_first =
		config->nat_ports.last + 1 - h->openings.control->port_count;
	control_program(h);
	warn_of_hellos(h);
	fill_frontends(h); /* before there are ways: clients go by the frontend of their port */
	try_again(h);
	fill_ways(h);
}

void handshake_stop(struct handshake *h)
{
	if (!h->openings.programs || h->refused)
		return;
	h->stopped = true;
	h->openings.control->stopped = true;
	fill_frontends(h);
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void handshake_free(struct handshake *h)
{
	if (!h->engine)
		return;
	handshake_stop(h);
	free_event(h->look);
	free_event(h->settle);
	free_event(h->routes);
	ring_buffer__free(h->failures);
	if (h->watch >= 0)
		close(h->watch);
	if (h->query >= 0)
		close(h->query);
	reset_sockets_close(&h->probes);
	openings_close(&h->openings);
	memset(h, 0, sizeof(*h));
}
