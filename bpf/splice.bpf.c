// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet path. `splice` sits at the ingress of every interface and rewrites the packets of
 * spliced connections from one leg to the other; `splice_start` makes a connection spliced;
 * `flow_remove` removes those that have ended. The latter two run by BPF_PROG_RUN.
 *
 * The mapping between the legs is constant for the whole life of a connection: client byte i is
 * at the same distance from the first one on both legs, and so is server byte j. A packet that
 * still goes through the sockets and the same packet translated are duplicates to TCP.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "flows.h"
#include "icmp.h"
#include "keep.h"
#include "legs.h"
#include "note.h"
#include "options.h"
#include "shared.h"
#include "splice.h"

/* Added to timestamps, so that none is older than one the socket has sent. */
#define TIMESTAMP_MARGIN 100000000ULL /* nanoseconds */

/* Options to leave out of the SYN to a server, since the client does not have them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct syn_key);
	__type(value, __u32); /* SYN_WITHOUT_* */
} syns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} closed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} removed SEC(".maps");

SHARED_ARRAY(conns, struct conn, 1);

/* ---- the end of a flow ------------------------------------------------------------------- */

/* Where a flow counts. */
struct totals {
	struct frontend_stats *frontend;
	struct route_stats *route;
	struct server_stats *server;
};

/* Copies: what a global function is handed cannot be the key of a lookup before 6.13. */
static __always_inline bool find_totals(const struct flow *flow, struct totals *totals)
{
	__u32 frontend_id = flow->frontend_id, route_id = flow->route_id;
	__u32 server_id = flow->server_id;

	totals->frontend = bpf_map_lookup_elem(&frontend_stats, &frontend_id);
	totals->route = bpf_map_lookup_elem(&route_stats, &route_id);
	totals->server = bpf_map_lookup_elem(&server_stats, &server_id);
	return totals->frontend && totals->route && totals->server;
}

/* Takes the entry of a server's packets from the live connections, once. */
static __always_inline void leave_live(struct flow *flow, const struct totals *totals)
{
	if (__sync_fetch_and_or(&flow->state, FLOW_ENDED) & FLOW_ENDED)
		return;
	__sync_fetch_and_add(&totals->frontend->live, -1ULL);
	__sync_fetch_and_add(&totals->route->live, -1ULL);
	__sync_fetch_and_add(&totals->server->live, -1ULL);
}

/*
 * A connection is live no more when both sides have ended it; its entries stay for a while. One of
 * an earlier daemon is counted when the next one takes it over, maybe at this moment: it leaves
 * with its entry.
 */
GLOBAL_SUBPROGRAM int note_ended(struct flow *flow)
{
	__u32 zero = 0;
	const struct control *state = bpf_map_lookup_elem(&control, &zero);
	struct totals totals;

	if (flow && state && flow->started >= state->began && find_totals(flow, &totals))
		leave_live(flow, &totals);
	return 0;
}

/* An entry that goes hands its counters over. */
static __always_inline void fold(struct flow *flow)
{
	__u32 side = flow->constant & FLOW_FROM_SERVER ? SERVER : CLIENT;
	__u64 bytes = stream_bytes(flow);
	struct totals totals;

	if (!find_totals(flow, &totals))
		return;
	__sync_fetch_and_add(&totals.frontend->bytes[side], bytes);
	__sync_fetch_and_add(&totals.frontend->packets[side], flow->packets);
	__sync_fetch_and_add(&totals.route->bytes[side], bytes);
	__sync_fetch_and_add(&totals.route->packets[side], flow->packets);
	__sync_fetch_and_add(&totals.server->bytes[side], bytes);
	__sync_fetch_and_add(&totals.server->packets[side], flow->packets);
	if (side == CLIENT)
		return;
	leave_live(flow, &totals);
	count(COUNTER_CLOSED);
}

/* ---- packets ----------------------------------------------------------------------------- */

/* The record of a connection that still has sockets; NULL if it has none. */
static __always_inline struct conn *conn_of(const struct flow *flow)
{
	__u32 slot = flow->slot;
	struct conn *conn = bpf_map_lookup_elem(&conns, &slot);

	return conn && conn->serial == flow->serial ? conn : NULL;
}

/* The sockets of the connection have nothing more to wait for on this leg. */
static __always_inline void disown(struct flow *flow)
{
	__u32 side = flow->constant & FLOW_FROM_SERVER ? SERVER : CLIENT;
	struct conn *conn = conn_of(flow);
	struct flow_key peer_key = {};
	struct flow *peer;

	key_of_peer(flow, &peer_key);
	peer = bpf_map_lookup_elem(&flows, &peer_key);
	if (peer)
		__sync_fetch_and_and(&peer->state, ~(FLOW_HOLDS | FLOW_BOUND));

	__sync_fetch_and_and(&flow->state, ~FLOW_OWNED);
	if (conn)
		__sync_fetch_and_and(&conn->owned, ~(1u << side));
}

/*
 * Without a wakeup: the daemon looks at its own pace, and its sweep finds what the ring did not
 * take.
 */
static __always_inline void tell_closed(struct flow *flow, struct flow *peer,
					const struct flow_key *key, const struct flow_key *peer_key)
{
	struct flow_key *keys = bpf_ringbuf_reserve(&closed, 2 * sizeof(*keys), 0);

	note_ended(flow->constant & FLOW_FROM_SERVER ? flow : peer);
	if (!keys)
		return;
	__builtin_memcpy(&keys[SERVER], flow->constant & FLOW_FROM_SERVER ? key : peer_key,
			 sizeof(*key));
	bpf_ringbuf_submit(keys, BPF_RB_NO_WAKEUP);
}

/* The acknowledgement that covers all that came from the flow's sender. */
static __always_inline __u32 sent_by(const struct flow *flow)
{
	return flow->base + (__u32)flow->end + flow->seq_delta;
}

/*
 * An acknowledgement of the peer's FIN, or of bytes that the peer has sent in its place: then
 * somebody else sent the FIN.
 */
GLOBAL_SUBPROGRAM int note_fin_acked(struct flow *flow, const struct flow_key *key, __u32 ack)
{
	struct flow_key peer_key = {};
	struct flow *peer;
	bool were_bytes;

	if (!flow || !key)
		return 0;
	key_of_peer(flow, &peer_key);
	peer = bpf_map_lookup_elem(&flows, &peer_key);
	if (!peer)
		return 0;
	were_bytes = (__s32)(sent_by(peer) - ack) >= 0;
	if (ack != flow->peer_fin || (were_bytes && !(peer->state & FLOW_FIN))) {
		if (!were_bytes)
			return 0;
		__sync_fetch_and_and(&flow->state, ~FLOW_PEER_FIN);
		__sync_fetch_and_and(&peer->state, ~FLOW_FIN);
		return 0;
	}
	__sync_fetch_and_or(&peer->state, FLOW_FIN); /* it came early, see note_fin() */
	note_end(peer, flow->peer_fin - peer->seq_delta);
	if (__sync_fetch_and_or(&flow->state, FLOW_FIN_ACKED) & FLOW_FIN_ACKED)
		return 0;
	if (finished(flow, peer))
		tell_closed(flow, peer, key, &peer_key);
	return 0;
}

/* Notes an acknowledgement. */
static __always_inline void note_ack(struct flow *flow, const struct flow_key *key, __u32 ack)
{
	note_acked(flow, ack);
	if (flow->state & FLOW_OWNED && (__s32)(ack - flow->owned_end) >= 0)
		disown(flow);
	if (acks_fin(flow, ack))
		note_fin_acked(flow, key, ack);
}

/*
 * Notes the FIN of a packet of sequence numbers from `seq` to before `after`. One that follows what
 * came is counted in `end`. One that is ahead of it may be somebody else's: it does not replace one
 * that is counted, and is believed when it is acknowledged.
 */
