/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the choice of a server reads and counts in, for tests without maps. */
#ifndef ALPNLB_TEST_BALANCE_MEMORY_H
#define ALPNLB_TEST_BALANCE_MEMORY_H

#include "../../user/kernel/decide.h"

static struct farm_stats farm_stats[MAX_FARMS + 1];
static struct server_stats server_stats[MAX_SERVERS + 1];
static struct server_health health[MAX_SERVERS + 1];
static const struct balance_stats stats = {
	.farms = farm_stats,
	.servers = server_stats,
	.health = health,
};

#endif
