/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a connection is called in the log, and to servers that ask for it (PP2_TYPE_UNIQUE_ID). */
#ifndef ALPNLB_CONNECTION_ID_H
#define ALPNLB_CONNECTION_ID_H

#include <inttypes.h>
#include <stdio.h>

#define CONNECTION_ID_LEN 24

/* By when it was accepted and its serial number, which begins anywhere in each daemon. */
static inline void connection_id(uint64_t accepted, uint32_t serial, char id[CONNECTION_ID_LEN + 1])
{
	snprintf(id, CONNECTION_ID_LEN + 1, "%016" PRIx64 "%08" PRIx32, accepted, serial);
}

#endif
