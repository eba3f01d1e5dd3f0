/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* the command line has one of its own */

#include "../../user/cli/batch.h"
#include "../../user/cli/words.h"

static void set(enum kind kind, const char *values[KEYWORDS_MAX], const char *word,
		const char *value)
{
	const struct words *words = words_of(kind);

	word = words_spelled(kind, word);
	for (size_t i = 0; i < words->n; i++)
		if (!strcmp(words->keywords[i].name, word)) {
			values[i] = value;
			return;
		}
	assert_string_equal(word, "a word of that kind");
}

/* The fields of WORD, VALUE, ..., NULL. */
static void check_fields(const char *wanted, const void *before, int kind, ...)
{
	const char *values[KEYWORDS_MAX] = {NULL}, *word;
	json_t *expected = json_loads(wanted, 0, NULL), *fields;
	char *got, *want;
	va_list words;

	va_start(words, kind);
	while ((word = va_arg(words, const char *)))
		set(kind, values, word, va_arg(words, const char *));
	va_end(words);
	fields = words_fields(kind, values, before);
	got = json_dumps(fields, JSON_SORT_KEYS);
	want = json_dumps(expected, JSON_SORT_KEYS);
	assert_string_equal(got, want);
	free(got);
	free(want);
	json_decref(fields);
	json_decref(expected);
}

static void values_have_the_type_of_their_attribute(void **state)
{
	check_fields("{\"port\": 9000, \"balance\": \"first\", \"zone\": null}", NULL, KIND_FARM,
		     "port", "9000", "balance", "first", "zone", "null", NULL);
	check_fields("{\"port\": \"80a\"}", NULL, KIND_FARM, "port", "80a", NULL);
	check_fields("{\"port\": \"443\", \"idle_timeout\": 0, \"hello_timeout\": \"5s\"}", NULL,
		     KIND_FRONTEND, "port", "443", "idle_timeout", "0", "hello_timeout", "5s",
		     NULL);
	check_fields("{\"disabled\": true, \"default_farm\": \"7\"}", NULL, KIND_FRONTEND,
		     "disabled", "true", "default_farm", "7", NULL);
	check_fields("{\"disabled\": \"yes\"}", NULL, KIND_FRONTEND, "disabled", "yes", NULL);
	check_fields("{\"allowed_source\": [\"10.0.0.0/8\", \"2001:db8::/32\"]}", NULL,
		     KIND_FRONTEND, "allowed_source", "10.0.0.0/8, 2001:db8::/32", NULL);
	check_fields("{\"pattern\": \"443\"}", NULL, KIND_RULE, "pattern", "443", "route", "1",
		     NULL);
}

static void null_in_quotes_is_a_text(void **state)
{
	check_fields("{\"pattern\": null}", NULL, KIND_RULE, "pattern", "null", NULL);
	check_fields("{\"pattern\": \"null\", \"display_name\": \"\\\"null\\\"\"}", NULL, KIND_RULE,
		     "pattern", "\"null\"", "display_name", "\"\"null\"\"", NULL);
	check_fields("{\"default_farm\": \"null\"}", NULL, KIND_FRONTEND, "default_farm",
		     "\"null\"", NULL);
	check_fields("{\"pattern\": \"\\\"nul\\\"\"}", NULL, KIND_RULE, "pattern", "\"nul\"", NULL);
	check_fields("{\"pattern\": \"\\\"null\"}", NULL, KIND_RULE, "pattern", "\"null", NULL);
}

static void mappings_are_written_by_member(void **state)
{
	struct probe probe = {
		.type = PROBE_HTTP, .port = 1, .interval = 5000, .rise = 2, .fall = 2};
	struct farm farm = {.o.name = "f", .probe = &probe};
	struct route route = {.action = ACTION_FARM, .target = &farm};

	check_fields("{\"action\": {\"type\": \"farm\", \"target\": \"h2\"}}", NULL, KIND_ROUTE,
		     "action", "farm", "target", "h2", NULL);
	check_fields("{\"probe\": {\"type\": \"http\", \"port\": 2}}", &farm, KIND_FARM,
		     "probe.port", "2", NULL);
	check_fields("{\"probe\": {\"type\": \"tcp\", \"port\": 1}}", &farm, KIND_FARM, "probe",
		     "tcp", NULL);
	check_fields("{\"action\": {\"type\": \"reject\"}}", &route, KIND_ROUTE, "action", "reject",
		     NULL);
	check_fields("{\"action\": {\"type\": \"farm\", \"target\": \"f\"}}", &route, KIND_ROUTE,
		     "action", "farm", NULL);
	check_fields("{\"probe\": null}", &farm, KIND_FARM, "probe", "null", NULL);
}

static void the_api_spelling_is_understood(void **state)
{
	assert_string_equal("default_farm", words_spelled(KIND_FRONTEND, "defaultFarmId"));
	assert_string_equal("hello_timeout", words_spelled(KIND_FRONTEND, "helloTimeout"));
	assert_string_equal("probe.force_ssl", words_spelled(KIND_FARM, "probe.forceSsl"));
	assert_string_equal("hello", words_spelled(KIND_FRONTEND, "hello"));
}

static void problems_are_told_in_words(void **state)
{
	assert_string_equal("probe", words_of_path("probe.type"));
	assert_string_equal("probe.url", words_of_path("probe.url"));
	assert_string_equal("action", words_of_path("action.type"));
	assert_string_equal("target", words_of_path("action.target"));
	assert_string_equal("allowed_source[0]", words_of_path("allowed_source[0]"));
}

static void every_attribute_has_a_word(void **state)
{
	for (int kind = 0; kind < KIND_MAX; kind++)
		for (size_t i = 0; i < words_of(kind)->n; i++)
			assert_true(*words_of(kind)->keywords[i].value);
	assert_true(words_of(KIND_FARM)->n > 10 && words_of(KIND_FARM)->n < KEYWORDS_MAX - 1);
}

/* ---- lines of a batch ------------------------------------------------------------------ */

static void check_line(const char *line, int n, const char *joined)
{
	char copy[1024], text[1024] = "", *words[BATCH_WORDS_MAX];

	strcpy(copy, line);
	assert_int_equal(n, line_split(copy, words));
	for (int i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "<%s>", words[i]);
	assert_string_equal(text, joined);
}

static void lines_are_split_into_words(void **state)
{
	char many[3 * BATCH_WORDS_MAX] = "";

	check_line("farm add h2  port\t9000\r", 5, "<farm><add><h2><port><9000>");
	check_line("   # farm add", 0, "");
	check_line("farm show # all of them", 2, "<farm><show>");
	check_line("a#b 'c # d' \"e 'f\" ''", 4, "<a#b><c # d><e 'f><>");
	check_line("x'y z'w", 1, "<xy zw>");
	check_line("a 'b", -1, "");
	for (int i = 0; i <= BATCH_WORDS_MAX; i++)
		strcat(many, "a ");
	check_line(many, -2, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_have_the_type_of_their_attribute),
		cmocka_unit_test(null_in_quotes_is_a_text),
		cmocka_unit_test(mappings_are_written_by_member),
		cmocka_unit_test(the_api_spelling_is_understood),
		cmocka_unit_test(problems_are_told_in_words),
		cmocka_unit_test(every_attribute_has_a_word),
		cmocka_unit_test(lines_are_split_into_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
