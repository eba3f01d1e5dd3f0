/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every hello is read three times: by the BPF program, segment by segment; by the daemon's
 * build of the same parser, in the same segments; and by OpenSSL. Program and daemon have to agree
 * on every byte they collect, on the route and on the server. With OpenSSL they have to agree
 * on whether it is a hello, on SNI, on the offered list and on ECH, but for these divergences:
 *
 *  1. OpenSSL passes over empty records and warning alerts between the records of a hello;
 *     RFC 8446 section 5.1 forbids both, and the parser calls them malformed.
 *  2. OpenSSL reads a record to its end before it looks at the message; the parser is done
 *     as soon as the message is.
 *  3. A legacy_version below 3.0 is one that OpenSSL does not support, and malformed to the
 *     parser.
 *  4. OpenSSL takes a host_name of no bytes; RFC 6066 section 3 wants one at least.
 *  5. A supported_versions list of no versions is an unsupported version to OpenSSL; the
 *     parser calls it malformed: RFC 8446 section 4.2.1 wants one at least.
 *  6. OpenSSL refuses what belongs in no TLS ClientHello: use_srtp, which is for DTLS, and
 *     CryptoPro's 0xfde8.
 *
 * What else OpenSSL holds against a hello is not about where its fields are: versions, cipher
 * suites, null compression, contents of other extensions. Its verdict is taken before it looks
 * there: in its client_hello callback for the message, and for cipher suites, SNI, ALPN and
 * versions from a second, otherwise faultless hello that carries them.
 *
 * REPLAY_SEED=n makes other hellos, REPLAY_HELLOS=n more or fewer of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "../../user/kernel/instance.h"
#include "../../user/model/decode.h"
#include "choose.h"
#include "classify.skel.h"
#include "../draw.h"
#include "hellos.h"
#include "tests/unit/replay.skel.h"

#define ETHERNET_HEADER 14
#define SEGMENT_MAX	3000 /* a test packet has to fit a page */
#define RECORD_HEADER	5
#define RECORD_MAX	16384
#define SLOT		1 /* the connection that replay.bpf.c looks at */

/* ---- chance ------------------------------------------------------------------------------ */

static uint64_t chance = 1;

static uint64_t seed_of_test(void)
{
	const char *seed = getenv("REPLAY_SEED");

	return seed ? strtoull(seed, NULL, 0) : 8446;
}

static size_t hellos_of_test(size_t by_default)
{
	const char *hellos = getenv("REPLAY_HELLOS");

	return hellos ? strtoull(hellos, NULL, 0) : by_default;
}

/* 0 .. n - 1 */
static uint64_t pick(uint64_t n)
{
	return draw(&chance) % n;
}

static bool one_in(uint64_t n)
{
	return !pick(n);
}

#define PICK(array) (array)[pick(sizeof(array) / sizeof(*(array)))]

static void put_random(struct bytes *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put_number(b, pick(256), 1);
}

/* RFC 8701 section 2: 0x0a0a, 0x1a1a, ... */
static uint16_t grease(void)
{
	return 0x0a0a + 0x1010 * pick(16);
}

/* ---- hellos that are made ---------------------------------------------------------------- */

enum fault {
	FAULT_NONE,
	FAULT_TWICE,
	FAULT_PSK_NOT_LAST,
	FAULT_EMPTY_NAME,
	FAULT_LONG_NAME,
	FAULT_NUL_NAME,
	FAULT_SHORT_NAME, /* shorter than its list; an extension could stand there */
	FAULT_EMPTY_PROTOCOL,
	FAULT_EMPTY_LIST,
	FAULT_ODD_CIPHERS,
	FAULT_NO_CIPHERS,
	FAULT_NO_COMPRESSION,
	FAULT_LONG_SESSION_ID,
	FAULT_EMPTY_VERSIONS,
	FAULT_ODD_VERSIONS,
	FAULT_TRAILING,
	FAULT_VERSION,
	FAULT_MAX,
};

static const char *const known_names[] = {
	"www.example.com",
	"WWW.Example.COM",
	"example.com.",
	"example.com",
	"api.eu.example.com",
	"example.org",
	"a.example.org",
	"xn--bcher-kva.example",
	"internal.example.net",
	".",
	"a",
	"h2",
};
static const char *const known_protocols[] = {"h2",	    "http/1.1", "http/1.0", "h3",
					      "acme-tls/1", "H2",	"h2c",	    "spdy/3.1"};

static void put_some_name(struct bytes *b, enum fault fault)
{
	static struct bytes name;
	const char *known = PICK(known_names);

	name.len = 0;
	if (fault == FAULT_LONG_NAME || one_in(50))
		for (size_t n = fault == FAULT_LONG_NAME ? 256 : 250 + pick(6); n--;)
			put_number(&name, 'A' + pick(58), 1);
	else if (fault != FAULT_EMPTY_NAME)
		put(&name, known, strlen(known));
	if (fault == FAULT_NUL_NAME)
		name.v[pick(name.len)] = 0;
	if (fault == FAULT_SHORT_NAME)
		put_number(&name, 0x00170000, 4);
	put_server_name(b, name.v, name.len);
	if (fault == FAULT_SHORT_NAME)
		b->v[b->len - name.len - 1] -= 4;
}

static void put_some_protocols(struct bytes *b, enum fault fault)
{
	static struct bytes names;
	size_t n = one_in(12) ? 8 + pick(30) : 1 + pick(4);

	names.len = 0;
	if (fault == FAULT_EMPTY_LIST)
		n = 0;
	while (n-- > 0) {
		const char *known = PICK(known_protocols);
		size_t random = one_in(8) ? 1 + pick(255) : 0;

		if (one_in(8)) {
			put_number(&names, 2, 1);
			put_number(&names, grease(), 2);
		} else {
			put_number(&names, random ? random : strlen(known), 1);
			if (random)
				put_random(&names, random);
			else
				put(&names, known, strlen(known));
		}
	}
	if (fault == FAULT_EMPTY_PROTOCOL)
		put_number(&names, 0, 1);
	put_alpn(b, names.v, names.len);
}

