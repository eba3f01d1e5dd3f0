/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that the packet path opens by itself, as program and user space know them: the
 * program answers the client's SYN with a cookie, keeps the client's first bytes, opens the server
 * leg and makes the two flow entries. There is no socket, unless something unusual comes up: then
 * the kernel makes one of the cookie, and the connection goes on as any other.
 */
#ifndef ALPNLB_OPEN_H
#define ALPNLB_OPEN_H

#include "flow.h"

/* An address and port that the program answers at. */
struct open_key {
	__u8 address[16]; /* IPv6, or IPv4 mapped */
	__be16 port;	  /* network order */
	__u16 pad;
};
_Static_assert(sizeof(struct open_key) == 20, "hashed as words");

struct open_frontend {
	__u32 frontend_id;
	__u32 connect_timeout;	  /* milliseconds */
	__u32 idle_timeout;	  /* milliseconds, 0 = none */
	__u32 half_close_timeout; /* seconds, 0 = none */
	__u32 mss; /* that clients are told, so that their segments fit the servers' ways; 0 = any
		    */
	__u32 generation; /* of the daemon's book */
};

/* A daemon that has not looked for so long is dead: others may listen in its place. */
#define OPENING_ALONE (3 * 1000000000ULL)

/* The row of `open_control`. */
struct open_control {
	__u64 secret[2];  /* of the cookies */
	__u32 clock;	  /* added to timestamps, so that they do not tell the host's age */
	__u32 port_first; /* the program's own part of nat_ports */
	__u32 port_count;
	__u32 stopped; /* the ports are not to be used */
	__u64 until;   /* CLOCK_MONOTONIC, nanoseconds: the daemon has looked not long before */
	__u64 began;   /* the daemon whose program this is, as in struct control */
};

enum way_state {
	WAY_NONE = 0,
	WAY_KNOWN,
	WAY_UNFIT, /* the server has not an option that clients were promised */
};

/* How packets get to a server, by its id. */
struct way {
	__u8 source[16]; /* address they come from */
	__u32 ifindex;
	__u32 mtu;
	__u32 state; /* enum way_state */
	__u32 next;  /* counts the ports that were tried */
};

/* By a farm's id. */
struct farm_way {
	__u32 family; /* 4 or 6: each of its servers has a way, and is of this one */
	__u32 pad;    /* rows of a mapped array are 8 bytes at least */
};

/* ---- an opening -------------------------------------------------------------------------- */

/* Bytes of a client that are kept until its server has answered, and that a packet takes. */
#define OPENING_KEPT	2176
#define OPENING_SEGMENT 1536

#define OPENING_WINDOW	14600 /* bytes a client may send before: RFC 6928's ten segments */
#define OPENING_SCALE	7     /* of later windows */
#define OPENING_LIFE	(60 * 1000000000ULL) /* at most, nanoseconds */
#define OPENING_SILENT	(300 * 1000000ULL)   /* a client that said nothing gets a socket */
#define OPENING_COPY	(100 * 1000000ULL)   /* until a copy has come by again, at most */
#define OPENING_REPEAT	(900 * 1000000ULL)   /* between SYNs, which the client's repeats cause */

enum opening_state {
	OPENING_WAITS = 0, /* for the client's bytes */
	OPENING_BUSY,	   /* a packet is being looked at */
	OPENING_CONNECTS,  /* a SYN was sent to the server */
	OPENING_SENDS,	   /* the server has answered: what was kept goes there */
	OPENING_LEAVES,	   /* for a socket */
};

/* The value of `openings`; the key is that of the client's packets. */
struct opening {
	__u64 began; /* CLOCK_MONOTONIC, nanoseconds, as the next ones */
	__u64 deadline;
	__u64 asked;	/* the first SYN to the server */
	__u64 repeated; /* ... and the last one */
	__u32 state;	/* enum opening_state */
	__u32 start;	/* sequence number of the client's first byte ... */
	__u32 answer;	/* ... and, as the client is told, of the server's */
	__u32 tsval;	/* the client's, and its echo of ours */
	__u32 tsecr;
	__u32 clock;  /* that stands for `tsval` on the server leg */
	__u32 window; /* of the client: bytes */
	__u32 ifindex;
	__u32 frontend_id;
	__u32 route_id;
	__u32 farm_id;
	__u32 server_id;
	__u32 connect_timeout;
	__u32 idle_timeout;
	__u32 half_close_timeout;
	__u32 len;  /* bytes kept */
	__u32 sent; /* ... and of them, on their way to the server */
	__u16 mss;  /* of the client */
	__u8 scale; /* of its windows; SCALE_NONE */
	__u8 sack;
	__u8 timestamps;
	__u8 pad;
	__u8 ethernet[14];	/* header of the client's packets */
	struct flow_key server; /* of packets from the server */
	struct flow_hello hello;
	__u8 bytes[OPENING_KEPT + OPENING_SEGMENT];
};
_Static_assert(sizeof(struct opening) % 8 == 0, "no hidden padding");
_Static_assert(sizeof(struct opening) + 40 + 56 <= 4096, "with its key an entry takes a page");

