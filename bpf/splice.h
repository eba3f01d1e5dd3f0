/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A TCP header moved from one leg of a spliced connection to the other. What changes in it is
 * added to a sum, for the checksum (RFC 1624): its fields are words of 16 or 32 bits at even
 * places, so that the order of bytes does not matter.
 */
#ifndef ALPNLB_SPLICE_H
#define ALPNLB_SPLICE_H

#include <linux/tcp.h>

#include "flow.h"
#include "portable.h"

#define TCP_HEADER_MAX	60
#define TCP_OPTIONS_MAX (TCP_HEADER_MAX - 20)

/* Bytes 12 and 13 of the header, as a word in network order. */
#define TCP_WORD_FIN	 bpf_htons(0x0001)
#define TCP_WORD_SYN	 bpf_htons(0x0002)
#define TCP_WORD_RST	 bpf_htons(0x0004)
#define TCP_WORD_PSH	 bpf_htons(0x0008)
#define TCP_WORD_ACK	 bpf_htons(0x0010)
#define TCP_WORD_URG	 bpf_htons(0x0020)
#define TCP_WORD_ECE_CWR bpf_htons(0x00c0)
#define TCP_WORD_ECN	 bpf_htons(0x01c0) /* and AE, RFC 7560 */

/* The layouts that nearly every stack sends: NOP NOP TS, NOP NOP SACK, and both in this order. */
#define OPTIONS_TIMESTAMPS bpf_htonl(0x0101080a)
#define OPTIONS_SACK	   bpf_htonl(0x01010500) /* the last byte is its length */
#define SACK_BLOCKS_MAX	   4

struct tcp_words {
	__be32 ports, seq, ack;
	__be16 flags, window, check, urgent;
	__be32 options[];
};
_Static_assert(sizeof(struct tcp_words) == 20, "RFC 9293 section 3.1");

static __always_inline void replace32(__be32 *field, __be32 value, __u64 *sum)
{
	*sum += (__u32) ~*field;
	*sum += value;
	*field = value;
}

static __always_inline void replace16(__be16 *field, __be16 value, __u64 *sum)
{
	*sum += (__u16) ~*field;
	*sum += value;
	*field = value;
}

static __always_inline void add32(__be32 *field, __u32 delta, __u64 *sum)
{
	replace32(field, bpf_htonl(bpf_ntohl(*field) + delta), sum);
}

/* To 32 bits, which the helpers take, and to 16. */
static __always_inline __u32 sum_fold32(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)sum + (__u32)(sum >> 32);
}

static __always_inline __u16 sum_fold16(__u64 sum)
{
	__u32 folded = sum_fold32(sum);

	folded = (folded & 0xffff) + (folded >> 16);
	return folded + (folded >> 16);
}

/*
 * The window a packet announces, in bytes, as the other leg's scale can say it. One that is open is
 * never said to be closed: nothing would tell the sender of more.
 */
static __always_inline __u32 scale_window(const struct flow *flow, __u16 window)
{
	__u32 scaled = (__u32)window << (flow->window_scale & 15) >> (flow->other_scale & 15);

	if (!scaled)
		return window ? 1 : 0;
	return scaled > 0xffff ? 0xffff : scaled;
}

/* All but the options. */
static __always_inline void translate_header(struct tcp_words *tcp, const struct flow *flow,
					     __u64 *sum)
{
	__be32 ports;

	__builtin_memcpy(&ports, &flow->source_port, sizeof(ports));
	replace32(&tcp->ports, ports, sum);
	add32(&tcp->seq, flow->seq_delta, sum);
	if (tcp->flags & TCP_WORD_ACK)
		add32(&tcp->ack, flow->ack_delta, sum);
	if (!(tcp->flags & TCP_WORD_SYN))
		replace16(&tcp->window, bpf_htons(scale_window(flow, bpf_ntohs(tcp->window))), sum);
	if (flow->constant & FLOW_CLEAR_ECN)
		replace16(&tcp->flags, tcp->flags & ~TCP_WORD_ECN, sum);
}

static __always_inline void translate_timestamps(__be32 *values, const struct flow *flow,
						 __u64 *sum)
{
	add32(&values[0], flow->tsval_delta, sum);
	if (values[1]) /* 0 in a packet without ACK, RFC 7323 section 3.2 */
		add32(&values[1], flow->tsecr_delta, sum);
}

/* Has a SACK option of this size whole blocks? RFC 2018 section 3. */
static __always_inline bool are_whole_blocks(__u32 size)
{
	return (size & 7) == 2;
}

/*
 * The usual layouts, of `len` bytes of options. False if it is none of them, or not all of it is
 * before `end`, where readable memory ends: nothing was changed then.
 */
static __always_inline bool translate_options(__be32 *options, __u32 len, const void *end,
					      const struct flow *flow, __u64 *sum)
{
	__be32 *sack = options;
	__u32 size;

	if (!len)
		return true;
	/* The bounds further down only say so to the verifier. */
	if ((void *)options + len > end || (void *)(options + 1) > end)
		return false;
	if (*options == OPTIONS_TIMESTAMPS) {
		if (len != 12 && len < 24)
			return false;
		if (len > 12) {
			if ((void *)(options + 4) > end ||
			    (options[3] & ~bpf_htonl(0xff)) != OPTIONS_SACK ||
			    (bpf_ntohl(options[3]) & 0xff) + 14 != len ||
			    !are_whole_blocks(len - 14))
				return false;
		}
		if ((void *)(options + 3) > end)
			return false;
		translate_timestamps(options + 1, flow, sum);
		if (len == 12)
			return true;
		sack = options + 3;
		len -= 12;
	}
	OPAQUE(sack); /* or the compiler knows, and 6.1 does not */
	if ((void *)(sack + 1) > end)
		return false;
	if ((*sack & ~bpf_htonl(0xff)) != OPTIONS_SACK)
		return false;
	size = bpf_ntohl(*sack) & 0xff;
	if (size + 2 != len || !are_whole_blocks(size))
		return false;
	for (__u32 i = 0; i < SACK_BLOCKS_MAX && 8 * i + 2 < size; i++) {
		__be32 *block = sack + 1 + 2 * i;

		if ((void *)(block + 2) > end)
			return false;
		add32(&block[0], flow->ack_delta, sum);
		add32(&block[1], flow->ack_delta, sum);
	}
	return true;
}

#endif
