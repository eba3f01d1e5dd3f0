// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "capabilities.h"

#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The effective ones, 0 if they cannot be read. */
static uint64_t held(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data))
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

bool capability_held(unsigned int bit)
{
	uint64_t all = held();

	return all >> bit & 1 ||
	       ((bit == CAP_BPF || bit == CAP_PERFMON) && all >> CAP_SYS_ADMIN & 1);
}

bool capabilities_missing(const struct capability *wanted, size_t n, char *names, size_t size)
{
	*names = 0;
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(names);

		if (!capability_held(wanted[i].bit))
			snprintf(names + used, size - used, "%s%s", used ? " " : "",
				 wanted[i].name);
	}
	return *names;
}

const char *capabilities_advice(void)
{
	return geteuid() ? "run alpnlb as root" : "a container or unit takes them away: grant them";
}
