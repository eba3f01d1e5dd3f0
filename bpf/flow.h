/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Spliced connections, as program and user space know them. A connection is two entries of the
 * map `flows`, one for the packets of each leg. Numbers are host byte order unless a comment
 * says network order; sequence numbers are those of the leg that the packets come from.
 */
#ifndef ALPNLB_FLOW_H
#define ALPNLB_FLOW_H

#include "portable.h"

/*
 * To be raised with every change to what is in the flow table and how it is meant: tables outlive
 * the version that made them. struct flow_key, struct remove_request and struct flow_event up to
 * `end` have to stay as they are: by those another version's flows are ended.
 */
#define FLOW_LAYOUT 4

/* A packet's addresses (IPv6, or IPv4 mapped) and ports (network order). */
struct flow_key {
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
};
_Static_assert(sizeof(struct flow_key) == 36, "hashed as words");

/* How long an entry outlives its connection: nanoseconds, as in `seen`. */
#define FLOW_LINGER	  (2 * 1000000000ULL)	/* as tcp_tw_reuse, needs timestamps (RFC 6191) */
#define FLOW_LINGER_PLAIN (60 * 1000000000ULL)	/* without: TIME_WAIT, TCP_TIMEWAIT_LEN */
#define FLOW_PENDING_MAX  (400 * 1000000000ULL) /* beyond any connect_timeout and OPENING_LIFE */
#define FLOW_IDLE_OPEN	  (5 * 86400 * 1000000000ULL) /* as nf_conntrack_tcp_timeout_established */

/* Set at the start, constant from then on. */
enum {
	FLOW_FROM_SERVER = 1 << 0, /* packets of the server leg */
	FLOW_TIMESTAMPS = 1 << 1,  /* both legs negotiated them, RFC 7323 */
	FLOW_CLEAR_ECN = 1 << 2,   /* the other leg did not negotiate ECN, RFC 3168 */
};

/* Change while the flow lives; by atomic operations. */
enum {
	FLOW_OWNED = 1 << 0,	 /* this leg's socket waits for ACKs up to owned_end */
	FLOW_FIN = 1 << 1,	 /* `end` counts a FIN */
	FLOW_PEER_FIN = 1 << 2,	 /* `peer_fin` is set, if only by a FIN ahead of `end` */
	FLOW_FIN_ACKED = 1 << 3, /* ... and was acknowledged: the other side has finished */
	FLOW_GOT_RESET = 1 << 4, /* the other leg sent an RST to this one, silent since */
	FLOW_ORPHAN = 1 << 5,	 /* the other entry has made room for a new connection */
	FLOW_PENDING = 1 << 6,	 /* the other entry does not exist yet */
	FLOW_HOLDS = 1 << 7,	 /* this leg's socket got the bytes before `held_end` itself */
	FLOW_AHEAD = 1 << 8,	 /* an RST came at `ahead`, before the bytes in front of it */
	FLOW_BOUND = 1 << 9,	 /* the other entry is OWNED, see bound_ack() */
	FLOW_ENDED = 1 << 10,	 /* of the server's: counted as live no more */
};

/* In `owned` of struct conn: an RST went from leg to leg, and no socket is of use any more. */
#define OWNED_RESET (1 << 2)

