/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which server of a farm a connection goes to. Program and daemon share the state (the
 * round-robin position and the live counts are in memory both map), so a retry in the
 * daemon and a first choice in the kernel are one sequence.
 *
 * The unit that includes this header provides, beside what route.h wants,
 *	static const struct server_row *table_server(const struct tables *, __u32 id);
 *	static const struct member_row *table_member(const struct tables *, __u32 index);
 *	static const struct member_row *table_ring(const struct tables *, __u32 index);
 *	static struct farm_stats *stats_farm(__u32 id);
 *	static struct server_stats *stats_server(__u32 id);
 *	static const struct server_health *health_server(__u32 id);
 *	static __u64 clock_now(void); CLOCK_MONOTONIC, nanoseconds
 * and what stick.h wants.
 */
#ifndef ALPNLB_BALANCE_H
#define ALPNLB_BALANCE_H

#include "route.h"
#include "stick.h"

static const struct server_row *table_server(const struct tables *tables, __u32 id);
static const struct member_row *table_member(const struct tables *tables, __u32 index);
static const struct member_row *table_ring(const struct tables *tables, __u32 index);
static struct farm_stats *stats_farm(__u32 id);
static struct server_stats *stats_server(__u32 id);
static const struct server_health *health_server(__u32 id);
static __u64 clock_now(void);

/* Places of the ring to look at for a server that is up, before its members are gone through. */
#define RING_TRIES 16

struct choice {
	const struct tables *tables;
	const struct farm_row *farm;
	const __u8
		*client; /* 16 bytes: the address, which the farm may want to stick to a server */
	const __u32 *tried; /* server ids that failed this connection; NULL when tried_count is 0 */
	__u32 tried_count;
	__u32 waited;		  /* it stands in the farm's queue; others go behind those */
	__u32 full;		  /* the answer: max_connections kept it from some server ... */
	__u32 lost;		  /* ... which had a place a moment ago, or ... */
	__u32 stuck;		  /* ... which is the one it sticks to: it wants no other */
	struct farm_stats *stats; /* of the farm */
	__u64 position;		  /* what the balance says: a turn, or a hash of the source */
	/* the scan */
	__u32 first, count; /* members to look at */
	__u32 start;	    /* which of them comes first */
	__u32 server;	    /* the best so far, 0 = none */
	__u32 spared;	    /* for want of others only: its share is not a whole one yet */
	__u64 live;	    /* its live connections and weight, for leastconn */
	__u64 weight;
};

static __always_inline bool was_tried(const struct choice *c, __u32 server)
{
#ifdef __bpf__
	return false; /* the program makes first choices only */
#else
	for (__u32 i = 0; i < c->tried_count; i++)
		if (c->tried[i] == server)
			return true;
	return false;
#endif
}

/* May it have one more connection? Whether it gets that, server_take() tells. */
static __always_inline bool has_place(struct choice *c, __u32 server)
{
	const struct server_row *row = table_server(c->tables, server);
	const struct server_stats *stats = stats_server(server);

	if (!row || !stats)
		return false;
	if (!row->max_connections || stats->live < row->max_connections)
		return true;
	c->full = 1;
	return false;
}

static __always_inline bool is_up(const struct choice *c, __u32 server)
{
	const struct server_health *health = health_server(server);

	return server && health && health->state != SERVER_DOWN && !was_tried(c, server);
}

static __always_inline bool is_usable(struct choice *c, __u32 server)
{
	return is_up(c, server) && has_place(c, server);
}

/* Counts a connection as live, unless another one has just taken the last place. */
static __always_inline bool server_take(struct choice *c, __u32 server)
{
	const struct server_row *row = table_server(c->tables, server);
	struct server_stats *stats = stats_server(server);
	__u64 before;

	if (!row || !stats)
		return false;
	before = __sync_fetch_and_add(&stats->live, 1);
	if (!row->max_connections || before < row->max_connections)
		return true;
	__sync_fetch_and_add(&stats->live, -1ULL);
	c->full = c->lost = 1;
	return false;
}

/* ---- slow start -------------------------------------------------------------------------- */

#define SHARE_FULL 256

/* The part of its share that a server takes, 1..SHARE_FULL: it rises over its slow start. */
static __always_inline __u32 server_share(const struct server_row *row,
					  const struct server_stats *stats)
{
	__u64 age, all = row->slow_start * 1000000ULL;

	if (!all || !stats->up_since)
		return SHARE_FULL;
	age = clock_now() - stats->up_since;
	return age < all ? age * (SHARE_FULL - 1) / all + 1 : SHARE_FULL;
}

/*
 * Does the server leave this place of the ring to others? By a hash of the position: of a turn that
 * is as good as chance, and a client whose position is its source comes at some moment, and stays.
 */
static __always_inline bool is_spared(const struct choice *c, __u32 server)
{
	const struct server_row *row = table_server(c->tables, server);
	const struct server_stats *stats = stats_server(server);

	return row && stats && row->slow_start &&
	       hash_word(hash_word(c->position, server), SHARE_FULL) % SHARE_FULL >=
		       server_share(row, stats);
}

/* ---- the scan ---------------------------------------------------------------------------- */

/*
 * a/b < c/d without dividing: leastconn compares live connections per weight. A server in its slow
 * start weighs less, and stands behind others that have no connection either.
 */
static __always_inline void weigh(struct choice *c, __u32 server, const struct server_row *row,
				  const struct server_stats *stats)
{
	__u32 share = server_share(row, stats);
	__u64 live = stats->live + (share < SHARE_FULL), weight = (__u64)row->weight * share;

	if (c->server && live * c->weight >= c->live * weight)
		return;
	c->server = server;
	c->live = live;
	c->weight = weight;
}

