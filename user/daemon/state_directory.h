/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an instance keeps on disk: a directory below STATE_ROOT, for root only. */
#ifndef ALPNLB_STATE_DIRECTORY_H
#define ALPNLB_STATE_DIRECTORY_H

#include <stddef.h>

#define STATE_ROOT "/var/lib/alpnlb"
#define STATE_PATH 256 /* bytes that the path of a file in it needs at most */

/* Makes it unless it is there. 0 or -errno. */
int state_directory_make(const char *instance);

/* The path of a file in it; `buf` holds STATE_PATH bytes. */
const char *state_directory_path(const char *instance, const char *file, char *buf);

#endif
