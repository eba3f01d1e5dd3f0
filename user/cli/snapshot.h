/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an instance runs with, as the commands that show it need it. */
#ifndef ALPNLB_SNAPSHOT_H
#define ALPNLB_SNAPSHOT_H

#include "../kernel/view.h"
#include "../model/decode.h"
#include "../model/text.h"
#include "../show/object_names.h"

struct snapshot {
	struct view view;
	struct config *config;
	uint32_t revision;
	const struct view *counters; /* the view; NULL when this is what is staged */
	struct object_names names;
};

/* Opens the maps of options.instance. Returns an exit code, after it has said what failed. */
int snapshot_open(struct snapshot *snapshot);

/* The same, for commands that show statistics: live spliced connections are counted in. */
int snapshot_open_counted(struct snapshot *snapshot);

/*
 * The same; or what is staged, if `staged` is not NULL; or what that zone was last refreshed with.
 * Of both the daemon tells: they are without a view and names, and what is staged may be
 * incomplete.
 */
int snapshot_open_shown(struct snapshot *snapshot, const char *staged, const char *zone);

/* Opens those of any instance, and leaves it to the caller to print `message` on failure. */
int snapshot_load(struct snapshot *snapshot, const char *instance, struct text *message);

/* Accepts one that could not be opened. */
void snapshot_close(struct snapshot *snapshot);

#endif
