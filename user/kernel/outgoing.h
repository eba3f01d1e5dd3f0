/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The host's routes, by rtnetlink(7). */
#ifndef ALPNLB_OUTGOING_H
#define ALPNLB_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

struct outgoing {
	uint32_t ifindex;
	uint32_t mtu; /* of the route alone, bytes of an IP packet; 0 = its interface's */
};

/* A netlink socket for the next two, of this network namespace. Descriptor or -errno. */
int outgoing_open(void);

/* Which way packets between these addresses (IPv6, or IPv4 mapped) leave the host. 0 or -errno. */
int outgoing_find(int netlink, const uint8_t source[16], const uint8_t destination[16],
		  struct outgoing *way);

/* Are packets to the address for this host? So are those of whole networks, by routes of that type.
 */
bool route_is_local(int netlink, const uint8_t address[16]);

/* The MTU of this way, whose interface has one of `mtu`; 0 = not known. */
uint32_t outgoing_mtu(const struct outgoing *way, uint32_t mtu);

/* A socket that is readable when something of these groups (RTMGRP_*) changes, or -errno. */
int rtnetlink_watch(uint32_t groups);
/* Takes what it has to read. */
void rtnetlink_drain(int watch);

#endif
