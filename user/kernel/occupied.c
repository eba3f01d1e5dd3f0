// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "occupied.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_SIZE (32 * 1024)

static int ask(int netlink, int family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} query = {
		.header = {.nlmsg_len = sizeof(query),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = family,
			    .sdiag_protocol = IPPROTO_TCP,
			    .idiag_states = 1 << TCP_LISTEN},
	};

	return send(netlink, &query, sizeof(query), 0) < 0 ? -errno : 0;
}

/* Does an IPv6 socket take connections of IPv4 as well? */
static bool takes_both(const struct nlmsghdr *answer)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(answer);
	const struct rtattr *a = (const struct rtattr *)(socket + 1);
	int left = answer->nlmsg_len - NLMSG_LENGTH(sizeof(*socket));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == INET_DIAG_SKV6ONLY)
			return !*(const uint8_t *)RTA_DATA(a);
	return true;
}

static bool is_apart(const uint8_t address[16])
{
	return !memcmp(address, apart_v4, 16) || !memcmp(address, apart_v6, 16);
}

static int add_socket(const struct nlmsghdr *answer, uid_t owner, struct spans *spans)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(answer);
	struct span span = {.first = ntohs(socket->id.idiag_sport)};
	int err;

	span.last = span.first;
	if (socket->idiag_family == AF_INET) {
		memcpy(span.address, any_v4, 12);
		memcpy(span.address + 12, socket->id.idiag_src, 4);
	} else {
		memcpy(span.address, socket->id.idiag_src, 16);
	}
	if (socket->idiag_uid == owner || is_apart(span.address))
		return 0;
	err = spans_add(spans, &span);
	if (err || memcmp(span.address, any_v6, 16) || !takes_both(answer))
		return err;
	memcpy(span.address, any_v4, 16);
	return spans_add(spans, &span);
}

/* 0 at the end, 1 when more is to come, or -errno. */
static int read_answers(const char *answers, ssize_t n, uid_t owner, struct spans *spans)
{
	const struct nlmsghdr *answer = (const struct nlmsghdr *)answers;
	int err = 1;

	for (; NLMSG_OK(answer, n) && err == 1; answer = NLMSG_NEXT(answer, n)) {
		if (answer->nlmsg_type == NLMSG_DONE)
			return 0;
		if (answer->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
		err = add_socket(answer, owner, spans);
		err = err ? err : 1;
	}
	return err;
}

static int dump(int netlink, int family, uid_t owner, struct spans *spans)
{
	char *answers = malloc(ANSWER_SIZE);
	int more = answers ? ask(netlink, family) : -ENOMEM;
	ssize_t n;

	more = more ? more : 1;
	while (more == 1) {
		n = recv(netlink, answers, ANSWER_SIZE, 0);
		if (n > 0)
			more = read_answers(answers, n, owner, spans);
		else if (!n || errno != EINTR)
			more = n ? -errno : -EPROTO;
	}
	free(answers);
	return more;
}

int occupied_ports(uid_t owner, struct spans *spans)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), err;

	if (netlink < 0)
		return -errno;
	err = dump(netlink, AF_INET, owner, spans);
	err = err ? err : dump(netlink, AF_INET6, owner, spans);
	close(netlink);
	return err;
}
