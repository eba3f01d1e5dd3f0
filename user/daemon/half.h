/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One direction of an open connection: from the leg `side` to the other leg. Whatever moves
 * the bytes, the end of the data is passed on as a half-close, and only after every byte.
 *
 *	COPY      the worker reads and writes (a buffer; splice(2) where no program is attached)
 *	REDIRECT  the program redirects; nothing comes to the worker
 *	SETTLE    the program has stopped, or the source has ended: redirected bytes are still on
 *	          their way into the target's send queue, and nothing may overtake them
 *	DONE      the target has been told that no more will come
 */
#ifndef ALPNLB_HALF_H
#define ALPNLB_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/model.h"
#include "pipes.h"

struct session;

enum half_mode {
	HALF_COPY = 0,
	HALF_REDIRECT,
	HALF_SETTLE,
	HALF_DONE,
};

/* What a turn left behind. */
enum half_result {
	HALF_WAITS = 0, /* for an event of a socket, or for its timer */
	HALF_BUSY,	/* there is more to do at once */
	HALF_SOURCE_FAILED,
	HALF_TARGET_FAILED,
};

struct half {
	uint8_t mode;	/* enum half_mode */
	bool readable;	/* an event said so, and reading has not emptied the source since */
	bool ended;	/* the source has sent its FIN */
	bool urgent;	/* urgent data came: a short read proves nothing any more */
	bool behind;	/* recv() said so too early: packets are still being queued */
	bool bulk;	/* much was moved in the last turn: worth a pipe */
	uint64_t taken; /* bytes of the stream read by the worker or redirected before it */
	uint8_t *held;	/* bytes read but not written; owned */
	size_t held_at, held_len, held_size;
	struct pipe pipe;
};

void half_init(struct half *half);
void half_free(struct half *half, struct pipes *pipes);

/* Appends bytes to be written before anything that is read later. 0 or -ENOMEM. */
int half_hold(struct half *half, const void *data, size_t len);

/* Moves what can be moved in one turn. */
enum half_result half_run(struct session *session, enum side side);

/* The program has stopped redirecting. */
void half_throttled(struct session *session, enum side side);

/* A leg has reported the end of its data. */
void half_source_ended(struct session *session, enum side side);

/* Bytes a socket has received, and has had acknowledged: grows while its peer is alive. */
uint64_t leg_progress(int fd);

/* Bytes of its peer's stream a socket has received, without the FIN. 0 or -errno. */
int leg_received(int fd, uint64_t *bytes);

/* Has its peer sent its FIN, or a reset? Not if there is no socket yet, with a negative `fd`. */
bool leg_has_ended(int fd);

/* Has the worker read every byte that came, as far as it has been told? */
bool half_has_all(const struct session *session, enum side side);

/* Does it have to be looked at again without an event? */
bool half_settling(const struct half *half);

#endif
