// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "https.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/listener.h>
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

#define BODY_MAX (1 << 20)
#define BACKLOG	 64

/* One address and port. */
struct https_server {
	struct api_listener listener;
	uint8_t address[16];
	uint16_t port; /* host order */
};

static void permit(struct api_call *call, const struct http_request *request, int fd)
{
	authorize(&call->daemon->https.authorizer, call, request);
}

static bool still_permits(struct daemon *daemon, const char *by)
{
	return authorize_still(&daemon->https.authorizer, daemon->name, by);
}

/* ---- servers -------------------------------------------------------------------------- */

static void server_free(struct https_server *server)
{
	if (server)
		api_listener_close(&server->listener);
	free(server);
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
	bool share = old && old->port == api->port;
	int old_fd = share ? evconnlistener_get_fd(old->listener.socket) : -1, fd;

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
	struct https_server *server;
	int fd, err;

	/* A socket could be bound, but would get no connection. */
	if (steered_covers(&daemon->listeners.steered, api->address, api->port))
		return -EADDRINUSE;
	fd = open_beside(daemon->https.server, api);
	if (fd < 0)
		return fd;
	server = calloc(1, sizeof(*server));
	if (!server) {
		close(fd);
		return -ENOMEM;
	}
	memcpy(server->address, api->address, sizeof(server->address));
	server->port = api->port;
	err = api_listen(&server->listener, &daemon->https.service, fd);
	if (err) {
		close(fd);
		server_free(server);
		return err;
	}
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

static void init_service(struct daemon *daemon)
{
	struct https *https = &daemon->https;

	https->service = (struct api_service){
		.name = "HTTPS",
		.daemon = daemon,
		.permit = permit,
		.still_permits = still_permits,
		.body_max = BODY_MAX,
		.connections_max = HTTPS_CONNECTIONS,
	};
	api_service_init(&https->service);
}

int https_prepare(struct daemon *daemon, const struct config *config, char *failed, size_t size)
{
	struct https *https = &daemon->https;
	int err;

	if (!https->service.daemon)
		init_service(daemon);
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

	if (https->server && https->server != https->next) {
		server_free(https->server);
		api_service_leave(&https->service);
	}
	SSL_CTX_free(https->service.tls); /* its connections have it as long as they need it */
	https->server = https->next;
	https->service.tls = https->next_context;
	https->next = NULL;
	https->next_context = NULL;
}

void https_close(struct https *https)
{
	server_free(https->server);
	api_service_close(&https->service);
	SSL_CTX_free(https->service.tls);
	application_store_free(&https->authorizer.applications);
	seen_close(&https->authorizer.seen);
}
