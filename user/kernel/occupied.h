/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_OCCUPIED_H
#define ALPNLB_OCCUPIED_H

#include <sys/types.h>

#include "spans.h"

/*
 * Adds where programs of this network namespace listen with TCP, by sock_diag(7), but for sockets
 * of the user `owner`, and those that connections are steered to. 0 or -errno.
 */
#define NOBODY ((uid_t)-1)
int occupied_ports(uid_t owner, struct spans *spans);

#endif
