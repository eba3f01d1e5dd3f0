/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events for those who read them: lines of JSON in an answer that does not end. A reader that is
 * too slow loses events, and is told how many.
 */
#ifndef ALPNLB_API_MONITOR_H
#define ALPNLB_API_MONITOR_H

#include <sys/queue.h>

#include "../daemon/events.h"
#include "../show/object_names.h"

struct daemon;
struct evbuffer;
struct event;

/* One reader: its answer. */
struct monitor {
	LIST_ENTRY(monitor) entry;
	struct monitors *monitors;
	struct evbuffer *output; /* NULL until the answer has begun */
	unsigned int kinds;	 /* that it asked for: a bit by enum event_kind */
	uint64_t lost;
};

#define MONITORS_MAX 16

struct monitors {
	LIST_HEAD(, monitor) list;
	unsigned int n;
	struct event *event;	   /* of events_fd() */
	struct object_names names; /* of the running configuration, while there are readers */
	struct daemon *daemon;
};

void monitors_init(struct monitors *monitors, struct daemon *daemon);

/* A new reader of those kinds, or NULL with errno: EUSERS when there are too many. */
struct monitor *monitor_open(struct monitors *monitors, unsigned int kinds);

/* Its answer has begun: lines go there from now on. */
void monitor_begin(struct monitor *monitor, struct evbuffer *output);

/* All that was to be written is. */
void monitor_written(struct monitor *monitor);

/* Accepts NULL. */
void monitor_close(struct monitor *monitor);

/* Tells what there is in names that are about to change, and takes the new ones from then on. */
void monitors_forget_names(struct monitors *monitors);

/* The readers are gone, and so are the other threads. */
void monitors_free(struct monitors *monitors);

#endif
