// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* At an interface: drops packets, or sends them on a detour; see impair.c. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define TCP_FIN 0x01
#define TCP_RST 0x04
#define TCP_ACK 0x10

const volatile __u32 drop_per_mille;
const volatile bool keep_resets;
const volatile __u32 detour_per_mille;
const volatile __u32 detour; /* interface */
const volatile __u32 mark;   /* of packets that come back from it */
const volatile __u32 most;   /* bytes of a frame that comes in */

/* Drops so many packets of TCP that have neither payload nor another flag than ACK after a FIN has
 * gone the same way. */
const volatile __u32 last_acks;
__u32 seen_fin, dropped_acks;

static __always_inline bool is_last_ack(struct __sk_buff *skb)
{
	__u8 first, flags;
	__u16 total;
	__u8 offset;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &first, 1) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + 2, &total, 2) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + 20 + 12, &offset, 1) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + 20 + 13, &flags, 1))
		return false;
	if (flags & TCP_FIN) {
		seen_fin = 1;
		return false;
	}
	return seen_fin && flags == TCP_ACK && bpf_ntohs(total) == 20 + (offset >> 4) * 4;
}

/* Of a packet without options or extension headers. */
static __always_inline bool is_reset(struct __sk_buff *skb)
{
	__u32 at = ETH_HLEN + (skb->protocol == bpf_htons(ETH_P_IP) ? 20 : 40);
	__u8 flags;

	return !bpf_skb_load_bytes(skb, at + 13, &flags, 1) && flags & TCP_RST;
}

SEC("tc")
int impair(struct __sk_buff *skb)
{
	__u32 dice = bpf_get_prandom_u32() % 1000;

	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_UNSPEC;
	if (skb->mark == mark)
		return TC_ACT_UNSPEC;
	if (dropped_acks < last_acks && is_last_ack(skb)) {
		dropped_acks++;
		return TC_ACT_SHOT;
	}
	if (dice < drop_per_mille)
		return keep_resets && is_reset(skb) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
	if (dice < drop_per_mille + detour_per_mille)
		return bpf_redirect(detour, 0);
	return TC_ACT_UNSPEC;
}

/* Who sends a packet that is lost here does not hear of it, as it does at its own egress. */
SEC("tc")
int lose_large(struct __sk_buff *skb)
{
	return skb->len > most ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