GLOBAL_SUBPROGRAM int note_fin(struct flow *flow, __u32 seq, __u32 after)
{
	struct flow_key key = {};
	struct flow *peer;
	__u32 end;

	if (!flow)
		return 0;
	end = flow->base + (__u32)flow->end;
	key_of_peer(flow, &key);
	peer = bpf_map_lookup_elem(&flows, &key);
	if (!peer || (__s32)(after - end) <= 0)
		return 0;
	if ((__s32)(seq - end) <= 0)
		__sync_fetch_and_or(&flow->state, FLOW_FIN);
	else if (flow->state & FLOW_FIN)
		return 0;
	peer->peer_fin = after + flow->seq_delta;
	__sync_fetch_and_or(&peer->state, FLOW_PEER_FIN);
	if (flow->state & FLOW_FIN)
		note_end(flow, after);
	else if (seq != after - 1)
		note_end(flow, after - 1);
	return 0;
}

/* ---- whom to believe --------------------------------------------------------------------- */

/*
 * Loss can make either number jump by a whole window. The packet is its sender's if it acknowledges
 * nothing but what the peer has sent, and is within the peer's window, or as far behind it.
 */
static __noinline int is_possible(struct flow *flow, __u32 after, __u32 ack)
{
	struct flow_key peer_key = {};
	struct flow *peer;

	if (!flow)
		return 0;
	key_of_peer(flow, &peer_key);
	peer = bpf_map_lookup_elem(&flows, &peer_key);
	if (!peer)
		return 0;
	if ((__s32)(sent_by(peer) - ack) < 0 &&
	    !(flow->state & FLOW_PEER_FIN && ack == flow->peer_fin))
		return 0;
	return within(after + flow->seq_delta, peer->acked, peer->window + NEAR);
}

/*
 * Is the packet to be taken note of? Everybody can send packets with the addresses of others. Its
 * receiver will look at it, but what is noted here has to last for the connection's life.
 */
static __always_inline bool is_credible(struct flow *flow, __be16 flags, __u32 after, __u32 ack)
{
	if (!(flags & TCP_WORD_ACK))
		return false;
	return is_near(flow, after, ack) || is_possible(flow, after, ack);
}

/* ---- resets and new connections ---------------------------------------------------------- */

/*
 * An RST that its receiver takes: at the next byte it expects, RFC 5961 section 3.2, or at the FIN
 * before that, as macOS sends it and Linux takes it. That is between what it has acknowledged and
 * what was sent; or anywhere in its window while the sockets
 * still move bytes that the program did not see.
 */
static __always_inline bool is_real_reset(const struct flow *flow, const struct flow *peer,
					  __u32 seq)
{
	__u32 ahead = seq + flow->seq_delta - peer->acked;
	__s32 in_flight = flow->base + (__u32)flow->end + flow->seq_delta - peer->acked;

	if (!ahead || (ahead == -1U && flow->state & FLOW_FIN))
		return true;
	if ((flow->state | peer->state) & FLOW_OWNED)
		return ahead <= peer->window;
	return in_flight > 0 && ahead <= (__u32)in_flight;
}

static __always_inline void take_reset(struct flow *flow, struct flow *peer,
				       const struct flow_key *key, const struct flow_key *peer_key)
{
	struct conn *conn;

	flow->reset = bpf_ktime_get_coarse_ns();
	if (!(__sync_fetch_and_or(&peer->state, FLOW_GOT_RESET) & FLOW_GOT_RESET))
		tell_closed(flow, peer, key, peer_key);
	/* Nobody will acknowledge anything any more. */
	if (flow->state & FLOW_OWNED)
		disown(flow);
	if (peer->state & FLOW_OWNED)
		disown(peer);
	conn = conn_of(flow);
	if (conn)
		__sync_fetch_and_or(&conn->owned, OWNED_RESET);
}

GLOBAL_SUBPROGRAM int note_reset(struct flow *flow, const struct flow_key *key, __u32 seq)
{
	struct flow_key peer_key = {};
	struct flow *peer;

	if (!flow || !key)
		return 0;
	key_of_peer(flow, &peer_key);
	peer = bpf_map_lookup_elem(&flows, &peer_key);
	if (!peer)
		return 0;
	if (!is_real_reset(flow, peer, seq)) {
		/*
		 * Another CPU may be at the bytes in front of it, and its receiver may see those
		 * first. If the sender lives, they will be acknowledged, and that takes the RST
		 * back.
		 */
		flow->ahead = seq;
		__sync_fetch_and_or(&flow->state, FLOW_AHEAD);
		if (!is_real_reset(flow, peer, seq))
			return 0;
	}
	take_reset(flow, peer, key, &peer_key);
	return 0;
}

/*
 * A SYN on the tuple of a connection that has ended begins a new one: this entry makes room for it.
 * The other one stays until the sweep, which frees its port.
 */
static __always_inline bool makes_room(struct flow *flow, const struct flow_key *key)
{
	struct flow_key peer_key = {};
	struct flow *peer;

	if (flow->constant & FLOW_FROM_SERVER)
		return false;
	key_of_peer(flow, &peer_key);
	peer = bpf_map_lookup_elem(&flows, &peer_key);
	if (peer && !has_closed(flow, peer))
		return false;
	fold(flow);
	if (peer)
		__sync_fetch_and_or(&peer->state, FLOW_ORPHAN);
	bpf_map_delete_elem(&flows, key);
	return true;
}

enum fate {
	FATE_FORWARD,
	FATE_STACK, /* for the host's stack: a socket, or nobody */
	FATE_ACK,   /* likewise, but far ahead of what the socket has received */
	FATE_DROP,
};

/* Takes note of the bytes and the FIN of a packet. */
static __always_inline void note_stream(struct flow *flow, const struct flow_key *key, __be16 flags,
					__u32 seq, __u32 after)
{
	/* What the other leg's socket sends was noted when it got it. */
	if (after == seq || (flow->state & FLOW_HOLDS && (__s32)(after - flow->held_end) <= 0))
		return;
	if (flags & TCP_WORD_FIN)
		note_fin(flow, seq, after);
	else
		note_end(flow, after);
	if (flow->state & FLOW_AHEAD && after == flow->ahead)
		note_reset(flow, key, after);
}

/* Takes note of a packet that is neither SYN nor RST. */
static __always_inline void note(struct flow *flow, const struct flow_key *key,
				 const struct tcp_words *tcp, __u32 seq, __u32 after)
{
	__u32 ack = bpf_ntohl(tcp->ack), acked = flow->acked;
	__u64 end = flow->end;

	if (!is_credible(flow, tcp->flags, after, ack))
		return;
	/* Not by a late packet: the RST that answers it would be late, too. */
	if (flow->state & FLOW_GOT_RESET && (__s32)(ack - flow->acked) >= 0)
		__sync_fetch_and_and(&flow->state, ~FLOW_GOT_RESET);
	note_ack(flow, key, ack);
	note_window(flow, ack, bpf_ntohs(tcp->window));
	note_stream(flow, key, tcp->flags, seq, after);
	if (flow->acked != acked || flow->end != end || counts_as_use(flow))
		flow->seen = bpf_ktime_get_coarse_ns();
}

