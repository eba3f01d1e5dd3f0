// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* PROXY headers, byte by byte. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/daemon/proxy_protocol.h"

static struct conn conn_of(uint8_t proxy_protocol)
{
	struct conn conn = {
		.client = {[10] = 0xff, 0xff, 192, 0, 2, 7},
		.local = {[10] = 0xff, 0xff, 192, 0, 2, 1},
		.client_port = htons(0x1234),
		.local_port = htons(443),
		.proxy_protocol = proxy_protocol,
		.accepted = 0x123456789abcdef0,
		.serial = 0x0badcafe,
		.hello = {.verdict = VERDICT_TLS,
			  .flags = HELLO_SNI | HELLO_ALPN,
			  .sni_len = 5,
			  .sni = "a.b.c",
			  .alpn_len = 12,
			  .alpn = "\2h2\10http/1.1"},
	};

	return conn;
}

static void check(const struct conn *conn, const void *expected, size_t len)
{
	uint8_t header[PROXY_HEADER_MAX];

	assert_int_equal(proxy_header(conn, header), len);
	assert_memory_equal(header, expected, len);
}

#define CHECK(conn, bytes) check(conn, bytes, sizeof(bytes) - 1)
#define HEAD(length)	   "\r\n\r\n\0\r\nQUIT\n\x21\x11\0" length "\xc0\0\2\7\xc0\0\2\1\x12\x34\1\xbb"

static void test_versions(void **state)
{
	struct conn conn = conn_of(PROXY_PROTOCOL_V1);

	CHECK(&conn, "PROXY TCP4 192.0.2.7 192.0.2.1 4660 443\r\n");
	conn.proxy_protocol = PROXY_PROTOCOL_V2;
	CHECK(&conn, HEAD("\x0c"));
	conn.proxy_protocol = PROXY_PROTOCOL_V2_SSL;
	CHECK(&conn, HEAD("\x14") "\x20\0\5\0\0\0\0\1");
	conn.proxy_protocol = PROXY_PROTOCOL_V2_SSL_CN;
	CHECK(&conn, HEAD("\x14") "\x20\0\5\0\0\0\0\1");
}

static void test_tlvs(void **state)
{
	struct conn conn = conn_of(PROXY_PROTOCOL_V2 | PROXY_TLV_ALPN);

	CHECK(&conn, HEAD("\x1b") "\1\0\x0c\2h2\10http/1.1");
	conn.proxy_protocol = PROXY_PROTOCOL_V2 | PROXY_TLV_AUTHORITY;
	CHECK(&conn, HEAD("\x14") "\2\0\5a.b.c");
	conn.proxy_protocol = PROXY_PROTOCOL_V2 | PROXY_TLV_UNIQUE_ID;
	CHECK(&conn, HEAD("\x27") "\5\0\x18"
				  "123456789abcdef00badcafe");
	conn.proxy_protocol = PROXY_PROTOCOL_V2 | PROXY_TLV_CRC32C;
	CHECK(&conn, HEAD("\x13") "\3\0\4\x74\x45\x3d\x9a");
	conn.proxy_protocol = PROXY_PROTOCOL_V2_SSL | 0xf0;
	CHECK(&conn, HEAD("\x4d") "\1\0\x0c\2h2\10http/1.1"
				  "\2\0\5a.b.c"
				  "\x20\0\5\0\0\0\0\1"
				  "\5\0\x18"
				  "123456789abcdef00badcafe"
				  "\3\0\4\x00\x7d\x71\x6c");
}

/* What is not known as it was sent is left out. */
static void test_left_out(void **state)
{
	struct conn conn = conn_of(PROXY_PROTOCOL_V2 | PROXY_TLV_ALPN | PROXY_TLV_AUTHORITY);

	conn.hello.flags |= HELLO_ALPN_CUT;
	CHECK(&conn, HEAD("\x14") "\2\0\5a.b.c");
	conn.hello.flags |= HELLO_SNI_CUT;
	CHECK(&conn, HEAD("\x0c"));
	conn.hello.flags = HELLO_SNI | HELLO_ALPN;
	conn.hello.verdict = VERDICT_MALFORMED;
	CHECK(&conn, HEAD("\x0c"));
}

