// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Events: what they look like, and that a slow reader costs nobody else anything. */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/api/event_rows.h"
#include "../../user/api/monitor.h"
#include "../../user/cli/monitor.h"
#include "../../user/daemon/daemon.h"

static const char configuration[] =
	"farms: [{id: 7, name: mail, servers: [{id: 9, name: mx, address: 10.0.0.1, port: 25}]}]\n"
	"frontends: [{id: 3, name: web, port: 443, default_farm: mail}]\n";

static struct control control = {.revision = 12};
static struct daemon daemon = {.engine.instance.control = &control};

static int setup(void **state)
{
	struct problems problems = {0};
	struct document *document = document_parse(configuration, strlen(configuration), &problems);

	daemon.config = config_decode(document, &problems);
	daemon.base = event_base_new();
	monitors_init(&daemon.monitors, &daemon);
	document_free(document);
	problems_free(&problems);
	return daemon.config && daemon.base ? 0 : -1;
}

static int teardown(void **state)
{
	monitors_free(&daemon.monitors);
	config_free(daemon.config);
	event_base_free(daemon.base);
	return 0;
}

/* ---- a reader -------------------------------------------------------------------------- */

struct reader {
	struct evbuffer *buffer;
	struct monitor *monitor;
};

static struct reader reader_open(unsigned int kinds)
{
	struct reader reader = {evbuffer_new(), monitor_open(&daemon.monitors, kinds)};
	char *line;

	assert_non_null(reader.monitor);
	monitor_begin(reader.monitor, reader.buffer);
	line = evbuffer_readln(reader.buffer, NULL, EVBUFFER_EOL_LF);
	assert_non_null(strstr(line, "\"event\":\"monitor\",\"revision\":12}"));
	free(line);
	return reader;
}

static void reader_close(struct reader *reader)
{
	monitor_close(reader->monitor);
	evbuffer_free(reader->buffer);
}

static json_t *reader_next(struct reader *reader)
{
	char *line;
	json_t *event;

	event_base_loop(daemon.base, EVLOOP_NONBLOCK);
	line = evbuffer_readln(reader->buffer, NULL, EVBUFFER_EOL_LF);
	event = line ? json_loads(line, 0, NULL) : NULL;
	free(line);
	return event;
}

/* ---- what they look like --------------------------------------------------------------- */

#define ALL ((1u << EVENT_KIND_MAX) - 1)

/* Compares both forms, but for the time. */
static void check_event(struct reader *reader, const char *json, const char *text)
{
	json_t *event = reader_next(reader);
	char *line, *said;

	assert_non_null(event);
	assert_int_equal(json_object_del(event, "time"), 0);
	said = json_dumps(event, JSON_COMPACT);
	line = event_text(event);
	assert_string_equal(said, json);
	assert_string_equal(line, text);
	free(said);
	free(line);
	json_decref(event);
}

static void test_servers(void **state)
{
	struct reader reader = reader_open(ALL);

	event_server(EVENT_SERVER_DOWN, 7, 9, "tcp: Connection refused");
	check_event(&reader,
		    "{\"event\":\"server_down\",\"farm\":\"mail\",\"server\":\"mx\","
		    "\"reason\":\"tcp: Connection refused\"}",
		    " server_down farm=mail server=mx reason=\"tcp: Connection refused\"");
	event_server(EVENT_SERVER_UP, 7, 9, NULL);
	check_event(&reader,
		    "{\"event\":\"server_up\",\"farm\":\"mail\",\"server\":\"mx\",\"reason\":null}",
		    " server_up farm=mail server=mx");
	event_server(EVENT_SERVER_DRAIN, 7, 10, "asked");
	check_event(&reader,
		    "{\"event\":\"server_drain\",\"farm\":\"mail\",\"server\":\"#10\","
		    "\"reason\":\"asked\"}",
		    " server_drain farm=mail server=#10 reason=asked");
	reader_close(&reader);
}

