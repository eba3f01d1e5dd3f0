// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The sk_skb verdict program. On the client leg it reads the hello as it comes and decides
 * route, farm and server; on both legs it redirects what comes to the other leg once the
 * worker has handed the connection over.
 *
 * Verdict-only, never with a stream parser, which loses data with SK_PASS (since 6.14 and
 * 6.1.130, 6.6.80, 6.12.17: 36b62df5683c). The kernel runs it once per received packet, under
 * the socket's lock.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* The slots and legs are sized by the daemon before load. */

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 2);
	__type(key, __u32); /* slot << 1 | side */
	__type(value, __u64);
} sockets SEC(".maps");

/* Inserted by the daemon, looked up by socket cookie: sk_skb has no socket storage. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2);
	__type(key, __u64);
	__type(value, struct leg);
} legs SEC(".maps");

#include "decide.h"

SHARED_ARRAY(conns, struct conn, 1);
TABLE(sources, struct source_row);  /* for the daemon */
TABLE(config, struct config_chunk); /* for the CLI; no program reads it */

/* One ring buffer per worker. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_WORKERS);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_RINGBUF);
			__uint(max_entries, 4096 * 16);
		});
} events SEC(".maps");

/*
 * Redirection stops when this much of the target's send buffer is left: more than the packets
 * between two looks, and their overhead, can take. So the send buffer is never full while
 * something waits to be put into it. It must not be: what waits is charged to nobody, and so
 * would be every packet passed from that socket, which queues up behind it.
 */
#define SEND_ROOM (256 << 10)

/*
 * Memory of passed packets that the worker has not read. Twice the receive buffer is what it
 * can hold at most, by this count: no less, or a sender would not be held back by its window.
 */
#define PASSED_MAX (2560 << 10)

/* What a packet costs beside its bytes: struct sk_buff and the least data area. */
#define PACKET_OVERHEAD 1536

/* This kernel has bpf_cast_to_kern_ctx() (6.2). Set before load. */
const volatile __u32 sees_sequence = 0;

/* What is read of the kernel's sockets; CO-RE finds the members. */
struct tcp_options_received___alpnlb {
	__u16 tstamp_ok : 1, sack_ok : 3, snd_wscale : 4;
	__u16 mss_clamp;
} __attribute__((preserve_access_index));

struct tcp_sock___alpnlb {
	__u64 bytes_received;
	__u32 rcv_nxt;
	__u64 bytes_acked;
	__u32 write_seq;
	__u32 snd_una;
	struct tcp_options_received___alpnlb rx_opt;
} __attribute__((preserve_access_index));

/* ---- the client's first bytes -------------------------------------------------------- */

static bool may_choose(__u32 farm_id)
{
	return true;
}

static long hello_load(void *source, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(source, offset, to, len);
}

#define AF_INET 2

/* The address the client connected to. */
static __always_inline void note_local(const struct __sk_buff *skb, struct conn *conn)
{
	__u32 *address = (__u32 *)conn->local, v4 = skb->local_ip4;

	OPAQUE(v4); /* or the compiler makes one load of two, from a context pointer it chose */
	if (skb->family == AF_INET) {
		address[2] = bpf_htonl(0xffff);
		address[3] = v4;
	} else {
		address[0] = skb->local_ip6[0];
		address[1] = skb->local_ip6[1];
		address[2] = skb->local_ip6[2];
		address[3] = skb->local_ip6[3];
	}
	conn->local_port = bpf_htons(skb->local_port);
}

/*
 * What the packet path will want to know of the client leg. Under the socket's lock, where the
 * two numbers belong together.
 */
static __always_inline void note_client(struct __sk_buff *skb, struct conn *conn)
{
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock___alpnlb *tcp = sk ? (void *)bpf_skc_to_tcp_sock(sk) : NULL;

	if (!tcp)
		return;
	conn->start = tcp->rcv_nxt - (__u32)tcp->bytes_received;
	conn->has_start = 1;
	conn->client_mss = tcp->rx_opt.mss_clamp;
	conn->client_scale = BPF_CORE_READ_BITFIELD(tcp, rx_opt.snd_wscale);
	if (!BPF_CORE_READ_BITFIELD(tcp, rx_opt.tstamp_ok))
		conn->syn_without |= SYN_WITHOUT_TIMESTAMPS;
	if (!BPF_CORE_READ_BITFIELD(tcp, rx_opt.sack_ok))
		conn->syn_without |= SYN_WITHOUT_SACK;
}

static __always_inline void classify_hello(struct __sk_buff *skb, struct conn *conn)
{
	struct hello *hello = &conn->hello;
	__u32 state = CONN_DECIDED;

	if (!conn->local_port)
		note_local(skb, conn);
	if (!conn->has_start)
		note_client(skb, conn);
	if (hello_feed(hello, skb, skb->len) == VERDICT_NEED_MORE)
		return;
	/* The worker takes the decision over when the hello timeout passes. */
	if (__sync_val_compare_and_swap(&conn->state, CONN_HELLO, CONN_DECIDING) != CONN_HELLO)
		return;
	if ((hello->verdict == VERDICT_TLS && hello->flags & HELLO_ALPN_CUT) || !route(conn))
		state = CONN_ASK;
	__sync_lock_test_and_set(&conn->state, state);
}

