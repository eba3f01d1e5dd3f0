// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packets of spliced connections before an skb is made of them. `splice_xdp` forwards those
 * that nearly all are: no more is to be said of them than how far their stream has come. Any other
 * it passes on, unchanged and not noted, and the program at tc, `splice`, does what there is to do.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>

#include "flows.h"
#include "interface.h"
#include "ip.h"
#include "note.h"
#include "splice.h"

#define AF_INET	   2
#define AF_INET6   10
#define IPV4_PLAIN 0x45 /* first byte of a header without options */
#define DSCP_V4	   0xfc
#define DSCP_V6	   bpf_htonl(0x0fc00000)

/* By interface index; INTERFACE_* of interface.h. */
__u64 interface_rows[INTERFACE_ROWS];

/*
 * What bpf_fib_lookup() has found a moment ago: it takes as long as all the rest. By a hash of the
 * addresses; who comes last has the place.
 */
#define WAYS	 1024
#define WAY_TIME (1 << 26) /* nanoseconds: 67 ms */

struct way {
	__u64 until; /* CLOCK_MONOTONIC, nanoseconds */
	__u8 source[16];
	__u8 destination[16];
	__u32 ifindex;
	__u32 class; /* DSCP, as in the header's word */
	__u8 to[ETH_ALEN], from[ETH_ALEN];
	__u32 pad;
};
_Static_assert(sizeof(struct way) == 64, "a cache line");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WAYS);
	__type(key, __u32);
	__type(value, struct way);
} ways SEC(".maps");

/* A packet of a flow. */
struct packet {
	struct xdp_md *ctx;
	struct ethhdr *ethernet;
	struct tcp_words *tcp;
	void *end;
	struct flow *flow;
	__u64 now;
	__u32 family;
	__u32 class;   /* DSCP, as bpf_fib_lookup() takes it */
	__u32 size;    /* of the IP packet */
	__u32 headers; /* of that, in front of the payload */
};

/* ---- whether to forward it --------------------------------------------------------------- */

static __always_inline __u64 row_of(__u32 ifindex)
{
	OPAQUE(ifindex);
	return ifindex < INTERFACE_ROWS ? interface_rows[ifindex] : 0;
}

/* Is the frame for this host? What a switch floods, or a sniffer wants, is another's. */
static __always_inline bool is_ours(const struct xdp_md *ctx, const struct ethhdr *ethernet)
{
	__u64 row = row_of(ctx->ingress_ifindex);

	return row & INTERFACE_IS && !((row ^ *(const __u64 *)ethernet) & INTERFACE_ADDRESS);
}

/* An interface sends by itself what came in there. */
static __always_inline bool can_send(const struct packet *packet)
{
	__u32 ifindex = packet->flow->ifindex;

	return ifindex == packet->ctx->ingress_ifindex || row_of(ifindex) & INTERFACE_SENDS;
}

/*
 * The kernel looks after a neighbour when it sends to it. So a packet of each flow goes by tc,
 * every 4.3 seconds: 2 to the power of this nanoseconds.
 */
const volatile __u32 tc_turn = 32;

static __always_inline bool is_for_tc(const struct packet *packet)
{
	return packet->now >> (tc_turn & 63) != packet->flow->seen >> (tc_turn & 63);
}

/* Is there nothing to note but what note_plain() does? */
static __always_inline bool is_plain(const struct packet *packet)
{
	const __u32 plain = FLOW_FIN | FLOW_PEER_FIN | FLOW_FIN_ACKED | FLOW_ENDED;
	const __be16 flags = TCP_WORD_FIN | TCP_WORD_SYN | TCP_WORD_RST | TCP_WORD_ACK;
	const struct tcp_words *tcp = packet->tcp;
	const struct flow *flow = packet->flow;
	__u32 ack = bpf_ntohl(tcp->ack);
	__u32 after = bpf_ntohl(tcp->seq) + packet->size - packet->headers;

	return !(flow->state & ~plain) && (tcp->flags & flags) == TCP_WORD_ACK &&
	       !acks_fin(flow, ack) && is_near(flow, after, ack);
}

/* Is all of it between the pointers, and not too big for the other leg? */
static __always_inline bool fits(const struct packet *packet)
{
	__u64 here = packet->end - (void *)packet->ethernet - ETH_HLEN;

	return packet->size >= packet->headers && packet->size <= here &&
	       packet->size <= packet->flow->mtu;
}

/*
 * Is the checksum left to the hardware? It is the pseudo header's sum then, and a veth, or another
 * guest, hands that on without a word. Now and then a good one looks like that, too.
 */
static __always_inline bool is_unfinished(const struct packet *packet, __u64 addresses,
					  __u32 ip_header)
{
	__u64 sum = addresses + bpf_htons(IPPROTO_TCP) + bpf_htons(packet->size - ip_header);

	return packet->tcp->check == sum_fold16(sum);
}

