/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The client's end of a daemon's control socket. */
#ifndef ALPNLB_CONTROL_CLIENT_H
#define ALPNLB_CONTROL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Sends `request` and waits for the answer: a new reference in *answer. Returns 0 or
 * -errno: -ENOENT or -ECONNREFUSED when no daemon listens, -EPROTO when the answer is no
 * JSON object, -ETIME when none came.
 */
int control_call(const char *instance, const json_t *request, json_t **answer);

/* Does a daemon of this instance listen? */
bool control_alive(const char *instance);

#endif
