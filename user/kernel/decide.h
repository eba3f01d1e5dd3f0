/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's build of the evaluator: for connections whose hello the program does not
 * read (relay, no byte needed, timeout), for lists it cannot hold, and for dry runs.
 */
#ifndef ALPNLB_DECIDE_H
#define ALPNLB_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tables.h"

/* What server choice reads and writes beside the tables; rows by id, from the pinned maps. */
struct balance_stats {
	struct farm_stats *farms;     /* MAX_FARMS + 1 rows, or NULL: choose no server */
	struct server_stats *servers; /* MAX_SERVERS + 1 rows */
	struct server_health *health; /* likewise */
	const int *sticks; /* fds of the tables of clients that stick, by farm id; or NULL */
};

/* What a rule can look at. */
struct subject {
	const struct hello *hello; /* verdict and what was collected */
	const uint8_t *alpn;	   /* the whole offered list, readable 8 bytes past its end */
	size_t alpn_len;
	uint8_t source[16]; /* IPv6, or IPv4 mapped */
};

struct decision {
	enum action action; /* ACTION_NONE: no route matched, and no default farm */
	uint32_t route_id;  /* 0 = default farm */
	uint32_t farm_id;   /* for ACTION_FARM */
	/* Times that a regular expression reached a limit: its rule did not hold; one of them. */
	uint32_t gave_up;
	const struct regex *gave_up_on; /* of the tables */
};

/* What came of a regular expression on the way to a decision. */
struct regex_note {
	uint32_t route_id; /* 0: it was not asked */
	enum field field;
	enum regex_answer answer;
};

/*
 * The daemon has other connections to look after: when this many regular expressions of a decision
 * were given up, so are the rest. And when they have taken that long of a processor, in
 * nanoseconds. The share of each lets any number of ordinary ones be tried. One counts for no more
 * than it can well take, since the host may be slow at times, and that shall change no decision.
 */
#define GIVE_UPS_MAX   4
#define REGEX_TIME     5000000 /* for all ... */
#define REGEX_SHARE    10000   /* ... and for each rule that is tried */
#define REGEX_TIME_ONE 1000000

/* Feeds the next bytes of a client to a parser. */
enum verdict hello_read(struct hello *hello, const void *data, size_t len);

/* The verdict on a client that has ended its data before there was one. */
enum verdict hello_cut_short(const struct hello *hello);

/* PROTOCOL_* of a hello, from the list it keeps. */
uint32_t hello_speaks(const struct hello *hello);

/* Points the subject at the hello and at the part of the offered list that it holds. */
void subject_init(struct subject *subject, const struct hello *hello, const uint8_t source[16]);

/*
 * Points the subject at the whole offered list, found again in the client's first bytes
 * `data`. *list is malloc()ed and the caller's. 0, -EINVAL (not all there) or -ENOMEM.
 */
int subject_whole_alpn(struct subject *subject, const void *data, size_t len, uint8_t **list);

/* Which route and farm a client of this frontend gets. */
void decide(const struct tables *tables, uint32_t frontend_id, const struct subject *subject,
	    struct decision *decision);

/* The same; `notes` has room for each of the tables' regular expressions, or is NULL. */
void decide_and_note(const struct tables *tables, uint32_t frontend_id,
		     const struct subject *subject, struct decision *decision,
		     struct regex_note *notes);

/* May a client of this source use the frontend? */
bool source_admitted(const struct tables *tables, const struct frontend_row *frontend,
		     const uint8_t source[16]);

/* Does this source begin with a PROXY header? */
bool source_is_proxy(const struct tables *tables, const struct frontend_row *frontend,
		     const uint8_t source[16]);

/* A connection that needs a server. */
struct asker {
	uint32_t farm_id;
	const uint8_t *source; /* 16 bytes */
	const uint32_t *tried; /* servers that failed it */
	uint32_t tried_count;
	bool waited; /* it stands in the farm's queue; who does not comes behind those who do */
	/* the answer, if there is no server */
	bool full;  /* there would be one, but for max_connections */
	bool stuck; /* it sticks to that one, and wants no other */
};

/*
 * Chooses a server of the farm that is not among those tried, and counts it as live. Returns its
 * id, or 0 when there is none.
 */
uint32_t choose_server_or_wait(const struct tables *tables, const struct balance_stats *stats,
			       struct asker *asker);

#endif
