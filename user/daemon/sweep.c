// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sweep.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../kernel/outgoing.h"
#include "../kernel/unfinished.h"
#include "events.h"
#include "health.h"
#include "log.h"

#define LOOK_INTERVAL  250		   /* milliseconds from one look at the rings to the next */
#define ADOPT_INTERVAL 10		   /* while flows are still to be taken over, and ... */
#define ADOPT_TIME     (100 * MILLISECOND) /* ... how long the start waits for that */
#define LOOK_TIME      (10 * MILLISECOND)  /* of one look, or little more: others have to wait */
#define SWEEP_INTERVAL (30000 * MILLISECOND) /* between sweeps of the whole table, at most ... */
#define SWEEP_MIN      (1000 * MILLISECOND)
#define IDLE_LOOKS     4 /* ... and so many within the shortest idle timeout */

/* A flow that seems to have ended, and lingers. */
struct lingering {
	struct flow_key key;
	uint64_t since; /* monotonic_time() */
	struct lingering *next;
};

/* ---- flows that have ended --------------------------------------------------------------- */

static void linger(struct sweeper *sweeper, const struct flow_key *key)
{
	struct lingering *l = malloc(sizeof(*l));

	if (!l)
		return; /* the sweep finds it */
	l->key = *key;
	l->since = monotonic_time();
	l->next = NULL;
	*sweeper->last = l;
	sweeper->last = &l->next;
}

/* A server that resets before its first byte may be one that fails. */
static void look_at_end(const struct sweeper *sweeper, const struct flow_key *key)
{
	struct flow flow;

	if (flows_find(flows_map(&sweeper->engine->flows), key, &flow) && flow.reset &&
	    !stream_bytes(&flow))
		health_failed(sweeper->engine->health, flow.server_id, 0, flow.reset);
}

static int on_closed(void *context, void *data, size_t size)
{
	const struct flow_event *event = data;

	look_at_end(context, &event->key[SERVER]);
	linger(context, &event->key[SERVER]);
	return 0;
}

static void count_live(struct sweeper *sweeper, uint32_t frontend, uint32_t route, uint32_t server)
{
	struct instance *instance = &sweeper->engine->instance;

	if (frontend <= MAX_FRONTENDS)
		__atomic_fetch_add(&instance->frontend_stats[frontend].live, 1, __ATOMIC_RELAXED);
	if (route <= MAX_ROUTES)
		__atomic_fetch_add(&instance->route_stats[route].live, 1, __ATOMIC_RELAXED);
	if (server <= MAX_SERVERS)
		__atomic_fetch_add(&instance->balance.servers[server].live, 1, __ATOMIC_RELAXED);
}

/*
 * A flow whose port is not in the book: the program has opened it, or it is an earlier daemon's
 * that is counted as live only when it is taken over.
 */
static void forget_unknown(struct sweeper *sweeper, const struct flow_event *event)
{
	struct instance *instance = &sweeper->engine->instance;

	if (event->started >= instance->control->began)
		__atomic_fetch_add(&instance->counters[COUNTER_PORTS_IN_USE], -1ULL,
				   __ATOMIC_RELAXED);
	else if (event->was_live)
		count_live(sweeper, event->frontend_id, event->route_id, event->server_id);
}

static int on_removed(void *context, void *data, size_t size)
{
	struct sweeper *sweeper = context;
	const struct flow_event *event = data;

	/* Who asked for the end has told both sides. */
	if (event->end != FLOW_END_CLOSED && event->end != FLOW_END_FORCED &&
	    event->end < FLOW_END_COUNTER)
		(void)flow_reset(&sweeper->resets, event);
	if (!ports_give_flow(&sweeper->engine->ports, &event->key[SERVER]))
		forget_unknown(sweeper, event);
	event_flow(event);
	return 0;
}

static struct lingering *take_first(struct sweeper *sweeper)
{
	struct lingering *l = sweeper->first;

	sweeper->first = l->next;
	if (!l->next)
		sweeper->last = &sweeper->first;
	return l;
}

static int remove_flows(struct sweeper *sweeper, struct remove_request *request)
{
	int err = flows_remove(flows_remove_program(&sweeper->engine->flows), request);

	ring_buffer__consume(sweeper->removed);
	return err;
}