/* What becomes of a packet; takes note of it. */
static __always_inline enum fate inspect(struct flow *flow, const struct flow_key *key,
					 const struct tcp_words *tcp, __u32 payload)
{
	__be16 flags = tcp->flags;
	__u32 seq = bpf_ntohl(tcp->seq), ack = bpf_ntohl(tcp->ack);
	__u32 after = seq + payload + (flags & TCP_WORD_FIN ? 1 : 0);
	bool owned;

	if (flow->state & FLOW_PENDING)
		return FATE_STACK; /* as if it had come before the start */
	if (flow->state & FLOW_ORPHAN)
		return FATE_DROP; /* the other entry is another connection's by now */
	if (flags & (TCP_WORD_SYN | TCP_WORD_RST)) {
		if (flags & TCP_WORD_RST)
			note_reset(flow, key, seq);
		else if (!(flags & TCP_WORD_ACK) && makes_room(flow, key))
			return FATE_STACK;
		else if (flags & TCP_WORD_ACK && flow->state & FLOW_OWNED)
			return FATE_STACK; /* the handshake's last ACK was lost */
		__sync_fetch_and_add(&flow->packets, 1);
		return FATE_FORWARD;
	}
	__sync_fetch_and_add(&flow->packets, 1);
	owned = flow->state & FLOW_OWNED;
	note(flow, key, tcp, seq, after);
	/*
	 * The other leg's socket sends these bytes. Its peer must not acknowledge them earlier: the
	 * socket would take no notice, and be stuck.
	 */
	if (after != seq)
		return flow->state & FLOW_HOLDS && (__s32)(after - flow->held_end) <= 0
			       ? FATE_STACK
			       : FATE_FORWARD;
	/* Without it the socket could not send more than an initial window. */
	if (!owned || (__s32)(ack - flow->owned_end) > 0)
		return FATE_FORWARD;
	return seq == flow->held_end ? FATE_STACK : FATE_ACK;
}

/* Less than any window that a leg's socket has announced. */
#define BOUND_AHEAD (16 * 1024)

/*
 * As long as the other leg's socket still sends, what it acknowledges with each packet is what it
 * had received itself. Its peer would take none of them, once it has heard of far more: the packets
 * look like an attack (RFC 5961 section 5), and the socket would repeat them in vain.
 */
static __noinline __u32 bound_ack(struct flow *flow, __u32 ack)
{
	struct flow_key peer_key = {};
	const struct flow *peer;
	__u32 most;

	if (!flow)
		return ack;
	key_of_peer(flow, &peer_key);
	peer = bpf_map_lookup_elem(&flows, &peer_key);
	if (!peer)
		return ack;
	most = peer->held_end + BOUND_AHEAD - flow->ack_delta;
	return (__s32)(ack - most) > 0 ? most : ack;
}

/*
 * As long as the server has said no more than its SYN-ACK, the handshake's last ACK may be under
 * way, and a packet that comes before it has to echo just that time. The server would answer any
 * other one with an ACK (since 6.15: 3ba075278c11), the socket echo the time of that ACK, and be
 * answered in the same way: it takes seconds until they come together. Later the time shall not go
 * back.
 */
static __noinline __u32 bound_echo(struct flow *flow, __u32 echo)
{
	struct flow_key peer_key = {};
	const struct flow *peer;

	if (!flow || flow->state & FLOW_AHEAD || !flow->first_echo)
		return echo;
	key_of_peer(flow, &peer_key);
	peer = bpf_map_lookup_elem(&flows, &peer_key);
	if ((peer && !peer->packets) || (__s32)(flow->first_echo - echo) > 0)
		return flow->first_echo;
	return echo;
}

/* Looks at the packet anew: 6.1 has lost sight of how far it was looked at. */
static __always_inline void replace_echo(struct __sk_buff *skb, struct flow *flow, __u32 offset,
					 __u64 *sum)
{
	__be32 *options = (void *)(long)skb->data + offset;

	if ((void *)(options + 3) > (void *)(long)skb->data_end || *options != OPTIONS_TIMESTAMPS)
		return;
	replace32(&options[2], bpf_htonl(bound_echo(flow, bpf_ntohl(options[2]))), sum);
}

/* Options in an unusual order. Returns what was added to the header's sum. */
GLOBAL_SUBPROGRAM __u32 translate_options_slowly(struct __sk_buff *skb, struct flow *flow,
						 __u32 offset, __u32 len)
{
	struct options o = {.flow = flow, .len = len};
	__u8 before[TCP_OPTIONS_MAX];
	__u32 last = len - 1; /* see hello_collect() */

	OPAQUE(last);
	if (!flow || last >= TCP_OPTIONS_MAX || bpf_skb_load_bytes(skb, offset, o.bytes, last + 1))
		return 0;
	__builtin_memcpy(before, o.bytes, sizeof(before));
	LOOP(TCP_OPTIONS_MAX, option_step, &o);
	if (bpf_skb_store_bytes(skb, offset, o.bytes, last + 1, 0))
		return 0;
	return bpf_csum_diff((__be32 *)before, sizeof(before), (__be32 *)o.bytes, sizeof(before),
			     0);
}

/*
 * The TCP header at `offset`, which has room for `len` bytes of it. Returns false when the packet
 * cannot be translated.
 */
static __always_inline bool translate(struct __sk_buff *skb, struct flow *flow, __u32 offset,
				      __u64 *sum)
{
	void *end = (void *)(long)skb->data_end;
	struct tcp_words *tcp = (void *)(long)skb->data + offset;
	__u32 options;

	if ((void *)(tcp + 1) > end)
		return false;
	options = (bpf_ntohs(tcp->flags) >> 12) * 4 - sizeof(*tcp);
	if (options > TCP_OPTIONS_MAX)
		return false;
	if (!translate_options(tcp->options, options, end, flow, sum)) {
		*sum += translate_options_slowly(skb, flow, offset + sizeof(*tcp), options);
		end = (void *)(long)skb->data_end;
		tcp = (void *)(long)skb->data + offset;
		if ((void *)(tcp + 1) > end)
			return false;
	}
	if (flow->state & FLOW_BOUND) {
		replace32(&tcp->ack, bpf_htonl(bound_ack(flow, bpf_ntohl(tcp->ack))), sum);
		if (options >= 12)
			replace_echo(skb, flow, offset + sizeof(*tcp), sum);
	}
	translate_header(tcp, flow, sum);
	return true;
}

/*
 * The checksum of the TCP header: what changed in the header, and in the addresses. The helper
 * knows of packets whose checksum is left to the hardware.
 */
static __always_inline bool finish_checksum(struct __sk_buff *skb, __u32 offset, __u64 header,
					    __u64 addresses)
{
	offset += __builtin_offsetof(struct tcp_words, check);
	return !bpf_l4_csum_replace(skb, offset, 0, sum_fold32(header), 0) &&
	       !bpf_l4_csum_replace(skb, offset, 0, sum_fold32(addresses), BPF_F_PSEUDO_HDR);
}

/* Is a packet of `size` bytes (each, if it is to be cut into several) too big for the other leg? */
static __always_inline bool too_big(const struct __sk_buff *skb, const struct flow *flow,
				    __u32 size, __u32 headers)
{
	return (skb->gso_size ? skb->gso_size + headers : size) > flow->mtu;
}

static __always_inline int drop(void)
{
	count(COUNTER_SPLICE_DROPPED);
	return TC_ACT_SHOT;
}

/* ---- sockets ----------------------------------------------------------------------------- */

/* What is read of the kernel's sockets; CO-RE finds the members. */
struct net_device___alpnlb {
	int ifindex;
} __attribute__((preserve_access_index));

struct dst_entry___alpnlb {
	struct net_device___alpnlb *dev;
} __attribute__((preserve_access_index));

struct sock___alpnlb {
	struct dst_entry___alpnlb *sk_dst_cache;
} __attribute__((preserve_access_index));

struct inet_connection_sock___alpnlb {
	__u32 icsk_pmtu_cookie;
} __attribute__((preserve_access_index));

struct tcp_options_received___alpnlb {
	__u32 ts_recent;
	__u16 tstamp_ok : 1, sack_ok : 3, snd_wscale : 4, rcv_wscale : 4;
	__u16 mss_clamp;
} __attribute__((preserve_access_index));

struct tcp_sock___alpnlb {
	__u32 tsoffset;
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u32 write_seq;
	__u32 snd_wnd;
	__u16 urg_data;
	__u8 ecn_flags;
	__u8 tcp_usec_ts : 1; /* since 6.7, by a route's feature */
	struct tcp_options_received___alpnlb rx_opt;
} __attribute__((preserve_access_index));

