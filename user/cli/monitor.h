/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_CLI_MONITOR_H
#define ALPNLB_CLI_MONITOR_H

#include <jansson.h>

/*
 * An event as a line for people and for grep: its time and what it is, then KEY=VALUE of whatever
 * has one; a value with blanks or quotes stands in quotes. malloc()ed, NULL when out of memory.
 */
char *event_text(const json_t *event);

#endif
