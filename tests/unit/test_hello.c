// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the parser makes of a client's first bytes: each case in one piece, in single bytes, and
 * cut in two at every place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../user/kernel/decide.h"
#include "hellos.h"

static struct bytes extensions, message, stream;

static void start(void)
{
	extensions.len = message.len = stream.len = 0;
}

static void same_hello(const struct hello *a, const struct hello *b)
{
	struct hello x = *a, y = *b;

	memset(x.record, 0, sizeof(x.record)); /* depends on where the cuts are */
	memset(y.record, 0, sizeof(y.record));
	assert_int_equal(x.verdict, y.verdict);
	if (x.verdict != VERDICT_NEED_MORE)
		assert_memory_equal(&x, &y, sizeof(x));
}

/* Feeds the stream in every way; returns what came out each time. */
static struct hello feed(void)
{
	struct hello whole = {0}, bytes = {0};

	hello_read(&whole, stream.v, stream.len);
	for (size_t i = 0; i < stream.len; i++)
		hello_read(&bytes, stream.v + i, 1);
	same_hello(&whole, &bytes);
	for (size_t cut = 1; cut < stream.len; cut++) {
		struct hello h = {0};

		hello_read(&h, stream.v, cut);
		hello_read(&h, stream.v + cut, stream.len - cut);
		same_hello(&whole, &h);
	}
	return whole;
}

/* A hello with the extensions, in one record. */
static struct hello feed_hello(void)
{
	put_hello(&message, &extensions);
	put_records(&stream, &message, 16384);
	return feed();
}

static void is_malformed(void)
{
	assert_int_equal(feed_hello().verdict, VERDICT_MALFORMED);
	start();
}

/* ---- other protocols --------------------------------------------------------------------- */

static const struct text_case {
	const char *bytes;
	size_t len;
	enum verdict verdict;
} text_cases[] = {
#define TEXT(s, verdict)                                                                           \
	{                                                                                          \
		s, sizeof(s) - 1, verdict                                                          \
	}
	TEXT("GET / HTTP/1.1\r\n", VERDICT_HTTP1),
	TEXT("OPTIONS * HTTP/1.1\r\n", VERDICT_HTTP1),
	TEXT("GET http://a/ HTTP/1.0\r\n", VERDICT_HTTP1),
	TEXT("GET HTTP://a/ HTTP/1.0\r\n", VERDICT_HTTP1),
	TEXT("GET hTTps://a/ HTTP/1.0\r\n", VERDICT_HTTP1),
	TEXT("METHODOFTWENTYLETTER https://a/ HTTP/1.1", VERDICT_HTTP1),
	TEXT("GET https:", VERDICT_HTTP1),
	TEXT("GET https", VERDICT_NEED_MORE),
	TEXT("GET h", VERDICT_NEED_MORE),
	TEXT("GET httpx://a/ HTTP/1.0\r\n", VERDICT_OTHER),
	TEXT("GET h/ HTTP/1.0\r\n", VERDICT_OTHER),
	TEXT("EHLO host.example\r\n", VERDICT_OTHER),
	TEXT("EHLO http.example\r\n", VERDICT_OTHER),
	TEXT("EHLO https.example\r\n", VERDICT_OTHER),
	TEXT("HELO h\r\n", VERDICT_OTHER),
	TEXT("CONNECT a.example:443 HTTP/1.1\r\n", VERDICT_HTTP1),
	TEXT("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n", VERDICT_HTTP1),
	TEXT("PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n", VERDICT_OTHER),
	TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERDICT_HTTP2),
	TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", VERDICT_NEED_MORE),
	TEXT("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", VERDICT_OTHER),
	TEXT("PRINT / HTTP/1.1\r\n", VERDICT_HTTP1),
	TEXT("SSH-2.0-OpenSSH_9.2\r\n", VERDICT_SSH),
	TEXT("SSH-", VERDICT_SSH),
	TEXT("SSH", VERDICT_NEED_MORE),
	TEXT("SSL-2.0", VERDICT_OTHER),
	TEXT("GET /", VERDICT_HTTP1),
	TEXT("GET ", VERDICT_NEED_MORE),
	TEXT("GET x", VERDICT_OTHER),
	TEXT("GE /", VERDICT_OTHER),
	TEXT("get / HTTP/1.1\r\n", VERDICT_OTHER),
	TEXT("CONNECTED a:1 HTTP/1.1\r\n", VERDICT_OTHER),
	TEXT("CONNEC a:1 HTTP/1.1\r\n", VERDICT_OTHER),
	TEXT("METHODOFTWENTYLETTER / HTTP/1.1", VERDICT_HTTP1),
	TEXT("METHODOFTWENTYONELETT / HTTP/1.1", VERDICT_OTHER),
	TEXT("EHLO mail.example\r\n", VERDICT_OTHER),
	TEXT("\0", VERDICT_OTHER),
	TEXT("\x15\x03\x01\0\2\1\0", VERDICT_OTHER), /* an alert */
	TEXT("\x80\x2e\x01\0\2\0\x15", VERDICT_SSLV2),
	TEXT("\x80\x2e\x01\3\1\0\x15", VERDICT_SSLV2),
	TEXT("\x80\x2e\x01\3", VERDICT_NEED_MORE),
	TEXT("\x80\x2e\x02\3\1", VERDICT_OTHER),
	TEXT("\x80\x2e\x01\4\1", VERDICT_OTHER),
	TEXT("", VERDICT_NEED_MORE),
};