/* The value of `flows`: what to do with a packet, and what came of the packets so far. */
struct flow {
	__u8 source[16]; /* what the packet gets: addresses, mapped as in the key */
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
	__u32 ifindex;	   /* where it leaves */
	__u32 seq_delta;   /* added to its sequence number */
	__u32 ack_delta;   /* ... acknowledgement and SACK edges */
	__u32 tsval_delta; /* ... TSval */
	__u32 tsecr_delta; /* ... TSecr */
	__u8 window_scale; /* of its sender */
	__u8 other_scale;  /* that the sender of the other leg's SYN announced to the receiver */
	__u8 pad;
	__u8 constant;	 /* FLOW_* of the first kind */
	__u32 base;	 /* sequence number of the first byte that is counted */
	__u32 owned_end; /* acknowledgement that covers all that this leg's socket has sent */
	__u32 state;	 /* FLOW_* of the second kind */
	__u32 slot;	 /* of the connection, while its sockets are there */
	__u32 serial;
	__u32 acked;  /* highest acknowledgement */
	__u32 window; /* last window, bytes */
	__u64 end;    /* bytes from there to the highest that came; counts the FIN */
	__u64 packets;
	__u64 seen;	/* when it was last used: CLOCK_MONOTONIC, nanoseconds */
	__u64 reset;	/* last RST that was taken for real, likewise */
	__u64 started;	/* of the connection: its accept, likewise */
	__u32 peer_fin; /* acknowledgement that covers the peer's FIN */
	__u16 frontend_id;
	__u16 farm_id;
	__u32 route_id;
	__u32 server_id;
	__u32 idle_timeout;	  /* milliseconds, 0 = none */
	__u16 mtu;		  /* of the leg it leaves by, bytes of an IP packet */
	__u16 half_close_timeout; /* seconds, 0 = none: once one side has finished */
	__u32 held_end; /* sequence number behind what the leg's socket had at the start */
	union {
		__u32 ahead;	  /* sequence number, once FLOW_AHEAD */
		__u32 first_echo; /* until then, see bound_echo(): TSval; 0 = none */
	};
};
/* With its key (40) and the kernel's own 56 bytes an entry takes 256 of the map's allocator. */
_Static_assert(sizeof(struct flow) <= 160, "two entries shall take 512 bytes");

#define FLOW_HELLO_TEXT 88
#define FLOW_HELLO_ALPN 32 /* of these, left to ALPN by a long SNI */

/* Behind a proxy the last bytes of `text` are the client's address (as in the key) and port. */
#define FLOW_HELLO_CLIENT 18

/*
 * The value of `hellos`, by the key of the packets from the server: what is shown of the client's
 * first bytes. A connection need not have one.
 */
struct flow_hello {
	__u16 flags;   /* HELLO_* */
	__u8 verdict;  /* enum verdict */
	__u8 sni_len;  /* bytes of `text` */
	__u8 alpn_len; /* bytes behind those: names as in struct hello, the last may be cut */
	__u8 proxied;  /* there is a proxy: FLOW_HELLO_CLIENT */
	__u8 pad[2];
	__u8 text[FLOW_HELLO_TEXT];
};
/* With its key (40) and the kernel's own 56 bytes an entry takes 192 of the map's allocator. */
_Static_assert(sizeof(struct flow_hello) <= 96, "one more byte would take 256");

/* A server leg that begins. */
struct syn_key {
	__u8 server[16];    /* IPv6, or IPv4 mapped */
	__be16 source_port; /* network order, as the next */
	__be16 destination_port;
};
_Static_assert(sizeof(struct syn_key) == 20, "hashed as words");

enum {
	SYN_WITHOUT_TIMESTAMPS = 1 << 0,
	SYN_WITHOUT_SACK = 1 << 1,
};

/* The key of the packets that come the other way. */
static __always_inline void key_of_peer(const struct flow *flow, struct flow_key *key)
{
	__builtin_memcpy(key->source, flow->destination, sizeof(key->source));
	__builtin_memcpy(key->destination, flow->source, sizeof(key->destination));
	key->source_port = flow->destination_port;
	key->destination_port = flow->source_port;
}

/* Have both sides finished, and each heard that the other has? */
static __always_inline bool finished(const struct flow *flow, const struct flow *peer)
{
	return flow->state & peer->state & FLOW_FIN_ACKED;
}

/*
 * An RST is the last word: who it was for has accepted it, or answers (RFC 5961 section 3.2). What
 * was on its way to a sender that is gone is answered by another RST. True for the entry of who got
 * it.
 */