/* Those that cannot go yet stand at the end of the line again. */
static bool remove_some(struct sweeper *sweeper, uint64_t before)
{
	struct remove_request request = {0};

	while (request.n < REMOVE_MAX && sweeper->first && sweeper->first->since <= before) {
		struct lingering *l = take_first(sweeper);

		request.keys[request.n++] = l->key;
		free(l);
	}
	if (!request.n || remove_flows(sweeper, &request))
		return false;
	for (uint32_t i = 0; i < request.n; i++)
		if (!request.removed[i])
			linger(sweeper, &request.keys[i]);
	return true;
}

/* ---- the whole table --------------------------------------------------------------------- */

/* Entries that a look came by. */
struct piece {
	struct sweeper *sweeper;
	uint64_t now; /* nanoseconds */
	struct remove_request expired;
};

/* Of an entry: the key of the server's packets. */
static void server_key(const struct flow_key *key, const struct flow *flow, struct flow_key *server)
{
	if (flow->constant & FLOW_FROM_SERVER)
		*server = *key;
	else
		key_of_peer(flow, server);
}

/* As far as one entry tells, unless it is the client's and the server's tells the same. */
static bool has_ended(int map, const struct flow *flow)
{
	struct flow_key key = {0};
	struct flow peer;

	if (flow->state & (FLOW_ORPHAN | FLOW_GOT_RESET))
		return true;
	if (!(flow->constant & FLOW_FROM_SERVER && flow->state & FLOW_FIN_ACKED))
		return false;
	key_of_peer(flow, &key);
	return flows_find(map, &key, &peer) && finished(flow, &peer);
}

/* At once, and with a reset to both ends. */
static bool end_flow(struct sweeper *sweeper, const struct flow_event *event)
{
	struct remove_request request = {.n = 1, .force = FLOW_END_FORCED};

	request.keys[0] = event->key[SERVER];
	if (remove_flows(sweeper, &request) || !request.removed[0])
		return false;
	(void)flow_reset(&sweeper->resets, event);
	return true;
}

/*
 * The program was opening it, and left it with its daemon. What the server still answers, it hears
 * from the host's stack that there is no connection.
 */
static void forget_opening(struct sweeper *sweeper, const struct flow_key *key,
			   const struct flow *flow)
{
	int map = flows_map(&sweeper->engine->flows);
	struct spliced spliced;
	struct spliced_cut cut;

	key_of_peer(flow, &spliced.key[CLIENT]);
	if (!spliced_find(map, &spliced) || memcmp(&spliced.key[SERVER], key, sizeof(*key))) {
		bpf_map_delete_elem(map, key);
		return;
	}
	/* Not all of the client's bytes may have been sent. */
	cut = spliced_cut_of(&spliced);
	(void)end_flow(sweeper, &cut.event);
}

/* A flow of an earlier daemon is a live connection, and has a port; nobody may know of its end. */
static void adopt_entry(const struct flow_key *key, const struct flow *flow, void *context)
{
	struct sweeper *sweeper = ((struct piece *)context)->sweeper;
	struct flow_key server;

	if (flow->started >= sweeper->engine->instance.control->began)
		return;
	if (flow->state & FLOW_PENDING) {
		forget_opening(sweeper, key, flow);
		return;
	}
	server_key(key, flow, &server);
	if (has_ended(flows_map(&sweeper->engine->flows), flow))
		linger(sweeper, &server);
	if (!(flow->constant & FLOW_FROM_SERVER))
		return;
	sweeper->adopted++;
	ports_take_flow(&sweeper->engine->ports, key);
	if (!(flow->state & FLOW_ENDED))
		count_live(sweeper, flow->frontend_id, flow->route_id, flow->server_id);
}

static void remove_expired(struct piece *piece)
{
	if (piece->expired.n)
		(void)remove_flows(piece->sweeper, &piece->expired);
	piece->expired.n = 0;
}

static void sweep_entry(const struct flow_key *key, const struct flow *flow, void *context)
{
	struct piece *piece = context;

	if (flow_expires_not_before(flow) > piece->now)
		return;
	server_key(key, flow, &piece->expired.keys[piece->expired.n]);
	if (++piece->expired.n == REMOVE_MAX)
		remove_expired(piece);
}

