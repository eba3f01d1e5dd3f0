// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A client that begins connections at a fixed rate, whatever becomes of those before.
 *
 *	rate ADDRESS PORT[,PORT...] RATE SECONDS TEXT
 *
 * RATE a second to each port. Each sends the text and is served when an answer begins. Prints a
 *line of JSON for each that is not: when it began, milliseconds since 1970, and how it ended; and
 *one for all of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS	  1000000000ULL
#define PORTS_MAX 8
#define FDS	  65536
#define PATIENCE  (10 * NS) /* with the last ones */

struct connection {
	uint64_t began; /* CLOCK_REALTIME, nanoseconds; 0 = none */
	uint16_t port;
	bool said;
};

static struct connection connections[FDS];
static unsigned int opened, served, failed, open_now;
static const char *text;
static int poller;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return time.tv_sec * NS + time.tv_nsec;
}

static void end(int fd, const char *how)
{
	struct connection *c = &connections[fd];

	if (how)
		printf("{\"port\": %u, \"began\": %llu, \"end\": \"%s\"}\n", c->port,
		       (unsigned long long)(c->began / 1000000), how);
	failed += how != NULL;
	served += !how;
	c->began = 0;
	close(fd);
	open_now--;
}

static void begin(const char *address, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};

	if (fd < 0 || fd >= FDS || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		exit(1);
	connections[fd] = (struct connection){.began = now(), .port = port};
	opened++;
	open_now++;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		end(fd, strerror(errno));
	else
		epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void go_on(int fd, uint32_t events)
{
	struct connection *c = &connections[fd];
	char answer[4096];
	ssize_t n;

	if (!c->began)
		return;
	if (events & EPOLLOUT && !c->said)
		c->said = send(fd, text, strlen(text), MSG_NOSIGNAL) > 0;
	n = recv(fd, answer, sizeof(answer), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	end(fd, n > 0 ? NULL : n ? strerror(errno) : "eof");
}

static void wait_until(uint64_t time)
{
	struct epoll_event events[256];
	uint64_t at;

	do {
		at = now();
		int n = epoll_wait(poller, events, 256, at < time ? (time - at) / 1000000 : 0);

		for (int i = 0; i < n; i++)
			go_on(events[i].data.fd, events[i].events);
	} while (now() < time);
}

int main(int argc, char **argv)
{
	uint16_t ports[PORTS_MAX];
	uint64_t start, late = 0, time;
	unsigned int n = 0, rate, all;

	if (argc != 6)
		return 2;
	for (char *port = strtok(argv[2], ","); port && n < PORTS_MAX; port = strtok(NULL, ","))
		ports[n++] = atoi(port);
	rate = atoi(argv[3]);
	all = rate * atoi(argv[4]);
	text = argv[5];
	poller = epoll_create1(0);
	start = now();
	for (unsigned int i = 0; i < all; i++) {
		time = start + i * NS / rate;
		wait_until(time);
		late = now() - time > late ? now() - time : late;
		for (unsigned int p = 0; p < n; p++)
			begin(argv[1], ports[p]);
	}
	for (time = now() + PATIENCE; open_now && now() < time;)
		wait_until(now() + 1000000);
	for (int fd = 0; fd < FDS; fd++)
		if (connections[fd].began)
			end(fd, "nothing came");
	printf("{\"opened\": %u, \"served\": %u, \"failed\": %u, \"late_ms\": %llu}\n", opened,
	       served, failed, (unsigned long long)(late / 1000000));
	return 0;
}
