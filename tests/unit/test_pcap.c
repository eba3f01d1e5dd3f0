/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Captures are built here packet by packet. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../user/cli/pcap.h"

enum { ACK = 16, SYN = 2 };
enum { ETHERNET = 1, RAW = 101, SLL = 113, SLL2 = 276, BSD_NULL = 0 };

struct capture {
	uint8_t bytes[65536];
	size_t len;
	bool big_endian;
	unsigned int link;
};

struct packet {
	bool ipv6;
	bool vlan;
	bool from_server;
	uint16_t client_port; /* 0 = 40000 */
	uint32_t seq;
	uint8_t flags;
	const char *payload;
	unsigned int padding; /* bytes of link padding behind the packet */
};

static void put(struct capture *c, const void *bytes, size_t len)
{
	assert_true(c->len + len <= sizeof(c->bytes));
	if (len)
		memcpy(c->bytes + c->len, bytes, len);
	c->len += len;
}

static void put8(struct capture *c, uint8_t value)
{
	put(c, &value, 1);
}

static void put16(struct capture *c, uint16_t value)
{
	put8(c, value >> 8);
	put8(c, value);
}

static void put32(struct capture *c, uint32_t value)
{
	put16(c, value >> 16);
	put16(c, value);
}

static void zeros(struct capture *c, size_t n)
{
	while (n--)
		put8(c, 0);
}

/* A number of the file's own headers. */
static void file32(struct capture *c, uint32_t value)
{
	put32(c, c->big_endian ? value : __builtin_bswap32(value));
}

static void begin(struct capture *c, uint32_t magic, unsigned int link, bool big_endian)
{
	memset(c, 0, sizeof(*c));
	c->big_endian = big_endian;
	c->link = link;
	file32(c, magic);
	zeros(c, 12);
	file32(c, 65535);
	file32(c, link);
}

static void put_link(struct capture *c, const struct packet *p)
{
	uint16_t type = p->ipv6 ? 0x86dd : 0x0800;

	switch (c->link) {
	case ETHERNET:
		zeros(c, 12);
		if (p->vlan) {
			put16(c, 0x8100);
			put16(c, 7);
		}
		put16(c, type);
		break;
	case SLL:
		zeros(c, 14);
		put16(c, type);
		break;
	case SLL2:
		put16(c, type);
		zeros(c, 18);
		break;
	case BSD_NULL:
		put32(c, p->ipv6 ? 30 : 2);
		break;
	}
}

static void put_address(struct capture *c, bool ipv6, uint8_t last)
{
	put16(c, ipv6 ? 0x2001 : 0x0a00);
	zeros(c, ipv6 ? 13 : 1);
	put8(c, last);
}

static void put_ip(struct capture *c, const struct packet *p, size_t len)
{
	if (p->ipv6) {
		put32(c, 0x60000000);
		put16(c, len + 8);
		put8(c, 0); /* hop-by-hop options */
		put8(c, 64);
	} else {
		put16(c, 0x4500);
		put16(c, len + 20);
		put32(c, 0);
		put8(c, 64);
		put8(c, 6);
		put16(c, 0);
	}
	put_address(c, p->ipv6, p->from_server ? 2 : 1);
	put_address(c, p->ipv6, p->from_server ? 1 : 2);
	if (p->ipv6) {
		put8(c, 6);
		zeros(c, 7);
	}
}

static void add(struct capture *c, struct packet p)
{
	uint16_t client_port = p.client_port ? p.client_port : 40000;
	size_t len = p.payload ? strlen(p.payload) : 0, at, size;
	uint8_t record[4];

	zeros(c, 8);
	at = c->len;
	zeros(c, 8);
	put_link(c, &p);
	put_ip(c, &p, 24 + len);
	put16(c, p.from_server ? 443 : client_port);
	put16(c, p.from_server ? client_port : 443);
	put32(c, p.seq);
	put32(c, 0);
	put8(c, 6 << 4); /* one word of options */
	put8(c, p.flags);
	zeros(c, 6);
	put32(c, 0x01010101);
	put(c, p.payload, len);
	zeros(c, p.padding);
	size = c->len - at - 8;
	for (int i = 0; i < 4; i++)
		record[i] = size >> 8 * (c->big_endian ? 3 - i : i);
	memcpy(c->bytes + at, record, 4);
	memcpy(c->bytes + at + 4, record, 4);
}

static void read_capture(const struct capture *c, struct pcap *pcap)
{
	const char *error = NULL;

	assert_true(pcap_recognize(c->bytes, c->len));
	assert_int_equal(pcap_read(c->bytes, c->len, pcap, &error), 0);
	assert_null(error);
}

static void assert_bytes(const struct pcap_stream *stream, const char *expected)
{
	assert_int_equal(stream->len, strlen(expected));
	assert_memory_equal(stream->bytes, expected, stream->len);
}