static void protocols_are_told_by_their_first_bytes(void **state)
{
	for (size_t i = 0; i < sizeof(text_cases) / sizeof(*text_cases); i++) {
		const struct text_case *c = &text_cases[i];
		enum verdict verdict;

		start();
		put(&stream, c->bytes, c->len);
		verdict = feed().verdict;
		if (verdict != c->verdict)
			fail_msg("\"%s\": verdict %d, expected %d", c->bytes, verdict, c->verdict);
	}
}

static void a_client_that_ends_before_a_verdict_is_judged_by_its_first_byte(void **state)
{
	struct hello h = {0};

	assert_int_equal(hello_cut_short(&h), VERDICT_SILENT);
	hello_read(&h, "\x16", 1);
	assert_int_equal(hello_cut_short(&h), VERDICT_MALFORMED);
	h = (struct hello){0};
	hello_read(&h, "GET", 3);
	assert_int_equal(hello_cut_short(&h), VERDICT_OTHER);
	h = (struct hello){0};
	hello_read(&h, "\x80", 1);
	assert_int_equal(hello_cut_short(&h), VERDICT_OTHER);
}

/* ---- records and message ----------------------------------------------------------------- */

static void only_the_last_byte_of_a_message_makes_it_a_hello(void **state)
{
	start();
	put_server_name(&extensions, "a.example", 9);
	put_alpn(&extensions, "\2h2", 3);
	put_extension(&extensions, 21, "padding", 7);
	put_hello(&message, &extensions);
	for (size_t size = 1; size <= message.len; size++) {
		stream.len = 0;
		put_records(&stream, &message, size);
		for (size_t len = 0; len < stream.len; len++) {
			struct hello h = {0};

			assert_int_equal(hello_read(&h, stream.v, len), VERDICT_NEED_MORE);
		}
		assert_int_equal(feed().verdict, VERDICT_TLS);
	}
}

static void what_follows_a_hello_does_not_matter(void **state)
{
	struct hello h;

	start();
	put_hello(&message, &extensions);
	put_number(&message, 0xdeadbeef, 4); /* in its record */
	put_records(&stream, &message, 16384);
	put_number(&stream, 0xff, 1); /* and behind it */
	h = feed();
	assert_int_equal(h.verdict, VERDICT_TLS);
	assert_int_equal(h.flags, 0);
}

static void a_hello_may_end_before_the_length_of_its_extensions(void **state)
{
	struct hello h;

	start();
	put_hello(&message, NULL);
	put_records(&stream, &message, 16384);
	h = feed();
	assert_int_equal(h.verdict, VERDICT_TLS);
	assert_int_equal(h.version, 0x0303);
}