/* ---- redirection --------------------------------------------------------------------- */

typedef struct {
	int counter;
} __attribute__((preserve_access_index)) atomic_t___alpnlb;

struct sock___alpnlb {
	int sk_wmem_queued;
	int sk_sndbuf;
	int sk_rcvbuf;
	struct {
		atomic_t___alpnlb rmem_alloc;
	} sk_backlog;
} __attribute__((preserve_access_index));

/* The memory that `bytes` take, if they came in packets like the latest ones. */
static __always_inline __s64 memory_of(const struct conn *conn, __u32 side, __u64 bytes)
{
	__u64 recent = conn->recent_bytes[side];

	if (!recent)
		return bytes;
	return bytes + bytes * conn->recent_packets[side] / recent * PACKET_OVERHEAD;
}

/*
 * Redirected bytes wait in a list of the target socket that is bounded by nothing
 * (tcp_eat_skb() opens the source's window at once). Is there room for the `sent` bytes that
 * were meant for a leg? Its send queue is read last: bytes that move there count twice.
 */
static __always_inline bool has_room(const struct conn *conn, __u32 side, __u32 *target, __u64 sent)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&sockets, target);
	struct tcp_sock___alpnlb *tcp;
	struct sock___alpnlb *sock;
	__s64 used = 0, limit = 0;
	__u64 queued;

	if (!sk)
		return true; /* the redirection will fail */
	tcp = (void *)bpf_skc_to_tcp_sock(sk);
	if (tcp) {
		/* bytes_acked counts the SYN of a socket that was connect()ed: sent + 1 at most */
		queued = tcp->bytes_acked + (tcp->write_seq - tcp->snd_una);
		if (queued < sent)
			used = memory_of(conn, side, sent - queued);
		sock = (void *)tcp;
		used += sock->sk_wmem_queued;
		limit = sock->sk_sndbuf - SEND_ROOM;
	}
	bpf_sk_release(sk);
	return used <= limit;
}

/* Counts a packet; true when it is time to look at the target. */
static __always_inline bool time_to_look(struct conn *conn, __u32 side, __u32 len)
{
	if (conn->recent_bytes[side] >= LOOK_BYTES || conn->recent_packets[side] >= LOOK_PACKETS) {
		conn->recent_bytes[side] = 0;
		conn->recent_packets[side] = 0;
	}
	conn->recent_bytes[side] += len;
	conn->recent_packets[side]++;
	return conn->recent_bytes[side] >= LOOK_BYTES || conn->recent_packets[side] >= LOOK_PACKETS;
}

/* Has the worker look at a direction. Where the ring is full, its sweep does. */
static __always_inline void tell_worker(const struct conn *conn, __u32 slot, __u32 side)
{
	struct throttle_event *event;
	__u32 worker = conn->worker;
	void *ring = bpf_map_lookup_elem(&events, &worker);

	event = ring ? bpf_ringbuf_reserve(ring, sizeof(*event), 0) : NULL;
	if (!event)
		return;
	event->slot = slot;
	event->serial = conn->serial;
	event->side = side;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
}

/*
 * A slow reader: stop redirecting. From here on packets stay with the source's socket, whose
 * receive window closes in time, and the worker copies until it has caught up.
 */
static __always_inline void throttle(struct conn *conn, __u32 slot, __u32 side, __u64 before)
{
	conn->resume[side] = before & FLOW_BYTES;
	conn->taken[side] = before & FLOW_BYTES;
	conn->throttled[side] = 1;
	__sync_fetch_and_and(&conn->flow[side], FLOW_BYTES);
	count(COUNTER_THROTTLED);
	tell_worker(conn, slot, side);
}

static __always_inline int redirect(struct __sk_buff *skb, struct conn *conn, struct leg *leg,
				    __u32 side, __u64 before)
{
	__u32 target = leg->slot << 1 | !side;
	__u64 sent = (before & FLOW_BYTES) + conn->extra[side];

	if (time_to_look(conn, side, skb->len) && !has_room(conn, side, &target, sent + skb->len)) {
		throttle(conn, leg->slot, side, before);
		return SK_PASS;
	}
	if (bpf_sk_redirect_hash(skb, &sockets, &target, 0) == SK_PASS)
		return SK_PASS;
	/* The peer has left: what came for it has nowhere to go. */
	count(COUNTER_REDIRECT_FAILED);
	return SK_DROP;
}

