/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A resumable parser of a client's first bytes. It can be fed any cut of the stream, down to
 * single bytes, and keeps all of its state in `struct hello`. It knows a TLS ClientHello
 * (RFC 8446 section 4.1.2; RFC 5246 section 7.4.1.2) in any split over records, and tells
 * HTTP/1, HTTP/2 with prior knowledge, SSH and SSLv2-style hellos apart.
 *
 * The unit that includes this header provides the reader:
 *	static long hello_load(void *source, __u32 offset, void *to, __u32 len);
 * which copies `len` bytes at `offset` of the input and returns 0, or less when it cannot.
 *
 * Where RFCs leave a choice, a hello is consistent when OpenSSL's server would accept its
 * framing: legacy_version 3.0 or later, one server_name of type host_name with 1..255 bytes, none
 * of them NUL, no extension twice, pre_shared_key last. Of the extension types from 64 on, those
 * that OpenSSL knows are checked; another one that comes twice is passed over, and so it is there.
 */
#ifndef ALPNLB_HELLO_H
#define ALPNLB_HELLO_H

#include "portable.h"
#include "protocols.h"

static long hello_load(void *source, __u32 offset, void *to, __u32 len);

/* Named after the field being collected. */
enum hello_state {
	HELLO_FIRST_BYTE = 0,
	HELLO_TEXT,
	HELLO_SSLV2_HEADER,
	HELLO_HEADER, /* msg_type and length */
	HELLO_LEGACY_VERSION,
	HELLO_SESSION_ID_LENGTH,
	HELLO_CIPHER_SUITES_LENGTH,
	HELLO_COMPRESSION_LENGTH,
	HELLO_EXTENSIONS_LENGTH,
	HELLO_EXTENSION, /* type and length */
	HELLO_SERVER_NAME_HEADER,
	HELLO_SERVER_NAME,
	HELLO_ALPN_LENGTH,
	HELLO_ALPN_NAME_LENGTH,
	HELLO_ALPN_NAME,
	HELLO_VERSIONS_LENGTH,
	HELLO_VERSION,
	HELLO_END,
};

enum {
	RECORD_HEADER = 5,
	RECORD_MAX = 16384, /* RFC 8446 section 5.1 */
	RECORD_HANDSHAKE = 22,
	HELLO_MIN_BODY = 2 + 32 + 1 + 2 + 2 + 1 + 1,
};

/* IANA, TLS ExtensionType Values */
enum {
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_PRE_SHARED_KEY = 41,
	EXTENSION_SUPPORTED_VERSIONS = 43,
	EXTENSION_NEXT_PROTOCOL = 13172,  /* draft-agl-tls-nextprotoneg */
	EXTENSION_ECH = 0xfe0d,		  /* RFC 9849 */
	EXTENSION_RENEGOTIATION = 0xff01, /* RFC 5746 */
};

/* Plain protocols that the bytes so far allow. */
enum {
	TEXT_PREFACE = 1 << 0,
	TEXT_SSH = 1 << 1,
	TEXT_HTTP1 = 1 << 2,
	TEXT_ANY = TEXT_PREFACE | TEXT_SSH | TEXT_HTTP1,
	TEXT_CONNECT = 1 << 3, /* the method may be CONNECT, whose target can be any */
	TEXT_TARGET = 1 << 4,  /* the method and its space were read */
};

struct hello_reader {
	struct hello *hello;
	void *source; /* for hello_load() */
	__u32 pos;
	__u32 end;
};

static __always_inline void hello_malformed(struct hello *h)
{
	h->verdict = VERDICT_MALFORMED;
}

/*
 * Next, `skip` bytes are passed over and `collect` bytes make up the field of `state`: all
 * of them inside the message, or the hello is inconsistent.
 */
static __always_inline void hello_expect(struct hello *h, enum hello_state state, __u32 skip,
					 __u32 collect)
{
	if (skip + collect > h->body_left)
		return hello_malformed(h);
	h->state = state;
	h->skip = skip;
	h->collect = collect;
	h->field = 0;
	h->have = 0;
	if (state == HELLO_END && !skip)
		h->verdict = VERDICT_TLS;
}

