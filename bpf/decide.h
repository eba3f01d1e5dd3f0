/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The decision of a program: route, farm and server of a connection, by one generation of tables,
 * and the maps this takes.
 *
 * The unit that includes this header provides, beside what hello.h wants,
 *	static bool may_choose(__u32 farm_id);
 * False leaves the choice of a server of this farm to the daemon.
 */
#ifndef ALPNLB_DECIDE_H
#define ALPNLB_DECIDE_H

#include "flow.h"
#include "shared.h"

static bool may_choose(__u32 farm_id);

SHARED_ARRAY(farm_stats, struct farm_stats, MAX_FARMS + 1);
SHARED_ARRAY(server_health, struct server_health, MAX_SERVERS + 1);

/* Both generations of a table; inner maps are as large as the configuration needs (5.10). */
#define TABLE(name, row)                                                                           \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, 2);                                                            \
		__type(key, __u32);                                                                \
		__array(                                                                           \
			values, struct {                                                           \
				__uint(type, BPF_MAP_TYPE_ARRAY);                                  \
				__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);               \
				__uint(max_entries, 1);                                            \
				__uint(key_size, sizeof(__u32));                                   \
				__uint(value_size, sizeof(row));                                   \
			});                                                                        \
	} name SEC(".maps")

TABLE(frontends, struct frontend_row);
TABLE(routes, struct route_row);
TABLE(farms, struct farm_row);
TABLE(servers, struct server_row);
TABLE(anchors, struct anchor_row);
TABLE(candidates, struct candidate_row);
TABLE(tests, struct test_row);
TABLE(patterns, struct pattern_row);
TABLE(members, struct member_row);
TABLE(ring, struct member_row);

/*
 * By farm id; a table's size is its farm's stick_size. Not an array: to find those that there are
 * would take as many look-ups as it has places, each of which waits for RCU before 6.8.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_FARMS);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_LRU_HASH);
			__uint(max_entries, 1);
			__uint(key_size, 16);
			__uint(value_size, sizeof(struct stick_row));
		});
} sticks SEC(".maps");

struct tables {
	void *anchors, *candidates, *tests, *patterns, *members, *ring, *farms, *servers;
};

#include "balance.h"
#include "hello.h"

#define TABLE_ROW(name, plural, row)                                                               \
	static __always_inline const row *table_##name(const struct tables *t, __u32 index)        \
	{                                                                                          \
		return bpf_map_lookup_elem(t->plural, &index);                                     \
	}
TABLE_ROW(anchor, anchors, struct anchor_row)
TABLE_ROW(candidate, candidates, struct candidate_row)
TABLE_ROW(test, tests, struct test_row)
TABLE_ROW(pattern, patterns, struct pattern_row)
TABLE_ROW(member, members, struct member_row)
TABLE_ROW(ring, ring, struct member_row)
TABLE_ROW(farm, farms, struct farm_row)
TABLE_ROW(server, servers, struct server_row)

static __always_inline struct farm_stats *stats_farm(__u32 id)
{
	return bpf_map_lookup_elem(&farm_stats, &id);
}

static __always_inline struct server_stats *stats_server(__u32 id)
{
	return bpf_map_lookup_elem(&server_stats, &id);
}

static __always_inline const struct server_health *health_server(__u32 id)
{
	return bpf_map_lookup_elem(&server_health, &id);
}

static __always_inline __u64 clock_now(void)
{
	return bpf_ktime_get_ns();
}

static __always_inline bool stick_load(__u32 farm_id, const __u8 *client, struct stick_row *row)
{
	void *table = bpf_map_lookup_elem(&sticks, &farm_id);
	const struct stick_row *found = table ? bpf_map_lookup_elem(table, client) : NULL;

	if (found)
		*row = *found;
	return found;
}

static __always_inline void stick_store(__u32 farm_id, const __u8 *client,
					const struct stick_row *row)
{
	void *table = bpf_map_lookup_elem(&sticks, &farm_id);
	struct stick_row *found = table ? bpf_map_lookup_elem(table, client) : NULL;

	if (found)
		*found = *row;
	else if (table)
		bpf_map_update_elem(table, client, row, BPF_ANY);
}

/* False before the first refresh. */
static __always_inline bool tables_open(struct tables *t, __u32 half)
{
	t->anchors = bpf_map_lookup_elem(&anchors, &half);
	t->candidates = bpf_map_lookup_elem(&candidates, &half);
	t->tests = bpf_map_lookup_elem(&tests, &half);
	t->patterns = bpf_map_lookup_elem(&patterns, &half);
	t->members = bpf_map_lookup_elem(&members, &half);
	t->ring = bpf_map_lookup_elem(&ring, &half);
	t->farms = bpf_map_lookup_elem(&farms, &half);
	t->servers = bpf_map_lookup_elem(&servers, &half);
	return t->anchors && t->candidates && t->tests && t->patterns && t->members && t->ring &&
	       t->farms && t->servers;
}

