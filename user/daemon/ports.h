/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Source ports of server legs that may become spliced. The kernel takes the port of a spliced
 * connection for free, so alpnlb has a range of its own and keeps its own book: per source address
 * and server, since only the whole tuple has to be unique. What is in use from one address is not
 * given where the kernel may choose that address. A port is given back when the connection is over
 * and the flow table has forgotten it, which is its quarantine.
 */
#ifndef ALPNLB_PORTS_H
#define ALPNLB_PORTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/flow.h"
#include "../model/objects.h"

struct server_ports;

struct ports {
	pthread_mutex_t lock;
	struct port_range range;      /* host order */
	struct prefix_list addresses; /* to connect from; not set = the kernel's choice. Owned */
	struct server_ports *servers; /* uthash */
	uint64_t *used;		      /* ports, of all servers and addresses; read by others */
	atomic_bool disputed;	      /* another instance has them: none is to be taken */
	atomic_bool whole;	      /* those of an earlier daemon's flows are in the book */
};

/* A port in use. */
struct port_lease {
	uint8_t address[16]; /* to bind to: IPv6 or mapped; all zero = the kernel's choice */
	uint16_t port;	     /* host order; 0 = none */
};

/* `used` is where to keep how many are in use, by leases and flows. */
void ports_init(struct ports *ports, uint64_t *used);

/* What a new configuration says. Ports in use outside its range stay so until they are given back.
 */
void ports_configure(struct ports *ports, const struct port_range *range,
		     const struct prefix_list *addresses);
void ports_free(struct ports *ports);

/* Is there an address that a server can be reached from? */
bool ports_reach(struct ports *ports, const uint8_t server[16]);

/* Takes a port towards a server (address as in the tables, port in network order). */
bool ports_take(struct ports *ports, const uint8_t server[16], __be16 port,
		struct port_lease *lease);

/*
 * The kernel has chosen the address of a lease that had none. False: there is no memory, and all is
 * as before.
 */
bool ports_settle(struct ports *ports, const uint8_t server[16], __be16 port,
		  struct port_lease *lease, const uint8_t address[16]);

/* Gives it back. */
void ports_give(struct ports *ports, const uint8_t server[16], __be16 port,
		const struct port_lease *lease);

/*
 * Takes the port of a flow that exists already, or gives it back; `key` is of its server leg. False
 * if it was taken, or free, before.
 */
bool ports_take_flow(struct ports *ports, const struct flow_key *key);
bool ports_give_flow(struct ports *ports, const struct flow_key *key);

#endif
