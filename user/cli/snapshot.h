/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an instance runs with, as the commands that show it need it. */
#ifndef ALPNLB_SNAPSHOT_H
#define ALPNLB_SNAPSHOT_H

#include "../kernel/view.h"
#include "../model/decode.h"
#include "../model/text.h"

struct snapshot {
	struct view view;
	struct config *config;
	uint32_t revision;
	const struct view *counters; /* the view; NULL when this is what is staged */
	/* By id, NULL where there is no such object; point into `config`. */
	const struct frontend **frontends;
	const struct farm **farms;	  /* the farm of this id */
	const struct server **servers;	  /* the server of this id ... */
	const struct farm **server_farms; /* ... and the farm it is in */
	const struct route **routes;
};

/* Opens the maps of options.instance. Returns an exit code, after it has said what failed. */
int snapshot_open(struct snapshot *snapshot);

/* The same, for commands that show statistics: live spliced connections are counted in. */
int snapshot_open_counted(struct snapshot *snapshot);

/*
 * The same, or if `staged` is not NULL what is staged, as the daemon tells: without a view, without
 * the arrays by id, and it may be incomplete.
 */
int snapshot_open_shown(struct snapshot *snapshot, const char *staged);

/* Opens those of any instance, and leaves it to the caller to print `message` on failure. */
int snapshot_load(struct snapshot *snapshot, const char *instance, struct text *message);

/* Accepts one that could not be opened. */
void snapshot_close(struct snapshot *snapshot);

/*
 * Sets `frontend`, `route`, `farm` and `server` of a row: null without an id, "#ID" for an object
 * that is no longer configured.
 */
void snapshot_names(const struct snapshot *snapshot, json_t *row, uint32_t frontend, uint32_t route,
		    uint32_t farm, uint32_t server);

#endif
