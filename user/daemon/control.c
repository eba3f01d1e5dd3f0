// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"

#define REQUEST_MAX (80 << 20) /* the largest file, escaped */
static const struct timeval request_timeout = {30, 0};

/* ---- commands ---------------------------------------------------------------------------- */

static json_t *problems_to_json(const struct problems *problems)
{
	json_t *array = json_array();

	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *problem = &problems->v[i];

		json_array_append_new(array, json_pack("{s:b, s:i, s:s, s:s}", "warning",
						       problem->warning, "line", problem->line,
						       "path", problem->path ? problem->path : "",
						       "message", problem->message));
	}
	return array;
}

static json_t *error_reply(const char *error)
{
	return json_pack("{s:s}", "error", error);
}

static struct config *decode_text(const char *text, size_t len, struct problems *problems)
{
	struct document *document = document_parse(text, len, problems);
	struct config *config = document ? config_decode(document, problems) : NULL;

	document_free(document);
	return config;
}

static json_t *command_apply(struct daemon *daemon, const json_t *request)
{
	const json_t *text = json_object_get(request, "text");
	struct problems problems = {0};
	struct config *config;
	char failed[512];
	json_t *reply;

	if (!json_is_string(text))
		return error_reply("apply: 'text' has to be the configuration as a string");
	if (daemon->draining)
		return error_reply("the daemon is draining: it takes no new configuration");
	config = decode_text(json_string_value(text), json_string_length(text), &problems);
	if (!config)
		reply = error_reply("the configuration has errors; nothing was changed");
	else if (daemon_apply(daemon, config, failed, sizeof(failed)))
		reply = error_reply(failed);
	else
		reply = json_pack("{s:i}", "revision", daemon->engine.instance.control->revision);
	json_object_set_new(reply, "problems", problems_to_json(&problems));
	problems_free(&problems);
	return reply;
}

static json_t *command_status(const struct daemon *daemon)
{
	return json_pack("{s:i, s:s, s:i, s:i, s:b, s:I}", "pid", getpid(), "version",
			 ALPNLB_VERSION, "revision", daemon->engine.instance.control->revision,
			 "workers", daemon->n_workers, "draining", daemon->draining, "uptime",
			 (json_int_t)(time(NULL) - daemon->started));
}

static json_t *answer(struct daemon *daemon, const char *text, size_t len)
{
	json_error_t error;
	json_t *request = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	const char *command = json_string_value(json_object_get(request, "command"));
	json_t *reply;

	if (!request)
		reply = error_reply(error.text);
	else if (command && !strcmp(command, "apply"))
		reply = command_apply(daemon, request);
	else if (command && !strcmp(command, "status"))
		reply = command_status(daemon);
	else
		reply = error_reply("unknown command: apply and status are known");
	json_decref(request);
	return reply;
}

/* ---- connections ------------------------------------------------------------------------- */

static void on_written(struct bufferevent *client, void *argument)
{
	bufferevent_free(client);
}

static void on_lost(struct bufferevent *client, short what, void *argument)
{
	bufferevent_free(client);
}

static void send_reply(struct bufferevent *client, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);

	json_decref(reply);
	bufferevent_disable(client, EV_READ);
	bufferevent_setcb(client, NULL, on_written, on_lost, NULL);
	if (text)
		evbuffer_add_printf(bufferevent_get_output(client), "%s\n", text);
	free(text);
}

/* The request is complete when the client has shut its side down. */
static void on_request_end(struct bufferevent *client, short what, void *argument)
{
	struct evbuffer *input = bufferevent_get_input(client);
	size_t len = evbuffer_get_length(input);

	if (!(what & BEV_EVENT_EOF) || !len) {
		bufferevent_free(client);
		return;
	}
	send_reply(client, answer(argument, (char *)evbuffer_pullup(input, -1), len));
}

static void on_request_data(struct bufferevent *client, void *argument)
{
	if (evbuffer_get_length(bufferevent_get_input(client)) > REQUEST_MAX)
		send_reply(client, error_reply("the request is larger than 80 MB"));
}

/* Root only: the socket's mode says so, and so do the peer's credentials. */
static bool peer_is_root(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.uid == 0;
}

static void on_client(evutil_socket_t listener, short what, void *argument)
{
	struct daemon *daemon = argument;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct bufferevent *client;

	if (fd < 0)
		return;
	if (!peer_is_root(fd)) {
		close(fd);
		return;
	}
	client = bufferevent_socket_new(daemon->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client) {
		close(fd);
		return;
	}
	bufferevent_setcb(client, on_request_data, NULL, on_request_end, daemon);
	bufferevent_set_timeouts(client, &request_timeout, &request_timeout);
	bufferevent_enable(client, EV_READ | EV_WRITE);
}

int control_open(struct daemon *daemon)
{
	struct control_server *control = &daemon->control;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int err;

	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (control->fd < 0)
		return -errno;
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
		     daemon->run_dir) >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	unlink(address.sun_path); /* of a daemon that was killed: we hold the lock */
	mask = umask(0177);
	err = bind(control->fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (err || listen(control->fd, 16))
		return -errno;
	snprintf(control->path, sizeof(control->path), "%s", address.sun_path);
	control->event =
		event_new(daemon->base, control->fd, EV_READ | EV_PERSIST, on_client, daemon);
	return control->event && !event_add(control->event, NULL) ? 0 : -ENOMEM;
}

void control_close(struct daemon *daemon)
{
	struct control_server *control = &daemon->control;

	if (control->event)
		event_free(control->event);
	if (control->path[0])
		unlink(control->path);
	if (control->fd >= 0)
		close(control->fd);
	control->event = NULL;
	control->fd = -1;
	control->path[0] = 0;
}
