/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flows.h"
#include "pin.h"
#include "spliced.h"
#include "view.h"

#define CONFIG_TRIES 16 /* times a refresh may come in between while the text is copied */

/* What this version expects of each map. */
static const struct {
	const char *name;
	size_t value_size;
	size_t rows; /* at least */
} expected[VIEW_MAX] = {
	[VIEW_CONTROL] = {"control", sizeof(struct control), 1},
	[VIEW_CONNS] = {"conns", sizeof(struct conn), 1},
	[VIEW_COUNTERS] = {"counters", sizeof(__u64), COUNTER_MAX},
	[VIEW_FRONTEND_STATS] = {"frontend_stats", sizeof(struct frontend_stats), 1},
	[VIEW_ROUTE_STATS] = {"route_stats", sizeof(struct route_stats), 1},
	[VIEW_FARM_STATS] = {"farm_stats", sizeof(struct farm_stats), 1},
	[VIEW_SERVER_STATS] = {"server_stats", sizeof(struct server_stats), 1},
	[VIEW_SERVER_HEALTH] = {"server_health", sizeof(struct server_health), 1},
};

/* Maps an array map read-only. Returns 0 or -errno. */
static int map_rows(int fd, struct view_map *map)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || !(info.map_flags & BPF_F_MMAPABLE))
		return -EPROTO;
	map->n = info.max_entries;
	map->stride = (info.value_size + 7) & ~(size_t)7; /* as the kernel lays arrays out */
	map->size = (map->n * map->stride + page - 1) & ~(page - 1);
	map->rows = mmap(NULL, map->size, PROT_READ, MAP_SHARED, fd, 0);
	if (map->rows == MAP_FAILED) {
		map->rows = NULL;
		return -errno;
	}
	return 0;
}

static void unmap_rows(struct view_map *map)
{
	if (map->rows)
		munmap(map->rows, map->size);
	map->rows = NULL;
}

static int open_map(const char *instance, enum view_map_id id, struct view_map *map)
{
	int fd = pin_open(instance, expected[id].name), err;

	if (fd < 0)
		return fd;
	err = map_rows(fd, map);
	close(fd);
	if (!err && (map->stride != ((expected[id].value_size + 7) & ~(size_t)7) ||
		     map->n < expected[id].rows))
		err = -EPROTO;
	return err;
}

int view_open(const char *instance, struct view *view)
{
	*view = (struct view){.config = -1};
	for (size_t i = 0; i < VIEW_MAX; i++) {
		int err = open_map(instance, i, &view->maps[i]);

		if (err) {
			view->failed = expected[i].name;
			return err;
		}
	}
	view->config = pin_open(instance, "config");
	if (view->config < 0)
		view->failed = "config";
	return view->config < 0 ? view->config : 0;
}

void view_close(struct view *view)
{
	for (size_t i = 0; i < VIEW_MAX; i++)
		unmap_rows(&view->maps[i]);
	free(view->frontends);
	free(view->routes);
	free(view->servers);
	free(view->drops);
	view->frontends = view->routes = view->servers = NULL;
	view->drops = NULL;
	if (view->config >= 0)
		close(view->config);
	view->config = -1;
}

static struct control read_control(const struct view *view)
{
	const struct control *control = view->maps[VIEW_CONTROL].rows;

	return (struct control){
		.active = __atomic_load_n(&control->active, __ATOMIC_ACQUIRE),
		.revision = __atomic_load_n(&control->revision, __ATOMIC_ACQUIRE),
	};
}

/* Copies the text out of one of the two `config` tables. */
static int copy_config(const struct view *view, __u32 half, char **text, size_t *len)
{
	struct view_map map = {0};
	__u64 length = 0;
	__u32 map_id;
	int fd, err;

	if (bpf_map_lookup_elem(view->config, &half, &map_id))
		return -errno;
	fd = bpf_map_get_fd_by_id(map_id);
	if (fd < 0)
		return -errno;
	err = map_rows(fd, &map);
	close(fd);
	if (err)
		return err;
	memcpy(&length, map.rows, sizeof(length));
	if (length == 0)
		err = -ENODATA;
	else if (length > map.n * map.stride - sizeof(length))
		err = -EPROTO;
	else if (!(*text = calloc(1, length + 1)))
		err = -ENOMEM;
	else
		memcpy(*text, (char *)map.rows + sizeof(length), length);
	unmap_rows(&map);
	*len = length;
	return err;
}

/*
 * A refresh writes only the half that is not in force. So if the same revision is in force
 * before and after, what was copied in between is whole.
 */
int view_config(const struct view *view, char **text, size_t *len, uint32_t *revision)
{
	for (int try = 0; try < CONFIG_TRIES; try++) {
		struct control before = read_control(view), after;
		int err;

		*text = NULL;
		err = copy_config(view, before.active, text, len);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = read_control(view);
		if (before.active == after.active && before.revision == after.revision) {
			*revision = after.revision;
			return err;
		}
		free(*text);
		*text = NULL;
	}
	return -EBUSY;
}

size_t view_conns(const struct view *view)
{
	return view->maps[VIEW_CONNS].n;
}

bool view_conn(const struct view *view, size_t slot, struct conn *conn)
{
	const struct view_map *map = &view->maps[VIEW_CONNS];
	const struct conn *live = (void *)((char *)map->rows + slot * map->stride);
	__u32 state = __atomic_load_n(&live->state, __ATOMIC_ACQUIRE);
	__u32 serial = __atomic_load_n(&live->serial, __ATOMIC_ACQUIRE);

	if (state == CONN_FREE)
		return false;
	memcpy(conn, live, sizeof(*conn));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&live->serial, __ATOMIC_ACQUIRE) == serial &&
	       __atomic_load_n(&live->state, __ATOMIC_ACQUIRE) == state;
}

