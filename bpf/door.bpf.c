// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The first program a packet meets (XDP). It looks at TCP to a frontend's address and port, and
 * drops what the frontend does not want; all else it passes on as early as it can tell. It only
 * saves the host the work: what it passes is judged again after accept.
 *
 * A packet that is not dropped runs through the program in `door_next`, if there is one.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "acl.h"
#include "door.h"
#include "portable.h"

#define IP_OFFSET	  bpf_htons(0x1fff)
#define IP_MORE		  bpf_htons(0x2000)
#define VLANS		  2
#define EXTENSION_HEADERS 4

#define FIN		  0x01
#define SYN		  0x02
#define RST		  0x04
#define ACK		  0x10

/* ---- maps ---------------------------------------------------------------------------- */

/* Both generations of a table, see `struct door_control`. */
#define TABLE(name, inner_type, flags, key, value, entries)                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, 2);                                                            \
		__uint(key_size, sizeof(__u32));                                                   \
		__array(                                                                           \
			values, struct {                                                           \
				__uint(type, inner_type);                                          \
				__uint(map_flags, flags);                                          \
				__uint(max_entries, entries);                                      \
				__uint(key_size, sizeof(key));                                     \
				__uint(value_size, sizeof(value));                                 \
			});                                                                        \
	} name SEC(".maps")

TABLE(door_ports, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, __u32, struct door_port, DOOR_PORTS);
TABLE(door_frontends, BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, __u32, struct door_frontend,
      MAX_FRONTENDS + 1);
TABLE(door_addresses, BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, struct door_address, __u32, 1);
TABLE(door_lists4, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct door_prefix4, __u8,
      DOOR_PREFIXES);
TABLE(door_lists6, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct door_prefix6, __u8,
      DOOR_PREFIXES);

/* When the bucket of a frontend is full again: CLOCK_MONOTONIC, nanoseconds. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_FRONTENDS + 1);
	__type(key, __u32);
	__type(value, __u64);
} door_rates SEC(".maps");

/* ... of a source. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DOOR_SOURCES);
	__type(key, struct door_bucket_key);
	__type(value, __u64);
} door_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_FRONTENDS + 1);
	__type(key, __u32);
	__type(value, struct door_drops);
} door_drops SEC(".maps");

/* By interface index: those that the program is attached to, see user/kernel/door.c. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, DOOR_INTERFACES);
	__type(key, __u32);
	__type(value, struct door_drops);
} door_drops_at SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} door_next SEC(".maps");

/* ---- the packet ---------------------------------------------------------------------- */

struct packet {
	struct tcphdr tcp;
	__u8 source[16], destination[16]; /* IPv6, or IPv4 mapped */
	__u32 l3, l4;			  /* where the headers begin */
	__u32 length;			  /* of the TCP segment, by the IP header; 0 = not told */
	bool v4;
};

static __always_inline void map_address(__u8 address[16], __be32 v4)
{
	__builtin_memset(address, 0, 10);
	address[10] = address[11] = 0xff;
	__builtin_memcpy(address + 12, &v4, 4);
}

/* False: no TCP, or not the part of it that has the header. */
static __always_inline bool read_ipv4(const struct iphdr *ip, const void *end, struct packet *p)
{
	__u32 header;

	if ((const void *)(ip + 1) > end)
		return false;
	header = ip->ihl * 4;
	if (ip->protocol != IPPROTO_TCP || ip->frag_off & IP_OFFSET || header < sizeof(*ip))
		return false;
	p->v4 = true;
	p->l4 = p->l3 + header;
	/* 0: a packet of more than 64 kB, which is one to the host only. */
	p->length = ip->tot_len ? bpf_ntohs(ip->tot_len) - header : 0;
	if (ip->tot_len && bpf_ntohs(ip->tot_len) <= header)
		return false;
	map_address(p->source, ip->saddr);
	map_address(p->destination, ip->daddr);
	return true;
}

/* RFC 8200 section 4: how long an extension header is; 0 = it is none that can be passed over. */
static __always_inline __u32 extension_length(__u8 type, const __u8 *header)
{
	switch (type) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (header[1] + 1) * 8;
	case IPPROTO_FRAGMENT:
		return header[2] || header[3] & 0xf8 ? 0 : 8;
	default:
		return 0;
	}
}

static __always_inline bool read_ipv6(struct xdp_md *ctx, const struct ipv6hdr *ip, const void *end,
				      struct packet *p)
{
	__u32 length, extensions = 0;
	__u8 header[4], type;

