// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "limits.h"

#include <inttypes.h>
#include <sys/resource.h>

#include "control.h"
#include "https.h"
#include "log.h"

#define PER_CONNECTION 2   /* its two sockets; pipes are lent for moments and come out of RESERVE */
#define RESERVE	       512 /* not needed, but then bytes are copied */
/* Maps, programs, control, what a refresh takes for a moment; the API's. */
#define FIXED		(128 + HTTPS_CONNECTIONS + CONTROL_CONNECTIONS)
#define PER_WORKER	8
#define CONNECTIONS_MIN 32

/* Sets the soft limit, and the hard one where it is lower and that is allowed. Returns what it is.
 */
static uint64_t raise_to(uint64_t wanted)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return wanted;
	more.rlim_cur = wanted;
	more.rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted;
	if (limit.rlim_cur < wanted && setrlimit(RLIMIT_NOFILE, &more)) {
		/* The hard limit is for CAP_SYS_RESOURCE to raise. */
		more.rlim_cur = more.rlim_max = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &more);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

uint32_t limits_raise(uint32_t wanted, const struct descriptors *others, uint64_t *limit,
		      uint64_t *need)
{
	uint64_t other = FIXED + (uint64_t)others->workers * PER_WORKER + others->listening +
			 others->probes + others->tables;
	uint64_t full = other + RESERVE + (uint64_t)wanted * PER_CONNECTION;
	uint32_t connections = CONNECTIONS_MIN;

	*need = other + CONNECTIONS_MIN * PER_CONNECTION;
	*limit = raise_to(full);
	if (*limit >= full - RESERVE / 2) /* a refresh may take some */
		return wanted;
	if (*limit < *need)
		return 0;
	if (*limit > *need + RESERVE)
		connections = (*limit - RESERVE - other) / PER_CONNECTION;
	if (connections >= wanted)
		return wanted;
	log_line(LOG_WARN,
		 "RLIMIT_NOFILE stays at %" PRIu64 ", of %" PRIu64
		 " wanted: room for %u connections, not %u",
		 *limit, full, connections, wanted);
	return connections;
}
