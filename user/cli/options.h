/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options that every command has. They stand before the noun or behind it, where no value is
 * due. */
#ifndef ALPNLB_OPTIONS_H
#define ALPNLB_OPTIONS_H

#include <stdbool.h>

#include "cli.h"

enum { OPTION_INSTANCE = 256 };

/* For getopt_long(), beside options of a command's own; <getopt.h> comes first. */
#define OPTIONS_SHORT "jp"
/* clang-format off */
#define OPTIONS_LONG \
	{"json", no_argument, NULL, 'j'}, \
	{"pretty", no_argument, NULL, 'p'}, \
	{"instance", required_argument, NULL, OPTION_INSTANCE}
/* clang-format on */

/* Sets one of these. Returns 0, or an exit code after saying what is wrong; keeps `value`. */
int option_take(int option, const char *value);

/* Has errors told as JSON when an option for that stands anywhere, or a value that reads so. */
void options_foresee(int argc, char **argv);

/*
 * Takes the options that `*argv` begins with from it; a word stands before it. Returns -1 to go on,
 * or the exit code: after saying what is wrong or which version this is, or for the caller to print
 * help, which sets `*help`.
 */
int options_take(int *argc, char ***argv, bool *help);

#endif
