// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Opens connections without a socket. `open` sits behind `splice` at the ingress of every
 * interface, and sees what is not of a flow: the packets of clients until their server has
 * answered, and the answers of servers.
 *
 *	SYN ---> SYN-ACK with a cookie ---> opening ---> the client's first bytes ---> decision
 *	---> SYN to the server ---> its SYN-ACK ---> two flow entries, and the kept bytes to it
 *
 * Nothing of the client's bytes is acknowledged before: what is lost on the way, it repeats, and
 * splice translates it like any packet. For whatever is not done here the kernel makes an ordinary
 * accepted socket of the cookie, with bpf_sk_assign_tcp_reqsk() (6.9).
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "acl.h"
#include "decide.h"
#include "flows.h"
#include "keep.h"
#include "legs.h"
#include "open.h"
#include "options.h"
#include "splice.h"

#define MSS_MIN_V4	  536 /* less is left to the kernel, as bpf_sk_assign_tcp_reqsk() wants */
#define MSS_MIN_V6	  1220
#define MSS_LEAST	  88 /* as Linux takes from a peer (48), and its options */
#define MSS_SLACK	  40 /* options of a full segment, and what a cookie rounds off */
#define PORT_TRIES	  16
#define CHECKSUM_NONE	  0 /* include/linux/skbuff.h, as the next ones */
#define CHECKSUM_COMPLETE 2
#define CHECKSUM_PARTIAL  3
#define TCP_LISTEN	  10

#define NOPS		  bpf_htonl(0x01010101)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct flow_key);
	__type(value, struct opening);
} openings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct open_key);
	__type(value, struct open_frontend);
} open_frontends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} open_failures SEC(".maps");

SHARED_ARRAY(open_control, struct open_control, 1);
SHARED_ARRAY(ways, struct way, MAX_SERVERS + 1);
SHARED_ARRAY(farm_ways, struct farm_way, MAX_FARMS + 1);

/* A TCP packet, as far as it is looked at. */
struct packet {
	struct flow_key key;
	__u32 offset; /* of the TCP header */
	__u32 data;   /* ... and of what it carries */
	__u32 payload;
	__u32 seq, ack;
	__u16 window;
	__be16 flags;
	/* options */
	__u32 tsval, tsecr;
	__u16 mss;
	__u8 scale; /* SCALE_NONE */
	__u8 sack;
	__u8 timestamps;
	__u8 pad[3];
};

/* One that is to be made of a packet. */
struct segment {
	struct flow_key key;
	__u32 seq, ack;
	__be16 flags;
	__u16 window;
	__u32 from, len; /* bytes of the opening that it carries */
	__u32 options_len;
	__be32 options[5];
};

/* Too large for the stack; nothing else runs here until a program ends. */
struct scratch {
	struct packet packet;
	struct segment segment;
	struct conn conn;
	struct flow flow;
	struct flow_hello hello;
	__u64 bytes; /* where those of the opening are */
	struct opening opening;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Copied from there: what a global function is handed cannot be a key or a value before 6.13. */
static __always_inline struct scratch *find_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratches, &zero);
}

/* ---- the kernel -------------------------------------------------------------------------- */

/* What is in it does not matter. */
struct sock {
	int unused;
};

/* include/net/tcp.h */
struct bpf_tcp_req_attrs {
	__u32 rcv_tsval;
	__u32 rcv_tsecr;
	__u16 mss;
	__u8 rcv_wscale;
	__u8 snd_wscale;
	__u8 ecn_ok;
	__u8 wscale_ok;
	__u8 sack_ok;
	__u8 tstamp_ok;
	__u8 usec_ts_ok;
	__u8 reserved[3];
};

extern int bpf_sk_assign_tcp_reqsk(struct __sk_buff *skb, struct sock *sk,
				   struct bpf_tcp_req_attrs *attrs, int attrs__sz) __ksym;
extern void *bpf_cast_to_kern_ctx(void *context) __ksym;

struct sk_buff___alpnlb {
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

static __always_inline __u32 checksum_state(struct __sk_buff *skb)
{
	struct sk_buff___alpnlb *kernel = bpf_cast_to_kern_ctx(skb);

	return BPF_CORE_READ_BITFIELD(kernel, ip_summed);
}

enum found {
	FOUND_NOTHING = 0,
	FOUND_LISTENER,
	FOUND_SOCKET,
};

/* The socket that gets packets of `key`. A listener is given the packet, if there are `attrs`. */
GLOBAL_SUBPROGRAM int find_socket(struct __sk_buff *skb, const struct flow_key *key,
				  struct bpf_tcp_req_attrs *attrs)
{
	int found = FOUND_SOCKET;
	struct bpf_sock *sk;
	struct sock *tcp;

	if (!key)
		return FOUND_NOTHING;
	sk = leg_socket(skb, key);
	if (!sk)
		return FOUND_NOTHING;
	if (sk->state == TCP_LISTEN) {
		found = FOUND_LISTENER;
		tcp = (struct sock *)bpf_skc_to_tcp_sock(sk);
		if (attrs && tcp)
			bpf_sk_assign_tcp_reqsk(skb, tcp, attrs, sizeof(*attrs));
	}
	bpf_sk_release(sk);
	return found;
}

static __always_inline const struct open_control *find_control(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&open_control, &zero);
}

/*
 * Or does the next daemon begin? It has counts at 0, adds those flows that it finds, and has
 * openings of its own: one that were counted now would be so twice, or never be taken off again.
 */
static __always_inline bool is_in_charge(void)
{
	const struct open_control *own = find_control();
	__u32 zero = 0;
	const struct control *instance = bpf_map_lookup_elem(&control, &zero);

	return own && instance && own->began == instance->began;
}

static __always_inline __u32 timestamp_now(const struct open_control *control)
{
	return bpf_ktime_get_ns() / 1000000 + control->clock;
}

/* ---- reading ----------------------------------------------------------------------------- */

struct reading {
	struct options options;
	struct packet *packet;
};

/* Takes one option; 1 = done. */
static long read_step(__u32 index, void *context)
{
	struct reading *r = context;
	struct options *o = &r->options;
	__u32 at = o->at, size = 0, kind = option_at(o, &size);

	if (kind == TCPOPT_EOL)
		return 1;
	if (kind == TCPOPT_MSS && size == 4)
		r->packet->mss = *option_byte(o, at + 2) << 8 | *option_byte(o, at + 3);
	if (kind == TCPOPT_WINDOW && size == 3)
		r->packet->scale = MIN(*option_byte(o, at + 2), 14); /* RFC 7323 section 2.3 */
	if (kind == TCPOPT_SACK_PERMITTED && size == 2)
		r->packet->sack = 1;
	if (kind == TCPOPT_TIMESTAMP && size == 10) {
		r->packet->timestamps = 1;
		r->packet->tsval = word_at(option_byte(o, at + 2));
		r->packet->tsecr = word_at(option_byte(o, at + 6));
	}
	o->at = at + size;
	return 0;
}

