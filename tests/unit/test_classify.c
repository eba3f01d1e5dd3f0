/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../user/cli/classify.h"
#include "../../user/model/decode.h"

static const uint8_t source[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

/* A ClientHello in records of `cut` bytes that offers `names`, each behind its length byte. */
static size_t build_hello(uint8_t *out, const char *names, size_t names_len, size_t cut)
{
	uint8_t message[4096] = {1}, *p = message + 4;
	size_t len, size = 0;

	p[0] = p[1] = 3;
	p += 2 + 32 + 1; /* no session id */
	memcpy(p, "\x00\x02\x13\x01\x01\x00", 6);
	p += 6;
	*p++ = (names_len + 6) >> 8;
	*p++ = names_len + 6;
	memcpy(p, "\x00\x10", 2);
	p[2] = (names_len + 2) >> 8;
	p[3] = names_len + 2;
	p[4] = names_len >> 8;
	p[5] = names_len;
	memcpy(p + 6, names, names_len);
	len = p + 6 + names_len - message;
	message[2] = (len - 4) >> 8;
	message[3] = len - 4;
	for (size_t at = 0; at < len; at += cut) {
		size_t n = len - at < cut ? len - at : cut;

		memcpy(out + size, "\x16\x03\x01", 3);
		out[size + 3] = n >> 8;
		out[size + 4] = n;
		memcpy(out + size + 5, message + at, n);
		size += 5 + n;
	}
	return size;
}

static struct config *load(const char *rules)
{
	struct problems problems = {0};
	struct document *document;
	struct config *config;
	char text[1024];

	snprintf(text, sizeof(text),
		 "farms: [{name: f, servers: [{name: s, address: 10.0.0.1, port: 1}]}]\n"
		 "frontends: [{name: web, port: 443, default_farm: f}]\n"
		 "routes: [{name: r, frontend: web, action: {type: reject}, rules: [%s]}]\n",
		 rules);
	document = document_parse(text, strlen(text), &problems);
	assert_non_null(document);
	config = config_decode(document, &problems);
	if (problems.errors)
		print_error("%s\n", problems.v[0].message);
	assert_non_null(config);
	document_free(document);
	problems_free(&problems);
	return config;
}

static void names_that_do_not_fit_the_program_are_seen_over_any_cut(void **state)
{
	static char names[30 * 11 + 3];
	uint8_t hello[32768];

	for (size_t i = 0; i < 30; i++)
		memcpy(names + i * 11, "\x0aprotocol-x", 11);
	memcpy(names + 30 * 11, "\x02h2", 3);
	for (size_t cut = 1; cut < 400; cut += 7) {
		struct classification c;
		size_t len = build_hello(hello, names, sizeof(names), cut);

		assert_int_equal(classify(hello, len, source, &c), 0);
		assert_int_equal(c.hello.verdict, VERDICT_TLS);
		assert_true(c.hello.flags & HELLO_ALPN_CUT);
		assert_int_equal(c.subject.alpn_len, sizeof(names));
		assert_memory_equal(c.subject.alpn, names, sizeof(names));
		assert_true(classification_protocols(&c) & PROTOCOL_HTTP2);
		assert_false(classification_protocols(&c) & PROTOCOL_HTTP1);
		classification_free(&c);
	}
}

static void the_first_rule_that_does_not_hold_is_named(void **state)
{
	struct config *config = load("{field: alpn, match: is, pattern: h2},"
				     "{field: sni, match: exists, negate: true},"
				     "{field: source, match: in, pattern: 198.51.100.0/24},"
				     "{field: protocol, match: is, pattern: ssh}");
	struct classification c;
	uint8_t hello[256];
	size_t len = build_hello(hello, "\x02h2", 3, 64);

	assert_int_equal(classify(hello, len, source, &c), 0);
	assert_ptr_equal(failing_rule(&c, &config->routes[0]), &config->routes[0].rules[2]);
	c.subject.source[12] = 198;
	c.subject.source[13] = 51;
	c.subject.source[14] = 100;
	assert_ptr_equal(failing_rule(&c, &config->routes[0]), &config->routes[0].rules[3]);
	config->routes[0].n_rules = 3;
	assert_null(failing_rule(&c, &config->routes[0]));
	config->routes[0].n_rules = 4;
	classification_free(&c);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_do_not_fit_the_program_are_seen_over_any_cut),
		cmocka_unit_test(the_first_rule_that_does_not_hold_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
