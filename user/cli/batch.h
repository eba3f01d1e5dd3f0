/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_BATCH_H
#define ALPNLB_BATCH_H

#define BATCH_WORDS_MAX 128

/*
 * Splits a line into words, in place: at blanks, but for those in '...' or "..."; a # that begins
 * a word begins a comment. Returns how many words there are, -1 when a quote is not closed,
 * -2 when there are more than BATCH_WORDS_MAX.
 */
int line_split(char *line, char *words[BATCH_WORDS_MAX]);

#endif
