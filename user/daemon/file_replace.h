/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_FILE_REPLACE_H
#define ALPNLB_FILE_REPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Puts a file of these bytes in the place of `path`, durably: after a crash at any instant it is
 * the old one or the new one, as a whole. PATH.new is used meanwhile. 0 or -errno; on failure the
 * old one is still there.
 */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode);

/* Is it the same file as then, and has nobody written to it? */
bool file_is_same(const struct stat *a, const struct stat *b);

#endif
