// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "selftest.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kernel/interface.h"

#define TIMEOUT	   2000 /* milliseconds without a byte */
#define PASSED	   1000
#define REDIRECTED 100000

/* client -- legs[CLIENT] = program = legs[SERVER] -- server */
struct bench {
	int client, server;
	int legs[2];
	uint64_t cookies[2];
};

static uint8_t pattern(size_t i)
{
	return i * 31 + (i >> 8);
}

/* A connection over loopback: the accepted end in *near, the connecting one in *far. */
static int make_pair(int *accepted, int *connected)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval timeout = {.tv_sec = TIMEOUT / 1000};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), err = 0;

	if (listener < 0)
		return -errno;
	*connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	if (*connected < 0 ||
	    setsockopt(*connected, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size) ||
	    connect(*connected, (struct sockaddr *)&address, sizeof(address)) ||
	    (*accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		err = errno == EINPROGRESS ? -ETIMEDOUT : -errno; /* SO_SNDTIMEO, socket(7) */
	close(listener);
	return err;
}

static int insert(struct instance *instance, struct bench *bench, enum side side)
{
	struct leg leg = {.slot = 0, .side = side};
	uint64_t fd = bench->legs[side];
	uint32_t key = side;
	socklen_t size = sizeof(bench->cookies[side]);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &bench->cookies[side], &size) ||
	    bpf_map_update_elem(instance_legs_fd(instance), &bench->cookies[side], &leg, BPF_ANY) ||
	    bpf_map_update_elem(instance_sockets_fd(instance), &key, &fd, BPF_ANY))
		return -errno;
	return 0;
}

static int send_bytes(int fd, size_t from, size_t to)
{
	while (from < to) {
		uint8_t bytes[4096];
		size_t n = to - from < sizeof(bytes) ? to - from : sizeof(bytes);
		ssize_t sent;

		for (size_t i = 0; i < n; i++)
			bytes[i] = pattern(from + i);
		sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent < 0)
			return -errno;
		from += sent;
	}
	return 0;
}

static int expect_bytes(int fd, size_t from, size_t to)
{
	while (from < to) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};
		uint8_t bytes[4096];
		size_t want = to - from < sizeof(bytes) ? to - from : sizeof(bytes);
		ssize_t n;

		if (poll(&pollfd, 1, TIMEOUT) <= 0)
			return -ETIMEDOUT;
		n = recv(fd, bytes, want, MSG_DONTWAIT);
		if (n <= 0)
			return n ? -errno : -EPIPE;
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != pattern(from + i))
				return -EBADMSG;
		from += n;
	}
	return 0;
}

/* The bytes a client sent are let pass, read, and written to the other leg. */
static int pass_and_copy(struct bench *bench)
{
	int err = send_bytes(bench->client, 0, PASSED);

	err = err ? err : expect_bytes(bench->legs[CLIENT], 0, PASSED);
	err = err ? err : send_bytes(bench->legs[SERVER], 0, PASSED);
	return err ? err : expect_bytes(bench->server, 0, PASSED);
}

static int redirect_up(struct instance *instance, struct bench *bench)
{
	uint64_t expected = PASSED;
	int err;

	if (!__atomic_compare_exchange_n((uint64_t *)&instance->conns[0].flow[CLIENT], &expected,
					 FLOW_REDIRECT | PASSED, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return -EPROTO;
	err = send_bytes(bench->client, PASSED, PASSED + REDIRECTED);
	return err ? err : expect_bytes(bench->server, PASSED, PASSED + REDIRECTED);
}

static int redirect_down(struct bench *bench)
{
	int err = send_bytes(bench->server, 0, REDIRECTED);

	return err ? err : expect_bytes(bench->client, 0, REDIRECTED);
}

static int run(struct instance *instance, struct bench *bench, const char **failed)
{
	int err;

	*failed = "connecting over loopback";
	if (!loopback_is_up())
		return -ENETDOWN;
	err = make_pair(&bench->legs[CLIENT], &bench->client);
	err = err ? err : make_pair(&bench->server, &bench->legs[SERVER]);
	if (err)
		return err;
	*failed = "inserting a socket into the sockhash";
	err = insert(instance, bench, CLIENT);
	err = err ? err : insert(instance, bench, SERVER);
	if (err)
		return err;
	*failed = "passing bytes";
	err = pass_and_copy(bench);
	if (err)
		return err;
	*failed = "redirecting bytes to the server";
	err = redirect_up(instance, bench);
	if (err)
		return err;
	*failed = "redirecting bytes to the client";
	return redirect_down(bench);
}

int selftest_redirect(struct instance *instance, const char **failed)
{
	struct bench bench = {-1, -1, {-1, -1}, {0, 0}};
	struct conn *conn = &instance->conns[0];
	int err;

	memset(conn, 0, sizeof(*conn));
	conn->flow[SERVER] = FLOW_REDIRECT;
	err = run(instance, &bench, failed);
	for (int side = 0; side < 2; side++) {
		if (bench.legs[side] >= 0)
			close(bench.legs[side]);
		bpf_map_delete_elem(instance_legs_fd(instance), &bench.cookies[side]);
	}
	if (bench.client >= 0)
		close(bench.client);
	if (bench.server >= 0)
		close(bench.server);
	memset(conn, 0, sizeof(*conn));
	return err;
}
