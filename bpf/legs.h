/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two legs of a connection that is to be spliced: the interfaces that they may be at, and the
 * sockets they may have.
 */
#ifndef ALPNLB_LEGS_H
#define ALPNLB_LEGS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "ip.h"

#define LOOPBACK_IFINDEX 1 /* include/net/flow.h */

/* Those that have the program: a bit for each hook, see flows_attach(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} interfaces SEC(".maps");

/* The socket that gets packets of `key`; NULL, or bpf_sk_release() has to follow. */
static __always_inline struct bpf_sock *leg_socket(struct __sk_buff *skb,
						   const struct flow_key *key)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv6);

	if (is_v4(key->source)) {
		size = sizeof(tuple.ipv4);
		__builtin_memcpy(&tuple.ipv4.saddr, key->source + 12, 4);
		__builtin_memcpy(&tuple.ipv4.daddr, key->destination + 12, 4);
		tuple.ipv4.sport = key->source_port;
		tuple.ipv4.dport = key->destination_port;
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, key->source, 16);
		__builtin_memcpy(tuple.ipv6.daddr, key->destination, 16);
		tuple.ipv6.sport = key->source_port;
		tuple.ipv6.dport = key->destination_port;
	}
	return bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
}

#endif
