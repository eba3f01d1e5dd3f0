// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Both ends of a connection, for where there is no Python:
 *
 *	peer serve PORT NAME
 *		says NAME and echoes what it gets, to the end
 *	peer talk ADDRESS PORT HELLO-FILE BYTES [wait FILE | late MILLISECONDS]
 *		sends the hello and BYTES of a pattern, shuts down its side, and expects a name,
 *		the same bytes and the end. `wait` pauses in the middle, having got the name,
 *		until FILE exists; `late` reads nothing for so long. Prints the name.
 *	peer ask ...
 *		the same, but the pattern follows when the hello is back: the packet path takes no
 *		connection whose client has sent much before there is a server
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	  65536
#define MAX_HELLO 16384
#define MAX_NAME  64
#define SILENCE	  20000 /* milliseconds without a byte in either direction */

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "peer: %s: %s\n", what, errno ? strerror(errno) : "wrong");
	exit(1);
}

/* ---- serve ------------------------------------------------------------------------------- */

static void send_all(int fd, const void *bytes, size_t n)
{
	for (const char *p = bytes; n;) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0)
			die("send");
		p += sent;
		n -= sent;
	}
}

static void echo(int fd, const char *name)
{
	static char bytes[CHUNK];
	ssize_t n;

	send_all(fd, name, strlen(name));
	send_all(fd, "\n", 1);
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		send_all(fd, bytes, n);
	if (n < 0)
		die("recv");
}

static int serve(uint16_t port, const char *name)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int listener = socket(AF_INET6, SOCK_STREAM, 0), one = 1, fd;

	signal(SIGCHLD, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 64))
		die("listen");
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (!fork()) {
			echo(fd, name);
			return 0;
		}
		close(fd);
	}
	die("accept");
}

/* ---- talk -------------------------------------------------------------------------------- */

struct talk {
	int fd;
	uint8_t hello[MAX_HELLO];
	size_t hello_len;
	size_t total; /* of hello and pattern */
	size_t sent, received;
	size_t pause_at; /* of `sent` */
	char name[MAX_NAME];
	size_t name_len;
	bool named, ended;
};

/* What is sent at a place of the stream: lost, doubled and moved bytes all show. */
static uint8_t byte_at(const struct talk *talk, size_t at)
{
	if (at < talk->hello_len)
		return talk->hello[at];
	return (uint32_t)at * 2654435761u >> 24;
}

static void read_hello(struct talk *talk, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		die(path);
	talk->hello_len = fread(talk->hello, 1, sizeof(talk->hello), file);
	fclose(file);
}

static int dial(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	int fd;

	if (!is_v6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1)
		die(address);
	fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	if (connect(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		    is_v6 ? sizeof(v6) : sizeof(v4)))
		die("connect");
	return fd;
}

static void push(struct talk *talk)
{
	size_t n = talk->pause_at - talk->sent;
	uint8_t bytes[CHUNK];
	ssize_t sent;

	n = n < sizeof(bytes) ? n : sizeof(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(talk, talk->sent + i);
	sent = send(talk->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		die("send");
	talk->sent += sent > 0 ? sent : 0;
	if (talk->sent == talk->total)
		shutdown(talk->fd, SHUT_WR);
}

static void take(struct talk *talk, uint8_t byte)
{
	if (!talk->named) {
		talk->named = byte == '\n';
		if (!talk->named && talk->name_len < MAX_NAME - 1)
			talk->name[talk->name_len++] = byte;
		return;
	}
	errno = 0;
	if (talk->received >= talk->total)
		die("more bytes than were sent");
	if (byte != byte_at(talk, talk->received))
		die("what came back");
	talk->received++;
}

static void pull(struct talk *talk)
{
	uint8_t bytes[CHUNK];
	ssize_t n = recv(talk->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		die("recv");
	talk->ended = n == 0;
	for (ssize_t i = 0; i < n; i++)
		take(talk, bytes[i]);
}

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* Sends up to pause_at and reads until that is back, or to the end. Reads from `read_from` on. */
static void run(struct talk *talk, uint64_t read_from)
{
	bool all = talk->pause_at == talk->total;

	while (!talk->ended && (all || !talk->named || talk->received < talk->pause_at)) {
		struct pollfd pollfd = {.fd = talk->fd};
		uint64_t now = milliseconds();
		bool early = now < read_from;
		int ready;

		if (talk->sent < talk->pause_at)
			pollfd.events |= POLLOUT;
		if (!early)
			pollfd.events |= POLLIN;
		ready = poll(&pollfd, 1, early ? (int)(read_from - now) : SILENCE);
		errno = 0;
		if (!ready && !early)
			die("20 s without a byte");
		if (pollfd.revents & POLLOUT)
			push(talk);
		if (!early && pollfd.revents & (POLLIN | POLLHUP | POLLERR))
			pull(talk);
	}
}

static void await(const char *path)
{
	const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};

	while (access(path, F_OK))
		nanosleep(&moment, NULL);
}

static int talk_main(char **argv, const char *option, const char *value)
{
	static struct talk talk;
	uint64_t read_from = 0;

	read_hello(&talk, argv[4]);
	talk.fd = dial(argv[2], atoi(argv[3]));
	talk.total = talk.hello_len + strtoul(argv[5], NULL, 10);
	if (!strcmp(argv[1], "ask")) {
		talk.pause_at = talk.hello_len;
		run(&talk, 0);
	}
	talk.pause_at = talk.total;
	if (!strcmp(option, "late"))
		read_from = milliseconds() + strtoul(value, NULL, 10);
	if (!strcmp(option, "wait")) {
		talk.pause_at = talk.hello_len + (talk.total - talk.hello_len) / 2;
		run(&talk, 0);
		printf("%s\n", talk.name);
		fflush(stdout);
		await(value);
		talk.pause_at = talk.total;
	}
	run(&talk, read_from);
	errno = 0;
	if (!talk.named || talk.received != talk.total)
		die("an early end");
	printf("%s\n", talk.name);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]), argv[3]);
	if ((argc == 6 || argc == 8) && (!strcmp(argv[1], "talk") || !strcmp(argv[1], "ask")))
		return talk_main(argv, argc == 8 ? argv[6] : "", argc == 8 ? argv[7] : "");
	fprintf(stderr, "usage: peer serve PORT NAME | talk|ask ADDRESS PORT HELLO-FILE BYTES "
			"[wait FILE | late MILLISECONDS]\n");
	return 2;
}
