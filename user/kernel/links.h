/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The interfaces of this network namespace that packets of others come in by, by rtnetlink(7). */
#ifndef ALPNLB_LINKS_H
#define ALPNLB_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Those with an Ethernet header that stand at the bottom: no bridge, bond or VLAN, whose packets
 * have come in by another one before, and no loopback. *links is a malloc()ed array of *n numbers.
 * 0 or -errno.
 */
int links_at_the_door(uint32_t **links, size_t *n);

/* Likewise the ports of bridges, bonds and the like: packets to this host are not theirs. */
int links_with_a_bridge(uint32_t **links, size_t *n);

bool links_have(const uint32_t *links, size_t n, uint32_t ifindex);

#endif
