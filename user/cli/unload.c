/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Takes everything of an instance out of the kernel, in whatever state it was left. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "../kernel/attach.h"
#include "../kernel/door.h"
#include "../kernel/lock.h"
#include "../kernel/pin.h"
#include "../kernel/reset.h"
#include "../kernel/spliced.h"
#include "../show/format.h"
#include "cli.h"
#include "output.h"
#include "snapshot.h"

static const struct column flow_columns[] = {
	COLUMN("frontend", "FRONTEND"), COLUMN("route", "ROUTE"), COLUMN("farm", "FARM"),
	COLUMN("server", "SERVER"),	COLUMN("flows", "FLOWS"), COLUMNS_END};
static const struct column link_columns[] = {COLUMN("interface", "INTERFACE"), COLUMNS_END};
static const struct column pin_columns[] = {COLUMN("name", "NAME"), COLUMNS_END};

struct kind_of_flow;

/* What was cut; rows. */
struct unload {
	struct snapshot snapshot; /* for names; empty if the maps are not whole */
	struct reset_sockets resets;
	struct kind_of_flow *kinds; /* uthash */
	json_t *flows, *links, *pins;
};

/* ---- the parts ----------------------------------------------------------------------- */

static bool every_flow(const struct flow_key *key, const struct flow *server, void *context)
{
	return true;
}

/* Connections that have the same names. */
struct kind_of_flow {
	uint32_t ids[4]; /* frontend, route, farm, server */
	uint64_t flows;
	UT_hash_handle hh;
};

static void count_flow(struct unload *unload, const struct flow *flow)
{
	const uint32_t ids[4] = {flow->frontend_id, flow->route_id, flow->farm_id, flow->server_id};
	struct kind_of_flow *kind;

	HASH_FIND(hh, unload->kinds, ids, sizeof(ids), kind);
	if (!kind) {
		kind = calloc(1, sizeof(*kind));
		if (!kind)
			return;
		memcpy(kind->ids, ids, sizeof(ids));
		HASH_ADD(hh, unload->kinds, ids, sizeof(ids), kind);
	}
	kind->flows++;
}

static void cut_flow(const struct spliced *spliced, void *context)
{
	struct spliced_cut cut = spliced_cut_of(spliced);
	struct unload *unload = context;

	if (!spliced_lives(spliced))
		return;
	(void)flow_reset(&unload->resets, &cut.event); /* who cannot be reached hears nothing */
	count_flow(unload, &spliced->flow[SERVER]);
}

static void list_flows(struct unload *unload)
{
	struct kind_of_flow *kind, *next;

	HASH_ITER (hh, unload->kinds, kind, next) {
		json_t *row = json_object();

		object_names_set(&unload->snapshot.names, row, kind->ids[0], kind->ids[1],
				 kind->ids[2], kind->ids[3]);
		set_integer(row, "flows", kind->flows);
		json_array_append_new(unload->flows, row);
		HASH_DEL(unload->kinds, kind);
		free(kind);
	}
}

/* Of another version: nobody can tell what they belong to. */
static int cut_unread(struct unload *unload)
{
	uint64_t flows = 0;
	int err = spliced_cut_unread(options.instance, &flows);

	if (flows)
		json_array_append_new(unload->flows,
				      json_pack("{s:n, s:n, s:n, s:n, s:I}", "frontend", "route",
						"farm", "server", "flows", (json_int_t)flows));
	return err == -ENOENT ? 0 : err;
}

static int cut_flows(struct unload *unload)
{
	int map = spliced_open(options.instance), err;

	if (map == -EPROTO)
		return cut_unread(unload);
	if (map < 0)
		return 0;
	err = spliced_walk(map, every_flow, cut_flow, unload);
	close(map);
	list_flows(unload);
	return err;
}

static void detach(struct unload *unload, const char *pins, unsigned int ifindex)
{
	char name[IF_NAMESIZE];

	bool some = detach_programs(pins, ifindex);

	if (!door_detach(pins, ifindex) && !some)
		return;
	if (!if_indextoname(ifindex, name))
		snprintf(name, sizeof(name), "#%u", ifindex);
	json_array_append_new(unload->links, json_pack("{s:o}", "interface", json_text(name)));
}

typedef int pin_step(struct unload *unload, const char *path, const char *name);

/* Of an interface that is gone, too. */
static int detach_pinned(struct unload *unload, const char *path, const char *name)
{
	const char *number = strrchr(name, '_');
	uint32_t ifindex;
	char pins[256];

	if (number && (!strncmp(name, "ingress_", 8) || !strncmp(name, "egress_", 7) ||
		       !strncmp(name, "open_", 5) || sscanf(name, "door_%u", &ifindex) == 1)) {
		snprintf(pins, sizeof(pins), PIN_ROOT "/%s", options.instance);
		detach(unload, pins, atoi(number + 1));
	}
	return 0;
}

