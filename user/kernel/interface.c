// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "interface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
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

uint64_t interface_address(uint32_t ifindex)
{
	struct ifreq answer;
	uint64_t address = 0;

	if (!ask(ifindex, SIOCGIFHWADDR, &answer) && answer.ifr_hwaddr.sa_family == ARPHRD_ETHER)
		memcpy(&address, answer.ifr_hwaddr.sa_data, ETH_ALEN);
	return address;
}

void interface_driver(uint32_t ifindex, char driver[INTERFACE_DRIVER_MAX])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_ifindex = ifindex};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : ioctl(fd, SIOCGIFNAME, &request);

	request.ifr_data = (void *)&info;
	err = err ? err : ioctl(fd, SIOCETHTOOL, &request);
	if (fd >= 0)
		close(fd);
	snprintf(driver, INTERFACE_DRIVER_MAX, "%s", err ? "" : info.driver);
}

bool loopback_is_up(void)
{
	struct ifreq answer;

	return ask(LOOPBACK, SIOCGIFFLAGS, &answer) || answer.ifr_flags & IFF_UP;
}
