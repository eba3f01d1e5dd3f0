/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections as rows of output. */
#ifndef ALPNLB_FLOW_ROWS_H
#define ALPNLB_FLOW_ROWS_H

#include <jansson.h>

#include "../kernel/spliced.h"
#include "output.h"
#include "snapshot.h"

/* Who is connected to what, and by which decision. */
/* clang-format off */
#define ENDS_COLUMNS                                                                               \
	COLUMN("client", "CLIENT", .keep = KEEP_ENDPOINT),                                         \
	COLUMN("frontend", "FRONTEND", .drop = 12),                                                \
	COLUMN("route", "ROUTE", .drop = 6),                                                       \
	COLUMN("farm", "FARM", .drop = 10),                                                        \
	COLUMN("server", "SERVER"),                                                                \
	COLUMN("server_address", "ADDRESS", .drop = 13, .keep = KEEP_ENDPOINT)
/* clang-format on */

const char *flow_state_name(enum spliced_state state);

/*
 * A spliced connection: a new reference. `hellos` is of spliced_open_hellos(), or an error; `now`
 * is monotonic_time(), or a little earlier.
 */
json_t *flow_row(const struct snapshot *snapshot, const struct spliced *spliced, int hellos,
		 uint64_t now);

#endif
