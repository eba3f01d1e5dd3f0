// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "state_directory.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

int state_directory_make(const char *instance)
{
	char path[STATE_PATH];

	if (mkdir(STATE_ROOT, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), STATE_ROOT "/%s", instance);
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

const char *state_directory_path(const char *instance, const char *file, char *buf)
{
	snprintf(buf, STATE_PATH, STATE_ROOT "/%s/%s", instance, file);
	return buf;
}
