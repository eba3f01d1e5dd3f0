/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The XDP program at an interface, whosever it is. */
#ifndef ALPNLB_XDP_PROGRAM_H
#define ALPNLB_XDP_PROGRAM_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xdp_program {
	uint32_t id;
	uint8_t mode;		     /* XDP_ATTACHED_* of linux/if_link.h */
	char name[BPF_OBJ_NAME_LEN]; /* "" = it has none, or one that is not told to us */
};

/* False: there is none, or no such interface. */
bool xdp_program_at(uint32_t ifindex, struct xdp_program *program);

/* "XDP program 17 'xdp_dispatcher'" */
const char *xdp_program_format(const struct xdp_program *program, char *buf, size_t size);

#endif
