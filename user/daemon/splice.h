/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a connection gets on the packet path, as the worker sees it:
 *
 *	lease a port, connect ---> splice_begin() ---> forward what the client leg holds
 *	---> the server has acknowledged it, and no packet can still reach a socket
 *	---> close both sockets without a packet
 *
 * From splice_begin() on the program moves packets from leg to leg. A packet that had come by
 * before still reaches a socket; the worker moves its bytes as on the relay path, and the program
 * is told, so that the sockets stay until those are acknowledged as well.
 *
 * A connection of which too much has come already is relayed, until a moment when all of it has
 * been acknowledged.
 */
#ifndef ALPNLB_DAEMON_SPLICE_H
#define ALPNLB_DAEMON_SPLICE_H

#include <stdbool.h>
#include <stddef.h>

#include "../../bpf/model.h"

struct session;
struct worker;

/*
 * Opens the server leg from a port of alpnlb's own and begins to connect. Returns the fd, or
 * -errno; -EADDRNOTAVAIL when there is no port, and then the connection is not for this path.
 */
int splice_connect(struct session *session);

/* The server leg is closed: its port is free, unless a flow has it. */
void splice_return_port(struct session *session);

/*
 * Makes the connection spliced; `prefix` is what will be written in front of the client's bytes.
 * False, with conn->refusal set, if that cannot be.
 */
bool splice_begin(struct session *session, size_t prefix);

/*
 * Tries again with one that was behind, if nothing is on its way through its sockets. False if it
 * is still not spliced; whether it is worth another try is in session->behind.
 */
bool splice_retry(struct session *session);

/* Before a direction of a spliced connection is run: tells the program what is to be sent on. */
void splice_announce(struct session *session, enum side side);

/* Removes a spliced connection's flow; its sockets end by themselves. */
void splice_cancel(struct session *session);

/* Closes the sockets of those that need them no more. */
void splice_finish(struct worker *worker);

#endif
