/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

#define CONTROL_TIMEOUT 60 /* seconds without a byte; compiling 65,536 routes takes a while */

/* Returns a connected socket, or -errno. */
static int control_connect(const char *instance)
{
	struct timeval timeout = {.tv_sec = CONTROL_TIMEOUT};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	snprintf(address.sun_path, sizeof(address.sun_path), "/run/alpnlb/%s/control.sock",
		 instance);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

bool control_alive(const char *instance)
{
	int fd = control_connect(instance);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIME : -errno;
		text += n;
		len -= n;
	}
	return shutdown(fd, SHUT_WR) ? -errno : 0;
}

/* Reads until EOF into *text, malloc()ed also on failure. Returns 0 or -errno. */
static int receive_all(int fd, char **text, size_t *len)
{
	FILE *stream = open_memstream(text, len);
	char buf[16384];
	int err = 0;

	if (!stream)
		return -ENOMEM;
	for (;;) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = errno == EAGAIN ? -ETIME : -errno;
		if (n <= 0)
			break;
		fwrite(buf, 1, n, stream);
	}
	fclose(stream);
	return err;
}

int control_call(const char *instance, const json_t *request, json_t **answer)
{
	char *text = json_dumps(request, JSON_COMPACT), *reply = NULL;
	size_t len = 0;
	int fd = -1, err = -ENOMEM;

	*answer = NULL;
	if (!text)
		goto out;
	err = fd = control_connect(instance);
	if (fd < 0)
		goto out;
	err = send_all(fd, text, strlen(text));
	/* A daemon that refuses early has closed its end; its answer is still there to read. */
	if (!err || err == -EPIPE)
		err = receive_all(fd, &reply, &len);
	if (err)
		goto out;
	*answer = json_loadb(reply, len, 0, NULL);
	if (!json_is_object(*answer)) {
		json_decref(*answer);
		*answer = NULL;
		err = -EPROTO;
	}
out:
	if (fd >= 0)
		close(fd);
	free(reply);
	free(text);
	return err;
}