GLOBAL_SUBPROGRAM int read_options(struct __sk_buff *skb, struct packet *p)
{
	struct reading r = {.packet = p};
	__u32 len, last;

	if (!p)
		return 0;
	len = p->data - p->offset - sizeof(struct tcp_words);
	last = len - 1;
	p->mss = 536;
	p->scale = SCALE_NONE;
	p->sack = p->timestamps = 0;
	p->tsval = p->tsecr = 0;
	OPAQUE(last);
	if (last >= TCP_OPTIONS_MAX || bpf_skb_load_bytes(skb, p->offset + sizeof(struct tcp_words),
							  r.options.bytes, last + 1))
		return 0;
	r.options.len = len;
	LOOP(TCP_OPTIONS_MAX, read_step, &r);
	return 0;
}

/* The addresses, and where TCP begins; its size, or 0: it is not for this program. */
static __always_inline __u32 read_addresses(struct __sk_buff *skb, struct packet *p)
{
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.ihl != 5 ||
		    ip.protocol != IPPROTO_TCP || ip.frag_off & IP_FRAGMENT)
			return 0;
		__builtin_memset(p->key.source, 0, 32);
		map_v4(p->key.source, ip.saddr);
		map_v4(p->key.destination, ip.daddr);
		p->offset = ETH_HLEN + sizeof(ip);
		return ip.tot_len ? bpf_ntohs(ip.tot_len) - sizeof(ip) : skb->len - p->offset;
	} else {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.nexthdr != IPPROTO_TCP)
			return 0;
		__builtin_memcpy(p->key.source, &ip.saddr, sizeof(p->key.source));
		__builtin_memcpy(p->key.destination, &ip.daddr, sizeof(p->key.destination));
		if (is_v4(p->key.source) || is_v4(p->key.destination))
			return 0; /* no such packet is to be sent, RFC 4942 section 2.2 */
		p->offset = ETH_HLEN + sizeof(ip);
		return ip.payload_len ? bpf_ntohs(ip.payload_len) : skb->len - p->offset;
	}
}

/* All but the options. */
GLOBAL_SUBPROGRAM int read_packet(struct __sk_buff *skb, struct packet *p)
{
	struct tcp_words tcp;
	__u32 size, header;

	if (!p)
		return false;
	size = read_addresses(skb, p);
	if (!size || bpf_skb_load_bytes(skb, p->offset, &tcp, sizeof(tcp)))
		return false;
	header = (bpf_ntohs(tcp.flags) >> 12) * 4;
	if (header < sizeof(tcp) || header > size)
		return false;
	__builtin_memcpy(&p->key.source_port, &tcp.ports, sizeof(tcp.ports));
	p->data = p->offset + header;
	p->payload = size - header;
	p->seq = bpf_ntohl(tcp.seq);
	p->ack = bpf_ntohl(tcp.ack);
	p->window = bpf_ntohs(tcp.window);
	p->flags = tcp.flags;
	return true;
}

/* ---- checksums --------------------------------------------------------------------------- */

#define SUM_STEP 512 /* the most bpf_csum_diff() takes before 6.13 */

/* Kept bytes: `len` of them is a multiple of 4, or behind them there are 0. */
static __always_inline __u64 sum_of_bytes(const struct opening *op, __u32 from, __u32 len)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < (OPENING_KEPT + SUM_STEP - 1) / SUM_STEP; i++) {
		__u32 at = from + i * SUM_STEP, step = len - i * SUM_STEP;

		if (i * SUM_STEP >= len)
			break;
		OPAQUE(at);
		OPAQUE(step);
		step = (MIN(step, SUM_STEP) + 3) & ~3u;
		if (at > OPENING_KEPT || step > SUM_STEP)
			break;
		sum += (__u32)bpf_csum_diff(NULL, 0, (__be32 *)(op->bytes + at), step, 0);
	}
	return sum;
}

/* What the pseudo header adds, RFC 9293 section 3.1. */
static __always_inline __u64 sum_of_addresses(const struct flow_key *key, __u32 size)
{
	__u64 sum = bpf_htons(IPPROTO_TCP) + bpf_htons(size);

	if (is_v4(key->source)) {
		sum += mapped_v4(key->source);
		sum += mapped_v4(key->destination);
		return sum;
	}
	return sum + (__u32)bpf_csum_diff(NULL, 0, (__be32 *)key->source, 32, 0);
}

/*
 * Has the packet come as it was sent? What is made of it gets a checksum of its own. Its payload is
 * the last of the opening's bytes, or there is none.
 */
GLOBAL_SUBPROGRAM int is_intact(struct __sk_buff *skb, const struct packet *p,
				const struct opening *op)
{
	__u8 header[TCP_HEADER_MAX] = {};
	__u32 state = checksum_state(skb), last;
	__u64 sum;

	if (!p)
		return false;
	if (state != CHECKSUM_NONE && state != CHECKSUM_COMPLETE)
		return true;
	last = p->data - p->offset - 1;
	OPAQUE(last);
	if (last >= sizeof(header) || bpf_skb_load_bytes(skb, p->offset, header, last + 1))
		return false;
	sum = sum_of_addresses(&p->key, last + 1 + p->payload);
	sum += (__u32)bpf_csum_diff(NULL, 0, (__be32 *)header, sizeof(header), 0);
	if (p->payload) {
		if (!op)
			return false;
		sum += sum_of_bytes(op, op->len - p->payload, p->payload);
	}
	return sum_fold16(sum) == 0xffff;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* The usual options of a SYN, in 20 bytes. `tsecr` is 0 in the first one. */
static __always_inline void write_syn_options(struct segment *s, __u16 mss, __u8 scale, bool sack,
					      bool timestamps, __u32 tsval, __u32 tsecr)
{
	s->options_len = 20;
	s->options[0] = bpf_htonl(0x02040000 | mss);
	s->options[1] =
		bpf_htonl((sack ? 0x04020000 : 0x01010000) | (timestamps ? 0x080a : 0x0101));
	s->options[2] = timestamps ? bpf_htonl(tsval) : NOPS;
	s->options[3] = timestamps ? bpf_htonl(tsecr) : NOPS;
	s->options[4] = scale == SCALE_NONE ? NOPS : bpf_htonl(0x01030300 | scale);
}

static __always_inline void write_timestamps(struct segment *s, bool timestamps, __u32 tsval,
					     __u32 tsecr)
{
	s->options_len = timestamps ? 12 : 0;
	s->options[0] = OPTIONS_TIMESTAMPS;
	s->options[1] = bpf_htonl(tsval);
	s->options[2] = bpf_htonl(tsecr);
}

/* The IP header, with `size` bytes behind it. */
static __always_inline bool write_addresses(struct __sk_buff *skb, const struct segment *s,
					    __u32 size)
{
	if (is_v4(s->key.source)) {
		struct iphdr ip = {
			.version = 4,
			.ihl = 5,
			.tot_len = bpf_htons(sizeof(ip) + size),
			.frag_off = IP_DONT_FRAGMENT,
			.ttl = 64,
			.protocol = IPPROTO_TCP,
			.saddr = mapped_v4(s->key.source),
			.daddr = mapped_v4(s->key.destination),
		};

		ip.check = ~sum_fold16(bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0));
		return !bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM);
	} else {
		struct ipv6hdr ip = {
			.version = 6,
			.payload_len = bpf_htons(size),
			.nexthdr = IPPROTO_TCP,
			.hop_limit = 64,
		};

		__builtin_memcpy(&ip.saddr, s->key.source, sizeof(ip.saddr));
		__builtin_memcpy(&ip.daddr, s->key.destination, sizeof(ip.daddr));
		return !bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM);
	}
}

