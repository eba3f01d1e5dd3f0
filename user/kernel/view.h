/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pinned maps of an instance, read through shared memory: no daemon is needed, and none
 * is disturbed. Nothing here writes, logs, or keeps a lock.
 */
#ifndef ALPNLB_VIEW_H
#define ALPNLB_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "door_drops.h"
#include "pin.h"

/* An array map in memory: `rows` of `stride` bytes each. */
struct view_map {
	const char *name;
	void *rows;
	size_t n;      /* rows */
	size_t stride; /* bytes from one row to the next */
	size_t size;   /* of the mapping, for munmap() */
};

enum view_map_id {
	VIEW_CONTROL,
	VIEW_CONNS,
	VIEW_COUNTERS,
	VIEW_FRONTEND_STATS,
	VIEW_ROUTE_STATS,
	VIEW_FARM_STATS,
	VIEW_SERVER_STATS,
	VIEW_SERVER_HEALTH,
	VIEW_MAX,
};

/* Of spliced connections. */
struct traffic {
	__u64 live;	/* of a view that is alone */
	__u64 bytes[2]; /* by side: what came in */
	__u64 packets[2];
};

struct view {
	struct view_map maps[VIEW_MAX];
	struct traffic *frontends, *routes,
		*servers;	  /* of live flows, by id; see view_add_flows() */
	struct door_drops *drops; /* by frontend id; see view_add_flows() */
	bool alone;		  /* no daemon counts what is live */
	int config;		  /* fd of the map of two `config` tables */
	const char *failed;	  /* after an error: the map it was about */
};

/*
 * Opens the maps of `instance`. Returns 0 or -errno: -ENOENT when nothing is pinned under
 * that name, -EPROTO when a map is not laid out as this version expects. view_close() has
 * to follow in any case.
 */
int view_open(const char *instance, struct view *view);
void view_close(struct view *view);

/*
 * The running configuration, as text for document_parse(), and its revision; *text is
 * malloc()ed and ends with a NUL. Returns 0 or -errno: -ENODATA before the first refresh.
 */
int view_config(const struct view *view, char **text, size_t *len, uint32_t *revision);

/* Copies the connection in `slot`. False when there is none, or it ended meanwhile. */
bool view_conn(const struct view *view, size_t slot, struct conn *conn);

/* Number of slots. */
size_t view_conns(const struct view *view);

uint64_t view_counter(const struct view *view, enum counter counter);

/* Packets of a frontend that the door has dropped; see view_add_flows(). */
struct door_drops view_drops(const struct view *view, uint32_t frontend_id);

/*
 * From now on statistics include what the door has dropped, and what live spliced connections have
 * moved, which the maps are told of when a connection ends. Without a daemon no others are counted
 * as live, whatever the last one has left in the maps. Looks at the whole flow table. 0 or -errno.
 */
int view_add_flows(struct view *view, const char *instance, bool daemon);

/* Statistics by object id, zero for an id the maps do not hold. */
struct frontend_stats view_frontend_stats(const struct view *view, uint32_t id);
struct route_stats view_route_stats(const struct view *view, uint32_t id);
struct farm_stats view_farm_stats(const struct view *view, uint32_t id);
struct server_stats view_server_stats(const struct view *view, uint32_t id);
struct server_health view_server_health(const struct view *view, uint32_t id);

/* Copies a row that the daemon may be writing. */
void health_read(const struct server_health *row, struct server_health *health);

#endif
