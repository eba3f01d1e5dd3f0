/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP options in any layout, one by one. For the usual ones there is translate_options().
 */
#ifndef ALPNLB_OPTIONS_H
#define ALPNLB_OPTIONS_H

#include "splice.h"

struct options {
	__u8 bytes[TCP_OPTIONS_MAX]; /* up to the longest option's end behind it may be read */
	__u8 room[64 + 10 - TCP_OPTIONS_MAX];
	const struct flow *flow;
	__u32 len;
	__u32 at;
	__u32 without; /* SYN_WITHOUT_* */
	__u32 pad;
};

/* Lets the verifier see that a place is within `bytes` and `room`. */
static __always_inline __u8 *option_byte(struct options *o, __u32 at)
{
	OPAQUE(at);
	return (__u8 *)o + (at & 63);
}

static __always_inline __u32 word_at(const __u8 *at)
{
	return (__u32)at[0] << 24 | (__u32)at[1] << 16 | (__u32)at[2] << 8 | at[3];
}

static __always_inline void add_bytes(__u8 *at, __u32 delta)
{
	__u32 value = word_at(at) + delta;

	at[0] = value >> 24;
	at[1] = value >> 16;
	at[2] = value >> 8;
	at[3] = value;
}

static __always_inline bool are_zero(const __u8 *at)
{
	return !(at[0] | at[1] | at[2] | at[3]);
}

#define TCPOPT_EOL	      0
#define TCPOPT_NOP	      1
#define TCPOPT_MSS	      2
#define TCPOPT_WINDOW	      3
#define TCPOPT_SACK_PERMITTED 4
#define TCPOPT_SACK	      5
#define TCPOPT_TIMESTAMP      8

/*
 * The option at o->at (RFC 9293 section 3.2): its kind, and in *size its length. TCPOPT_EOL when
 * there are no more, or what follows is none.
 */
static __always_inline __u32 option_at(struct options *o, __u32 *size)
{
	__u32 at = o->at, kind;

	if (at + 1 >= o->len)
		return TCPOPT_EOL;
	kind = *option_byte(o, at);
	*size = kind == TCPOPT_NOP ? 1 : *option_byte(o, at + 1);
	return *size && at + *size <= o->len ? kind : TCPOPT_EOL;
}

/* Translates one option; 1 = done. */
static inline long option_step(__u32 index, void *context)
{
	struct options *o = context;
	__u32 at = o->at, size = 0, kind = option_at(o, &size);

	if (kind == TCPOPT_EOL)
		return 1;
	if (kind == TCPOPT_TIMESTAMP && size == 10) {
		add_bytes(option_byte(o, at + 2), o->flow->tsval_delta);
		if (!are_zero(option_byte(o, at + 6))) /* as in translate_timestamps() */
			add_bytes(option_byte(o, at + 6), o->flow->tsecr_delta);
	}
	for (__u32 i = 2; kind == TCPOPT_SACK && i < 2 + 8 * SACK_BLOCKS_MAX && i + 4 <= size;
	     i += 4)
		add_bytes(option_byte(o, at + i), o->flow->ack_delta);
	o->at = at + size;
	return 0;
}

/* Turns one option into padding, if it is to be left out; 1 = done. */
static inline long strip_step(__u32 index, void *context)
{
	struct options *o = context;
	__u32 at = o->at, size = 0, kind = option_at(o, &size);

	if (kind == TCPOPT_EOL)
		return 1;
	if ((kind == TCPOPT_TIMESTAMP && o->without & SYN_WITHOUT_TIMESTAMPS) ||
	    (kind == TCPOPT_SACK_PERMITTED && o->without & SYN_WITHOUT_SACK))
		for (__u32 i = 0; i < 10 && i < size; i++)
			*option_byte(o, at + i) = TCPOPT_NOP;
	o->at = at + size;
	return 0;
}

#endif
