// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>

#include "call.h"

#define HEADERS_MAX 16384
#define TIMEOUT	    30 /* seconds without a byte of a request, or of its answer taken */

static const char *method_name(enum evhttp_cmd_type type)
{
	switch (type) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	case EVHTTP_REQ_OPTIONS:
		return "OPTIONS";
	default:
		return "another method";
	}
}

static void reply(struct evhttp_request *request, const struct api_call *call)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evhttp_request_get_output_buffer(request);
	char *text = json_dumps(call->answer, JSON_COMPACT | JSON_ENCODE_ANY);

	evhttp_add_header(headers, "Content-Type", "application/json; charset=utf-8");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	if (call->status == 405)
		evhttp_add_header(headers, "Allow", call->allow);
	if (text && evhttp_request_get_command(request) != EVHTTP_REQ_HEAD)
		evbuffer_add_printf(body, "%s\n", text);
	free(text);
	evhttp_send_reply(request, call->status, api_reason(call), NULL);
}

/* Splits the URL; what it is made of belongs to the request. */
static void read_url(struct api_call *call, const struct evhttp_uri *uri)
{
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;

	call->path = uri ? evhttp_uri_get_path(uri) : "";
	if (query && evhttp_parse_query_str(query, &call->query))
		api_refuse(call, 400, "the query cannot be read");
}

static void on_request(struct evhttp_request *request, void *argument)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(request);
	struct api_listener *listener = argument;
	struct api_call call = {
		.daemon = listener->daemon,
		.method = method_name(evhttp_request_get_command(request)),
		.body_len = evbuffer_get_length(body),
	};

	TAILQ_INIT(&call.query);
	call.body = call.body_len ? (const char *)evbuffer_pullup(body, -1) : "";
	read_url(&call, evhttp_request_get_evhttp_uri(request));
	if (listener->permit) /* who may not is told nothing else */
		listener->permit(&call, request);
	if (!call.status)
		api_dispatch(&call);
	reply(request, &call);
	api_call_free(&call);
}

int api_listen(struct api_listener *listener, int fd)
{
	listener->http = evhttp_new(listener->daemon->base);
	if (!listener->http)
		return -ENOMEM;
	evhttp_set_allowed_methods(listener->http, UINT16_MAX); /* others are refused in JSON */
	evhttp_set_gencb(listener->http, on_request, listener);
	evhttp_set_max_headers_size(listener->http, HEADERS_MAX);
	evhttp_set_max_body_size(listener->http, listener->body_max);
	evhttp_set_timeout(listener->http, TIMEOUT);
	/* A refused body is read on, so that the client gets to read why. */
	evhttp_set_flags(listener->http, EVHTTP_SERVER_LINGERING_CLOSE);
	listener->socket = evhttp_accept_socket_with_handle(listener->http, fd);
	return listener->socket ? 0 : -ENOMEM;
}

void api_stop_listening(struct api_listener *listener)
{
	if (listener->socket)
		evhttp_del_accept_socket(listener->http, listener->socket);
	listener->socket = NULL;
}

void api_close(struct api_listener *listener)
{
	if (listener->http)
		evhttp_free(listener->http);
	listener->http = NULL;
	listener->socket = NULL;
}