static void test_refresh(void **state)
{
	struct event_record record = {
		.kind = EVENT_REFRESH, .number = 13, .text = "say \"it\" \x1b[1m", .by = "uid 0"};
	struct reader reader = reader_open(ALL);

	event_emit(&record);
	check_event(&reader,
		    "{\"event\":\"refresh\",\"revision\":13,\"comment\":\"say \\\"it\\\" "
		    "\\u001B[1m\",\"by\":\"uid 0\"}",
		    " refresh revision=13 comment=\"say \\\"it\\\" \\x1b[1m\" by=\"uid 0\"");
	reader_close(&reader);
}

static void test_connection(void **state)
{
	struct event_record record = {
		.kind = EVENT_CLOSED,
		.counter = COUNTER_NO_SERVER,
		.time = 1764106801123456789,
		.duration = 12345678,
		.conn = {.client = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7},
			 .client_port = htons(4711),
			 .accepted = 5,
			 .serial = 7,
			 .frontend_id = 3,
			 .farm_id = 7,
			 .path = PATH_RELAY,
			 .flow = {517, 0},
			 .hello = {.verdict = VERDICT_TLS,
				   .flags = HELLO_SNI | HELLO_ALPN,
				   .sni_len = 3,
				   .sni = "a b",
				   .alpn_len = 3,
				   .alpn = "\2h2"}},
	};
	struct reader reader = reader_open(ALL);
	json_t *event;
	char *line;

	event_emit(&record);
	event = reader_next(&reader);
	line = event_text(event);
	assert_string_equal(line, "2025-11-25T21:40:01.123Z closed reason=no_server "
				  "client=192.0.2.7:4711 frontend=web route=default farm=mail "
				  "verdict=tls sni=\"a b\" alpn=h2 path=relay "
				  "bytes_from_client=517 bytes_from_server=0 duration_ms=12 "
				  "id=000000000000000500000007");
	free(line);
	json_decref(event);
	reader_close(&reader);
}

/* One that was removed on purpose is told as what it is counted as. */
static void test_flow_cut(void **state)
{
	static const struct {
		uint32_t end;
		const char *event, *reason;
	} cuts[] = {
		{FLOW_END_COUNTER + COUNTER_MARKED_DOWN, "closed", "marked_down"},
		{FLOW_END_COUNTER + COUNTER_DELETED, "closed", "deleted"},
		{FLOW_END_COUNTER + COUNTER_SERVER_RESETS, "ended", "server_resets"},
		{FLOW_END_FORCED, "closed", "forced"},
	};
	struct reader reader = reader_open(ALL);

	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		struct flow_event flow = {.end = cuts[i].end};
		json_t *event;

		event_flow(&flow);
		event = reader_next(&reader);
		assert_string_equal(json_string_value(json_object_get(event, "event")),
				    cuts[i].event);
		assert_string_equal(json_string_value(json_object_get(event, "reason")),
				    cuts[i].reason);
		json_decref(event);
	}
	reader_close(&reader);
}

static void test_flow(void **state)
{
	struct flow_event flow = {
		.end = FLOW_END_IDLE,
		.key[CLIENT] = {.source_port = htons(4711), .destination_port = htons(443)},
		.key[SERVER] = {.source_port = htons(25)},
		.frontend_id = 3,
		.farm_id = 7,
		.server_id = 9,
		.started = 1000000,
		.seen = 6000000,
		.bytes = {11, 22},
	};
	struct reader reader = reader_open(ALL);
	json_t *event;
	char *line;

	event_flow(&flow);
	event = reader_next(&reader);
	assert_int_equal(json_object_del(event, "time"), 0);
	line = event_text(event);
	assert_string_equal(line, " closed reason=idle_timeouts client=[::]:4711 local=[::]:443 "
				  "frontend=web route=default farm=mail server=mx "
				  "server_address=[::]:25 path=packet bytes_from_client=11 "
				  "bytes_from_server=22 duration_ms=5 "
				  "id=00000000000f424000000000");
	free(line);
	json_decref(event);
	reader_close(&reader);
}

/* ---- who asks, and who is slow --------------------------------------------------------- */

static void emit(enum event_kind kind, unsigned int n)
{
	while (n--)
		event_server(kind, 7, 9, NULL);
}

