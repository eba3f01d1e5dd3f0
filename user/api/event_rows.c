// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "event_rows.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include "../kernel/connection_id.h"
#include "../model/decode.h"
#include "../show/format.h"
#include "../show/hello_row.h"

static const char *const kind_names[] = {
#define X(id, name) name,
	EVENT_KINDS(X)
#undef X
};

static const char *const counter_names[] = {
#define X(id, name, help) name,
	COUNTERS(X)
#undef X
};

/* "2026-11-25T21:40:01.123Z", RFC 3339. */
static json_t *json_time(uint64_t nanoseconds)
{
	time_t seconds = nanoseconds / 1000000000;
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return json_sprintf("%s.%03uZ", text, (unsigned int)(nanoseconds / 1000000 % 1000));
}

static void set_text(json_t *row, const char *key, const char *text)
{
	set_string(row, key, *text ? text : NULL);
}

static void set_connection(json_t *row, const struct event_record *record,
			   const struct object_names *names)
{
	const struct conn *conn = &record->conn;
	char id[CONNECTION_ID_LEN + 1];

	json_object_set_new(row, "client", json_endpoint(conn->client, ntohs(conn->client_port)));
	json_object_set_new(row, "via",
			    conn->via_port ? json_endpoint(conn->via, ntohs(conn->via_port))
					   : json_null());
	json_object_set_new(row, "local",
			    conn->local_port ? json_endpoint(conn->local, ntohs(conn->local_port))
					     : json_null());
	object_names_set(names, row, conn->frontend_id, conn->route_id, conn->farm_id,
			 conn->server_id);
	json_object_set_new(row, "server_address",
			    conn->server_id ? json_endpoint(conn->server, ntohs(conn->server_port))
					    : json_null());
	set_hello(row, conn->hello.verdict ? &conn->hello : NULL);
	set_string(row, "path", conn->path ? path_name(conn->path) : NULL);
	set_integer(row, "bytes_from_client", conn->flow[CLIENT]);
	set_integer(row, "bytes_from_server", conn->flow[SERVER]);
	set_integer(row, "duration_ms", record->duration / 1000000);
	connection_id(conn->accepted, conn->serial, id);
	set_string(row, "id", id);
}

/* A farm and a server, or a frontend: of what has no connection. */
static void set_objects(json_t *row, const struct event_record *record,
			const struct object_names *names, const char *const keys[])
{
	const struct conn *conn = &record->conn;
	json_t *all = json_object();

	object_names_set(names, all, conn->frontend_id, 0, conn->farm_id, conn->server_id);
	for (; *keys; keys++)
		json_object_set(row, *keys, json_object_get(all, *keys));
	json_decref(all);
}

static void set_drop(json_t *row, const struct event_record *record,
		     const struct object_names *names)
{
	static const char *const frontend[] = {"frontend", NULL};
	const struct conn *conn = &record->conn;

	set_text(row, "reason", record->text);
	json_object_set_new(row, "client", json_endpoint(conn->client, ntohs(conn->client_port)));
	json_object_set_new(row, "local", json_endpoint(conn->local, ntohs(conn->local_port)));
	set_objects(row, record, names, frontend);
}

static void set_refresh(json_t *row, const struct event_record *record)
{
	set_integer(row, "revision", record->number);
	set_text(row, "comment", record->text);
	set_text(row, "by", record->by);
}

json_t *event_row(const struct event_record *record, const struct object_names *names)
{
	static const char *const server[] = {"farm", "server", NULL};
	static const char *const frontend[] = {"frontend", NULL};
	json_t *row = json_object();

	json_object_set_new(row, "time", json_time(record->time));
	set_string(row, "event", kind_names[record->kind]);
	switch (record->kind) {
	case EVENT_MONITOR:
		set_integer(row, "revision", record->number);
		break;
	case EVENT_LOST:
		set_integer(row, "events", record->number);
		break;
	case EVENT_REFRESH:
		set_refresh(row, record);
		break;
	case EVENT_LIMIT:
		set_text(row, "limit", record->text);
		set_objects(row, record, names, record->conn.server_id ? server : frontend);
		break;
	case EVENT_DROPPED:
		set_drop(row, record, names);
		break;
	case EVENT_SERVER_UP:
	case EVENT_SERVER_DOWN:
	case EVENT_SERVER_DRAIN:
		set_objects(row, record, names, server);
		set_text(row, "reason", record->text);
		break;
	case EVENT_FALLBACK:
		set_text(row, "reason", record->text);
		set_connection(row, record, names);
		break;
	default:
		set_text(row, "reason",
			 record->counter < COUNTER_MAX ? counter_names[record->counter]
						       : record->text);
		if (record->counter == COUNTER_CONNECT_FAILED)
			set_text(row, "error", record->text);
		set_connection(row, record, names);
	}
	return row;
}
