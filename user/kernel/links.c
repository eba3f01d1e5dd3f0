// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "links.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "outgoing.h"

struct list {
	uint32_t *v;
	size_t n;
};

/* Who may be at the door, who stands on whom, and who belongs to one that takes its packets. */
struct dump {
	struct list candidates, masters, ports;
};

static int append(struct list *list, uint32_t number)
{
	uint32_t *v = list->n & (list->n - 1)
			      ? list->v
			      : realloc(list->v, (list->n ? 2 * list->n : 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	list->v = v;
	list->v[list->n++] = number;
	return 0;
}

bool links_have(const uint32_t *links, size_t n, uint32_t ifindex)
{
	for (size_t i = 0; i < n; i++)
		if (links[i] == ifindex)
			return true;
	return false;
}

/* Is it of a kind that gets its packets from another interface? */
static bool stands_on_another(const struct rtattr *info)
{
	static const char *const kinds[] = {"vlan", "macvlan", "macvtap", "ipvlan", "macsec"};
	const struct rtattr *a = RTA_DATA(info);

	for (int left = RTA_PAYLOAD(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			if (a->rta_type == IFLA_INFO_KIND &&
			    !strncmp(RTA_DATA(a), kinds[i], RTA_PAYLOAD(a)))
				return true;
	return false;
}

/* A VRF takes no packets away: they are of the interface that they came in by. */
static bool has_bridge(const struct rtattr *info)
{
	const struct rtattr *a = RTA_DATA(info);

	for (int left = RTA_PAYLOAD(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_INFO_SLAVE_KIND)
			return strncmp(RTA_DATA(a), "vrf", RTA_PAYLOAD(a));
	return false;
}

static int read_link(struct dump *dump, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);
	bool upper = false, elsewhere = false, port = false;
	const struct rtattr *a = IFLA_RTA(link);
	int err = 0;

	for (int left = IFLA_PAYLOAD(message); RTA_OK(a, left) && !err; a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_MASTER) {
			err = append(&dump->masters, *(uint32_t *)RTA_DATA(a));
		} else if (a->rta_type == IFLA_LINKINFO) {
			upper = stands_on_another(a);
			port = has_bridge(a);
		} else if (a->rta_type == IFLA_LINK_NETNSID) {
			elsewhere = true; /* what it stands on is in another namespace */
		}
	}
	if (!err && port)
		err = append(&dump->ports, link->ifi_index);
	if (err || link->ifi_type != ARPHRD_ETHER || (upper && !elsewhere))
		return err;
	return append(&dump->candidates, link->ifi_index);
}

/* 1: that was the last one. */
static int read_messages(struct dump *dump, const void *messages, size_t size)
{
	const struct nlmsghdr *message = messages;
	int err = 0;

	for (; NLMSG_OK(message, size) && !err; message = NLMSG_NEXT(message, size)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 1;
		if (message->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
		if (message->nlmsg_type == RTM_NEWLINK)
			err = read_link(dump, message);
	}
	return err;
}

static int read_dump(int netlink, struct dump *dump)
{
	static const size_t size = 65536;
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} request = {
		.header.nlmsg_len = sizeof(request),
		.header.nlmsg_type = RTM_GETLINK,
		.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};
	void *answer = malloc(size);
	int err = answer ? 0 : -ENOMEM;

	if (!err && send(netlink, &request, sizeof(request), 0) < 0)
		err = -errno;
	while (!err) {
		ssize_t n = recv(netlink, answer, size, 0);

		err = n < 0 ? -errno : read_messages(dump, answer, n);
	}
	free(answer);
	return err > 0 ? 0 : err;
}

static int dump_links(struct dump *dump)
{
	int netlink = outgoing_open(), err = netlink;

	if (netlink >= 0) {
		err = read_dump(netlink, dump);
		close(netlink);
	}
	return err;
}

int links_at_the_door(uint32_t **links, size_t *n)
{
	struct dump dump = {0};
	int err = dump_links(&dump);

	*n = 0;
	for (size_t i = 0; i < dump.candidates.n; i++)
		if (!links_have(dump.masters.v, dump.masters.n, dump.candidates.v[i]))
			dump.candidates.v[(*n)++] = dump.candidates.v[i];
	free(dump.masters.v);
	free(dump.ports.v);
	*links = dump.candidates.v;
	return err;
}

int links_with_a_bridge(uint32_t **links, size_t *n)
{
	struct dump dump = {0};
	int err = dump_links(&dump);

	free(dump.masters.v);
	free(dump.candidates.v);
	*links = dump.ports.v;
	*n = dump.ports.n;
	return err;
}
