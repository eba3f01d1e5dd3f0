/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_INPUT_H
#define ALPNLB_INPUT_H

#include <stddef.h>
#include <stdio.h>

/*
 * Opens a file, "-" for standard input, to be read and closed with input_close(). Returns an exit
 * code, after it has said what failed.
 */
int input_open(const char *path, FILE **file);
void input_close(FILE *file);

/*
 * Reads a whole file, "-" for standard input, of at most 64 MB into *bytes, which the
 * caller frees in any case. Returns an exit code, after it has said what failed.
 */
int input_read(const char *path, char **bytes, size_t *len);

/* The same of a text, which ends with a NUL byte and has no other. */
int input_read_text(const char *path, char **text);

#endif
