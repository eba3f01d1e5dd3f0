/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTE_LEN 40
#define WORD_LEN  32

void text_append(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->s) - text->len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text->s + text->len, room, format, ap);
	va_end(ap);
	if (n > 0)
		text->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void append_char(struct text *text, unsigned char c)
{
	if (c == '\n')
		text_append(text, "\\n");
	else if (c == '"' || c == '\\')
		text_append(text, "\\%c", c);
	else if (c < 0x20 || c == 0x7f)
		text_append(text, "\\x%02x", c);
	else
		text_append(text, "%c", c);
}

static bool continues_utf8(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t text_characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += !continues_utf8(*s);
	return n;
}

static uint32_t next_code_point(const unsigned char *s, size_t *i)
{
	static const uint8_t lengths[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
	uint8_t length = lengths[s[*i] >> 4];
	uint32_t c = length == 1 ? s[*i] : s[*i] & (0xff >> (length + 1));

	for (uint8_t n = 1; n < length; n++)
		c = c << 6 | (s[*i + n] & 0x3f);
	*i += length;
	return c;
}

bool text_find_unsafe(const char *s, size_t len, uint32_t *c)
{
	for (size_t i = 0; i < len;) {
		*c = next_code_point((const unsigned char *)s, &i);
		if (*c == 0 || (*c >= 0x7f && *c <= 0x9f) || *c == 0x2028 || *c == 0x2029 ||
		    *c == 0xfeff || *c == 0xfffe || *c == 0xffff)
			return true;
	}
	return false;
}

void text_append_escaped(struct text *text, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && (i < QUOTE_LEN || continues_utf8(s[i])); i++)
		append_char(text, s[i]);
	if (i < len)
		text_append(text, "...");
}

struct text text_quoted(const char *s, size_t len)
{
	struct text text = {0};

	text_append(&text, "\"");
	text_append_escaped(&text, s, len);
	text_append(&text, "\"");
	return text;
}

/* With digits enough to be told from others. Not to be taken for an integer: 80.0, not 80. */
static void append_real(struct text *text, double value)
{
	size_t begin = text->len;
	char digits[32];

	snprintf(digits, sizeof(digits), "%.15g", value);
	text_append(text, "%.*g", strtod(digits, NULL) == value ? 15 : 17, value);
	if (!strpbrk(text->s + begin, ".e"))
		text_append(text, ".0");
}

void text_append_value(struct text *text, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		text_append(text, "\"");
		text_append_escaped(text, json_string_value(value), json_string_length(value));
		text_append(text, "\"");
		break;
	case JSON_INTEGER:
		text_append(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		append_real(text, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		text_append(text, json_is_true(value) ? "true" : "false");
		break;
	case JSON_NULL:
		text_append(text, "null");
		break;
	case JSON_ARRAY:
		text_append(text, "a list");
		break;
	case JSON_OBJECT:
		text_append(text, "a mapping");
		break;
	}
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t min = a < b ? a : b;

	return min < c ? min : c;
}

size_t edit_distance(const char *a, const char *b)
{
	size_t row[WORD_LEN + 1], la = strlen(a), lb = strlen(b);

	if (la > WORD_LEN || lb > WORD_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}
