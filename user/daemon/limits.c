// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "limits.h"

#include <stdbool.h>
#include <sys/resource.h>

#include "log.h"

#define PER_CONNECTION 2 /* its two sockets; pipes are lent for moments and come out of RESERVE */
#define RESERVE	       512

uint32_t limits_raise(uint32_t wanted, uint32_t other)
{
	rlim_t need = (rlim_t)wanted * PER_CONNECTION + RESERVE + other;
	struct rlimit limit, more;
	uint32_t connections;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return wanted;
	more.rlim_cur = need;
	more.rlim_max = limit.rlim_max > need ? limit.rlim_max : need;
	if (limit.rlim_cur < need && setrlimit(RLIMIT_NOFILE, &more)) {
		/* The hard limit is for CAP_SYS_RESOURCE to raise. */
		more.rlim_cur = more.rlim_max = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &more);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= need)
		return wanted;
	connections = limit.rlim_cur > RESERVE + other + 64
			      ? (limit.rlim_cur - RESERVE - other) / PER_CONNECTION
			      : 32;
	log_line(LOG_WARN,
		 "RLIMIT_NOFILE stays at %llu, of %llu wanted: room for %u connections, not %u",
		 (unsigned long long)limit.rlim_cur, (unsigned long long)need, connections, wanted);
	return connections;
}