/* The next extension stands behind `skip` bytes, unless the message ends there. */
static __always_inline void hello_expect_extension(struct hello *h, __u32 skip)
{
	if (h->body_left == skip)
		hello_expect(h, HELLO_END, skip, 0);
	else
		hello_expect(h, HELLO_EXTENSION, skip, 4);
}

static __always_inline void hello_header(struct hello *h, __u64 field)
{
	__u32 length = field & 0xffffff;

	if (field >> 24 != 1 || length < HELLO_MIN_BODY || length > HELLO_MAX_BODY)
		return hello_malformed(h);
	h->size = h->body_left = length;
	hello_expect(h, HELLO_LEGACY_VERSION, 0, 2);
}

static __always_inline void hello_server_name_extension(struct hello *h, __u32 length)
{
	h->flags |= HELLO_SNI;
	h->list_left = length;
	if (length < 2 + 3 + 1)
		return hello_malformed(h);
	hello_expect(h, HELLO_SERVER_NAME_HEADER, 0, 5);
}

static __always_inline void hello_alpn_extension(struct hello *h, __u32 length)
{
	h->flags |= HELLO_ALPN;
	h->list_left = length;
	if (length < 2 + 2)
		return hello_malformed(h);
	hello_expect(h, HELLO_ALPN_LENGTH, 0, 2);
}

static __always_inline void hello_versions_extension(struct hello *h, __u32 length)
{
	h->flags |= HELLO_VERSIONS;
	h->version = 0; /* the extension replaces legacy_version: RFC 8446 section 4.2.1 */
	h->list_left = length;
	if (length < 1 + 2)
		return hello_malformed(h);
	hello_expect(h, HELLO_VERSIONS_LENGTH, 0, 1);
}

/* The flag of a type that is too high for `seen`, 0 if it has none. */
static __always_inline __u32 hello_high_type(__u32 type)
{
	switch (type) {
	case EXTENSION_NEXT_PROTOCOL:
		return HELLO_NEXT_PROTOCOL;
	case EXTENSION_ECH:
		return HELLO_ECH;
	case EXTENSION_RENEGOTIATION:
		return HELLO_RENEGOTIATION;
	default:
		return 0;
	}
}

static __always_inline void hello_extension(struct hello *h, __u64 field)
{
	__u32 type = field >> 16, length = field & 0xffff, high = hello_high_type(type);
	__u64 low = type < 64 ? 1ULL << type : 0;

	/* RFC 8446 section 4.2: not more than one extension of the same type */
	if (length > h->body_left || h->seen & low || h->flags & high)
		return hello_malformed(h);
	h->seen |= low;
	h->flags |= high;
	switch (type) {
	case EXTENSION_SERVER_NAME:
		return hello_server_name_extension(h, length);
	case EXTENSION_ALPN:
		return hello_alpn_extension(h, length);
	case EXTENSION_SUPPORTED_VERSIONS:
		return hello_versions_extension(h, length);
	case EXTENSION_PRE_SHARED_KEY: /* RFC 8446 section 4.2.11: the last one */
		if (length != h->body_left)
			return hello_malformed(h);
		break;
	}
	hello_expect_extension(h, length);
}

/* ServerNameList with the one host_name that RFC 6066 section 3 allows. */
static __always_inline void hello_server_name_header(struct hello *h, __u64 field)
{
	__u32 list = field >> 24, type = field >> 16 & 0xff, length = field & 0xffff;

	if (list != h->list_left - 2u || type != 0 || length != list - 3u || length > SNI_MAX)
		return hello_malformed(h);
	hello_expect(h, HELLO_SERVER_NAME, 0, length);
}

/* Lower-cases the word at `i`; returns whether one of its bytes in `mask` is NUL. */
static __always_inline bool hello_lower_word(struct hello *h, __u32 i, __u64 mask)
{
	const __u64 ones = 0x0101010101010101ULL, high = 0x80 * ones;
	__u64 *word = (__u64 *)(h->sni + i), w = *word, low7 = w & ~high, filled = w | ~mask;

	*word = w | ((low7 + (0x80 - 'A') * ones) & ~(low7 + (0x7f - 'Z') * ones) & ~w & high) >> 2;
	return (filled - ones) & ~filled & high;
}

