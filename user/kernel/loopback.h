/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_LOOPBACK_H
#define ALPNLB_LOOPBACK_H

#include <stdbool.h>

/* Is `lo` up in this network namespace? A new one begins without. True if that cannot be told. */
bool loopback_is_up(void);

#endif
