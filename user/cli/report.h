/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Mistakes in a configuration, as `check` and `apply` report them. */
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

/* How messages call the file the user gave, which may be "-". */
const char *file_label(const char *file);

#endif
