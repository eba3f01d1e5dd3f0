// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernel/connection_id.h"

static size_t proxy_v1(const struct conn *conn, bool v4, uint8_t *header)
{
	char client[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN];
	int family = v4 ? AF_INET : AF_INET6, offset = v4 ? 12 : 0;

	inet_ntop(family, conn->client + offset, client, sizeof(client));
	inet_ntop(family, conn->local + offset, local, sizeof(local));
	return snprintf((char *)header, PROXY_HEADER_MAX, "PROXY TCP%c %s %s %u %u\r\n",
			v4 ? '4' : '6', client, local, ntohs(conn->client_port),
			ntohs(conn->local_port));
}

/* ---- version 2, section 2.2 ---------------------------------------------------------------- */

static const uint8_t v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* Section 2.2.1 and the following. */
enum tlv_type {
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_UNIQUE_ID = 0x05,
	TLV_SSL = 0x20,
};

#define TLV_HEAD 3 /* type and length */

/* Returns where the value is. */
static uint8_t *add_tlv(uint8_t *header, size_t *size, enum tlv_type type, const void *value,
			size_t len)
{
	uint8_t *tlv = header + *size;

	tlv[0] = type;
	tlv[1] = len >> 8;
	tlv[2] = len;
	memcpy(tlv + TLV_HEAD, value, len);
	*size += TLV_HEAD + len;
	return tlv + TLV_HEAD;
}

/* Goes on with a sum by Castagnoli's polynomial, reflected: RFC 4960, appendix B. */
static uint32_t crc32c(uint32_t crc, const uint8_t *bytes, size_t len)
{
	crc = ~crc;
	while (len--) {
		crc ^= *bytes++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* What the hello says. A list of names that was cut would not be what the client has offered. */
static void add_hello(const struct conn *conn, uint8_t *header, size_t *size)
{
	const struct hello *hello = &conn->hello;

	if (hello->verdict != VERDICT_TLS)
		return;
	if (conn->proxy_protocol & PROXY_TLV_ALPN && hello->flags & HELLO_ALPN &&
	    !(hello->flags & HELLO_ALPN_CUT))
		add_tlv(header, size, TLV_ALPN, hello->alpn, hello->alpn_len);
	if (conn->proxy_protocol & PROXY_TLV_AUTHORITY && hello->flags & HELLO_SNI &&
	    !(hello->flags & HELLO_SNI_CUT))
		add_tlv(header, size, TLV_AUTHORITY, hello->sni, hello->sni_len);
}

/*
 * TLS goes through to the server: the client has no TLS with us, and no certificate that we would
 * know of. So `client` is 0, and `verify`, which is 0 for a verified certificate only, is not.
 */
static void add_ssl(uint8_t *header, size_t *size)
{
	static const uint8_t none[] = {0, 0, 0, 0, 1};

	add_tlv(header, size, TLV_SSL, none, sizeof(none));
}

static void add_unique_id(const struct conn *conn, uint8_t *header, size_t *size)
{
	char id[CONNECTION_ID_LEN + 1];

	connection_id(conn->accepted, conn->serial, id);
	add_tlv(header, size, TLV_UNIQUE_ID, id, CONNECTION_ID_LEN);
}

/* The last one: of the header as a whole, with zeros in the place of the sum. */
static void finish_header(bool with_sum, uint8_t *header, size_t *size)
{
	uint8_t *place = NULL;
	uint32_t sum = 0;

	if (with_sum)
		place = add_tlv(header, size, TLV_CRC32C, &sum, sizeof(sum));
	header[14] = (*size - 16) >> 8;
	header[15] = *size - 16;
	if (!with_sum)
		return;
	sum = htonl(crc32c(0, header, *size));
	memcpy(place, &sum, sizeof(sum));
}

/* Signature, version 2 and command PROXY, family, length, addresses and ports. */
static size_t add_addresses(const struct conn *conn, bool v4, uint8_t *header)
{
	size_t size = v4 ? 4 : 16, at = 16;

	memcpy(header, v2_signature, sizeof(v2_signature));
	header[12] = 0x21;
	header[13] = v4 ? 0x11 : 0x21; /* TCP over IPv4, IPv6 */
	memcpy(header + at, conn->client + 16 - size, size);
	memcpy(header + at + size, conn->local + 16 - size, size);
	memcpy(header + at + 2 * size, &conn->client_port, 2);
	memcpy(header + at + 2 * size + 2, &conn->local_port, 2);
	return at + 2 * size + 4;
}

static size_t proxy_v2(const struct conn *conn, bool v4, uint8_t *header)
{
	size_t size = add_addresses(conn, v4, header);

	add_hello(conn, header, &size);
	if ((conn->proxy_protocol & PROXY_VERSION) > PROXY_PROTOCOL_V2)
		add_ssl(header, &size);
	if (conn->proxy_protocol & PROXY_TLV_UNIQUE_ID)
		add_unique_id(conn, header, &size);
	finish_header(conn->proxy_protocol & PROXY_TLV_CRC32C, header, &size);
	return size;
}

size_t proxy_header(const struct conn *conn, uint8_t header[PROXY_HEADER_MAX])
{
	bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)conn->client);

	if ((conn->proxy_protocol & PROXY_VERSION) == PROXY_PROTOCOL_V1)
		return proxy_v1(conn, v4, header);
	return proxy_v2(conn, v4, header);
}

/* ---- reading ------------------------------------------------------------------------------- */

#define V1_MAX	107 /* bytes, with the end of the line */
#define V2_HEAD 16

static const uint8_t v1_word[] = {'P', 'R', 'O', 'X', 'Y', ' '};

