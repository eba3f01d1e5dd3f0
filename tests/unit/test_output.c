/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#undef fail /* the command line has one of its own */

#include "../../user/cli/cli.h"
#include "../../user/cli/output.h"
#include "../../user/show/format.h"

static void assert_escaped(const char *bytes, size_t len, const char *expected)
{
	char *text = bytes_escape((const uint8_t *)bytes, len);

	assert_string_equal(text, expected);
	free(text);
}

static void bytes_of_strangers_become_printable_ascii(void **state)
{
	assert_escaped("www.example.com", 15, "www.example.com");
	assert_escaped("\x1b]0;x\x07", 6, "\\x1b]0;x\\x07");
	assert_escaped("a\0b", 3, "a\\x00b");
	assert_escaped("\\x00", 4, "\\x5cx00"); /* no two inputs look alike */
	assert_escaped("\xff\xc3\xa9\x7f", 4, "\\xff\\xc3\\xa9\\x7f");
	assert_escaped("", 0, "");
}

static void assert_alpn(const char *list, size_t len, bool cut, const char *expected)
{
	json_t *names = json_alpn((const uint8_t *)list, len, cut);
	char *text = json_dumps(names, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
	json_decref(names);
}

static void alpn_lists_are_taken_apart(void **state)
{
	assert_alpn("\x02h2\x08http/1.1", 12, false, "[\"h2\",\"http/1.1\"]");
	assert_alpn("\x04"
		    "a,h2",
		    5, false, "[\"a,h2\"]");
	assert_alpn("", 0, false, "[]");
	assert_alpn("\x09h2", 3, false, "[\"h2...\"]"); /* nothing behind it is read */
	assert_alpn("\x09h2", 3, true, "[\"h2...\"]");
	assert_alpn("\x02h2", 3, true, "[\"h2\",\"...\"]");
	assert_alpn("", 0, true, "[\"...\"]");
	assert_alpn("\x00\x01\xff", 3, false, "[\"\",\"\\\\xff\"]");
}

static void assert_display(const char *text, const char *expected)
{
	char *safe = display_escape(text);

	assert_string_equal(safe, expected);
	free(safe);
}

static void text_of_operators_keeps_its_letters_only(void **state)
{
	assert_display("Z\xc3\xbcrich", "Z\xc3\xbcrich");
	assert_display("a\x1b[31m", "a\\x1b[31m");
	assert_display("a\nb", "a\\x0a"
			       "b");
	assert_display("\xc2\x9b"
		       "31m",
		       "\\xc2\\x9b31m");			 /* CSI as one C1 character */
	assert_display("\xe2\x80\xaetxt", "\\xe2\\x80\\xaetxt"); /* right-to-left override */
	assert_display("\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80"); /* not UTF-8 */
	assert_display("\xe2\x82", "\\xe2\\x82");
}

static void sizes_and_durations_are_readable(void **state)
{
	char buf[32];

	bytes_format(1023, buf, sizeof(buf));
	assert_string_equal(buf, "1023 B");
	bytes_format(1536, buf, sizeof(buf));
	assert_string_equal(buf, "1.5 KiB");
	bytes_format(UINT64_MAX, buf, sizeof(buf));
	assert_string_equal(buf, "16 EiB");
	milliseconds_format(350, buf, sizeof(buf));
	assert_string_equal(buf, "350ms");
	milliseconds_format(12500, buf, sizeof(buf));
	assert_string_equal(buf, "12.5s");
	milliseconds_format(185000, buf, sizeof(buf));
	assert_string_equal(buf, "3m05s");
	milliseconds_format(8040000, buf, sizeof(buf));
	assert_string_equal(buf, "2h14m");
	milliseconds_format(442800000, buf, sizeof(buf));
	assert_string_equal(buf, "5d03h");
}

static char *rendered(const struct column *columns, const char *rows_text, size_t width)
{
	json_t *rows = json_loads(rows_text, 0, NULL);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(rows);
	table_render(out, columns, rows, width);
	fclose(out);
	json_decref(rows);
	return text;
}

static void assert_table(const struct column *columns, const char *rows_text, size_t width,
			 const char *expected)
{
	char *text = rendered(columns, rows_text, width);

	assert_string_equal(text, expected);
	free(text);
}

static void tables_are_aligned(void **state)
{
	static const struct column columns[] = {
		COLUMN("name", "NAME"),
		COLUMN_AS(FORMAT_BYTES, "size", "SIZE"),
		DETAIL("hidden", "HIDDEN"),
		COLUMN("list", "LIST"),
		COLUMN_AS(FORMAT_BELOW, "note", "note"),
		COLUMNS_END,
	};

	assert_table(columns,
		     "[{\"name\": \"Z\xc3\xbcrich\", \"size\": 5, \"list\": [\"a\", \"b\"],"
		     "  \"hidden\": \"no\", \"note\": \"below\"},"
		     " {\"name\": \"x\", \"size\": 10240, \"list\": null, \"note\": null}]",
		     0,
		     "NAME      SIZE  LIST\n"
		     "Z\xc3\xbcrich     5 B  a, b\n"
		     "    note: below\n"
		     "x       10 KiB  -\n");
	assert_table(columns, "[]", 0, "NAME  SIZE  LIST\n");
}

static void blanks_at_the_ends_of_a_text_are_seen(void **state)
{
	static const struct column columns[] = {COLUMN("a", "A"), COLUMN("b", "B"), COLUMNS_END};

	assert_table(columns, "[{\"a\": \" x\", \"b\": \"y \"}, {\"a\": \"x y\", \"b\": \"\"}]", 0,
		     "A     B\n"
		     "\" x\"  \"y \"\n"
		     "x y   \n");
}

static void tables_fit_the_terminal(void **state)
{
	static const struct column columns[] = {
		COLUMN("name", "NAME"),
		COLUMN("number", "NUMBER"),
		COLUMNS_END,
	};

	assert_table(columns, "[{\"name\": \"abcdefghijklmnopqrstuvwxyz\", \"number\": 123456789}]",
		     26,
		     "NAME                NUMBER\n"
		     "abcdefghijklm..  123456789\n");
}

/* A table that does not fit: what its columns may lose, they lose in this order. */
static const struct column wide[] = {
	COLUMN("id", "ID", .drop = 1),
	COLUMN("name", "NAME"),
	COLUMN("address", "ADDRESS", .keep = KEEP_WHOLE, .drop = 2),
	COLUMN("time", "BEGUN", .keep = KEEP_WHOLE, .drop = 3),
	COLUMN_AS(FORMAT_BYTES, "size", "FROM CLIENTS", .brief = "IN", .drop = 4),
	COLUMN("ports", "PORTS", .drop = 5),
	COLUMN("comment", "COMMENT", .drop = 6),
	COLUMNS_END,
};
static const char wide_rows[] =
	"[{\"id\": 1048576, \"name\": \"a-name-of-thirty-characters-xxx\","
	"  \"address\": \"[2001:db8::1]:443\", \"time\": \"2026-11-25T18:00:00+00:00\","
	"  \"size\": 1000, \"ports\": [\"443\", \"8000-8100\", \"9443\"],"
	"  \"comment\": \"what the operator wrote\"}]";

static void narrow_tables_lose_what_matters_least(void **state)
{
	assert_table(wide, wide_rows, 80,
		     "     ID  NAME                       ADDRESS            BEGUN\n"
		     "1048576  a-name-of-thirty-charac..  [2001:db8::1]:443  "
		     "2026-11-25T18:00:00+00:00\n");
	assert_table(wide, wide_rows, 40,
		     "     ID  NAME                         IN\n"
		     "1048576  a-name-of-thirty-char..  1000 B\n");
	assert_table(wide, wide_rows, 10, "NAME\na-name-o..\n");
	assert_table(wide, "[]", 20, "ID  NAME  ADDRESS\n");
}

static void assert_fits(const char *text, size_t width)
{
	for (; *text; text += strcspn(text, "\n") + 1)
		assert_in_range(strcspn(text, "\n"), 1, width);
}

static void tables_fit_any_terminal_and_keep_what_is_worth_nothing_if_cut(void **state)
{
	static const struct {
		const char *heading, *cell;
	} whole[] = {
		{"ID", " 1048576  "},
		{"ADDRESS", "  [2001:db8::1]:443"},
		{"BEGUN", "  2026-11-25T18:00:00+00:00"},
		{"IN", "  1000 B"},
		{"PORTS", "  443,"},
	};

	for (size_t width = 6; width < 160; width++) {
		char *text = rendered(wide, wide_rows, width);

		assert_fits(text, width);
		for (size_t i = 0; i < 5; i++)
			assert_true(!strstr(text, whole[i].heading) ||
				    strstr(text, whole[i].cell + (i == 0)));
		assert_null(strstr(text, "8000-8100, 9.."));
		free(text);
	}
}

/* What a stream of two rows prints, which ends as it should, or fails before the end. */
static void stream_prints(char *text, size_t size, bool fails)
{
	const struct column columns[] = {COLUMNS_END};
	int file = memfd_create("stdout", 0), terminal = dup(STDOUT_FILENO);
	struct output_stream stream;

	assert_true(file >= 0 && terminal >= 0);
	fflush(stdout);
	dup2(file, STDOUT_FILENO);
	options.json = true;
	stream = output_stream_new(columns);
	output_stream_add(&stream, json_pack("{s:i}", "a", 1));
	output_stream_add(&stream, json_pack("{s:i}", "a", 2));
	if (fails)
		output_stream_free(&stream);
	else
		assert_int_equal(output_stream_end(&stream), CLI_OK);
	options.json = false;
	fflush(stdout);
	dup2(terminal, STDOUT_FILENO);
	memset(text, 0, size);
	assert_true(pread(file, text, size - 1, 0) >= 0);
	close(file);
	close(terminal);
}

static void streams_that_fail_print_nothing(void **state)
{
	char text[64];

	stream_prints(text, sizeof(text), false);
	assert_string_equal(text, "[{\"a\":1},{\"a\":2}]\n");
	stream_prints(text, sizeof(text), true);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_strangers_become_printable_ascii),
		cmocka_unit_test(alpn_lists_are_taken_apart),
		cmocka_unit_test(text_of_operators_keeps_its_letters_only),
		cmocka_unit_test(sizes_and_durations_are_readable),
		cmocka_unit_test(tables_are_aligned),
		cmocka_unit_test(blanks_at_the_ends_of_a_text_are_seen),
		cmocka_unit_test(tables_fit_the_terminal),
		cmocka_unit_test(narrow_tables_lose_what_matters_least),
		cmocka_unit_test(streams_that_fail_print_nothing),
		cmocka_unit_test(tables_fit_any_terminal_and_keep_what_is_worth_nothing_if_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