/*
 * What a leg's socket is to send before it goes has to fit into its first congestion window (10,
 * RFC 6928). Beyond that it would depend on acknowledgements of which the other leg gets some.
 */
#define HANDOVER_SEGMENTS 8

#define TCP_ECN_OK	  1
#define TCP_ESTABLISHED	  1

/* One leg, as its socket tells. */
struct leg_state {
	__u32 send;    /* first sequence number the socket itself has not used */
	__u32 receive; /* next sequence number it expects */
	__u32 unread;  /* first one nobody has read */
	__u32 clock;   /* its TSval now, and the margin */
	__u32 recent;  /* its peer's last TSval */
	__u32 window;
	__u32 ifindex;
	__u32 mtu;
	__u32 mss; /* as its peer announced */
	__u8 send_scale, receive_scale;
	__u8 timestamps, sack, ecn;
};

/* What the socket's timestamps count: nanoseconds. */
static __always_inline __u32 timestamp_unit(struct tcp_sock___alpnlb *tcp)
{
	if (bpf_core_field_exists(tcp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD(tcp, tcp_usec_ts))
		return 1000;
	return 1000000;
}

static __always_inline void leg_read(struct tcp_sock___alpnlb *tcp, struct leg_state *leg)
{
	struct dst_entry___alpnlb *dst = ((struct sock___alpnlb *)tcp)->sk_dst_cache;
	struct net_device___alpnlb *device;

	leg->send = tcp->write_seq;
	leg->receive = tcp->rcv_nxt;
	leg->unread = tcp->copied_seq;
	leg->clock = (bpf_ktime_get_ns() + TIMESTAMP_MARGIN) / timestamp_unit(tcp) + tcp->tsoffset;
	leg->recent = tcp->rx_opt.ts_recent;
	leg->window = tcp->snd_wnd;
	leg->mss = tcp->rx_opt.mss_clamp;
	leg->mtu = ((struct inet_connection_sock___alpnlb *)tcp)->icsk_pmtu_cookie;
	leg->send_scale = BPF_CORE_READ_BITFIELD(tcp, rx_opt.snd_wscale);
	leg->receive_scale = BPF_CORE_READ_BITFIELD(tcp, rx_opt.rcv_wscale);
	leg->timestamps = BPF_CORE_READ_BITFIELD(tcp, rx_opt.tstamp_ok);
	leg->sack = BPF_CORE_READ_BITFIELD(tcp, rx_opt.sack_ok) != 0;
	leg->ecn = tcp->ecn_flags & TCP_ECN_OK;
	leg->ifindex = 0;
	if (!dst)
		return;
	device = dst->dev;
	if (device)
		leg->ifindex = device->ifindex;
}

/* Finds the socket that gets the packets of `key`. SPLICE_STARTED when it can be spliced. */
static __noinline enum splice_result leg_find(struct __sk_buff *skb, const struct flow_key *key,
					      struct leg_state *leg)
{
	enum splice_result result = SPLICE_NO_SOCKET;
	struct tcp_sock___alpnlb *tcp;
	struct bpf_sock *sk;

	if (!key || !leg)
		return result;
	sk = leg_socket(skb, key);
	if (!sk)
		return result;
	tcp = (void *)bpf_skc_to_tcp_sock(sk);
	if (tcp) {
		leg_read(tcp, leg);
		result = sk->state != TCP_ESTABLISHED ? SPLICE_ENDED
			 : tcp->urg_data	      ? SPLICE_URGENT
						      : SPLICE_STARTED;
	}
	bpf_sk_release(sk);
	return result;
}

/*
 * An acknowledgement for a leg's socket, from a peer whose own data goes past it: its sequence
 * number may be beyond the socket's window, and it would not be looked at (RFC 9293
 * section 3.10.7.4).
 */
static __noinline int acknowledge(struct __sk_buff *skb, const struct flow_key *key, __u32 offset)
{
	const __u32 at = offset + __builtin_offsetof(struct tcp_words, seq);
	const __u32 check = offset + __builtin_offsetof(struct tcp_words, check);
	struct leg_state leg = {};
	__be32 seq, expected;

	if (leg_find(skb, key, &leg) == SPLICE_NO_SOCKET || bpf_skb_load_bytes(skb, at, &seq, 4))
		return TC_ACT_UNSPEC;
	expected = bpf_htonl(leg.receive);
	if (bpf_l4_csum_replace(skb, check, seq, expected, sizeof(seq)) ||
	    bpf_skb_store_bytes(skb, at, &expected, sizeof(expected), 0))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

/* ---- packets that are too big ------------------------------------------------------------ */

/* A router's word about a packet that was moved from one leg to the other. */
static __noinline int forward_icmp_v4(struct __sk_buff *skb)
{
	const __u32 size = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct quoted_v4);
	struct flow_key key = {};
	__u64 sum = 0;
	struct quoted_v4 *quoted;
	struct iphdr *ip;
	struct flow *flow;
	void *data;

	if (bpf_skb_pull_data(skb, size))
		return TC_ACT_UNSPEC;
	data = (void *)(long)skb->data;
	ip = data + ETH_HLEN;
	quoted = (void *)(ip + 1);
	if ((void *)(quoted + 1) > (void *)(long)skb->data_end || ip->ihl != 5 ||
	    quoted->icmp.type != ICMP_DEST_UNREACH || quoted->icmp.code != ICMP_FRAG_NEEDED ||
	    quoted->ip.protocol != IPPROTO_TCP || quoted->ip.ihl != 5)
		return TC_ACT_UNSPEC;
	map_v4(key.source, quoted->ip.daddr);
	map_v4(key.destination, quoted->ip.saddr);
	key_of_quoted_ports(&key, quoted->ports);
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow || quotes_socket(flow, quoted->seq))
		return TC_ACT_UNSPEC;
	readdress_v4(ip, flow->source, flow->destination);
	/* What changes in a header and in its checksum has no effect on the sum over both. */
	readdress_v4(&quoted->ip, flow->destination, flow->source);
	restore_quoted_tcp(&quoted->ports, &quoted->seq, flow, &sum);
	quoted->icmp.checksum = ~sum_fold16(sum + (__u16)~quoted->icmp.checksum);
	return bpf_redirect_neigh(flow->ifindex, NULL, 0, 0);
}

static __noinline int forward_icmp_v6(struct __sk_buff *skb)
{
	const __u32 size = ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct quoted_v6);
	struct quoted_v6 *quoted;
	struct flow_key key;
	struct ipv6hdr *ip;
	struct flow *flow;
	__u64 sum = 0;
	void *data;

	if (bpf_skb_pull_data(skb, size))
		return TC_ACT_UNSPEC;
	data = (void *)(long)skb->data;
	ip = data + ETH_HLEN;
	quoted = (void *)(ip + 1);
	if ((void *)(quoted + 1) > (void *)(long)skb->data_end ||
	    quoted->icmp.type != ICMPV6_PKT_TOOBIG || quoted->ip.nexthdr != IPPROTO_TCP)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(key.source, &quoted->ip.daddr, sizeof(key.source));
	__builtin_memcpy(key.destination, &quoted->ip.saddr, sizeof(key.destination));
	key_of_quoted_ports(&key, quoted->ports);
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow || quotes_socket(flow, quoted->seq))
		return TC_ACT_UNSPEC;
	replace_v6(&ip->saddr, flow->source, &sum); /* they are in the pseudo header */
	replace_v6(&ip->daddr, flow->destination, &sum);
	replace_v6(&quoted->ip.saddr, flow->destination, &sum);
	replace_v6(&quoted->ip.daddr, flow->source, &sum);
	restore_quoted_tcp(&quoted->ports, &quoted->seq, flow, &sum);
	quoted->icmp.checksum = ~sum_fold16(sum + (__u16)~quoted->icmp.checksum);
	return bpf_redirect_neigh(flow->ifindex, NULL, 0, 0);
}

