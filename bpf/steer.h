/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which addresses and ports lead to which listener: shared by lookup.bpf.c and user space. */
#ifndef ALPNLB_STEER_H
#define ALPNLB_STEER_H

#include "model.h"

/*
 * Of a longest-prefix trie: a block of 2^k ports at one address, or at the any-address of a family
 * for all of them.
 */
struct steer_key {
	__u32 length; /* bits of what follows: STEER_ADDRESS, and 0..16 of the port */
	__u8 address[16];
	__be16 port;
	__u16 zero;
};
_Static_assert(sizeof(struct steer_key) == 24, "steer_key has no hidden padding");

#define STEER_ADDRESS 128
#define STEER_FULL    (STEER_ADDRESS + 16)

/* The listeners of a frontend for one family: one of a SO_REUSEPORT group stands for it. */
#define STEER_GROUP(id, v6) (2 * (id) + (v6))
#define STEER_GROUPS	    STEER_GROUP(MAX_FRONTENDS + 1, 0)

#endif
