/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The revisions of a state (state.h): what state.c needs to keep them. */
#ifndef ALPNLB_REVISIONS_H
#define ALPNLB_REVISIONS_H

#include "state.h"

/*
 * Writes a new revision's file and adds it to `index`; `zone` is what it is to run in, NULL for
 * nowhere. While there is `unwritten`, it is kept there instead.
 */
int revisions_add(struct state *state, json_t *index, const json_t *root, const char *comment,
		  const char *zone, uint32_t *number);

/* Removes the files of revisions that the index `after` has and `before` does not have yet. */
void revisions_forget(const struct state *state, const json_t *before, const json_t *after);

/* Writes what is `unwritten`. */
int revisions_write_missing(struct state *state);

/* Removes files of revisions that have left the list. */
void revisions_prune(const struct state *state);

/* ---- of state.c ----------------------------------------------------------------------- */

/* Sets the line in `failed`, and returns `err`. */
int state_fail(struct state *state, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The whole file, malloc()ed. 0 or -errno. */
int file_read(const char *path, char **bytes, size_t *len);

#endif
