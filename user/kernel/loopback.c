// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "loopback.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

bool loopback_is_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	if (fd < 0)
		return true;
	up = ioctl(fd, SIOCGIFFLAGS, &request) || request.ifr_flags & IFF_UP;
	close(fd);
	return up;
}
