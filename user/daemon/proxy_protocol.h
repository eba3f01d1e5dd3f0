/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The PROXY protocol header in front of a client's bytes (haproxy.org, proxy-protocol.txt). */
#ifndef ALPNLB_PROXY_PROTOCOL_H
#define ALPNLB_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/model.h"

/* Version 2 with everything there is; the longest line of version 1 has 108. */
#define PROXY_HEADER_MAX 512

/* What a proxy tells of its client: addresses are IPv6, or IPv4 mapped; ports network order. */
struct proxied {
	size_t size;	    /* of the header */
	bool has_addresses; /* false: the connection is the proxy's own, or of unknown origin */
	uint8_t client[16], local[16];
	__be16 client_port, local_port;
};

enum proxy_answer {
	PROXY_NEED_MORE = 0,
	PROXY_DONE,
	PROXY_MALFORMED,
};

/* Reads a header of either version at the beginning of `len` bytes. */
enum proxy_answer proxy_read(const uint8_t *bytes, size_t len, struct proxied *proxied);

/* Writes the header that conn->proxy_protocol asks for; returns its length. */
size_t proxy_header(const struct conn *conn, uint8_t header[PROXY_HEADER_MAX]);

#endif