/* A row in shared memory, or NULL. */
static const void *row(const struct view *view, enum view_map_id id, size_t index)
{
	const struct view_map *map = &view->maps[id];

	return index < map->n ? (char *)map->rows + index * map->stride : NULL;
}

uint64_t view_counter(const struct view *view, enum counter counter)
{
	const __u64 *value = row(view, VIEW_COUNTERS, counter);

	return value ? __atomic_load_n(value, __ATOMIC_RELAXED) : 0;
}

/* ---- statistics ---------------------------------------------------------------------- */

static void add_flow(struct traffic *traffic, const struct flow *flow)
{
	int side = flow->constant & FLOW_FROM_SERVER ? SERVER : CLIENT;

	traffic->bytes[side] += stream_bytes(flow);
	traffic->packets[side] += flow->packets;
}

static void add_entry(const struct flow_key *key, const struct flow *flow, void *context)
{
	struct view *view = context;

	if (flow->frontend_id <= MAX_FRONTENDS)
		add_flow(&view->frontends[flow->frontend_id], flow);
	if (flow->route_id <= MAX_ROUTES)
		add_flow(&view->routes[flow->route_id], flow);
	if (flow->server_id <= MAX_SERVERS)
		add_flow(&view->servers[flow->server_id], flow);
}

static bool any_flow(const struct flow_key *key, const struct flow *server, void *context)
{
	return true;
}

static void count_live(const struct spliced *spliced, void *context)
{
	const struct flow *flow = &spliced->flow[SERVER];
	struct view *view = context;

	if (!spliced_lives(spliced))
		return;
	if (flow->frontend_id <= MAX_FRONTENDS)
		view->frontends[flow->frontend_id].live++;
	if (flow->route_id <= MAX_ROUTES)
		view->routes[flow->route_id].live++;
	if (flow->server_id <= MAX_SERVERS)
		view->servers[flow->server_id].live++;
}

static int add_flows(struct view *view, int map)
{
	int err;

	view->frontends = calloc(MAX_FRONTENDS + 1, sizeof(*view->frontends));
	view->routes = calloc(MAX_ROUTES + 1, sizeof(*view->routes));
	view->servers = calloc(MAX_SERVERS + 1, sizeof(*view->servers));
	if (!view->frontends || !view->routes || !view->servers)
		return -ENOMEM;
	err = flows_walk(map, add_entry, view);
	return err || !view->alone ? err : spliced_walk(map, any_flow, count_live, view);
}

int view_add_flows(struct view *view, const char *instance, bool daemon)
{
	int map = spliced_open(instance), err = door_drops_read(instance, &view->drops);

	view->alone = !daemon;
	if (map < 0)
		return map == -ENOENT || map == -EPROTO ? err : map;
	if (err) {
		close(map);
		return err;
	}
	err = add_flows(view, map);
	close(map);
	return err;
}

/* Adds what is in row `id` of `flows`, if that was asked for. */
static void add_traffic(const struct view *view, const struct traffic *flows, uint32_t id,
			__u64 *live, __u64 bytes[2], __u64 packets[2])
{
	if (view->alone)
		*live = flows ? flows[id].live : 0;
	for (int side = 0; flows && side < 2; side++) {
		bytes[side] += flows[id].bytes[side];
		packets[side] += flows[id].packets[side];
	}
}

struct door_drops view_drops(const struct view *view, uint32_t frontend_id)
{
	return view->drops && frontend_id <= MAX_FRONTENDS ? view->drops[frontend_id]
							   : (struct door_drops){0};
}

struct frontend_stats view_frontend_stats(const struct view *view, uint32_t id)
{
	const struct frontend_stats *live = row(view, VIEW_FRONTEND_STATS, id);
	struct frontend_stats stats = live ? *live : (struct frontend_stats){0};

	if (id <= MAX_FRONTENDS)
		add_traffic(view, view->frontends, id, &stats.live, stats.bytes, stats.packets);
	return stats;
}

struct route_stats view_route_stats(const struct view *view, uint32_t id)
{
	const struct route_stats *live = row(view, VIEW_ROUTE_STATS, id);
	struct route_stats stats = live ? *live : (struct route_stats){0};

	if (id <= MAX_ROUTES)
		add_traffic(view, view->routes, id, &stats.live, stats.bytes, stats.packets);
	return stats;
}

struct farm_stats view_farm_stats(const struct view *view, uint32_t id)
{
	const struct farm_stats *stats = row(view, VIEW_FARM_STATS, id);

	return stats ? *stats : (struct farm_stats){0};
}

struct server_stats view_server_stats(const struct view *view, uint32_t id)
{
	const struct server_stats *live = row(view, VIEW_SERVER_STATS, id);
	struct server_stats stats = live ? *live : (struct server_stats){0};

	if (id <= MAX_SERVERS)
		add_traffic(view, view->servers, id, &stats.live, stats.bytes, stats.packets);
	return stats;
}

/* ---- health -------------------------------------------------------------------------- */

#define HEALTH_TRIES 100 /* a row is written in a moment, unless its writer was killed at it */

void health_read(const struct server_health *row, struct server_health *health)
{
	for (int try = 0; try < HEALTH_TRIES; try++) {
		__u32 serial = __atomic_load_n(&row->serial, __ATOMIC_ACQUIRE);

		*health = *row;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(serial & 1) && serial == __atomic_load_n(&row->serial, __ATOMIC_RELAXED))
			break;
	}
	health->text[sizeof(health->text) - 1] = '\0';
}

struct server_health view_server_health(const struct view *view, uint32_t id)
{
	const struct server_health *live = row(view, VIEW_SERVER_HEALTH, id);
	struct server_health health = {0};

	if (live)
		health_read(live, &health);
	return health;
}
