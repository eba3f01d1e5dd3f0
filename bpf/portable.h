/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What lets hello.h, route.h and balance.h be compiled both for BPF and for user space.
 */
#ifndef ALPNLB_PORTABLE_H
#define ALPNLB_PORTABLE_H

#include "model.h"

#ifdef __bpf__

#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

/* A subprogram of its own: compiled once, verified with each of its callers. */
#define SUBPROGRAM static __attribute__((noinline))

/* Verified once, for any arguments: pointers to a struct (checked for NULL) and numbers only. */
#define GLOBAL_SUBPROGRAM __attribute__((noinline))

/* Calls step(i, context) for i = 0.. until it returns 1, at most `n` times (kernel 5.17). */
#define LOOP(n, step, context) bpf_loop(n, step, context, 0)

#define LOAD64(p)	       (*(const __u64 *)(p)) /* any alignment: BPF's hosts allow it */

/* Hides a value from the compiler, which would move the bound check away from its use. */
#define OPAQUE(x) asm volatile("" : "+r"(x))

#else

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define SUBPROGRAM	   static __attribute__((unused))
#define GLOBAL_SUBPROGRAM  static __attribute__((unused))
#define bpf_ntohs(x)	   be16toh(x)
#define bpf_ntohl(x)	   be32toh(x)
#define bpf_htons(x)	   htobe16(x)
#define bpf_htonl(x)	   htobe32(x)
#define bpf_be64_to_cpu(x) be64toh(x)

#define LOOP(n, step, context)                                                                     \
	do {                                                                                       \
		for (__u32 loop_i = 0; loop_i < (n) && !step(loop_i, context); loop_i++)           \
			;                                                                          \
	} while (0)

#define OPAQUE(x) ((void)0)

static inline __u64 LOAD64(const void *p)
{
	__u64 word;

	memcpy(&word, p, sizeof(word));
	return word;
}

#endif

/* Strings are compared as little-endian words. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian hosts are not supported");

/* The first n bytes of a word, 0..7. */
#define FIRST_BYTES(n) ((1ULL << (8 * (n))) - 1)

#define MIN(a, b)      ((a) < (b) ? (a) : (b))
#define MAX(a, b)      ((a) > (b) ? (a) : (b))

#endif
