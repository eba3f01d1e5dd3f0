// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
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

/* Castagnoli's polynomial, reflected: RFC 4960, appendix B. */
static uint32_t crc32c(const uint8_t *bytes, size_t len)
{
	uint32_t crc = ~0U;

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
	sum = htonl(crc32c(header, *size));
	memcpy(place, &sum, sizeof(sum));
}

/* Signature, version 2 and command PROXY, family, length, addresses and ports. */
static size_t add_addresses(const struct conn *conn, bool v4, uint8_t *header)
{
	static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	size_t size = v4 ? 4 : 16, at = 16;

	memcpy(header, signature, sizeof(signature));
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
