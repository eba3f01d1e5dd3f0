// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../daemon/log.h"
#include "../daemon/socket.h"
#include "../kernel/clock.h"
#include "call.h"
#include "http.h"

#define HANDSHAKE_SECONDS 10
#define REQUEST_SECONDS	  30 /* from the answer before, or the connection, to the whole of it */
#define ANSWER_SECONDS	  30
#define ANSWER_RATE	  65536 /* bytes a second that a client has to take of a large answer */
#define ENDING_SECONDS	  5
#define GONE_SECONDS	  60 /* until a client that is gone is missed, however long its answer is */
#define PERMIT_SECONDS	  1  /* until the next look whether a stream may go on */
#define ACCEPTS_MAX	  16 /* before those that are accepted get a turn */
#define EPISODE                                                                                    \
	(60000 * MILLISECOND) /* without a failure to accept: the next one is told again           \
			       */
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

struct api_connection {
	TAILQ_ENTRY(api_connection) entry;
	struct api_service *service;
	struct bufferevent *stream;
	struct event *deadline;
	struct http_request request;
	enum {
		READING,
		ANSWERING, /* nothing is read meanwhile */
		STREAMING, /* ... and the answer goes on; what is read is dropped */
		ENDING,	   /* what comes is dropped, so that the answer is not lost by a reset */
	} phase;
	bool leaving;		 /* the answer is the last one */
	struct monitor *monitor; /* with STREAMING */
	char by[64];		 /* likewise: whose it is */
};

static void connection_free(struct api_connection *connection)
{
	TAILQ_REMOVE(&connection->service->connections, connection, entry);
	connection->service->n_connections--;
	monitor_close(connection->monitor);
	bufferevent_free(connection->stream);
	if (connection->deadline)
		event_free(connection->deadline);
	http_end(&connection->request);
	free(connection);
}

static void wait_for(struct api_connection *connection, time_t seconds)
{
	struct timeval time = {.tv_sec = seconds};

	if (connection->leaving && seconds > ENDING_SECONDS)
		time.tv_sec = ENDING_SECONDS;
	evtimer_add(connection->deadline, &time);
}

static void on_deadline(evutil_socket_t fd, short what, void *argument)
{
	struct api_connection *connection = argument;
	struct api_service *service = connection->service;

	if (connection->phase == STREAMING && !connection->leaving &&
	    service->still_permits(service->daemon, connection->by))
		wait_for(connection, PERMIT_SECONDS);
	else
		connection_free(connection);
}

/* ---- answers -------------------------------------------------------------------------- */

static void add_head(struct evbuffer *output, const struct api_call *call, size_t len, bool last)
{
	char date[64];

	evutil_date_rfc1123(date, sizeof(date), NULL);
	evbuffer_add_printf(output,
			    "HTTP/1.1 %d %s\r\nDate: %s\r\n"
			    "Content-Type: %s\r\n"
			    "Content-Length: %zu\r\nCache-Control: no-store\r\n",
			    call->status, api_reason(call), date,
			    call->text ? call->type : "application/json; charset=utf-8", len);
	if (call->status == 405)
		evbuffer_add_printf(output, "Allow: %s\r\n", call->allow);
	evbuffer_add_printf(output, "%s\r\n", last ? "Connection: close\r\n" : "");
}

/* What stands behind the head, malloc()ed. */
static char *answer_text(const struct api_call *call)
{
	char *json, *text = NULL;

	if (call->text)
		return strdup(call->text);
	json = json_dumps(call->answer, JSON_COMPACT | JSON_ENCODE_ANY);
	if (json && asprintf(&text, "%s\n", json) < 0)
		text = NULL;
	free(json);
	return text;
}

/* The connection has been of use: others go before it. */
static void answer(struct api_connection *connection, const struct api_call *call)
{
	struct evbuffer *output = bufferevent_get_output(connection->stream);
	char *text = answer_text(call);
	size_t len = text ? strlen(text) : 0;

	TAILQ_REMOVE(&connection->service->connections, connection, entry);
	TAILQ_INSERT_TAIL(&connection->service->connections, connection, entry);
	connection->leaving |= connection->request.last;
	connection->phase = ANSWERING;
	bufferevent_disable(connection->stream, EV_READ);
	add_head(output, call, len, connection->leaving);
	if (text && strcmp(connection->request.method, "HEAD") != 0)
		evbuffer_add(output, text, len);
	free(text);
	wait_for(connection, ANSWER_SECONDS + evbuffer_get_length(output) / ANSWER_RATE);
}

