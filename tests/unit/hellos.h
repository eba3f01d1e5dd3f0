/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts ClientHellos together, right and wrong ones, for the tests of their parser.
 */
#ifndef ALPNLB_TEST_HELLOS_H
#define ALPNLB_TEST_HELLOS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/model.h"

/* A message of the largest size, in records of one byte, fits. */
struct bytes {
	size_t len;
	uint8_t v[6 * (HELLO_MAX_BODY + 4) + 65536];
};

static inline void put(struct bytes *b, const void *data, size_t len)
{
	if (len > sizeof(b->v) - b->len)
		abort();
	if (len)
		memcpy(b->v + b->len, data, len);
	b->len += len;
}

/* In network byte order, `width` bytes of it. */
static inline void put_number(struct bytes *b, uint64_t value, size_t width)
{
	while (width-- > 0)
		put(b, &(uint8_t){value >> 8 * width}, 1);
}

static inline void put_zeros(struct bytes *b, size_t n)
{
	while (n-- > 0)
		put_number(b, 0, 1);
}

/* The length field of a vector, for put_end() to fill in. */
static inline size_t put_begin(struct bytes *b, size_t width)
{
	put_number(b, 0, width);
	return b->len;
}

static inline void put_end(struct bytes *b, size_t begin, size_t width)
{
	uint64_t len = b->len - begin;

	for (size_t i = 0; i < width; i++)
		b->v[begin - 1 - i] = len >> 8 * i;
}

static inline void put_extension(struct bytes *b, uint16_t type, const void *data, size_t len)
{
	put_number(b, type, 2);
	put_number(b, len, 2);
	put(b, data, len);
}

static inline void put_server_name(struct bytes *b, const void *name, size_t len)
{
	put_number(b, 0, 2);
	put_number(b, len + 5, 2);
	put_number(b, len + 3, 2);
	put_number(b, 0, 1);
	put_number(b, len, 2);
	put(b, name, len);
}

/* `names`: each behind its length byte. */
static inline void put_alpn(struct bytes *b, const void *names, size_t len)
{
	put_number(b, 16, 2);
	put_number(b, len + 2, 2);
	put_number(b, len, 2);
	put(b, names, len);
}

/* A message with these extensions; NULL: one that ends before their length. */
static inline void put_hello(struct bytes *b, const struct bytes *extensions)
{
	size_t message;

	put_number(b, 1, 1);
	message = put_begin(b, 3);
	put_number(b, 0x0303, 2);
	for (size_t i = 0; i < 32; i++)
		put_number(b, i, 1);
	put_number(b, 0, 1);		     /* no session id */
	put_number(b, 0x00041301c02bULL, 6); /* two cipher suites */
	put_number(b, 0x0100, 2);	     /* null compression */
	if (extensions) {
		put_number(b, extensions->len, 2);
		put(b, extensions->v, extensions->len);
	}
	put_end(b, message, 3);
}

static inline void put_record(struct bytes *b, uint8_t type, const void *data, size_t len)
{
	put_number(b, type, 1);
	put_number(b, 0x0301, 2);
	put_number(b, len, 2);
	put(b, data, len);
}

/* A message in records of `size` bytes. */
static inline void put_records(struct bytes *b, const struct bytes *message, size_t size)
{
	for (size_t at = 0, n; at < message->len; at += n) {
		n = message->len - at < size ? message->len - at : size;
		put_record(b, 22, message->v + at, n);
	}
}

#endif
