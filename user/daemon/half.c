// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "half.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "session.h"

#define TURN_BYTES (4 << 20) /* moved for one direction before others get their turn */

/* A direction that moves this much in one turn gets a pipe in the next one. */
#define BULK_BYTES 16384

/* A connection that has moved this much is no short one. */
#define SHORT_BYTES (64 << 10)

/*
 * linux/tcp.h and netinet/tcp.h exclude each other, and the latter's tcp_info ends too early.
 * The kernel's struct up to what is needed; its layout is ABI (since 4.2).
 */
struct tcp_info_bytes {
	uint8_t state; /* TCP_ESTABLISHED ... */
	uint8_t head[7];
	uint32_t words[24];
	uint64_t pacing_rate, max_pacing_rate;
	uint64_t bytes_acked;
	uint64_t bytes_received;
};
_Static_assert(offsetof(struct tcp_info_bytes, bytes_acked) == 120, "struct tcp_info is ABI");

void half_init(struct half *half)
{
	memset(half, 0, sizeof(*half));
	half->pipe.in = half->pipe.out = -1;
}

void half_free(struct half *half, struct pipes *pipes)
{
	free(half->held);
	pipes_give(pipes, &half->pipe);
	half_init(half);
}

int half_hold(struct half *half, const void *data, size_t len)
{
	if (half->held_at + half->held_len + len > half->held_size) {
		size_t size = (half->held_len + len) * 2;
		uint8_t *held = malloc(size);

		if (!held)
			return -ENOMEM;
		if (half->held_len)
			memcpy(held, half->held + half->held_at, half->held_len);
		free(half->held);
		half->held = held;
		half->held_at = 0;
		half->held_size = size;
	}
	memcpy(half->held + half->held_at + half->held_len, data, len);
	half->held_len += len;
	return 0;
}

bool half_settling(const struct half *half)
{
	return half->mode == HALF_SETTLE || half->behind;
}

/* ---- copying ----------------------------------------------------------------------------- */

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* Bytes that came in are counted by the program where there is one, else here. */
static void count_taken(struct session *s, enum side side, size_t n)
{
	s->half[side].taken += n;
	s->conn->taken[side] = s->half[side].taken;
	if (s->half[side].taken > SHORT_BYTES)
		session_carry(s);
	if (!s->cookie[side])
		__atomic_store_n(&s->conn->flow[side], s->half[side].taken, __ATOMIC_RELAXED);
}

/* A write did not go (or not all of it): for want of room, or for good. */
static enum half_result write_stopped(struct session *s, enum side side)
{
	if (!would_block())
		return HALF_TARGET_FAILED;
	session_watch(s, !side, s->watched[!side] | EPOLLOUT);
	return HALF_WAITS;
}

static enum half_result write_held(struct session *s, enum side side)
{
	struct half *half = &s->half[side];

	while (half->held_len) {
		ssize_t n = send(s->fd[!side], half->held + half->held_at, half->held_len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return write_stopped(s, side);
		half->held_at += n;
		half->held_len -= n;
	}
	free(half->held);
	half->held = NULL;
	half->held_at = half->held_size = 0;
	return HALF_BUSY;
}

static enum half_result empty_pipe(struct session *s, struct half *half, enum side side)
{
	while (half->pipe.len) {
		ssize_t n = splice(half->pipe.out, NULL, s->fd[!side], NULL, half->pipe.len,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n < 0)
			return write_stopped(s, side);
		half->pipe.len -= n;
	}
	return HALF_BUSY;
}

/*
 * Reads once, by splice(2) where it pays. Returns the bytes read, 0 at the end of the data,
 * -errno on failure. A buffer's bytes are sent at once; what does not go out is held.
 */
static ssize_t fill_pipe(struct session *s, struct half *half, enum side side)
{
	ssize_t n = splice(s->fd[side], NULL, half->pipe.in, NULL, 1 << 20,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n > 0) {
		half->pipe.len += n;
		count_taken(s, side, n);
	}
	return n < 0 ? -errno : n;
}

static ssize_t fill_buffer(struct session *s, struct half *half, enum side side,
			   enum half_result *result)
{
	struct worker *worker = s->worker;
	ssize_t n = recv(s->fd[side], worker->buffer, sizeof(worker->buffer), MSG_DONTWAIT);
	ssize_t sent;