/* Lines of JSON, until either end is gone. */
static void stream(struct api_connection *connection, struct api_call *call)
{
	struct evbuffer *output = bufferevent_get_output(connection->stream);

	connection->phase = STREAMING;
	connection->monitor = call->monitor;
	call->monitor = NULL;
	memcpy(connection->by, call->by, sizeof(connection->by));
	event_del(connection->deadline);
	if (connection->service->still_permits)
		wait_for(connection, PERMIT_SECONDS);
	evbuffer_add_printf(output, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
				    "Cache-Control: no-store\r\nConnection: close\r\n\r\n");
	monitor_begin(connection->monitor, output);
}

/* ---- requests ------------------------------------------------------------------------- */

static void refuse_request(struct api_call *call, const struct http_request *request)
{
	if (request->status == 413)
		api_refuse(call, 413, "the body is larger than %zu MB", request->body_max >> 20);
	else
		api_refuse(call, request->status, "%s", request->mistake);
}

/* Who may not is told nothing else. */
static void begin_call(struct api_connection *connection, struct api_call *call)
{
	const struct http_request *request = &connection->request;
	const char *query = request->uri ? evhttp_uri_get_query(request->uri) : NULL;
	struct api_service *service = connection->service;

	*call = (struct api_call){
		.daemon = service->daemon,
		.method = request->method,
		.path = request->uri ? evhttp_uri_get_path(request->uri) : "",
		.body = "",
		.body_len = evbuffer_get_length(request->body),
		.file_names = evhttp_find_header(&request->headers, "X-Alpnlb-File-Names"),
	};
	TAILQ_INIT(&call->query);
	if (call->body_len)
		call->body = (const char *)evbuffer_pullup(request->body, -1);
	if (request->status)
		refuse_request(call, request);
	else if (!request->uri)
		api_refuse(call, 400, "the URL cannot be read");
	else if (query && (strstr(query, "%00") || evhttp_parse_query_str(query, &call->query)))
		api_refuse(call, 400, "the query cannot be read");
	if (service->permit && request->state > FIELD_LINES)
		service->permit(call, request, bufferevent_getfd(connection->stream));
}

static void on_request(struct api_connection *connection)
{
	struct api_call call;

	begin_call(connection, &call);
	if (!call.status)
		api_dispatch(&call);
	if (call.monitor)
		stream(connection, &call);
	else
		answer(connection, &call);
	api_call_free(&call);
}

/* A request that is refused anyway: its body is not waited for. */
static void on_head(struct api_connection *connection)
{
	struct api_call call;

	begin_call(connection, &call);
	if (call.status) {
		connection->request.last = true;
		answer(connection, &call);
	} else if (connection->request.expects) {
		bufferevent_write(connection->stream, CONTINUE, strlen(CONTINUE));
	}
	api_call_free(&call);
}

static void proceed(struct api_connection *connection)
{
	struct evbuffer *input = bufferevent_get_input(connection->stream);

	while (connection->phase == READING) {
		switch (http_read(&connection->request, input)) {
		case HTTP_NEED_MORE:
			return;
		case HTTP_HEAD:
			on_head(connection);
			break;
		default:
			on_request(connection);
		}
	}
	if (connection->phase == ENDING || connection->phase == STREAMING)
		evbuffer_drain(input, evbuffer_get_length(input));
}

/* ---- connections ---------------------------------------------------------------------- */

static void say_goodbye(struct api_connection *connection)
{
	SSL *ssl = bufferevent_openssl_get_ssl(connection->stream);

	if (ssl)
		SSL_shutdown(ssl);
	ERR_clear_error();
	shutdown(bufferevent_getfd(connection->stream), SHUT_WR);
}

static void on_read(struct bufferevent *stream, void *argument)
{
	proceed(argument);
}

/* All that was to be written is. */
static void on_written(struct bufferevent *stream, void *argument)
{
	struct api_connection *connection = argument;
	size_t body_max = connection->service->body_max;

	if (connection->monitor)
		monitor_written(connection->monitor);
	if (connection->phase != ANSWERING)
		return;
	http_end(&connection->request);
	if (http_begin(&connection->request, body_max)) {
		connection_free(connection);
		return;
	}
	connection->phase = connection->leaving ? ENDING : READING;
	if (connection->leaving)
		say_goodbye(connection);
	wait_for(connection, connection->leaving ? ENDING_SECONDS : REQUEST_SECONDS);
	bufferevent_enable(stream, EV_READ);
	proceed(connection);
}

