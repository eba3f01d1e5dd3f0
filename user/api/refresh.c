// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "refresh.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../model/warnings.h"
#include "handlers.h"
#include "tasks.h"

#define COMMENT_MAX 255 /* characters */

/* ---- refresh -------------------------------------------------------------------------- */

bool api_may_refresh(struct api_call *call)
{
	if (call->daemon->draining)
		api_refuse(call, 409, "the daemon is draining: it takes no new configuration");
	return !call->daemon->draining;
}

int refresh_run(struct daemon *daemon, struct refresh *refresh, struct problems *problems,
		char *failed, size_t size)
{
	struct staged *staged = &daemon->staged;
	struct config *config = config_decode_tree(staged->root, DECODE_TO_RUN, problems);
	int err;

	snprintf(failed, size, "the configuration cannot be run");
	if (!config)
		return -EINVAL;
	if (staged_is_ours(staged, refresh->zone)) {
		err = daemon_apply(daemon, config, refresh, failed, size);
	} else {
		config_free(config);
		err = state_refresh(&daemon->state, refresh);
		if (err)
			snprintf(failed, size, "%s", state_error(&daemon->state, err));
	}
	if (!err)
		staged_refreshed(staged, refresh->zone);
	return err;
}

void api_refuse_refresh(struct api_call *call, const struct problems *problems, const char *failed)
{
	if (problems->errors)
		api_refuse_problems(call, 409, KIND_MAX, problems);
	else
		api_refuse(call, 409, "%s", failed);
}

void refresh_begin(struct daemon *daemon, struct refresh *refresh)
{
	refresh->before = json_incref(daemon->staged.root);
	if (staged_is_pending(&daemon->staged))
		refresh->lost = refresh->before;
	daemon->state.held = true;
}

int refresh_end(struct daemon *daemon, struct refresh *refresh, int err, struct problems *problems,
		char *failed, size_t size)
{
	struct staged *staged = &daemon->staged;
	struct state *state = &daemon->state;

	if (err) {
		snprintf(failed, size, "the configuration cannot be staged: %s", strerror(-err));
	} else {
		err = refresh_run(daemon, refresh, problems, failed, size);
		if (err)
			staged_restore(staged, refresh->before);
	}
	state->held = false;
	if (err)
		state_stage(state, staged->root);
	json_decref(refresh->before);
	return err;
}

void refresh_warn(const struct daemon *daemon, struct problems *problems)
{
	config_warn_of_ech(daemon->staged.config, daemon->staged.root,
			   daemon->engine.instance.frontend_stats, problems);
}

/*
 * The zone asked for, NULL for every zone, and a comment; false after refusing. An instance without
 * a zone runs objects of all of them, and cannot refresh one alone.
 */
static bool read_refresh(struct api_call *call, struct refresh *refresh)
{
	const char *key, *text;
	json_t *value;

	json_object_foreach (call->fields, key, value) {
		text = json_string_value(value);
		if (strcmp(key, "zone") && strcmp(key, "comment")) {
			api_refuse(call, 400, "unknown field, allowed: zone, comment");
			return false;
		}
		if (json_is_null(value))
			continue;
		if (!text || text_characters(text) > COMMENT_MAX) {
			api_refuse(call, 400,
				   "%s: is not a string of at most %d characters, or null", key,
				   COMMENT_MAX);
			return false;
		}
		*(strcmp(key, "zone") ? &refresh->comment : &refresh->zone) = text;
	}
	if (!zone_is_all(refresh->zone) && !api_zone_exists(call, refresh->zone, 400))
		return false;
	if (zone_is_all(staged_zone(&call->daemon->staged)))
		refresh->zone = NULL;
	return true;
}

static json_t *zones_of_task(const struct staged *staged, const char *zone)
{
	return zone_is_all(zone) ? staged_zones(staged) : json_pack("[s]", zone);
}

static json_t *refresh_task(const struct api_call *call, json_t *zones, const char *failed,
			    const struct problems *problems)
{
	struct daemon *daemon = call->daemon;
	json_t *task = tasks_begin(&daemon->tasks, daemon->state.last_task, "refreshIplb", zones);

	task_end(task, failed);
	json_object_set_new(task, "problems", api_problems(call, KIND_MAX, problems));
	return json_incref(task);
}