static __always_inline __u64 sum_of(const struct in6_addr *address)
{
	const __u32 *words = address->in6_u.u6_addr32;

	return (__u64)words[0] + words[1] + words[2] + words[3];
}

/* ---- where to ---------------------------------------------------------------------------- */

static __always_inline __u64 word_of(const __u8 *bytes)
{
	__u64 word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	return word;
}

static __always_inline bool is_same(const __u8 *address, const __u8 *other)
{
	return word_of(address) == word_of(other) && word_of(address + 8) == word_of(other + 8);
}

static __always_inline bool leads_there(const struct way *way, const struct packet *packet)
{
	const struct flow *flow = packet->flow;

	return way->until > packet->now && way->ifindex == flow->ifindex &&
	       way->class == packet->class && is_same(way->destination, flow->destination) &&
	       is_same(way->source, flow->source);
}

/* The kernel's answer. False when it has to look for the neighbour, or it goes elsewhere. */
static __always_inline bool ask_for_way(const struct packet *packet, struct way *way)
{
	const struct flow *flow = packet->flow;
	struct bpf_fib_lookup query = {
		.family = packet->family,
		.l4_protocol = IPPROTO_TCP,
		.ifindex = flow->ifindex,
		.flowinfo = packet->class,
	};

	if (packet->family == AF_INET) {
		query.ipv4_src = mapped_v4(flow->source);
		query.ipv4_dst = mapped_v4(flow->destination);
	} else {
		__builtin_memcpy(query.ipv6_src, flow->source, sizeof(query.ipv6_src));
		__builtin_memcpy(query.ipv6_dst, flow->destination, sizeof(query.ipv6_dst));
	}
	if (bpf_fib_lookup(packet->ctx, &query, sizeof(query), BPF_FIB_LOOKUP_OUTPUT) ||
	    query.ifindex != flow->ifindex)
		return false;
	__builtin_memcpy(way->source, flow->source, sizeof(way->source));
	__builtin_memcpy(way->destination, flow->destination, sizeof(way->destination));
	__builtin_memcpy(way->to, query.dmac, ETH_ALEN);
	__builtin_memcpy(way->from, query.smac, ETH_ALEN);
	way->ifindex = flow->ifindex;
	way->class = packet->class;
	way->until = packet->now + WAY_TIME;
	return true;
}

/* The next hop, or NULL. */
static __always_inline const struct way *find_way(const struct packet *packet)
{
	const struct flow *flow = packet->flow;
	__u64 hash = word_of(flow->destination) ^ word_of(flow->destination + 8) ^
		     word_of(flow->source + 8);
	__u32 place = (__u32)(hash ^ hash >> 32) * 0x9e3779b1U >> 22; /* below WAYS */
	struct way *way = bpf_map_lookup_elem(&ways, &place);

	return way && (leads_there(way, packet) || ask_for_way(packet, way)) ? way : NULL;
}

/* ---- how --------------------------------------------------------------------------------- */

/* What tc notes of such a packet; `after` is the sequence number behind its payload. */
GLOBAL_SUBPROGRAM int note_plain(struct flow *flow, __u32 ack, __u32 window, __u32 after, __u64 now)
{
	__u32 acked;
	__u64 end;

	if (!flow)
		return 0;
	acked = flow->acked;
	end = flow->end;
	__sync_fetch_and_add(&flow->packets, 1);
	note_acked(flow, ack);
	note_window(flow, ack, window);
	note_end(flow, after);
	if (flow->acked != acked || flow->end != end || counts_as_use(flow))
		flow->seen = now;
	return 0;
}

/* A packet without payload says nothing of how far its stream has come. */
static __always_inline void note(const struct packet *packet)
{
	const struct tcp_words *tcp = packet->tcp;
	struct flow *flow = packet->flow;
	__u32 payload = packet->size - packet->headers;
	__u32 after = bpf_ntohl(tcp->seq) + payload;

	if (!payload)
		after = flow->base + (__u32)flow->end;
	note_plain(flow, bpf_ntohl(tcp->ack), bpf_ntohs(tcp->window), after, packet->now);
}

/* The first that changes: options in an unusual order are left as they are, and it is false. */
static __always_inline bool move_options(const struct packet *packet, __u64 *sum)
{
	struct tcp_words *tcp = packet->tcp;
	__u32 len = (bpf_ntohs(tcp->flags) >> 12) * 4 - sizeof(*tcp);

	return len <= TCP_OPTIONS_MAX &&
	       translate_options(tcp->options, len, packet->end, packet->flow, sum);
}

/*
 * All but the IP header, and what is noted. `sum` is of the changes in the addresses and options.
 */
