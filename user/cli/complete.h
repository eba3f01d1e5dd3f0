/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_COMPLETE_H
#define ALPNLB_COMPLETE_H

#include "cli.h"

/* What has been typed. */
struct line {
	const struct noun *noun;
	const struct verb *verb;
	const char *argument;
	const char *values[KEYWORDS_MAX]; /* by keyword; one whose value is missing has its name */
};

/* Prints a word that may follow; under -j it is kept for complete_end(). */
void complete_offer(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns an exit code. */
int complete_end(void);

/*
 * Offer what may follow, for the shell's completion; nothing if there is nothing. Values are names
 * or ids of the noun: of what is staged for verbs that write, else of what runs.
 */
void complete_value(const struct line *line, const struct keyword *keyword);
void complete_argument(const struct line *line);

/* For struct noun's names(): a list of the API, or of its objects what they have at `key`. */
void complete_service(const char *path, const char *key);

#endif