/* `type`, `version` and `len` of a record in the middle of a hello. */
static void record_between(uint8_t type, uint16_t version, size_t len, enum verdict verdict)
{
	static const uint8_t zeros[16385];

	start();
	put_hello(&message, &extensions);
	put_record(&stream, 22, message.v, 10);
	put_number(&stream, type, 1);
	put_number(&stream, version, 2);
	put_number(&stream, len, 2);
	put(&stream, zeros, len);
	assert_int_equal(feed().verdict, verdict);
}

static void records_between_have_to_carry_the_hello_on(void **state)
{
	record_between(22, 0x0301, 1, VERDICT_NEED_MORE);
	record_between(22, 0x03ff, 1, VERDICT_NEED_MORE);
	record_between(22, 0x0301, 0, VERDICT_MALFORMED);
	record_between(22, 0x0201, 1, VERDICT_MALFORMED);
	record_between(22, 0x0401, 1, VERDICT_MALFORMED);
	record_between(20, 0x0301, 1, VERDICT_MALFORMED);
	record_between(21, 0x0301, 2, VERDICT_MALFORMED);
	record_between(23, 0x0301, 1, VERDICT_MALFORMED);
	record_between(22, 0x0301, 16385, VERDICT_MALFORMED);
}

static void the_largest_hello_is_read(void **state)
{
	size_t begin;
	struct hello h;

	start();
	put_server_name(&extensions, "a.example", 9);
	put_number(&extensions, 0x0015, 2);
	put_number(&extensions, 65535 - extensions.len - 2, 2);
	put_zeros(&extensions, 65535 - extensions.len);
	put_number(&message, 1, 1);
	begin = put_begin(&message, 3);
	put_number(&message, 0x0303, 2);
	put_zeros(&message, 32);
	put_number(&message, 32, 1);
	put_zeros(&message, 32);
	put_number(&message, 65534, 2);
	put_zeros(&message, 65534);
	put_number(&message, 255, 1);
	put_zeros(&message, 255);
	put_number(&message, 65535, 2);
	put(&message, extensions.v, extensions.len);
	put_end(&message, begin, 3);
	assert_int_equal(message.len, 4 + HELLO_MAX_BODY);
	put_records(&stream, &message, 16384);
	h = feed();
	assert_int_equal(h.verdict, VERDICT_TLS);
	assert_string_equal((char *)h.sni, "a.example");
	assert_int_equal(h.size, HELLO_MAX_BODY);
}

/* Which bytes of a hello without extensions, changed to what, make it inconsistent. */
static void lengths_that_do_not_fit_are_malformed(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{0, 2},	    /* msg_type */
		{1, 3},	    /* more than HELLO_MAX_BODY */
		{3, 40},    /* less than any hello has */
		{3, 46},    /* a byte too few for the extensions' length */
		{4, 2},	    /* legacy_version */
		{38, 33},   /* session id */
		{40, 0},    /* no cipher suite */
		{40, 3},    /* an odd length */
		{39, 0xff}, /* cipher suites past the end */
		{45, 0},    /* no compression method */
		{45, 200},  /* compression methods past the end */
		{48, 1},    /* extensions past the end */
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		start();
		put_hello(&message, &extensions);
		message.v[changes[i].at] = changes[i].value;
		put_records(&stream, &message, 16384);
		if (feed().verdict != VERDICT_MALFORMED)
			fail_msg("byte %zu = %u is taken", changes[i].at, changes[i].value);
	}
}

static enum verdict with_legacy_version(uint8_t major)
{
	start();
	put_hello(&message, &extensions);
	message.v[4] = major;
	put_records(&stream, &message, 16384);
	return feed().verdict;
}

static void later_legacy_versions_are_tolerated(void **state)
{
	assert_int_equal(with_legacy_version(0), VERDICT_MALFORMED);
	assert_int_equal(with_legacy_version(2), VERDICT_MALFORMED);
	assert_int_equal(with_legacy_version(4), VERDICT_TLS);
	assert_int_equal(with_legacy_version(0xff), VERDICT_TLS);
}

