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

/* Its own, as the first 6 bytes of a frame to it; 0 = it has none. */
uint64_t interface_address(uint32_t ifindex);

#define INTERFACE_DRIVER_MAX 32

/* Of its driver: "virtio_net", "veth"; "" = it does not say. */
void interface_driver(uint32_t ifindex, char driver[INTERFACE_DRIVER_MAX]);

/* Is `lo` up? In a new namespace it is not. True if that cannot be told. */
bool loopback_is_up(void);

#endif
