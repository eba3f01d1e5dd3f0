/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ranges of ports at an address, or at all of a family: what is listened on without being bound. */
#ifndef ALPNLB_SPANS_H
#define ALPNLB_SPANS_H

#include <stdbool.h>

#include "../../bpf/steer.h"
#include "../model/objects.h"

/* Compared as memory: no padding. */
struct span {
	uint8_t address[16]; /* IPv6 or mapped; the any-address of a family = all of it */
	uint16_t first, last;
	uint32_t frontend_id; /* 0 = of somebody else */
};

struct spans {
	struct span *v;
	size_t n, room;
};

extern const uint8_t any_v4[16], any_v6[16];

/*
 * Where the sockets are that connections are steered to. Nobody connects to an address of "this
 * network" (RFC 1122 section 3.2.1.3), or of the discard prefix (RFC 6666).
 */
extern const uint8_t apart_v4[16], apart_v6[16];

/* 0 or -ENOMEM. */
int spans_add(struct spans *spans, const struct span *span);
void spans_free(struct spans *spans);

/* Has it more than one port, or address of a family? Its listeners are steered to then. */
bool frontend_is_wide(const struct frontend *frontend);

/* Adds those of a frontend, which overlap no others' there. 0 or -ENOMEM. */
int spans_add_frontend(struct spans *spans, const struct frontend *frontend);

/* Do both have a port at an address that both have? */
bool span_overlaps(const struct span *a, const struct span *b);

bool spans_overlap(const struct spans *spans, const struct span *span);

/* By address and port, as spans_cover() needs them. */
void spans_sort(struct spans *spans);

/* Has one of `spans`, of which no two overlap, all of it? */
bool spans_cover(const struct spans *spans, const struct span *span);

/* Takes the next block of ports, as large as can be, off the front of `span`; false = none is left.
 */
bool span_next_block(struct span *span, struct steer_key *block);

/* The ports of such a block. */
void span_of_block(const struct steer_key *block, struct span *span);

#endif