static void a_stream_is_put_in_order(void **state)
{
	static struct capture c;
	struct pcap pcap;

	begin(&c, 0xa1b2c3d4, ETHERNET, false);
	add(&c, (struct packet){.seq = 0xfffffffc, .flags = SYN});
	add(&c, (struct packet){.seq = 9, .flags = SYN | ACK, .from_server = true});
	add(&c, (struct packet){.seq = 1, .flags = ACK, .payload = "efgh"});
	add(&c, (struct packet){.seq = 10, .flags = ACK, .payload = "xyz", .from_server = true});
	add(&c, (struct packet){.seq = 0xfffffffc, .flags = ACK, .payload = "?"}); /* keep-alive */
	add(&c, (struct packet){.seq = 0xfffffffd, .flags = ACK, .payload = "abcdEF"});
	add(&c, (struct packet){.seq = 20, .flags = ACK, .payload = "behind a hole"});
	read_capture(&c, &pcap);
	assert_int_equal(pcap.n, 1);
	assert_bytes(&pcap.streams[0], "abcdefgh");
	assert_true(pcap.streams[0].syn);
	assert_true(pcap.streams[0].gap);
	assert_int_equal(pcap.streams[0].client_port, 40000);
	assert_int_equal(pcap.streams[0].server_port, 443);
	assert_int_equal(pcap.streams[0].client[15], 1);
	assert_int_equal(pcap.streams[0].client[10], 0xff);
	pcap_free(&pcap);
}

static void every_link_type_is_read(void **state)
{
	static const unsigned int links[] = {ETHERNET, RAW, SLL, SLL2, BSD_NULL};
	static struct capture c;
	struct pcap pcap;

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		for (int variant = 0; variant < 4; variant++) {
			bool ipv6 = variant & 1;

			begin(&c, variant & 2 ? 0xa1b23c4d : 0xa1b2c3d4, links[i], variant & 2);
			add(&c, (struct packet){.seq = 5, .flags = SYN, .ipv6 = ipv6});
			add(&c, (struct packet){.seq = 6,
						.flags = ACK,
						.ipv6 = ipv6,
						.vlan = true,
						.payload = "hello",
						.padding = ipv6 ? 0 : 6});
			read_capture(&c, &pcap);
			assert_int_equal(pcap.n, 1);
			assert_bytes(&pcap.streams[0], "hello");
			assert_false(pcap.streams[0].gap);
			assert_int_equal(pcap.streams[0].client[0], ipv6 ? 0x20 : 0);
			pcap_free(&pcap);
		}
	}
}

static void without_a_handshake_the_first_to_send_is_the_client(void **state)
{
	static struct capture c;
	struct pcap pcap;

	begin(&c, 0xa1b2c3d4, RAW, false);
	add(&c, (struct packet){.seq = 77, .flags = ACK, .from_server = true});
	add(&c, (struct packet){.seq = 100, .flags = ACK, .payload = "one "});
	add(&c, (struct packet){.seq = 77, .flags = ACK, .payload = "reply", .from_server = true});
	add(&c, (struct packet){.seq = 104, .flags = ACK, .payload = "two"});
	read_capture(&c, &pcap);
	assert_int_equal(pcap.n, 1);
	assert_false(pcap.streams[0].syn);
	assert_bytes(&pcap.streams[0], "one two");
	pcap_free(&pcap);
}

static void connections_are_told_apart(void **state)
{
	static struct capture c;
	struct pcap pcap;

	begin(&c, 0xa1b2c3d4, RAW, false);
	add(&c, (struct packet){.seq = 0, .flags = SYN});
	add(&c, (struct packet){.seq = 0, .flags = SYN, .client_port = 40001});
	add(&c, (struct packet){.seq = 1, .flags = ACK, .payload = "second", .client_port = 40001});
	add(&c, (struct packet){.seq = 1, .flags = ACK, .payload = "first"});
	add(&c, (struct packet){.seq = 0, .flags = SYN});    /* repeated */
	add(&c, (struct packet){.seq = 5000, .flags = SYN}); /* the port is used again */
	add(&c, (struct packet){.seq = 5001, .flags = ACK, .payload = "third"});
	read_capture(&c, &pcap);
	assert_int_equal(pcap.n, 3);
	assert_bytes(&pcap.streams[0], "first");
	assert_bytes(&pcap.streams[1], "second");
	assert_bytes(&pcap.streams[2], "third");
	pcap_free(&pcap);
}

/* Whatever is cut off, nothing outside of the input may be read: see it with a sanitizer. */
static void a_capture_may_end_anywhere(void **state)
{
	static struct capture c;

	begin(&c, 0xa1b2c3d4, ETHERNET, false);
	add(&c, (struct packet){.seq = 5, .flags = SYN, .ipv6 = true});
	add(&c, (struct packet){.seq = 6, .flags = ACK, .payload = "hello", .vlan = true});
	for (size_t len = 0; len <= c.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		struct pcap pcap;
		const char *error;

		memcpy(copy, c.bytes, len);
		assert_int_equal(pcap_read(copy, len, &pcap, &error), len < 24 ? -EINVAL : 0);
		pcap_free(&pcap);
		free(copy);
	}
}

static void other_formats_are_refused_by_name(void **state)
{
	static struct capture c;
	struct pcap pcap;
	const char *error;

	begin(&c, 0x0a0d0d0a, ETHERNET, true);
	assert_true(pcap_recognize(c.bytes, c.len));
	assert_int_equal(pcap_read(c.bytes, c.len, &pcap, &error), -EINVAL);
	assert_non_null(strstr(error, "pcapng"));
	begin(&c, 0xa1b2c3d4, 105, true);
	assert_int_equal(pcap_read(c.bytes, c.len, &pcap, &error), -EINVAL);
	assert_non_null(strstr(error, "link type"));
	assert_false(pcap_recognize((const uint8_t *)"\x16\x03\x01\x02", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_is_put_in_order),
		cmocka_unit_test(every_link_type_is_read),
		cmocka_unit_test(without_a_handshake_the_first_to_send_is_the_client),
		cmocka_unit_test(connections_are_told_apart),
		cmocka_unit_test(a_capture_may_end_anywhere),
		cmocka_unit_test(other_formats_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