static void extensions_that_come_twice_are_malformed(void **state)
{
	static const uint16_t checked[] = {5, 16, 43, 51, 63, 13172, 0xfe0d, 0xff01};

	for (size_t i = 0; i < sizeof(checked) / sizeof(*checked); i++) {
		start();
		put_extension(&extensions, checked[i], "\0\2\1a", 4);
		put_extension(&extensions, checked[i], "\0\2\1a", 4);
		is_malformed();
	}
	start();
	put_extension(&extensions, 0x1a1a, "", 0);
	put_extension(&extensions, 0x1a1a, "", 0);
	assert_int_equal(feed_hello().verdict, VERDICT_TLS);
}

/* ---- server_name ------------------------------------------------------------------------- */

static void reads_name(const char *sent, size_t len, const char *expected)
{
	struct hello h;

	start();
	put_server_name(&extensions, sent, len);
	h = feed_hello();
	assert_int_equal(h.verdict, VERDICT_TLS);
	assert_int_equal(h.flags, HELLO_SNI);
	assert_int_equal(h.sni_len, strlen(expected));
	assert_string_equal((char *)h.sni, expected);
}

static void names_are_lower_case_without_a_trailing_dot(void **state)
{
	static const char *const names[][2] = {
		{"a", "a"},
		{"www.example.com", "www.example.com"},
		{"WWW.ExAmPlE.CoM", "www.example.com"},
		{"www.example.com.", "www.example.com"},
		{"www.example.com..", "www.example.com."},
		{".", ""},
		{"@AZ[`az{", "@az[`az{"},
		{"\xc1\xda\x80\xff", "\xc1\xda\x80\xff"}, /* no ASCII letters */
		{"12345678", "12345678"},
		{"1234567.", "1234567"},
		{"12345678.", "12345678"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		reads_name(names[i][0], strlen(names[i][0]), names[i][1]);
}

static void names_have_255_bytes_at_most(void **state)
{
	char name[257], lower[257];

	memset(name, 'X', sizeof(name));
	memset(lower, 'x', sizeof(lower));
	lower[255] = 0;
	reads_name(name, 255, lower);
	name[254] = '.';
	lower[254] = 0;
	reads_name(name, 255, lower);
	start();
	put_server_name(&extensions, name, 256);
	is_malformed();
	put_server_name(&extensions, "", 0);
	is_malformed();
}

static void a_nul_in_a_name_is_malformed(void **state)
{
	for (size_t len = 1; len < 20; len++)
		for (size_t at = 0; at < len; at++) {
			char name[20];

			start();
			memset(name, 'A', sizeof(name));
			name[at] = 0;
			put_server_name(&extensions, name, len);
			is_malformed();
		}
}

static void inconsistent_server_names_are_malformed(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} cases[] = {
		{"", 0},			/* empty, as a server answers */
		{"\0\4\0\0\1a", 5},		/* name past the end */
		{"\0\4\0\0\2a", 6},		/* of the list */
		{"\0\5\0\0\1a", 6},		/* list past the end */
		{"\0\3\0\0\1a", 6},		/* list ends within the name */
		{"\0\4\1\0\1a", 6},		/* not a host_name */
		{"\0\4\0\0\1ab", 7},		/* bytes behind the list */
		{"\0\x8\0\0\1a\0\0\1b", 10},	/* two names */
		{"\0\x8\0\0\1a\1\0\1b", 10},	/* of two types */
		{"\0\x8\0\0\1a\0\x17\0\0", 10}, /* what is left looks like an extension */
	};

	start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put_extension(&extensions, 0, cases[i].data, cases[i].len);
		is_malformed();
	}
}

/* ---- ALPN -------------------------------------------------------------------------------- */

static void offered_names_are_compared_byte_for_byte(void **state)
{
	static const struct {
		const char *names;
		uint32_t offers;
	} lists[] = {
		{"\2h2", HELLO_OFFERS_H2},
		{"\2H2", 0},
		{"\3h2c", 0},
		{"\1h", 0},
		{"\10http/1.1", HELLO_OFFERS_HTTP1},
		{"\10http/1.0", HELLO_OFFERS_HTTP10},
		{"\10HTTP/1.1", 0},
		{"\11http/1.1x", 0},
		{"\7http/1.", 0},
		{"\2zz\2h2\10http/1.1", HELLO_OFFERS_H2 | HELLO_OFFERS_HTTP1},
		{"\4\2h2h", 0}, /* "h2" within a name */
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		size_t len = strlen(lists[i].names);
		struct hello h;

		start();
		put_alpn(&extensions, lists[i].names, len);
		h = feed_hello();
		assert_int_equal(h.verdict, VERDICT_TLS);
		assert_int_equal(h.flags, HELLO_ALPN | lists[i].offers);
		assert_int_equal(h.alpn_len, len);
		assert_memory_equal(h.alpn, lists[i].names, len);
	}
}

