/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ends a connection that has no socket any more. */
#ifndef ALPNLB_RESET_H
#define ALPNLB_RESET_H

#include <stdint.h>

#include "../../bpf/flow.h"

/* Opened when they are needed. */
struct reset_sockets {
	int v4, v6;
};
#define RESET_SOCKETS_NONE ((struct reset_sockets){-1, -1})

/*
 * Sends an RST to both ends of a flow that was removed, but not to one that has sent an RST itself:
 * nobody repeats that if it is lost. Its sequence number is what the receiver expects (RFC 5961).
 * 0 or -errno; needs CAP_NET_RAW.
 */
int flow_reset(struct reset_sockets *sockets, const struct flow_event *event);

/*
 * Asks the sender of the packets of `key` whether it is there: a keepalive, as if from their
 * receiver. `seq` is what it expects next, `ack` what is expected of it; `timestamps` are a value
 * and an echo, or NULL.
 */
int keepalive_send(struct reset_sockets *sockets, const struct flow_key *key, uint32_t seq,
		   uint32_t ack, const uint32_t timestamps[2]);

void reset_sockets_close(struct reset_sockets *sockets);

#endif
