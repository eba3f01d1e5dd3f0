/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signatures that were used, as long as a request with one of them would not be too old. In a
 * file, too: a daemon that is started again knows what the one before has seen.
 */
#ifndef ALPNLB_API_SEEN_H
#define ALPNLB_API_SEEN_H

#include <stdint.h>

#define SEEN_SECONDS 300 /* what a timestamp may be away from now */

struct seen {
	struct seen_entry *entries; /* NULL until opened */
	int fd;
};

enum seen_verdict {
	SEEN_NEW,
	SEEN_BEFORE,
	/* it must not be let through: */
	SEEN_FULL,   /* no room to remember it */
	SEEN_UNKEPT, /* the file cannot be written, of which errno tells */
};

/* Makes the file unless it is there. 0 or -errno. */
int seen_open(struct seen *seen, const char *path);

void seen_close(struct seen *seen);

/* Looks for a digest of a request made at `timestamp`, and remembers it. Seconds since the epoch.
 */
enum seen_verdict seen_add(struct seen *seen, const uint8_t digest[20], int64_t timestamp,
			   int64_t now);

#endif
