// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tasks.h"

#include "../show/format.h"

#define TASKS_KEPT 1000

json_t *tasks_begin(struct tasks *tasks, json_int_t id, const char *action, json_t *zones)
{
	json_t *task = json_pack("{s:I, s:s, s:s, s:i, s:o, s:n, s:o}", "id", id, "action", action,
				 "status", "doing", "progress", 0, "creationDate",
				 json_date(time(NULL)), "doneDate", "zones", zones);

	if (!tasks->list)
		tasks->list = json_array();
	if (json_array_append_new(tasks->list, task))
		return NULL;
	if (json_array_size(tasks->list) > TASKS_KEPT)
		json_array_remove(tasks->list, 0);
	return task;
}

void task_end(json_t *task, const char *message)
{
	json_object_set_new(task, "status", json_string(message ? "error" : "done"));
	json_object_set_new(task, "progress", json_integer(100));
	json_object_set_new(task, "doneDate", json_date(time(NULL)));
	if (message)
		json_object_set_new(task, "message", json_string(message));
}

json_t *tasks_find(const struct tasks *tasks, json_int_t id)
{
	json_t *task;
	size_t i;

	json_array_foreach (tasks->list, i, task)
		if (json_integer_value(json_object_get(task, "id")) == id)
			return task;
	return NULL;
}

void tasks_free(struct tasks *tasks)
{
	json_decref(tasks->list);
	*tasks = (struct tasks){0};
}
