/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An IP header moved from one leg of a spliced connection to the other.
 */
#ifndef ALPNLB_IP_H
#define ALPNLB_IP_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "splice.h"

#define IP_FRAGMENT	 bpf_htons(0x3fff) /* more fragments, or not the first */
#define IP_OFFSET	 bpf_htons(0x1fff)
#define IP_DONT_FRAGMENT bpf_htons(0x4000)

static __always_inline bool is_v4(const __u8 *address)
{
	return !((__u32 *)address)[0] && !((__u32 *)address)[1] &&
	       ((__u32 *)address)[2] == bpf_htonl(0xffff);
}

static __always_inline void map_v4(__u8 address[16], __be32 v4)
{
	((__be32 *)address)[2] = bpf_htonl(0xffff);
	((__be32 *)address)[3] = v4;
}

static __always_inline __be32 mapped_v4(const __u8 address[16])
{
	__be32 v4;

	__builtin_memcpy(&v4, address + 12, sizeof(v4));
	return v4;
}

static __always_inline void replace_v6(struct in6_addr *address, const __u8 *with, __u64 *sum)
{
	for (int i = 0; i < 4; i++) {
		__be32 word;

		__builtin_memcpy(&word, with + 4 * i, sizeof(word));
		replace32(&address->in6_u.u6_addr32[i], word, sum);
	}
}

/*
 * Congestion experienced on a leg whose other end cannot echo it: to be dropped, as by a router
 * that meets a sender without ECN.
 */
static __always_inline bool lost_mark(const struct flow *flow, __u8 traffic_class)
{
	return flow->constant & FLOW_CLEAR_ECN && (traffic_class & 3) == 3;
}

/* To the other leg; what changes in the addresses is added to a sum as well. */
static __always_inline void translate_v4(struct iphdr *ip, const struct flow *flow,
					 __u64 *addresses)
{
	__u64 head;

	replace32(&ip->saddr, mapped_v4(flow->source), addresses);
	replace32(&ip->daddr, mapped_v4(flow->destination), addresses);
	head = *addresses;
	replace16((__be16 *)&ip->ttl, *(__be16 *)&ip->ttl - bpf_htons(0x100), &head);
	if (flow->constant & FLOW_CLEAR_ECN && ip->tos & 3)
		replace16((__be16 *)ip, *(__be16 *)ip & ~bpf_htons(3), &head);
	ip->check = ~sum_fold16(head + (__u16)~ip->check);
}

static __always_inline void translate_v6(struct ipv6hdr *ip, const struct flow *flow,
					 __u64 *addresses)
{
	replace_v6(&ip->saddr, flow->source, addresses);
	replace_v6(&ip->daddr, flow->destination, addresses);
	ip->hop_limit--;
	if (flow->constant & FLOW_CLEAR_ECN)
		ip->flow_lbl[0] &= ~0x30; /* the lower half of the traffic class is here */
}

#endif
