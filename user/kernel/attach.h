/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs at the ingress and egress of interfaces. By tcx links where the kernel has them (6.6),
 * which live as long as their pins; by filters of the clsact qdisc before, which live as long as
 * the interface and are found again by their priority, one per instance.
 */
#ifndef ALPNLB_ATTACH_H
#define ALPNLB_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

enum hook {
	HOOK_INGRESS = 0,
	HOOK_EGRESS,
	HOOK_OPEN, /* at the ingress, behind the first; only by links (6.6) */
	HOOK_COUNT,
};

/*
 * Attaches the program, in the place of one of an earlier daemon. `pin_dir` is the directory of the
 * instance's pins. 0 or -errno; -EEXIST: another program has the filter's priority.
 */
int attach_program(const char *pin_dir, uint32_t ifindex, enum hook hook, int program);

/*
 * Can programs be attached? Tries it with one for HOOK_INGRESS at the loopback interface, and may
 * leave it there: for a network namespace that nobody uses. 0 or -errno.
 */
int attach_try(int program);

/* Is a program of this instance attached? */
bool program_attached(const char *pin_dir, uint32_t ifindex, enum hook hook);

/* Undoes it at once, for one hook ... */
void detach_hook(const char *pin_dir, uint32_t ifindex, enum hook hook);

/* ... or all of them. True if something of this instance was attached. */
bool detach_programs(const char *pin_dir, uint32_t ifindex);

#endif