/* "0" to "65535", and nothing else */
static bool read_port(const char *text, __be16 *port)
{
	size_t digits = text ? strspn(text, "0123456789") : 0;
	long value = digits && digits <= 5 ? atol(text) : -1;

	*port = htons(value);
	return value >= 0 && value <= 65535 && !text[digits] && (*text != '0' || digits == 1);
}

static bool read_address(const char *text, int family, uint8_t address[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};

	if (!text)
		return false;
	if (family == AF_INET6)
		return inet_pton(family, text, address) == 1;
	memcpy(address, mapped, sizeof(mapped));
	return inet_pton(family, text, address + sizeof(mapped)) == 1;
}

/* Behind "PROXY ": TCP4 or TCP6, two addresses, two ports; or UNKNOWN and anything. */
static bool read_v1_line(char *line, struct proxied *proxied)
{
	char *rest = line, *word = strsep(&rest, " ");
	int family = !strcmp(word, "TCP4") ? AF_INET : AF_INET6;

	if (!strcmp(word, "UNKNOWN"))
		return true;
	if (family == AF_INET6 && strcmp(word, "TCP6") != 0)
		return false;
	proxied->has_addresses = true;
	return read_address(strsep(&rest, " "), family, proxied->client) &&
	       read_address(strsep(&rest, " "), family, proxied->local) &&
	       read_port(strsep(&rest, " "), &proxied->client_port) &&
	       read_port(strsep(&rest, " "), &proxied->local_port) && !rest;
}

static enum proxy_answer read_v1(const uint8_t *bytes, size_t len, struct proxied *proxied)
{
	const uint8_t *end = memmem(bytes, len < V1_MAX ? len : V1_MAX, "\r\n", 2);
	char line[V1_MAX + 1];
	size_t size;

	if (!end)
		return len < V1_MAX ? PROXY_NEED_MORE : PROXY_MALFORMED;
	size = end - bytes - sizeof(v1_word);
	memcpy(line, bytes + sizeof(v1_word), size);
	line[size] = '\0';
	proxied->size = end - bytes + 2;
	return strlen(line) == size && read_v1_line(line, proxied) ? PROXY_DONE : PROXY_MALFORMED;
}

/* Of the whole header, with zeros where the sum is. */
static bool sum_is_right(const uint8_t *header, size_t size, const uint8_t *tlv, size_t len)
{
	static const uint8_t zeros[4];
	size_t at = tlv + TLV_HEAD - header;
	uint32_t sum, told;

	if (len != sizeof(told))
		return false;
	memcpy(&told, header + at, sizeof(told));
	sum = crc32c(0, header, at);
	sum = crc32c(sum, zeros, sizeof(zeros));
	sum = crc32c(sum, header + at + sizeof(told), size - at - sizeof(told));
	return told == htonl(sum);
}

/* Are they whole, and is the sum right, if there is one? */
static bool tlvs_are_valid(const uint8_t *header, size_t at, size_t size)
{
	while (at < size) {
		const uint8_t *tlv = header + at;
		size_t len = size - at < TLV_HEAD ? size : (size_t)(tlv[1] << 8 | tlv[2]);

		at += TLV_HEAD + len;
		if (at > size || (tlv[0] == TLV_CRC32C && !sum_is_right(header, size, tlv, len)))
			return false;
	}
	return true;
}

static void take_v2_addresses(const uint8_t *addresses, size_t each, struct proxied *proxied)
{
	proxied->has_addresses = true;
	if (each == 4)
		proxied->client[10] = proxied->client[11] = proxied->local[10] =
			proxied->local[11] = 0xff;
	memcpy(proxied->client + 16 - each, addresses, each);
	memcpy(proxied->local + 16 - each, addresses + each, each);
	memcpy(&proxied->client_port, addresses + 2 * each, 2);
	memcpy(&proxied->local_port, addresses + 2 * each + 2, 2);
}

#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21

/* Section 2.2: other addresses and transports than there are, must be refused. */
static bool is_family(uint8_t family)
{
	return family >> 4 <= 3 && (family & 15) <= 2;
}

/* Of a command LOCAL, whose family is to be ignored, and of what is not TCP over IP, nothing. */
static enum proxy_answer read_v2(const uint8_t *bytes, size_t len, struct proxied *proxied)
{
	bool local = bytes[12] == COMMAND_LOCAL;
	size_t each = local ? 0 : bytes[13] == 0x11 ? 4 : bytes[13] == 0x21 ? 16 : 0;
	size_t used = V2_HEAD + (each ? 2 * each + 4 : 0);

	proxied->size = V2_HEAD + (bytes[14] << 8 | bytes[15]);
	if (!local && (bytes[12] != COMMAND_PROXY || !is_family(bytes[13])))
		return PROXY_MALFORMED;
	if (proxied->size < used)
		return PROXY_MALFORMED;
	if (len < proxied->size)
		return PROXY_NEED_MORE;
	if (each && !tlvs_are_valid(bytes, used, proxied->size))
		return PROXY_MALFORMED;
	if (each)
		take_v2_addresses(bytes + V2_HEAD, each, proxied);
	return PROXY_DONE;
}

/* As far as there are bytes. */
static bool begins(const uint8_t *bytes, size_t len, const uint8_t *with, size_t size)
{
	return !memcmp(bytes, with, len < size ? len : size);
}

enum proxy_answer proxy_read(const uint8_t *bytes, size_t len, struct proxied *proxied)
{
	memset(proxied, 0, sizeof(*proxied));
	if (begins(bytes, len, v1_word, sizeof(v1_word)))
		return len < sizeof(v1_word) ? PROXY_NEED_MORE : read_v1(bytes, len, proxied);
	if (begins(bytes, len, v2_signature, sizeof(v2_signature)))
		return len < V2_HEAD ? PROXY_NEED_MORE : read_v2(bytes, len, proxied);
	return PROXY_MALFORMED;
}