static __always_inline bool was_reset(const struct flow *peer)
{
	return peer->state & FLOW_GOT_RESET;
}

static __always_inline bool has_closed(const struct flow *flow, const struct flow *peer)
{
	return finished(flow, peer) || was_reset(peer) || was_reset(flow);
}

/* Has one side finished, or both? */
static __always_inline bool half_closed(const struct flow *flow, const struct flow *peer)
{
	return (flow->state | peer->state) & FLOW_FIN;
}

/* Would it be closed for that, if nothing comes, and not for being idle? */
static __always_inline bool expires_half_closed(const struct flow *flow, const struct flow *peer)
{
	__u32 timeout = flow->half_close_timeout * 1000U;

	return timeout && half_closed(flow, peer) &&
	       (!flow->idle_timeout || timeout < flow->idle_timeout);
}

/*
 * Who sent an RST has said nothing since. It was taken back because its receiver still said
 * something; what that was may have crossed it, and the RST which answers it may be lost. So one of
 * the two is likely to be gone, and nothing more to come.
 */
static __always_inline bool silent_since_reset(const struct flow *flow)
{
	return flow->reset && flow->seen <= flow->reset;
}

/* How long nothing may come on one that has not ended: nanoseconds. */
static __always_inline __u64 longest_silence(const struct flow *flow, const struct flow *peer)
{
	__u64 most = FLOW_IDLE_OPEN;

	if (expires_half_closed(flow, peer))
		most = flow->half_close_timeout * 1000000000ULL;
	else if (flow->idle_timeout)
		most = flow->idle_timeout * 1000000ULL;
	if (most > FLOW_LINGER_PLAIN && (silent_since_reset(flow) || silent_since_reset(peer)))
		most = FLOW_LINGER_PLAIN;
	return most;
}

/* When a flow may be forgotten; `peer` is NULL when it has made room for a new connection. */
static __always_inline __u64 flow_expires(const struct flow *flow, const struct flow *peer)
{
	__u64 seen;

	if (flow->state & FLOW_PENDING)
		return flow->seen + FLOW_PENDING_MAX;
	if (!peer)
		return flow->seen + FLOW_LINGER;
	seen = flow->seen > peer->seen ? flow->seen : peer->seen;
	if (was_reset(peer))
		return flow->reset + FLOW_LINGER;
	if (was_reset(flow))
		return peer->reset + FLOW_LINGER;
	if (finished(flow, peer))
		return seen + (flow->constant & FLOW_TIMESTAMPS ? FLOW_LINGER : FLOW_LINGER_PLAIN);
	return seen + longest_silence(flow, peer);
}

/*
 * The same from one of the two entries: the earlier of what both say is no later than
 * flow_expires(), for the state that makes it early is in one of them.
 */
static __always_inline __u64 flow_expires_not_before(const struct flow *flow)
{
	return flow_expires(flow, flow->state & FLOW_ORPHAN ? NULL : flow);
}

/* Bytes of the stream, without its FIN. */
static __always_inline __u64 stream_bytes(const struct flow *flow)
{
	return flow->end - (flow->state & FLOW_FIN ? 1 : 0);
}

/* What BPF_PROG_RUN of `splice_start` is given as a packet, and gives back. */
struct splice_request {
	__u8 ethernet[16];	/* a packet has a header */
	struct flow_key client; /* of packets from the client */
	struct flow_key server; /* of packets from the server */
	__u64 started;
	__u32 slot;
	__u32 serial;
	__u32 frontend_id;
	__u32 route_id;
	__u32 farm_id;
	__u32 server_id;
	__u32 idle_timeout;
	__u32 half_close_timeout; /* seconds */
	__u32 taken;		  /* bytes the worker has read from the client leg */
	__u32 moved;	 /* ... and sent on, as those of the server: not the first attempt */
	__u32 start;	 /* first sequence number of the client's stream ... */
	__u32 has_start; /* ... is known, else it follows from `taken` */
	__u32 prefix;	 /* bytes of PROXY header that precede it on the server leg */
	__u32 result;	 /* answer: enum splice_result */
	__u32 waiting;	 /* answer: bytes of the client's that its socket had, and were not moved */
};