/* What the program tells of a server that did not take a connection. */
struct open_failure {
	__u64 began; /* of the try: CLOCK_MONOTONIC, nanoseconds */
	__u32 server_id;
	__u32 err; /* errno */
};

/* ---- cookies ----------------------------------------------------------------------------- */

/*
 * The sequence number of a SYN-ACK: what has to be known of the SYN's options in the low byte, and
 * above the client's sequence number, plus a hash of both ends, the options and the time. It is
 * valid for one to two minutes, and tells a client's first byte from a later one. Timestamps show
 * in the packet that brings the cookie back.
 */
#define COOKIE_SLOT 60000000000ULL /* nanoseconds */

#define SCALE_NONE  15

#define SIP_ROUND(v)                                                                               \
	do {                                                                                       \
		v[0] += v[1];                                                                      \
		v[2] += v[3];                                                                      \
		v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];                                           \
		v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];                                           \
		v[0] = v[0] << 32 | v[0] >> 32;                                                    \
		v[2] += v[1];                                                                      \
		v[0] += v[3];                                                                      \
		v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];                                           \
		v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];                                           \
		v[2] = v[2] << 32 | v[2] >> 32;                                                    \
	} while (0)

/* SipHash-2-4 (Aumasson, Bernstein, 2012) of whole words. */
static __always_inline __u64 siphash(const __u64 secret[2], const __u64 *words, __u32 n)
{
	__u64 v[] = {secret[0] ^ 0x736f6d6570736575ULL, secret[1] ^ 0x646f72616e646f6dULL,
		     secret[0] ^ 0x6c7967656e657261ULL, secret[1] ^ 0x7465646279746573ULL};
	__u64 last = (__u64)n << 59;

	for (__u32 i = 0; i <= n; i++) {
		__u64 word = i < n ? words[i] : last;

		v[3] ^= word;
		SIP_ROUND(v);
		SIP_ROUND(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	SIP_ROUND(v);
	SIP_ROUND(v);
	SIP_ROUND(v);
	SIP_ROUND(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Segment sizes that a cookie can name. */
static __always_inline __u32 cookie_mss(__u32 index)
{
	switch (index & 7) {
	case 0:
		return 536; /* RFC 9293 section 3.7.1 */
	case 1:
		return 1220; /* ... for IPv6 */
	case 2:
		return 1360;
	case 3:
		return 1400;
	case 4:
		return 1440;
	case 5:
		return 1460;
	case 6:
		return 8940;
	default:
		return 32768;
	}
}

/* The low byte, for an mss of at least 536. */
static __always_inline __u32 cookie_options(__u32 mss, __u32 scale, bool sack)
{
	__u32 index = 0;

	for (__u32 i = 1; i < 8; i++)
		if (cookie_mss(i) <= mss)
			index = i;
	return index | (scale & 15) << 3 | (sack ? 0x80 : 0);
}

static __always_inline __u32 cookie_scale(__u32 cookie)
{
	return cookie >> 3 & 15;
}

static __always_inline bool cookie_sack(__u32 cookie)
{
	return cookie & 0x80;
}

#define COOKIE_MASK 0xffffff

static __always_inline __u32 cookie_hash(const __u64 secret[2], const struct flow_key *key,
					 __u32 options, __u64 slot)
{
	__u64 words[6];
	__u32 ports;

	__builtin_memcpy(words, key->source, 32);
	__builtin_memcpy(&ports, &key->source_port, sizeof(ports));
	words[4] = ports;
	words[5] = slot << 8 | (options & 0xff);
	return siphash(secret, words, 6);
}

/* For a SYN of sequence number `seq`; `options` in the low byte. */
static __always_inline __u32 cookie_make(const __u64 secret[2], const struct flow_key *key,
					 __u32 seq, __u32 options, __u64 slot)
{
	return (cookie_hash(secret, key, options, slot) + seq) << 8 | (options & 0xff);
}

enum cookie {
	COOKIE_NONE = 0,
	COOKIE_FIRST, /* brought by the client's first byte, or before it */
	COOKIE_LATER, /* ... by another one of its first window */
};

/* Was it made for the client, in this slot of time or the one before? `seq`: what brings it. */
static __always_inline enum cookie cookie_look(const __u64 secret[2], const struct flow_key *key,
					       __u32 seq, __u32 cookie, __u64 slot)
{
	enum cookie found = COOKIE_NONE;

	for (int i = 0; i < 2; i++) {
		__u32 start = (cookie >> 8) - cookie_hash(secret, key, cookie, slot - i) + 1;
		__u32 distance = (seq - start) & COOKIE_MASK;

		if (!distance)
			return COOKIE_FIRST;
		if (distance <= OPENING_WINDOW)
			found = COOKIE_LATER;
	}
	return found;
}

#endif
