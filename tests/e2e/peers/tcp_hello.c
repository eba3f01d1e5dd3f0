// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The ClientHellos of tcp.c.
 */
#include "../../unit/hellos.h"
#include "tcp.h"

#define PADDING	    21 /* RFC 7685 */
#define ECH	    0xfe0d
#define VERSION_AT  4
#define HELLO_SIZE  512 /* what browsers pad the message to */
#define RECORD_SIZE 16384

/* RFC 9849 section 5: outer, HKDF-SHA256 with AES-128-GCM, a config_id, X25519, a payload. */
static void put_ech(struct bytes *b)
{
	static const uint8_t head[] = {0, 0, 1, 0, 1, 7, 0, 32};

	put_number(b, ECH, 2);
	put_number(b, sizeof(head) + 32 + 2 + 144, 2);
	put(b, head, sizeof(head));
	put_zeros(b, 32);
	put_number(b, 144, 2);
	put_zeros(b, 144);
}

static void put_padding(struct bytes *b, size_t len)
{
	put_number(b, PADDING, 2);
	put_number(b, len, 2);
	put_zeros(b, len);
}

static void put_names(struct bytes *b, const struct list *alpn)
{
	uint8_t names[4096];
	size_t len = 0;

	for (int i = 0; i < alpn->n; i++) {
		size_t name = strlen(alpn->v[i]);

		if (!name || name > 255 || len + 1 + name > sizeof(names))
			die("--alpn: a name has 1 to 255 bytes, and all together have 4096");
		names[len++] = name;
		memcpy(names + len, alpn->v[i], name);
		len += name;
	}
	put_alpn(b, names, len);
}

/* Those of every client. */
static void put_usual(struct bytes *b, const struct options *options)
{
	static const uint8_t groups[] = {0, 6, 0, 0x1d, 0, 0x17, 0, 0x18},
			     signatures[] = {0, 8, 4, 3, 8, 4, 4, 1, 8, 6},
			     versions[] = {4, 3, 4, 3, 3},
			     key_share[2 + 2 + 2 + 32] = {0, 36, 0, 0x1d, 0, 32};

	if (options->sni)
		put_server_name(b, options->sni, strlen(options->sni));
	put_extension(b, 10, groups, sizeof(groups));
	put_extension(b, 13, signatures, sizeof(signatures));
	if (options->alpn.n)
		put_names(b, &options->alpn);
	if (!options->tls || !strcmp(options->tls, "1.3"))
		put_extension(b, 43, versions, sizeof(versions));
	put_extension(b, 51, key_share, sizeof(key_share));
}

static void put_extensions(struct bytes *b, const struct options *options)
{
	if (options->grease) /* RFC 8701 */
		put_extension(b, 0x1a1a, NULL, 0);
	if (options->ech)
		put_ech(b);
	if (options->pad)
		put_padding(b, options->pad);
	put_usual(b, options);
	if (options->grease)
		put_extension(b, 0xfafa, "", 1);
}

static bool is_plain(const struct options *options)
{
	return !options->grease && !options->ech && !options->pad && !options->tls;
}

static void put_message(struct bytes *message, struct bytes *extensions,
			const struct options *options)
{
	put_extensions(extensions, options);
	put_hello(message, extensions);
	if (is_plain(options) && message->len + 4 < HELLO_SIZE) {
		put_padding(extensions, HELLO_SIZE - message->len - 4);
		message->len = 0;
		put_hello(message, extensions);
	}
	if (options->tls && strcmp(options->tls, "1.3"))
		message->v[VERSION_AT + 1] = 1 + options->tls[2] - '0';
}

struct buffer hello_make(const struct options *options)
{
	struct bytes *bytes = malloc(3 * sizeof(*bytes)), *hello = bytes, *message = bytes + 1,
		     *extensions = bytes + 2;
	struct buffer made;

	if (!bytes)
		die("out of memory");
	hello->len = message->len = extensions->len = 0;
	put_message(message, extensions, options);
	put_records(hello, message, options->records ? options->records : RECORD_SIZE);
	made = (struct buffer){malloc(hello->len), hello->len};
	if (!made.data)
		die("out of memory");
	memcpy(made.data, hello->v, hello->len);
	free(bytes);
	return made;
}
