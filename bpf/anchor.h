/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the keys of the anchors table are made: by the compiler of tables from patterns, by
 * route.h from what a client sent.
 */
#ifndef ALPNLB_ANCHOR_H
#define ALPNLB_ANCHOR_H

#include "portable.h"

#define HASH_SEED  0xcbf29ce484222325ULL /* FNV-1a */
#define HASH_PRIME 0x100000001b3ULL

static __always_inline __u64 hash_byte(__u64 hash, __u8 byte)
{
	return (hash ^ byte) * HASH_PRIME;
}

static __always_inline __u64 hash_word(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/* Never 0, which marks an empty slot. */
static __always_inline __u64 anchor_hash(enum anchor_kind kind, __u32 frontend_id, __u64 hash)
{
	hash = hash_word(hash, (__u64)frontend_id << 8 | kind);
	hash ^= hash >> 32;
	return hash ? hash : 1;
}

/* Keeps the first `length` bits (0..128) of an address in two numbers. */
static __always_inline void prefix_mask(__u32 length, __u64 mask[2])
{
	mask[0] = length >= 64 ? ~0ULL : length ? ~0ULL << (64 - length) : 0;
	mask[1] = length >= 128 ? ~0ULL : length > 64 ? ~0ULL << (128 - length) : 0;
}

static __always_inline __u64 source_hash(const __u64 source[2], __u32 length)
{
	__u64 mask[2];

	prefix_mask(length, mask);
	return hash_word(hash_word(hash_word(HASH_SEED, length), source[0] & mask[0]),
			 source[1] & mask[1]);
}

#endif