static void inconsistent_lists_are_malformed(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} cases[] = {
		{"", 0},	 {"\0\0", 2},	    {"\0\1\0", 3},    {"\0\2\0\0", 4},
		{"\0\3\2h2", 4}, {"\0\2\2h2", 5},   {"\0\4\2h2", 5},  {"\0\3\3h2", 5},
		{"\0\3\1h2", 5}, {"\0\4\2h2\0", 6}, {"\0\3\2h2x", 6}, {"\0\4\0\2h2", 6},
	};

	start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put_extension(&extensions, 16, cases[i].data, cases[i].len);
		is_malformed();
	}
}

/* Lists around ALPN_MAX, the last name being h2. */
static void lists_that_are_cut_are_found_again(void **state)
{
	for (size_t len = ALPN_MAX - 3; len < ALPN_MAX + 300; len += len < ALPN_MAX + 3 ? 1 : 97) {
		size_t filler = len - 3, first = filler > 200 ? 100 : 0;
		struct subject subject;
		uint8_t list[1024] = {0}, source[16] = {0}, *whole;
		struct hello h;

		start();
		if (first)
			list[0] = first - 1;
		list[first] = filler - first - 1;
		memcpy(list + filler, "\2h2", 3);
		memset(list + first + 1, 'x', filler - first - 1);
		if (list[first] != filler - first - 1)
			continue;
		put_alpn(&extensions, list, len);
		h = feed_hello();
		assert_int_equal(h.verdict, VERDICT_TLS);
		assert_int_equal(h.alpn_size, len);
		assert_int_equal(!(h.flags & HELLO_ALPN_CUT), len <= ALPN_MAX);
		assert_int_equal(!(h.flags & HELLO_OFFERS_H2), len > ALPN_MAX);
		subject_init(&subject, &h, source);
		for (size_t size = 1; size < 300; size += 13) {
			stream.len = 0;
			put_records(&stream, &message, size);
			assert_int_equal(subject_whole_alpn(&subject, stream.v, stream.len, &whole),
					 0);
			assert_int_equal(subject.alpn_len, len);
			assert_memory_equal(subject.alpn, list, len);
			free(whole);
		}
	}
}

static void a_list_that_has_not_come_whole_is_not_found(void **state)
{
	struct subject subject;
	uint8_t source[16] = {0}, *whole;
	struct hello h;

	start();
	put_alpn(&extensions, "\2h2\3abc", 7);
	h = feed_hello();
	subject_init(&subject, &h, source);
	for (size_t len = 0; len < stream.len; len++) {
		assert_int_equal(subject_whole_alpn(&subject, stream.v, len, &whole), -EINVAL);
		free(whole);
	}
}

/* ---- other extensions -------------------------------------------------------------------- */

static void extensions_come_once(void **state)
{
	static const uint16_t types[] = {1, 10, 16, 21, 35, 41, 43, 45, 51, 63, 0xfe0d};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		const char *data = types[i] == 16 ? "\0\3\2h2" : types[i] == 43 ? "\2\3\4" : "x";
		size_t len = types[i] == 16 ? 5 : types[i] == 43 ? 3 : 1;

		start();
		put_extension(&extensions, types[i], data, len);
		assert_int_equal(feed_hello().verdict, VERDICT_TLS);
		start();
		put_extension(&extensions, types[i], data, len);
		put_extension(&extensions, 22, "", 0);
		put_extension(&extensions, types[i], data, len);
		is_malformed();
	}
	put_server_name(&extensions, "a", 1);
	put_server_name(&extensions, "b", 1);
	is_malformed();
}

