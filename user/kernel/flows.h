/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side of the packet path: its programs, the flow table, and the interfaces they are
 * attached to. Links and flows are pinned, and go on without a daemon; the next one takes them
 * over.
 */
#ifndef ALPNLB_FLOWS_H
#define ALPNLB_FLOWS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/flow.h"
#include "instance.h"

struct splice_bpf;

struct flows {
	struct splice_bpf *programs; /* NULL when the packet path is not available */
	const struct instance *instance;
	int claim;	      /* see claim.h */
	int layout;	      /* see layout.h */
	pthread_mutex_t lock; /* held to attach */
	atomic_bool strips;   /* some client came without an option: `splice_syn` is wanted */
	atomic_int open;      /* the program of openings.h, to be attached, too; 0 = none */
	bool keep;	      /* pins and attachments shall stay, or were there before */
};

/*
 * Loads the programs, with the flow table an earlier daemon left, if there is one. Returns 0 or
 * -errno; *failed then says what could not be done. -EPROTO: it is another version's.
 */
int flows_open(struct flows *flows, const struct instance *instance, uint32_t max_flows,
	       const char **failed);

/*
 * Tries to load and attach the programs, which are gone again afterwards: 0 or -errno, *failed as
 * above.
 */
int flows_probe(const char **failed);

/* Pins and attachments go, unless flows->keep says that they are to stay. Accepts a closed one. */
void flows_close(struct flows *flows);

/*
 * Attaches to the interfaces of this network namespace, as far as that has not been done and they
 * have a link layer that is known. 0, or -errno when there is none that could be attached to.
 */
int flows_attach(struct flows *flows);

/*
 * From now on the SYN of this server leg goes out without some options, until flows_unstrip().
 * 0 or -errno.
 */
int flows_strip(struct flows *flows, const struct syn_key *key, uint32_t without);
void flows_unstrip(struct flows *flows, const struct syn_key *key);
int flows_pin(const struct flows *flows);

/* A map of the packet path by its name, or -errno. */
int flows_map_named(const struct flows *flows, const char *name);

/* Makes a connection spliced; what the program answers is in the request. 0 or -errno. */
int flows_start(const struct flows *flows, struct splice_request *request);

/* Why the packet path did not take a connection, by enum splice_result; NULL if it did. */
const char *splice_refusal(uint32_t result);

/* The worker has moved bytes on after the start: see `splice_extend`. 0 or -errno. */
int flows_extend(const struct flows *flows, struct extend_request *request);

/* Packets of a flow leave elsewhere from now on. 0 or -errno; -EIO: not by this interface. */
int flows_move(const struct flows *flows, struct move_request *request);

/* Removes some; see struct remove_request. `program` is the fd of `flow_remove`. 0 or -errno. */
int flows_remove(int program, struct remove_request *request);
int flows_remove_program(const struct flows *flows);

/* Is there an entry? It is copied, if `flow` is not NULL. */
bool flows_find(int map, const struct flow_key *key, struct flow *flow);

typedef void flow_step(const struct flow_key *key, const struct flow *flow, void *context);

/* Calls step() for each entry: 0 or -errno. Entries that come or go meanwhile may be missed. */
int flows_walk(int map, flow_step *step, void *context);

/* The same in pieces of some hundred entries: zero at first. */
struct flow_walk {
	struct flow_key *keys;
	struct flow *values;
	uint32_t position;
};

/* One more piece. 1 when there are others, 0 after the last, or -errno; begins anew after those. */
int flow_walk_on(struct flow_walk *walk, int map, flow_step *step, void *context);
void flow_walk_free(struct flow_walk *walk);

int flows_map(const struct flows *flows);
int flows_closed_ring(const struct flows *flows);
int flows_removed_ring(const struct flows *flows);

#endif
