/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_DOOR_DROPS_H
#define ALPNLB_DOOR_DROPS_H

#include <stdint.h>

#include "../../bpf/door.h"

/*
 * What the door of an instance has dropped, by frontend id: *drops is a malloc()ed array of
 * MAX_FRONTENDS + 1 rows, zero where there has been no door. 0 or -errno.
 */
int door_drops_read(const char *instance, struct door_drops **drops);

/*
 * ... at an interface, where it is now, since it came there. 0 or -errno: -ENOENT where it counts
 * none.
 */
int door_drops_read_at(const char *instance, uint32_t ifindex, struct door_drops *drops);

/* By enum door_reason. */
extern const char *const door_reason_name[DOOR_REASON_MAX];
extern const char *const door_reason_help[DOOR_REASON_MAX];

#endif
