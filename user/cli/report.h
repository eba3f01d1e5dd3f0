/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a configuration that is read or replaced gives rise to, as commands report it. */
#ifndef ALPNLB_REPORT_H
#define ALPNLB_REPORT_H

#include <jansson.h>

#include "../model/decode.h"

/* In text mode, prints each on stderr: "FILE:LINE: PATH: MESSAGE". */
void report_problems(const json_t *problems, const char *file);

/*
 * Ends a command whose configuration was refused: prints the problems and `error`, under -j
 * as one object {"error": ..., "problems": [...]} on stderr. Returns CLI_FAILED.
 */
int report_failure(const json_t *problems, const char *file, const char *error);

/* In text mode, warns of staged changes that an answer of the daemon says are kept. */
void report_kept(const json_t *answer);

/* How messages call the file the user gave, which may be "-". */
const char *file_label(const char *file);

#endif
