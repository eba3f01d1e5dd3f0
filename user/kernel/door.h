/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side of the door: its program, what it decides from, and the interfaces it is attached
 * to. It is loaded only when there is something to enforce. Links and maps are pinned, and go on
 * without a daemon; the next one takes them over.
 */
#ifndef ALPNLB_KERNEL_DOOR_H
#define ALPNLB_KERNEL_DOOR_H

#include "acl.h"
#include "instance.h"
#include "xdp_program.h"

struct door_bpf;
struct door_interface;

/* Is the program behind the door wanted at this interface? */
typedef bool door_wish(const void *context, uint32_t ifindex);

struct door {
	const struct instance *instance;
	struct acl acl;		   /* also where no program is loaded */
	struct door_bpf *programs; /* NULL = not loaded */
	int next;		   /* see door_set_next(); -1 = none */
	door_wish *wish;
	const void *wish_context;
	bool enforces; /* there is something to enforce: the door is wanted at every interface */
	int addresses; /* fd of the `door_addresses` in force, -1 = none */
	enum xdp_mode mode;
	struct door_interface *interfaces; /* uthash: those that were tried */
	bool keep; /* pins and attachments shall stay, or were there before */
};

/* How an interface is looked after, for a log. */
struct door_report {
	uint32_t ifindex;
	int err;		   /* 0 = attached */
	bool native;		   /* else generic */
	struct xdp_program holder; /* with -EBUSY: the program that is there */
};
typedef void door_told(const struct door_report *report);

/* The acl. 0 or -errno. */
int door_open(struct door *door, const struct instance *instance);

/* Tries to load the program, which is gone again afterwards. 0 or -errno. */
int door_probe(void);

/* Is there anything that the door could enforce, or is it asked for? */
bool door_is_wanted(const struct door *door, const struct config *config);

/*
 * What the door does not drop runs through this program from now on, an "xdp.frags" one, -1 = none;
 * its fd stays the caller's, and open as long as the door is. The door is wanted then where wish()
 * says so, in the driver. 0 or -errno.
 */
int door_set_next(struct door *door, int program, door_wish *wish, const void *context);

/* Has what it has to enforce come or gone since door_publish()? */
bool door_has_changed(const struct door *door, const struct config *config);

/*
 * Puts a configuration in force. Loads the program, if need be; door_attach() has to follow. 0 or
 * -errno; the door decides from what was in force before then.
 */
int door_publish(struct door *door, const struct config *config);

/*
 * Attaches to the interfaces of this network namespace, and tells it of those where something has
 * changed. 0 or -errno.
 */
int door_attach(struct door *door, door_told *tell);

/* Does another program hold an interface where it is wanted? */
bool door_waits(const struct door *door);

/* The host's addresses may have changed. 0 or -errno. */
int door_follow_addresses(struct door *door);

/* Detaches everywhere, unloads the program and forgets its pins; the acl stays. */
void door_leave(struct door *door);

/* Pins maps and program. 0 or -errno. */
int door_pin(const struct door *door);

/* What is attached and pinned goes, unless door->keep. */
void door_close(struct door *door);

/* fd of the ring of `struct door_drop`; -1 when the program is not loaded. */
int door_ring(const struct door *door);

/* Detaches from one interface. Was it attached? */
bool door_detach(const char *pin_dir, uint32_t ifindex);

/* The link's program on the interface: its id, 0 = none. */
uint32_t door_attached(const char *pin_dir, uint32_t ifindex);

/* Is the program on the interface in its driver? Anybody's. */
bool door_is_native(uint32_t ifindex);

#endif