/*
 * Lower-cases a complete name and drops a trailing dot. A NUL byte makes it malformed: what comes
 * behind it would be invisible to a C string at the server.
 */
static __always_inline void hello_server_name(struct hello *h)
{
	__u32 length = h->have, i;

	for (i = 0; i + 8 <= SNI_MAX && i + 8 <= length; i += 8)
		if (hello_lower_word(h, i, ~0ULL))
			return hello_malformed(h);
	OPAQUE(i);
	if (i > SNI_MAX || hello_lower_word(h, i, FIRST_BYTES(length & 7)))
		return hello_malformed(h);
	if (length && h->sni[(length - 1) & 0xff] == '.') {
		length--;
		h->sni[length & 0xff] = 0;
	}
	h->sni_len = length;
	hello_expect_extension(h, 0);
}

static __always_inline void hello_alpn_length(struct hello *h, __u64 field)
{
	if (field != h->list_left - 2u)
		return hello_malformed(h);
	h->list_left = h->alpn_size = field;
	h->alpn_at = h->size - h->body_left;
	hello_expect(h, HELLO_ALPN_NAME_LENGTH, 0, 1);
}

/* Next name, or next extension. Names that do not fit are still checked, but not kept. */
static __always_inline void hello_next_alpn_name(struct hello *h, __u32 skip)
{
	if (h->list_left)
		hello_expect(h, HELLO_ALPN_NAME_LENGTH, skip, 1);
	else
		hello_expect_extension(h, skip);
}

static __always_inline void hello_alpn_name_length(struct hello *h, __u64 field)
{
	__u32 length = field, used = h->alpn_len;

	if (!length || length + 1 > h->list_left)
		return hello_malformed(h);
	h->list_left -= length + 1;
	if (used + 1 + length > ALPN_MAX || h->flags & HELLO_ALPN_CUT) {
		h->flags |= HELLO_ALPN_CUT;
		return hello_next_alpn_name(h, length);
	}
	h->alpn[used & (ALPN_MAX + WORD_PAD - 1)] = length;
	h->alpn_len = used + 1;
	hello_expect(h, HELLO_ALPN_NAME, 0, length);
}

#define ALPN_HTTP11 0x312e312f70747468ULL /* "http/1.1" as a little-endian word */
#define ALPN_HTTP10 0x302e312f70747468ULL

/* HELLO_OFFERS_* of one ALPN name, which may be read up to 8 bytes far. */
static __always_inline __u32 hello_offers(const __u8 *name, __u32 length)
{
	__u64 word = LOAD64(name);

	if (length == 2 && name[0] == 'h' && name[1] == '2')
		return HELLO_OFFERS_H2;
	if (length == 8 && word == ALPN_HTTP11)
		return HELLO_OFFERS_HTTP1;
	if (length == 8 && word == ALPN_HTTP10)
		return HELLO_OFFERS_HTTP10;
	return 0;
}

static __always_inline void hello_alpn_name(struct hello *h)
{
	__u32 at = h->alpn_len;

	if (at <= ALPN_MAX)
		h->flags |= hello_offers(h->alpn + at, h->have);
	h->alpn_len = at + h->have;
	hello_next_alpn_name(h, 0);
}

static __always_inline void hello_versions_length(struct hello *h, __u64 field)
{
	if (field != h->list_left - 1u || field & 1)
		return hello_malformed(h);
	h->list_left = field;
	hello_expect(h, HELLO_VERSION, 0, 2);
}

static __always_inline void hello_version(struct hello *h, __u64 field)
{
	/* GREASE values and drafts are not versions: RFC 8701 section 2 */
	if (field >> 8 == 3 && field > h->version)
		h->version = field;
	h->list_left -= 2;
	if (h->list_left)
		hello_expect(h, HELLO_VERSION, 0, 2);
	else
		hello_expect_extension(h, 0);
}