struct sk_buff___alpnlb {
	char cb[48]; /* begins with struct tcp_skb_cb.seq */
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;

/*
 * Bytes at the head of a packet that came before. TCP queues a segment that is partly old as
 * it is (a retransmission that was merged with new data), and leaves it to recv() to skip
 * what it has had; tcp_read_skb() does not.
 */
static __always_inline __s64 old_bytes(struct __sk_buff *skb, const struct conn *conn, __u32 side)
{
	struct sk_buff___alpnlb *kernel;
	struct tcp_sock___alpnlb *tcp;
	struct bpf_sock *sk = skb->sk;
	__u32 seq = 0;

	if (!sees_sequence || !sk)
		return 0;
	tcp = (void *)bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	kernel = bpf_cast_to_kern_ctx(skb);
	bpf_probe_read_kernel(&seq, sizeof(seq), kernel->cb);
	return (conn->flow[side] & FLOW_BYTES) + (side == CLIENT ? conn->header : 0) -
	       (tcp->bytes_received - (__u32)(tcp->rcv_nxt - seq));
}

#define TRIM_STEP 4095 /* the most bpf_skb_adjust_room() takes */

/* Cuts bytes off the head of a packet. False when that cannot be done. */
static __always_inline bool trim(struct __sk_buff *skb, __s64 bytes)
{
	for (int i = 0; i < 17 && bytes > 0; i++) {
		__s64 step = MIN(bytes, TRIM_STEP);

		if (step >= skb->len || bpf_skb_adjust_room(skb, -step, 0, 0))
			return false;
		bytes -= step;
	}
	return bytes <= 0;
}

/* Counts a packet that is left to the socket. */
static __always_inline void count_passed(struct conn *conn, __u32 side)
{
	__u64 taken = conn->taken[side];

	if (conn->passed_since[side] != taken) {
		conn->passed_since[side] = taken;
		conn->passed[side] = 0;
	}
	conn->passed[side]++;
}

/* The packet is lost, and so the connection: the worker resets it. */
static __always_inline int end_connection(struct conn *conn, __u32 slot, __u32 side)
{
	if (!conn->overrun) {
		conn->overrun = 1;
		tell_worker(conn, slot, side);
	}
	return SK_DROP;
}

static __always_inline struct leg *find_leg(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);

	return bpf_map_lookup_elem(&legs, &cookie);
}

SEC("sk_skb")
int classify(struct __sk_buff *skb)
{
	struct conn *conn;
	struct leg *leg;
	__u64 before;
	__u32 side;

	/*
	 * A bare FIN: the socket knows its end without it. Redirected, it puts EPIPE on the target;
	 * passed, it may queue behind bytes redirected *to* this socket, and sk_psock_backlog()
	 * takes its length of 0 for a broken pipe.
	 */
	if (!skb->len)
		return SK_DROP;
	leg = find_leg(skb);
	if (!leg) {
		count(COUNTER_LEG_UNKNOWN);
		return SK_PASS;
	}
	conn = bpf_map_lookup_elem(&conns, &leg->slot);
	if (!conn) {
		count(COUNTER_LEG_UNKNOWN);
		return SK_PASS;
	}
	side = leg->side & 1;
	if (!trim(skb, old_bytes(skb, conn, side)) || conn->overrun)
		return end_connection(conn, leg->slot, side);
	before = __sync_fetch_and_add(&conn->flow[side], skb->len);
	if (before & FLOW_REDIRECT)
		return redirect(skb, conn, leg, side, before);
	count_passed(conn, side);
	if (side == CLIENT && conn->state == CONN_HELLO)
		classify_hello(skb, conn);
	return SK_PASS;
}

/* ---- passed packets ------------------------------------------------------------------ */

static __always_inline bool has_payload(struct __sk_buff *skb)
{
	__u8 offset = 0; /* of the data, in the upper half: RFC 9293 section 3.1 */

	return !bpf_skb_load_bytes(skb, 12, &offset, sizeof(offset)) &&
	       skb->len > (offset >> 4) * sizeof(__u32);
}

/* Does TCP know of the memory? Then it holds the sender back by itself. */
static __always_inline bool is_charged(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct sock___alpnlb *sock = sk ? (void *)bpf_skc_to_tcp_sock(sk) : NULL;

	return !sock || sock->sk_backlog.rmem_alloc.counter > sock->sk_rcvbuf;
}

/*
 * The filter of a leg, before TCP sees a packet. Passed packets wait behind bytes that are
 * redirected to the same socket until the kernel's worker has run, and meanwhile no window
 * closes. What would be too much is dropped: the sender repeats it.
 */
SEC("socket")
int hold_back(struct __sk_buff *skb)
{
	struct leg *leg = find_leg(skb);
	struct conn *conn = leg ? bpf_map_lookup_elem(&conns, &leg->slot) : NULL;
	__u64 flow, memory;
	__u32 side;

	if (!conn)
		return skb->len;
	side = leg->side & 1;
	flow = conn->flow[side];
	if (flow & FLOW_REDIRECT)
		return skb->len;
	memory = flow - conn->taken[side] + (__u64)conn->passed[side] * PACKET_OVERHEAD;
	if (memory <= PASSED_MAX || !has_payload(skb))
		return skb->len;
	if (memory <= 2 * PASSED_MAX && is_charged(skb))
		return skb->len;
	count(COUNTER_HELD_BACK);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
