/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Turning values into text that is safe on a terminal and valid in JSON. Pure functions. */
#ifndef ALPNLB_FORMAT_H
#define ALPNLB_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * Bytes a stranger sent, as printable ASCII: everything else, and the backslash, becomes
 * \xNN, so that no two inputs look alike. malloc()ed, NULL when out of memory.
 */
char *bytes_escape(const uint8_t *bytes, size_t len);

/* bytes_escape() as a JSON string, with "..." behind bytes that were cut. */
json_t *json_bytes(const uint8_t *bytes, size_t len, bool cut);

/*
 * The names of an ALPN list as a JSON array: each behind its length byte, as RFC 7301 sends
 * them. Where a list was cut, "..." is behind what there is of its last name, or one more name.
 */
json_t *json_alpn(const uint8_t *list, size_t len, bool cut);

/*
 * Text an operator wrote, for the terminal: UTF-8 stays, control characters (C0, DEL, C1)
 * and the marks that change the direction of writing, and bytes that are not UTF-8, become
 * \xNN. malloc()ed, NULL when out of memory.
 */
char *display_escape(const char *text);

/* Does it begin or end with a blank, so that it has to be in quotes to be seen? */
bool display_is_blank(const char *text);

/* A JSON string of such text: bytes that are not UTF-8 as display_escape() writes them. */
json_t *json_text(const char *text);

/* Characters of a UTF-8 string, which is how many columns it is taken to need. */
size_t display_width(const char *text);

/* "999 B", "1.2 KiB", ... */
void bytes_format(uint64_t bytes, char *buf, size_t size);

/* "350ms", "12.5s", "3m05s", "2h14m", "5d03h" */
void milliseconds_format(uint64_t milliseconds, char *buf, size_t size);

/* "2026-11-25T14:29:08+00:00" */
json_t *json_date(time_t when);

/* A JSON string of endpoint_format(). */
json_t *json_endpoint(const uint8_t address[16], uint16_t port);

/* json_object_set_new() that keeps NULL strings as null, and escapes what is not UTF-8. */
void set_string(json_t *object, const char *key, const char *value);
void set_integer(json_t *object, const char *key, json_int_t value);

#endif
