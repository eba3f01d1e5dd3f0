/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One check of one server, in an event loop: connection, PROXY header, TLS, question, answer. */
#ifndef ALPNLB_DAEMON_PROBE_H
#define ALPNLB_DAEMON_PROBE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/types.h>

#include "probe_answer.h"

struct bufferevent;

/* A farm's probe, ready to be used for all of its servers, which count as its users. */
struct plan {
	unsigned int users;
	struct probe probe;
	struct regex *regex;
	SSL_CTX *tls; /* NULL: it has none, or plan_load() is missing */
};

/* 0 and the plan, which has no users yet, or -errno. */
int plan_make(const struct probe *probe, struct plan **plan);

/* Reads its files, unless it has. False, and what is wrong with them in `failed`: see later. */
bool plan_load(struct plan *plan, char *failed, size_t size);

/* What a plan could not load, `last` may have from when it could. */
void plan_inherit(struct plan *plan, const struct plan *last);

void plan_free(struct plan *plan); /* accepts NULL */

/* Where a server is, and how it wants to be talked to. */
struct probe_target {
	uint8_t address[16]; /* IPv6, or IPv4 mapped */
	__be16 port;
	uint8_t proxy_protocol; /* enum proxy_protocol */
	uint8_t pad;
};

enum check_stage {
	STAGE_IDLE = 0,
	STAGE_CONNECT,
	STAGE_TLS,
	STAGE_TALK,
};

struct check {
	struct event_base *base;
	void (*done)(void *context, bool good, const struct check_result *result);
	void *context;
	const struct plan *plan;
	struct probe_target to;
	enum check_stage stage;
	int fd;			/* while there is no stream */
	struct event connected; /* of the fd */
	struct event timeout;
	struct bufferevent *stream; /* owns the socket */
	SSL *ssl;		    /* of the stream */
	struct talk talk;
};

/* done() is called once for each check, maybe before check_begin() returns. */
void check_init(struct check *check, struct event_base *base,
		void (*done)(void *context, bool good, const struct check_result *result),
		void *context);

/* The plan, which is loaded, and `scratch` have to be there until the end. None may run. */
void check_begin(struct check *check, const struct plan *plan, const struct probe_target *to,
		 struct regex_scratch *scratch);

bool check_runs(const struct check *check);

/* Without a call of done(). Accepts one that does not run. */
void check_cancel(struct check *check);

#endif
