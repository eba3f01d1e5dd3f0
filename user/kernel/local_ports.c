// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "local_ports.h"

#include <stdio.h>
#include <string.h>

#include "sysctl.h"

static bool read_local(struct port_range *local)
{
	uint64_t range[2];

	if (sysctl_read("/proc/sys/net/ipv4/ip_local_port_range", range, 2) != 2)
		return false;
	*local = (struct port_range){.first = range[0], .last = range[1]};
	return true;
}

/* Marks the reserved ports, a list such as 8080,9000-9100. */
static void mark_reserved(bool ports[65536])
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	unsigned int first, last;
	int n;

	while (file && (n = fscanf(file, "%u-%u", &first, &last)) > 0) {
		for (unsigned int port = first; port <= (n == 2 ? last : first) && port < 65536;
		     port++)
			ports[port] = true;
		if (fgetc(file) != ',')
			break;
	}
	if (file)
		fclose(file);
}

bool local_ports_overlap(const struct port_range *range, struct port_range *local)
{
	bool reserved[65536] = {false};

	if (!read_local(local))
		return false;
	mark_reserved(reserved);
	for (unsigned int port = range->first; port <= range->last; port++)
		if (port >= local->first && port <= local->last && !reserved[port])
			return true;
	return false;
}