	if (n <= 0)
		return n < 0 ? -errno : 0;
	count_taken(s, side, n);
	/* Less than was asked for: the queue is empty, unless it was the mark of urgent data. */
	half->readable = n == sizeof(worker->buffer) || half->urgent;
	/* The FIN that follows rides on the last packet. */
	sent = send(s->fd[!side], worker->buffer, n,
		    MSG_NOSIGNAL | MSG_DONTWAIT | (half->ended ? MSG_MORE : 0));
	if (sent < 0 && !would_block()) {
		*result = HALF_TARGET_FAILED;
		return n;
	}
	if (sent < 0)
		sent = 0;
	if (sent < n && half_hold(half, worker->buffer + sent, n - sent))
		*result = HALF_TARGET_FAILED;
	return n;
}

/* Splicing is for sockets without a program: a psock's data is not where splice(2) looks. */
static bool use_pipe(struct session *s, struct half *half, enum side side)
{
	if (s->cookie[side])
		return false;
	if (half->pipe.in >= 0)
		return true;
	return half->bulk && !pipes_take(&s->worker->pipes, &half->pipe);
}

/* Hands the direction over to the program, if every byte it let pass has been forwarded. */
static bool try_redirect(struct session *s, enum side side)
{
	struct half *half = &s->half[side];
	__u64 expected = half->taken;

	if (!s->cookie[side] || !s->cookie[!side] || half->held_len || half->ended)
		return false;
	/* Before: from the swap on they are the program's. It looks at its first packet. */
	s->conn->throttled[side] = 0;
	s->conn->recent_bytes[side] = LOOK_BYTES - 1;
	s->conn->recent_packets[side] = LOOK_PACKETS - 1;
	if (!__atomic_compare_exchange_n(&s->conn->flow[side], &expected, expected | FLOW_REDIRECT,
					 false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	half->mode = HALF_REDIRECT;
	/* Errors and the end of the data are reported without being asked for; data would be too.
	 */
	session_watch(s, side, s->watched[side] & ~EPOLLIN);
	return true;
}

/* The source has nothing more for now. */
static enum half_result source_empty(struct session *s, enum side side, uint64_t moved)
{
	struct half *half = &s->half[side];

	half->bulk = moved >= BULK_BYTES;
	half->readable = false;
	if (!half->pipe.len)
		pipes_give(&s->worker->pipes, &half->pipe);
	if (side == CLIENT && s->conn->path == PATH_SOCKMAP)
		session_join(s);
	if (!try_redirect(s, side) && !(s->watched[side] & EPOLLIN))
		session_watch(s, side, s->watched[side] | EPOLLIN | EPOLLRDHUP);
	return HALF_WAITS;
}

/*
 * Is recv()'s end of the data the end of the data? A socket under a program says so as soon as
 * the FIN is there and its queue is empty, even if passed packets that found the receive
 * buffer full still wait to be put into that queue (tcp_bpf_recvmsg_parser()). The program
 * has counted them.
 */
static bool all_taken(const struct session *s, enum side side)
{
	return !s->cookie[side] || s->half[side].taken >= (s->conn->flow[side] & FLOW_BYTES);
}

static enum half_result pass_end_on(struct session *s, enum side side)
{
	s->half[side].behind = !all_taken(s, side);
	if (s->half[side].behind)
		return HALF_WAITS;
	s->half[side].mode = HALF_DONE;
	s->half[side].ended = true;
	s->conn->state = CONN_CLOSING;
	/* The second end closes both sockets, which says the same. */
	if (s->half[!side].mode != HALF_DONE && shutdown(s->fd[!side], SHUT_WR) &&
	    errno != ENOTCONN)
		return HALF_TARGET_FAILED;
	return HALF_WAITS;
}

bool half_has_all(const struct session *s, enum side side)
{
	return s->cookie[side] ? all_taken(s, side) : !s->half[side].readable;
}

/* Is it worth a system call to look? Events and the program's count say so. */
static bool source_has_more(const struct session *s, enum side side)
{
	return s->half[side].ended || !half_has_all(s, side);
}

static enum half_result copy(struct session *s, enum side side)
{
	struct half *half = &s->half[side];
	uint64_t start = half->taken;
	enum half_result result;
	ssize_t n;

	half->behind = false;
	while (half->taken - start < TURN_BYTES) {
		result = write_held(s, side);
		if (result == HALF_BUSY)
			result = empty_pipe(s, half, side);
		if (result != HALF_BUSY)
			return result;
		if (!source_has_more(s, side))
			return source_empty(s, side, half->taken - start);
		if (use_pipe(s, half, side))
			n = fill_pipe(s, half, side);
		else
			n = fill_buffer(s, half, side, &result);
		if (!n)
			return pass_end_on(s, side);
		half->behind = n == -EAGAIN && half->ended; /* an end that is still to be read */
		if (n == -EAGAIN || n == -EINTR)
			return source_empty(s, side, half->taken - start);
		if (n < 0)
			return HALF_SOURCE_FAILED;
		if (result != HALF_BUSY)
			return result;
	}
	return HALF_BUSY;
}

/* ---- redirection ------------------------------------------------------------------------- */

/* Waits for the socket's lock, under which a program runs. 0 or -errno. */
static int read_info(int fd, struct tcp_info_bytes *info)
{
	socklen_t size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) ? -errno : 0;
}

/* The bytes of a socket's stream that are in its send queue or beyond. */
static int queued_bytes(int fd, bool connected, uint64_t *bytes)
{
	struct tcp_info_bytes info;
	int queue;

	/* In this order: an ACK in between makes the sum too small, never too large. */
	if (read_info(fd, &info) || ioctl(fd, SIOCOUTQ, &queue))
		return -errno;
	/* A connect()ed socket has had its SYN acknowledged, too. */
	*bytes = info.bytes_acked - connected + queue;
	return 0;
}

/* In these states the peer has not sent its FIN, which the kernel counts as a byte. */
static bool goes_on(uint8_t state)
{
	return state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2;
}

int leg_received(int fd, uint64_t *bytes)
{
	struct tcp_info_bytes info;
	int err = read_info(fd, &info);

	*bytes = info.bytes_received;
	if (*bytes && !goes_on(info.state))
		--*bytes;
	return err;
}

bool leg_has_ended(int fd)
{
	struct tcp_info_bytes info;

	return !read_info(fd, &info) && !goes_on(info.state);
}

uint64_t leg_progress(int fd)
{
	struct tcp_info_bytes info;

	(void)read_info(fd, &info);
	return info.bytes_acked + info.bytes_received;
}

/* Have the redirected bytes left the backlog for the target's send queue? */
static enum half_result settle(struct session *s, enum side side)
{
	struct half *half = &s->half[side];
	uint64_t bytes = half->taken, queued = 0;

	if (half->ended && !s->conn->throttled[side]) {
		/* The program has seen all of them by then, see read_info(). */
		if (leg_received(s->fd[side], &bytes))
			return HALF_SOURCE_FAILED;
		if (side == CLIENT)
			bytes -= s->proxied.size; /* a header, which is not of its stream */
		if ((s->conn->flow[side] & FLOW_BYTES) < bytes)
			return HALF_WAITS;
	}
	if (queued_bytes(s->fd[!side], side == CLIENT, &queued))
		return HALF_TARGET_FAILED;
	if (queued < bytes + s->conn->extra[side])
		return HALF_WAITS;
	half->taken = bytes;
	if (half->ended && !s->conn->throttled[side])
		return pass_end_on(s, side);
	half->mode = HALF_COPY;
	session_watch(s, side, s->watched[side] | EPOLLIN | EPOLLRDHUP);
	return copy(s, side);
}

void half_throttled(struct session *s, enum side side)
{
	struct half *half = &s->half[side];

	if (half->mode == HALF_DONE || !s->conn->throttled[side] ||
	    (half->mode == HALF_COPY && half->taken >= s->conn->resume[side]))
		return;
	half->taken = s->conn->resume[side];
	half->mode = HALF_SETTLE;
}

void half_source_ended(struct session *s, enum side side)
{
	struct half *half = &s->half[side];

	half->ended = true;
	if (half->mode == HALF_REDIRECT)
		half->mode = HALF_SETTLE;
	/* With data in the daemon's hands, the end is read like the data. */
}

enum half_result half_run(struct session *s, enum side side)
{
	struct half *half = &s->half[side];

	if (s->conn->throttled[side] && half->mode != HALF_COPY)
		half_throttled(s, side);
	switch (half->mode) {
	case HALF_COPY:
		return copy(s, side);
	case HALF_SETTLE:
		return settle(s, side);
	default:
		return HALF_WAITS;
	}
}
