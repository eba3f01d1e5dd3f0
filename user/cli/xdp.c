/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/door.h"
#include "../kernel/door_drops.h"
#include "../kernel/links.h"
#include "../kernel/pin.h"
#include "../kernel/xdp_program.h"
#include "../show/format.h"
#include "../show/rows.h"
#include "cli.h"
#include "output.h"
#include "snapshot.h"

static const struct column interface_columns[] = {COLUMN("interface", "INTERFACE"),
						  COLUMN("mode", "MODE"),
						  COLUMN("program", "PROGRAM"),
						  COLUMN("name", "NAME"),
						  COLUMN("holder", "HELD BY"),
						  COLUMN("packets_dropped", "DROPPED"),
						  COLUMNS_END};
static const struct column drop_columns[] = {COLUMN("reason", "DROPPED"),
					     COLUMN("packets", "PACKETS"),
					     COLUMN("help", "MEANING", .drop = 1), COLUMNS_END};
static const struct column frontend_columns[] = {COLUMN("frontend", "FRONTEND"),
						 COLUMN("reason", "DROPPED"),
						 COLUMN("packets", "PACKETS"), COLUMNS_END};

/* ---- interfaces ---------------------------------------------------------------------- */

static const char *mode_name(uint8_t mode)
{
	switch (mode) {
	case XDP_ATTACHED_DRV:
		return "native";
	case XDP_ATTACHED_SKB:
		return "generic";
	case XDP_ATTACHED_HW:
		return "offloaded";
	case XDP_ATTACHED_MULTI:
		return "several";
	default:
		return NULL;
	}
}

static void set_drops(json_t *row, uint32_t ifindex)
{
	struct door_drops drops;
	uint64_t sum = 0;

	if (door_drops_read_at(options.instance, ifindex, &drops))
		return;
	for (int reason = 0; reason < DOOR_REASON_MAX; reason++)
		sum += drops.packets[reason];
	set_integer(row, "packets_dropped", sum);
	json_object_set_new(row, "dropped", json_drops(&drops));
}

static json_t *interface_row(const char *pins, uint32_t ifindex, const char *name)
{
	json_t *row = json_pack("{s:o, s:n, s:n, s:n, s:n, s:n, s:n}", "interface", json_text(name),
				"mode", "program", "name", "holder", "packets_dropped", "dropped");
	struct xdp_program program;
	bool ours;

	if (!xdp_program_at(ifindex, &program))
		return row;
	ours = program.id == door_attached(pins, ifindex);
	set_string(row, "mode", mode_name(program.mode));
	set_integer(row, "program", program.id);
	if (*program.name)
		set_string(row, "name", program.name);
	set_string(row, "holder", ours ? "alpnlb" : "another program");
	if (ours)
		set_drops(row, ifindex);
	return row;
}

static json_t *interface_rows(void)
{
	json_t *rows = json_array();
	char pins[256], name[IF_NAMESIZE];
	uint32_t *links = NULL;
	size_t n = 0;

	snprintf(pins, sizeof(pins), PIN_ROOT "/%s", options.instance);
	(void)links_at_the_door(&links, &n);
	for (size_t i = 0; i < n; i++)
		if (if_indextoname(links[i], name))
			json_array_append_new(rows, interface_row(pins, links[i], name));
	free(links);
	return rows;
}

/* ---- drops --------------------------------------------------------------------------- */

static json_t *frontend_drop_rows(const struct snapshot *snapshot, const struct door_drops *drops)
{
	json_t *rows = json_array();

	for (uint32_t id = 1; id <= MAX_FRONTENDS; id++)
		for (int reason = 0; reason < DOOR_REASON_MAX; reason++) {
			json_t *row;

			if (!drops[id].packets[reason])
				continue;
			row = json_object();
			object_names_set_frontend(&snapshot->names, row, id);
			set_string(row, "reason", door_reason_name[reason]);
			set_integer(row, "packets", drops[id].packets[reason]);
			json_array_append_new(rows, row);
		}
	return rows;
}

/* ---- show ---------------------------------------------------------------------------- */

static int print(const struct snapshot *snapshot, const struct door_drops *drops)
{
	struct section sections[] = {
		{"interfaces", "Interfaces that packets come in by", interface_columns,
		 interface_rows(), false},
		{"drops", "Packets dropped", drop_columns, drop_rows(drops), true},
		{"frontends", "By frontend", frontend_columns, frontend_drop_rows(snapshot, drops),
		 false},
		SECTIONS_END,
	};
	json_t *head = json_pack("{s:s}", "instance", options.instance);
	int code = output_sections(sections, head);

	json_decref(head);
	for (size_t i = 0; sections[i].key; i++)
		json_decref(sections[i].rows);
	return code;
}

static int xdp_show(const char *const *values)
{
	struct snapshot snapshot;
	struct door_drops *drops = NULL;
	int code = snapshot_open(&snapshot), err;

	if (!code) {
		err = door_drops_read(options.instance, &drops);
		code = err ? fail(CLI_FAILED, "instance '%s': door_drops: %s", options.instance,
				  strerror(-err))
			   : print(&snapshot, drops);
	}
	free(drops);
	snapshot_close(&snapshot);
	return code;
}

static const struct verb verbs[] = {
	{.name = "show", .help = "list interfaces and what was dropped", .run = xdp_show},
	{.name = NULL},
};

const struct noun noun_xdp = {
	.name = "xdp",
	.help = "the program at the door: where it is, and what it drops",
	.text = "Interfaces are those of the network namespace alpnlb is run in. Read from the\n"
		"pinned maps: no daemon is needed. Manual: alpnlb-xdp(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
