/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_LOCAL_PORTS_H
#define ALPNLB_LOCAL_PORTS_H

#include <stdbool.h>

#include "../model/objects.h"

/*
 * Does the kernel give ports of `range` to connections of its own (net.ipv4.ip_local_port_range,
 * but for net.ipv4.ip_local_reserved_ports)? To it the port of a spliced connection is free. Sets
 * *local to its range.
 */
bool local_ports_overlap(const struct port_range *range, struct port_range *local);

#endif
