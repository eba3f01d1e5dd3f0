/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the program at the door, door.bpf.c, shares with user space. Integers are host byte order
 * unless a comment says network order.
 */
#ifndef ALPNLB_DOOR_H
#define ALPNLB_DOOR_H

#include "model.h"

#define DOOR_PORTS	65536
#define DOOR_PREFIXES	(1 << 24)
#define DOOR_SOURCES	65536 /* that came last: those whose rate is limited */
#define DOOR_INTERFACES 4096  /* whose drops are counted one by one */
#define DOOR_SECOND	1000000000ULL
#define DOOR_TELL_EVERY 10000000ULL /* nanoseconds between two drops that are told of */

/* Why a packet is dropped. */
#define DOOR_REASONS(X)                                                                            \
	X(MALFORMED, "malformed", "TCP that no sender means: bad flags, or a header cut short")    \
	X(ACL, "acl", "from a source that alpnlb acl bans")                                        \
	X(SOURCE, "source", "SYN from a source the frontend does not allow")                       \
	X(RATE, "rate_limit", "SYN beyond the frontend's rate_limit")                              \
	X(SOURCE_RATE, "source_rate_limit", "SYN beyond the frontend's source_rate_limit")

enum door_reason {
#define X(id, name, help) DOOR_##id,
	DOOR_REASONS(X)
#undef X
		DOOR_REASON_MAX,
};

struct door_control {
	__u32 half;	/* which half of every table is in force: 0 or 1 */
	__u16 told;	/* somebody reads `drops` */
	__u16 idle;	/* nothing is to be enforced, but bans */
	__u64 tell_at;	/* CLOCK_MONOTONIC, nanoseconds: no drop is told of before */
	__u64 bans;	/* entries of the acl, or some more; 0 = none for certain */
	__u64 ban_ends; /* CLOCK_MONOTONIC, nanoseconds: when the first of them ends, or before */
};

/* By port, host order. */
struct door_port {
	__u16 frontend_id; /* that has the port on all addresses of the host; 0 = none */
	__u16 place;	   /* key of `door_addresses` for those on some addresses only; 0 = none */
};

/* To a frontend id; with place 0 the addresses of the host, to 1. */
struct door_address {
	__u8 address[16]; /* IPv6, or IPv4 mapped */
	__u32 place;
};

enum {
	DOOR_LIST = 1 << 0,  /* has a list of sources ... */
	DOOR_ALLOW = 1 << 1, /* ... that are allowed; else denied */
};

struct door_frontend {
	__u32 flags;
	__u32 interval;	       /* nanoseconds that a new connection takes of a second ... */
	__u32 source_interval; /* ... of those of its source; 0 = no limit */
	__be32 mask4;	       /* of what counts as one source, network order as the next */
	__be64 mask6[2];
};
_Static_assert(sizeof(struct door_frontend) == 32, "shared with BPF");

/* Keys of tries. `length` includes the frontend, which is matched whole. */
#define DOOR_FRONTEND_BITS 32

struct door_prefix4 {
	__u32 length;
	__u32 frontend_id; /* of the acl: 0 = all */
	__be32 address;
};

struct door_prefix6 {
	__u32 length;
	__u32 frontend_id;
	__u8 address[16];
};

/* An entry of the acl. */
struct door_ban {
	__u64 until;  /* CLOCK_MONOTONIC, nanoseconds; 0 = for good */
	__u32 length; /* of its key */
	__u32 pad;
};

struct door_bucket_key {
	__u32 frontend_id;
	__u32 pad;
	__u8 source[16]; /* its prefix, IPv4 mapped */
};

/* By frontend id, or by interface index; for each CPU. */
struct door_drops {
	__u64 packets[DOOR_REASON_MAX];
};

/* A packet that was dropped, in the ring `drops`. */
struct door_drop {
	__u64 time; /* CLOCK_MONOTONIC, nanoseconds */
	__u8 source[16], destination[16];
	__be16 source_port, destination_port; /* network order */
	__u32 frontend_id;
	__u32 reason; /* enum door_reason */
	__u32 pad;
};

#endif
