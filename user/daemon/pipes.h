/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pipes for splice(2), kept by a worker and lent to a direction while it has bytes in one:
 * an idle connection holds none.
 */
#ifndef ALPNLB_PIPES_H
#define ALPNLB_PIPES_H

#include <stddef.h>

#define PIPES_KEPT 64

struct pipe {
	int in, out; /* write end, read end; -1 = none */
	size_t len;  /* bytes inside */
};

struct pipes {
	struct pipe kept[PIPES_KEPT];
	size_t n;
};

/* Lends an empty pipe. 0 or -errno (out of descriptors: copy instead). */
int pipes_take(struct pipes *pipes, struct pipe *pipe);

/* Takes a pipe back; one that still holds bytes is closed. Accepts a pipe that was not lent. */
void pipes_give(struct pipes *pipes, struct pipe *pipe);

void pipes_close(struct pipes *pipes);

#endif
