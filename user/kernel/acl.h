/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The acl: blocks of addresses that are banned for a while, from all frontends or from one. It
 * lives in pinned maps only; whoever has opened them, daemon or command, may change it.
 */
#ifndef ALPNLB_ACL_H
#define ALPNLB_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/door.h"
#include "../model/objects.h"

struct bpf_object;

struct acl {
	int tries[2];		      /* IPv4, IPv6 */
	int control_fd;		      /* of `door_control` */
	struct door_control *control; /* shared memory; NULL = not open */
};

struct acl_entry {
	struct prefix prefix;
	uint32_t frontend_id; /* 0 = all */
	uint64_t until;	      /* CLOCK_MONOTONIC, nanoseconds; 0 = for good */
};

/* Opens what is pinned; acl_close() has to follow in any case. 0 or -errno. */
int acl_open(struct acl *acl, const char *instance);

/* The same, and makes what is missing; that has to be pinned. */
int acl_make(struct acl *acl, const char *instance);
void acl_close(struct acl *acl);

/* Lets a program that is not loaded yet (bpf/acl.h) look at this acl. 0 or -errno. */
int acl_share(const struct acl *acl, const struct bpf_object *program);

/* Is the source banned from the frontend? */
bool acl_bans(const struct acl *acl, uint32_t frontend_id, const uint8_t source[16]);

/*
 * Adds entries, in the place of those for the same block and frontend. 0 or -errno: -ENOSPC when
 * there is no more room; some are there then.
 */
int acl_add(struct acl *acl, const struct acl_entry *entries, size_t n);

/* Removes one. 0 or -errno: -ENOENT when it is not there. */
int acl_delete(struct acl *acl, const struct acl_entry *entry);

/* Calls step() for each entry; those for which it returns true are removed. 0 or -errno. */
typedef bool acl_step(const struct acl_entry *entry, void *context);
int acl_walk(struct acl *acl, acl_step *step, void *context);

/* Removes entries that have ended, if there may be any. 0 or -errno. */
int acl_sweep(struct acl *acl, uint64_t now);

#endif
