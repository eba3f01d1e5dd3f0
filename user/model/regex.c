/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "regex.h"

#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGEX_HEAP 1024 /* kB */

struct regex {
	pcre2_code *code;
	char *pattern;
	bool anchored; /* a match begins where the text does */
};

/* Text is bytes, and $ is its end: no newline before it is passed over. */
#define REGEX_OPTIONS                                                                              \
	(PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |                 \
	 PCRE2_NEVER_BACKSLASH_C)

static int compile(struct regex *regex, bool any_case, struct regex_mistake *mistake)
{
	uint32_t options = REGEX_OPTIONS | (any_case ? PCRE2_CASELESS : 0);
	uint32_t all = 0;
	size_t size = 0;
	int error;

	mistake->at = 0;
	regex->code = pcre2_compile((PCRE2_SPTR)regex->pattern, PCRE2_ZERO_TERMINATED, options,
				    &error, &mistake->at, NULL);
	if (!regex->code) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)mistake->text, sizeof(mistake->text));
		return error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : -EINVAL;
	}
	pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &size);
	pcre2_pattern_info(regex->code, PCRE2_INFO_ALLOPTIONS, &all);
	regex->anchored = all & PCRE2_ANCHORED;
	if (size <= REGEX_COMPILED_MAX)
		return 0;
	mistake->at = strlen(regex->pattern);
	snprintf(mistake->text, sizeof(mistake->text),
		 "too complex: %zu bytes compiled, %d at most", size, REGEX_COMPILED_MAX);
	return -EINVAL;
}

int regex_compile(const char *pattern, bool any_case, struct regex **regex,
		  struct regex_mistake *mistake)
{
	struct regex_mistake ignored;
	struct regex *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (!r)
		return err;
	r->pattern = strdup(pattern);
	if (r->pattern)
		err = compile(r, any_case, mistake ? mistake : &ignored);
	if (err) {
		regex_free(r);
		return err;
	}
	*regex = r;
	return 0;
}

struct regex_scratch {
	pcre2_match_context *limits;
	pcre2_match_data *data; /* with the frames of the last match, which the next one takes */
};

struct regex_scratch *regex_scratch_new(void)
{
	struct regex_scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	scratch->limits = pcre2_match_context_create(NULL);
	scratch->data = pcre2_match_data_create(1, NULL);
	if (scratch->limits && scratch->data)
		return scratch;
	regex_scratch_free(scratch);
	return NULL;
}

void regex_scratch_free(struct regex_scratch *scratch)
{
	if (!scratch)
		return;
	pcre2_match_data_free(scratch->data);
	pcre2_match_context_free(scratch->limits);
	free(scratch);
}

/*
 * Interpreted: the JIT of 10.42 finds (?>(?:.++|\w))b in "aab", which Perl and the interpreter do
 * not, and needs memory that is writable and executable, which the unit file forbids.
 */
static enum regex_answer match(const struct regex *regex, const void *text, size_t len,
			       struct regex_scratch *scratch, uint32_t steps)
{
	int n;

	if (!scratch)
		return REGEX_GAVE_UP;
	pcre2_set_match_limit(scratch->limits, steps);
	pcre2_set_depth_limit(scratch->limits, steps);
	pcre2_set_heap_limit(scratch->limits, REGEX_HEAP);
	n = pcre2_match(regex->code, text, len, 0, 0, scratch->data, scratch->limits);
	if (n >= 0) /* 0: more groups than `data` has room for */
		return REGEX_YES;
	return n == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_GAVE_UP;
}

/* PCRE2 counts anew from each place where a match may begin, the text's end is one. */
enum regex_answer regex_match(const struct regex *regex, const void *text, size_t len,
			      struct regex_scratch *scratch)
{
	uint32_t steps = REGEX_STEPS_ALL / (regex->anchored ? 1 : len + 1);

	return match(regex, text, len, scratch, steps > REGEX_STEPS ? REGEX_STEPS : steps);
}

enum regex_answer regex_match_long(const struct regex *regex, const void *text, size_t len,
				   struct regex_scratch *scratch)
{
	return match(regex, text, len, scratch, REGEX_STEPS_LONG);
}

const char *regex_pattern(const struct regex *regex)
{
	return regex->pattern;
}

void regex_free(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_code_free(regex->code);
	free(regex->pattern);
	free(regex);
}
