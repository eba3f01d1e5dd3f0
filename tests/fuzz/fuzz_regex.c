// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A pattern, a newline and a text: whatever they are, compiling and matching end soon.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../user/model/regex.h"

#define PATTERN_MAX 255
#define TEXT_MAX    255
#define SECONDS	    0.5

static double processor_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = memchr(data, '\n', size);
	size_t len = newline ? (size_t)(newline - data) : size, rest;
	double begin = processor_seconds();
	char pattern[PATTERN_MAX + 1];
	struct regex_mistake mistake;
	struct regex *regex;

	if (len > PATTERN_MAX)
		return 0;
	memcpy(pattern, data, len);
	pattern[len] = 0;
	rest = newline ? size - len - 1 : 0;
	if (regex_compile(pattern, len & 1, &regex, &mistake)) {
		if (mistake.at > len || !*mistake.text)
			abort();
	} else {
		struct regex_scratch *scratch = regex_scratch_new();

		regex_match(regex, data + size - rest, rest < TEXT_MAX ? rest : TEXT_MAX, scratch);
		regex_scratch_free(scratch);
		regex_free(regex);
	}
	if (processor_seconds() - begin > SECONDS) {
		fprintf(stderr, "fuzz_regex: %s took %g s\n", pattern, processor_seconds() - begin);
		abort();
	}
	return 0;
}