#define SPLICE_RESULTS(X)                                                                          \
	X(STARTED, "started")                                                                      \
	X(FAMILY, "client and server are of different address families")                           \
	X(PORTS, "no source port is free")                                                         \
	X(NO_ADDRESS, "nat_ip has no address of the server's family")                              \
	X(DISPUTED, "another instance has its source ports")                                       \
	X(FULL, "the flow table is full")                                                          \
	X(EXISTS, "a flow has the same addresses and ports")                                       \
	X(NO_SOCKET, "a leg's socket was not found")                                               \
	X(ENDED, "a leg has ended its data")                                                       \
	X(URGENT, "a leg has urgent data")                                                         \
	X(TIMESTAMPS, "only one leg has TCP timestamps")                                           \
	X(SACK, "only one leg has selective acknowledgements")                                     \
	X(LOCAL, "the client is on this host")                                                     \
	X(BEHIND, "more has come already than a socket sends at once")                             \
	X(INTERFACE, "a leg's interface has no program")                                           \
	X(EARLY, "the server's data was already taken")                                            \
	X(OFF, "the packet path does not work here")

enum splice_result {
#define X(id, text) SPLICE_##id,
	SPLICE_RESULTS(X)
#undef X
		SPLICE_RESULT_MAX,
};

/*
 * What BPF_PROG_RUN of `splice_extend` is given as a packet: the worker moved bytes to the other
 * leg's socket that had come past the program, before it knew the flow.
 */
struct extend_request {
	__u8 ethernet[16];
	struct flow_key key; /* of packets of the leg they came from */
	__u32 fin;	     /* the leg has finished, too */
	__u64 bytes;	     /* of its stream since `base`, without the FIN */
};

enum flow_end {
	FLOW_END_CLOSED = 0,
	FLOW_END_CLIENT_RESET,
	FLOW_END_SERVER_RESET,
	FLOW_END_IDLE,
	FLOW_END_FORCED,	/* asked for, by what does not say why */
	FLOW_END_HALF_CLOSED,	/* one side has finished, and nothing came for too long */
	FLOW_END_COUNTER = 256, /* asked for: the sum with the enum counter that says why */
};

/*
 * Told through the ring buffers `removed`, when a flow is gone and its port is free, and `closed`,
 * when it seems to have ended: then there is no more than `key`, and only `key[SERVER]` is set.
 */
struct flow_event {
	struct flow_key key[2]; /* by side: of the packets from there */
	__u32 expects[2];	/* by side: the sequence number it wants to see next */
	__u32 end;		/* enum flow_end */
	__u32 frontend_id;	/* of a flow that is gone */
	__u32 route_id;
	__u32 server_id;
	__u32 was_live; /* it counted until now */
	__u32 farm_id;
	__u32 serial;
	__u64 started;	/* CLOCK_MONOTONIC, nanoseconds */
	__u64 seen;	/* its last packet, likewise */
	__u64 bytes[2]; /* by side */
	struct flow_hello hello;
	__u32 has_hello;
	__u32 pad;
};

/* What `flow_move` is given: from now on these packets leave by this interface. */
struct move_request {
	__u8 ethernet[16];
	struct flow_key key;
	__u32 ifindex;
	__u32 mtu; /* of the way there, bytes of an IP packet */
};

/* ... and of `flow_remove`, which removes the given flows. */
#define REMOVE_MAX 64

struct remove_request {
	__u8 ethernet[16];
	__u32 n;
	__u32 force;			  /* also those that have not ended, or shall linger: why */
	__u32 removed[REMOVE_MAX];	  /* answer: 1 = the flow is gone, or was before */
	struct flow_key keys[REMOVE_MAX]; /* of packets from the server */
};

#endif
