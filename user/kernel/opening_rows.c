// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "opening_rows.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../bpf/open.h"
#include "maps.h"
#include "pin.h"
#include "spliced.h"

#define MAPS_MAX 64

/* ---- where they are ---------------------------------------------------------------------- */

/* The map is not pinned, but the links of its program are, a file for each interface. */
static int find_link(const char *instance)
{
	char path[512];
	struct dirent *entry;
	int link = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), PIN_ROOT "/%s", instance);
	dir = opendir(path);
	while (dir && link < 0 && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "open_", strlen("open_")))
			link = pin_open(instance, entry->d_name);
	if (dir)
		closedir(dir);
	return link;
}

static bool has_openings(int map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(map, &info, &size) && !strcmp(info.name, "openings") &&
	       info.key_size == sizeof(struct flow_key) &&
	       info.value_size == sizeof(struct opening);
}

static int find_map(int program)
{
	__u32 ids[MAPS_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &size))
		return -errno;
	for (__u32 i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		int map = bpf_map_get_fd_by_id(ids[i]);

		if (map >= 0 && has_openings(map))
			return map;
		if (map >= 0)
			close(map);
	}
	return -ENOENT;
}

static int open_map(const char *instance)
{
	int link = find_link(instance), program = -1, map = -ENOENT;
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);

	if (link < 0)
		return link;
	if (!bpf_obj_get_info_by_fd(link, &info, &size))
		program = bpf_prog_get_fd_by_id(info.prog_id);
	close(link);
	if (program < 0)
		return map;
	map = find_map(program);
	close(program);
	return map;
}

/* ---- what they are ----------------------------------------------------------------------- */

static void conn_of_opening(struct conn *conn, const struct flow_key *key,
			    const struct opening *opening)
{
	bool chosen = opening->state == OPENING_CONNECTS || opening->state == OPENING_SENDS;

	*conn = (struct conn){
		.accepted = opening->began,
		.client_port = key->source_port,
		.local_port = key->destination_port,
		.path = PATH_PACKET,
		.state = chosen ? CONN_DECIDED : CONN_HELLO,
		.frontend_id = opening->frontend_id,
		.flow[CLIENT] = opening->len,
	};
	memcpy(conn->client, key->source, sizeof(conn->client));
	memcpy(conn->local, key->destination, sizeof(conn->local));
	if (!chosen)
		return;
	conn->route_id = opening->route_id;
	conn->farm_id = opening->farm_id;
	conn->server_id = opening->server_id;
	conn->server_port = opening->server.source_port;
	memcpy(conn->server, opening->server.source, sizeof(conn->server));
	(void)flow_hello_read(&opening->hello, &conn->hello);
}

struct walk {
	opening_step *step;
	void *context;
};

static void walk_opening(const void *key, const void *opening, void *context)
{
	const struct walk *walk = context;
	struct conn conn;

	conn_of_opening(&conn, key, opening);
	walk->step(&conn, walk->context);
}

int opening_rows(const char *instance, opening_step *step, void *context)
{
	struct walk walk = {step, context};
	int map = open_map(instance), err;

	if (map < 0)
		return map == -ENOENT ? 0 : map;
	err = map_walk(map, sizeof(struct flow_key), sizeof(struct opening), walk_opening, &walk);
	close(map);
	return err;
}
