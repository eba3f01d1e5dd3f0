/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that were leaving their sockets for the packet path when their daemon was killed:
 * what the sockets still had to do, nobody does.
 */
#ifndef ALPNLB_UNFINISHED_H
#define ALPNLB_UNFINISHED_H

#include "spliced.h"

/*
 * Adds those of the earlier daemon of `instance`, which has to be dead, and whose maps are still
 * pinned. None, if they are another version's.
 */
void unfinished_find(const char *instance, struct spliced_cuts *cuts);

#endif
