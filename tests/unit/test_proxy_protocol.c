// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* PROXY headers, byte by byte. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_tlvs),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