/* Cuts the packet to its headers, and makes room for others in front of them. */
static __always_inline bool make_quote(struct __sk_buff *skb, __u32 quoted, __u32 room)
{
	return !bpf_skb_change_tail(skb, ETH_HLEN + quoted, 0) &&
	       !bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, 0);
}

/* Tells the sender of a packet what the other leg takes. */
static __noinline int answer_too_big_v4(struct __sk_buff *skb, __u32 mtu)
{
	struct {
		struct iphdr ip;
		struct icmp_error icmp;
		struct iphdr quoted_ip;
		struct tcp_words quoted_tcp;
	} answer = {};
	const __u32 quoted = sizeof(answer.quoted_ip) + sizeof(answer.quoted_tcp);
	const __u32 room = sizeof(answer.ip) + sizeof(answer.icmp);

	count(COUNTER_SPLICE_TOO_BIG);
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &answer.quoted_ip, quoted) ||
	    answer.quoted_ip.ihl != 5 || !(answer.quoted_ip.frag_off & IP_DONT_FRAGMENT) ||
	    !make_quote(skb, quoted, room))
		return TC_ACT_SHOT;
	answer.ip.version = 4;
	answer.ip.ihl = sizeof(answer.ip) / 4;
	answer.ip.tot_len = bpf_htons(sizeof(answer));
	answer.ip.ttl = ICMP_TTL;
	answer.ip.protocol = IPPROTO_ICMP;
	answer.ip.saddr = answer.quoted_ip.daddr;
	answer.ip.daddr = answer.quoted_ip.saddr;
	answer.ip.check =
		~sum_fold16(bpf_csum_diff(NULL, 0, (__be32 *)&answer.ip, sizeof(answer.ip), 0));
	answer.icmp.type = ICMP_DEST_UNREACH;
	answer.icmp.code = ICMP_FRAG_NEEDED;
	answer.icmp.mtu = bpf_htons(mtu);
	answer.icmp.checksum = ~sum_fold16(
		bpf_csum_diff(NULL, 0, (__be32 *)&answer.icmp, sizeof(answer.icmp) + quoted, 0));
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &answer, sizeof(answer), 0))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

static __noinline int answer_too_big_v6(struct __sk_buff *skb, __u32 mtu)
{
	struct {
		struct ipv6hdr ip;
		struct icmp_error icmp;
		struct ipv6hdr quoted_ip;
		struct tcp_words quoted_tcp;
	} answer = {};
	const __u32 quoted = sizeof(answer.quoted_ip) + sizeof(answer.quoted_tcp);
	const __u32 room = sizeof(answer.ip) + sizeof(answer.icmp);
	__u64 sum;

	count(COUNTER_SPLICE_TOO_BIG);
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &answer.quoted_ip, quoted) ||
	    !make_quote(skb, quoted, room))
		return TC_ACT_SHOT;
	answer.ip.version = 6;
	answer.ip.payload_len = bpf_htons(sizeof(answer.icmp) + quoted);
	answer.ip.nexthdr = IPPROTO_ICMPV6;
	answer.ip.hop_limit = ICMP_TTL;
	answer.ip.saddr = answer.quoted_ip.daddr;
	answer.ip.daddr = answer.quoted_ip.saddr;
	answer.icmp.type = ICMPV6_PKT_TOOBIG;
	answer.icmp.mtu = bpf_htons(mtu);
	/* The pseudo header, RFC 8200 section 8.1: addresses, length, next header. */
	sum = answer.ip.payload_len + bpf_htons(IPPROTO_ICMPV6);
	sum += (__u32)bpf_csum_diff(NULL, 0, (__be32 *)&answer.ip.saddr, 32, 0);
	sum += (__u32)bpf_csum_diff(NULL, 0, (__be32 *)&answer.icmp, sizeof(answer.icmp) + quoted,
				    0);
	answer.icmp.checksum = ~sum_fold16(sum);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &answer, sizeof(answer), 0))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

/* ---- unusual IP headers ------------------------------------------------------------------ */

/* Extension headers that are looked behind; a packet with more is the host's. */
#define EXTENSIONS_MAX 6

#define AT_FRAGMENT    (1U << 31)

/* Where a TCP header can be. */
#define OFFSET_MAX (ETH_HLEN + sizeof(struct ipv6hdr) + EXTENSIONS_MAX * 8 * 256)

/* Of the hop-by-hop header that only has it, as Linux makes it. RFC 2675 section 2. */
#define JUMBO_SIZE 8

/* The first 4 bytes of all of them, RFC 8200 section 4. */
struct extension {
	__u8 next, length;
	__be16 more; /* fragment header: its offset; routing header: type and segments left */
};

#define FRAGMENT_OFFSET bpf_htons(0xfff8)
#define SEGMENTS_LEFT	bpf_htons(0x00ff)

/*
 * Where the TCP header is behind extension headers that a receiver looks behind, or 0: it is not
 * TCP, or not the first fragment of it, of which the host makes nothing. With AT_FRAGMENT, if it is
 * the first.
 */
static __noinline __u32 tcp_behind_extensions(struct __sk_buff *skb)
{
	__u32 offset = ETH_HLEN + sizeof(struct ipv6hdr), fragment = 0;
	struct extension header;
	__u8 next;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + __builtin_offsetof(struct ipv6hdr, nexthdr), &next,
			       sizeof(next)))
		return 0;
	for (int i = 0; i < EXTENSIONS_MAX && next != IPPROTO_TCP; i++) {
		__u32 size = 8;

		if (bpf_skb_load_bytes(skb, offset, &header, sizeof(header)))
			return 0;
		if (next == IPPROTO_FRAGMENT)
			fragment = AT_FRAGMENT;
		else if (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS ||
			 next == IPPROTO_ROUTING)
			size += header.length * 8;
		else
			return 0;
		if ((next == IPPROTO_FRAGMENT && header.more & FRAGMENT_OFFSET) ||
		    (next == IPPROTO_ROUTING && header.more & SEGMENTS_LEFT))
			return 0;
		offset += size;
		next = header.next;
	}
	return next == IPPROTO_TCP ? offset | fragment : 0;
}

/*
 * The host's stack would put the fragments together, and answer for a spliced connection. Without
 * the first one it cannot.
 */
static __noinline int first_fragment(struct __sk_buff *skb, struct flow_key *key, __u32 offset)
{
	__be32 ports;

	if (!key || bpf_skb_load_bytes(skb, offset, &ports, sizeof(ports)))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(&key->source_port, &ports, sizeof(ports));
	return bpf_map_lookup_elem(&flows, key) ? drop() : TC_ACT_UNSPEC;
}

/* ---- the packets of a leg ---------------------------------------------------------------- */

/* One that does not go to the other leg. */
static __always_inline int keep(struct __sk_buff *skb, const struct flow_key *key, __u32 offset,
				enum fate fate)
{
	if (fate == FATE_STACK)
		return TC_ACT_UNSPEC;
	return fate == FATE_ACK ? acknowledge(skb, key, offset) : drop();
}

