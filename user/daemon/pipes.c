// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIPE_SIZE (1 << 20) /* the most an unprivileged pipe may hold: fs.pipe-max-size */

int pipes_take(struct pipes *pipes, struct pipe *pipe)
{
	int fds[2];

	if (pipes->n) {
		*pipe = pipes->kept[--pipes->n];
		return 0;
	}
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
		return -errno;
	/* A smaller pipe works as well. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
	*pipe = (struct pipe){.in = fds[1], .out = fds[0]};
	return 0;
}

static void pipe_close(struct pipe *pipe)
{
	close(pipe->in);
	close(pipe->out);
}

void pipes_give(struct pipes *pipes, struct pipe *pipe)
{
	if (pipe->in < 0)
		return;
	if (pipe->len || pipes->n == PIPES_KEPT)
		pipe_close(pipe);
	else
		pipes->kept[pipes->n++] = *pipe;
	*pipe = (struct pipe){-1, -1, 0};
}

void pipes_close(struct pipes *pipes)
{
	while (pipes->n)
		pipe_close(&pipes->kept[--pipes->n]);
}
