/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decodes requests of HTTP/1.0 and 1.1 (RFC 9112) as their bytes come. */
#ifndef ALPNLB_API_HTTP_H
#define ALPNLB_API_HTTP_H

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_METHOD_MAX 31

struct evbuffer;

enum http_progress {
	HTTP_NEED_MORE,
	HTTP_HEAD, /* told once, of a request with a body */
	HTTP_DONE,
	HTTP_REFUSED, /* where it ends is not known: what follows is not to be read */
};

/* What is to be read next. */
enum http_state {
	REQUEST_LINE,
	FIELD_LINES,
	BODY,
	CHUNK_SIZE,
	CHUNK_DATA,
	CHUNK_END,
	TRAILERS,
	WHOLE,
};

struct http_request {
	enum http_state state;
	char method[HTTP_METHOD_MAX + 1];
	char *target;		  /* as it was sent; NULL before it is there */
	struct evhttp_uri *uri;	  /* of the target; NULL if that cannot be read */
	struct evkeyvalq headers; /* all of them once `state` is past FIELD_LINES */
	struct evbuffer *body;
	bool old;     /* HTTP/1.0 */
	bool last;    /* the connection ends with the answer */
	bool expects; /* 100 Continue before the body */
	/* when it is refused */
	int status;
	const char *mistake;
	/* bytes */
	size_t body_max;
	size_t lines_len; /* of lines read together */
	uint64_t left;	  /* of the body, or of the chunk */
};

/* Is it there with its body, and not refused? */
static inline bool http_is_whole(const struct http_request *request)
{
	return request->state == WHOLE && !request->status;
}

/* 0 or -ENOMEM. http_end() has to follow, after -ENOMEM as well. */
int http_begin(struct http_request *request, size_t body_max);
void http_end(struct http_request *request);

/* Takes what belongs to the request out of `input`. */
enum http_progress http_read(struct http_request *request, struct evbuffer *input);

#endif
