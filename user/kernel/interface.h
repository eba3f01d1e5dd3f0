/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The interfaces of this network namespace, by netdevice(7). */
#ifndef ALPNLB_INTERFACE_H
#define ALPNLB_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

#define LOOPBACK 1 /* the kernel's LOOPBACK_IFINDEX, the same in each namespace */

/* Does it have a link layer that the programs know? Loopback has the same header as Ethernet. */
bool interface_attachable(uint32_t ifindex);

/* Bytes of an IP packet; 0 = there is no such interface. */
uint32_t interface_mtu(uint32_t ifindex);

/* Is `lo` up? In a new namespace it is not. True if that cannot be told. */
bool loopback_is_up(void);

#endif
