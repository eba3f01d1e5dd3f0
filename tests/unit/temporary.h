/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A directory of a test's own, for the files it makes.
 */
#ifndef ALPNLB_TEST_TEMPORARY_H
#define ALPNLB_TEST_TEMPORARY_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static char temporary_directory[PATH_MAX / 2];

/* Below $TMPDIR, or /tmp. Returns 0, or -1. */
static inline int temporary_make(void)
{
	const char *parent = getenv("TMPDIR");
	int len = snprintf(temporary_directory, sizeof(temporary_directory),
			   "%s/alpnlb-test-XXXXXX", parent && *parent ? parent : "/tmp");

	return len < (int)sizeof(temporary_directory) && mkdtemp(temporary_directory) ? 0 : -1;
}

#endif