static void pre_shared_key_comes_last(void **state)
{
	start();
	put_server_name(&extensions, "a", 1);
	put_extension(&extensions, 41, "0123", 4);
	assert_int_equal(feed_hello().verdict, VERDICT_TLS);
	start();
	put_extension(&extensions, 41, "0123", 4);
	put_server_name(&extensions, "a", 1);
	is_malformed();
	put_extension(&extensions, 41, "0123", 4);
	put_extension(&extensions, 0x0a0a, "", 0);
	is_malformed();
}

static void extensions_end_with_the_message(void **state)
{
	for (size_t cut = 1; cut < 5; cut++) { /* bytes of a header, or of what it says follows */
		start();
		put_extension(&extensions, 22, "", 0);
		put_extension(&extensions, 23, "x", 1);
		extensions.len -= cut;
		is_malformed();
	}
}

static void the_highest_known_version_counts(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		uint16_t version; /* 0: malformed */
	} cases[] = {
		{"\2\3\4", 3, 0x0304},
		{"\4\3\3\3\4", 5, 0x0304},
		{"\6\x2a\x2a\3\4\3\3", 7, 0x0304}, /* GREASE */
		{"\4\x7f\x1c\3\3", 5, 0x0303},	   /* draft 28 */
		{"\0", 1, 0},
		{"\1\3", 2, 0},
		{"\3\3\4\3", 4, 0},
		{"\4\3\4", 3, 0},
		{"\2\3\4\0", 4, 0},
		{"", 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hello h;

		start();
		put_extension(&extensions, 43, cases[i].data, cases[i].len);
		h = feed_hello();
		assert_int_equal(h.verdict, cases[i].version ? VERDICT_TLS : VERDICT_MALFORMED);
		if (cases[i].version)
			assert_int_equal(h.version, cases[i].version);
	}
}

static void encrypted_client_hello_is_noted(void **state)
{
	start();
	put_extension(&extensions, 0xfe0d, "outer", 5);
	put_server_name(&extensions, "public.example", 14);
	assert_int_equal(feed_hello().flags, HELLO_ECH | HELLO_SNI);
}

/* ---- what a client speaks ---------------------------------------------------------------- */

static uint32_t speaks_version(enum verdict verdict, uint32_t flags, uint16_t version)
{
	struct hello h = {.verdict = verdict, .flags = flags, .version = version};

	return hello_speaks(&h);
}

static uint32_t speaks(enum verdict verdict, uint32_t flags)
{
	return speaks_version(verdict, flags, 0);
}

static void protocols_follow_from_verdict_and_offers(void **state)
{
	const uint32_t known = PROTOCOL_TCP | PROTOCOL_NAMES_KNOWN;
	const uint32_t tls = known | PROTOCOL_TLS | PROTOCOL_NO_ECH;

	assert_int_equal(speaks(VERDICT_TLS, 0), tls | PROTOCOL_HTTPS);
	assert_int_equal(speaks(VERDICT_TLS, HELLO_ALPN), tls);
	assert_int_equal(speaks(VERDICT_TLS, HELLO_ALPN | HELLO_OFFERS_H2),
			 tls | PROTOCOL_HTTPS | PROTOCOL_HTTP2);
	assert_int_equal(speaks(VERDICT_TLS, HELLO_ALPN | HELLO_OFFERS_HTTP1),
			 tls | PROTOCOL_HTTPS | PROTOCOL_HTTP1);
	assert_int_equal(speaks(VERDICT_TLS, HELLO_ALPN | HELLO_OFFERS_HTTP10),
			 tls | PROTOCOL_HTTPS);
	assert_int_equal(speaks(VERDICT_HTTP1, 0), known | PROTOCOL_HTTP | PROTOCOL_HTTP1);
	assert_int_equal(speaks(VERDICT_HTTP2, 0), known | PROTOCOL_HTTP | PROTOCOL_HTTP2);
	assert_int_equal(speaks(VERDICT_SSH, 0), known | PROTOCOL_SSH);
	assert_int_equal(speaks(VERDICT_OTHER, 0), known);
	assert_int_equal(speaks(VERDICT_MALFORMED, HELLO_OFFERS_H2), PROTOCOL_TCP);
	assert_int_equal(speaks(VERDICT_SSLV2, 0), PROTOCOL_TCP);
	assert_int_equal(speaks(VERDICT_SILENT, 0), PROTOCOL_TCP);
}

