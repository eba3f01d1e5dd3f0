/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "drain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../kernel/clock.h"
#include "../kernel/view.h"
#include "../model/decode.h"
#include "../model/decoder.h"
#include "find.h"
#include "output.h"
#include "service.h"

#define LOOK_INTERVAL (50 * MILLISECOND)
#define TELL_INTERVAL (1000 * MILLISECOND) /* between lines that tell how far it is */

/* The server that a command is about. */
struct drain {
	struct staging staging;
	const struct server *server;
	const struct farm *farm;
	char status[16]; /* as it runs */
	char name[sizeof("server /") + 2 * NAME_MAX_LEN];
};

static int drain_open(struct drain *drain, const char *argument)
{
	struct found found;
	int code = staging_open(&drain->staging);

	if (!code)
		code = find_staged(drain->staging.config, KIND_SERVER, argument, &found);
	if (code)
		return code;
	drain->server = (const struct server *)found.object;
	drain->farm = (const struct farm *)found.parent;
	snprintf(drain->name, sizeof(drain->name), "server %s/%s", drain->farm->o.name,
		 drain->server->o.name);
	return CLI_OK;
}

/* ---- the status ---------------------------------------------------------------------- */

/* Makes it run, and nothing else: the daemon refuses where other changes are staged. */
static int set_status(struct drain *drain, const char *status)
{
	char path[SERVICE_PATH_MAX];
	json_t *answer;
	int code;

	snprintf(path, sizeof(path), "/1.0/alpnlb/farm/%u/server/%u/status", drain->farm->o.id,
		 drain->server->o.id);
	code = service_call(drain->name, "PUT", path, json_pack("{s:s}", "status", status),
			    &answer);
	if (code)
		return code;
	snprintf(drain->status, sizeof(drain->status), "%s",
		 json_string_value(json_object_get(answer, "status")));
	json_decref(answer);
	return CLI_OK;
}

/* ---- waiting ------------------------------------------------------------------------- */

/* "30", seconds, or a duration. */
static int parse_wait(const char *text, uint64_t *nanoseconds)
{
	size_t digits = strspn(text, "0123456789");
	int64_t milliseconds;
	char seconds[16];

	snprintf(seconds, sizeof(seconds), "%ss", text);
	milliseconds = duration_parse(digits && !text[digits] && digits < 10 ? seconds : text);
	if (milliseconds < 0)
		return fail(CLI_USAGE, "wait '%s': expected seconds, or a duration such as 2m",
			    text);
	*nanoseconds = milliseconds * MILLISECOND;
	return CLI_OK;
}

static void tell(const struct drain *drain, uint64_t live, uint64_t *told, uint64_t *next)
{
	uint64_t now = monotonic_time();

	if (options.json || live == *told || now < *next)
		return;
	fprintf(stderr, "%s: %" PRIu64 " live connections\n", drain->name, live);
	*told = live;
	*next = now + TELL_INTERVAL;
}

/* Until no connection is live, or the time is over; returns how many are. */
static uint64_t wait_for_end(const struct drain *drain, const struct view *view, uint64_t end)
{
	static const struct timespec interval = {.tv_nsec = LOOK_INTERVAL};
	uint64_t live, told = 0, next = 0;

	while ((live = view_server_stats(view, drain->server->o.id).live)) {
		if (monotonic_time() >= end || !control_alive(options.instance))
			break;
		tell(drain, live, &told, &next);
		nanosleep(&interval, NULL);
	}
	return live;
}

static json_t *answer(const struct drain *drain, uint64_t live)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:I}", "id", drain->server->o.id, "farm",
			 drain->farm->o.name, "name", drain->server->o.name, "status",
			 drain->status, "live", (json_int_t)live);
}

static int print_done(const struct drain *drain, uint64_t live)
{
	json_t *row = answer(drain, live);
	int code = CLI_OK;

	if (options.json)
		code = output_json(row);
	else
		printf("%s: %s, %" PRIu64 " live connections\n", drain->name, drain->status, live);
	json_decref(row);
	return code;
}

static int give_up(const struct drain *drain, uint64_t live, uint64_t time)
{
	struct text waited = {0};

	if (!control_alive(options.instance))
		return fail(CLI_NO_DAEMON, "%s: the daemon is gone", drain->name);
	duration_format(time / MILLISECOND, &waited);
	return fail_with(CLI_FAILED, answer(drain, live),
			 "%s: %" PRIu64 " live connections after %s; it goes on to drain, until: "
			 "alpnlb server undrain %s/%s",
			 drain->name, live, waited.s, drain->farm->o.name, drain->server->o.name);
}

/* `time` 0: at once. */
static int wait_and_tell(const struct drain *drain, uint64_t time)
{
	struct view view;
	uint64_t live = 0;
	int err = view_open(options.instance, &view);

	if (!err)
		live = wait_for_end(drain, &view, monotonic_time() + time);
	view_close(&view);
	if (err)
		return fail(CLI_FAILED, "%s: its live connections: %s", drain->name,
			    strerror(-err));
	if (live && time)
		return give_up(drain, live, time);
	return print_done(drain, live);
}

/* ---- the commands -------------------------------------------------------------------- */

int server_drain(enum kind kind, const char *argument, const char *const *values)
{
	struct drain drain = {0};
	uint64_t time = 0;
	int code = values[0] ? parse_wait(values[0], &time) : CLI_OK;

	if (!code)
		code = drain_open(&drain, argument);
	if (!code)
		code = set_status(&drain, "drain");
	if (!code)
		code = wait_and_tell(&drain, time);
	staging_close(&drain.staging);
	return code;
}

int server_undrain(enum kind kind, const char *argument, const char *const *values)
{
	struct drain drain = {0};
	int code = drain_open(&drain, argument);

	if (!code)
		code = set_status(&drain, "active");
	if (!code)
		code = wait_and_tell(&drain, 0);
	staging_close(&drain.staging);
	return code;
}
