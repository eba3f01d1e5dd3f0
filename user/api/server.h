/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HTTP in front of the API, all in the main thread. */
#ifndef ALPNLB_API_SERVER_H
#define ALPNLB_API_SERVER_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct api_call;
struct bufferevent;
struct daemon;
struct event;
struct evconnlistener;
struct http_request;

TAILQ_HEAD(api_connections, api_connection);

/* A way to reach the API, and the connections that came by it. */
struct api_service {
	/* set by the caller of api_service_init() */
	const char *name; /* for the log */
	struct daemon *daemon;
	/*
	 * May this peer make this call? If not, refuses it with api_refuse(). Method and path are
	 * there already, nothing of it has been looked at. Replaces a refusal there is. Asked twice
	 * when there is a body: once it is to be read, and once it is there.
	 */
	void (*permit)(struct api_call *call, const struct http_request *request, int fd);
	/* May who was let in go on to read an answer that does not end? NULL: always. */
	bool (*still_permits)(struct daemon *daemon, const char *by);
	SSL_CTX *tls;	 /* of new connections; NULL: in the clear */
	size_t body_max; /* bytes; a body over 1 MB is of use for a configuration only */
	unsigned int connections_max;

	/* whoever has been of use longest ago first */
	struct api_connections connections;
	unsigned int n_connections;
};

struct api_listener {
	struct api_service *service;
	struct evconnlistener *socket;
	struct event *resume;
	unsigned int accepted; /* since others had a turn */
	uint64_t failed;       /* when accepting failed last: monotonic_time() */
};

void api_service_init(struct api_service *service);

/* Serves a connection, whose socket it takes over. */
void api_serve(struct api_service *service, int fd);

/* Lets connections answer what they have been asked, and ends them after 5 seconds at most. */
void api_service_leave(struct api_service *service);

/* Ends all connections. Accepts one that was never initialized. */
void api_service_close(struct api_service *service);

/*
 * Serves the connections of `fd`, a listening socket, which is closed with the listener. 0 or
 * -errno.
 */
int api_listen(struct api_listener *listener, struct api_service *service, int fd);

/* Closes the socket; connections go on. Accepts one that was never opened. */
void api_listener_close(struct api_listener *listener);

#endif
