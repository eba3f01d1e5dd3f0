/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who an instance belongs to: whoever holds the lock in its directory below RUN_ROOT. */
#ifndef ALPNLB_LOCK_H
#define ALPNLB_LOCK_H

#include <stdbool.h>

#define RUN_ROOT "/run/alpnlb"

/*
 * Takes the lock until the fd is closed, and makes the directory if need be. Returns the fd, or
 * -errno: -EBUSY when somebody else has it.
 */
int lock_take(const char *instance);

/* Is there a daemon, even one that does not answer yet? Keeps none from taking the lock. */
bool lock_is_taken(const char *instance);

#endif
