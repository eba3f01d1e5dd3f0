// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hello parser, held against a plain reading of the same bytes: one that reassembles the
 * records first and then walks the message once. Input: a byte that seeds how the stream is
 * cut, then the stream.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../bpf/hello.h"

struct span {
	const uint8_t *bytes;
	size_t len;
};

static long hello_load(void *source, __u32 offset, void *to, __u32 len)
{
	const struct span *span = source;

	if (offset > span->len || len > span->len - offset)
		abort();
	memcpy(to, span->bytes + offset, len);
	return 0;
}

/* ---- the plain reading ------------------------------------------------------------------ */

struct reading {
	enum verdict verdict; /* NEED_MORE, TLS or MALFORMED */
	bool has_sni, has_alpn, cut, h2, http1, ech;
	char sni[256];
	size_t sni_len;
};

static size_t number(const uint8_t *p, size_t bytes)
{
	size_t value = 0;

	while (bytes--)
		value = value << 8 | *p++;
	return value;
}

/* Takes a vector with a length field of `width` bytes off `in`. False if it does not fit. */
static bool take_vector(struct span *in, size_t width, struct span *out)
{
	size_t len;

	if (in->len < width)
		return false;
	len = number(in->bytes, width);
	if (len > in->len - width)
		return false;
	*out = (struct span){in->bytes + width, len};
	in->bytes += width + len;
	in->len -= width + len;
	return true;
}

static bool take(struct span *in, size_t len)
{
	if (in->len < len)
		return false;
	in->bytes += len;
	in->len -= len;
	return true;
}

static bool read_sni(struct span data, struct reading *r)
{
	struct span list, name;

	r->has_sni = true;
	if (!take_vector(&data, 2, &list) || data.len || list.len < 1 || list.bytes[0] != 0)
		return false;
	take(&list, 1);
	if (!take_vector(&list, 2, &name) || list.len || !name.len || name.len > 255)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.bytes[i];

		if (!c)
			return false;
		r->sni[i] = c >= 'A' && c <= 'Z' ? c + 32 : c;
	}
	r->sni_len = name.len - (r->sni[name.len - 1] == '.');
	return true;
}

static bool read_alpn(struct span data, struct reading *r)
{
	struct span list, name;
	size_t used = 0;

	r->has_alpn = true;
	if (!take_vector(&data, 2, &list) || data.len || !list.len)
		return false;
	while (list.len) {
		if (!take_vector(&list, 1, &name) || !name.len)
			return false;
		used += 1 + name.len;
		if (used > ALPN_MAX)
			r->cut = true;
		if (r->cut)
			continue;
		r->h2 |= name.len == 2 && !memcmp(name.bytes, "h2", 2);
		r->http1 |= name.len == 8 && !memcmp(name.bytes, "http/1.1", 8);
	}
	return true;
}

static bool read_versions(struct span data)
{
	struct span list;

	return take_vector(&data, 1, &list) && !data.len && list.len && list.len % 2 == 0;
}

static bool read_extensions(struct span all, struct reading *r)
{
	size_t renegotiation = 0, next_protocol = 0;
	uint64_t seen = 0;

	while (all.len) {
		struct span data;
		size_t type;

		if (all.len < 4)
			return false;
		type = number(all.bytes, 2);
		take(&all, 2);
		if (!take_vector(&all, 2, &data))
			return false;
		if ((type < 64 && seen >> type & 1) || (type == EXTENSION_ECH && r->ech) ||
		    (type == EXTENSION_RENEGOTIATION && renegotiation++) ||
		    (type == EXTENSION_NEXT_PROTOCOL && next_protocol++))
			return false;
		if (type < 64)
			seen |= 1ULL << type;
		if ((type == EXTENSION_SERVER_NAME && !read_sni(data, r)) ||
		    (type == EXTENSION_ALPN && !read_alpn(data, r)) ||
		    (type == EXTENSION_SUPPORTED_VERSIONS && !read_versions(data)) ||
		    (type == EXTENSION_PRE_SHARED_KEY && all.len))
			return false;
		r->ech |= type == EXTENSION_ECH;
	}
	return true;
}