static void on_event(struct bufferevent *stream, short what, void *argument)
{
	struct api_connection *connection = argument;

	if (what & BEV_EVENT_CONNECTED) { /* the handshake is done */
		wait_for(connection, REQUEST_SECONDS);
		return;
	}
	/* A client may end its half, and wait for the answer. */
	if (what & BEV_EVENT_EOF && connection->phase == READING) {
		connection->request.last = true;
		proceed(connection);
	}
	if (what & BEV_EVENT_EOF && connection->phase == ANSWERING)
		connection->leaving = true;
	else
		connection_free(connection);
}

static struct bufferevent *stream_new(struct api_service *service, int fd)
{
	struct event_base *base = service->daemon->base;
	struct bufferevent *stream;
	SSL *ssl;

	if (!service->tls)
		return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	socket_end_with_peer(fd, GONE_SECONDS);
	ssl = SSL_new(service->tls);
	if (!ssl)
		return NULL;
	stream = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
						BEV_OPT_CLOSE_ON_FREE);
	if (stream)
		bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	else
		SSL_free(ssl);
	return stream;
}

/* Whoever holds connections without requests loses them first; who reads events does not. */
static void make_room(struct api_service *service)
{
	struct api_connection *connection = TAILQ_FIRST(&service->connections);

	if (service->n_connections < service->connections_max)
		return;
	while (connection && connection->phase == STREAMING)
		connection = TAILQ_NEXT(connection, entry);
	if (connection)
		connection_free(connection);
}

void api_serve(struct api_service *service, int fd)
{
	struct api_connection *connection = calloc(1, sizeof(*connection));

	if (connection)
		connection->stream = stream_new(service, fd);
	if (!connection || !connection->stream) {
		free(connection);
		close(fd);
		return;
	}
	make_room(service);
	connection->service = service;
	TAILQ_INSERT_TAIL(&service->connections, connection, entry);
	service->n_connections++;
	connection->deadline = evtimer_new(service->daemon->base, on_deadline, connection);
	if (http_begin(&connection->request, service->body_max) || !connection->deadline) {
		connection_free(connection);
		return;
	}
	bufferevent_setcb(connection->stream, on_read, on_written, on_event, connection);
	bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
	wait_for(connection, service->tls ? HANDSHAKE_SECONDS : REQUEST_SECONDS);
}

void api_service_init(struct api_service *service)
{
	TAILQ_INIT(&service->connections);
}

void api_service_leave(struct api_service *service)
{
	struct api_connection *connection;

	TAILQ_FOREACH(connection, &service->connections, entry)
	{
		connection->leaving = true;
		wait_for(connection, ENDING_SECONDS);
	}
}

void api_service_close(struct api_service *service)
{
	struct api_connection *connection;

	while ((connection = service->connections.tqh_first))
		connection_free(connection);
}

/* ---- listeners ------------------------------------------------------------------------ */

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *address,
		      int size, void *argument)
{
	static const struct timeval at_once = {0};
	struct api_listener *listener = argument;

	api_serve(listener->service, fd);
	if (++listener->accepted < ACCEPTS_MAX)
		return;
	evconnlistener_disable(socket);
	evtimer_add(listener->resume, &at_once);
}

static void on_resume(evutil_socket_t fd, short what, void *argument)
{
	struct api_listener *listener = argument;

	listener->accepted = 0;
	evconnlistener_enable(listener->socket);
}

/* Mostly that no descriptor is left: the socket stays readable, and would be tried for ever. */
static void on_accept_error(struct evconnlistener *socket, void *argument)
{
	static const struct timeval delay = {.tv_usec = 100 * 1000};
	struct api_listener *listener = argument;
	int err = EVUTIL_SOCKET_ERROR();
	uint64_t now = monotonic_time();

	if (!listener->failed || now - listener->failed > EPISODE)
		log_line(LOG_WARN, "%s: accepting connections pauses: %s", listener->service->name,
			 strerror(err));
	listener->failed = now;
	evconnlistener_disable(socket);
	evtimer_add(listener->resume, &delay);
}

int api_listen(struct api_listener *listener, struct api_service *service, int fd)
{
	struct event_base *base = service->daemon->base;

	listener->service = service;
	listener->resume = evtimer_new(base, on_resume, listener);
	if (listener->resume)
		listener->socket =
			evconnlistener_new(base, on_accept, listener,
					   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!listener->socket) {
		api_listener_close(listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(listener->socket, on_accept_error);
	return 0;
}

void api_listener_close(struct api_listener *listener)
{
	if (listener->socket)
		evconnlistener_free(listener->socket);
	if (listener->resume)
		event_free(listener->resume);
	listener->socket = NULL;
	listener->resume = NULL;
}
