// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_lock(const char *instance, int flags)
{
	char path[192];
	int fd;

	snprintf(path, sizeof(path), RUN_ROOT "/%s/lock", instance);
	fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* Unlike one of flock(2), such a lock can be seen without trying to take it. */
int lock_take(const char *instance)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char directory[192];
	int fd, err;

	snprintf(directory, sizeof(directory), RUN_ROOT "/%s", instance);
	if (mkdir(RUN_ROOT, 0755) && errno != EEXIST)
		return -errno;
	if (mkdir(directory, 0700) && errno != EEXIST)
		return -errno;
	fd = open_lock(instance, O_CREAT);
	if (fd < 0 || !fcntl(fd, F_OFD_SETLK, &whole))
		return fd;
	err = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	close(fd);
	return err;
}

bool lock_is_taken(const char *instance)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open_lock(instance, 0);
	bool taken;

	if (fd < 0)
		return false;
	taken = !fcntl(fd, F_OFD_GETLK, &whole) && whole.l_type != F_UNLCK;
	close(fd);
	return taken;
}
