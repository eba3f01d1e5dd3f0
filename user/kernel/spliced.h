/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The spliced connections of an instance, from its pinned maps and programs: with and without a
 * daemon.
 */
#ifndef ALPNLB_SPLICED_H
#define ALPNLB_SPLICED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/flow.h"
#include "../../bpf/model.h"

enum spliced_state {
	SPLICED_OPEN = 0,
	SPLICED_CLOSING, /* one side has finished */
	SPLICED_CLOSED,	 /* both have; the entry only lingers */
	SPLICED_RESET,	 /* likewise */
};

/* Both entries of a connection. */
struct spliced {
	struct flow_key key[2]; /* by side: of the packets from there */
	struct flow flow[2];	/* likewise; zero without `paired` */
	bool paired; /* false: closed, and the client's entry has made room for a new connection */
};

/* Where the packets of the client leg come from: the client, or its proxy. */
const uint8_t *conn_source(const struct conn *conn);

/* Of the packets that come from there. */
void key_of_client(const struct conn *conn, struct flow_key *key);

/*
 * The fd of the flow table, or -errno: -ENOENT when there is none, -EPROTO when it is another
 * version's.
 */
int spliced_open(const char *instance);

/* The number of connections the table has room for; 0 if that cannot be read. */
uint32_t spliced_room(int map);

/*
 * Calls step() for each connection for which wanted(), which sees the server's entry, is true. 0 or
 * -errno. Connections that come or go meanwhile may be missed.
 */
typedef bool spliced_wanted(const struct flow_key *key, const struct flow *server, void *context);
typedef void spliced_step(const struct spliced *spliced, void *context);
int spliced_walk(int map, spliced_wanted *wanted, spliced_step *step, void *context);

/* Fills in both entries by `key[CLIENT]`; false if it has not both. */
bool spliced_find(int map, struct spliced *spliced);

/* The fd of the table of what clients said, or -errno. */
int spliced_open_hellos(const char *instance);

/* What the client said, of the table; which may be an error. False if that is not known. */
bool spliced_hello(int map, const struct flow_key *server, struct flow_hello *kept);

/* What was read from that table; false if it is not what the program keeps. */
bool flow_hello_read(const struct flow_hello *kept, struct hello *hello);

/* The client that a proxy has told of, its port in network order; false if there is no proxy. */
bool flow_hello_client(const struct flow_hello *kept, uint8_t client[16], __be16 *port);

enum spliced_state spliced_state(const struct spliced *spliced);

/* Is it more than an entry that lingers? */
bool spliced_lives(const struct spliced *spliced);

/* Nanoseconds, CLOCK_MONOTONIC: of the last packet of either side. */
uint64_t spliced_seen(const struct spliced *spliced);

/* A connection to be cut. */
struct spliced_cut {
	struct flow_event event;
	uint32_t slot; /* of its sockets, if they are still there */
};
struct spliced_cut spliced_cut_of(const struct spliced *spliced);

/*
 * Removes connections from the table and resets both ends; `why` is what the log tells. Those whose
 * sockets are still there stay: they come first in `cuts` then, and their number is *left. 0 or
 * -errno.
 */
int spliced_cut(const char *instance, enum counter why, struct spliced_cut *cuts, size_t n,
		size_t *left);

/* A growing list of those to be cut; zero at first, and `v` is the caller's to free. */
struct spliced_cuts {
	struct spliced_cut *v;
	size_t n, room;
	bool out_of_memory; /* some are missing */
};

/* Adds a connection, unless it has ended: its ports are in quarantine, and nobody holds on to it.
 */
void spliced_cuts_add(struct spliced_cuts *cuts, const struct spliced *spliced);

/*
 * Cuts all connections likewise to servers, of which `servers` tells by their ids; *cut are gone,
 * others still have their sockets. 0 or -errno.
 */
int spliced_cut_servers(const char *instance, enum counter why, const bool servers[MAX_SERVERS + 1],
			uint64_t *cut);

/*
 * Removes all connections from a table that another version has made, without a daemon, and resets
 * both ends. Their number is *cut. 0 or -errno.
 */
int spliced_cut_unread(const char *instance, uint64_t *cut);

#endif