/* The field of the current state is complete: check it, and go on to the next one. */
static __always_inline void hello_next(struct hello *h)
{
	__u64 field = h->field;

	switch (h->state) {
	case HELLO_HEADER:
		return hello_header(h, field);
	case HELLO_LEGACY_VERSION:
		h->version = field;
		/* A higher one than is known is tolerated: RFC 5246 appendix E.1. */
		if (field >> 8 < 3)
			return hello_malformed(h);
		return hello_expect(h, HELLO_SESSION_ID_LENGTH, 32, 1);
	case HELLO_SESSION_ID_LENGTH:
		if (field > 32)
			return hello_malformed(h);
		return hello_expect(h, HELLO_CIPHER_SUITES_LENGTH, field, 2);
	case HELLO_CIPHER_SUITES_LENGTH:
		if (!field || field & 1)
			return hello_malformed(h);
		return hello_expect(h, HELLO_COMPRESSION_LENGTH, field, 1);
	case HELLO_COMPRESSION_LENGTH:
		if (!field)
			return hello_malformed(h);
		if (h->body_left == field) /* no extensions: RFC 5246 section 7.4.1.2 */
			return hello_expect(h, HELLO_END, field, 0);
		return hello_expect(h, HELLO_EXTENSIONS_LENGTH, field, 2);
	case HELLO_EXTENSIONS_LENGTH:
		if (field != h->body_left)
			return hello_malformed(h);
		return hello_expect_extension(h, 0);
	case HELLO_EXTENSION:
		return hello_extension(h, field);
	case HELLO_SERVER_NAME_HEADER:
		return hello_server_name_header(h, field);
	case HELLO_SERVER_NAME:
		return hello_server_name(h);
	case HELLO_ALPN_LENGTH:
		return hello_alpn_length(h, field);
	case HELLO_ALPN_NAME_LENGTH:
		return hello_alpn_name_length(h, field);
	case HELLO_ALPN_NAME:
		return hello_alpn_name(h);
	case HELLO_VERSIONS_LENGTH:
		return hello_versions_length(h, field);
	case HELLO_VERSION:
		return hello_version(h, field);
	case HELLO_END:
		h->verdict = VERDICT_TLS;
		return;
	default:
		return hello_malformed(h);
	}
}

/*
 * Reads `take` bytes of the field being collected: 1..8 of a number, 1..255 of a name. Bounded
 * by `take - 1`, since before 6.8 the verifier learns nothing from `take != 0`.
 */
static __always_inline long hello_collect(struct hello_reader *r, struct hello *h, __u32 take)
{
	__u32 last = take - 1;
	__u64 bytes = 0;
	long err;

	OPAQUE(last);
	if (h->state == HELLO_SERVER_NAME || h->state == HELLO_ALPN_NAME) {
		__u32 have = h->have;

		if (last >= SNI_MAX)
			return -1;
		if (h->state == HELLO_SERVER_NAME) {
			err = hello_load(r->source, r->pos, h->sni + have, last + 1);
		} else {
			have += h->alpn_len;
			if (have >= ALPN_MAX || last >= ALPN_MAX)
				return -1;
			err = hello_load(r->source, r->pos, h->alpn + have, last + 1);
		}
		h->have += take;
		return err;
	}
	if (last >= sizeof(bytes))
		return -1;
	err = hello_load(r->source, r->pos, &bytes, last + 1);
	bytes = bpf_be64_to_cpu(bytes) >> (64 - 8 * take);
	h->field = take < 8 ? h->field << (8 * take) | bytes : bytes;
	return err;
}

/* Goes on within a record: passes over bytes, collects, and completes at most one field. */
static __always_inline long hello_in_record(struct hello_reader *r, struct hello *h)
{
	__u32 available = MIN(r->end - r->pos, (__u32)h->record_left);
	__u32 skip = MIN(available, h->skip);
	__u32 take = MIN(available - skip, h->collect);

	if (h->skip > skip)
		take = 0;
	r->pos += skip;
	if (take) {
		if (hello_collect(r, h, take) < 0) {
			hello_malformed(h);
			return 1;
		}
		r->pos += take;
	}
	h->skip -= skip;
	h->collect -= take;
	h->record_left -= skip + take;
	if (h->state != HELLO_HEADER)
		h->body_left -= skip + take;
	if (!h->skip && !h->collect)
		hello_next(h);
	return h->verdict != VERDICT_NEED_MORE;
}

