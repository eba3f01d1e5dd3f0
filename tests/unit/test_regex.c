// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "../../user/model/regex.h"

static enum regex_answer search(const char *pattern, bool any_case, const char *text, size_t len)
{
	struct regex_scratch *scratch = regex_scratch_new();
	struct regex *regex;
	enum regex_answer answer;

	assert_int_equal(regex_compile(pattern, any_case, &regex, NULL), 0);
	assert_string_equal(regex_pattern(regex), pattern);
	answer = regex_match(regex, text, len, scratch);
	assert_int_equal(regex_match(regex, text, len, scratch), answer);
	assert_int_equal(regex_match(regex, text, len, NULL), REGEX_GAVE_UP);
	regex_free(regex);
	regex_scratch_free(scratch);
	return answer;
}

static void a_pattern_is_searched_for_among_bytes(void **state)
{
	static const struct {
		const char *pattern;
		bool any_case;
		const char *text;
		size_t len;
		enum regex_answer answer;
	} cases[] = {
		{"b+", false, "abbc", 4, REGEX_YES},
		{"^b", false, "abbc", 4, REGEX_NO},
		{"^a(b)(b)(c)$", false, "abbc", 4, REGEX_YES},
		{"A", false, "a", 1, REGEX_NO},
		{"A\\W", true, "a.", 2, REGEX_YES},
		{"^a$", false, "a\n", 2, REGEX_NO},
		{"^a.b$", false, "a\0b", 3, REGEX_YES},
		{"^a.b$", false, "a\nb", 3, REGEX_YES},
		{"^.$", false, "\xc3\xa9", 2, REGEX_NO},
		{"^\\xff$", false, "\xff", 1, REGEX_YES},
		{"^$", false, "", 0, REGEX_YES},
		{"(?>(?:.++|\\w))b", false, "aab", 3, REGEX_NO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (search(cases[i].pattern, cases[i].any_case, cases[i].text, cases[i].len) !=
		    cases[i].answer)
			fail_msg("case %zu: %s", i, cases[i].pattern);
}

static void mistakes_are_placed(void **state)
{
	static const struct {
		const char *pattern;
		size_t at;
		const char *text;
	} cases[] = {
		{"a(b", 3, "missing closing parenthesis"},
		{"*a", 0, "quantifier does not follow a repeatable item"},
		{"x[z-a]", 4, "range out of order in character class"},
		{"(*UTF)a", 6, "using UTF is disabled by the application"},
		{"\\C", 2, "using \\C is disabled by the application"},
		{"((((a{50}){50}){50}){50})", 25, "regular expression is too large"},
		{"((ab){50}){50}", 14, "too complex: "},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct regex_mistake mistake;
		struct regex *regex;

		assert_int_equal(regex_compile(cases[i].pattern, false, &regex, &mistake), -EINVAL);
		assert_int_equal(mistake.at, cases[i].at);
		assert_memory_equal(mistake.text, cases[i].text, strlen(cases[i].text));
	}
}

static double processor_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

/* 255 bytes that nearly match, against patterns that have very many ways to try. */
static void hostile_patterns_end_soon(void **state)
{
	static const char *const patterns[] = {
		"(a+)+$",	    "(a|a)*$",		 "((a*)*)*b$",
		"a*a*a*a*a*a*a*b$", "^(a?){200}a{200}$", "(?:a{0,60}){0,60}b$",
		"(?R)?a|b",	    "(a(?1)?b)*c$",
	};
	char text[255];

	memset(text, 'a', sizeof(text));
	memcpy(text + sizeof(text) - 4, "bcb!", 4);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		double begin = processor_seconds();
		enum regex_answer answer = search(patterns[i], false, text, sizeof(text));

		if (answer == REGEX_YES && i < 4)
			fail_msg("%s", patterns[i]);
		if (processor_seconds() - begin > 0.05)
			fail_msg("%s took %g s", patterns[i], processor_seconds() - begin);
	}
	assert_int_equal(search("(a+)+$", false, text, sizeof(text)), REGEX_GAVE_UP);
	assert_int_equal(search("(a|a)*$", false, text, sizeof(text)), REGEX_GAVE_UP);
}

#define NAMES                                                                                      \
	"(alpha|bravo|charlie|delta|echo|foxtrot|golf|hotel|india|juliett|kilo|lima|mike|"         \
	"november|oscar|papa|quebec|romeo|sierra|tango)"

/* On the longest names there are. */
static void ordinary_patterns_are_not_given_up(void **state)
{
	static const char *const patterns[] = {
		"\\.example\\.org$",
		NAMES,
		"(^|\\.)" NAMES "\\.example\\.com$",
		"^([a-z0-9-]+\\.)*" NAMES "\\.(com|net|org)$",
		"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{3}x$",
		"^.*\\.(x|y)\\.example\\.com$",
		"[a-z0-9.-]+x$",
	};
	char text[255];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "abcdefghij."[i % 11];
	memcpy(text + sizeof(text) - 12, ".example.com", 12);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (search(patterns[i], true, text, sizeof(text)) != REGEX_NO)
			fail_msg("%s", patterns[i]);
}

/* From each byte it takes fewer steps than one place may, but there are 254. */
static void the_steps_from_all_places_are_limited_together(void **state)
{
	char text[254];

	memset(text, 'a', sizeof(text));
	assert_int_equal(search("(?:a|b){0,20}(?:a|b){0,20}(?:c|d)", false, text, sizeof(text)),
			 REGEX_GAVE_UP);
	assert_int_equal(search("(?:a|b){0,20}(?:a|b){0,20}(?:c|d)", false, text, 30), REGEX_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_is_searched_for_among_bytes),
		cmocka_unit_test(mistakes_are_placed),
		cmocka_unit_test(hostile_patterns_end_soon),
		cmocka_unit_test(ordinary_patterns_are_not_given_up),
		cmocka_unit_test(the_steps_from_all_places_are_limited_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
