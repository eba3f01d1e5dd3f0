/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../kernel/sticks.h"
#include "../model/prefix.h"
#include "../show/rows.h"
#include "flow_filter.h"
#include "output.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("client", "CLIENT"),
	COLUMN("farm", "FARM", .keep = 12),
	COLUMN("server", "SERVER"),
	COLUMN_AS(FORMAT_MILLISECONDS, "idle_ms", "IDLE", .drop = 1),
	COLUMN_AS(FORMAT_MILLISECONDS, "expires_ms", "EXPIRES IN", .drop = 2),
	COLUMNS_END,
};

/* What a verb works on. */
struct stick_job {
	struct snapshot snapshot;
	struct flow_filter filter;
	const struct farm *farm; /* whose table is walked */
	uint64_t now;
	struct output_stream rows; /* show */
	json_int_t deleted;	   /* delete */
};

static bool wanted(const struct stick_job *job, const uint8_t *client, const struct stick_row *row)
{
	return prefix_contains(&job->filter.client, client) &&
	       (!job->filter.server || job->filter.server == row->server);
}

static int walk_farm(struct stick_job *job, int map, const struct farm *farm, sticks_step *step)
{
	int table = sticks_table(map, farm->o.id), err = table;

	job->farm = farm;
	if (table >= 0) {
		err = sticks_walk(table, step, job);
		close(table);
	}
	return err == -ENOENT ? 0 : err;
}

/* Calls step() for what is in the tables of the farms asked for. Returns an exit code. */
static int walk(struct stick_job *job, const char *const *values, sticks_step *step)
{
	const char *const filters[FLOW_FILTER_COUNT] = {values[0], values[1], values[2]};
	int code = snapshot_open(&job->snapshot), map, err = 0;
	const struct config *config = job->snapshot.config;

	job->now = monotonic_time();
	if (!code)
		code = flow_filter_parse(config, filters, job->now, &job->filter);
	if (code)
		return code;
	map = pin_open(options.instance, "sticks");
	if (map < 0)
		err = map == -ENOENT ? 0 : map;
	for (size_t i = 0; map >= 0 && !err && i < config->n_farms; i++)
		if (config->farms[i].sticky &&
		    (!job->filter.farm || job->filter.farm == config->farms[i].o.id))
			err = walk_farm(job, map, &config->farms[i], step);
	if (map >= 0)
		close(map);
	return err ? fail(CLI_FAILED, "instance '%s': the stickiness tables: %s", options.instance,
			  strerror(-err))
		   : CLI_OK;
}

/* ---- show ---------------------------------------------------------------------------- */

static bool show_step(const uint8_t *client, const struct stick_row *stick, void *context)
{
	struct stick_job *job = context;
	uint64_t idle = job->now > stick->used ? (job->now - stick->used) / MILLISECOND : 0;
	json_t *row;

	if (idle > job->farm->stick_ttl || !wanted(job, client, stick))
		return false;
	row = json_object();
	json_object_set_new(row, "client", json_endpoint(client, 0));
	object_names_set(&job->snapshot.names, row, 0, 0, job->farm->o.id, stick->server);
	json_object_del(row, "frontend");
	json_object_del(row, "route");
	set_integer(row, "idle_ms", idle);
	set_integer(row, "expires_ms", job->farm->stick_ttl - idle);
	output_stream_add(&job->rows, row);
	return false;
}

static int stick_show(const char *const *values)
{
	struct stick_job job = {.rows = output_stream_new(columns)};
	int code = walk(&job, values, show_step);

	if (code)
		output_stream_free(&job.rows);
	else
		code = output_stream_end(&job.rows);
	snapshot_close(&job.snapshot);
	return code;
}

/* ---- delete -------------------------------------------------------------------------- */

static bool delete_step(const uint8_t *client, const struct stick_row *row, void *context)
{
	struct stick_job *job = context;
	bool fits = wanted(job, client, row);

	job->deleted += fits;
	return fits;
}

static int stick_delete(const char *const *values)
{
	static const struct column deleted[] = {COLUMN("deleted", "DELETED"), COLUMNS_END};
	bool filtered = values[0] || values[1] || values[2], all = values[3];
	struct stick_job job = {0};
	json_t *row;
	int code;

	if (filtered == all)
		return fail(CLI_USAGE, filtered ? "delete takes either filters or all, not both"
						: "delete needs a filter, or all");
	code = walk(&job, values, delete_step);
	if (!code) {
		row = json_pack("{s:I}", "deleted", job.deleted);
		code = output_record(deleted, row);
		json_decref(row);
	}
	snapshot_close(&job.snapshot);
	return code;
}

/* ---- the noun ------------------------------------------------------------------------ */

/* As the first three of a flow_filter. */
#define FILTER_KEYWORDS                                                                            \
	{"client", "ADDRESS[/LEN]"}, {"server", "[FARM/]NAME|ID"},                                 \
	{                                                                                          \
		"farm", "NAME|ID"                                                                  \
	}

static const struct keyword show_keywords[] = {FILTER_KEYWORDS, {NULL, NULL}};
static const struct keyword delete_keywords[] = {FILTER_KEYWORDS, {"all", NULL}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the clients, and the servers they stick to",
	 .keywords = show_keywords,
	 .run = stick_show},
	{.name = "delete",
	 .help = "let go those that fit: the balance chooses for them next time",
	 .keywords = delete_keywords,
	 .run = stick_delete},
	{.name = NULL},
};

const struct noun noun_stick = {
	.name = "stick",
	.help = "clients that stick to a server",
	.text = "Filters add up. Read from the pinned maps: no daemon is needed. Manual: "
		"alpnlb-stick(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