static void test_longest(void **state)
{
	struct conn conn = conn_of(PROXY_PROTOCOL_V2_SSL | 0xf0);
	uint8_t header[PROXY_HEADER_MAX];

	memset(conn.client, 1, sizeof(conn.client));
	conn.hello.alpn_len = ALPN_MAX;
	conn.hello.sni_len = SNI_MAX;
	assert_int_equal(proxy_header(&conn, header), 16 + 36 + 123 + 258 + 8 + 27 + 7);
	assert_int_equal(header[14] << 8 | header[15], 36 + 123 + 258 + 8 + 27 + 7);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Of fewer bytes more are wanted, and of a whole header there is an answer, whatever follows. */
static enum proxy_answer read_all(const void *bytes, size_t len, struct proxied *proxied)
{
	enum proxy_answer answer = PROXY_NEED_MORE;
	uint8_t *copy;

	for (size_t n = 0; n <= len && answer == PROXY_NEED_MORE; n++) {
		copy = malloc(n); /* so that a sanitizer sees a byte too many */
		memcpy(copy, bytes, n);
		answer = proxy_read(copy, n, proxied);
		free(copy);
	}
	assert_int_equal(proxy_read(bytes, len, proxied), answer);
	return answer;
}

#define READ(bytes, proxied) read_all(bytes, sizeof(bytes) - 1, proxied)
#define V2		     "\r\n\r\n\0\r\nQUIT\n"
#define V4_ADDRESSES	     "\xc0\0\2\7\xc0\0\2\1\x12\x34\1\xbb"

static void check_v4(const struct proxied *proxied, size_t size)
{
	static const uint8_t client[16] = {[10] = 0xff, 0xff, 192, 0, 2, 7};
	static const uint8_t local[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

	assert_true(proxied->has_addresses);
	assert_int_equal(proxied->size, size);
	assert_memory_equal(proxied->client, client, 16);
	assert_memory_equal(proxied->local, local, 16);
	assert_int_equal(ntohs(proxied->client_port), 0x1234);
	assert_int_equal(ntohs(proxied->local_port), 443);
}

static void test_read(void **state)
{
	struct proxied proxied;

	assert_int_equal(READ("PROXY TCP4 192.0.2.7 192.0.2.1 4660 443\r\nGET", &proxied),
			 PROXY_DONE);
	check_v4(&proxied, 41);
	assert_int_equal(READ(V2 "\x21\x11\0\x0c" V4_ADDRESSES "more", &proxied), PROXY_DONE);
	check_v4(&proxied, 28);
	assert_int_equal(READ(V2 "\x21\x11\0\x13" V4_ADDRESSES "\3\0\4\x74\x45\x3d\x9a", &proxied),
			 PROXY_DONE);
	check_v4(&proxied, 35);
	assert_int_equal(READ(V2 "\x21\x11\0\x12" V4_ADDRESSES "\4\0\3\0\0\0", &proxied),
			 PROXY_DONE);
	check_v4(&proxied, 34);
	assert_int_equal(READ("PROXY TCP6 2001:db8::7 ::1 0 65535\r\n", &proxied), PROXY_DONE);
	assert_int_equal(proxied.client[15], 7);
	assert_int_equal(proxied.local_port, 0xffff);
}

/* Of the proxy itself, or of nobody knows where. */
static void test_read_nothing(void **state)
{
	struct proxied proxied;

	assert_int_equal(READ("PROXY UNKNOWN\r\n", &proxied), PROXY_DONE);
	assert_false(proxied.has_addresses);
	assert_int_equal(READ("PROXY UNKNOWN ffff:f...f:ffff 65535\r\n", &proxied), PROXY_DONE);
	assert_false(proxied.has_addresses);
	assert_int_equal(READ(V2 "\x20\0\0\0", &proxied), PROXY_DONE);
	assert_false(proxied.has_addresses);
	assert_int_equal(proxied.size, 16);
	assert_int_equal(READ(V2 "\x20\x11\0\x0c" V4_ADDRESSES, &proxied), PROXY_DONE);
	assert_false(proxied.has_addresses);
	assert_int_equal(READ(V2 "\x20\x11\0\0", &proxied), PROXY_DONE);
	assert_false(proxied.has_addresses);
	assert_int_equal(READ(V2 "\x20\xff\0\x0e" V4_ADDRESSES "\4\0", &proxied), PROXY_DONE);
	assert_false(proxied.has_addresses);
	assert_int_equal(READ(V2 "\x21\0\0\0", &proxied), PROXY_DONE);
	assert_false(proxied.has_addresses);
	assert_int_equal(READ(V2 "\x21\x31\0\2xx", &proxied), PROXY_DONE);
	assert_false(proxied.has_addresses);
}

static void test_read_malformed(void **state)
{
	struct proxied proxied;

	assert_int_equal(READ("\x16\3\1", &proxied), PROXY_MALFORMED);
	assert_int_equal(READ("PROXX", &proxied), PROXY_MALFORMED);
	assert_int_equal(READ("PROXY TCP4 192.0.2.7 192.0.2.1 4660\r\n", &proxied),
			 PROXY_MALFORMED);
	assert_int_equal(READ("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n", &proxied),
			 PROXY_MALFORMED);
	assert_int_equal(READ("PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n", &proxied),
			 PROXY_MALFORMED);
	assert_int_equal(READ("PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n", &proxied),
			 PROXY_MALFORMED);
	assert_int_equal(READ("PROXY TCP4 ::1 ::1 1 2\r\n", &proxied), PROXY_MALFORMED);
	assert_int_equal(READ("PROXY TCP5 192.0.2.7 192.0.2.1 1 2\r\n", &proxied), PROXY_MALFORMED);
	assert_int_equal(READ("PROXY UNKNOWN 0\0\r\n", &proxied), PROXY_MALFORMED);
	assert_int_equal(
		READ("PROXY UNKNOWN 0123456789012345678901234567890123456789012345678901234567"
		     "8901234567890123456789012345678901\r\n",
		     &proxied),
		PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x11\x11\0\x0c" V4_ADDRESSES, &proxied), PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x22\x11\0\x0c" V4_ADDRESSES, &proxied), PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x21\x41\0\x0c" V4_ADDRESSES, &proxied), PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x21\x13\0\x0c" V4_ADDRESSES, &proxied), PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x21\x11\0\x0b" V4_ADDRESSES, &proxied), PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x21\x21\0\x0c" V4_ADDRESSES, &proxied), PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x21\x11\0\x0e" V4_ADDRESSES "\4\0", &proxied), PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x21\x11\0\x0f" V4_ADDRESSES "\4\0\1", &proxied),
			 PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x21\x11\0\x13" V4_ADDRESSES "\3\0\4\x74\x45\x3d\x9b", &proxied),
			 PROXY_MALFORMED);
	assert_int_equal(READ(V2 "\x21\x11\0\x12" V4_ADDRESSES "\3\0\3\x74\x45\x3d", &proxied),
			 PROXY_MALFORMED);
}

/* What is written is read. */
static void test_read_written(void **state)
{
	struct conn conn = conn_of(PROXY_PROTOCOL_V2_SSL | 0xf0);
	uint8_t header[PROXY_HEADER_MAX];
	struct proxied proxied;
	size_t size = proxy_header(&conn, header);

	assert_int_equal(read_all(header, size, &proxied), PROXY_DONE);
	check_v4(&proxied, size);
	for (size_t i = 16; i < 28; i++) { /* the sum notices a wrong address */
		header[i] ^= 1;
		assert_int_equal(proxy_read(header, size, &proxied), PROXY_MALFORMED);
		header[i] ^= 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),       cmocka_unit_test(test_tlvs),
		cmocka_unit_test(test_left_out),       cmocka_unit_test(test_longest),
		cmocka_unit_test(test_read),	       cmocka_unit_test(test_read_nothing),
		cmocka_unit_test(test_read_malformed), cmocka_unit_test(test_read_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