	if ((const void *)(ip + 1) > end)
		return false;
	type = ip->nexthdr;
	for (int i = 0; i < EXTENSION_HEADERS && type != IPPROTO_TCP; i++) {
		if (bpf_xdp_load_bytes(ctx, p->l3 + sizeof(*ip) + extensions, header,
				       sizeof(header)))
			return false;
		length = extension_length(type, header);
		if (!length)
			return false;
		extensions += length;
		type = header[0];
	}
	if (type != IPPROTO_TCP)
		return false;
	p->v4 = false;
	p->l4 = p->l3 + sizeof(*ip) + extensions;
	p->length = ip->payload_len ? bpf_ntohs(ip->payload_len) - extensions : 0;
	if (ip->payload_len && bpf_ntohs(ip->payload_len) <= extensions)
		return false;
	__builtin_memcpy(p->source, &ip->saddr, 16);
	__builtin_memcpy(p->destination, &ip->daddr, 16);
	return true;
}

static __always_inline bool read_ip(struct xdp_md *ctx, struct packet *p)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	__be16 *vlan = (void *)(ethernet + 1); /* tag, protocol */
	__be16 protocol;

	if ((void *)(ethernet + 1) > end)
		return false;
	protocol = ethernet->h_proto;
	for (int i = 0; i < VLANS; i++, vlan += 2) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(vlan + 2) > end)
			return false;
		protocol = vlan[1];
	}
	p->l3 = (void *)vlan - data;
	if (protocol == bpf_htons(ETH_P_IP))
		return read_ipv4((void *)vlan, end, p);
	return protocol == bpf_htons(ETH_P_IPV6) && read_ipv6(ctx, (void *)vlan, end, p);
}

/* ---- whose packet -------------------------------------------------------------------- */

static __always_inline void *table_row(void *table, __u32 half, const void *key)
{
	void *inner = bpf_map_lookup_elem(table, &half);

	return inner ? bpf_map_lookup_elem(inner, key) : NULL;
}

/* The frontend it is for, 0 = none. One on a single address goes before one on all of them. */
static __always_inline __u32 frontend_of(const struct packet *p, __u32 half)
{
	__u32 number = bpf_ntohs(p->tcp.dest);
	const struct door_port *port = table_row(&door_ports, half, &number);
	struct door_address key = {};
	const __u32 *id = NULL;

	if (!port || (!port->place && !port->frontend_id))
		return 0;
	__builtin_memcpy(key.address, p->destination, sizeof(key.address));
	key.place = port->place;
	if (key.place)
		id = table_row(&door_addresses, half, &key);
	if (id)
		return *id;
	key.place = 0;
	return port->frontend_id && table_row(&door_addresses, half, &key) ? port->frontend_id : 0;
}

/* ---- dropping ------------------------------------------------------------------------ */

static __always_inline void tell(struct door_control *control, const struct packet *p,
				 __u32 frontend_id, enum door_reason reason)
{
	__u64 now = bpf_ktime_get_ns(), at = control->tell_at;
	struct door_drop *drop;

	if (now < at ||
	    __sync_val_compare_and_swap(&control->tell_at, at, now + DOOR_TELL_EVERY) != at)
		return;
	drop = bpf_ringbuf_reserve(&drops, sizeof(*drop), 0);
	if (!drop)
		return;
	drop->time = now;
	__builtin_memcpy(drop->source, p->source, 16);
	__builtin_memcpy(drop->destination, p->destination, 16);
	drop->source_port = p->tcp.source;
	drop->destination_port = p->tcp.dest;
	drop->frontend_id = frontend_id;
	drop->reason = reason;
	drop->pad = 0;
	bpf_ringbuf_submit(drop, 0);
}

static __always_inline void count(void *counters, const __u32 *key, enum door_reason reason)
{
	struct door_drops *drops = bpf_map_lookup_elem(counters, key);

	if (drops && reason < DOOR_REASON_MAX)
		drops->packets[reason]++;
}

static __always_inline int drop(const struct xdp_md *ctx, struct door_control *control,
				const struct packet *p, __u32 frontend_id, enum door_reason reason)
{
	__u32 ifindex = ctx->ingress_ifindex;

	count(&door_drops, &frontend_id, reason);
	count(&door_drops_at, &ifindex, reason);
	if (control->told)
		tell(control, p, frontend_id, reason);
	return XDP_DROP;
}

/* ---- reasons ------------------------------------------------------------------------- */

/*
 * Every segment but the first SYN and an RST has ACK (RFC 9293 section 3.10.7); SYN, FIN and RST
 * exclude each other.
 */
static __always_inline bool is_malformed(const struct packet *p)
{
	__u8 flags = ((const __u8 *)&p->tcp)[13];
	__u8 exclusive = flags & (SYN | FIN | RST);
	__u32 header = p->tcp.doff * 4;

	if (header < sizeof(p->tcp) || (p->length && header > p->length))
		return true;
	return exclusive & (exclusive - 1) || !(flags & (SYN | RST | ACK)) || !p->tcp.source;
}

static __always_inline bool is_listed(const struct packet *p, __u32 half, __u32 frontend_id)
{
	struct door_prefix6 key = {.frontend_id = frontend_id};

	if (p->v4) {
		key.length = DOOR_FRONTEND_BITS + 32;
		__builtin_memcpy(key.address, p->source + 12, 4);
		return table_row(&door_lists4, half, &key);
	}
	key.length = DOOR_FRONTEND_BITS + 128;
	__builtin_memcpy(key.address, p->source, 16);
	return table_row(&door_lists6, half, &key);
}

