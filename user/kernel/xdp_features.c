// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "xdp_features.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of linux/netdev.h, which is newer than the headers at hand. */
#define NETDEV_FAMILY	    "netdev"
#define NETDEV_DEV_GET	    1
#define NETDEV_IFINDEX	    1
#define NETDEV_XDP_FEATURES 3

struct query {
	struct nlmsghdr header;
	struct genlmsghdr command;
	char attributes[64];
};

struct answer {
	_Alignas(struct nlmsghdr) char bytes[8192];
	size_t size;
};

static void begin(struct query *query, uint16_t family, uint8_t command)
{
	memset(query, 0, sizeof(*query));
	query->header.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	query->header.nlmsg_type = family;
	query->header.nlmsg_flags = NLM_F_REQUEST;
	query->command.cmd = command;
	query->command.version = 1;
}

static void add(struct query *query, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attribute =
		(struct nlattr *)((char *)query + NLMSG_ALIGN(query->header.nlmsg_len));

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + size;
	memcpy((char *)attribute + NLA_HDRLEN, data, size);
	query->header.nlmsg_len =
		NLMSG_ALIGN(query->header.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

/* Copies a number from the answer's attribute of this type. 0 or -errno. */
static int read_number(const struct answer *answer, uint16_t type, void *number, size_t size)
{
	const struct nlmsghdr *header = (const void *)answer->bytes;
	const char *at = (const char *)NLMSG_DATA(header) + GENL_HDRLEN, *end;

	if (!NLMSG_OK(header, answer->size))
		return -EPROTO;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	end = answer->bytes + header->nlmsg_len;
	while (end - at >= NLA_HDRLEN) {
		const struct nlattr *attribute = (const void *)at;

		if (attribute->nla_len < NLA_HDRLEN || attribute->nla_len > end - at)
			return -EPROTO;
		if ((attribute->nla_type & NLA_TYPE_MASK) == type &&
		    attribute->nla_len >= NLA_HDRLEN + size) {
			memcpy(number, at + NLA_HDRLEN, size);
			return 0;
		}
		at += NLA_ALIGN(attribute->nla_len);
	}
	return -ENOENT;
}

static int ask(int netlink, const struct query *query, struct answer *answer)
{
	ssize_t n;

	if (send(netlink, query, query->header.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(netlink, answer->bytes, sizeof(answer->bytes), 0);
	if (n < 0)
		return -errno;
	answer->size = n;
	return 0;
}

static int ask_features(int netlink, uint32_t ifindex, uint64_t *features)
{
	struct answer answer;
	struct query query;
	uint16_t family;
	int err;

	begin(&query, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	add(&query, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY, sizeof(NETDEV_FAMILY));
	err = ask(netlink, &query, &answer);
	err = err ? err : read_number(&answer, CTRL_ATTR_FAMILY_ID, &family, sizeof(family));
	if (err)
		return err;
	begin(&query, family, NETDEV_DEV_GET);
	add(&query, NETDEV_IFINDEX, &ifindex, sizeof(ifindex));
	err = ask(netlink, &query, &answer);
	return err ? err : read_number(&answer, NETDEV_XDP_FEATURES, features, sizeof(*features));
}

int xdp_features(uint32_t ifindex, uint64_t *features)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), err;

	if (netlink < 0)
		return -errno;
	err = ask_features(netlink, ifindex, features);
	close(netlink);
	return err;
}
