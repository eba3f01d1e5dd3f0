// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_and_lock(const char *instance, int flags)
{
	char path[192];
	int fd, err;

	snprintf(path, sizeof(path), RUN_ROOT "/%s/lock", instance);
	fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}

int lock_take(const char *instance)
{
	char directory[192];

	snprintf(directory, sizeof(directory), RUN_ROOT "/%s", instance);
	if (mkdir(RUN_ROOT, 0755) && errno != EEXIST)
		return -errno;
	if (mkdir(directory, 0700) && errno != EEXIST)
		return -errno;
	return open_and_lock(instance, O_CREAT);
}

bool lock_is_taken(const char *instance)
{
	int fd = open_and_lock(instance, 0);

	if (fd >= 0)
		close(fd);
	return fd == -EBUSY;
}
