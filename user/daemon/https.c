// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "https.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../api/call.h"
#include "../model/decode.h"
#include "daemon.h"
#include "socket.h"
#include "state_directory.h"
#include "tls.h"

#define BODY_MAX	  (1 << 20)
#define HANDSHAKE_SECONDS 10
#define REQUEST_SECONDS	  30 /* from the request before, or the connection, to the whole of it */
#define ENDING_SECONDS	  5
#define BACKLOG		  64

/* One address and port, and the connections accepted there. */
struct https_server {
	struct api_listener listener;
	uint8_t address[16];
	uint16_t port; /* host order */
	struct event *end;
	struct https_server *next; /* in the list of those that end */
};

/*
 * What HTTP leaves open: how long a connection may take, and how many there may be. It lives as
 * long as its SSL, which belongs to libevent.
 */
struct https_connection {
	TAILQ_ENTRY(https_connection) entry;
	struct https *https;
	struct bufferevent *stream;
	struct event *deadline;
	bool late; /* the deadline is that of the request, not of the handshake */
};

/* ---- connections ---------------------------------------------------------------------- */

static void wait_for(struct https_connection *connection, int seconds)
{
	struct timeval time = {.tv_sec = seconds};

	evtimer_add(connection->deadline, &time);
}

/* HTTP finds it closed by the peer and frees it. */
static void cut(struct https_connection *connection)
{
	shutdown(bufferevent_getfd(connection->stream), SHUT_RDWR);
}

static void on_deadline(evutil_socket_t fd, short what, void *argument)
{
	struct https_connection *connection = argument;

	if (connection->late ||
	    !SSL_is_init_finished(bufferevent_openssl_get_ssl(connection->stream))) {
		cut(connection);
		return;
	}
	connection->late = true;
	wait_for(connection, REQUEST_SECONDS - HANDSHAKE_SECONDS);
}

/* The last one in, as the newest or after a request, is cut last. */
static void enlist(struct https_connection *connection)
{
	TAILQ_INSERT_TAIL(&connection->https->connections, connection, entry);
	connection->https->n_connections++;
}

static void delist(struct https_connection *connection)
{
	TAILQ_REMOVE(&connection->https->connections, connection, entry);
	connection->https->n_connections--;
}

/* Room for a new one: whoever holds connections without requests loses them first. */
static void make_room(struct https *https)
{
	struct https_connection *oldest = TAILQ_FIRST(&https->connections);

	if (https->n_connections < HTTPS_CONNECTIONS)
		return;
	cut(oldest);
	delist(oldest);
	oldest->https = NULL;
}

static void connection_free(void *parent, void *data, CRYPTO_EX_DATA *extra, int index, long argl,
			    void *argp)
{
	struct https_connection *connection = data;

	if (!connection)
		return;
	if (connection->https)
		delist(connection);
	if (connection->deadline)
		event_free(connection->deadline);
	free(connection);
}

/* Where an SSL keeps its connection. */
static int connection_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_get_ex_new_index(0, NULL, NULL, NULL, connection_free);
	return index;
}

