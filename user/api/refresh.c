// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "refresh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "tasks.h"

/* ---- refresh -------------------------------------------------------------------------- */

static bool is_ours(const struct staged *staged, const char *zone)
{
	const char *ours = staged_zone(staged);

	return !zone || !strcmp(zone, "all") || !strcmp(ours, "all") || !strcmp(zone, ours);
}

int refresh_run(struct daemon *daemon, const char *zone, struct problems *problems, char *failed,
		size_t size)
{
	struct staged *staged = &daemon->staged;
	struct config *config = config_decode_tree(staged->root, DECODE_TO_RUN, problems);
	bool ours = is_ours(staged, zone);
	int err = 0;

	if (!config)
		return -EINVAL;
	if (ours)
		err = daemon_apply(daemon, config, failed, size);
	else
		config_free(config);
	if (!err)
		staged_refreshed(staged, staged_next_refreshed(staged, zone));
	return err;
}

/* The zone asked for, NULL for every zone; false after refusing. */
static bool read_zone(struct api_call *call, const char **zone)
{
	const char *key;
	json_t *value;

	*zone = NULL;
	json_object_foreach (call->fields, key, value) {
		if (strcmp(key, "zone")) {
			api_refuse(call, 400, "unknown field, allowed: zone");
			return false;
		}
		if (json_is_null(value))
			continue;
		if (!json_is_string(value)) {
			api_refuse(call, 400, "zone: is not a string, allowed: a zone, null");
			return false;
		}
		*zone = json_string_value(value);
	}
	return !*zone || !strcmp(*zone, "all") || api_zone_exists(call, *zone, 400);
}

static json_t *zones_of_task(const struct staged *staged, const char *zone)
{
	return zone && strcmp(zone, "all") ? json_pack("[s]", zone) : staged_zones(staged);
}

void refresh_post(struct api_call *call, const struct api_resource *resource)
{
	struct daemon *daemon = call->daemon;
	struct problems problems = {0};
	char failed[512];
	const char *zone;
	json_t *task;
	int err;

	if (!read_zone(call, &zone))
		return;
	if (daemon->draining) {
		api_refuse(call, 409, "the daemon is draining: it takes no new configuration");
		return;
	}
	err = refresh_run(daemon, zone, &problems, failed, sizeof(failed));
	if (err == -EINVAL && problems.errors) {
		api_refuse_problems(call, 400, &problems);
	} else {
		task = tasks_begin(&daemon->tasks, "refreshIplb",
				   zones_of_task(&daemon->staged, zone));
		task_end(task, err ? failed : NULL);
		json_object_set_new(task, "problems", problems_json(&problems));
		api_answer(call, json_incref(task));
	}
	problems_free(&problems);
}

/* What a refresh would be refused for, or warn of, is found by one that stops before the switch. */
void dry_run_post(struct api_call *call, const struct api_resource *resource)
{
	struct daemon *daemon = call->daemon;
	struct problems problems = {0};
	char failed[512];
	struct config *config;
	const char *zone;
	int err = 0;

	if (!read_zone(call, &zone))
		return;
	config = config_decode_tree(daemon->staged.root, DECODE_TO_RUN, &problems);
	if (config && is_ours(&daemon->staged, zone))
		err = daemon_try(daemon, config, failed, sizeof(failed));
	if (!config)
		api_refuse_problems(call, 400, &problems);
	else if (err)
		api_refuse(call, 409, "%s", failed);
	else
		api_answer(call, json_pack("{s:o}", "problems", problems_json(&problems)));
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

void task_list(struct api_call *call, const struct api_resource *resource)
{
	json_t *ids = json_array(), *task;
	size_t i;

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
