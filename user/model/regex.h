/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Regular expressions of rules: PCRE2 over bytes, searched for anywhere in the text. Neither a
 * pattern nor a text can make a match take long: see REGEX_STEPS.
 */
#ifndef ALPNLB_REGEX_H
#define ALPNLB_REGEX_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How often a match may try another way: from one place of the text where it may begin, and from
 * all of them together. A step takes some 10 ns. An ordinary pattern needs some ten steps from a
 * place; one that repeats a class and then fails, as many as the text has bytes. A pattern that is
 * tied to the text's begin has only that place.
 */
#define REGEX_STEPS	   5000
#define REGEX_STEPS_ALL	   100000
#define REGEX_COMPILED_MAX 16384 /* bytes; nested repetitions multiply */

enum regex_answer {
	REGEX_NO = 0,
	REGEX_YES,
	REGEX_GAVE_UP, /* at a limit: not known */
};

/* What is wrong with a pattern, and how many of its bytes stand before that. */
struct regex_mistake {
	size_t at;
	char text[128];
};

struct regex;
struct regex_scratch;

/*
 * Compiles a pattern; `any_case`: A is a. Returns 0, -ENOMEM, or -EINVAL with the mistake, which
 * may be NULL.
 */
int regex_compile(const char *pattern, bool any_case, struct regex **regex,
		  struct regex_mistake *mistake);

/* What matches need beside the pattern, one after the other: a match takes longer to get it. */
struct regex_scratch *regex_scratch_new(void);		/* NULL when out of memory */
void regex_scratch_free(struct regex_scratch *scratch); /* accepts NULL */

/* Several threads may use one pattern at once. Without `scratch` it gives up. */
enum regex_answer regex_match(const struct regex *regex, const void *text, size_t len,
			      struct regex_scratch *scratch);

/*
 * The same for texts of some kB, in a thread that nobody waits for: any number of places where a
 * match may begin, with REGEX_STEPS_LONG from each.
 */
#define REGEX_STEPS_LONG 20000
enum regex_answer regex_match_long(const struct regex *regex, const void *text, size_t len,
				   struct regex_scratch *scratch);

/* As it was written. */
const char *regex_pattern(const struct regex *regex);

/* Accepts NULL. */
void regex_free(struct regex *regex);

#endif
