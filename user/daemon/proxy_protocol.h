/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The PROXY protocol header in front of a client's bytes (haproxy.org, proxy-protocol.txt). */
#ifndef ALPNLB_PROXY_PROTOCOL_H
#define ALPNLB_PROXY_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "../../bpf/model.h"

/* Version 2 with everything there is; the longest line of version 1 has 108. */
#define PROXY_HEADER_MAX 512

/* Writes the header that conn->proxy_protocol asks for; returns its length. */
size_t proxy_header(const struct conn *conn, uint8_t header[PROXY_HEADER_MAX]);

#endif
