/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/decode.h"

static char *put_hex(char *out, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'x';
	*out++ = digits[byte >> 4];
	*out++ = digits[byte & 15];
	return out;
}

char *bytes_escape(const uint8_t *bytes, size_t len)
{
	char *text = malloc(4 * len + 1), *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '\\')
			*out++ = bytes[i];
		else
			out = put_hex(out, bytes[i]);
	}
	*out = '\0';
	return text;
}

json_t *json_bytes(const uint8_t *bytes, size_t len, bool cut)
{
	char *text = bytes_escape(bytes, len);
	json_t *string = text ? json_sprintf("%s%s", text, cut ? "..." : "") : NULL;

	free(text);
	return string;
}

json_t *json_alpn(const uint8_t *list, size_t len, bool cut)
{
	json_t *names = json_array();

	while (len) {
		bool whole = list[0] < len;
		size_t n = whole ? list[0] : len - 1;

		json_array_append_new(names, json_bytes(list + 1, n, !whole));
		cut = cut && whole;
		list += n + 1;
		len -= n + 1;
	}
	if (cut)
		json_array_append_new(names, json_string("..."));
	return names;
}

/*
 * The length of the well-formed UTF-8 sequence at `s` (RFC 3629), its code point in *code;
 * 0 if there is none.
 */
static size_t utf8_next(const uint8_t *s, uint32_t *code)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80	 ? 1
		     : s[0] >> 5 == 0x06 ? 2
		     : s[0] >> 4 == 0x0e ? 3
		     : s[0] >> 3 == 0x1e ? 4
					 : 0;

	if (len < 2) {
		*code = s[0];
		return len;
	}
	*code = s[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < lowest[len] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return len;
}

static int harmless(uint32_t code)
{
	return code >= 0x20 && !(code >= 0x7f && code < 0xa0) && code != 0x061c &&
	       !(code >= 0x200e && code <= 0x200f) && !(code >= 0x2028 && code <= 0x202e) &&
	       !(code >= 0x2066 && code <= 0x2069);
}

char *display_escape(const char *text)
{
	const uint8_t *s = (const uint8_t *)text;
	char *escaped = malloc(4 * strlen(text) + 1), *out = escaped;

	if (!escaped)
		return NULL;
	while (*s) {
		uint32_t code;
		size_t len = utf8_next(s, &code), step = len ? len : 1;

		if (len && harmless(code)) {
			memcpy(out, s, len);
			out += len;
		} else {
			for (size_t i = 0; i < step; i++)
				out = put_hex(out, s[i]);
		}
		s += step;
	}
	*out = '\0';
	return escaped;
}

bool display_is_blank(const char *text)
{
	size_t len = strlen(text);

	return len && (text[0] == ' ' || text[len - 1] == ' ');
}

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	char *escaped = string ? NULL : display_escape(text);

	if (escaped)
		string = json_string(escaped);
	free(escaped);
	return string;
}

size_t display_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((uint8_t)*text & 0xc0) != 0x80;
	return n;
}

void bytes_format(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = bytes / 1024.0;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, size, "%u B", (unsigned int)bytes);
		return;
	}
	for (; value >= 1024 && i + 1 < sizeof(units) / sizeof(*units); i++)
		value /= 1024;
	snprintf(buf, size, value < 10 ? "%.1f %s" : "%.0f %s", value, units[i]);
}

void milliseconds_format(uint64_t ms, char *buf, size_t size)
{
	unsigned long long s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, size, "%llums", (unsigned long long)ms);
	else if (s < 60 && ms % 1000 >= 100)
		snprintf(buf, size, "%llu.%llus", s, (unsigned long long)(ms % 1000 / 100));
	else if (s < 60)
		snprintf(buf, size, "%llus", s);
	else if (s < 3600)
		snprintf(buf, size, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, size, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%llud%02lluh", s / 86400, s / 3600 % 24);
}

json_t *json_date(time_t when)
{
	char text[32];
	struct tm utc;

	strftime(text, sizeof(text), "%FT%T+00:00", gmtime_r(&when, &utc));
	return json_string(text);
}

json_t *json_endpoint(const uint8_t address[16], uint16_t port)
{
	char buf[64];

	return json_string(endpoint_format(address, port, buf, sizeof(buf)));
}

void set_string(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, value ? json_text(value) : json_null());
}

void set_integer(json_t *object, const char *key, json_int_t value)
{
	json_object_set_new(object, key, json_integer(value));
}