/* One member: first fit, or for leastconn the lowest share of live connections by weight. */
static long member_step(__u32 index, void *context)
{
	struct choice *c = context;
	const struct server_stats *stats;
	const struct server_row *row;
	const struct member_row *member;

	if (!c->count)
		return 1;
	member = table_member(c->tables, c->first + (c->start + index) % c->count);
	if (!member || member->server == c->spared || !is_usable(c, member->server))
		return 0;
	if (c->farm->balance != BALANCE_LEASTCONN) {
		c->server = member->server;
		return 1;
	}
	stats = stats_server(member->server);
	row = table_server(c->tables, member->server);
	if (stats && row)
		weigh(c, member->server, row, stats);
	return 0;
}

/*
 * Looks through primaries, and through backups when no primary is left: one that is full will have
 * a place again.
 */
SUBPROGRAM void scan_members(struct choice *c)
{
	c->first = c->farm->member_first;
	c->count = c->farm->primary_count;
	c->start = c->position;
	LOOP(c->count, member_step, c);
	if (!c->server)
		c->server = c->spared;
	if (c->server || c->full)
		return;
	c->first += c->count;
	c->count = c->farm->member_count - c->count;
	LOOP(c->count, member_step, c);
}

/* ---- the ring ---------------------------------------------------------------------------- */

/* As weigh() compares them, of two that are looked up here, and whatever their share is. */
static __always_inline bool is_less_loaded(const struct choice *c, __u32 server, __u32 other)
{
	const struct server_stats *stats = stats_server(server), *others = stats_server(other);
	const struct server_row *row = table_server(c->tables, server);
	const struct server_row *other_row = table_server(c->tables, other);

	return stats && others && row && other_row &&
	       stats->live * other_row->weight < others->live * row->weight;
}

static __always_inline __u32 ring_server(const struct choice *c, __u64 position)
{
	const struct member_row *member =
		table_ring(c->tables, c->farm->ring_first + position % c->farm->ring_count);

	return member ? member->server : 0;
}

/*
 * The better one of two places: the power of two choices (Mitzenmacher, 2001). The numbers come of
 * a counter, so that program and daemon choose alike.
 */
static __always_inline __u32 random_server(struct choice *c)
{
	__u64 hash = hash_word(hash_word(HASH_SEED, c->position), 1);
	__u32 one = ring_server(c, hash), other = ring_server(c, hash_word(hash, 2));

	if (!is_up(c, one))
		return other;
	return is_up(c, other) && is_less_loaded(c, other, one) ? other : one;
}

static __always_inline bool goes_by_source(const struct choice *c)
{
	return c->farm->balance == BALANCE_SOURCE || c->farm->balance == BALANCE_MAGLEV;
}

/*
 * One place of the ring. Whose server is down or full takes the next turn, or by source another
 * place of its own: so only that server's clients move, and all others get their share of them.
 */
static long ring_step(__u32 index, void *context)
{
	struct choice *c = context;
	__u32 server;

	if (!c->farm->ring_count)
		return 1;
	if (index && goes_by_source(c))
		c->position = hash_word(c->position, index);
	else if (index)
		c->position = __sync_fetch_and_add(&c->stats->next, 1);
	server =
		c->farm->balance == BALANCE_RANDOM ? random_server(c) : ring_server(c, c->position);
	if (!is_usable(c, server))
		return 0;
	if (is_spared(c, server)) {
		c->spared = server;
		return 0;
	}
	c->server = server;
	return 1;
}

/* ---- the choice -------------------------------------------------------------------------- */

static __always_inline void choose_by_balance(struct choice *c, const __u64 source[2])
{
	if (goes_by_source(c))
		c->position = source_hash(source, 128);
	else if (c->farm->balance != BALANCE_FIRST)
		c->position = __sync_fetch_and_add(&c->stats->next, 1);
	if (c->farm->balance <= BALANCE_RANDOM)
		LOOP(RING_TRIES, ring_step, c);
	if (!c->server)
		scan_members(c);
}

/* Stickiness ends when the server is down, gone, or not to be used. */
static __always_inline void choose_by_stickiness(struct choice *c, __u32 farm_id)
{
	__u32 server = stick_server(c->farm, farm_id, c->client, clock_now());
	const struct server_row *row = server ? table_server(c->tables, server) : NULL;

	if (!row || row->farm != farm_id || row->use == USE_NONE || !is_up(c, server))
		return;
	c->stuck = 1;
	c->server = has_place(c, server) ? server : 0;
}

static __always_inline void stick_to(const struct choice *c, __u32 farm_id)
{
	struct stick_row row = {.used = clock_now(), .server = c->server};

	stick_store(farm_id, c->client, &row);
}

/*
 * Chooses for a client of the given source (two numbers, high half first). Returns a server
 * id, which is counted as live from now on, or 0 when the farm has none left to try.
 */
static __always_inline __u32 server_choose(struct choice *c, __u32 farm_id, const __u64 source[2])
{
	c->stats = stats_farm(farm_id);
	if (!c->stats)
		return 0;
	c->full = c->stats->in_line && !c->waited;
	if (c->full)
		return 0;
	if (c->farm->stick_ttl)
		choose_by_stickiness(c, farm_id);
	if (!c->stuck && c->farm->ring_count)
		choose_by_balance(c, source);
	if (!c->server || !server_take(c, c->server))
		return 0;
	if (c->farm->stick_ttl)
		stick_to(c, farm_id);
	return c->server;
}

#endif
