/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which server of a farm a client sticks to. Each farm that wants it has a table of its own, so
 * that a flood of addresses at one farm does not make clients of another move. A full table
 * forgets those that were not seen for long: what it holds are preferences.
 *
 * The unit that includes this header provides
 *	static bool stick_load(__u32 farm_id, const __u8 *client, struct stick_row *row);
 *	static void stick_store(__u32 farm_id, const __u8 *client, const struct stick_row *row);
 */
#ifndef ALPNLB_STICK_H
#define ALPNLB_STICK_H

#include "portable.h"

static bool stick_load(__u32 farm_id, const __u8 *client, struct stick_row *row);
static void stick_store(__u32 farm_id, const __u8 *client, const struct stick_row *row);

/* 0 if there is none, or it was not used for longer than the farm says. */
static __always_inline __u32 stick_server(const struct farm_row *farm, __u32 farm_id,
					  const __u8 *client, __u64 now)
{
	struct stick_row row;

	if (!stick_load(farm_id, client, &row) || row.used + farm->stick_ttl * 1000000ULL < now)
		return 0;
	return row.server;
}

#endif