/* Where there are no links, but filters. */
static void detach_filters(struct unload *unload, const char *pins)
{
	struct if_nameindex *interfaces = if_nameindex();

	for (struct if_nameindex *i = interfaces; i && i->if_index; i++)
		detach(unload, pins, i->if_index);
	if_freenameindex(interfaces);
}

static int remove_pin(struct unload *unload, const char *path, const char *name)
{
	if (unlink(path))
		return -errno;
	return json_array_append_new(unload->pins, json_pack("{s:o}", "name", json_text(name)));
}

static int each_pin(struct unload *unload, const char *directory, pin_step *step)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	char path[512];
	int err = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		err = step(unload, path, entry->d_name);
	}
	closedir(dir);
	return err;
}

static int remove_directory(const char *path)
{
	return rmdir(path) && errno != ENOENT ? -errno : 0;
}

static int remove_run_files(const char *directory)
{
	static const char *const names[] = {"control.sock", "lock"};
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		if (unlink(path) && errno != ENOENT)
			return -errno;
	}
	return remove_directory(directory);
}

/* ---- the command --------------------------------------------------------------------- */

/*
 * Detached first: so nothing more is forwarded, and a packet that comes after the resets is
 * answered by the host's stack, with another one.
 */
static int unload_all(struct unload *unload)
{
	char pins[256], run[256];
	int err;

	snprintf(pins, sizeof(pins), PIN_ROOT "/%s", options.instance);
	snprintf(run, sizeof(run), RUN_ROOT "/%s", options.instance);
	err = each_pin(unload, pins, detach_pinned);
	detach_filters(unload, pins);
	err = err ? err : cut_flows(unload);
	err = err ? err : each_pin(unload, pins, remove_pin);
	err = err ? err : remove_directory(pins);
	err = err ? err : remove_run_files(run);
	return err ? fail(CLI_FAILED, "instance '%s': cannot be unloaded: %s", options.instance,
			  strerror(-err))
		   : CLI_OK;
}

static int print(const struct unload *unload)
{
	const struct section sections[] = {
		{"flows", "Connections cut", flow_columns, unload->flows, false},
		{"links", "Interfaces detached from", link_columns, unload->links, false},
		{"pins", "Pins removed", pin_columns, unload->pins, false},
		SECTIONS_END,
	};
	json_t *head = json_pack("{s:s}", "instance", options.instance);
	int code = output_sections(sections, head);

	json_decref(head);
	return code;
}

static bool nothing_there(const struct unload *unload)
{
	return !json_array_size(unload->flows) && !json_array_size(unload->links) &&
	       !json_array_size(unload->pins);
}

static int unload_locked(void)
{
	struct unload unload = {.flows = json_array(),
				.links = json_array(),
				.pins = json_array(),
				.resets = RESET_SOCKETS_NONE};
	struct text ignored = {0};
	int code;

	(void)snapshot_load(&unload.snapshot, options.instance, &ignored);
	code = unload_all(&unload);
	if (!code && !options.json && nothing_there(&unload))
		fprintf(stderr, "alpnlb: instance '%s': nothing was left in the kernel\n",
			options.instance);
	else if (!code)
		code = print(&unload);
	snapshot_close(&unload.snapshot);
	reset_sockets_close(&unload.resets);
	json_decref(unload.flows);
	json_decref(unload.links);
	json_decref(unload.pins);
	return code;
}

static int unload_run(int argc, char **argv)
{
	int lock, code;

	if (argc > 1)
		return fail(CLI_USAGE, "unexpected '%s': unload takes no argument", argv[1]);
	lock = lock_take(options.instance);
	if (lock == -EBUSY)
		return fail(CLI_FAILED,
			    "instance '%s': a daemon is running; stop it before you unload",
			    options.instance);
	if (lock < 0)
		return fail(CLI_FAILED, RUN_ROOT "/%s: %s%s", options.instance, strerror(-lock),
			    root_hint(lock));
	code = unload_locked();
	close(lock);
	return code;
}

const struct noun noun_unload = {
	.name = "unload",
	.help = "remove what an instance left in the kernel",
	.text = "Ends the connections on the packet path with a reset to both ends, detaches the\n"
		"programs from the interfaces and removes every pin. No daemon may be running.\n"
		"Manual: alpnlb-unload(8).\n",
	.arguments = "",
	.run = unload_run,
};