static void put_some_versions(struct bytes *b, enum fault fault)
{
	size_t n = fault == FAULT_EMPTY_VERSIONS ? 0 : 1 + pick(4), list;

	put_number(b, 43, 2);
	put_number(b, 1 + 2 * n + (fault == FAULT_ODD_VERSIONS), 2);
	list = put_begin(b, 1);
	while (n-- > 0)
		put_number(b, one_in(3) ? grease() : 0x0300 + pick(6), 2);
	put_random(b, fault == FAULT_ODD_VERSIONS);
	put_end(b, list, 1);
}

/* Key shares: GREASE, X25519MLKEM768 (1,216 bytes), X25519. RFC 8446 section 4.2.8. */
static void put_some_key_shares(struct bytes *b)
{
	size_t extension, list;

	put_number(b, 51, 2);
	extension = put_begin(b, 2);
	list = put_begin(b, 2);
	put_number(b, grease(), 2);
	put_number(b, 0x000100, 3);
	if (one_in(2)) {
		put_number(b, 0x11ec, 2);
		put_number(b, 1216, 2);
		put_random(b, 1216);
	}
	put_number(b, 0x001d0020, 4);
	put_random(b, 32);
	put_end(b, list, 2);
	put_end(b, extension, 2);
}

/* An extension of two-byte values behind a list length, one of them GREASE. */
static void put_some_values(struct bytes *b, uint16_t type, size_t width)
{
	size_t n = 1 + pick(8), extension, list;

	put_number(b, type, 2);
	extension = put_begin(b, 2);
	list = put_begin(b, width);
	put_number(b, grease(), 2);
	while (n-- > 0)
		put_number(b, pick(0x900), 2);
	put_end(b, list, width);
	put_end(b, extension, 2);
}

static void put_some_psk(struct bytes *b)
{
	put_number(b, 41, 2);
	put_number(b, 47 + 2, 2);
	put_number(b, 12, 2);
	put_number(b, 6, 2);
	put_random(b, 6 + 4);
	put_number(b, 33, 2);
	put_number(b, 32, 1);
	put_random(b, 32);
}

static void put_opaque(struct bytes *b, uint16_t type, size_t len)
{
	put_number(b, type, 2);
	put_number(b, len, 2);
	put_random(b, len);
}

/* 300 bytes to all that an extensions field can hold. */
static size_t some_padding(void)
{
	return one_in(60) ? 1000 + pick(62000) : one_in(3) ? 300 + pick(1500) : pick(300);
}

/* One extension of each kind that a client may send; `kind` 0 .. 13. */
static void put_some_extension(struct bytes *b, size_t kind, enum fault fault)
{
	switch (kind) {
	case 0:
		return put_some_name(b, fault);
	case 1:
		return put_some_protocols(b, fault);
	case 2:
		return put_some_versions(b, fault);
	case 3:
		return put_some_key_shares(b);
	case 4:
		return put_some_values(b, 10, 2); /* supported_groups */
	case 5:
		return put_some_values(b, 13, 2); /* signature_algorithms */
	case 6:
		return put_extension(b, 45, (uint8_t[]){2, 0x0b, 1}, 3); /* psk modes, GREASE */
	case 7:
		return put_opaque(b, 0xfe0d, 150 + pick(200)); /* ECH */
	case 8:
		return put_opaque(b, grease(), pick(2));
	case 9:
		return put_opaque(b, 35, pick(200)); /* session_ticket */
	case 10:
		return put_extension(b, 0xff01, "", 1);
	case 11:
		return put_extension(b, 23, "", 0);
	case 12:
		return put_extension(b, 5, "\x01\0\0\0\0", 5); /* status_request */
	default:
		return put_opaque(b, one_in(4) ? pick(65536) : 21, some_padding());
	}
}
#define EXTENSION_KINDS 14

static void shuffle(size_t *v, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = pick(i), other = v[j];

		v[j] = v[i - 1];
		v[i - 1] = other;
	}
}

static void put_some_extensions(struct bytes *b, enum fault fault)
{
	size_t kinds[EXTENSION_KINDS], begin = put_begin(b, 2), density = 1 + pick(6);

	for (size_t i = 0; i < EXTENSION_KINDS; i++)
		kinds[i] = i;
	shuffle(kinds, EXTENSION_KINDS);
	if (fault == FAULT_PSK_NOT_LAST)
		put_some_psk(b);
	for (size_t i = 0; i < EXTENSION_KINDS; i++)
		if (fault != FAULT_NONE ? kinds[i] < 3 || one_in(3) : pick(6) < density)
			put_some_extension(b, kinds[i], fault);
	if (fault == FAULT_TWICE)
		put_some_extension(b, kinds[0], FAULT_NONE), put_some_extension(b, kinds[0], 0);
	else if (fault == FAULT_NONE && one_in(8))
		put_some_psk(b);
	put_end(b, begin, 2);
}

static void make_message(struct bytes *b)
{
	enum fault fault = one_in(4) ? pick(FAULT_MAX) : FAULT_NONE;
	size_t message, n;

	b->len = 0;
	put_number(b, 1, 1);
	message = put_begin(b, 3);
	put_number(b, fault == FAULT_VERSION ? pick(65536) : 0x0300 + pick(5), 2);
	put_random(b, 32);
	n = fault == FAULT_LONG_SESSION_ID ? 33 : one_in(2) ? 32 : pick(33);
	put_number(b, n, 1);
	put_random(b, n);
	n = fault == FAULT_NO_CIPHERS ? 0 : one_in(200) ? 2 + pick(32000) : 1 + pick(40);
	put_number(b, 2 * n + (fault == FAULT_ODD_CIPHERS), 2);
	if (n)
		put_number(b, grease(), 2);
	put_random(b, 2 * (n ? n - 1 : 0) + (fault == FAULT_ODD_CIPHERS));
	n = fault == FAULT_NO_COMPRESSION ? 0 : one_in(8) ? 1 + pick(255) : 1;
	put_number(b, n, 1);
	put_zeros(b, n);
	if (fault != FAULT_NONE || !one_in(20))
		put_some_extensions(b, fault);
	put_random(b, fault == FAULT_TRAILING);
	put_end(b, message, 3);
}