/* Bytes, and acknowledgements, may have been lost with their sockets. */
static void end_unfinished(struct sweeper *sweeper)
{
	struct spliced_cuts cuts = {0};
	uint32_t ended = 0;

	unfinished_find(sweeper->engine->instance.name, &cuts);
	for (size_t i = 0; i < cuts.n; i++)
		ended += end_flow(sweeper, &cuts.v[i].event);
	free(cuts.v);
	if (ended)
		log_line(LOG_INFO,
			 "ends %u connections that an earlier daemon was handing over to the "
			 "packet path",
			 ended);
}

/* The last of the earlier daemon's flows is taken over. */
static void end_adoption(struct sweeper *sweeper, int err)
{
	if (err)
		log_line(LOG_ERROR, "cannot take over spliced connections of an earlier daemon: %s",
			 strerror(-err));
	else
		sweeper->engine->ports.whole = true;
	if (sweeper->adopted)
		log_line(LOG_INFO, "goes on with %u spliced connections of an earlier daemon",
			 sweeper->adopted);
}

/* Goes on with a walk for some time. */
static void walk_until(struct sweeper *sweeper, uint64_t end)
{
	while (sweeper->step && monotonic_time() < end) {
		struct piece piece = {.sweeper = sweeper, .now = monotonic_time()};
		int more = flow_walk_on(&sweeper->walk, flows_map(&sweeper->engine->flows),
					sweeper->step, &piece);

		remove_expired(&piece);
		if (more > 0)
			continue;
		if (sweeper->step == adopt_entry)
			end_adoption(sweeper, more);
		sweeper->step = NULL;
	}
}

static uint64_t time_of_next_sweep(const struct sweeper *sweeper, uint64_t now)
{
	uint64_t wait = SWEEP_INTERVAL, idle = sweeper->shortest_idle * MILLISECOND;

	if (idle && idle / IDLE_LOOKS < wait)
		wait = idle / IDLE_LOOKS;
	return now + (wait > SWEEP_MIN ? wait : SWEEP_MIN);
}

/* ---- ports of other instances ------------------------------------------------------------ */

static void log_dispute(const struct claim *claim, bool disputed, const char *other)
{
	if (disputed)
		log_line(LOG_WARN,
			 "nat_ports %u-%u: instance '%s' on this host uses these, so connections "
			 "take other paths; give one of the two other nat_ports, or another nat_ip",
			 claim->first, claim->last, other);
	else
		log_line(LOG_INFO, "nat_ports %u-%u: no other instance uses these any more",
			 claim->first, claim->last);
}

/* The claim is there for others before the look at theirs; who finds an older one withdraws. */
static void claim_ports(struct sweeper *sweeper)
{
	const struct flows *flows = &sweeper->engine->flows;
	struct ports *ports = &sweeper->engine->ports;
	struct claim none = {0};
	char other[NAME_MAX + 1];
	bool disputed;

	(void)claim_write(flows->claim, &sweeper->claim);
	disputed = claim_disputed(flows->instance->name, &sweeper->claim, other);
	if (disputed)
		(void)claim_write(flows->claim, &none);
	if (disputed != ports->disputed)
		log_dispute(&sweeper->claim, disputed, other);
	ports->disputed = disputed;
}

static void claim_again(struct sweeper *sweeper)
{
	sweeper->claim.since = monotonic_time();
	claim_ports(sweeper);
}

void sweeper_claim(struct sweeper *sweeper, const struct config *config)
{
	struct claim claim;

	if (!sweeper->event)
		return;
	claim_fill(&claim, &config->nat_ports, &config->nat_ip, sweeper->claim.since);
	if (!memcmp(&claim, &sweeper->claim, sizeof(claim)) && !sweeper->engine->ports.disputed)
		return;
	sweeper->claim = claim;
	claim_again(sweeper);
}

/* ---- timers ------------------------------------------------------------------------------ */

static void await_next_look(struct sweeper *sweeper)
{
	uint32_t wait = sweeper->step == adopt_entry ? ADOPT_INTERVAL : LOOK_INTERVAL;
	struct timeval interval = {.tv_usec = wait * 1000};

	event_add(sweeper->event, &interval);
}

