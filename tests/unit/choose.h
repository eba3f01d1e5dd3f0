/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A server for a client that does not wait. */
#ifndef ALPNLB_TEST_CHOOSE_H
#define ALPNLB_TEST_CHOOSE_H

#include "../../user/kernel/decide.h"

static inline uint32_t choose_server(const struct tables *tables,
				     const struct balance_stats *balance, uint32_t farm_id,
				     const uint8_t source[16], const uint32_t *tried,
				     uint32_t tried_count)
{
	struct asker asker = {
		.farm_id = farm_id,
		.source = source,
		.tried = tried,
		.tried_count = tried_count,
	};

	return choose_server_or_wait(tables, balance, &asker);
}

#endif
