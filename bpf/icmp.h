/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "Fragmentation needed" (RFC 1191) and "packet too big" (RFC 8201) for spliced connections: what
 * a router says about a packet of one leg is for the sender on the other leg, and where the
 * balancer's own interface takes less than a sender sends, the balancer has to say so itself.
 */
#ifndef ALPNLB_ICMP_H
#define ALPNLB_ICMP_H

#include <linux/icmpv6.h>

#include "ip.h"

#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED  4
#define ICMP_TTL	  64

/* linux/icmp.h wants headers of the C library. */
struct icmp_error {
	__u8 type, code;
	__be16 checksum;
	__be16 unused, mtu; /* ICMPv6: one 32-bit MTU */
};

struct quoted_v4 {
	struct icmp_error icmp;
	struct iphdr ip;
	__be32 ports, seq;
};

struct quoted_v6 {
	struct icmp_error icmp;
	struct ipv6hdr ip;
	__be32 ports, seq;
};

/* The key of packets that answer the quoted one. */
static __always_inline void key_of_quoted_ports(struct flow_key *key, __be32 ports)
{
	ports = ports << 16 | ports >> 16;
	__builtin_memcpy(&key->source_port, &ports, sizeof(ports));
}

/*
 * Did the leg's own socket send the quoted packet? `flow` is of the packets that answer it. A
 * packet of the other leg that begins before the socket's last byte is taken for one, too: its
 * sender repeats it, and is told once the socket's bytes have been acknowledged.
 */
static __always_inline bool quotes_socket(const struct flow *flow, __be32 seq)
{
	return flow->state & FLOW_OWNED && (__s32)(bpf_ntohl(seq) - flow->owned_end) < 0;
}

/* The quoted packet as its sender sent it; `flow` is of the packets that answer it. */
static __always_inline void restore_quoted_tcp(__be32 *ports, __be32 *seq, const struct flow *flow,
					       __u64 *sum)
{
	__be32 own;

	__builtin_memcpy(&own, &flow->source_port, sizeof(own));
	replace32(ports, own << 16 | own >> 16, sum);
	add32(seq, flow->ack_delta, sum);
}

/* Replaces the addresses of an IPv4 header, and sees to its checksum. */
static __always_inline void readdress_v4(struct iphdr *ip, const __u8 *source,
					 const __u8 *destination)
{
	__u64 sum = (__u16)~ip->check;

	replace32(&ip->saddr, mapped_v4(source), &sum);
	replace32(&ip->daddr, mapped_v4(destination), &sum);
	ip->check = ~sum_fold16(sum);
}

#endif
