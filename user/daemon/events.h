/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happens, told to those who ask: `alpnlb monitor`. Any thread may tell; the main thread hands
 * it on. As long as nobody asks for a kind, telling of it is one read of a word.
 */
#ifndef ALPNLB_EVENTS_H
#define ALPNLB_EVENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/door.h"
#include "../../bpf/flow.h"
#include "../../bpf/model.h"

#define EVENT_KINDS(X)                                                                             \
	X(MONITOR, "monitor")	/* a reader begins: nothing is missed from here on */              \
	X(LOST, "lost")		/* events that a reader was too slow for */                        \
	X(REFRESH, "refresh")	/* a configuration is in force */                                  \
	X(LIMIT, "limit")	/* one was reached: enum event_limit */                            \
	X(FALLBACK, "fallback") /* a connection takes another path than the first choice */        \
	X(REFUSED, "refused")	/* a connection was, by what its frontend allows */                \
	X(CLOSED, "closed")	/* a connection was, by the balancer */                            \
	X(ENDED, "ended")	/* a connection did, by its two ends */                            \
	X(DROPPED, "dropped")	/* a packet was, at the door; some of them are told of */          \
	X(SERVER_UP, "server_up")                                                                  \
	X(SERVER_DOWN, "server_down")                                                              \
	X(SERVER_DRAIN, "server_drain") /* no new connections */

enum event_kind {
#define X(id, name) EVENT_##id,
	EVENT_KINDS(X)
#undef X
		EVENT_KIND_MAX,
};

#define EVENT_LIMITS(X)                                                                            \
	X(SLOTS, "slots")		      /* --max-connections, or descriptors */              \
	X(MAX_CONNECTIONS, "max_connections") /* of a frontend or a server */                      \
	X(RATE, "rate_limit")		      /* of a frontend, or of each of its clients */       \
	X(NAT_PORTS, "nat_ports")                                                                  \
	X(MAX_FLOWS, "max_flows")

enum event_limit {
#define X(id, name) LIMIT_##id,
	EVENT_LIMITS(X)
#undef X
		LIMIT_MAX,
};

#define EVENT_TEXT 256

struct event_record {
	enum event_kind kind;
	uint64_t time; /* CLOCK_REALTIME, nanoseconds; 0: now */
	/*
	 * Of a connection: who, where to, what it said; bytes in `flow`. Of a server: server_id,
	 * farm_id. Of a limit: of which frontend or server it is, 0 for none.
	 */
	struct conn conn;
	uint64_t duration; /* of a connection: nanoseconds */
	uint64_t number;   /* of a refresh: the revision; of LOST: events */
	/* Of a connection's end: its counter, COUNTER_MAX if there is none. */
	enum counter counter;
	/* Why: of FALLBACK, of DROPPED, of an end without a counter, of a server, of a connect that
	 * failed; the comment of a refresh; the name of a limit. */
	char text[EVENT_TEXT];
	char by[64]; /* of a refresh: who asked for it */
};

/* A bit by enum event_kind. */
extern atomic_uint events_wanted;

/* Does anybody want to know? To be asked before a record is made. */
static inline bool event_wanted(enum event_kind kind)
{
	return atomic_load_explicit(&events_wanted, memory_order_relaxed) >> kind & 1;
}

/* Tells; the record is copied. Never waits for a reader: what finds no room is lost, and counted.
 */
void event_emit(const struct event_record *record);

/* Of a server's health or status; `why` may be NULL. */
void event_server(enum event_kind kind, uint32_t farm_id, uint32_t server_id, const char *why);

/* Once a second at most for each limit and frontend, which is 0 where it is of none. */
void event_limit(enum event_limit limit, uint32_t frontend_id);

/* The server has as many connections as its max_connections; likewise for each server. */
void event_server_full(uint32_t farm_id, uint32_t server_id);

/* A peer that leaves ends a connection; whatever else has a counter is the balancer's doing. */
enum event_kind event_kind_of_end(enum counter counter);

/* Of a packet that did not pass the door. */
void event_drop(const struct door_drop *drop);

/* Of a spliced connection that is gone. */
void event_flow(const struct flow_event *event);

#define EVENTS_MAX 4096 /* that wait to be handed on */

/* ---- for the one reader, in the main thread ------------------------------------------------ */

/* Sets what is wanted; makes the queue with the first. 0 or -errno. */
int events_want(unsigned int kinds);

/* An fd that is readable when there are records; -1 as long as nobody wants any. */
int events_fd(void);

/*
 * The oldest record. False when there is none; then the fd is not readable, until one comes. `lost`
 * are, by their kind, the numbers of those that found no room since the last call.
 */
bool events_take(struct event_record *record, uint64_t lost[EVENT_KIND_MAX]);

/* Frees the queue, when no other thread tells any more. */
void events_free(void);

#endif
