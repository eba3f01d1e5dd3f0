/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_CHANGES_H
#define ALPNLB_CHANGES_H

#include <jansson.h>

/* Prints what staged_compare() found, as a diff; nothing if nothing differs. */
void changes_print(const char *before, const char *after, const json_t *changes);

#endif