static void on_look(evutil_socket_t fd, short what, void *argument)
{
	struct sweeper *sweeper = argument;
	uint64_t began = monotonic_time(), end = began + LOOK_TIME;

	ring_buffer__consume(sweeper->closed);
	while (monotonic_time() < end && remove_some(sweeper, began - FLOW_LINGER))
		;
	if (!sweeper->step && began >= sweeper->next_sweep) {
		sweeper->next_sweep = time_of_next_sweep(sweeper, began);
		sweeper->step = sweep_entry;
		if (sweeper->engine->ports.disputed)
			claim_again(sweeper);
	}
	walk_until(sweeper, end);
	ring_buffer__consume(sweeper->removed);
	await_next_look(sweeper);
}

/* An interface came, went or changed. One that cannot be attached to is not used. */
static void on_interfaces(evutil_socket_t fd, short what, void *argument)
{
	struct sweeper *sweeper = argument;

	rtnetlink_drain(fd);
	(void)flows_attach(&sweeper->engine->flows);
}

static int watch_interfaces(struct sweeper *sweeper, struct event_base *base)
{
	sweeper->netlink = rtnetlink_watch(RTMGRP_LINK);
	if (sweeper->netlink < 0)
		return sweeper->netlink;
	sweeper->interfaces =
		event_new(base, sweeper->netlink, EV_READ | EV_PERSIST, on_interfaces, sweeper);
	return sweeper->interfaces && !event_add(sweeper->interfaces, NULL) ? 0 : -ENOMEM;
}

/* Does a limit want to know of all connections that there are? */
static bool has_limits(const struct config *config)
{
	for (size_t i = 0; i < config->n_frontends; i++)
		if (config->frontends[i].max_connections)
			return true;
	for (size_t i = 0; i < config->n_farms; i++)
		for (size_t j = 0; j < config->farms[i].n_servers; j++)
			if (config->farms[i].servers[j].max_connections)
				return true;
	return false;
}

void sweeper_adopt(struct sweeper *sweeper, const struct config *config)
{
	end_unfinished(sweeper);
	sweeper->step = adopt_entry;
	walk_until(sweeper, has_limits(config) ? UINT64_MAX : monotonic_time() + ADOPT_TIME);
}

void sweeper_start(struct sweeper *sweeper, uint32_t shortest_idle)
{
	uint64_t next;

	if (!sweeper->event)
		return;
	sweeper->shortest_idle = shortest_idle;
	/* Not at once: to go through the table takes a processor from connections for long. */
	next = time_of_next_sweep(sweeper, monotonic_time());
	if (next < sweeper->next_sweep)
		sweeper->next_sweep = next;
	await_next_look(sweeper);
}

/* ---- life -------------------------------------------------------------------------------- */

int sweeper_init(struct sweeper *sweeper, struct engine *engine, struct event_base *base)
{
	memset(sweeper, 0, sizeof(*sweeper));
	sweeper->last = &sweeper->first;
	sweeper->engine = engine;
	sweeper->resets = RESET_SOCKETS_NONE;
	sweeper->event = event_new(base, -1, 0, on_look, sweeper);
	sweeper->closed =
		ring_buffer__new(flows_closed_ring(&engine->flows), on_closed, sweeper, NULL);
	sweeper->removed =
		ring_buffer__new(flows_removed_ring(&engine->flows), on_removed, sweeper, NULL);
	if (!sweeper->event || !sweeper->closed || !sweeper->removed)
		return -ENOMEM;
	return watch_interfaces(sweeper, base);
}

void sweeper_free(struct sweeper *sweeper)
{
	if (!sweeper->engine)
		return;
	if (sweeper->event)
		event_free(sweeper->event);
	if (sweeper->interfaces)
		event_free(sweeper->interfaces);
	if (sweeper->netlink > 0)
		close(sweeper->netlink);
	flow_walk_free(&sweeper->walk);
	reset_sockets_close(&sweeper->resets);
	ring_buffer__free(sweeper->closed);
	ring_buffer__free(sweeper->removed);
	while (sweeper->first)
		free(take_first(sweeper));
	memset(sweeper, 0, sizeof(*sweeper));
}