static __always_inline int splice_v4(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct flow_key key = {};
	__u64 sum = 0, addresses = 0;
	__u32 offset, size, header;
	struct tcp_words *tcp;
	struct flow *flow;
	enum fate fate;

	if ((void *)(ip + 1) > end || ip->ihl < 5)
		return TC_ACT_UNSPEC;
	if (ip->protocol == IPPROTO_ICMP)
		return forward_icmp_v4(skb);
	if (ip->protocol != IPPROTO_TCP)
		return TC_ACT_UNSPEC;
	offset = ETH_HLEN + ip->ihl * 4;
	map_v4(key.source, ip->saddr);
	map_v4(key.destination, ip->daddr);
	if (ip->frag_off & IP_FRAGMENT)
		return ip->frag_off & IP_OFFSET ? TC_ACT_UNSPEC : first_fragment(skb, &key, offset);
	if (ip->ihl > 5) {
		if (bpf_skb_pull_data(skb, MIN(skb->len, offset + TCP_HEADER_MAX)))
			return TC_ACT_UNSPEC;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		ip = data + ETH_HLEN;
		if ((void *)(ip + 1) > end)
			return TC_ACT_UNSPEC;
	}
	tcp = data + offset;
	if ((void *)(tcp + 1) > end)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(&key.source_port, &tcp->ports, sizeof(tcp->ports));
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow)
		return TC_ACT_UNSPEC;
	if (ip->ttl <= 1 || lost_mark(flow, ip->tos))
		return drop();
	size = ip->tot_len ? bpf_ntohs(ip->tot_len) : skb->len - ETH_HLEN;
	header = offset - ETH_HLEN + (bpf_ntohs(tcp->flags) >> 12) * 4;
	if (size < header)
		return drop();
	fate = inspect(flow, &key, tcp, size - header);
	if (fate != FATE_FORWARD)
		return keep(skb, &key, offset, fate);
	if (too_big(skb, flow, size, header))
		return answer_too_big_v4(skb, flow->mtu);

	translate_v4(ip, flow, &addresses);
	if (!translate(skb, flow, offset, &sum) || !finish_checksum(skb, offset, sum, addresses))
		return drop();
	return bpf_redirect_neigh(flow->ifindex, NULL, 0, 0);
}

static __always_inline int splice_v6(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip = data + ETH_HLEN;
	__u32 offset = ETH_HLEN + sizeof(*ip), fragment = 0, jumbo = 0;
	struct flow_key key;
	__u64 sum = 0, addresses = 0;
	struct tcp_words *tcp;
	__u32 size, header;
	struct flow *flow;
	enum fate fate;

	if ((void *)(ip + 1) > end)
		return TC_ACT_UNSPEC;
	if (ip->nexthdr == IPPROTO_ICMPV6)
		return forward_icmp_v6(skb);
	if (ip->nexthdr != IPPROTO_TCP) {
		offset = tcp_behind_extensions(skb);
		fragment = offset & AT_FRAGMENT;
		offset &= ~AT_FRAGMENT;
		if (!offset || offset > OFFSET_MAX ||
		    bpf_skb_pull_data(skb, MIN(skb->len, offset + TCP_HEADER_MAX)))
			return TC_ACT_UNSPEC;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		ip = data + ETH_HLEN;
		if ((void *)(ip + 1) > end)
			return TC_ACT_UNSPEC;
		/* The jumbo payload option goes when the packet is cut into segments. */
		jumbo = ip->payload_len ? 0 : JUMBO_SIZE;
	}
	__builtin_memcpy(key.source, &ip->saddr, sizeof(key.source));
	__builtin_memcpy(key.destination, &ip->daddr, sizeof(key.destination));
	if (fragment)
		return first_fragment(skb, &key, offset);
	/* Kernels before 6.18 have forgotten the bound by now. */
	barrier_var(offset);
	if (offset > OFFSET_MAX)
		return TC_ACT_UNSPEC;
	tcp = data + offset;
	if ((void *)(tcp + 1) > end)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(&key.source_port, &tcp->ports, sizeof(tcp->ports));
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow)
		return TC_ACT_UNSPEC;
	if (ip->hop_limit <= 1 || lost_mark(flow, ip->flow_lbl[0] >> 4))
		return drop();
	size = ip->payload_len ? sizeof(*ip) + bpf_ntohs(ip->payload_len) : skb->len - ETH_HLEN;
	header = offset - ETH_HLEN + (bpf_ntohs(tcp->flags) >> 12) * 4;
	if (size < header)
		return drop();
	fate = inspect(flow, &key, tcp, size - header);
	if (fate != FATE_FORWARD)
		return keep(skb, &key, offset, fate);
	if (too_big(skb, flow, size, header - jumbo))
		return answer_too_big_v6(skb, flow->mtu);

	translate_v6(ip, flow, &addresses);
	if (!translate(skb, flow, offset, &sum) || !finish_checksum(skb, offset, sum, addresses))
		return drop();
	return bpf_redirect_neigh(flow->ifindex, NULL, 0, 0);
}

/*
 * From 6.9 on generic XDP makes a copy of a packet that lacks room in front, which does not know
 * the size of its link-layer header (mac_len, seen on 6.18): programs here get it from its IP
 * header on. Puts the Ethernet header back; 0 if the packet begins with it.
 */
static __noinline int restore_ethernet(struct __sk_buff *skb)
{
	__u64 ethernet[2] = {}, first[2] = {};

	if (bpf_skb_load_bytes_relative(skb, 0, ethernet, ETH_HLEN, BPF_HDR_START_MAC) ||
	    bpf_skb_load_bytes(skb, 0, first, ETH_HLEN))
		return -EINVAL;
	if (ethernet[0] == first[0] && ethernet[1] == first[1])
		return 0;
	return bpf_skb_change_head(skb, ETH_HLEN, 0) ||
	       bpf_skb_store_bytes(skb, 0, ethernet, ETH_HLEN, 0);
}

/* A source address may read as the type: the first byte is that of an IP header then, too. */
static __always_inline bool has_ethernet(struct __sk_buff *skb)
{
	struct ethhdr *ethernet = (void *)(long)skb->data;

	if ((void *)(ethernet + 1) > (void *)(long)skb->data_end)
		return false;
	return ethernet->h_proto == skb->protocol &&
	       ethernet->h_dest[0] >> 4 != (skb->protocol == bpf_htons(ETH_P_IP) ? 4 : 6);
}

SEC("tc")
int splice(struct __sk_buff *skb)
{
	__u32 headers = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcp_words);

	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_UNSPEC;
	/* Another host's, which a switch floods or a sniffer wants; it has its own way there. */
	if (skb->pkt_type == PACKET_OTHERHOST)
		return TC_ACT_UNSPEC;
	/* It comes by again, at the interface of its VLAN, and without the tag. */
	if (skb->vlan_present)
		return TC_ACT_UNSPEC;
	if (!has_ethernet(skb) && restore_ethernet(skb))
		return TC_ACT_UNSPEC;
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		headers += sizeof(struct ipv6hdr) - sizeof(struct iphdr);
	if ((void *)(long)skb->data + headers > (void *)(long)skb->data_end)
		bpf_skb_pull_data(skb, MIN(skb->len, headers + TCP_OPTIONS_MAX));
	return skb->protocol == bpf_htons(ETH_P_IP) ? splice_v4(skb) : splice_v6(skb);
}

/* ---- the server leg's SYN ---------------------------------------------------------------- */

/* Turns options into padding. */
static __noinline int strip_options(struct __sk_buff *skb, __u32 offset, __u32 len, __u32 without)
{
	struct options o = {.len = len, .without = without};
	__u8 before[TCP_OPTIONS_MAX];
	__u32 diff;

	if (len < 4 || len > TCP_OPTIONS_MAX || bpf_skb_load_bytes(skb, offset, o.bytes, len))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(before, o.bytes, sizeof(before));
	LOOP(TCP_OPTIONS_MAX, strip_step, &o);
	diff = bpf_csum_diff((__be32 *)before, sizeof(before), (__be32 *)o.bytes, sizeof(before),
			     0);
	if (bpf_skb_store_bytes(skb, offset, o.bytes, len, 0) ||
	    bpf_l4_csum_replace(skb,
				offset - sizeof(struct tcp_words) +
					__builtin_offsetof(struct tcp_words, check),
				0, diff, 0))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

static __always_inline int look_at_syn(struct __sk_buff *skb, __u32 offset, struct syn_key *key)
{
	struct tcp_words *tcp = (void *)(long)skb->data + offset;
	const __u32 *without;
	__be32 ports;

	if ((void *)(tcp + 1) > (void *)(long)skb->data_end ||
	    (tcp->flags & (TCP_WORD_SYN | TCP_WORD_ACK)) != TCP_WORD_SYN)
		return TC_ACT_UNSPEC;
	ports = tcp->ports;
	__builtin_memcpy(&key->source_port, &ports, sizeof(ports));
	without = bpf_map_lookup_elem(&syns, key);
	if (!without)
		return TC_ACT_UNSPEC;
	return strip_options(skb, offset + sizeof(*tcp),
			     (bpf_ntohs(tcp->flags) >> 12) * 4 - sizeof(*tcp), *without);
}

/* At the egress of every interface, once a client came without an option. */
SEC("tc")
int splice_syn(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct syn_key key = {};

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + ETH_HLEN;

		if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP || ip->ihl != 5)
			return TC_ACT_UNSPEC;
		map_v4(key.server, ip->daddr);
		return look_at_syn(skb, ETH_HLEN + sizeof(*ip), &key);
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = data + ETH_HLEN;

		if ((void *)(ip + 1) > end || ip->nexthdr != IPPROTO_TCP)
			return TC_ACT_UNSPEC;
		__builtin_memcpy(key.server, &ip->daddr, sizeof(key.server));
		return look_at_syn(skb, ETH_HLEN + sizeof(*ip), &key);
	}
	return TC_ACT_UNSPEC;
}

