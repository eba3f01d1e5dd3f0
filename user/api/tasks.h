/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the daemon was told to do and how it went: the last 1,000 of it, in memory. */
#ifndef ALPNLB_API_TASKS_H
#define ALPNLB_API_TASKS_H

#include <jansson.h>
#include <time.h>

struct tasks {
	json_t *list; /* as the API shows them, ascending ids */
};

/* A new task with status doing; `zones` is taken over. Borrowed, NULL when out of memory. */
json_t *tasks_begin(struct tasks *tasks, json_int_t id, const char *action, json_t *zones);

/* Status error with `message`, or with NULL done. */
void task_end(json_t *task, const char *message);

/* NULL if there is none. */
json_t *tasks_find(const struct tasks *tasks, json_int_t id);

void tasks_free(struct tasks *tasks);

#endif
