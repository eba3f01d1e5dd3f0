/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program that opens connections of the packet path, and its maps. It is loaded when the first
 * frontend asks for it, and nothing of it is pinned but its links: an opening lasts no longer than
 * its daemon, since only listeners let the program answer.
 */
#ifndef ALPNLB_OPENINGS_H
#define ALPNLB_OPENINGS_H

#include "../../bpf/open.h"
#include "acl.h"
#include "flows.h"

struct open_bpf;

struct openings {
	struct open_bpf *programs; /* NULL: not loaded */
	/* in memory */
	struct open_control *control;
	struct way *ways;	    /* by server id */
	struct farm_way *farm_ways; /* by farm id */
};

/*
 * Loads the program beside those of `flows`, and attaches it; who is banned is for sockets. 0 or
 * -errno; *failed then says what could not be done.
 */
int openings_open(struct openings *openings, struct flows *flows, const struct acl *acl,
		  const char **failed);

/* Accepts one that is not open. The program stays attached as the others of `flows` do. */
void openings_close(struct openings *openings);

int openings_map(const struct openings *openings);
int openings_frontends_map(const struct openings *openings);
int openings_failures_ring(const struct openings *openings);

#endif