static void the_highest_version_and_ech_are_of_a_hello(void **state)
{
	static const struct {
		uint16_t version, flags;
		uint32_t bit;
	} cases[] = {
		{0x0300, 0, PROTOCOL_SSL3},
		{0x0301, 0, PROTOCOL_TLS10},
		{0x0302, 0, PROTOCOL_TLS11},
		{0x0303, 0, PROTOCOL_TLS12},
		{0x0304, 0, PROTOCOL_TLS12}, /* RFC 8446 section 4.2.1 */
		{0x03ff, 0, PROTOCOL_TLS12},
		{0x0301, HELLO_VERSIONS, PROTOCOL_TLS10},
		{0x0303, HELLO_VERSIONS, PROTOCOL_TLS12},
		{0x0304, HELLO_VERSIONS, PROTOCOL_TLS13},
		{0x0305, HELLO_VERSIONS, PROTOCOL_TLS_LATER},
		{0x03ff, HELLO_VERSIONS, PROTOCOL_TLS_LATER},
		{0, HELLO_VERSIONS, 0},	     /* GREASE alone */
		{0x0400, 0, PROTOCOL_TLS12}, /* RFC 5246 appendix E.1 */
		{0xfe00, 0, PROTOCOL_TLS12},
	};
	const uint32_t of_hello = PROTOCOL_VERSIONS | PROTOCOL_ECH | PROTOCOL_NO_ECH;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint16_t version = cases[i].version, flags = cases[i].flags;

		assert_int_equal(speaks_version(VERDICT_TLS, flags, version) & of_hello,
				 cases[i].bit | PROTOCOL_NO_ECH);
		assert_int_equal(speaks_version(VERDICT_TLS, flags | HELLO_ECH, version) & of_hello,
				 cases[i].bit | PROTOCOL_ECH);
		assert_int_equal(speaks_version(VERDICT_MALFORMED, flags, version) & of_hello, 0);
		assert_int_equal(speaks_version(VERDICT_HTTP1, flags, version) & of_hello, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocols_are_told_by_their_first_bytes),
		cmocka_unit_test(a_client_that_ends_before_a_verdict_is_judged_by_its_first_byte),
		cmocka_unit_test(only_the_last_byte_of_a_message_makes_it_a_hello),
		cmocka_unit_test(what_follows_a_hello_does_not_matter),
		cmocka_unit_test(a_hello_may_end_before_the_length_of_its_extensions),
		cmocka_unit_test(records_between_have_to_carry_the_hello_on),
		cmocka_unit_test(the_largest_hello_is_read),
		cmocka_unit_test(lengths_that_do_not_fit_are_malformed),
		cmocka_unit_test(later_legacy_versions_are_tolerated),
		cmocka_unit_test(extensions_that_come_twice_are_malformed),
		cmocka_unit_test(names_are_lower_case_without_a_trailing_dot),
		cmocka_unit_test(names_have_255_bytes_at_most),
		cmocka_unit_test(a_nul_in_a_name_is_malformed),
		cmocka_unit_test(inconsistent_server_names_are_malformed),
		cmocka_unit_test(offered_names_are_compared_byte_for_byte),
		cmocka_unit_test(inconsistent_lists_are_malformed),
		cmocka_unit_test(lists_that_are_cut_are_found_again),
		cmocka_unit_test(a_list_that_has_not_come_whole_is_not_found),
		cmocka_unit_test(extensions_come_once),
		cmocka_unit_test(pre_shared_key_comes_last),
		cmocka_unit_test(extensions_end_with_the_message),
		cmocka_unit_test(the_highest_known_version_counts),
		cmocka_unit_test(encrypted_client_hello_is_noted),
		cmocka_unit_test(protocols_follow_from_verdict_and_offers),
		cmocka_unit_test(the_highest_version_and_ech_are_of_a_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
