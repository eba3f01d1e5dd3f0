/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the program at the door decides from: one generation of its tables. */
#ifndef ALPNLB_DOOR_TABLES_H
#define ALPNLB_DOOR_TABLES_H

#include "../../bpf/door.h"
#include "../model/objects.h"

enum door_table {
	DOOR_TABLE_PORTS,
	DOOR_TABLE_FRONTENDS,
	DOOR_TABLE_ADDRESSES,
	DOOR_TABLE_LISTS4,
	DOOR_TABLE_LISTS6,
	DOOR_TABLE_MAX,
};

extern const char *const door_table_name[DOOR_TABLE_MAX];

/* Makes maps from a configuration whose objects have ids: their fds, or -errno; none is left then.
 */
int door_tables_make(const struct config *config, int fds[DOOR_TABLE_MAX]);

/* Puts the addresses of the host into a `door_addresses`, and takes out those it has no more. */
int door_addresses_fill(int map);

#endif