/* One byte of a record header: type, version, length. RFC 8446 section 5.1. */
static __always_inline long hello_record_header(struct hello_reader *r, struct hello *h)
{
	__u32 at = h->record[0], length;
	__u8 byte = 0;

	if (hello_load(r->source, r->pos, &byte, 1) < 0 || (at == 0 && byte != RECORD_HANDSHAKE) ||
	    (at == 1 && byte != 3)) {
		hello_malformed(h);
		return 1;
	}
	r->pos++;
	h->record[0] = at + 1;
	h->record[1] = h->record[2];
	h->record[2] = byte;
	if (at + 1 < RECORD_HEADER)
		return 0;
	length = h->record[1] << 8 | h->record[2];
	h->record[0] = 0;
	h->record_left = length;
	/* zero-length fragments of handshake messages are forbidden, too */
	if (!length || length > RECORD_MAX)
		hello_malformed(h);
	return h->verdict != VERDICT_NEED_MORE;
}

/* A whole record header at once, the usual case. */
static __always_inline long hello_record(struct hello_reader *r, struct hello *h)
{
	__u64 bytes = 0;
	__u32 length;

	if (h->record[0] || r->end - r->pos < RECORD_HEADER)
		return hello_record_header(r, h);
	if (hello_load(r->source, r->pos, &bytes, RECORD_HEADER) < 0 ||
	    (bytes & 0xffff) != (RECORD_HANDSHAKE | 3 << 8)) {
		hello_malformed(h);
		return 1;
	}
	r->pos += RECORD_HEADER;
	length = (bytes >> 24 & 0xff) << 8 | (bytes >> 32 & 0xff);
	h->record_left = length;
	if (!length || length > RECORD_MAX)
		hello_malformed(h);
	return h->verdict != VERDICT_NEED_MORE;
}

/* Texts as big-endian numbers, as they are collected. */
#define SCHEME_HTTP  0x687474703aULL   /* "http:" */
#define SCHEME_HTTPS 0x68747470733aULL /* "https:" */

/* A byte of the target, as far as it has to be read: not every word after a word is one. */
static __always_inline void hello_target_byte(struct hello *h, __u8 byte)
{
	bool first = !h->field;
	__u64 field = h->field << 8 | byte | 0x20;

	h->field = field;
	if ((first && (byte == '/' || byte == '*' || h->text & TEXT_CONNECT)) ||
	    field == SCHEME_HTTP || field == SCHEME_HTTPS)
		h->verdict = VERDICT_HTTP1;
	else if (field != SCHEME_HTTPS >> 40 && field != SCHEME_HTTPS >> 32 &&
		 field != SCHEME_HTTPS >> 24 && field != SCHEME_HTTPS >> 16 &&
		 field != SCHEME_HTTPS >> 8)
		h->text &= ~TEXT_HTTP1;
}

static __always_inline void hello_http1_byte(struct hello *h, __u8 byte)
{
	if (h->text & TEXT_TARGET) {
		hello_target_byte(h, byte);
	} else if (byte == ' ' && h->have >= 3 && !(h->text & TEXT_PREFACE)) {
		h->text |= TEXT_TARGET;
	} else if (byte < 'A' || byte > 'Z' || h->have >= 20) {
		h->text &= ~TEXT_HTTP1;
	}
}

/* Texts as little-endian words: BPF has no cheap constant strings. */
#define PREFACE_0      0x5448202a20495250ULL /* "PRI * HT" */
#define PREFACE_8      0x0a0d302e322f5054ULL /* "TP/2.0\r\n" */
#define PREFACE_16     0x0a0d0a0d4d530a0dULL /* "\r\nSM\r\n\r\n" */
#define PREFACE_LENGTH 24
#define METHOD_CONNECT 0x205443454e4e4f43ULL /* "CONNECT " */
#define SSH_PREFIX     0x2d485353ULL	     /* "SSH-" */