/* ---- hellos of OpenSSL's own clients ----------------------------------------------------- */

static SSL_CTX *client_ctx;

static int client_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len,
		      SSL_SESSION **session)
{
	static const unsigned char suite[] = {0x13, 0x01}, key[32] = {1};
	SSL_SESSION *s = SSL_SESSION_new();

	SSL_SESSION_set1_master_key(s, key, sizeof(key));
	SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suite));
	SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION);
	*id = key;
	*id_len = 7;
	*session = s;
	return 1;
}

static void configure_client(SSL *ssl)
{
	static const char *const ciphers[] = {"ALL:@SECLEVEL=0", "ECDHE:@SECLEVEL=0", "AES128-SHA",
					      "CHACHA20"};
	static const char *const groups[] = {"X25519", "P-256:X25519", "ffdhe8192:P-521", "X448"};
	static struct bytes names;

	names.len = 0;
	SSL_set_min_proto_version(ssl, one_in(2) ? 0 : TLS1_2_VERSION);
	SSL_set_max_proto_version(ssl, one_in(3) ? TLS1_2_VERSION : 0);
	SSL_set_cipher_list(ssl, PICK(ciphers));
	SSL_set1_groups_list(ssl, one_in(20) ? groups[2] : groups[pick(2)]);
	if (!one_in(4))
		SSL_set_tlsext_host_name(ssl, PICK(known_names));
	for (size_t n = pick(4); n > 0; n--) {
		const char *name = PICK(known_protocols);

		put_number(&names, strlen(name), 1);
		put(&names, name, strlen(name));
	}
	if (names.len)
		SSL_set_alpn_protos(ssl, names.v, names.len);
	if (one_in(2))
		SSL_set_options(ssl, SSL_OP_TLSEXT_PADDING);
	if (one_in(3))
		SSL_clear_options(ssl, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	if (one_in(3))
		SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
	if (one_in(4))
		SSL_set_psk_use_session_callback(ssl, client_psk);
	if (one_in(6))
		SSL_set_tlsext_max_fragment_length(ssl, 1 + pick(4));
}

/* What a client sends first, its records taken off. */
static void make_client_message(struct bytes *b)
{
	SSL *ssl = SSL_new(client_ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	uint8_t header[RECORD_HEADER];

	b->len = 0;
	SSL_set_bio(ssl, in, out);
	configure_client(ssl);
	SSL_connect(ssl);
	while (BIO_read(out, header, sizeof(header)) == sizeof(header)) {
		int len = header[3] << 8 | header[4];

		assert_int_equal(BIO_read(out, b->v + b->len, len), len);
		b->len += len;
	}
	assert_true(b->len > 40);
	SSL_free(ssl);
	ERR_clear_error();
}

/* ---- damage ------------------------------------------------------------------------------ */

static void insert(struct bytes *b, size_t at, size_t n)
{
	memmove(b->v + at + n, b->v + at, b->len - at);
	b->len += n;
	for (size_t i = 0; i < n; i++)
		b->v[at + i] = pick(256);
}

static void take_out(struct bytes *b, size_t at, size_t n)
{
	n = n < b->len - at ? n : b->len - at;
	memmove(b->v + at, b->v + at + n, b->len - at - n);
	b->len -= n;
}

static void mutate(struct bytes *b)
{
	static const uint8_t near[] = {0, 1, 2, 16, 31, 33, 43, 41, 127, 128, 254, 255};
	size_t at;

	if (!b->len)
		return; /* the last one has taken all */
	at = pick(one_in(2) && b->len > 200 ? 200 : b->len);
	switch (pick(8)) {
	case 0:
		b->v[at] ^= 1 << pick(8);
		break;
	case 1:
		b->v[at] = PICK(near);
		break;
	case 2:
		b->v[at]++;
		break;
	case 3:
		b->v[at]--;
		break;
	case 4:
		insert(b, at, 1 + pick(4));
		break;
	case 5:
		take_out(b, at, 1 + pick(4));
		break;
	case 6:
		b->len = at + 1;
		break;
	default: /* two bytes that may be a length */
		if (at + 1 < b->len)
			b->v[at] ^= pick(2), b->v[at + 1] = pick(256);
	}
}

static void put_some_records(struct bytes *stream, const struct bytes *message)
{
	static const size_t sizes[] = {1, 2, 3, 5, 100, 512, 1400};
	size_t fixed = message->len > 4000 ? RECORD_MAX : PICK(sizes);
	bool random = one_in(2), whole = one_in(2);

	stream->len = 0;
	for (size_t at = 0, n; at < message->len; at += n) {
		n = whole ? RECORD_MAX : random ? 1 + pick(fixed) : fixed;
		n = n < message->len - at ? n : message->len - at;
		put_record(stream, 22, message->v + at, n);
		if (one_in(4000))
			put_record(stream, one_in(2) ? 22 : 21, "\x01\x00", 2 * pick(2));
	}
	if (one_in(20)) /* the record goes on behind the message, or something follows */
		put_random(stream, pick(30));
}

/* ---- OpenSSL's reading ------------------------------------------------------------------- */

enum outcome {
	OUTCOME_MORE,	 /* it waits for more */
	OUTCOME_REFUSED, /* it does not take it for a hello */
	OUTCOME_READ,
};

struct reading {
	enum outcome outcome;
	bool v2, has_sni, has_alpn, has_versions, has_ech;
	bool fields_refused; /* ciphers, SNI, ALPN or versions */
	unsigned int legacy_version;
	size_t sni_len, alpn_len;
	uint8_t sni[256];
	uint8_t alpn[65536];
};

/* Reads messages, and fields that were taken over from one. */
static SSL_CTX *message_ctx, *field_ctx;

static enum outcome outcome_of(SSL *ssl, int result)
{
	return SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ ? OUTCOME_MORE : OUTCOME_REFUSED;
}

static SSL *server_over(SSL_CTX *ctx, const struct bytes *stream)
{
	BIO *in = BIO_new_mem_buf(stream->v, stream->len), *out = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(ctx);

	assert_non_null(ssl);
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(ssl, in, out);
	return ssl;
}

/* Called once OpenSSL's parser has taken the fields; without ALPN there is no more to see. */
static int on_servername(SSL *ssl, int *alert, void *arg)
{
	struct reading *r = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	r->fields_refused = false;
	if (name) {
		r->sni_len = strlen(name);
		memcpy(r->sni, name, r->sni_len);
	}
	return r->has_alpn ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned int in_len, void *arg)
{
	struct reading *r = SSL_get_app_data(ssl);

	memcpy(r->alpn, in, in_len);
	r->alpn_len = in_len;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The suites of the hello, and one that the server has. */
static void put_ciphers(struct bytes *b, const unsigned char *ciphers, size_t len)
{
	size_t begin = put_begin(b, 2);

	put(b, ciphers, len);
	if (len && len % 2 == 0)
		put_number(b, 0xc018, 2); /* TLS_ECDH_anon_WITH_AES_128_CBC_SHA */
	put_end(b, begin, 2);
}

struct extension {
	const unsigned char *data;
	size_t len;
	bool there;
};

static struct extension field_of(SSL *ssl, unsigned int type)
{
	struct extension f = {0};

	f.there = SSL_client_hello_get0_ext(ssl, type, &f.data, &f.len);
	return f;
}

static void begin_fields(struct bytes *b, SSL *ssl, size_t *message)
{
	const unsigned char *ciphers;
	size_t len = SSL_client_hello_get0_ciphers(ssl, &ciphers);

	put_number(b, 1, 1);
	*message = put_begin(b, 3);
	put_number(b, 0x0303, 2);
	put_zeros(b, 32 + 1);
	put_ciphers(b, ciphers, len < 60000 ? len : 60000);
	put_number(b, 0x0100, 2);
}

/* Shows OpenSSL nothing but the cipher suites and up to two extensions; leaves its errors. */
static void read_fields(SSL *from, struct reading *r, const struct extension *fields,
			const uint16_t *types, size_t n)
{
	static struct bytes message, stream;
	size_t begin, extensions;
	SSL *ssl;

	message.len = stream.len = 0;
	begin_fields(&message, from, &begin);
	extensions = put_begin(&message, 2);
	put_extension(&message, 10, "\0\2\0\x17", 4); /* secp256r1, for the suite of the server */
	for (size_t i = 0; i < n; i++)
		if (fields[i].there)
			put_extension(&message, types[i], fields[i].data, fields[i].len);
	put_end(&message, extensions, 2);
	put_end(&message, begin, 3);
	put_records(&stream, &message, RECORD_MAX);
	ssl = server_over(field_ctx, &stream);
	SSL_set_app_data(ssl, r);
	r->fields_refused = true;
	ERR_clear_error();
	SSL_accept(ssl);
	SSL_free(ssl);
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct reading *r = SSL_get_app_data(ssl);
	struct extension names[] = {field_of(ssl, 0), field_of(ssl, 16)};
	struct extension versions = field_of(ssl, 43);
	const unsigned char *compression;
	/* OpenSSL looks for null compression in the list, later: an empty one cannot have it. */
	bool refused = !SSL_client_hello_get0_compression_methods(ssl, &compression);

	r->outcome = OUTCOME_READ;
	r->v2 = SSL_client_hello_isv2(ssl);
	r->legacy_version = SSL_client_hello_get0_legacy_version(ssl);
	r->has_sni = names[0].there;
	r->has_alpn = names[1].there;
	r->has_versions = versions.there;
	r->has_ech = field_of(ssl, 0xfe0d).there;
	if (r->v2)
		return SSL_CLIENT_HELLO_ERROR;
	if (r->has_versions) {
		read_fields(ssl, r, &versions, (uint16_t[]){43}, 1);
		refused |= ERR_GET_REASON(ERR_peek_error()) == SSL_R_LENGTH_MISMATCH;
	}
	read_fields(ssl, r, names, (uint16_t[]){0, 16}, 2);
	r->fields_refused |= refused;
	return SSL_CLIENT_HELLO_ERROR;
}

static void read_by_openssl(const struct bytes *stream, struct reading *r)
{
	SSL *ssl = server_over(message_ctx, stream);
	int result;

	memset(r, 0, offsetof(struct reading, sni));
	SSL_set_app_data(ssl, r);
	ERR_clear_error();
	result = SSL_accept(ssl);
	if (r->outcome != OUTCOME_READ)
		r->outcome = outcome_of(ssl, result);
	SSL_free(ssl);
	ERR_clear_error();
}

static int nothing_to_parse(SSL *ssl, unsigned int type, unsigned int context,
			    const unsigned char *in, size_t in_len, X509 *cert, size_t chain,
			    int *alert, void *arg)
{
	return 1;
}

/* OpenSSL minds extensions that come twice if it knows them: make it know the parser's. */
static void know_extension(unsigned int type)
{
	if (!SSL_extension_supported(type))
		assert_int_equal(SSL_CTX_add_custom_ext(message_ctx, type, SSL_EXT_CLIENT_HELLO,
							NULL, NULL, NULL, nothing_to_parse, NULL),
				 1);
}

static void openssl_open(void)
{
	message_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_client_hello_cb(message_ctx, on_hello, NULL);
	SSL_CTX_set_min_proto_version(message_ctx, 0);
	for (unsigned int type = 0; type < 64; type++)
		know_extension(type);
	know_extension(0xfe0d);

	field_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_max_proto_version(field_ctx, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(field_ctx, "AECDH-AES128-SHA:@SECLEVEL=0"), 1);
	SSL_CTX_set_tlsext_servername_callback(field_ctx, on_servername);
	SSL_CTX_set_alpn_select_cb(field_ctx, on_alpn, NULL);

	client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(client_ctx, 0);
}

static void openssl_close(void)
{
	SSL_CTX_free(message_ctx);
	SSL_CTX_free(field_ctx);
	SSL_CTX_free(client_ctx);
}

/* ---- the divergences --------------------------------------------------------------------- */

static size_t number(const uint8_t *p, size_t width)
{
	size_t value = 0;

	while (width-- > 0)
		value = value << 8 | *p++;
	return value;
}

/* The records of a stream as a plain list. */
struct records {
	bool odd;	/* divergence 1 */
	size_t missing; /* bytes to the end of the last record */
	struct bytes message;
};

static void take_records(const struct bytes *stream, struct records *r)
{
	r->odd = false;
	r->missing = r->message.len = 0;
	for (size_t at = 0; at < stream->len;) {
		size_t left = stream->len - at, len;

		if (left < RECORD_HEADER) {
			r->missing = RECORD_HEADER - left;
			return;
		}
		len = number(stream->v + at + 3, 2);
		r->odd |= stream->v[at] == 21 || !len;
		left -= RECORD_HEADER;
		r->missing = len > left ? len - left : 0;
		len -= r->missing;
		put(&r->message, stream->v + at + RECORD_HEADER, len);
		at += RECORD_HEADER + len;
	}
}

/* Where the extensions of a message begin, which OpenSSL has found well framed; 0 = none. */
static size_t extensions_of(const struct bytes *m)
{
	size_t at = 4 + 2 + 32, end = 4 + number(m->v + 1, 3);

	at += 1 + m->v[at];
	at += 2 + number(m->v + at, 2);
	at += 1 + m->v[at];
	return at + 2 <= end && end <= m->len ? at + 2 : 0;
}

/* Divergence 6. */
static bool only_openssl_minds(const struct bytes *m)
{
	size_t at = m->len > 44 ? extensions_of(m) : 0, end = 4 + number(m->v + 1, 3);
	bool foreign = false;

	for (size_t len; at && at + 4 <= end; at += 4 + len) {
		size_t type = number(m->v + at, 2);

		len = number(m->v + at + 2, 2);
		foreign |= type == 14 || type == 0xfde8;
	}
	return foreign;
}

/* Divergences 4 and 5: fields whose only fault is that they are empty. */
static bool has_empty_field(const struct bytes *m)
{
	return memmem(m->v, m->len, "\0\0\0\5\0\3\0\0\0", 9) ||
	       memmem(m->v, m->len, "\0\x2b\0\1\0", 5);
}

/* Ends the record that a stream breaks off in, and adds others, until OpenSSL has enough. */
static void complete(struct bytes *stream, struct records *records, struct reading *r)
{
	static const uint8_t header[RECORD_HEADER] = {22, 3, 1, RECORD_MAX >> 8, 0};

	for (int i = 0; i < 24 && r->outcome == OUTCOME_MORE; i++) {
		if (!records->missing)
			put(stream, header, sizeof(header));
		else if (records->missing < RECORD_HEADER && r->outcome == OUTCOME_MORE &&
			 !records->message.len)
			put(stream, header + RECORD_HEADER - records->missing, records->missing);
		else
			put_zeros(stream, records->missing);
		take_records(stream, records);
		read_by_openssl(stream, r);
	}
}

/* ---- the parser against OpenSSL ---------------------------------------------------------- */

static char complaint[160];

#define AGREE(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			snprintf(complaint, sizeof(complaint), "%s", #condition);                  \
			return false;                                                              \
		}                                                                                  \
	} while (0)

static bool same_names(const struct hello *hello, const struct reading *r,
		       const struct bytes *stream)
{
	struct subject subject = {.hello = hello};
	uint8_t name[256], *list = NULL;
	size_t len = r->sni_len;
	bool same;

	for (size_t i = 0; i < len; i++)
		name[i] = r->sni[i] >= 'A' && r->sni[i] <= 'Z' ? r->sni[i] + 32 : r->sni[i];
	if (len && name[len - 1] == '.')
		len--;
	AGREE(!(hello->flags & HELLO_SNI) == !r->has_sni);
	AGREE(!(hello->flags & HELLO_ALPN) == !r->has_alpn);
	AGREE(!(hello->flags & HELLO_VERSIONS) == !r->has_versions);
	AGREE(!(hello->flags & HELLO_ECH) == !r->has_ech);
	AGREE(r->has_versions || hello->version == r->legacy_version);
	AGREE(hello->sni_len == len && !memcmp(hello->sni, name, len));
	AGREE(hello->alpn_size == r->alpn_len);
	AGREE(hello->flags & HELLO_ALPN_CUT || hello->alpn_len == r->alpn_len);
	AGREE(hello->alpn_len <= r->alpn_len && !memcmp(hello->alpn, r->alpn, hello->alpn_len));
	AGREE(!subject_whole_alpn(&subject, stream->v, stream->len, &list) || !r->has_alpn);
	same = subject.alpn_len == r->alpn_len && !memcmp(list, r->alpn, r->alpn_len);
	free(list);
	AGREE(!r->has_alpn || same);
	return true;
}

static bool agrees_on_text(const struct hello *hello, const struct records *records,
			   const struct reading *r)
{
	AGREE(hello->verdict != VERDICT_TLS && hello->verdict != VERDICT_MALFORMED);
	AGREE(r->outcome != OUTCOME_READ || records->odd ||
	      (r->v2 && hello->verdict == VERDICT_SSLV2));
	return true;
}

/* `stream` may be made longer. */
static bool agrees_with_openssl(const struct hello *hello, struct bytes *stream)
{
	static struct records records;
	static struct reading r;

	read_by_openssl(stream, &r);
	take_records(stream, &records);
	if (stream->v[0] != 22)
		return agrees_on_text(hello, &records, &r);
	if (hello->verdict == VERDICT_NEED_MORE) {
		AGREE(r.outcome == OUTCOME_MORE);
		return true;
	}
	AGREE(r.outcome != OUTCOME_MORE || records.missing || hello->verdict == VERDICT_MALFORMED);
	complete(stream, &records, &r);
	AGREE(r.outcome != OUTCOME_MORE || records.odd);
	if (hello->verdict == VERDICT_TLS) {
		if (r.outcome == OUTCOME_REFUSED && only_openssl_minds(&records.message))
			return true;
		AGREE(r.outcome == OUTCOME_READ);
		AGREE(!r.fields_refused);
		return same_names(hello, &r, stream);
	}
	AGREE(hello->verdict == VERDICT_MALFORMED);
	AGREE(r.outcome != OUTCOME_READ || r.fields_refused || records.odd ||
	      r.legacy_version >> 8 < 3 || has_empty_field(&records.message));
	return true;
}

/* ---- the program against the daemon ------------------------------------------------------ */

static const char config_format[] =
	"farms:\n"
	"- {name: f1, balance: roundrobin, servers: [{name: a, address: 10.0.0.1, port: 1},"
	" {name: b, address: 10.0.0.2, port: 2, weight: 3}]}\n"
	"- {name: f2, balance: source, servers: [{name: a, address: 10.0.1.1, port: 1},"
	" {name: b, address: 10.0.1.2, port: 1, weight: 2}, {name: c, address: '2001:db8::1', "
	"port: 1}]}\n"
	"- {name: f3, balance: leastconn, servers: [{name: a, address: 10.0.2.1, port: 1},"
	" {name: b, address: 10.0.2.2, port: 1, weight: 5}]}\n"
	"- {name: f4, balance: first, servers: [{name: a, address: 10.0.3.1, port: 1, backup: "
	"true},"
	" {name: b, address: 10.0.3.2, port: 1}]}\n"
	"- {name: f5, balance: maglev, servers: [{name: a, address: 10.0.4.1, port: 1},"
	" {name: b, address: 10.0.4.2, port: 1, weight: 2}]}\n"
	"- {name: f6, balance: random, servers: [{name: a, address: 10.0.5.1, port: 1},"
	" {name: b, address: 10.0.5.2, port: 1}, {name: c, address: 10.0.5.3, port: 1}]}\n"
	"frontends:\n"
	"- {name: one, port: 1, default_farm: f1}\n"
	"- {name: two, port: 2}\n"
	"- {name: three, port: 3, default_farm: f3}\n"
	"- {name: four, port: 4, default_farm: f5}\n"
	"routes:\n"
	"- {name: r1, frontend: one, weight: 2, action: {type: farm, target: f2},"
	" rules: [{field: alpn, match: is, pattern: h2}, {field: sni, match: exists}]}\n"
	"- {name: r2, frontend: one, weight: 1, action: {type: farm, target: f3},"
	" rules: [{field: sni, match: is, pattern: www.example.com}]}\n"
	"- {name: r3, frontend: one, weight: 3, action: {type: farm, target: f4},"
	" rules: [{field: sni, match: endswith, pattern: .example.com}]}\n"
	"- {name: r4, frontend: one, weight: 3, action: {type: farm, target: f2},"
	" rules: [{field: sni, match: endswith, pattern: example.com}]}\n"
	"- {name: r5, frontend: one, action: {type: reject},"
	" rules: [{field: source, match: in, pattern: '192.0.2.0/28, 2001:db8:2::/48'}]}\n"
	"- {name: r6, frontend: two, action: {type: farm, target: f1},"
	" rules: [{field: sni, match: contains, pattern: example, negate: true},"
	" {field: alpn, match: in, pattern: 'http/1.1, h3'}]}\n"
	"- {name: r7, frontend: two, action: {type: farm, target: f2},"
	" rules: [{field: alpn, match: startswith, pattern: http/}]}\n"
	"- {name: r8, frontend: two, action: {type: farm, target: f3},"
	" rules: [{field: alpn, match: endswith, pattern: '2'}, {field: source, match: is, "
	"pattern: 198.51.100.7}]}\n"
	"- {name: r9, frontend: two, action: {type: reject},"
	" rules: [{field: protocol, match: is, pattern: ssh}]}\n"
	"- {name: r10, frontend: two, weight: 200, action: {type: farm, target: f4},"
	" rules: [{field: protocol, match: is, pattern: tls, negate: true}]}\n"
	"- {name: r11, frontend: three, action: {type: farm, target: f1},"
	" rules: [{field: alpn, match: contains, pattern: tls}, {field: sni, match: startswith, "
	"pattern: a}]}\n"
	"- {name: r12, frontend: three, action: {type: farm, target: f2},"
	" rules: [{field: sni, match: exists, negate: true}]}\n"
	"- {name: r13, frontend: three, action: {type: farm, target: f4},"
	" rules: [{field: protocol, match: is, pattern: https}, {field: source, match: is, "
	"pattern: '2001:db8::/32'}]}\n"
	"- {name: r14, frontend: three, weight: 1, action: {type: farm, target: f1},"
	" rules: [{field: tls.version, match: in, pattern: '1.0, 1.3'}, {field: tls.ech, match: "
	"exists}]}\n"
	"- {name: r15, frontend: three, weight: 2, action: {type: farm, target: f2},"
	" rules: [{field: tls.version, match: is, pattern: '1.2', negate: true}]}\n"
	"- {name: r16, frontend: four, weight: 1, action: {type: farm, target: f1},"
	" rules: [{field: sni, match: %s}, {field: alpn, match: exists}]}\n"
	"- {name: r17, frontend: four, weight: 2, action: {type: farm, target: f6},"
	" rules: [{field: alpn, match: is, pattern: h2}]}\n"
	"- {name: r18, frontend: four, weight: 3, action: {type: farm, target: f4},"
	" rules: [{field: alpn, match: %s}, {field: sni, match: endswith, pattern: "
	".example.com}]}\n"
	"- {name: r19, frontend: four, action: {type: reject},"
	" rules: [{field: alpn, match: is, pattern: h3}, {field: sni, match: %s}]}\n";

/* What stands for each %s of it: rules that the program cannot evaluate, and what it can of them.
 */
#define EXPRESSIONS		"matches, pattern: '^[a-w]'", "matches, pattern: '^h'", "matches, pattern: n"
#define ONLY_EXIST		"exists", "exists", "exists"
#define FRONTEND_OF_EXPRESSIONS 4
static const uint32_t routes_of_expressions[] = {16, 18, 19};

static struct replay {
	struct instance instance;
	struct replay_bpf *bpf;
	int program;
	struct tables tables;
	struct tables possible;	      /* with ONLY_EXIST for expressions */
	struct balance_stats balance; /* the daemon's choices, beside the program's */
} replay;

static const uint8_t sources[][16] = {
	{[10] = 0xff, 0xff, 192, 0, 2, 5},	  {[10] = 0xff, 0xff, 192, 0, 2, 77},
	{[10] = 0xff, 0xff, 198, 51, 100, 7},	  {0x20, 0x01, 0x0d, 0xb8, 0, 2, [15] = 1},
	{0x20, 0x01, 0x0d, 0xb8, 0, 3, [15] = 1}, {[15] = 1},
};

static void compile_tables(struct tables *tables, const char *one, const char *two,
			   const char *three)
{
	struct problems problems = {0};
	char text[sizeof(config_format) + 256];
	struct document *document;
	struct config *config;

	snprintf(text, sizeof(text), config_format, one, two, three);
	document = document_parse(text, strlen(text), &problems);
	config = document ? config_decode(document, &problems) : NULL;
	if (problems.errors)
		print_error("%d: %s: %s\n", problems.v[0].line, problems.v[0].path,
			    problems.v[0].message);
	assert_non_null(config);
	assert_int_equal(config_assign_ids(config, NULL, NULL), 0);
	assert_int_equal(tables_compile(config, tables), 0);
	config_free(config);
	document_free(document);
	problems_free(&problems);
}

/* The next segment through the program: the verdict so far. */
static int replay_segment(const uint8_t *bytes, size_t len)
{
	static uint8_t packet[ETHERNET_HEADER + SEGMENT_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet,
		    .data_size_in = ETHERNET_HEADER + len);

	memcpy(packet + ETHERNET_HEADER, bytes, len);
	assert_int_equal(bpf_prog_test_run_opts(replay.program, &run), 0);
	return run.retval;
}

static size_t asked;

/* The program asks where the first route that may match has a regular expression. */
static bool same_decision(const struct conn *conn, const struct hello *hello, const uint8_t *source)
{
	struct subject subject;
	struct decision decision;
	uint32_t server = 0;

	if (hello->verdict == VERDICT_TLS && hello->flags & HELLO_ALPN_CUT) {
		AGREE(conn->state == CONN_ASK);
		return true;
	}
	subject_init(&subject, hello, source);
	if (conn->frontend_id == FRONTEND_OF_EXPRESSIONS) {
		bool asks = false;

		decide(&replay.possible, conn->frontend_id, &subject, &decision);
		for (size_t i = 0; i < 3; i++)
			asks |= decision.route_id == routes_of_expressions[i];
		AGREE(conn->state == (asks ? CONN_ASK : CONN_DECIDED));
		asked += asks;
		if (asks)
			return true;
	}
	AGREE(conn->state == CONN_DECIDED);
	decide(&replay.tables, conn->frontend_id, &subject, &decision);
	AGREE(conn->route_id == decision.route_id);
	AGREE(conn->action == decision.action);
	if (decision.action == ACTION_FARM) {
		AGREE(conn->farm_id == decision.farm_id);
		server = choose_server(&replay.tables, &replay.balance, decision.farm_id, source,
				       NULL, 0);
	}
	AGREE(conn->server_id == server);
	return true;
}

static size_t some_segment(size_t mode)
{
	switch (mode) {
	case 0:
		return 1;
	case 1:
	case 2:
		return 1 + pick(30);
	case 3:
	case 4:
		return 1 + pick(600);
	default:
		return SEGMENT_MAX;
	}
}

/* Feeds both in the same segments, up to the verdict. *hello is the daemon's in the end. */
static bool program_agrees(const struct bytes *stream, struct hello *hello)
{
	struct conn *conn = &replay.instance.conns[SLOT];
	const uint8_t *source = PICK(sources);
	size_t mode = stream->len < 3000 && one_in(5) ? pick(3) : 3 + pick(9);

	memset(conn, 0, sizeof(*conn));
	memset(hello, 0, sizeof(*hello));
	memcpy(conn->client, source, sizeof(conn->client));
	conn->frontend_id = 1 + pick(4);
	conn->state = CONN_HELLO;
	for (size_t at = 0, n; at < stream->len && !hello->verdict; at += n) {
		int verdict;

		n = some_segment(mode);
		n = n < stream->len - at ? n : stream->len - at;
		hello_read(hello, stream->v + at, n);
		verdict = replay_segment(stream->v + at, n);
		AGREE(verdict == hello->verdict);
		AGREE(!memcmp(&conn->hello, hello, sizeof(*hello)));
	}
	return hello->verdict == VERDICT_NEED_MORE || same_decision(conn, hello, source);
}

/* The cuts leave no trace but in the bytes of a record header. */
static bool same_in_one_piece(const struct bytes *stream, const struct hello *cut)
{
	struct hello whole = {0}, pieces = *cut;

	hello_read(&whole, stream->v, stream->len);
	memset(whole.record, 0, sizeof(whole.record));
	memset(pieces.record, 0, sizeof(pieces.record));
	AGREE(whole.verdict == pieces.verdict);
	AGREE(!whole.verdict || !memcmp(&whole, &pieces, sizeof(whole)));
	return true;
}

static size_t verdicts[VERDICT_MAX];

static void read_everywhere(struct bytes *stream, uint64_t seed)
{
	struct hello hello;
	size_t sent = stream->len;

	if (!stream->len)
		return;
	if (program_agrees(stream, &hello) && same_in_one_piece(stream, &hello) &&
	    agrees_with_openssl(&hello, stream)) {
		verdicts[hello.verdict]++;
		return;
	}
	print_error("REPLAY_SEED=%llu REPLAY_HELLOS=1: verdict %s of %zu bytes, but not: %s\n",
		    (unsigned long long)seed, verdict_name(hello.verdict), sent, complaint);
	for (size_t i = 0; i < sent && i < 2048; i++)
		print_error("%02x%s", stream->v[i], i % 32 == 31 ? "\n" : "");
	print_error("\n");
	fail();
}

/* ---- life -------------------------------------------------------------------------------- */

static void remove_pins(const char *name)
{
	char dir[128], path[512];
	struct dirent *entry;
	DIR *pins;

	snprintf(dir, sizeof(dir), "/sys/fs/bpf/alpnlb/%s", name);
	pins = opendir(dir);
	while (pins && (entry = readdir(pins))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (pins)
		closedir(pins);
	rmdir(dir);
}

/* The test's program over the maps of the instance. */
static int open_program(void)
{
	struct bpf_map *map;

	replay.bpf = replay_bpf__open();
	if (!replay.bpf)
		return -1;
	bpf_program__set_autoload(replay.bpf->progs.classify, false);
	bpf_object__for_each_map(map, replay.bpf->obj)
	{
		int fd = bpf_object__find_map_fd_by_name(replay.instance.programs->obj,
							 bpf_map__name(map));

		if (fd >= 0 && !bpf_map__is_internal(map) && bpf_map__reuse_fd(map, fd))
			return -1;
	}
	if (replay_bpf__load(replay.bpf))
		return -1;
	replay.program = bpf_program__fd(replay.bpf->progs.replay);
	return 0;
}

static void no_lock(void *context)
{
}

static int replay_open(void **state)
{
	const char *failed = "load the program of the test";
	char name[32];
	int err;
	struct tables published = {0};

	if (geteuid())
		return 0;
	openssl_open();
	snprintf(name, sizeof(name), "replay-%d", getpid());
	err = instance_open(&replay.instance, name, 4, &failed);
	remove_pins(name); /* what is open stays open */
	if (err) {
		print_error("cannot %s: %s\n", failed, strerror(-err));
		return err;
	}
	compile_tables(&published, EXPRESSIONS);
	compile_tables(&replay.tables, EXPRESSIONS);
	compile_tables(&replay.possible, ONLY_EXIST);
	replay.balance.farms = calloc(MAX_FARMS + 1, sizeof(*replay.balance.farms));
	replay.balance.servers = calloc(MAX_SERVERS + 1, sizeof(*replay.balance.servers));
	replay.balance.health = calloc(MAX_SERVERS + 1, sizeof(*replay.balance.health));
	for (uint32_t id = 1; id <= MAX_SERVERS; id += 3) {
		replay.balance.health[id].state = SERVER_DOWN;
		replay.instance.balance.health[id].state = SERVER_DOWN;
	}
	err = instance_publish(&replay.instance, &published, 1, no_lock, no_lock, NULL);
	tables_free(&published);
	return err ? err : open_program();
}

static int replay_close(void **state)
{
	if (geteuid())
		return 0;
	replay_bpf__destroy(replay.bpf);
	instance_close(&replay.instance);
	tables_free(&replay.tables);
	tables_free(&replay.possible);
	free(replay.balance.farms);
	free(replay.balance.servers);
	free(replay.balance.health);
	openssl_close();
	return 0;
}

/* ---- tests ------------------------------------------------------------------------------- */

static struct bytes message, stream;

static void need_root(void)
{
	if (!geteuid())
		return;
	print_message("# SKIP: BPF_PROG_TEST_RUN needs root\n");
	skip();
}

/* `make` puts a message together; `damage`: bytes of it and of its records are changed. */
static void replay_many(size_t n, void (*make)(struct bytes *), bool damage)
{
	uint64_t seed = seed_of_test();

	need_root();
	print_message("# REPLAY_SEED=%llu\n", (unsigned long long)seed);
	memset(verdicts, 0, sizeof(verdicts));
	for (size_t i = hellos_of_test(n); i > 0; i--, seed++) {
		chance = seed << 20;
		make(&message);
		for (size_t j = damage ? pick(3) : 0; j > 0; j--)
			mutate(&message);
		put_some_records(&stream, &message);
		for (size_t j = damage ? one_in(3) : 0; j > 0; j--)
			mutate(&stream);
		read_everywhere(&stream, seed);
	}
	for (size_t i = 0; i < VERDICT_MAX; i++)
		if (verdicts[i])
			print_message("# %zu %s\n", verdicts[i], verdict_name(i));
}

static void hellos_of_openssl_are_read_alike(void **state)
{
	replay_many(3000, make_client_message, false);
}

static void made_hellos_are_read_alike(void **state)
{
	replay_many(12000, make_message, false);
}

static void damaged_hellos_of_openssl_are_read_alike(void **state)
{
	replay_many(5000, make_client_message, true);
}

static void damaged_hellos_are_read_alike(void **state)
{
	replay_many(16000, make_message, true);
}

/* No framing but the first byte is sure to be right. */
static void make_noise(struct bytes *b)
{
	static const char *const starts[] = {"GET / HTTP/1.1\r\n",
					     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
					     "SSH-2.0-x\r\n",
					     "CONNECT a:1 HTTP/1.1\r\n",
					     "\x80\x2e\x01\x03\x01",
					     "\x80\x2e\x01\x00\x02",
					     "\x15\x03\x01\x00\x02\x01\x00",
					     "\x16\x03\x01"};
	const char *start = PICK(starts);

	b->len = 0;
	put(b, start, start[0] == (char)0x80 ? 5 : start[0] == 0x15 ? 7 : strlen(start));
	put_random(b, pick(60));
}

static void what_is_no_hello_is_read_alike(void **state)
{
	uint64_t seed = seed_of_test();

	need_root();
	for (size_t i = hellos_of_test(3000); i > 0; i--, seed++) {
		chance = seed << 20;
		make_noise(&stream);
		if (one_in(2))
			mutate(&stream);
		read_everywhere(&stream, seed);
	}
}

static void expressions_are_left_to_the_daemon(void **state)
{
	need_root();
	assert_true(asked > 20 || getenv("REPLAY_HELLOS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hellos_of_openssl_are_read_alike),
		cmocka_unit_test(made_hellos_are_read_alike),
		cmocka_unit_test(damaged_hellos_of_openssl_are_read_alike),
		cmocka_unit_test(damaged_hellos_are_read_alike),
		cmocka_unit_test(what_is_no_hello_is_read_alike),
		cmocka_unit_test(expressions_are_left_to_the_daemon), /* in those before */
	};

	return cmocka_run_group_tests(tests, replay_open, replay_close);
}
