/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The client's end of a daemon's control socket: its API, over HTTP. */
#ifndef ALPNLB_CONTROL_CLIENT_H
#define ALPNLB_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#define CONTROL_TIMEOUT 60 /* seconds without a byte; compiling 65,536 routes takes a while */
#define CONTROL_SERVICE "/1.0/ipLoadbalancing/"

struct control_answer {
	long status;  /* of HTTP: 200 when it was done */
	json_t *body; /* {"message", "class", ...} when it was not */
};

/*
 * Sends a request, with a body unless it is NULL, and waits for the answer, which the caller
 * frees with json_decref(answer->body). Returns 0 or -errno: -ENOENT or -ECONNREFUSED when no
 * daemon listens, -EPROTO when the answer is no JSON, -ETIME when none came.
 */
int control_call(const char *instance, const char *method, const char *path, const char *body,
		 size_t len, struct control_answer *answer);

/*
 * Takes each line of an answer that goes on until the daemon ends, or line() is false. 0 or -errno,
 * as above; `answer` is that of a daemon that refuses, and else has the status 200.
 */
typedef bool control_line(const char *line, size_t len, void *context);
int control_follow(const char *instance, const char *path, control_line *line, void *context,
		   struct control_answer *answer);

/* Does a daemon of this instance listen? */
bool control_alive(const char *instance);

/* The process of its daemon if that is in another network namespace than this one, else 0. */
pid_t control_elsewhere(const char *instance);

#endif
