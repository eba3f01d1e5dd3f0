/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_API_REFRESH_H
#define ALPNLB_API_REFRESH_H

#include "../daemon/daemon.h"

/*
 * Makes what is staged the running configuration of a zone, and a revision; another zone than
 * this instance's is noted only. Returns 0, or -errno with one line in `failed`, and `problems`
 * when it cannot run; then nothing has changed.
 */
int refresh_run(struct daemon *daemon, struct refresh *refresh, struct problems *problems,
		char *failed, size_t size);

/*
 * Around a write that is refreshed at once: on disk both are one step, and where either fails, what
 * was staged before is again. Changes that were staged and not refreshed become a revision.
 * `err` is what the write returned; refresh_end() returns as refresh_run() does.
 */
void refresh_begin(struct daemon *daemon, struct refresh *refresh);
int refresh_end(struct daemon *daemon, struct refresh *refresh, int err, struct problems *problems,
		char *failed, size_t size);

/* Answers a call whose refresh has failed, with what refresh_end() told. */
void api_refuse_refresh(struct api_call *call, const struct problems *problems, const char *failed);

/* Warns of what clients have shown about the configuration that is staged. */
void refresh_warn(const struct daemon *daemon, struct problems *problems);

#endif
