/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"

#define MAPPED_BITS 96

static const uint8_t mapped[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

bool address_is_mapped(const uint8_t address[16])
{
	return !memcmp(address, mapped, sizeof(mapped));
}

int address_parse(const char *text, uint8_t address[16])
{
	if (inet_pton(AF_INET6, text, address) == 1)
		return 0;
	memcpy(address, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, address + sizeof(mapped)) == 1 ? 0 : -EINVAL;
}

/* 0..128 in decimal without leading zeros, or -1. */
static int scan_length(const char *text)
{
	int length = 0;

	if (!*text || strlen(text) > 3 || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		length = length * 10 + (*text - '0');
	}
	return length <= 128 ? length : -1;
}

/* Clears what lies behind the first `length` bits. Was there anything? */
static bool clear_host_bits(uint8_t address[16], int length)
{
	bool found = false;

	for (int i = 0; i < 16; i++) {
		int bits = length - i * 8;
		uint8_t mask = bits >= 8 ? 0xff : bits <= 0 ? 0 : 0xff << (8 - bits);

		found |= address[i] & ~mask;
		address[i] &= mask;
	}
	return found;
}

void prefix_clear(struct prefix *prefix)
{
	clear_host_bits(prefix->address, prefix->length);
}

bool prefix_contains(const struct prefix *prefix, const uint8_t address[16])
{
	uint8_t network[16];

	memcpy(network, address, sizeof(network));
	clear_host_bits(network, prefix->length);
	return !memcmp(network, prefix->address, sizeof(network));
}

static bool covers_ipv4(const struct prefix *prefix)
{
	uint8_t address[16] = {0};

	memcpy(address, mapped, sizeof(mapped));
	clear_host_bits(address, prefix->length);
	return prefix->length < MAPPED_BITS && !memcmp(address, prefix->address, sizeof(address));
}

enum prefix_scan prefix_scan(const char *text, struct prefix *prefix)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN] = "";
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	int length = 128;
	bool host_bits;

	if (len >= sizeof(address))
		return PREFIX_NOT_AN_ADDRESS;
	memcpy(address, text, len);
	if (address_parse(address, prefix->address))
		return PREFIX_NOT_AN_ADDRESS;
	if (slash)
		length = scan_length(slash + 1);
	if (length >= 0 && slash && !strchr(address, ':'))
		length += MAPPED_BITS;
	if (length < 0 || length > 128)
		return PREFIX_BAD_LENGTH;
	host_bits = clear_host_bits(prefix->address, length);
	prefix->length = length;
	if (covers_ipv4(prefix))
		return PREFIX_COVERS_IPV4;
	return host_bits ? PREFIX_HOST_BITS : PREFIX_OK;
}

int prefix_parse(const char *text, struct prefix *prefix)
{
	return prefix_scan(text, prefix) == PREFIX_OK ? 0 : -EINVAL;
}

static const char *address_format(const uint8_t address[16], char buf[INET6_ADDRSTRLEN])
{
	if (address_is_mapped(address))
		return inet_ntop(AF_INET, address + sizeof(mapped), buf, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, address, buf, INET6_ADDRSTRLEN);
}

const char *prefix_format(const struct prefix *prefix, char *buf, size_t size)
{
	char address[INET6_ADDRSTRLEN];
	int length = prefix->length;

	address_format(prefix->address, address);
	if (length == 128)
		snprintf(buf, size, "%s", address);
	else if (length >= MAPPED_BITS && address_is_mapped(prefix->address))
		snprintf(buf, size, "%s/%d", address, length - MAPPED_BITS);
	else
		snprintf(buf, size, "%s/%d", address, length);
	return buf;
}

const char *endpoint_format(const uint8_t address[16], uint16_t port, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	address_format(address, text);
	if (!port)
		snprintf(buf, size, "%s", text);
	else if (address_is_mapped(address))
		snprintf(buf, size, "%s:%u", text, port);
	else
		snprintf(buf, size, "[%s]:%u", text, port);
	return buf;
}

int prefix_compare(const void *a, const void *b)
{
	const struct prefix *left = a, *right = b;
	bool v4 = address_is_mapped(left->address);
	int order = memcmp(left->address, right->address, sizeof(left->address));

	if (v4 != address_is_mapped(right->address))
		return v4 ? -1 : 1;
	return order ? order : (int)left->length - (int)right->length;
}
