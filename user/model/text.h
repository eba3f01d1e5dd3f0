/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Short texts for messages: what does not fit is cut, so nothing here can fail. */
#ifndef ALPNLB_TEXT_H
#define ALPNLB_TEXT_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char s[1024]; /* terminated; all zero is an empty text */
	size_t len;
};

__attribute__((format(printf, 2, 3))) void text_append(struct text *text, const char *format, ...);

/* Characters of a text in UTF-8. */
size_t text_characters(const char *s);

/*
 * Finds characters that are written raw in JSON text but that YAML forbids there or reads as a
 * line break: a configuration holding them could be stored but not read again. And NUL. The text is
 * valid UTF-8.
 */
bool text_find_unsafe(const char *s, size_t len, uint32_t *c);

#define UNSAFE_CHARACTER                                                                           \
	"contains the character U+%04X, allowed: printable ones, tabs and line breaks"

/* Appends `s` with control characters escaped, cut after 40 bytes or so. */
void text_append_escaped(struct text *text, const char *s, size_t len);

/* The same in quotes, as a text of its own. */
struct text text_quoted(const char *s, size_t len);

/* Appends a value as a message quotes it: "text", 17, true, null, a list, a mapping. */
void text_append_value(struct text *text, const json_t *value);

/* Edits (insert, delete, replace a byte) between two words; words over 32 bytes are far apart. */
size_t edit_distance(const char *a, const char *b);

#endif
