/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How attributes are written on the command line: the words, and what is allowed, come from the
 * model's tables. A member of a mapping is probe.port; the mapping's own word is its type.
 */
#ifndef ALPNLB_WORDS_H
#define ALPNLB_WORDS_H

#include <jansson.h>

#include "../model/decoder.h"
#include "cli.h"

struct word {
	const struct attribute *attribute; /* NULL: the route a rule is in */
	const struct attribute *member;	   /* of the attribute, which is a mapping; or NULL */
};

struct words {
	struct keyword keywords[KEYWORDS_MAX]; /* value: what is allowed; ends with a NULL name */
	struct word words[KEYWORDS_MAX];
	size_t n;
};

/* Made when first asked for, and kept. */
const struct words *words_of(enum kind kind);

/* The keyword that `given` is in the API's spelling, else `given` itself. */
const char *words_spelled(enum kind kind, const char *given);

/* The keyword for a member of a mapping as problems call it: "probe" for "probe.type"; else `path`.
 */
const char *words_of_path(const char *path);

/*
 * The attributes given in `values`, one for each keyword, as a file has them; but references
 * are the words that were given. Of a mapping of which only members are given, the others are
 * those of `before`, an object of that kind or NULL; but an action of another type has none. New
 * reference; NULL when a value is not UTF-8.
 */
json_t *words_fields(enum kind kind, const char *const *values, const void *before);

#endif
