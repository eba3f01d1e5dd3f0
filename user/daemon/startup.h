/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which configuration a start begins with. A daemon goes on with the state it left: what ran, and
 * what was staged. A file is made the running configuration when there is no state yet, or when
 * the file has changed since it was; comments and layout do not count as a change.
 */
#ifndef ALPNLB_STARTUP_H
#define ALPNLB_STARTUP_H

#include "daemon.h"

struct startup {
	const char *name;	   /* of the file; NULL for none */
	struct document *document; /* of the file */
	struct config *from_file, *from_state;
	char hash[HASH_LEN]; /* of what the file says */
	char comment[256];
	struct refresh refresh;
};

/* Each step logs what fails, and returns 0 or -errno. */

/* Reads the file; `file` may be NULL. */
int startup_read(struct startup *startup, const char *file);

/* Opens the state and stages what is to be staged. */
int startup_stage(struct startup *startup, struct daemon *daemon);

/* What is going to run. */
const struct config *startup_config(const struct startup *startup, const struct daemon *daemon);

/* Makes it the running configuration. From then on what is written is kept in the state. */
int startup_run(struct startup *startup, struct daemon *daemon);

void startup_free(struct startup *startup);

#endif
