// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "../kernel/clock.h"
#include "event_rows.h"
#include "handlers.h"

#define OUTPUT_MAX (1 << 20) /* bytes that wait for a reader */
#define TURN	   256	     /* records before others get their turn */

/* ---- lines ----------------------------------------------------------------------------- */

static void write_row(struct monitor *monitor, const json_t *row)
{
	char *text = json_dumps(row, JSON_COMPACT);

	if (text)
		evbuffer_add_printf(monitor->output, "%s\n", text);
	free(text);
}

/* What is told to one reader alone. */
static void write_own(struct monitor *monitor, enum event_kind kind, uint64_t number)
{
	struct event_record record = {.kind = kind, .time = real_time(), .number = number};
	json_t *row = event_row(&record, &monitor->monitors->names);

	write_row(monitor, row);
	json_decref(row);
}

static bool has_room(const struct monitor *monitor)
{
	return evbuffer_get_length(monitor->output) < OUTPUT_MAX;
}

static void tell_lost(struct monitor *monitor)
{
	if (!monitor->lost || !has_room(monitor))
		return;
	write_own(monitor, EVENT_LOST, monitor->lost);
	monitor->lost = 0;
}

void monitor_written(struct monitor *monitor)
{
	tell_lost(monitor);
}

static void hand_on(struct monitors *monitors, const struct event_record *record)
{
	json_t *row = event_row(record, &monitors->names);
	struct monitor *monitor;

	LIST_FOREACH(monitor, &monitors->list, entry)
	{
		if (!monitor->output || !(monitor->kinds >> record->kind & 1))
			continue;
		tell_lost(monitor);
		if (has_room(monitor))
			write_row(monitor, row);
		else
			monitor->lost++;
	}
	json_decref(row);
}

/* Of the kinds that each of them has asked for. */
static void note_lost(struct monitors *monitors, const uint64_t lost[EVENT_KIND_MAX])
{
	struct monitor *monitor;

	for (int kind = 0; kind < EVENT_KIND_MAX; kind++)
		LIST_FOREACH(monitor, &monitors->list, entry)
	monitor->lost += monitor->kinds >> kind & 1 ? lost[kind] : 0;
}

/* Takes `n` records at most; false when that was all. */
static bool take_some(struct monitors *monitors, unsigned int n)
{
	uint64_t lost[EVENT_KIND_MAX];
	struct event_record record;

	if (!monitors->names.routes)
		(void)object_names_open(&monitors->names, monitors->daemon->config);
	while (n--) {
		bool taken = events_take(&record, lost);

		note_lost(monitors, lost);
		if (!taken)
			return false;
		hand_on(monitors, &record);
	}
	return true;
}

/* What has been told by now, and no more: others may tell faster than that is handed on. */
static void take_waiting(struct monitors *monitors)
{
	if (monitors->n)
		(void)take_some(monitors, EVENTS_MAX);
}

static void on_events(evutil_socket_t fd, short what, void *argument)
{
	struct monitors *monitors = argument;

	if (take_some(monitors, TURN))
		event_active(monitors->event, EV_READ, 0);
}

/* ---- readers --------------------------------------------------------------------------- */

static int want(struct monitors *monitors)
{
	unsigned int kinds = 0;
	struct monitor *monitor;
	int err;

	LIST_FOREACH(monitor, &monitors->list, entry)
	kinds |= monitor->kinds;
	err = events_want(kinds);
	doorkeeper_tell(&monitors->daemon->doorkeeper, kinds >> EVENT_DROPPED & 1);
	if (err || monitors->event || !kinds)
		return err;
	monitors->event = event_new(monitors->daemon->base, events_fd(), EV_READ | EV_PERSIST,
				    on_events, monitors);
	return monitors->event && !event_add(monitors->event, NULL) ? 0 : -ENOMEM;
}

struct monitor *monitor_open(struct monitors *monitors, unsigned int kinds)
{
	struct monitor *monitor = NULL;
	int err;

	errno = EUSERS;
	if (monitors->n < MONITORS_MAX)
		monitor = calloc(1, sizeof(*monitor));
	if (!monitor)
		return NULL;
	monitor->monitors = monitors;
	monitor->kinds = kinds;
	take_waiting(monitors); /* those before are not for this one */
	LIST_INSERT_HEAD(&monitors->list, monitor, entry);
	monitors->n++;
	err = want(monitors);
	if (!err)
		return monitor;
	monitor_close(monitor);
	errno = -err;
	return NULL;
}

void monitor_begin(struct monitor *monitor, struct evbuffer *output)
{
	monitor->output = output;
	write_own(monitor, EVENT_MONITOR,
		  monitor->monitors->daemon->engine.instance.control->revision);
}

void monitor_close(struct monitor *monitor)
{
	struct monitors *monitors;
	uint64_t lost[EVENT_KIND_MAX];
	struct event_record record;

	if (!monitor)
		return;
	monitors = monitor->monitors;
	LIST_REMOVE(monitor, entry);
	free(monitor);
	(void)want(monitors);
	if (--monitors->n)
		return;
	while (events_take(&record, lost)) /* nobody is left to read it */
		;
	object_names_close(&monitors->names);
}

/* ---- all of them ----------------------------------------------------------------------- */

void monitors_init(struct monitors *monitors, struct daemon *daemon)
{
	*monitors = (struct monitors){.daemon = daemon};
	LIST_INIT(&monitors->list);
}

void monitors_forget_names(struct monitors *monitors)
{
	take_waiting(monitors);
	object_names_close(&monitors->names);
}

void monitors_free(struct monitors *monitors)
{
	if (monitors->event)
		event_free(monitors->event);
	object_names_close(&monitors->names);
	events_free();
}

/* ---- the handler ----------------------------------------------------------------------- */

/* All but the ends of connections that were as they should be, unless those are asked for. */
#define USUAL_KINDS ((1u << EVENT_KIND_MAX) - 1 - (1u << EVENT_ENDED))

void events_get(struct api_call *call, const struct api_resource *resource)
{
	static const struct name words[] = {{.text = "true", .value = 1}, {.text = "false"}};
	static const struct names booleans = {words, sizeof(words) / sizeof(*words)};
	const char *connections = api_query(call, "connections");
	unsigned int kinds = USUAL_KINDS;

	if (!api_query_is_name(call, "connections", &booleans))
		return;
	if (connections && !strcmp(connections, "true"))
		kinds |= 1u << EVENT_ENDED;
	call->monitor = monitor_open(&call->daemon->monitors, kinds);
	if (call->monitor)
		api_answer(call, json_null());
	else if (errno == EUSERS)
		api_refuse(call, 429, "%d readers of events are there already", MONITORS_MAX);
	else
		api_refuse(call, 500, "%s", strerror(errno));
}
