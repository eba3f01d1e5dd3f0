/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program that forwards packets of spliced connections at XDP, behind the program at the door.
 * It is loaded while some interface is to have it.
 */
#ifndef ALPNLB_ACCEL_H
#define ALPNLB_ACCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/interface.h"
#include "../model/decode.h"

struct door;
struct flows;
struct splice_xdp_bpf;

/* What became of an interface that is to have the program. */
enum accel_state {
	ACCEL_NOT_ASKED = 0,
	ACCEL_WORKS,
	ACCEL_BACK_ONLY, /* it takes no frames from other interfaces */
	ACCEL_NO_DOOR,	 /* the program at the door is not there, or not in the driver */
	ACCEL_NO_FORWARDING,
	ACCEL_NO_ROW,
	ACCEL_STATE_MAX,
};

struct accel {
	struct door *door;
	const struct flows *flows;
	const struct config *config;	 /* in force; the caller's */
	struct splice_xdp_bpf *programs; /* NULL = not loaded */
	uint8_t states[INTERFACE_ROWS];	 /* enum accel_state */
};

void accel_init(struct accel *accel, struct door *door, const struct flows *flows);

/*
 * Loads the program, or does without it, as a configuration wants it, and has the door call it:
 * accel_follow() is to come when the door is attached. 0 or -errno.
 */
int accel_configure(struct accel *accel, const struct config *config);

typedef void accel_told(uint32_t ifindex, enum accel_state state);

/* Looks at the interfaces again, and tells of those where something has changed. 0 or -errno. */
int accel_follow(struct accel *accel, accel_told *tell);

/* In words: why it is slower than it could be. NULL = it works. */
const char *accel_text(enum accel_state state);

/* Is the program to be at this interface, if it can? */
bool accel_wants(const struct config *config, uint32_t ifindex);

/* What becomes of one that is to have it, once the door is there. */
enum accel_state accel_find_state(uint32_t ifindex);

void accel_close(struct accel *accel);

#endif
