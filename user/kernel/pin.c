// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "pin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>

/*
 * Not with BPF_F_RDONLY: mmap() takes VM_SHARED away from a file that is not open for
 * writing, and the kernel then refuses to map the array (bpf_map_mmap()).
 */
int pin_open(const char *instance, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), PIN_ROOT "/%s/%s", instance, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}