static bool adopt(struct https *https, struct event_base *base, SSL *ssl)
{
	struct https_connection *connection = calloc(1, sizeof(*connection));

	if (!connection || !SSL_set_ex_data(ssl, connection_index(), connection)) {
		free(connection);
		return false;
	}
	connection->deadline = evtimer_new(base, on_deadline, connection);
	if (connection->deadline) /* from here on the stream frees the SSL */
		connection->stream = bufferevent_openssl_socket_new(
			base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (!connection->stream)
		return false;
	bufferevent_openssl_set_allow_dirty_shutdown(connection->stream, 1);
	make_room(https);
	connection->https = https;
	enlist(connection);
	wait_for(connection, HANDSHAKE_SECONDS);
	return true;
}

/* Without a stream of ours libevent makes one in the clear, which permit() refuses. */
static struct bufferevent *on_accept(struct event_base *base, void *argument)
{
	struct daemon *daemon = argument;
	SSL *ssl = SSL_new(daemon->https.context);
	struct https_connection *connection;

	if (!ssl)
		return NULL;
	if (adopt(&daemon->https, base, ssl)) {
		connection = SSL_get_ex_data(ssl, connection_index());
		return connection->stream;
	}
	SSL_free(ssl);
	return NULL;
}

static void permit(struct api_call *call, struct evhttp_request *request)
{
	struct evhttp_connection *http = evhttp_request_get_connection(request);
	SSL *ssl = bufferevent_openssl_get_ssl(evhttp_connection_get_bufferevent(http));
	struct https_connection *connection = ssl ? SSL_get_ex_data(ssl, connection_index()) : NULL;

	if (!connection) {
		api_refuse(call, 403, "this is served on HTTPS only");
		return;
	}
	if (connection->https) {
		delist(connection);
		enlist(connection);
	}
	connection->late = true;
	wait_for(connection, REQUEST_SECONDS);
	authorize(&call->daemon->https.authorizer, call, request);
}

/* ---- servers -------------------------------------------------------------------------- */

static void server_free(struct https_server *server)
{
	if (!server)
		return;
	api_close(&server->listener);
	if (server->end)
		event_free(server->end);
	free(server);
}

static void on_end(evutil_socket_t fd, short what, void *argument)
{
	struct https_server *server = argument, **place;

	place = &server->listener.daemon->https.ending;
	while (*place != server)
		place = &(*place)->next;
	*place = server->next;
	server_free(server);
}

/* The request that brought this about may be one of its own. */
static void server_end(struct https *https, struct https_server *server)
{
	struct timeval time = {.tv_sec = ENDING_SECONDS};

	api_stop_listening(&server->listener);
	server->next = https->ending;
	https->ending = server;
	evtimer_add(server->end, &time);
}

static void set_reuse_port(int fd, int on)
{
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

static int open_socket(const struct api_settings *api, bool share)
{
	struct sockaddr_storage address;
	socklen_t size = socket_address(api->address, htons(api->port), &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	socket_reuse_address(fd);
	set_reuse_port(fd, share);
	if (!bind(fd, (struct sockaddr *)&address, size) && !listen(fd, BACKLOG)) {
		set_reuse_port(fd, false);
		return fd;
	}
	err = -errno;
	close(fd);
	return err;
}

/* The port may be the same, with the address one of all, or all instead of one. */
static int open_beside(const struct https_server *old, const struct api_settings *api)
{
	bool share = old && old->listener.socket && old->port == api->port;
	int old_fd = share ? evhttp_bound_socket_get_fd(old->listener.socket) : -1, fd;

	if (share)
		set_reuse_port(old_fd, true);
	fd = open_socket(api, share);
	if (share)
		set_reuse_port(old_fd, false);
	return fd;
}

static int server_open(struct daemon *daemon, const struct api_settings *api,
		       struct https_server **opened)
{
	int fd = open_beside(daemon->https.server, api), err;
	struct https_server *server;

	if (fd < 0)
		return fd;
	server = calloc(1, sizeof(*server));
	if (!server) {
		close(fd);
		return -ENOMEM;
	}
	memcpy(server->address, api->address, sizeof(server->address));
	server->port = api->port;
	server->listener =
		(struct api_listener){.daemon = daemon, .permit = permit, .body_max = BODY_MAX};
	server->end = evtimer_new(daemon->base, on_end, server);
	err = server->end ? api_listen(&server->listener, fd) : -ENOMEM;
	if (err) {
		close(fd);
		server_free(server);
		return err;
	}
	evhttp_set_bevcb(server->listener.http, on_accept, daemon);
	*opened = server;
	return 0;
}

static bool serves(const struct https_server *server, const struct api_settings *api)
{
	return server && server->port == api->port &&
	       !memcmp(server->address, api->address, sizeof(server->address));
}

/* ---- with a configuration ------------------------------------------------------------- */

static int open_seen(struct daemon *daemon)
{
	struct seen *seen = &daemon->https.authorizer.seen;
	char path[STATE_PATH];
	int err = seen->entries ? 0 : state_directory_make(daemon->name);

	if (err || seen->entries)
		return err;
	return seen_open(seen, state_directory_path(daemon->name, "signatures", path));
}

static int prepare_server(struct daemon *daemon, const struct api_settings *api, char *failed,
			  size_t size)
{
	struct https *https = &daemon->https;
	char text[64];
	int err;

	if (serves(https->server, api)) {
		https->next = https->server;
		return 0;
	}
	err = server_open(daemon, api, &https->next);
	if (err)
		snprintf(failed, size, "api.listen: %s: %s",
			 endpoint_format(api->address, api->port, text, sizeof(text)),
			 strerror(-err));
	return err;
}

int https_prepare(struct daemon *daemon, const struct config *config, char *failed, size_t size)
{
	struct https *https = &daemon->https;
	int err;

	if (!https->connections.tqh_last)
		TAILQ_INIT(&https->connections);
	if (!config->api.certificate)
		return 0;
	err = open_seen(daemon);
	if (err) {
		snprintf(failed, size, "api: " STATE_ROOT "/%s/signatures: %s", daemon->name,
			 strerror(-err));
		return err;
	}
	https->next_context = tls_load(&config->api, failed, size);
	err = https->next_context ? prepare_server(daemon, &config->api, failed, size) : -EINVAL;
	if (err)
		https_abort(daemon);
	return err;
}

void https_abort(struct daemon *daemon)
{
	struct https *https = &daemon->https;

	if (https->next != https->server)
		server_free(https->next);
	SSL_CTX_free(https->next_context);
	https->next = NULL;
	https->next_context = NULL;
}

void https_commit(struct daemon *daemon)
{
	struct https *https = &daemon->https;

	if (https->server && https->server != https->next)
		server_end(https, https->server);
	SSL_CTX_free(https->context); /* its connections have it as long as they need it */
	https->server = https->next;
	https->context = https->next_context;
	https->next = NULL;
	https->next_context = NULL;
}

void https_close(struct https *https)
{
	struct https_server *server;

	server_free(https->server);
	while ((server = https->ending)) {
		https->ending = server->next;
		server_free(server);
	}
	SSL_CTX_free(https->context);
	application_store_free(&https->authorizer.applications);
	seen_close(&https->authorizer.seen);
}
