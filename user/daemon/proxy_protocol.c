// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

/* Section 2.2: signature, version 2 and command PROXY, family, length, addresses and ports. */
static size_t proxy_v2(const struct conn *conn, bool v4, uint8_t *header)
{
	static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
	size_t size = v4 ? 4 : 16, at = 16;

	memcpy(header, signature, sizeof(signature));
	header[12] = 0x21;
	header[13] = v4 ? 0x11 : 0x21; /* TCP over IPv4, IPv6 */
	header[14] = 0;
	header[15] = 2 * size + 4;
	memcpy(header + at, conn->client + 16 - size, size);
	memcpy(header + at + size, conn->local + 16 - size, size);
	memcpy(header + at + 2 * size, &conn->client_port, 2);
	memcpy(header + at + 2 * size + 2, &conn->local_port, 2);
	return at + 2 * size + 4;
}

size_t proxy_header(const struct conn *conn, uint8_t header[PROXY_HEADER_MAX])
{
	bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)conn->client);

	if (conn->proxy_protocol == PROXY_PROTOCOL_V1)
		return proxy_v1(conn, v4, header);
	return proxy_v2(conn, v4, header);
}