/* Picks the server and writes the decision; the state that publishes it comes last. */
static __always_inline void decide(struct conn *conn, struct tables *tables, __u32 farm_id,
				   const __u64 source[2])
{
	struct choice choice = {.tables = tables, .client = conn->client};
	const struct server_row *server;

	choice.farm = table_farm(tables, farm_id);
	conn->farm_id = farm_id;
	if (!farm_id || !choice.farm || !may_choose(farm_id))
		return;
	conn->server_id = server_choose(&choice, farm_id, source);
	server = table_server(tables, conn->server_id);
	if (!server)
		return;
	__builtin_memcpy(conn->server, server->address, sizeof(conn->server));
	conn->server_port = server->port ? server->port : conn->local_port;
	conn->proxy_protocol = server->proxy_protocol;
}

/*
 * Apart from route(), so that decide() gets its place on the stack: the frames of a chain of calls
 * must not exceed 512 bytes together, each rounded up to 32 (to 16 with a JIT since 6.9).
 */
static __always_inline __u32 find_route(const struct conn *conn, const struct tables *tables,
					const struct frontend_row *frontend, const __u64 source[2])
{
	struct evaluation e = {
		.tables = tables,
		.frontend = frontend,
		.frontend_id = conn->frontend_id,
		.sni = (const struct names *)conn->hello.sni,
		.alpn = (const struct names *)conn->hello.alpn,
		.protocols = hello_protocols(conn->hello.verdict, conn->hello.flags,
					     conn->hello.version),
		.source = {source[0], source[1]},
	};

	if (conn->hello.verdict == VERDICT_TLS) {
		e.sni_len = conn->hello.sni_len;
		e.alpn_len = conn->hello.alpn_len;
	}
	return route_evaluate(&e);
}

static __always_inline const struct frontend_row *find_frontend(__u32 half, __u32 id)
{
	void *table = bpf_map_lookup_elem(&frontends, &half);
	const struct frontend_row *row = table ? bpf_map_lookup_elem(table, &id) : NULL;

	return row && row->flags & FRONTEND_EXISTS ? row : NULL;
}

/* False when the daemon has to decide. */
static __always_inline bool route(struct conn *conn)
{
	const struct frontend_row *frontend;
	const struct route_row *row;
	struct control *state;
	struct tables tables;
	__u32 zero = 0, half, farm_id, route_id;
	__u64 source[2];
	void *route_table;

	state = bpf_map_lookup_elem(&control, &zero);
	if (!state)
		return false;
	half = state->active & 1;
	frontend = find_frontend(half, conn->frontend_id);
	if (!frontend) {
		half = !half;
		frontend = find_frontend(half, conn->frontend_id);
	}
	route_table = bpf_map_lookup_elem(&routes, &half);
	if (!frontend || !route_table || !tables_open(&tables, half))
		return false;
	conn->half = half;
	source[0] = bpf_be64_to_cpu(LOAD64(conn->client));
	source[1] = bpf_be64_to_cpu(LOAD64(conn->client + 8));

	route_id = find_route(conn, &tables, frontend, source);
	if (route_id & ROUTE_ASK)
		return false;
	conn->route_id = route_id;
	row = conn->route_id ? bpf_map_lookup_elem(route_table, &conn->route_id) : NULL;
	conn->action = route_action(frontend, row, &farm_id);
	if (conn->action == ACTION_FARM)
		decide(conn, &tables, farm_id, source);
	return true;
}

#endif
