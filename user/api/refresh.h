/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_API_REFRESH_H
#define ALPNLB_API_REFRESH_H

#include "../daemon/daemon.h"

/*
 * Makes what is staged the running configuration of `zone`, NULL for every zone; another zone than
 * this instance's is noted only. Returns 0, -EINVAL with `problems` when it cannot run, or another
 * -errno with one line in `failed`; then nothing has changed.
 */
int refresh_run(struct daemon *daemon, const char *zone, struct problems *problems, char *failed,
		size_t size);

#endif