static __always_inline bool write_bytes(struct __sk_buff *skb, const struct opening *op, __u32 at,
					__u32 from, __u32 len)
{
	__u32 last = len - 1; /* see hello_collect() */

	OPAQUE(last);
	OPAQUE(from);
	if (!from)
		return last < OPENING_KEPT &&
		       !bpf_skb_store_bytes(skb, at, op->bytes, last + 1, BPF_F_RECOMPUTE_CSUM);
	return last < OPENING_SEGMENT && from <= OPENING_KEPT &&
	       !bpf_skb_store_bytes(skb, at, op->bytes + from, last + 1, BPF_F_RECOMPUTE_CSUM);
}

/* As struct tcp_words, which has no end. */
struct tcp_header {
	__be32 ports, seq, ack;
	__be16 flags, window, check, urgent;
	__be32 options[5];
};

/* Makes a packet of the same family into another one. False when that cannot be done. */
GLOBAL_SUBPROGRAM int write_packet(struct __sk_buff *skb, const struct segment *s,
				   const struct opening *op)
{
	struct tcp_header tcp = {};
	__u32 offset, options, header;
	__u64 sum;

	if (!s)
		return false;
	offset = ETH_HLEN + (is_v4(s->key.source) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	options = s->options_len;
	header = sizeof(struct tcp_words) + options;
	if (options > sizeof(tcp.options) ||
	    (skb->len != offset + header + s->len &&
	     bpf_skb_change_tail(skb, offset + header + s->len, 0)) ||
	    !write_addresses(skb, s, header + s->len))
		return false;
	sum = sum_of_addresses(&s->key, header + s->len);
	__builtin_memcpy(&tcp.ports, &s->key.source_port, sizeof(tcp.ports));
	tcp.seq = bpf_htonl(s->seq);
	tcp.ack = bpf_htonl(s->ack);
	tcp.flags = s->flags | bpf_htons(header / 4 << 12);
	tcp.window = bpf_htons(s->window);
	if (options)
		__builtin_memcpy(tcp.options, s->options, sizeof(tcp.options));
	if (checksum_state(skb) == CHECKSUM_PARTIAL) {
		tcp.check = sum_fold16(sum);
	} else {
		if (options == 12)
			tcp.options[3] = tcp.options[4] = 0;
		sum += (__u32)bpf_csum_diff(NULL, 0, (__be32 *)&tcp, sizeof(tcp), 0);
		if (s->len && op)
			sum += sum_of_bytes(op, s->from, s->len);
		tcp.check = ~sum_fold16(sum);
	}
	if (bpf_skb_store_bytes(skb, offset, &tcp, header, BPF_F_RECOMPUTE_CSUM))
		return false;
	return !s->len || (op && write_bytes(skb, op, offset + header, s->from, s->len));
}

static __always_inline void turn_key(struct flow_key *to, const struct flow_key *key)
{
	__builtin_memcpy(to->source, key->destination, sizeof(to->source));
	__builtin_memcpy(to->destination, key->source, sizeof(to->destination));
	to->source_port = key->destination_port;
	to->destination_port = key->source_port;
}

/* ---- the SYN ----------------------------------------------------------------------------- */

static __always_inline __u32 headers_of(const struct flow_key *key)
{
	return sizeof(struct tcp_words) +
	       (is_v4(key->source) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* The largest segment that fits the interface. */
static __always_inline __u32 interface_mss(struct __sk_buff *skb, __u32 ifindex,
					   const struct flow_key *key)
{
	__u32 mtu = 0;

	bpf_check_mtu(skb, ifindex, &mtu, 0, 0);
	return mtu > headers_of(key) ? MIN(mtu - headers_of(key), 0xffff) : 536;
}

/* A client that alpnlb acl bans gets as far as to a socket, if no door has kept it out. */
GLOBAL_SUBPROGRAM int is_unwelcome(const struct packet *p, __u32 frontend_id)
{
	__u32 zero = 0;
	const struct door_control *control = bpf_map_lookup_elem(&door_control, &zero);

	return p && control && is_banned(control, p->key.source, is_v4(p->key.source), frontend_id);
}

GLOBAL_SUBPROGRAM int answer_syn(struct __sk_buff *skb, struct scratch *scratch,
				 const struct open_frontend *frontend)
{
	const struct open_control *control = find_control();
	struct packet *p;
	struct segment *s;
	__u32 mss, options;
	__u64 now = bpf_ktime_get_ns();

	if (!scratch || !frontend)
		return TC_ACT_UNSPEC;
	p = &scratch->packet;
	s = &scratch->segment;
	mss = interface_mss(skb, 0, &p->key);
	read_options(skb, p);
	if (!control || control->stopped || now > control->until ||
	    is_unwelcome(p, frontend->frontend_id) || p->flags & (TCP_WORD_FIN | TCP_WORD_RST) ||
	    p->mss < (is_v4(p->key.source) ? MSS_MIN_V4 : MSS_MIN_V6) ||
	    find_socket(skb, &p->key, NULL) != FOUND_LISTENER)
		return TC_ACT_UNSPEC;
	if (!p->payload && !is_intact(skb, p, NULL))
		return TC_ACT_SHOT;
	if (frontend->mss)
		mss = MIN(mss, frontend->mss);
	options = cookie_options(p->mss, p->scale, p->sack);
	turn_key(&s->key, &p->key);
	s->seq = cookie_make(control->secret, &p->key, p->seq, options, now / COOKIE_SLOT);
	s->ack = p->seq + 1;
	s->flags = TCP_WORD_SYN | TCP_WORD_ACK;
	s->window = OPENING_WINDOW;
	s->len = 0;
	write_syn_options(s, mss, p->scale == SCALE_NONE ? SCALE_NONE : OPENING_SCALE, p->sack,
			  p->timestamps, timestamp_now(control), p->tsval);
	if (!write_packet(skb, s, NULL))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

/* ---- to a socket ------------------------------------------------------------------------- */

/* The client's bytes so far, in one packet. */
static __always_inline void bytes_of_client(struct segment *s, const struct flow_key *key,
					    const struct opening *op)
{
	s->key = *key;
	s->seq = op->start;
	s->ack = op->answer;
	s->flags = TCP_WORD_ACK | TCP_WORD_PSH;
	s->window = op->window >> (op->scale == SCALE_NONE ? 0 : op->scale & 15);
	s->from = 0;
	s->len = op->len;
	write_timestamps(s, op->timestamps, op->tsval, op->tsecr);
}

/*
 * The packet, which begins with the client's first byte, makes a socket of the kernel's listener;
 * from here on it is an ordinary connection.
 */
GLOBAL_SUBPROGRAM int leave_with_packet(struct __sk_buff *skb, const struct packet *p,
					const struct opening *op)
{
	struct bpf_tcp_req_attrs attrs = {};

	if (!p || !op)
		return TC_ACT_SHOT;
	attrs.rcv_tsval = p->tsval;
	attrs.rcv_tsecr = p->tsecr;
	attrs.mss = op->mss;
	attrs.sack_ok = op->sack;
	attrs.tstamp_ok = op->timestamps;
	if (op->scale != SCALE_NONE) {
		attrs.wscale_ok = 1;
		attrs.rcv_wscale = OPENING_SCALE;
		attrs.snd_wscale = op->scale;
	}
	find_socket(skb, &p->key, &attrs);
	return TC_ACT_UNSPEC;
}

/* Likewise with any packet of the client's. */
GLOBAL_SUBPROGRAM int leave(struct __sk_buff *skb, struct scratch *scratch, struct opening *op)
{
	struct flow_key key;
	struct packet *p;
	struct segment *s;
	int action;

	if (!scratch || !op)
		return TC_ACT_SHOT;
	p = &scratch->packet;
	s = &scratch->segment;
	key = p->key;
	op->state = OPENING_LEAVES;
	if (p->seq != op->start) {
		if (!op->len)
			return TC_ACT_SHOT;
		bytes_of_client(s, &p->key, op);
		if (!write_packet(skb, s, op))
			return TC_ACT_SHOT;
		p->tsval = op->tsval;
		p->tsecr = op->tsecr;
	}
	action = leave_with_packet(skb, p, op);
	bpf_map_delete_elem(&openings, &key);
	return action;
}

/* ---- the server leg ---------------------------------------------------------------------- */

/* The server is not this connection's any more. */
static __always_inline void release_server(const struct opening *op)
{
	struct server_stats *stats = stats_server(op->server_id);

	if (stats)
		__sync_fetch_and_add(&stats->live, -1ULL);
}

static __always_inline bool has_socket(struct __sk_buff *skb, const struct flow_key *key)
{
	return find_socket(skb, key, NULL) == FOUND_SOCKET;
}

/* A source port is taken by the entry for the server's packets. */
GLOBAL_SUBPROGRAM int take_port(struct __sk_buff *skb, struct opening *op, struct way *way)
{
	const struct open_control *control = find_control();
	struct scratch *scratch = find_scratch();
	struct flow_key key;
	struct flow *flow;

	if (!op || !way || !scratch || !control || !control->port_count || control->stopped)
		return false;
	flow = &scratch->flow;
	__builtin_memset(flow, 0, sizeof(*flow));
	__builtin_memcpy(flow->source, scratch->packet.key.destination, sizeof(flow->source));
	__builtin_memcpy(flow->destination, scratch->packet.key.source, sizeof(flow->destination));
	flow->source_port = scratch->packet.key.destination_port;
	flow->destination_port = scratch->packet.key.source_port;
	flow->constant = FLOW_FROM_SERVER;
	flow->state = FLOW_PENDING;
	flow->slot = ~0u;
	flow->started = op->began;
	flow->seen = bpf_ktime_get_coarse_ns();
	__builtin_memcpy(op->server.destination, way->source, sizeof(op->server.destination));
	key = op->server;
	for (int i = 0; i < PORT_TRIES; i++) {
		__u32 n = __sync_fetch_and_add(&way->next, 1);

		key.destination_port = bpf_htons(control->port_first + n % control->port_count);
		/* Nor one that a frontend listens at: it would be asked about the answers. */
		if (find_socket(skb, &key, NULL) != FOUND_NOTHING ||
		    bpf_map_update_elem(&flows, &key, flow, BPF_NOEXIST))
			continue;
		op->server.destination_port = key.destination_port;
		return true;
	}
	return false;
}

GLOBAL_SUBPROGRAM int send_syn(struct __sk_buff *skb, struct segment *s, const struct opening *op)
{
	const struct way *way;
	__u32 server_id, mss;

	if (!s || !op)
		return TC_ACT_SHOT;
	server_id = op->server_id;
	way = bpf_map_lookup_elem(&ways, &server_id);
	if (!way)
		return TC_ACT_SHOT;
	mss = MIN(op->mss, interface_mss(skb, op->ifindex, &op->server));
	turn_key(&s->key, &op->server);
	s->seq = op->start - 1;
	s->ack = 0;
	s->flags = TCP_WORD_SYN;
	s->window = MIN(op->window, 0xffff);
	s->len = 0;
	write_syn_options(s, mss, op->scale, op->sack, op->timestamps, op->clock, 0);
	if (!write_packet(skb, s, NULL))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(way->ifindex, NULL, 0, 0);
}

/* Sends the SYN to the server that was chosen. */
GLOBAL_SUBPROGRAM int connect_server(struct __sk_buff *skb, struct scratch *scratch,
				     struct opening *op)
{
	const struct open_control *control = find_control();
	struct server_stats *stats;
	__u32 server_id;
	struct way *way;

	if (!scratch || !op)
		return TC_ACT_SHOT;
	server_id = op->server_id;
	way = bpf_map_lookup_elem(&ways, &server_id);
	stats = stats_server(server_id);
	if (!control || !way || !stats || way->state != WAY_KNOWN ||
	    !bpf_map_lookup_elem(&interfaces, &way->ifindex) || !take_port(skb, op, way)) {
		release_server(op);
		return leave(skb, scratch, op);
	}
	__sync_fetch_and_add(&stats->chosen, 1);
	op->clock = timestamp_now(control);
	op->asked = op->repeated = bpf_ktime_get_ns();
	op->deadline = op->asked + op->connect_timeout * 1000000ULL + OPENING_LIFE;
	op->state = OPENING_CONNECTS;
	return send_syn(skb, &scratch->segment, op);
}

static __always_inline void tell_failure(const struct opening *op, __u32 err)
{
	struct open_failure *failure = bpf_ringbuf_reserve(&open_failures, sizeof(*failure), 0);

	if (!failure)
		return;
	failure->began = op->asked;
	failure->server_id = op->server_id;
	failure->err = err;
	bpf_ringbuf_submit(failure, BPF_RB_NO_WAKEUP);
}

/* The server did not take the connection: it goes on with a socket, which chooses another one. */
GLOBAL_SUBPROGRAM int leave_server(struct opening *op, __u32 err)
{
	struct server_stats *stats;
	struct flow_key key;

	if (!op)
		return 0;
	key = op->server;
	stats = stats_server(op->server_id);
	release_server(op);
	bpf_map_delete_elem(&flows, &key);
	count(COUNTER_RETRIES);
	if (!stats)
		return 0;
	if (err == ECONNREFUSED)
		__sync_fetch_and_add(&stats->refused, 1);
	else if (err == ETIMEDOUT)
		__sync_fetch_and_add(&stats->timeouts, 1);
	else
		return 0;
	tell_failure(op, err);
	return 0;
}

/* ---- the decision ------------------------------------------------------------------------ */

static bool may_choose(__u32 farm_id)
{
	const struct farm_way *row = bpf_map_lookup_elem(&farm_ways, &farm_id);
	const struct scratch *scratch = find_scratch();

	return row && scratch && row->family == (is_v4(scratch->packet.key.source) ? 4 : 6);
}

static long hello_load(void *source, __u32 offset, void *to, __u32 len)
{
	return bpf_probe_read_kernel(to, len, source + offset);
}

enum outcome {
	OUTCOME_WAIT,	 /* for more bytes */
	OUTCOME_CONNECT, /* to op->server_id, which is counted as live */
	OUTCOME_LEAVE,
};

/* Feeds all that is kept to the parser: its state need not be. */
GLOBAL_SUBPROGRAM int read_hello(struct scratch *scratch, struct opening *op)
{
	__u32 len;

	if (!scratch || !op)
		return VERDICT_NEED_MORE;
	len = op->len & 0xfff;
	OPAQUE(len);
	/* A number, to the verifier: with a pointer it would not come to an end. */
	*(volatile __u64 *)&scratch->bytes = (__u64)op->bytes;
	return hello_feed(&scratch->conn.hello, (void *)*(volatile __u64 *)&scratch->bytes, len);
}

GLOBAL_SUBPROGRAM int choose_server(struct scratch *scratch)
{
	return scratch && route(&scratch->conn);
}

GLOBAL_SUBPROGRAM int keep_hello(struct scratch *scratch, struct opening *op)
{
	struct keeping keeping = {};

	if (!scratch || !op)
		return 0;
	hello_keep(&keeping, &scratch->conn);
	op->hello = keeping.kept;
	return 0;
}

static __always_inline enum outcome decide_opening(struct scratch *scratch, struct opening *op)
{
	const struct flow_key *key = &scratch->packet.key;
	struct conn *conn = &scratch->conn;

	__builtin_memset(conn, 0, sizeof(*conn));
	__builtin_memcpy(conn->client, key->source, sizeof(conn->client));
	__builtin_memcpy(conn->local, key->destination, sizeof(conn->local));
	conn->client_port = key->source_port;
	conn->local_port = key->destination_port;
	conn->frontend_id = op->frontend_id;
	if (read_hello(scratch, op) == VERDICT_NEED_MORE)
		return OUTCOME_WAIT;
	if ((conn->hello.verdict == VERDICT_TLS && conn->hello.flags & HELLO_ALPN_CUT) ||
	    !choose_server(scratch) || conn->action != ACTION_FARM || !conn->server_id)
		return OUTCOME_LEAVE;
	op->route_id = conn->route_id;
	op->farm_id = conn->farm_id;
	op->server_id = conn->server_id;
	__builtin_memcpy(op->server.source, conn->server, sizeof(op->server.source));
	op->server.source_port = conn->server_port;
	keep_hello(scratch, op);
	return OUTCOME_CONNECT;
}

/* ---- the client's bytes ------------------------------------------------------------------ */

/* Only who has an opening in this state may go on with it, or take it away. */
static __always_inline bool seize(struct opening *op, __u32 state)
{
	return __sync_val_compare_and_swap(&op->state, state, OPENING_BUSY) == state;
}

/* Keeps what the packet carries; false if there is no room for it. */
static __always_inline bool keep_bytes(struct __sk_buff *skb, const struct packet *p,
				       struct opening *op)
{
	__u32 at = op->len, last = p->payload - 1;

	OPAQUE(at);
	OPAQUE(last);
	if (at >= OPENING_SEGMENT || last >= OPENING_KEPT || at + last >= OPENING_KEPT ||
	    bpf_skb_load_bytes(skb, p->data, op->bytes + at, last + 1))
		return false;
	at += last + 1;
	OPAQUE(at);
	for (__u32 i = 0; i < sizeof(__u32) && at <= OPENING_KEPT; i++)
		op->bytes[at + i] = 0; /* for sum_of_bytes() */
	op->len += p->payload;
	return true;
}

/* The opening is BUSY with this packet. */
static __always_inline int take_bytes(struct __sk_buff *skb, struct scratch *scratch,
				      struct opening *op)
{
	struct packet *p = &scratch->packet;

	/* A part of a hello that is repeated: the rest may never come. */
	if (op->len && p->seq == op->start)
		return leave(skb, scratch, op);
	if (p->seq != op->start + op->len) {
		op->state = OPENING_WAITS;
		return TC_ACT_SHOT;
	}
	if (p->flags & (TCP_WORD_FIN | TCP_WORD_URG) || !keep_bytes(skb, p, op))
		return leave(skb, scratch, op);
	if (!is_intact(skb, p, op)) {
		op->len -= p->payload;
		op->state = OPENING_WAITS;
		return TC_ACT_SHOT;
	}
	op->tsval = p->tsval;
	op->tsecr = p->tsecr;
	op->window = (__u32)p->window << (op->scale == SCALE_NONE ? 0 : op->scale & 15);
	switch (decide_opening(scratch, op)) {
	case OUTCOME_WAIT:
		/* Its sender may want to hear of a small segment before it sends another. */
		if (p->payload + MSS_SLACK < op->mss)
			return leave(skb, scratch, op);
		op->state = OPENING_WAITS;
		return TC_ACT_SHOT;
	case OUTCOME_CONNECT:
		return connect_server(skb, scratch, op);
	default:
		return leave(skb, scratch, op);
	}
}

/* A packet of the client's, and the server has not answered yet. */
static __always_inline int await_server(struct __sk_buff *skb, struct scratch *scratch,
					struct opening *op)
{
	__u64 now = bpf_ktime_get_ns();

	if (now - op->asked > op->connect_timeout * 1000000ULL) {
		if (!seize(op, OPENING_CONNECTS))
			return TC_ACT_SHOT;
		leave_server(op, ETIMEDOUT);
		return leave(skb, scratch, op);
	}
	if (scratch->packet.seq != op->start || !scratch->packet.payload ||
	    now - op->repeated < OPENING_REPEAT)
		return TC_ACT_SHOT;
	op->repeated = now;
	return send_syn(skb, &scratch->segment, op);
}

/* The client has left before its server was there. */
static __always_inline int client_left(const struct packet *p, struct opening *op)
{
	struct flow_key client = p->key, server = op->server;
	struct frontend_stats *stats;
	__u32 frontend_id = op->frontend_id;

	if (p->seq - op->start > op->len)
		return TC_ACT_SHOT;
	if (seize(op, OPENING_CONNECTS)) {
		release_server(op);
		bpf_map_delete_elem(&flows, &server);
	} else if (!seize(op, OPENING_WAITS) && !seize(op, OPENING_LEAVES)) {
		return TC_ACT_SHOT;
	}
	stats = bpf_map_lookup_elem(&frontend_stats, &frontend_id);
	if (stats)
		__sync_fetch_and_add(&stats->accepted, 1);
	count(COUNTER_ACCEPTED);
	count(COUNTER_CLIENT_GONE);
	count(COUNTER_CLOSED);
	bpf_map_delete_elem(&openings, &client);
	return TC_ACT_SHOT;
}

/* What the packet carries is to be looked at. */
#define ACTION_TAKE (-2)

/* A packet of an opening. */
GLOBAL_SUBPROGRAM int go_on(struct __sk_buff *skb, struct scratch *scratch, struct opening *op)
{
	__u64 now = bpf_ktime_get_ns();
	struct flow_key key;
	struct packet *p;

	if (!scratch || !op)
		return TC_ACT_SHOT;
	p = &scratch->packet;
	key = p->key;
	if (now > op->deadline)
		return TC_ACT_SHOT; /* the daemon takes it away */
	/* One that another processor has just made of the packet behind this one. */
	if (op->state == OPENING_WAITS && has_socket(skb, &p->key)) {
		if (seize(op, OPENING_WAITS))
			bpf_map_delete_elem(&openings, &key);
		return TC_ACT_UNSPEC;
	}
	if (p->flags & TCP_WORD_RST)
		return client_left(p, op);
	if (p->flags & TCP_WORD_SYN || p->ack != op->answer)
		return TC_ACT_SHOT;
	switch (op->state) {
	case OPENING_WAITS:
		if (!seize(op, OPENING_WAITS))
			return TC_ACT_SHOT;
		if (p->payload || p->flags & TCP_WORD_FIN)
			return ACTION_TAKE;
		/* It answers the daemon, which has asked whether it is there. */
		if (now - op->began > OPENING_SILENT && !op->len)
			return leave(skb, scratch, op);
		op->state = OPENING_WAITS;
		return TC_ACT_SHOT;
	case OPENING_CONNECTS:
		return await_server(skb, scratch, op);
	case OPENING_LEAVES:
		return p->seq == op->start && seize(op, OPENING_LEAVES) ? leave(skb, scratch, op)
									: TC_ACT_SHOT;
	default:
		return TC_ACT_SHOT;
	}
}

/* ---- a new opening ----------------------------------------------------------------------- */

static __always_inline void begin(struct __sk_buff *skb, const struct packet *p,
				  const struct open_frontend *frontend, struct opening *op)
{
	__u32 cookie = p->ack - 1;

	__builtin_memset(op, 0, __builtin_offsetof(struct opening, bytes));
	op->began = bpf_ktime_get_ns();
	op->deadline = op->began + OPENING_LIFE;
	op->start = p->seq;
	op->answer = p->ack;
	op->ifindex = skb->ifindex;
	op->frontend_id = frontend->frontend_id;
	op->connect_timeout = frontend->connect_timeout;
	op->idle_timeout = frontend->idle_timeout;
	op->half_close_timeout = frontend->half_close_timeout;
	op->mss = cookie_mss(cookie);
	op->scale = cookie_scale(cookie);
	op->sack = cookie_sack(cookie);
	op->timestamps = p->timestamps;
	op->tsval = p->tsval;
	op->tsecr = p->tsecr;
	op->window = (__u32)p->window << (op->scale == SCALE_NONE ? 0 : op->scale & 15);
	bpf_skb_load_bytes(skb, 0, op->ethernet, sizeof(op->ethernet));
}

/* Does the packet bring a cookie that is its sender's, who has no socket? enum cookie. */
GLOBAL_SUBPROGRAM int find_cookie(struct __sk_buff *skb, const struct packet *p)
{
	const struct open_control *control = find_control();
	enum cookie found;

	if (!p || !control || p->flags & (TCP_WORD_SYN | TCP_WORD_RST) ||
	    !(p->flags & TCP_WORD_ACK))
		return COOKIE_NONE;
	found = cookie_look(control->secret, &p->key, p->seq, p->ack - 1,
			    bpf_ktime_get_ns() / COOKIE_SLOT);
	return found && find_socket(skb, &p->key, NULL) == FOUND_LISTENER ? found : COOKIE_NONE;
}

/* Notes the client; its first packet may bring bytes. */
GLOBAL_SUBPROGRAM int open_new(struct __sk_buff *skb, const struct open_frontend *frontend)
{
	struct scratch *scratch = find_scratch();
	struct opening *op;
	struct packet *p;
	bool brings;

	if (!scratch || !frontend)
		return TC_ACT_SHOT;
	p = &scratch->packet;
	op = &scratch->opening;
	brings = p->payload || p->flags & TCP_WORD_FIN;
	begin(skb, p, frontend, op);
	op->state = brings ? OPENING_BUSY : OPENING_WAITS;
	if (bpf_map_update_elem(&openings, &p->key, op, BPF_NOEXIST))
		return leave_with_packet(skb, p, op);
	return brings ? ACTION_TAKE : TC_ACT_SHOT;
}

/*
 * The same client came again, while what it had begun before was not at its end: false if a
 * processor is at that.
 */
static __noinline int forget_old(const struct flow_key *key, struct opening *op)
{
	if (seize(op, OPENING_CONNECTS)) {
		release_server(op);
		bpf_map_delete_elem(&flows, &op->server);
	} else if (!seize(op, OPENING_WAITS) && !seize(op, OPENING_LEAVES) &&
		   !seize(op, OPENING_SENDS)) {
		return false;
	}
	bpf_map_delete_elem(&openings, key);
	return true;
}

static __always_inline int of_client(struct __sk_buff *skb, struct scratch *scratch,
				     const struct open_frontend *frontend)
{
	struct packet *p = &scratch->packet;
	struct opening *op;
	int action;

	if (skb->ifindex == LOOPBACK_IFINDEX)
		return TC_ACT_UNSPEC;
	if ((p->flags & (TCP_WORD_SYN | TCP_WORD_ACK)) == TCP_WORD_SYN)
		return answer_syn(skb, scratch, frontend);
	op = bpf_map_lookup_elem(&openings, &p->key);
	if (!op) {
		enum cookie cookie = find_cookie(skb, p);

		/* What is in front of a later byte was overtaken, or lost. */
		if (cookie != COOKIE_FIRST)
			return cookie == COOKIE_LATER ? TC_ACT_SHOT : TC_ACT_UNSPEC;
	}
	read_options(skb, p);
	if (op && p->ack != op->answer && find_cookie(skb, p) == COOKIE_FIRST) {
		if (!forget_old(&p->key, op))
			return TC_ACT_SHOT;
		op = NULL;
	}
	action = op ? go_on(skb, scratch, op) : open_new(skb, frontend);
	if (action != ACTION_TAKE)
		return action;
	op = op ? op : bpf_map_lookup_elem(&openings, &p->key);
	return op ? take_bytes(skb, scratch, op) : TC_ACT_SHOT;
}

/* ---- the server's answer ----------------------------------------------------------------- */

/* Both entries' common part. */
static __always_inline void fill_flow(struct flow *flow, const struct opening *op)
{
	flow->seen = bpf_ktime_get_coarse_ns();
	flow->started = op->began;
	flow->slot = ~0u;
	flow->frontend_id = op->frontend_id;
	flow->route_id = op->route_id;
	flow->farm_id = op->farm_id;
	flow->server_id = op->server_id;
	flow->idle_timeout = op->idle_timeout;
	flow->half_close_timeout = op->half_close_timeout;
}

/* Of the client's packets: its sequence numbers and its window scale are the same on both legs. */
static __always_inline void fill_client(struct flow *flow, const struct opening *op,
					const struct packet *p, const struct way *way, __u32 serial)
{
	__builtin_memset(flow, 0, sizeof(*flow));
	fill_flow(flow, op);
	__builtin_memcpy(flow->source, op->server.destination, sizeof(flow->source));
	__builtin_memcpy(flow->destination, op->server.source, sizeof(flow->destination));
	flow->source_port = op->server.destination_port;
	flow->destination_port = op->server.source_port;
	flow->ifindex = way->ifindex;
	flow->ack_delta = p->seq + 1 - op->answer;
	flow->tsval_delta = op->clock - op->tsval;
	flow->tsecr_delta = p->tsval - op->tsecr;
	flow->window_scale = op->scale == SCALE_NONE ? 0 : op->scale;
	flow->other_scale = p->scale == SCALE_NONE ? 0 : flow->window_scale;
	flow->constant = FLOW_CLEAR_ECN | (op->timestamps ? FLOW_TIMESTAMPS : 0);
	flow->base = op->start;
	flow->end = op->len;
	flow->packets = 1;
	flow->acked = op->answer;
	flow->window = op->window;
	flow->serial = serial;
	flow->mtu = MIN(MIN(way->mtu, p->mss + headers_of(&op->server)), 0xffff);
}

/* Of the server's: it is PENDING, so nobody looks at it. */
static __always_inline void fill_server(struct __sk_buff *skb, struct flow *flow,
					const struct opening *op, const struct packet *p,
					__u32 serial)
{
	fill_flow(flow, op);
	flow->ifindex = op->ifindex;
	flow->seq_delta = op->answer - (p->seq + 1);
	flow->tsval_delta = op->tsecr - p->tsval;
	flow->tsecr_delta = op->tsval - op->clock;
	flow->window_scale = p->scale == SCALE_NONE ? 0 : p->scale;
	flow->other_scale = op->scale == SCALE_NONE ? 0 : OPENING_SCALE;
	flow->constant = FLOW_FROM_SERVER | FLOW_CLEAR_ECN | (op->timestamps ? FLOW_TIMESTAMPS : 0);
	flow->base = p->seq + 1;
	flow->acked = op->start;
	flow->window = p->window;
	flow->serial = serial;
	flow->mtu = MIN(MIN(op->mss, interface_mss(skb, op->ifindex, &op->server)) +
				headers_of(&op->server),
			0xffff);
}

/* Counts it, as the workers do from accept to the start of the flow. */
GLOBAL_SUBPROGRAM int count_start(const struct opening *op)
{
	struct frontend_stats *frontend;
	__u32 frontend_id, route_id, verdict;
	struct server_stats *server;
	struct route_stats *route;
	struct farm_stats *farm;

	if (!op)
		return 0;
	frontend_id = op->frontend_id;
	route_id = op->route_id;
	verdict = op->hello.verdict;
	frontend = bpf_map_lookup_elem(&frontend_stats, &frontend_id);
	route = bpf_map_lookup_elem(&route_stats, &route_id);
	server = stats_server(op->server_id);
	farm = stats_farm(op->farm_id);
	count(COUNTER_ACCEPTED);
	count(COUNTER_SPLICED);
	count(COUNTER_OPENED);
	count(COUNTER_PORTS_IN_USE);
	if (!frontend || !route || !server || !farm)
		return 0;
	__sync_fetch_and_add(&frontend->accepted, 1);
	__sync_fetch_and_add(&frontend->live, 1);
	if (verdict < VERDICT_MAX)
		__sync_fetch_and_add(&frontend->verdicts[verdict], 1);
	if (verdict == VERDICT_TLS && op->hello.flags & HELLO_ECH)
		__sync_fetch_and_add(&frontend->ech, 1);
	__sync_fetch_and_add(&frontend->paths[PATH_PACKET], 1);
	if (route_id)
		__sync_fetch_and_add(&route->matched, 1);
	else
		__sync_fetch_and_add(&frontend->default_farm, 1);
	__sync_fetch_and_add(&route->live, 1);
	__sync_fetch_and_add(&farm->chosen, 1);
	__sync_fetch_and_add(&server->connected, 1);
	return 0;
}

/* Makes both entries. False: the flow table is full. */
GLOBAL_SUBPROGRAM int start_flow(struct __sk_buff *skb, struct opening *op, struct flow *server)
{
	struct scratch *scratch = find_scratch();
	__u32 server_id, serial = bpf_get_prandom_u32();
	struct flow_key client = {}, key;
	const struct packet *p;
	const struct way *way;
	struct flow *flow;

	if (!scratch || !op || !server)
		return false;
	p = &scratch->packet;
	flow = &scratch->flow;
	server_id = op->server_id;
	way = bpf_map_lookup_elem(&ways, &server_id);
	if (!way)
		return false;
	key_of_peer(server, &client);
	fill_server(skb, server, op, p, serial);
	fill_client(flow, op, p, way, serial);
	if (bpf_map_update_elem(&flows, &client, flow, BPF_NOEXIST))
		return false;
	key = op->server;
	scratch->hello = op->hello;
	bpf_map_update_elem(&hellos, &key, &scratch->hello, BPF_ANY);
	count_start(op);
	return true;
}

/*
 * The next of the kept bytes go to the server, in the packet that has brought its answer. If there
 * are more, a copy of that comes by again; where it finds no room, they are lost like any packet.
 */
GLOBAL_SUBPROGRAM int send_bytes(struct __sk_buff *skb, struct scratch *scratch, struct opening *op,
				 struct flow *server)
{
	__u32 server_id, options, room;
	struct flow_key client = {};
	const struct packet *p;
	const struct way *way;
	struct segment *s;
	bool last;

	if (!scratch || !op || !server)
		return TC_ACT_SHOT;
	s = &scratch->segment;
	p = &scratch->packet;
	server_id = op->server_id;
	options = op->timestamps ? 12 : 0;
	way = bpf_map_lookup_elem(&ways, &server_id);
	if (!way)
		return TC_ACT_SHOT;
	key_of_peer(server, &client);
	room = MAX(MIN(p->mss, way->mtu - headers_of(&op->server)), MSS_LEAST) - options;
	s->from = op->sent;
	s->len = MIN(op->len - op->sent, MIN(room, OPENING_SEGMENT) & ~3u);
	op->sent += s->len;
	last = op->sent >= op->len || bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	turn_key(&s->key, &op->server);
	s->seq = op->start + s->from;
	s->ack = p->seq + 1;
	s->flags = TCP_WORD_ACK | (last ? TCP_WORD_PSH : 0);
	s->window = MIN(
		op->window >>
			(p->scale == SCALE_NONE || op->scale == SCALE_NONE ? 0 : op->scale & 15),
		0xffff);
	write_timestamps(s, op->timestamps, op->clock, p->tsval);
	if (!write_packet(skb, s, op))
		return TC_ACT_SHOT;
	if (last) {
		bpf_map_delete_elem(&openings, &client);
		__sync_fetch_and_and(&server->state, ~FLOW_PENDING);
	}
	return bpf_redirect_neigh(way->ifindex, NULL, 0, 0);
}

/* The client gets a socket at once: what it has said comes to its interface once more. */
GLOBAL_SUBPROGRAM int bring_back(struct __sk_buff *skb, struct segment *s,
				 const struct flow_key *client, struct opening *op)
{
	__u32 ifindex;

	if (!s || !client || !op)
		return TC_ACT_SHOT;
	ifindex = op->ifindex;
	bytes_of_client(s, client, op);
	op->state = OPENING_LEAVES;
	if (!write_packet(skb, s, op) ||
	    bpf_skb_store_bytes(skb, 0, op->ethernet, sizeof(op->ethernet), 0))
		return TC_ACT_SHOT;
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

/* The server cannot do what the client was promised: no others are to be sent there. */
GLOBAL_SUBPROGRAM int leave_unfit(struct __sk_buff *skb, struct scratch *scratch,
				  struct opening *op)
{
	__u32 server_id, farm_id, ifindex;
	const struct packet *p;
	struct farm_way *farm;
	struct segment *s;
	struct way *way;

	if (!scratch || !op)
		return TC_ACT_SHOT;
	p = &scratch->packet;
	s = &scratch->segment;
	server_id = op->server_id;
	farm_id = op->farm_id;
	way = bpf_map_lookup_elem(&ways, &server_id);
	farm = bpf_map_lookup_elem(&farm_ways, &farm_id);
	ifindex = way ? way->ifindex : 0;
	if (way)
		way->state = WAY_UNFIT;
	if (farm)
		farm->family = 0;
	turn_key(&s->key, &op->server);
	s->seq = p->ack;
	s->ack = 0;
	s->flags = TCP_WORD_RST;
	s->window = 0;
	s->len = s->options_len = 0;
	leave_server(op, 0);
	op->state = OPENING_LEAVES;
	return write_packet(skb, s, NULL) ? bpf_redirect_neigh(ifindex, NULL, 0, 0) : TC_ACT_SHOT;
}

/*
 * The server has an earlier connection from this port, and answers for that (RFC 9293 section
 * 3.5.2): a socket takes another port.
 */
static __always_inline int other_connection(struct __sk_buff *skb, struct scratch *scratch,
					    const struct flow_key *client, struct opening *op)
{
	if (scratch->packet.flags & (TCP_WORD_SYN | TCP_WORD_RST | TCP_WORD_FIN) ||
	    !is_intact(skb, &scratch->packet, NULL) || !seize(op, OPENING_CONNECTS))
		return TC_ACT_SHOT;
	leave_server(op, 0);
	return bring_back(skb, &scratch->segment, client, op);
}

/*
 * The copy that was to bring the rest was lost on this host, and the server goes on with what the
 * client has repeated. This packet its sender repeats.
 */
static __always_inline int give_up_sending(const struct flow_key *client, struct opening *op,
					   struct flow *server)
{
	if (bpf_ktime_get_ns() - op->repeated > OPENING_COPY && seize(op, OPENING_SENDS)) {
		bpf_map_delete_elem(&openings, client);
		__sync_fetch_and_and(&server->state, ~FLOW_PENDING);
	}
	return TC_ACT_SHOT;
}

GLOBAL_SUBPROGRAM int of_server(struct __sk_buff *skb, struct scratch *scratch, struct flow *flow)
{
	struct flow_key client = {};
	struct opening *op;
	struct packet *p;

	if (!scratch || !flow)
		return TC_ACT_UNSPEC;
	p = &scratch->packet;
	key_of_peer(flow, &client);
	op = bpf_map_lookup_elem(&openings, &client);
	if (!op || bpf_ktime_get_ns() > op->deadline)
		return TC_ACT_UNSPEC;
	if (!(p->flags & TCP_WORD_ACK))
		return TC_ACT_SHOT;
	if (p->ack != op->start && op->state == OPENING_SENDS)
		return give_up_sending(&client, op, flow);
	if (p->ack != op->start)
		return other_connection(skb, scratch, &client, op);
	if (p->payload || !is_intact(skb, p, NULL))
		return TC_ACT_SHOT;
	read_options(skb, p);
	if (op->state == OPENING_SENDS && p->flags & TCP_WORD_SYN)
		return send_bytes(skb, scratch, op, flow);
	if (!(p->flags & (TCP_WORD_RST | TCP_WORD_SYN)) || !seize(op, OPENING_CONNECTS))
		return TC_ACT_SHOT;
	if (p->flags & TCP_WORD_RST) {
		leave_server(op, ECONNREFUSED);
		return bring_back(skb, &scratch->segment, &client, op);
	}
	if ((op->timestamps && !p->timestamps) || (op->sack && !p->sack))
		return leave_unfit(skb, scratch, op);
	/* It may have a socket by now, of a packet in front of the one that began this. */
	if (has_socket(skb, &client) || !start_flow(skb, op, flow)) {
		leave_server(op, 0);
		return bring_back(skb, &scratch->segment, &client, op);
	}
	op->repeated = bpf_ktime_get_ns();
	op->state = OPENING_SENDS;
	return send_bytes(skb, scratch, op, flow);
}

SEC("tc")
int open(struct __sk_buff *skb)
{
	const struct open_frontend *frontend;
	struct open_key key = {};
	struct scratch *scratch;
	struct flow *flow;

	if (skb->pkt_type == PACKET_OTHERHOST || skb->vlan_present ||
	    (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6)))
		return TC_ACT_UNSPEC;
	scratch = find_scratch();
	if (!scratch || !read_packet(skb, &scratch->packet))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(key.address, scratch->packet.key.destination, sizeof(key.address));
	key.port = scratch->packet.key.destination_port;
	frontend = bpf_map_lookup_elem(&open_frontends, &key);
	if (frontend)
		return is_in_charge() ? of_client(skb, scratch, frontend) : TC_ACT_UNSPEC;
	flow = bpf_map_lookup_elem(&flows, &scratch->packet.key);
	if (flow && flow->state & FLOW_PENDING && flow->constant & FLOW_FROM_SERVER)
		return is_in_charge() ? of_server(skb, scratch, flow) : TC_ACT_UNSPEC;
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