static bool read_message(struct span m, struct reading *r)
{
	struct span session, ciphers, compression, extensions;

	if (m.len < 2 || m.bytes[0] < 3 || !take(&m, 2 + 32))
		return false;
	if (!take_vector(&m, 1, &session) || session.len > 32)
		return false;
	if (!take_vector(&m, 2, &ciphers) || !ciphers.len || ciphers.len % 2)
		return false;
	if (!take_vector(&m, 1, &compression) || !compression.len)
		return false;
	if (!m.len)
		return true;
	return take_vector(&m, 2, &extensions) && !m.len && read_extensions(extensions, r);
}

/*
 * What a whole stream says. A stream that ends early is NEED_MORE here even if what there is
 * can no longer become a hello: only a complete message is judged.
 */
static struct reading read_plainly(const uint8_t *bytes, size_t len)
{
	static uint8_t message[4 + HELLO_MAX_BODY + RECORD_MAX];
	struct reading r = {.verdict = VERDICT_NEED_MORE};
	size_t have = 0, at = 0;

	while (have < 4 || have < 4 + number(message + 1, 3)) {
		size_t record;

		if (len - at < 5)
			return r;
		record = number(bytes + at + 3, 2);
		if (bytes[at] != 22 || bytes[at + 1] != 3 || !record || record > RECORD_MAX) {
			r.verdict = VERDICT_MALFORMED;
			return r;
		}
		at += 5;
		if (record > len - at) /* the message may end before its last record does */
			record = len - at;
		memcpy(message + have, bytes + at, record);
		have += record;
		at += record;
		if (have >= 4 && (message[0] != 1 || number(message + 1, 3) > HELLO_MAX_BODY)) {
			r.verdict = VERDICT_MALFORMED;
			return r;
		}
	}
	r.verdict = read_message((struct span){message + 4, number(message + 1, 3)}, &r)
			    ? VERDICT_TLS
			    : VERDICT_MALFORMED;
	return r;
}

/* ---- the comparison ---------------------------------------------------------------------- */

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "fuzz_hello: %s\n", #condition);                           \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void feed_in_cuts(struct hello *hello, const uint8_t *bytes, size_t len, uint32_t seed)
{
	for (size_t at = 0; at < len;) {
		size_t n;

		seed = seed * 1664525 + 1013904223;
		n = 1 + (seed >> 16) % (seed & 0x100 ? 3 : 400);
		if (n > len - at)
			n = len - at;
		hello_feed(hello, &(struct span){bytes + at, n}, n);
		at += n;
	}
}

static void compare(const struct hello *hello, const struct reading *r)
{
	if (r->verdict == VERDICT_NEED_MORE) { /* the parser may know already that it is none */
		REQUIRE(hello->verdict == VERDICT_NEED_MORE || hello->verdict == VERDICT_MALFORMED);
		return;
	}
	REQUIRE(hello->verdict == r->verdict);
	if (r->verdict != VERDICT_TLS)
		return;
	REQUIRE(!(hello->flags & HELLO_SNI) == !r->has_sni);
	REQUIRE(!(hello->flags & HELLO_ALPN) == !r->has_alpn);
	REQUIRE(!(hello->flags & HELLO_ECH) == !r->ech);
	REQUIRE(!(hello->flags & HELLO_ALPN_CUT) == !r->cut);
	REQUIRE(!(hello->flags & HELLO_OFFERS_H2) == !r->h2);
	REQUIRE(!(hello->flags & HELLO_OFFERS_HTTP1) == !r->http1);
	REQUIRE(hello->sni_len == r->sni_len && !memcmp(hello->sni, r->sni, r->sni_len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello whole = {0}, cut = {0};
	struct reading reading;

	if (size < 2)
		return 0;
	hello_feed(&whole, &(struct span){data + 1, size - 1}, size - 1);
	feed_in_cuts(&cut, data + 1, size - 1, data[0]);
	REQUIRE(whole.verdict == cut.verdict);
	memset(whole.record, 0, sizeof(whole.record)); /* depends on where the cuts are */
	memset(cut.record, 0, sizeof(cut.record));
	REQUIRE(whole.verdict == VERDICT_NEED_MORE || !memcmp(&whole, &cut, sizeof(whole)));
	if (data[1] == RECORD_HANDSHAKE) {
		reading = read_plainly(data + 1, size - 1);
		compare(&whole, &reading);
	}
	return 0;
}
