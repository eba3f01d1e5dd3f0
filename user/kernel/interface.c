// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "interface.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What it answers to a request such as SIOCGIFMTU, which has to name it. 0 or -errno. */
static int ask(uint32_t ifindex, unsigned long request, struct ifreq *answer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	*answer = (struct ifreq){.ifr_ifindex = ifindex};
	if (ioctl(fd, SIOCGIFNAME, answer) || ioctl(fd, request, answer))
		err = -errno;
	close(fd);
	return err;
}

bool interface_attachable(uint32_t ifindex)
{
	struct ifreq answer;

	return !ask(ifindex, SIOCGIFHWADDR, &answer) &&
	       (answer.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
		answer.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK);
}

uint32_t interface_mtu(uint32_t ifindex)
{
	struct ifreq answer;

	return ask(ifindex, SIOCGIFMTU, &answer) ? 0 : answer.ifr_mtu;
}

bool loopback_is_up(void)
{
	struct ifreq answer;

	return ask(LOOPBACK, SIOCGIFFLAGS, &answer) || answer.ifr_flags & IFF_UP;
}
