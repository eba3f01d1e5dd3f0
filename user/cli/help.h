/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_HELP_H
#define ALPNLB_HELP_H

#include "cli.h"

/* Writes what `alpnlb help` prints, or help on one noun. Returns an exit code. */
int cli_help(const struct noun *const *nouns);
int noun_help(const struct noun *noun);

/*
 * `alpnlb help list WORD...`: what may come after these words of a command, one per line, for the
 * shell's completion. Mistakes print nothing: there is nothing to complete.
 */
int help_list(const struct noun *const *nouns, int argc, char **argv);

#endif
