// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MIN                                                                                \
	1000 /* milliseconds, of the default: a fast interval wants no hasty verdict               \
	      */
#define TIMEOUT_MAX 5000

/* All texts of a probe. */
#define TEXTS 6

static void texts_of(const struct probe *probe, char *const *texts[TEXTS])
{
	texts[0] = &probe->pattern;
	texts[1] = &probe->url;
	texts[2] = &probe->sni;
	texts[3] = &probe->alpn;
	texts[4] = &probe->ca;
	texts[5] = &probe->cert_name;
}

void probe_fini(struct probe *probe)
{
	char *const *texts[TEXTS];

	texts_of(probe, texts);
	for (int i = 0; i < TEXTS; i++)
		free(*texts[i]);
}

int probe_copy(const struct probe *from, struct probe *to)
{
	char *const *texts[TEXTS];
	int err = 0;

	*to = *from;
	texts_of(to, texts);
	for (int i = 0; i < TEXTS; i++) {
		char **copy = (char **)texts[i];

		if (*copy && !(*copy = strdup(*copy)))
			err = -ENOMEM;
	}
	return err;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool probe_equal(const struct probe *a, const struct probe *b)
{
	char *const *left[TEXTS], *const *right[TEXTS];

	texts_of(a, left);
	texts_of(b, right);
	for (int i = 0; i < TEXTS; i++)
		if (!same_text(*left[i], *right[i]))
			return false;
	return a->type == b->type && a->port == b->port && a->interval == b->interval &&
	       a->timeout == b->timeout && a->rise == b->rise && a->fall == b->fall &&
	       a->match == b->match && a->negate == b->negate && a->method == b->method &&
	       a->force_ssl == b->force_ssl && a->verify == b->verify &&
	       a->cert_days == b->cert_days;
}

bool probe_uses_tls(const struct probe *probe)
{
	return probe->type == PROBE_TLS || probe->force_ssl;
}

bool probe_turns_to_tls(const struct probe *probe)
{
	return probe->force_ssl && (probe->type == PROBE_MYSQL || probe->type == PROBE_PGSQL);
}

uint32_t probe_timeout(const struct probe *probe)
{
	if (probe->timeout)
		return probe->timeout;
	if (probe->interval < TIMEOUT_MIN)
		return TIMEOUT_MIN;
	return probe->interval < TIMEOUT_MAX ? probe->interval : TIMEOUT_MAX;
}

/* ---- URLs -------------------------------------------------------------------------------- */

#define HOST_CHARACTERS                                                                            \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"                                                               \
	"abcdefghijklmnopqrstuvwxyz0123456789.-_:[]"

/* What would end the request line early, or is no ASCII. */
static bool is_path(const char *path)
{
	for (; *path; path++)
		if (*path <= ' ' || *path > '~')
			return false;
	return true;
}

bool probe_url_parse(const char *url, char host[256], const char **path)
{
	size_t len = strspn(url, HOST_CHARACTERS);

	*path = url + len;
	if (len > 255 || **path != '/' || (*path)[1] == '/' || !is_path(*path))
		return false;
	memcpy(host, url, len);
	host[len] = '\0';
	return true;
}

/* ---- status codes ------------------------------------------------------------------------ */

/* Three characters: digits, or x or . for any. Sets the least and the greatest code they stand for.
 */
static bool read_code(const char **text, unsigned int *least, unsigned int *greatest)
{
	*least = *greatest = 0;
	for (int i = 0; i < 3; i++, ++*text) {
		bool any = i && (tolower((unsigned char)**text) == 'x' || **text == '.');

		if (!any && !isdigit((unsigned char)**text))
			return false;
		*least = 10 * *least + (any ? 0 : **text - '0');
		*greatest = 10 * *greatest + (any ? 9 : **text - '0');
	}
	return *least >= 100;
}

static void skip_blanks(const char **text)
{
	*text += strspn(*text, " ");
}

/* The next of a list; false at its end, or at what is none: then *text is not at the end. */
static bool next_codes(const char **text, unsigned int *least, unsigned int *greatest)
{
	const char *at = *text;
	unsigned int ignored;

	skip_blanks(&at);
	if (!read_code(&at, least, greatest))
		return false;
	if (*at == '-' && (at++, !read_code(&at, &ignored, greatest)))
		return false;
	skip_blanks(&at);
	if (*at && *at != ',' && *at != '|')
		return false;
	if (*at && !at[1])
		return false;
	*text = *at ? at + 1 : at;
	return *least <= *greatest;
}

bool probe_status_valid(const char *pattern)
{
	unsigned int least, greatest;

	if (!*pattern)
		return false;
	while (*pattern)
		if (!next_codes(&pattern, &least, &greatest))
			return false;
	return true;
}

bool probe_status_matches(const char *pattern, unsigned int code)
{
	unsigned int least, greatest;

	while (*pattern && next_codes(&pattern, &least, &greatest))
		if (code >= least && code <= greatest)
			return true;
	return false;
}