static __always_inline int move(const struct packet *packet, const struct way *way, __u64 sum)
{
	struct tcp_words *tcp = packet->tcp;

	translate_header(tcp, packet->flow, &sum);
	tcp->check = ~sum_fold16(sum + (__u16)~tcp->check);
	__builtin_memcpy(packet->ethernet->h_dest, way->to, ETH_ALEN);
	__builtin_memcpy(packet->ethernet->h_source, way->from, ETH_ALEN);
	return way->ifindex == packet->ctx->ingress_ifindex ? XDP_TX
							    : bpf_redirect(way->ifindex, 0);
}

/* ---- by version of IP -------------------------------------------------------------------- */

static __always_inline int forward_v4(struct xdp_md *ctx)
{
	struct packet packet = {
		.ctx = ctx,
		.ethernet = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.now = bpf_ktime_get_coarse_ns(),
		.family = AF_INET,
	};
	struct iphdr *ip = (void *)(packet.ethernet + 1);
	const struct way *way;
	__u64 addresses = 0, options = 0;
	struct flow_key key = {};

	packet.tcp = (void *)(ip + 1);
	if ((void *)(packet.tcp + 1) > packet.end || *(__u8 *)ip != IPV4_PLAIN ||
	    ip->protocol != IPPROTO_TCP || ip->frag_off & IP_FRAGMENT)
		return XDP_PASS;
	map_v4(key.source, ip->saddr);
	map_v4(key.destination, ip->daddr);
	__builtin_memcpy(&key.source_port, &packet.tcp->ports, sizeof(packet.tcp->ports));
	packet.flow = bpf_map_lookup_elem(&flows, &key);
	if (!packet.flow)
		return XDP_PASS;
	packet.size = bpf_ntohs(ip->tot_len);
	packet.headers = sizeof(*ip) + (bpf_ntohs(packet.tcp->flags) >> 12) * 4;
	if (ip->ttl <= 1 || lost_mark(packet.flow, ip->tos) || !fits(&packet) ||
	    !is_plain(&packet) || is_for_tc(&packet) || !can_send(&packet) ||
	    is_unfinished(&packet, (__u64)ip->saddr + ip->daddr, sizeof(*ip)))
		return XDP_PASS;
	packet.class = ip->tos & DSCP_V4;
	way = find_way(&packet);
	if (!way || !move_options(&packet, &options))
		return XDP_PASS;
	note(&packet);
	translate_v4(ip, packet.flow, &addresses);
	return move(&packet, way, addresses + options);
}

static __always_inline int forward_v6(struct xdp_md *ctx)
{
	struct packet packet = {
		.ctx = ctx,
		.ethernet = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.now = bpf_ktime_get_coarse_ns(),
		.family = AF_INET6,
	};
	struct ipv6hdr *ip = (void *)(packet.ethernet + 1);
	const struct way *way;
	__u64 addresses = 0, options = 0;
	struct flow_key key;

	packet.tcp = (void *)(ip + 1);
	if ((void *)(packet.tcp + 1) > packet.end || ip->nexthdr != IPPROTO_TCP || !ip->payload_len)
		return XDP_PASS;
	__builtin_memcpy(key.source, &ip->saddr, sizeof(key.source));
	__builtin_memcpy(key.destination, &ip->daddr, sizeof(key.destination));
	__builtin_memcpy(&key.source_port, &packet.tcp->ports, sizeof(packet.tcp->ports));
	packet.flow = bpf_map_lookup_elem(&flows, &key);
	if (!packet.flow)
		return XDP_PASS;
	packet.size = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	packet.headers = sizeof(*ip) + (bpf_ntohs(packet.tcp->flags) >> 12) * 4;
	if (ip->hop_limit <= 1 || lost_mark(packet.flow, ip->flow_lbl[0] >> 4) || !fits(&packet) ||
	    !is_plain(&packet) || is_for_tc(&packet) || !can_send(&packet) ||
	    is_unfinished(&packet, sum_of(&ip->saddr) + sum_of(&ip->daddr), sizeof(*ip)))
		return XDP_PASS;
	packet.class = *(__be32 *)ip & DSCP_V6;
	way = find_way(&packet);
	if (!way || !move_options(&packet, &options))
		return XDP_PASS;
	note(&packet);
	translate_v6(ip, packet.flow, &addresses);
	return move(&packet, way, addresses + options);
}

SEC("xdp.frags") /* as that of the door, which calls it */
int splice_xdp(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;

	if ((void *)(ethernet + 1) > (void *)(long)ctx->data_end || !is_ours(ctx, ethernet))
		return XDP_PASS;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP))
		return forward_v4(ctx);
	return ethernet->h_proto == bpf_htons(ETH_P_IPV6) ? forward_v6(ctx) : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