/* A bucket holds what comes in a second, as in user/daemon/rates.c. */
static __always_inline bool take_token(__u64 *full_at, __u32 interval, __u64 now)
{
	for (int i = 0; i < 4; i++) {
		__u64 before = *full_at, after = (before > now ? before : now) + interval;

		if (after > now + DOOR_SECOND)
			return false;
		if (__sync_val_compare_and_swap(full_at, before, after) == before)
			break;
	}
	return true;
}

static __always_inline bool source_is_slow(const struct packet *p, __u32 frontend_id,
					   const struct door_frontend *frontend, __u64 now)
{
	struct door_bucket_key key = {.frontend_id = frontend_id};
	__u64 full_at = now + frontend->source_interval, words[2], *bucket;

	__builtin_memcpy(key.source, p->source, 16);
	if (p->v4) {
		__be32 address;

		__builtin_memcpy(&address, p->source + 12, 4);
		address &= frontend->mask4;
		__builtin_memcpy(key.source + 12, &address, 4);
	} else {
		__builtin_memcpy(words, p->source, 16);
		words[0] &= frontend->mask6[0];
		words[1] &= frontend->mask6[1];
		__builtin_memcpy(key.source, words, 16);
	}
	bucket = bpf_map_lookup_elem(&door_sources, &key);
	if (bucket)
		return take_token(bucket, frontend->source_interval, now);
	bpf_map_update_elem(&door_sources, &key, &full_at, BPF_ANY);
	return true;
}

static __always_inline bool all_are_slow(__u32 frontend_id, const struct door_frontend *frontend,
					 __u64 now)
{
	__u64 *bucket = bpf_map_lookup_elem(&door_rates, &frontend_id);

	return !bucket || take_token(bucket, frontend->interval, now);
}

/* Of a client that wants to connect: why it may not. DOOR_REASON_MAX: it may, or is no such. */
static __always_inline enum door_reason refusal(const struct packet *p, __u32 half,
						__u32 frontend_id)
{
	const struct door_frontend *frontend;
	__u64 now;

	if (!p->tcp.syn || p->tcp.ack)
		return DOOR_REASON_MAX;
	frontend = table_row(&door_frontends, half, &frontend_id);
	if (!frontend)
		return DOOR_REASON_MAX;
	if (frontend->flags & DOOR_LIST &&
	    is_listed(p, half, frontend_id) != !!(frontend->flags & DOOR_ALLOW))
		return DOOR_SOURCE;
	if (!frontend->source_interval && !frontend->interval)
		return DOOR_REASON_MAX;
	now = bpf_ktime_get_ns();
	if (frontend->source_interval && !source_is_slow(p, frontend_id, frontend, now))
		return DOOR_SOURCE_RATE;
	if (frontend->interval && !all_are_slow(frontend_id, frontend, now))
		return DOOR_RATE;
	return DOOR_REASON_MAX;
}

/* ---- the program --------------------------------------------------------------------- */

/*
 * Bytes that the IP header does not tell of, or the frame has not, are no TCP header: it is cut
 * short. False: so short that it has no ports.
 */
static __always_inline bool read_tcp(struct xdp_md *ctx, struct packet *p, bool *is_cut)
{
	*is_cut = p->length && p->length < sizeof(p->tcp);
	if (!bpf_xdp_load_bytes(ctx, p->l4, &p->tcp, sizeof(p->tcp)))
		return true;
	*is_cut = true;
	return !bpf_xdp_load_bytes(ctx, p->l4, &p->tcp, 4);
}

static __always_inline int judge(struct xdp_md *ctx)
{
	struct packet p = {};
	__u32 zero = 0, half, frontend_id;
	struct door_control *control = bpf_map_lookup_elem(&door_control, &zero);
	enum door_reason reason;
	bool is_cut;

	if (!control || (control->idle && !control->bans))
		return XDP_PASS;
	if (!read_ip(ctx, &p) || !read_tcp(ctx, &p, &is_cut))
		return XDP_PASS;
	half = control->half & 1;
	frontend_id = frontend_of(&p, half);
	if (!frontend_id)
		return XDP_PASS;
	if (is_cut || is_malformed(&p))
		reason = DOOR_MALFORMED;
	else if (is_banned(control, p.source, p.v4, frontend_id))
		reason = DOOR_ACL;
	else
		reason = refusal(&p, half, frontend_id);
	return reason == DOOR_REASON_MAX ? XDP_PASS : drop(ctx, control, &p, frontend_id, reason);
}

SEC("xdp.frags")
int door(struct xdp_md *ctx)
{
	if (judge(ctx) == XDP_DROP)
		return XDP_DROP;
	bpf_tail_call(ctx, &door_next, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
