/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looks after the door: loads it when there is something to enforce, follows interfaces, addresses
 * and the acl, and tells `alpnlb monitor` of what it drops. In the main thread.
 */
#ifndef ALPNLB_DOORKEEPER_H
#define ALPNLB_DOORKEEPER_H

#include <bpf/libbpf.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "../kernel/accel.h"
#include "../kernel/door.h"

struct doorkeeper {
	struct door *door;
	struct accel *accel;
	struct event_base *base;
	const struct config *config; /* that is in force */
	bool failed;		     /* the door is not tried again with that */
	int netlink;
	struct event *changes; /* of interfaces and addresses */
	struct event *tick;
	struct ring_buffer *ring;
	struct event *drops;
	uint64_t sweep_at; /* CLOCK_MONOTONIC, nanoseconds: not before */
};

/* 0 or -errno. */
int doorkeeper_start(struct doorkeeper *keeper, struct door *door, struct accel *accel,
		     struct event_base *base);

/* A configuration is in force, which stays the caller's. Logs what cannot be done. */
void doorkeeper_configure(struct doorkeeper *keeper, const struct config *config);

/* Shall it tell of drops? Only then the program does more than to count them. */
void doorkeeper_tell(struct doorkeeper *keeper, bool told);
void doorkeeper_stop(struct doorkeeper *keeper);

#endif