/* ---- the start of a flow ----------------------------------------------------------------- */

static __always_inline enum splice_result legs_agree(const struct leg_state *client,
						     const struct leg_state *server)
{
	if (client->timestamps != server->timestamps)
		return SPLICE_TIMESTAMPS;
	if (client->sack != server->sack)
		return SPLICE_SACK;
	if (client->ifindex == LOOPBACK_IFINDEX)
		return SPLICE_LOCAL;
	if (!bpf_map_lookup_elem(&interfaces, &client->ifindex) ||
	    !bpf_map_lookup_elem(&interfaces, &server->ifindex))
		return SPLICE_INTERFACE;
	return SPLICE_STARTED;
}

/* What both entries have in common; `peer` is the leg that the packets are moved to. */
static __always_inline void flow_init(struct flow *flow, const struct splice_request *request,
				      const struct flow_key *peer_key, const struct leg_state *leg,
				      const struct leg_state *peer)
{
	__u32 headers;

	__builtin_memset(flow, 0, sizeof(*flow));
	__builtin_memcpy(flow->source, peer_key->destination, sizeof(flow->source));
	__builtin_memcpy(flow->destination, peer_key->source, sizeof(flow->destination));
	flow->source_port = peer_key->destination_port;
	flow->destination_port = peer_key->source_port;
	flow->ifindex = peer->ifindex;
	/* A receiver may take less than the way to it does: the link beyond may be smaller. */
	headers = sizeof(struct tcp_words) +
		  (is_v4(peer_key->source) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	flow->mtu = MIN(MIN(peer->mtu, peer->mss + headers), 0xffff);
	flow->tsval_delta = peer->clock - leg->recent;
	flow->tsecr_delta = peer->recent - leg->clock;
	flow->window_scale = leg->send_scale;
	flow->other_scale = peer->receive_scale;
	flow->constant = (leg->timestamps ? FLOW_TIMESTAMPS : 0) |
			 (leg->ecn && peer->ecn ? 0 : FLOW_CLEAR_ECN);
	flow->held_end = leg->receive;
	flow->acked = leg->send;
	flow->window = leg->window;
	flow->seen = bpf_ktime_get_coarse_ns();
	flow->started = request->started;
	flow->slot = request->slot;
	flow->serial = request->serial;
	flow->frontend_id = request->frontend_id;
	flow->route_id = request->route_id;
	flow->farm_id = request->farm_id;
	flow->server_id = request->server_id;
	flow->idle_timeout = request->idle_timeout;
	flow->half_close_timeout = request->half_close_timeout;
}

static __always_inline enum splice_result why_not_inserted(long err)
{
	return err == -EEXIST ? SPLICE_EXISTS : SPLICE_FULL;
}

/*
 * Nobody reads from a leg or writes to one meanwhile, so what the sockets have sent cannot change;
 * how much that is of either stream is known to the caller. What was moved is counted already, and
 * the flow counts from there.
 */
static __noinline int flows_insert(struct splice_request *request, struct leg_state *client,
				   struct leg_state *server)
{
	struct flow flow, *pending;
	__u32 start, first; /* the client's byte that the flow begins with, on either leg */
	long err;

	if (!request || !client || !server)
		return SPLICE_NO_SOCKET;
	start = request->has_start ? request->start : client->unread - request->taken;
	if (request->moved)
		start += request->taken;
	first = server->send + (request->moved ? 0 : request->prefix);
	request->waiting = client->receive - start;
	if (request->waiting + (first - server->send) > HANDOVER_SEGMENTS * server->mss ||
	    server->receive - server->unread > HANDOVER_SEGMENTS * client->mss)
		return SPLICE_BEHIND;

	flow_init(&flow, request, &request->server, client, server);
	flow.base = start;
	flow.end = request->waiting;
	flow.seq_delta = first - start;
	flow.ack_delta = server->unread - client->send;
	flow.first_echo = server->recent;
	flow.state = FLOW_PENDING | FLOW_BOUND | (flow.end ? FLOW_HOLDS : 0);
	err = bpf_map_update_elem(&flows, &request->client, &flow, BPF_NOEXIST);
	if (err)
		return why_not_inserted(err);

	flow_init(&flow, request, &request->client, server, client);
	flow.constant |= FLOW_FROM_SERVER;
	flow.base = server->unread;
	flow.seq_delta = client->send - server->unread;
	flow.ack_delta = start - first;
	flow.owned_end = first + request->waiting;
	flow.end = server->receive - server->unread;
	flow.state = flow.end ? FLOW_HOLDS : 0;
	/*
	 * Nor can the socket go before the server has said a word: the handshake's last ACK may be
	 * lost, and the one that answers its SYN again is not the client's to send.
	 */
	if (flow.owned_end != server->send || (!request->moved && !flow.end))
		flow.state |= FLOW_OWNED;
	else
		disown(&flow);
	pending = bpf_map_lookup_elem(&flows, &request->client);
	err = pending ? bpf_map_update_elem(&flows, &request->server, &flow, BPF_NOEXIST) : 0;
	if (!pending || err) {
		bpf_map_delete_elem(&flows, &request->client);
		return why_not_inserted(err);
	}
	__sync_fetch_and_and(&pending->state, ~FLOW_PENDING);
	return SPLICE_STARTED;
}

/* What the client said outlives the connection's slot, if there is room for it. */
static __noinline int keep_hello(const struct splice_request *request)
{
	struct keeping keeping = {};
	const struct conn *conn;

	if (!request)
		return 0;
	conn = bpf_map_lookup_elem(&conns, &request->slot);
	if (!conn || conn->serial != request->serial)
		return 0;
	hello_keep(&keeping, conn);
	bpf_map_update_elem(&hellos, &request->server, &keeping.kept, BPF_ANY);
	return 0;
}

static __always_inline enum splice_result start(struct __sk_buff *skb,
						struct splice_request *request)
{
	struct leg_state client = {}, server = {};
	enum splice_result result;

	result = leg_find(skb, &request->client, &client);
	if (result == SPLICE_STARTED)
		result = leg_find(skb, &request->server, &server);
	if (result == SPLICE_STARTED)
		result = legs_agree(&client, &server);
	if (result == SPLICE_STARTED)
		result = flows_insert(request, &client, &server);
	if (result == SPLICE_STARTED)
		keep_hello(request);
	return result;
}

SEC("tc")
int splice_start(struct __sk_buff *skb)
{
	struct splice_request request;

	if (bpf_skb_load_bytes(skb, 0, &request, sizeof(request)))
		return TC_ACT_SHOT;
	request.result = start(skb, &request);
	bpf_skb_store_bytes(skb, 0, &request, sizeof(request), 0);
	return TC_ACT_OK;
}

/* The other leg's socket has sent more, and waits for its acknowledgement. */
static __always_inline bool extend(const struct extend_request *request)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, &request->key), *peer;
	struct flow_key peer_key = {};
	struct conn *conn;
	__u32 after, side;

	if (!flow)
		return false;
	key_of_peer(flow, &peer_key);
	peer = bpf_map_lookup_elem(&flows, &peer_key);
	conn = conn_of(flow);
	if (!peer || !conn)
		return false;
	after = flow->base + (__u32)request->bytes;
	note_end(flow, after);
	after += request->fin ? 1 : 0;
	if (request->fin)
		note_fin(flow, after - 1, after);
	side = peer->constant & FLOW_FROM_SERVER ? SERVER : CLIENT;
	peer->owned_end = after + flow->seq_delta;
	__sync_fetch_and_or(&conn->owned, 1u << side);
	__sync_fetch_and_or(&peer->state, FLOW_OWNED);
	__sync_fetch_and_or(&flow->state, FLOW_BOUND);
	/* It may have been acknowledged already, or never will be. */
	note_ack(peer, &peer_key, peer->acked);
	if (has_closed(flow, peer))
		disown(peer);
	return true;
}

