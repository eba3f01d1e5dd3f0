/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <event2/buffer.h>

#include "../../user/api/http.h"

#define BODY_MAX 10

static struct http_request request;

static int begin(void **state)
{
	return http_begin(&request, BODY_MAX);
}

static int end(void **state)
{
	http_end(&request);
	return 0;
}

/* Reads `text` in pieces of `size` bytes, and what is left of it afterwards into `rest`. */
static enum http_progress read_pieces(const char *text, size_t size, char rest[64])
{
	struct evbuffer *input = evbuffer_new();
	enum http_progress progress = HTTP_NEED_MORE;

	for (size_t len = strlen(text); len && progress <= HTTP_HEAD; len -= size, text += size) {
		size = size < len ? size : len;
		evbuffer_add(input, text, size);
		do
			progress = http_read(&request, input);
		while (progress == HTTP_HEAD);
	}
	memset(rest, 0, 64);
	evbuffer_remove(input, rest, 63);
	evbuffer_free(input);
	return progress;
}

/* In one piece or byte by byte: the same. */
static void expect_body(const char *text, const char *body)
{
	char rest[64];

	for (size_t size = strlen(text); size; size = size > 1) {
		assert_int_equal(read_pieces(text, size, rest), HTTP_DONE);
		assert_true(http_is_whole(&request));
		assert_string_equal(request.method, "PUT");
		assert_string_equal(request.target, "/a?b");
		assert_string_equal(evhttp_find_header(&request.headers, "name"), "a value");
		assert_int_equal(evbuffer_get_length(request.body), strlen(body));
		if (*body)
			assert_memory_equal(evbuffer_pullup(request.body, -1), body, strlen(body));
		http_end(&request);
		assert_int_equal(http_begin(&request, BODY_MAX), 0);
	}
}

#define HEAD "PUT /a?b HTTP/1.1\r\nName: \t a value \r\n"

static void bodies(void **state)
{
	expect_body(HEAD "\r\n", "");
	expect_body("\r\n\n" HEAD "\n", "");
	expect_body(HEAD "Content-Length: 0\r\n\r\n", "");
	expect_body(HEAD "Content-Length: 10\r\n\r\n{\r\n567890\n", "{\r\n567890\n");
	expect_body(HEAD "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", "");
	expect_body(HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n07 ;a=b\r\n\r\n67890\r\n"
			 "0\r\nTrailer: 1\r\n\r\n",
		    "123\r\n67890");
}

static void what_follows_is_left(void **state)
{
	const char *two = HEAD "Content-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\n\r\n";
	char rest[64];

	assert_int_equal(read_pieces(two, strlen(two), rest), HTTP_DONE);
	assert_string_equal(rest, "GET / HTTP/1.1\r\n\r\n");
}

static void expect_refused(const char *text, int status)
{
	char rest[64];

	for (size_t size = strlen(text); size; size = size > 1) {
		assert_int_equal(read_pieces(text, size, rest), HTTP_REFUSED);
		assert_int_equal(request.status, status);
		assert_true(request.last);
		assert_false(http_is_whole(&request));
		http_end(&request);
		assert_int_equal(http_begin(&request, BODY_MAX), 0);
	}
}

static void large_bodies(void **state)
{
	expect_refused(HEAD "Content-Length: 11\r\n\r\n", 413);
	expect_refused(HEAD "Content-Length: 18446744073709551617\r\n\r\n", 413);
	expect_refused(HEAD "Transfer-Encoding: chunked\r\n\r\nb\r\n", 413);
	expect_refused(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\na\r\n", 413);
	expect_refused(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nffffffffffffffffff\r\n",
		       413);
}

static void endless_headers(void **state)
{
	char line[17000];

	memset(line, 'a', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	expect_refused(line, 400);
	memset(line, '\n', sizeof(line) - 1);
	expect_refused(line, 400);
}

static void two_hosts(void **state)
{
	expect_refused(HEAD "Host: a\r\nhost: a\r\n\r\n", 400);
}

static void when_the_connection_ends(void **state)
{
	static const struct {
		const char *text;
		bool last;
	} cases[] = {
		{"GET / HTTP/1.1\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection: te, Close\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nConnection: te\r\nconnection: close\r\n\r\n", true},
		{"CONNECT a:443 HTTP/1.1\r\n\r\n", true},
	};
	char rest[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(read_pieces(cases[i].text, strlen(cases[i].text), rest),
				 HTTP_DONE);
		assert_int_equal(request.last, cases[i].last);
		http_end(&request);
		assert_int_equal(http_begin(&request, BODY_MAX), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bodies, begin, end),
		cmocka_unit_test_setup_teardown(what_follows_is_left, begin, end),
		cmocka_unit_test_setup_teardown(large_bodies, begin, end),
		cmocka_unit_test_setup_teardown(endless_headers, begin, end),
		cmocka_unit_test_setup_teardown(two_hosts, begin, end),
		cmocka_unit_test_setup_teardown(when_the_connection_ends, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
