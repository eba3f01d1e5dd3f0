/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/model/decode.h"
#include "../../user/model/yaml_write.h"

/* The YAML of a tree; fails unless it reads as that tree again. */
static char *written(const char *json)
{
	json_t *root = json_loads(json, 0, NULL);
	struct problems problems = {0};
	struct document *document;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(root);
	assert_int_equal(0, yaml_write(out, root));
	fclose(out);
	document = document_parse(text, len, &problems);
	if (!document || !json_equal(root, document_root(document)))
		fail_msg("%s was written as\n%s", json, text);
	json_decref(root);
	document_free(document);
	problems_free(&problems);
	return text;
}

static void check(const char *json, const char *yaml)
{
	char *text = written(json);

	assert_string_equal(text, yaml);
	free(text);
}

static void it_reads_well(void **state)
{
	check("{\"farms\": [{\"name\": \"h2\", \"port\": 9000, \"probe\": null, \"backup\": "
	      "true}]}",
	      "farms:\n- name: h2\n  port: 9000\n  probe: null\n  backup: true\n");
	check("{\"farms\": [], \"probe\": {}}", "farms: []\nprobe: {}\n");
}

static void what_looks_like_something_else_is_quoted(void **state)
{
	check("[\"443\", \"null\", \"~\", \"yes\", \"No\", \"1e3\", \"\", \"a: b\", \"- a\", "
	      "\"#x\"]",
	      "- \"443\"\n- \"null\"\n- \"~\"\n- \"yes\"\n- \"No\"\n- \"1e3\"\n- \"\"\n- \"a: b\"\n"
	      "- \"- a\"\n- \"#x\"\n");
	check("[\"http/2.0\", \"a.b-c_d\", \"2001:db8::1\"]",
	      "- http/2.0\n- a.b-c_d\n- \"2001:db8::1\"\n");
}

static void any_text_comes_back(void **state)
{
	free(written(
		"[\"\\u00e9\\u20ac\\ud83d\\ude00\", \"tab\\tquote\\\"back\\\\slash\\nline\"]"));
	free(written(
		"{\"a\": \"                                                                  "
		"a long text with many blanks that would be folded at eighty characters  \"}"));
	free(written("{\"a\": [[1, 2.5, -3], [[]], {\"b\": {\"c\": 9223372036854775807}}]}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_reads_well),
		cmocka_unit_test(what_looks_like_something_else_is_quoted),
		cmocka_unit_test(any_text_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