SEC("tc")
int splice_extend(struct __sk_buff *skb)
{
	struct extend_request request;

	if (bpf_skb_load_bytes(skb, 0, &request, sizeof(request)) || !extend(&request))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* ---- another way out --------------------------------------------------------------------- */

SEC("tc")
int flow_move(struct __sk_buff *skb)
{
	struct move_request request;
	struct flow *flow;

	if (bpf_skb_load_bytes(skb, 0, &request, sizeof(request)))
		return TC_ACT_SHOT;
	flow = bpf_map_lookup_elem(&flows, &request.key);
	/* Without the program there the way back would be another one. */
	if (!flow || !bpf_map_lookup_elem(&interfaces, &request.ifindex))
		return TC_ACT_SHOT;
	if (request.mtu < flow->mtu)
		flow->mtu = request.mtu;
	flow->ifindex = request.ifindex;
	return TC_ACT_OK;
}

/* ---- the end of a flow, asked for by the daemon ------------------------------------------- */

static __always_inline enum flow_end why_ended(const struct flow *server, const struct flow *client)
{
	/* First: an acknowledgement that comes after the socket is gone is answered by an RST. */
	if (finished(server, client))
		return FLOW_END_CLOSED;
	if (was_reset(server))
		return FLOW_END_CLIENT_RESET;
	if (was_reset(client))
		return FLOW_END_SERVER_RESET;
	return expires_half_closed(server, client) ? FLOW_END_HALF_CLOSED : FLOW_END_IDLE;
}

static __always_inline void count_end(enum flow_end end)
{
	if (end == FLOW_END_CLIENT_RESET)
		count(COUNTER_CLIENT_RESETS);
	else if (end == FLOW_END_SERVER_RESET)
		count(COUNTER_SERVER_RESETS);
	else if (end == FLOW_END_IDLE)
		count(COUNTER_IDLE_TIMEOUTS);
	else if (end == FLOW_END_HALF_CLOSED)
		count(COUNTER_HALF_CLOSE_TIMEOUTS);
	else if (end == FLOW_END_COUNTER + COUNTER_DELETED)
		count(COUNTER_DELETED);
}

/* What the log tells of the connection. */
static __always_inline void tell_end(struct flow_event *event, const struct flow_key *key,
				     const struct flow *flow, const struct flow *peer)
{
	const struct flow_hello *hello = bpf_map_lookup_elem(&hellos, key);

	event->farm_id = flow->farm_id;
	event->serial = flow->serial;
	event->started = flow->started;
	event->seen = peer && peer->seen > flow->seen ? peer->seen : flow->seen;
	event->bytes[SERVER] = stream_bytes(flow);
	event->bytes[CLIENT] = peer ? stream_bytes(peer) : 0;
	event->has_hello = !!hello;
	if (hello)
		event->hello = *hello;
}

/* Removes both entries; what the ring does not take stays for the next time. */
static __always_inline bool remove_entries(const struct flow_key *key, struct flow *flow,
					   const struct flow_key *peer_key, struct flow *peer,
					   enum flow_end end)
{
	struct flow_event *event = bpf_ringbuf_reserve(&removed, sizeof(*event), 0);

	if (!event)
		return false;
	__builtin_memcpy(&event->key[SERVER], key, sizeof(*key));
	__builtin_memcpy(&event->key[CLIENT], peer_key, sizeof(*key));
	event->expects[SERVER] = flow->acked;
	event->expects[CLIENT] = peer ? peer->acked : 0;
	event->end = end;
	event->frontend_id = flow->frontend_id;
	event->route_id = flow->route_id;
	event->server_id = flow->server_id;
	event->was_live = !(flow->state & FLOW_ENDED);
	tell_end(event, key, flow, peer);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	count_end(end);
	if (peer) {
		fold(peer);
		bpf_map_delete_elem(&flows, peer_key);
	}
	fold(flow);
	bpf_map_delete_elem(&hellos, key); /* first: then the key may be another connection's */
	bpf_map_delete_elem(&flows, key);
	return true;
}

/* Do its sockets still exist? */
static __always_inline bool has_sockets(const struct flow *flow)
{
	const struct conn *conn = conn_of(flow);

	return conn && conn->state == CONN_SPLICING;
}

/* The program that opens connections has left it, if it is so old: it was never counted. */
static __always_inline int drop_pending(const struct flow_key *key, const struct flow *flow)
{
	return bpf_ktime_get_ns() >= flow_expires(flow, NULL) && !bpf_map_delete_elem(&flows, key);
}

/* Removes a flow, known by its server leg, if it has ended. */
static __noinline int try_remove(const struct flow_key *key, struct flow *flow, __u32 force)
{
	enum flow_end end = FLOW_END_CLOSED;
	struct flow_key peer_key = {};
	struct flow *peer = NULL;

	if (!key || !flow || has_sockets(flow))
		return 0;
	key_of_peer(flow, &peer_key);
	if (!(flow->state & FLOW_ORPHAN))
		peer = bpf_map_lookup_elem(&flows, &peer_key);
	if (flow->state & FLOW_PENDING && !peer)
		return drop_pending(key, flow);
	if (!force && bpf_ktime_get_ns() < flow_expires(flow, peer))
		return 0;
	if (force && force < FLOW_END_COUNTER)
		force = FLOW_END_FORCED;
	if (peer)
		end = force && !has_closed(flow, peer) ? force : why_ended(flow, peer);
	else if (was_reset(flow))
		end = FLOW_END_CLIENT_RESET;
	return remove_entries(key, flow, &peer_key, peer, end);
}

struct removal {
	struct __sk_buff *skb;
	__u32 force;
};

#define REMOVE_AT(member) __builtin_offsetof(struct remove_request, member)

static long remove_step(__u32 index, void *context)
{
	struct removal *removal = context;
	struct flow_key key;
	struct flow *flow;
	__u32 gone = 1;

	if (bpf_skb_load_bytes(removal->skb, REMOVE_AT(keys) + index * sizeof(key), &key,
			       sizeof(key)))
		return 1;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (flow && flow->constant & FLOW_FROM_SERVER)
		gone = try_remove(&key, flow, removal->force);
	bpf_skb_store_bytes(removal->skb, REMOVE_AT(removed) + index * sizeof(gone), &gone,
			    sizeof(gone), 0);
	return 0;
}

SEC("tc")
int flow_remove(struct __sk_buff *skb)
{
	struct removal removal = {.skb = skb};
	__u32 n;

	if (bpf_skb_load_bytes(skb, REMOVE_AT(n), &n, sizeof(n)) ||
	    bpf_skb_load_bytes(skb, REMOVE_AT(force), &removal.force, sizeof(removal.force)))
		return TC_ACT_SHOT;
	bpf_loop(MIN(n, REMOVE_MAX), remove_step, &removal, 0);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
