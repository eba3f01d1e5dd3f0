// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "outgoing.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../model/prefix.h"

static int open_netlink(uint32_t groups, int flags)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE), err;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int outgoing_open(void)
{
	return open_netlink(0, 0);
}

int rtnetlink_watch(uint32_t groups)
{
	return open_netlink(groups, SOCK_NONBLOCK);
}

void rtnetlink_drain(int watch)
{
	char messages[16384];

	/* What there was no room for is a change as well. */
	while (recv(watch, messages, sizeof(messages), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		;
}

/* ---- one route --------------------------------------------------------------------------- */

struct query {
	struct nlmsghdr header;
	struct rtmsg route;
	char attributes[2 * RTA_SPACE(16)];
};

static void add_address(struct query *query, uint16_t type, const uint8_t *address, size_t size)
{
	struct rtattr *attribute =
		(struct rtattr *)((char *)query + NLMSG_ALIGN(query->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), address, size);
	query->header.nlmsg_len = NLMSG_ALIGN(query->header.nlmsg_len) + RTA_SPACE(size);
}

/* A source of NULL is the kernel's choice. */
static void make_query(struct query *query, const uint8_t *source, const uint8_t *destination)
{
	bool v4 = address_is_mapped(destination);
	size_t size = v4 ? 4 : 16;

	memset(query, 0, sizeof(*query));
	query->header.nlmsg_len = NLMSG_LENGTH(sizeof(query->route));
	query->header.nlmsg_type = RTM_GETROUTE;
	query->header.nlmsg_flags = NLM_F_REQUEST;
	query->route.rtm_family = v4 ? AF_INET : AF_INET6;
	query->route.rtm_dst_len = 8 * size;
	add_address(query, RTA_DST, destination + 16 - size, size);
	if (!source)
		return;
	query->route.rtm_src_len = 8 * size;
	add_address(query, RTA_SRC, source + 16 - size, size);
}

static uint32_t u32_of(const struct rtattr *attribute)
{
	uint32_t value = 0;

	if (RTA_PAYLOAD(attribute) >= sizeof(value))
		memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

static uint32_t metric_mtu(const struct rtattr *metrics)
{
	const struct rtattr *a = RTA_DATA(metrics);

	for (int left = RTA_PAYLOAD(metrics); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == RTAX_MTU)
			return u32_of(a);
	return 0;
}

static int read_answer(const struct nlmsghdr *answer, struct outgoing *way)
{
	const struct rtmsg *route = NLMSG_DATA(answer);
	const struct rtattr *a = RTM_RTA(route);

	if (answer->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
	if (answer->nlmsg_type != RTM_NEWROUTE)
		return -EPROTO;
	if (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_LOCAL)
		return -ENETUNREACH;
	for (int left = RTM_PAYLOAD(answer); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == RTA_OIF)
			way->ifindex = u32_of(a);
		else if (a->rta_type == RTA_METRICS)
			way->mtu = metric_mtu(a);
	}
	return way->ifindex ? 0 : -ENETUNREACH;
}

/* 0 or -errno. */
static int exchange(int netlink, const struct query *query, void *answer, size_t size)
{
	ssize_t n;

	if (send(netlink, query, query->header.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(netlink, answer, size, 0);
	if (n < 0)
		return -errno;
	return NLMSG_OK((struct nlmsghdr *)answer, n) ? 0 : -EPROTO;
}

int outgoing_find(int netlink, const uint8_t source[16], const uint8_t destination[16],
		  struct outgoing *way)
{
	_Alignas(struct nlmsghdr) char answer[4096];
	struct query query;
	int err;

	make_query(&query, source, destination);
	memset(way, 0, sizeof(*way));
	err = exchange(netlink, &query, answer, sizeof(answer));
	return err ? err : read_answer((struct nlmsghdr *)answer, way);
}

bool route_is_local(int netlink, const uint8_t address[16])
{
	_Alignas(struct nlmsghdr) char answer[4096];
	const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
	const struct rtmsg *route = NLMSG_DATA(header);
	struct query query;

	make_query(&query, NULL, address);
	return !exchange(netlink, &query, answer, sizeof(answer)) &&
	       header->nlmsg_type == RTM_NEWROUTE && route->rtm_type == RTN_LOCAL;
}

/* A route may say more than its interface can take. */
uint32_t outgoing_mtu(const struct outgoing *way, uint32_t mtu)
{
	return way->mtu && (!mtu || way->mtu < mtu) ? way->mtu : mtu;
}
