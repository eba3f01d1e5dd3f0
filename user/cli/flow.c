/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../kernel/spliced.h"
#include "cli.h"
#include "flow_filter.h"
#include "flow_rows.h"
#include "output.h"
#include "snapshot.h"

static const struct column columns[] = {
	ENDS_COLUMNS,
	COLUMN("nat_address", "FROM ADDRESS", .drop = 18, .keep = KEEP_ENDPOINT),
	COLUMN("verdict", "HELLO", .drop = 14),
	COLUMN("sni", "SNI", .drop = 3),
	COLUMN("alpn", "ALPN", .drop = 9),
	COLUMN("state", "STATE", .drop = 4),
	COLUMN_AS(FORMAT_BYTES, "bytes_from_client", "FROM CLIENT", .brief = "IN", .drop = 7),
	COLUMN_AS(FORMAT_BYTES, "bytes_from_server", "FROM SERVER", .brief = "OUT", .drop = 8),
	COLUMN("packets_from_client", "PACKETS FROM CLIENT", .brief = "PACKETS IN", .drop = 16),
	COLUMN("packets_from_server", "PACKETS FROM SERVER", .brief = "PACKETS OUT", .drop = 17),
	COLUMN_AS(FORMAT_MILLISECONDS, "age_ms", "AGE", .drop = 5),
	COLUMN_AS(FORMAT_MILLISECONDS, "idle_ms", "IDLE", .drop = 15),
	COLUMNS_END,
};

static const struct column count_columns[] = {
	COLUMN("flows", "FLOWS"),   COLUMN("open", "OPEN"),   COLUMN("closing", "CLOSING"),
	COLUMN("closed", "CLOSED"), COLUMN("reset", "RESET"), COLUMNS_END,
};

/* What a verb works on, and collects. */
struct flow_job {
	struct snapshot snapshot;
	struct flow_filter filter;
	uint64_t now;
	int hellos;			      /* show: of spliced_open_hellos() */
	struct output_stream rows;	      /* show */
	json_int_t states[SPLICED_RESET + 1]; /* count */
	struct spliced_cuts cuts;	      /* delete */
};

static bool wanted(const struct flow_key *key, const struct flow *server, void *context)
{
	const struct flow_job *job = context;

	return flow_filter_matches(&job->filter, server);
}

/* Calls step() for what the user's filter lets through. Returns an exit code. */
static int walk(struct flow_job *job, const char *const *values, spliced_step *step)
{
	int code = snapshot_open(&job->snapshot), map, err;

	job->now = monotonic_time();
	if (!code)
		code = flow_filter_parse(job->snapshot.config, values, job->now, &job->filter);
	if (code)
		return code;
	map = spliced_open(options.instance);
	if (map == -ENOENT)
		return CLI_OK; /* the packet path has never been available */
	if (map == -EPROTO)
		return fail(CLI_FAILED,
			    "instance '%s': another version made its flows; alpnlb unload ends "
			    "them, and they go on until then",
			    options.instance);
	err = map < 0 ? map : spliced_walk(map, wanted, step, job);
	if (map >= 0)
		close(map);
	if (!err && job->cuts.out_of_memory)
		err = -ENOMEM;
	return err ? fail(CLI_FAILED, "instance '%s': the flow table: %s", options.instance,
			  strerror(-err))
		   : CLI_OK;
}

/* ---- show and count ------------------------------------------------------------------ */

static void show_step(const struct spliced *spliced, void *context)
{
	struct flow_job *job = context;

	output_stream_add(&job->rows, flow_row(&job->snapshot, spliced, job->hellos, job->now));
}

static int flow_show(const char *const *values)
{
	struct flow_job job = {
		.rows = output_stream_new(columns),
		.hellos = spliced_open_hellos(options.instance),
	};
	int code = walk(&job, values, show_step);

	if (code)
		output_stream_free(&job.rows);
	else
		code = output_stream_end(&job.rows);
	if (job.hellos >= 0)
		close(job.hellos);
	snapshot_close(&job.snapshot);
	return code;
}

static void count_step(const struct spliced *spliced, void *context)
{
	struct flow_job *job = context;

	job->states[spliced_state(spliced)]++;
}

static int flow_count(const char *const *values)
{
	struct flow_job job = {0};
	int code = walk(&job, values, count_step);
	json_t *row = json_object();
	json_int_t all = 0;

	set_integer(row, "flows", 0); /* first in the output */
	for (int state = 0; state <= SPLICED_RESET; state++) {
		set_integer(row, flow_state_name(state), job.states[state]);
		all += job.states[state];
	}
	set_integer(row, "flows", all);
	if (!code)
		code = output_record(count_columns, row);
	json_decref(row);
	snapshot_close(&job.snapshot);
	return code;
}

/* ---- delete -------------------------------------------------------------------------- */

static void delete_step(const struct spliced *spliced, void *context)
{
	spliced_cuts_add(&((struct flow_job *)context)->cuts, spliced);
}

static int delete_flows(struct flow_job *job)
{
	static const struct column deleted[] = {COLUMN("deleted", "DELETED"), COLUMNS_END};
	size_t left = 0;
	int err = 0, code;
	json_t *row;

	if (job->cuts.n)
		err = spliced_cut(options.instance, COUNTER_DELETED, job->cuts.v, job->cuts.n,
				  &left);
	if (err)
		return fail(CLI_FAILED, "instance '%s': cannot remove flows: %s", options.instance,
			    strerror(-err));
	if (left)
		return fail(CLI_FAILED,
			    "%zu flows deleted; %zu still have their sockets, as in the first "
			    "milliseconds or while an end does not acknowledge, and were left: try "
			    "again",
			    job->cuts.n - left, left);
	row = json_pack("{s:I}", "deleted", (json_int_t)job->cuts.n);
	code = output_record(deleted, row);
	json_decref(row);
	return code;
}

static bool any_given(const char *const *values)
{
	for (int i = 0; i < FLOW_FILTER_COUNT; i++)
		if (values[i])
			return true;
	return false;
}

static int flow_delete(const char *const *values)
{
	bool filtered = any_given(values), all = values[FLOW_FILTER_COUNT];
	struct flow_job job = {0};
	int code;

	if (filtered == all)
		return fail(CLI_USAGE, filtered ? "delete takes either filters or all, not both"
						: "delete needs a filter, or all");
	code = walk(&job, values, delete_step);
	if (!code)
		code = delete_flows(&job);
	free(job.cuts.v);
	snapshot_close(&job.snapshot);
	return code;
}

/* ---- the noun ------------------------------------------------------------------------ */

static const struct keyword filter_keywords[] = {FLOW_FILTER_KEYWORDS, {NULL, NULL}};
static const struct keyword delete_keywords[] = {FLOW_FILTER_KEYWORDS, {"all", NULL}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the spliced connections",
	 .keywords = filter_keywords,
	 .run = flow_show},
	{.name = "count",
	 .help = "count them by state",
	 .keywords = filter_keywords,
	 .run = flow_count},
	{.name = "delete",
	 .help = "cut those that fit, with a reset to both ends",
	 .keywords = delete_keywords,
	 .run = flow_delete},
	{.name = NULL},
};

const struct noun noun_flow = {
	.name = "flow",
	.help = "connections on the packet path",
	.text = "Filters add up. Read from the pinned maps: no daemon is needed. Manual: "
		"alpnlb-flow(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
