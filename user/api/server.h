/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HTTP in front of the API: one listener for each way to reach it, all in the main thread. */
#ifndef ALPNLB_API_SERVER_H
#define ALPNLB_API_SERVER_H

#include <stddef.h>

struct api_call;
struct daemon;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_request;

struct api_listener {
	struct daemon *daemon;
	/*
	 * May this peer make this call? If not, refuses it with api_refuse(). Method, path and
	 * body are there already, nothing of it has been looked at. Replaces a refusal there is.
	 */
	void (*permit)(struct api_call *call, struct evhttp_request *request);
	size_t body_max; /* bytes; a body over 1 MB is of use for a configuration only */
	struct evhttp *http;
	struct evhttp_bound_socket *socket;
};

/*
 * Serves the connections of `fd`, a listening socket, which is closed with the listener.
 * `permit`, `daemon` and `body_max` are set by the caller. 0 or -errno. For TLS, call
 * evhttp_set_bevcb() on listener->http afterwards.
 */
int api_listen(struct api_listener *listener, int fd);

/* Closes the socket; connections go on. */
void api_stop_listening(struct api_listener *listener);

/* Accepts one that was never opened. */
void api_close(struct api_listener *listener);

#endif