static unsigned int count_until_lost(struct reader *reader, uint64_t *lost)
{
	unsigned int n = 0;
	json_t *event;

	*lost = 0;
	while (!*lost && (event = reader_next(reader))) {
		if (!strcmp(json_string_value(json_object_get(event, "event")), "lost"))
			*lost = json_integer_value(json_object_get(event, "events"));
		else
			n++;
		json_decref(event);
	}
	return n;
}

static void test_nobody_asks(void **state)
{
	struct reader reader;
	json_t *event;

	assert_false(event_wanted(EVENT_SERVER_UP));
	emit(EVENT_SERVER_UP, 1);
	reader = reader_open(1u << EVENT_SERVER_DOWN);
	assert_false(event_wanted(EVENT_SERVER_UP));
	emit(EVENT_SERVER_UP, 1);
	emit(EVENT_SERVER_DOWN, 1);
	event = reader_next(&reader);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "server_down");
	assert_null(reader_next(&reader));
	json_decref(event);
	reader_close(&reader);
	assert_false(event_wanted(EVENT_SERVER_DOWN));
}

static void test_limits_once_a_second(void **state)
{
	struct reader reader = reader_open(ALL);
	unsigned int n = 0;
	json_t *event;

	for (int i = 0; i < 1000; i++)
		event_limit(LIMIT_MAX_CONNECTIONS, 3);
	event_limit(LIMIT_MAX_CONNECTIONS, 4);
	for (int i = 0; i < 1000; i++)
		event_server_full(7, 9);
	while ((event = reader_next(&reader))) {
		n++;
		json_decref(event);
	}
	assert_in_range(n, 3, 5); /* the second may have ended meanwhile */
	reader_close(&reader);
}

/* More than the queue takes before the main thread has its turn. */
static void test_queue_is_full(void **state)
{
	struct reader reader = reader_open(ALL);
	uint64_t lost;

	emit(EVENT_SERVER_UP, 5000);
	assert_int_equal(count_until_lost(&reader, &lost), 0);
	assert_int_equal(lost, 5000 - 4096);
	assert_int_equal(count_until_lost(&reader, &lost), 4096);
	assert_int_equal(lost, 0);
	reader_close(&reader);
}

/* ... of what this reader has not asked for. */
static void test_others_are_lost(void **state)
{
	struct reader all = reader_open(ALL), one = reader_open(1u << EVENT_SERVER_DOWN);
	uint64_t lost;

	emit(EVENT_SERVER_UP, 5000);
	emit(EVENT_SERVER_DOWN, 3);
	assert_int_equal(count_until_lost(&all, &lost), 0);
	assert_int_equal(lost, 5003 - 4096);
	monitor_written(one.monitor);
	assert_int_equal(count_until_lost(&one, &lost), 0);
	assert_int_equal(lost, 3);
	reader_close(&one);
	reader_close(&all);
}

/* One does not read, the other sees everything. */
static void test_slow_reader(void **state)
{
	struct reader slow = reader_open(ALL), quick = reader_open(ALL);
	unsigned int n = 0, kept;
	uint64_t lost;

	for (int i = 0; i < 20; i++) {
		emit(EVENT_SERVER_UP, 1000);
		n += count_until_lost(&quick, &lost);
		assert_int_equal(lost, 0);
	}
	assert_int_equal(n, 20000);
	kept = count_until_lost(&slow, &lost);
	assert_int_equal(lost, 0);
	assert_in_range(kept, 1000, 19999);
	monitor_written(slow.monitor);
	assert_int_equal(count_until_lost(&slow, &lost), 0);
	assert_int_equal(kept + lost, 20000);
	reader_close(&slow);
	emit(EVENT_SERVER_UP, 1);
	assert_int_equal(count_until_lost(&quick, &lost), 1);
	reader_close(&quick);
}

static void test_too_many(void **state)
{
	struct reader readers[MONITORS_MAX];

	for (int i = 0; i < MONITORS_MAX; i++)
		readers[i] = reader_open(ALL);
	assert_null(monitor_open(&daemon.monitors, ALL));
	for (int i = 0; i < MONITORS_MAX; i++)
		reader_close(&readers[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_flow_cut),
		cmocka_unit_test(test_nobody_asks),
		cmocka_unit_test(test_limits_once_a_second),
		cmocka_unit_test(test_queue_is_full),
		cmocka_unit_test(test_others_are_lost),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
