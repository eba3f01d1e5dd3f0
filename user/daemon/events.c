// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "events.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../kernel/door_drops.h"
#include "../kernel/spliced.h"

atomic_uint events_wanted;

static struct {
	pthread_mutex_t lock;
	struct event_record *records; /* NULL as long as nobody wanted any */
	unsigned int first, n;
	uint64_t lost[EVENT_KIND_MAX];
	int fd;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* ---- telling ----------------------------------------------------------------------------- */

void event_emit(const struct event_record *record)
{
	struct event_record *place = NULL;
	uint64_t now = real_time(), one = 1;
	bool first;

	if (!event_wanted(record->kind))
		return;
	pthread_mutex_lock(&queue.lock);
	first = !queue.n;
	if (queue.n < EVENTS_MAX)
		place = &queue.records[(queue.first + queue.n++) % EVENTS_MAX];
	else
		queue.lost[record->kind]++;
	if (place) {
		*place = *record;
		place->time = record->time ? record->time : now;
	}
	pthread_mutex_unlock(&queue.lock);
	if (first)
		(void)!write(queue.fd, &one, sizeof(one));
}

static void emit_server(enum event_kind kind, uint32_t farm_id, uint32_t server_id, const char *why)
{
	struct event_record record = {.kind = kind};

	record.conn.farm_id = farm_id;
	record.conn.server_id = server_id;
	snprintf(record.text, sizeof(record.text), "%s", why ? why : "");
	event_emit(&record);
}

void event_server(enum event_kind kind, uint32_t farm_id, uint32_t server_id, const char *why)
{
	if (event_wanted(kind))
		emit_server(kind, farm_id, server_id, why);
}

static void emit_limit(enum event_limit limit, struct event_record *record,
		       _Atomic uint32_t *second)
{
	static const char *const names[] = {
#define X(id, name) name,
		EVENT_LIMITS(X)
#undef X
	};
	uint32_t now = monotonic_time() / (1000 * MILLISECOND) + 1;

	if (atomic_exchange(second, now) == now)
		return;
	record->kind = EVENT_LIMIT;
	snprintf(record->text, sizeof(record->text), "%s", names[limit]);
	event_emit(record);
}

void event_limit(enum event_limit limit, uint32_t frontend_id)
{
	static _Atomic uint32_t told[LIMIT_MAX][MAX_FRONTENDS + 1]; /* in which second, from 1 */
	struct event_record record;

	if (!event_wanted(EVENT_LIMIT) || frontend_id > MAX_FRONTENDS)
		return;
	record = (struct event_record){.conn.frontend_id = frontend_id};
	emit_limit(limit, &record, &told[limit][frontend_id]);
}

void event_server_full(uint32_t farm_id, uint32_t server_id)
{
	static _Atomic uint32_t told[MAX_SERVERS + 1]; /* likewise */
	struct event_record record;

	if (!event_wanted(EVENT_LIMIT) || server_id > MAX_SERVERS)
		return;
	record = (struct event_record){.conn = {.farm_id = farm_id, .server_id = server_id}};
	emit_limit(LIMIT_MAX_CONNECTIONS, &record, &told[server_id]);
}

enum event_kind event_kind_of_end(enum counter counter)
{
	switch (counter) {
	case COUNTER_CLIENT_GONE:
	case COUNTER_CLIENT_RESETS:
	case COUNTER_SERVER_RESETS:
	case COUNTER_MAX:
		return EVENT_ENDED;
	default:
		return EVENT_CLOSED;
	}
}

/* Who it was and where it went, by what its packets were known by. */
static void conn_of_flow(struct conn *conn, const struct flow_event *event)
{
	const struct flow_key *client = &event->key[CLIENT], *server = &event->key[SERVER];

	memcpy(conn->client, client->source, sizeof(conn->client));
	memcpy(conn->local, client->destination, sizeof(conn->local));
	memcpy(conn->server, server->source, sizeof(conn->server));
	conn->client_port = client->source_port;
	conn->local_port = client->destination_port;
	conn->server_port = server->source_port;
	conn->frontend_id = event->frontend_id;
	conn->route_id = event->route_id;
	conn->farm_id = event->farm_id;
	conn->server_id = event->server_id;
	conn->accepted = event->started;
	conn->serial = event->serial;
	conn->path = PATH_PACKET;
	conn->flow[CLIENT] = event->bytes[CLIENT];
	conn->flow[SERVER] = event->bytes[SERVER];
	if (!event->has_hello)
		return;
	(void)flow_hello_read(&event->hello, &conn->hello);
	if (flow_hello_client(&event->hello, conn->client, &conn->client_port)) {
		memcpy(conn->via, client->source, sizeof(conn->via));
		conn->via_port = client->source_port;
	}
}

static void emit_flow(enum event_kind kind, enum counter counter, const struct flow_event *event)
{
	struct event_record record = {
		.kind = kind,
		.counter = counter,
		.time = real_time() - (monotonic_time() - event->seen),
		.duration = event->seen > event->started ? event->seen - event->started : 0,
	};

	if (!event_wanted(kind))
		return;
	if (event->end == FLOW_END_FORCED)
		snprintf(record.text, sizeof(record.text), "forced");
	conn_of_flow(&record.conn, event);
	event_emit(&record);
}

void event_flow(const struct flow_event *event)
{
	static const struct {
		enum event_kind kind;
		enum counter counter;
	} ends[] = {
		[FLOW_END_CLOSED] = {EVENT_ENDED, COUNTER_MAX},
		[FLOW_END_CLIENT_RESET] = {EVENT_ENDED, COUNTER_CLIENT_RESETS},
		[FLOW_END_SERVER_RESET] = {EVENT_ENDED, COUNTER_SERVER_RESETS},
		[FLOW_END_IDLE] = {EVENT_CLOSED, COUNTER_IDLE_TIMEOUTS},
		[FLOW_END_FORCED] = {EVENT_CLOSED, COUNTER_MAX},
		[FLOW_END_HALF_CLOSED] = {EVENT_CLOSED, COUNTER_HALF_CLOSE_TIMEOUTS},
	};

	enum counter counter = event->end - FLOW_END_COUNTER;

	if (event->end >= FLOW_END_COUNTER && counter < COUNTER_MAX)
		emit_flow(event_kind_of_end(counter), counter, event);
	else if (event->end < sizeof(ends) / sizeof(*ends))
		emit_flow(ends[event->end].kind, ends[event->end].counter, event);
}

void event_drop(const struct door_drop *drop)
{
	struct event_record record = {
		.kind = EVENT_DROPPED,
		.time = real_time() - (monotonic_time() - drop->time),
		.conn.client_port = drop->source_port,
		.conn.local_port = drop->destination_port,
		.conn.frontend_id = drop->frontend_id,
	};

	if (!event_wanted(EVENT_DROPPED) || drop->reason >= DOOR_REASON_MAX)
		return;
	memcpy(record.conn.client, drop->source, sizeof(record.conn.client));
	memcpy(record.conn.local, drop->destination, sizeof(record.conn.local));
	snprintf(record.text, sizeof(record.text), "%s", door_reason_name[drop->reason]);
	event_emit(&record);
}

/* ---- taking ------------------------------------------------------------------------------ */

static int make_queue(void)
{
	struct event_record *records = calloc(EVENTS_MAX, sizeof(*records));
	int fd = records ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;

	if (fd < 0) {
		free(records);
		return records ? -errno : -ENOMEM;
	}
	pthread_mutex_lock(&queue.lock);
	queue.records = records;
	queue.fd = fd;
	pthread_mutex_unlock(&queue.lock);
	return 0;
}

int events_want(unsigned int kinds)
{
	int err = kinds && !queue.records ? make_queue() : 0;

	if (!err)
		atomic_store(&events_wanted, kinds);
	return err;
}

int events_fd(void)
{
	return queue.fd;
}

bool events_take(struct event_record *record, uint64_t lost[EVENT_KIND_MAX])
{
	uint64_t ignored;
	bool taken;

	pthread_mutex_lock(&queue.lock);
	memcpy(lost, queue.lost, sizeof(queue.lost));
	memset(queue.lost, 0, sizeof(queue.lost));
	taken = queue.n;
	if (taken) {
		*record = queue.records[queue.first];
		queue.first = (queue.first + 1) % EVENTS_MAX;
		queue.n--;
	} else if (queue.fd >= 0) {
		(void)!read(queue.fd, &ignored, sizeof(ignored));
	}
	pthread_mutex_unlock(&queue.lock);
	return taken;
}

void events_free(void)
{
	atomic_store(&events_wanted, 0);
	if (queue.fd >= 0)
		close(queue.fd);
	free(queue.records);
	queue.fd = -1;
	queue.records = NULL;
	queue.n = 0;
}