static __always_inline bool text_differs(__u64 word, __u32 at, __u8 byte)
{
	return (word >> (8 * (at & 7)) & 0xff) != byte;
}

/* One byte of a plain protocol; a method's 20, a blank and "https:" at most are looked at. */
static __always_inline long hello_text(struct hello_reader *r, struct hello *h)
{
	__u32 at = h->have;
	__u8 byte = 0;

	if (hello_load(r->source, r->pos, &byte, 1) < 0) {
		h->verdict = VERDICT_OTHER;
		return 1;
	}
	r->pos++;
	if (text_differs(at < 8 ? PREFACE_0 : at < 16 ? PREFACE_8 : PREFACE_16, at, byte))
		h->text &= ~TEXT_PREFACE;
	if (at < 4 && text_differs(SSH_PREFIX, at, byte))
		h->text &= ~TEXT_SSH;
	if (at < 8 && text_differs(METHOD_CONNECT, at, byte))
		h->text &= ~TEXT_CONNECT;
	if (h->text & TEXT_HTTP1)
		hello_http1_byte(h, byte);
	h->have = at + 1;
	if (h->text & TEXT_SSH && at == 3)
		h->verdict = VERDICT_SSH;
	else if (h->text & TEXT_PREFACE && at == PREFACE_LENGTH - 1)
		h->verdict = VERDICT_HTTP2;
	else if (h->verdict == VERDICT_NEED_MORE && !(h->text & TEXT_ANY))
		h->verdict = VERDICT_OTHER;
	return h->verdict != VERDICT_NEED_MORE;
}

/* RFC 5246 appendix E.2: length with its top bit set, msg_type 1, version 0002 or 03xx. */
static __always_inline long hello_sslv2(struct hello_reader *r, struct hello *h)
{
	__u32 version;
	__u8 byte = 0;

	if (hello_load(r->source, r->pos, &byte, 1) < 0) {
		h->verdict = VERDICT_OTHER;
		return 1;
	}
	r->pos++;
	h->field = h->field << 8 | byte;
	h->have++;
	if (h->have < 5)
		return 0;
	version = h->field & 0xffff;
	if ((h->field >> 16 & 0xff) == 1 && (version == 2 || version >> 8 == 3))
		h->verdict = VERDICT_SSLV2;
	else
		h->verdict = VERDICT_OTHER;
	return 1;
}

/* The first byte tells TLS from everything else; it is left in the input. */
static __always_inline long hello_first_byte(struct hello_reader *r, struct hello *h)
{
	__u8 byte = 0;

	if (hello_load(r->source, r->pos, &byte, 1) < 0) {
		h->verdict = VERDICT_OTHER;
		return 1;
	}
	if (byte == RECORD_HANDSHAKE) {
		h->state = HELLO_HEADER;
		h->collect = 4;
	} else if (byte & 0x80) {
		h->state = HELLO_SSLV2_HEADER;
	} else {
		h->state = HELLO_TEXT;
		h->text = TEXT_ANY | TEXT_CONNECT;
	}
	return 0;
}

static long hello_step(__u32 index, void *context)
{
	struct hello_reader *r = context;
	struct hello *h = r->hello;

	if (r->pos >= r->end)
		return 1;
	switch (h->state) {
	case HELLO_FIRST_BYTE:
		return hello_first_byte(r, h);
	case HELLO_TEXT:
		return hello_text(r, h);
	case HELLO_SSLV2_HEADER:
		return hello_sslv2(r, h);
	default:
		return h->record_left ? hello_in_record(r, h) : hello_record(r, h);
	}
}

/*
 * Feeds the next `len` bytes of the stream, which hello_load(source, 0 .. len - 1) returns.
 * Stays at its verdict once there is one.
 */
static __always_inline enum verdict hello_feed(struct hello *h, void *source, __u32 len)
{
	struct hello_reader r = {.hello = h, .source = source, .end = len};

	/* Each step consumes a byte at least, but for the first. */
	if (h->verdict == VERDICT_NEED_MORE)
		LOOP(len + 1, hello_step, &r);
	return h->verdict;
}

#endif
