/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses and address blocks of both families, IPv4 kept mapped into IPv6. */
#ifndef ALPNLB_PREFIX_H
#define ALPNLB_PREFIX_H

#include "objects.h"

enum prefix_scan {
	PREFIX_OK = 0,
	PREFIX_NOT_AN_ADDRESS,
	PREFIX_BAD_LENGTH,
	PREFIX_HOST_BITS,   /* the network around it is returned */
	PREFIX_COVERS_IPV4, /* an IPv6 block around ::ffff:0:0/96, where IPv4 is kept */
};

/* Sets *prefix for PREFIX_OK and PREFIX_HOST_BITS. */
enum prefix_scan prefix_scan(const char *text, struct prefix *prefix);

/* Is it IPv4? */
bool address_is_mapped(const uint8_t address[16]);

/* Makes the bits behind its length zero. */
void prefix_clear(struct prefix *prefix);

/* Is the address in the block? */
bool prefix_contains(const struct prefix *prefix, const uint8_t address[16]);

/* An address alone. 0 or -EINVAL. */
int address_parse(const char *text, uint8_t address[16]);

/* For qsort(): by family, address, then length. */
int prefix_compare(const void *a, const void *b);

#endif