/* The task's id is on disk with the refresh, or after one that failed. */
void refresh_post(struct api_call *call, const struct api_resource *resource)
{
	struct daemon *daemon = call->daemon;
	struct refresh refresh = {.comment = "refresh", .by = call->by};
	struct problems problems = {.api_names = !call->file_names};
	char failed[512];
	json_t *zones;
	int err;

	if (!read_refresh(call, &refresh) || !api_may_refresh(call))
		return;
	zones = zones_of_task(&daemon->staged, refresh.zone);
	daemon->state.last_task++;
	err = refresh_run(daemon, &refresh, &problems, failed, sizeof(failed));
	if (err == -EINVAL && problems.errors) {
		daemon->state.last_task--;
		json_decref(zones);
		api_refuse_problems(call, 400, KIND_MAX, &problems);
	} else {
		if (err)
			state_stage(&daemon->state, daemon->staged.root);
		refresh_warn(daemon, &problems);
		api_answer(call, refresh_task(call, zones, err ? failed : NULL, &problems));
	}
	problems_free(&problems);
}

/* What a refresh would be refused for, or warn of, is found by one that stops before the switch. */
void dry_run_post(struct api_call *call, const struct api_resource *resource)
{
	struct daemon *daemon = call->daemon;
	struct problems problems = {.api_names = !call->file_names};
	char failed[512];
	struct refresh refresh = {0};
	struct config *config;
	int err = 0;

	if (!read_refresh(call, &refresh))
		return;
	config = config_decode_tree(daemon->staged.root, DECODE_TO_RUN, &problems);
	if (config && staged_is_ours(&daemon->staged, refresh.zone))
		err = daemon_try(daemon, config, failed, sizeof(failed));
	if (!config)
		api_refuse_problems(call, 400, KIND_MAX, &problems);
	else if (err)
		api_refuse(call, 409, "%s", failed);
	else {
		refresh_warn(daemon, &problems);
		api_answer(call,
			   json_pack("{s:o}", "problems", api_problems(call, KIND_MAX, &problems)));
	}
	config_free(config);
	problems_free(&problems);
}

/* ---- pending changes ------------------------------------------------------------------ */

/* In full, of one zone: this instance's unless another one is asked for. */
void diff_get(struct api_call *call, const struct api_resource *resource)
{
	const struct staged *staged = &call->daemon->staged;
	const char *zone = api_query(call, "zone");

	zone = zone ? zone : staged_zone(staged);
	if (api_zone_exists(call, zone, 404))
		api_answer(call, json_pack("{s:s, s:o}", "zone", zone, "changes",
					   staged_pending(staged, zone)));
}

void pending_get(struct api_call *call, const struct api_resource *resource)
{
	const struct staged *staged = &call->daemon->staged;
	json_t *zones = staged_zones(staged), *list = json_array(), *zone;
	size_t i;

	json_array_foreach (zones, i, zone) {
		const char *name = json_string_value(zone);
		json_t *changes = staged_pending(staged, name);

		if (json_array_size(changes))
			json_array_append_new(list,
					      json_pack("{s:s, s:I}", "zone", name, "number",
							(json_int_t)json_array_size(changes)));
		json_decref(changes);
	}
	json_decref(zones);
	api_answer(call, list);
}

/* ---- tasks ---------------------------------------------------------------------------- */

static bool passes(const struct api_call *call, const json_t *task, const char *key)
{
	const char *wanted = api_query(call, key);

	return !wanted || !strcmp(wanted, json_string_value(json_object_get(task, key)));
}

static const struct name statuses[] = {
	{.text = "blocked"}, {.text = "cancelled"}, {.text = "doing"},
	{.text = "done"},    {.text = "error"},	    {.text = "todo"},
};
static const struct names status_of_tasks = {statuses, sizeof(statuses) / sizeof(*statuses)};

void task_list(struct api_call *call, const struct api_resource *resource)
{
	json_t *ids, *task;
	size_t i;

	if (!api_query_is_name(call, "status", &status_of_tasks))
		return;
	ids = json_array();
	json_array_foreach (call->daemon->tasks.list, i, task)
		if (passes(call, task, "action") && passes(call, task, "status"))
			json_array_append(ids, json_object_get(task, "id"));
	api_answer(call, ids);
}

void task_get(struct api_call *call, const struct api_resource *resource)
{
	json_t *task = tasks_find(&call->daemon->tasks, call->id);

	if (task)
		api_answer(call, json_incref(task));
	else
		api_refuse(call, 404, "there is no task with the id %u", call->id);
}
