// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Both ends of many connections whose every 8 bytes say where they belong: to which connection,
 * direction and place. So loss, duplication and reordering are told apart, and so is another
 * connection's data.
 *
 *	crossing serve PORT ADDRESS... [-g GREETING] [-x NAME]
 *	crossing client ADDRESS PORT -f HELLO-FILE [-n CONNECTIONS] [-p PARALLEL] [-s SEED]
 *		[-b BASE] [-m MOST-BYTES] [-g GREETING] [-w MILLISECONDS] [-q] [-1] [-x NAME]
 *
 * What a connection does follows from seed and number, at both ends: how many bytes go each way,
 * in writes of which size and with which pauses, and whether an end resets it halfway. The client
 * says seed and number behind its hello. With -g the server begins with a greeting, and half of
 * the clients wait for it. -w: pauses of up to so many milliseconds, throughout. -q: nobody
 * resets. -1: one line "started" when all connections are open. -b: what numbers begin behind.
 *
 * -x, at both ends: others may be killed at any time. A server says its name, a number, before
 * anything else. A connection that ends before its plan has is `cut`, not `bad`: a line of JSON
 * says which and when, for others to find whether it had to be.
 *
 * A client prints one JSON object at the end, a server on SIGTERM, when its connections have
 * ended; what was wrong with a connection goes to stderr, a line each. A client opens no more
 * connections after SIGTERM.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../draw.h"

#define MAGIC	     "crossing"
#define GREETING     0xffffff /* number of a connection that is not known yet */
#define NEVER	     UINT64_MAX
#define HEAD_MAX     4096
#define BUFFER	     (256 * 1024)
#define EVENTS	     256
#define STUCK	     40000 /* milliseconds without progress */
#define TINY_WRITES  200
#define PAUSED	     40	 /* writes, of those that pause throughout */
#define PAUSED_FIRST 40	 /* writes that pauses are made between */
#define REFUSED	     250 /* milliseconds that a client waits then */
#define FIRST_PAUSE  40	 /* milliseconds, of a client behind its hello, at most */

enum { UP, DOWN };

/* Behind the hello. */
struct order {
	char magic[8];
	uint64_t seed, most;
	uint32_t number, wait, quiet, pad;
};

struct plan {
	uint64_t bytes[2];
	uint64_t reset[2]; /* behind so many of its bytes, by end */
	uint32_t write;	   /* largest */
	uint32_t pause;	   /* longest, milliseconds */
};

struct connection {
	int fd;
	struct order order;
	struct plan plan;
	bool known;	/* the plan is */
	bool connected; /* ... or accepted */
	bool wrote_all, read_all;
	uint8_t head[HEAD_MAX]; /* client: what to send first; server: what came first */
	uint32_t head_len;
	uint64_t sent, received;   /* without the server's head */
	uint64_t resume, progress; /* milliseconds */
	uint64_t opened;	   /* milliseconds of the day's clock */
	uint64_t server;	   /* its name, as the server sent it; 0 before */
	char peer[64];		   /* client: its own address; server: the other end's */
	uint64_t random;
	uint32_t writes;
	struct connection *next;
};

static struct {
	bool serves, quiet, say_started;
	int epoll;
	uint32_t greeting, connections, parallel, wait, base;
	uint64_t name;		/* -x */
	uint64_t refused_until; /* no new connection before then */
	uint64_t seed, most;
	uint8_t hello[HEAD_MAX];
	uint32_t hello_len;
	struct sockaddr_storage address;
	struct connection *all;
	uint32_t open, started, reached;
	uint32_t ended, own_resets, resets, bad, cut, stuck, refused;
	uint64_t bytes;
} run = {.connections = 1, .parallel = 1, .seed = 1, .most = 100000};

static volatile sig_atomic_t stop;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t clock_milliseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static uint64_t milliseconds(void)
{
	return clock_milliseconds(CLOCK_MONOTONIC);
}

/* ---- what a connection does -------------------------------------------------------------- */

static void plan_make(const struct order *order, struct plan *plan)
{
	static const uint32_t writes[] = {1, 8, 100, 1460, 20000, BUFFER};
	static const uint32_t pauses[] = {0, 8, 20, 40};
	uint64_t random = order->seed << 24 ^ order->number;

	for (int side = UP; side <= DOWN; side++) {
		uint64_t most = draw(&random) % 4 ? order->most : order->most >> 8;

		plan->bytes[side] = draw(&random) % 16 ? draw(&random) % (most + 1) : 0;
		if (order->wait)
			plan->bytes[side] = order->most / 2 + plan->bytes[side] / 2;
		plan->reset[side] = NEVER;
		if (!order->quiet && draw(&random) % 10 == 0)
			plan->reset[side] = draw(&random) % (plan->bytes[side] + 1);
	}
	plan->write = writes[draw(&random) % (sizeof(writes) / sizeof(*writes))];
	if (order->wait)
		plan->write = order->most / PAUSED + 1;
	plan->pause = order->wait ? order->wait : pauses[draw(&random) % 4];
}

static void code_fill(uint32_t number, int side, uint64_t at, uint8_t *buffer, size_t size)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++, at++) {
		if (!i || !(at & 7))
			word = (uint64_t)number << 40 | (uint64_t)side << 39 | at >> 3;
		buffer[i] = word >> (56 - 8 * (at & 7));
	}
}

/* Which bytes are these instead? */
static void explain(const struct connection *c, int side, uint64_t at, const uint8_t *data,
		    size_t size)
{
	fprintf(stderr, "connection %u, %s, at %llu: ", c->order.number, side == UP ? "up" : "down",
		(unsigned long long)at);
	for (int i = 0; i < 8 && i + 8 <= (int)size; i++) {
		uint64_t word;

		memcpy(&word, data + i, 8);
		word = be64toh(word);
		if (word >> 40 && word >> 40 < run.connections + 1 &&
		    (word & ((1ULL << 39) - 1)) < run.most) {
			fprintf(stderr, "byte %lld of connection %llu, %s\n",
				(long long)(word & ((1ULL << 39) - 1)) * 8 - i,
				(unsigned long long)word >> 40, word >> 39 & 1 ? "down" : "up");
			return;
		}
	}
	for (size_t i = 0; i < 16 && i < size; i++)
		fprintf(stderr, "%02x", data[i]);
	fprintf(stderr, "\n");
}

/* ---- the ends ---------------------------------------------------------------------------- */

static void finish(struct connection *c, const char *wrong)
{
	if (wrong) {
		fprintf(stderr, "connection %u: %s: sent %llu of %llu, received %llu of %llu\n",
			c->order.number, wrong, (unsigned long long)c->sent,
			(unsigned long long)c->plan.bytes[run.serves],
			(unsigned long long)c->received,
			(unsigned long long)c->plan.bytes[!run.serves]);
		run.bad++;
	}
	close(c->fd);
	c->fd = -1;
	run.open--;
	run.ended++;
	run.bytes += c->received;
}

/* A server does not know a connection before it has said something. */
static void say_cut(const struct connection *c, const char *how)
{
	printf("{\"end\": \"%s\", \"side\": \"%s\", \"number\": %u, \"server\": %llu, \"address\": "
	       "\"%s\", \"from\": %llu, \"to\": %llu, \"sent\": %llu, \"received\": %llu}\n",
	       how, run.serves ? "server" : "client", c->order.number,
	       (unsigned long long)(run.serves ? run.name : c->server), c->peer,
	       (unsigned long long)c->opened,
	       (unsigned long long)clock_milliseconds(CLOCK_REALTIME), (unsigned long long)c->sent,
	       (unsigned long long)c->received);
	fflush(stdout);
}

/* Before its plan has ended. */
static void cut(struct connection *c, const char *how)
{
	if (!run.name) {
		finish(c, how);
		return;
	}
	if (!run.serves || c->head_len) {
		run.cut++;
		say_cut(c, how);
	}
	finish(c, NULL);
}

static void reset(struct connection *c)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	run.own_resets++;
	finish(c, NULL);
}

/* By the other end, unless that has no reason to. */
static void was_reset(struct connection *c)
{
	int other = run.serves ? UP : DOWN;

	run.resets++;
	/* A client that resets within its hello has said nothing of its plan. */
	if (c->known && c->plan.reset[other] == NEVER)
		cut(c, "reset");
	else
		finish(c, NULL);
}

static void failed(struct connection *c, int error)
{
	if (error == ECONNRESET || error == EPIPE)
		was_reset(c);
	else
		cut(c, strerror(error));
}

/* Of the server, before the code. */
static void greeting_fill(uint64_t at, uint8_t *buffer, size_t size)
{
	uint64_t name = htobe64(run.name);

	if (run.name)
		memcpy(buffer, (uint8_t *)&name + at, size);
	else
		code_fill(GREETING, DOWN, at, buffer, size);
}

/* What this end sends, head and code, from byte `at` on. */
static size_t outgoing(const struct connection *c, uint64_t at, uint8_t *buffer, size_t size)
{
	uint32_t head = run.serves ? run.greeting : c->head_len;
	int side = run.serves ? DOWN : UP;

	if (run.name && !c->known)
		return 0;
	if (at < head) {
		size = size < head - at ? size : head - at;
		if (run.serves)
			greeting_fill(at, buffer, size);
		else
			memcpy(buffer, c->head + at, size);
		return size;
	}
	at -= head;
	if (!c->known || at >= c->plan.bytes[side])
		return 0;
	size = size < c->plan.bytes[side] - at ? size : c->plan.bytes[side] - at;
	code_fill(c->order.number, side, at, buffer, size);
	return size;
}

static size_t write_size(struct connection *c)
{
	uint32_t most =
		c->known && (c->order.wait || c->writes < TINY_WRITES || c->plan.write > 1000)
			? c->plan.write
			: BUFFER;

	return 1 + draw(&c->random) % most;
}

static bool pauses(struct connection *c, uint64_t now)
{
	/* Most clients are not far ahead: it takes a moment until a server is there. */
	if (!run.serves && c->sent <= c->head_len && draw(&c->random) % 4) {
		c->resume = now + draw(&c->random) % (FIRST_PAUSE + 1);
		return c->resume > now;
	}
	if (!c->known || !c->plan.pause || (!c->order.wait && c->writes > PAUSED_FIRST))
		return false;
	if (!c->order.wait && draw(&c->random) % 4)
		return false;
	c->resume = now + draw(&c->random) % (c->plan.pause + 1);
	return c->resume > now;
}

static void send_some(struct connection *c, uint64_t now)
{
	static uint8_t buffer[BUFFER];
	uint64_t limit = run.serves ? c->plan.reset[DOWN] : c->plan.reset[UP];
	uint64_t head = run.serves ? run.greeting : c->head_len;

	while (!c->wrote_all && c->resume <= now) {
		size_t size = outgoing(c, c->sent, buffer, write_size(c));
		ssize_t n;

		if (c->known && limit != NEVER && c->sent >= limit + head) {
			reset(c);
			return;
		}
		if (!size && !c->known)
			return;
		if (!size) {
			shutdown(c->fd, SHUT_WR);
			c->wrote_all = true;
			return;
		}
		n = send(c->fd, buffer, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			failed(c, errno);
			return;
		}
		c->sent += n;
		c->writes++;
		c->progress = now;
		if (pauses(c, now))
			return;
	}
}

static void greeting_expect(struct connection *c, const uint8_t *data, uint8_t *expected,
			    size_t size)
{
	if (!run.name) {
		code_fill(GREETING, DOWN, c->received, expected, size);
		return;
	}
	for (size_t i = 0; i < size; i++)
		c->server = c->server << 8 | data[i];
	memcpy(expected, data, size);
}

/* False if it is wrong. */
static bool check(struct connection *c, const uint8_t *data, size_t size)
{
	static uint8_t expected[BUFFER];
	uint32_t greeting = run.serves ? 0 : run.greeting;
	int side = run.serves ? UP : DOWN;
	size_t first = 0;

	if (c->received < greeting) {
		first = size < greeting - c->received ? size : greeting - c->received;
		greeting_expect(c, data, expected, first);
	}
	code_fill(c->order.number, side, c->received + first - greeting, expected + first,
		  size - first);
	if (memcmp(data, expected, size)) {
		size_t i = 0;

		while (data[i] == expected[i])
			i++;
		explain(c, side, c->received + i - greeting, data + i, size - i);
		finish(c, "wrong bytes");
		return false;
	}
	c->received += size;
	if (c->received > greeting + c->plan.bytes[side]) {
		finish(c, "more than was sent");
		return false;
	}
	return true;
}

/* Length of a PROXY header, which may be missing; -1: not complete. */
static int proxy_length(const uint8_t *head, uint32_t len)
{
	const uint8_t *end;

	if (len < 16)
		return -1;
	if (head[0] == 'P') {
		end = memchr(head, '\n', len);
		return end ? end + 1 - head : -1;
	}
	return head[0] == '\r' ? 16 + (head[14] << 8 | head[15]) : 0;
}

/* Takes the head from what came; how much it takes of `data`, or -1 if it is wrong. */
static int take_head(struct connection *c, const uint8_t *data, size_t size)
{
	uint32_t take = size < HEAD_MAX - c->head_len ? size : HEAD_MAX - c->head_len, all;
	int proxy;

	memcpy(c->head + c->head_len, data, take);
	proxy = proxy_length(c->head, c->head_len + take);
	if (proxy < 0 || c->head_len + take < proxy + 5u)
		all = HEAD_MAX;
	else
		all = proxy + 5 + (c->head[proxy + 3] << 8 | c->head[proxy + 4]) + sizeof(c->order);
	if (all > c->head_len + take) {
		c->head_len += take;
		return c->head_len < HEAD_MAX ? (int)take : -1;
	}
	memcpy(&c->order, c->head + all - sizeof(c->order), sizeof(c->order));
	if (memcmp(c->order.magic, MAGIC, sizeof(c->order.magic)))
		return -1;
	plan_make(&c->order, &c->plan);
	c->random = c->order.number;
	c->known = true;
	run.most = c->order.most;
	take = all - c->head_len;
	c->head_len = all;
	return take;
}

static void take(struct connection *c, const uint8_t *data, size_t size)
{
	int head = 0;

	if (run.serves && !c->known) {
		head = take_head(c, data, size);
		if (head < 0) {
			finish(c, "a hello that is none");
			return;
		}
	}
	if (size > (size_t)head)
		check(c, data + head, size - head);
}

static void take_end(struct connection *c)
{
	int side = run.serves ? UP : DOWN;
	uint64_t greeting = run.serves ? 0 : run.greeting;

	c->read_all = true;
	if (!c->known || c->received < greeting + c->plan.bytes[side] ||
	    c->plan.reset[side] != NEVER)
		cut(c, "ended early");
}

static void receive_some(struct connection *c, uint64_t now)
{
	static uint8_t buffer[BUFFER];

	while (c->fd >= 0 && !c->read_all) {
		ssize_t n = recv(c->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			failed(c, errno);
			return;
		}
		c->progress = now;
		if (n)
			take(c, buffer, n);
		else
			take_end(c);
		/* One that waited for the greeting may speak. */
		if (!run.serves && c->received >= run.greeting && c->resume == NEVER)
			c->resume = now;
	}
}

static void name_peer(struct connection *c)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;
	socklen_t size = sizeof(address);
	char text[INET6_ADDRSTRLEN] = "";

	(run.serves ? getpeername : getsockname)(c->fd, (struct sockaddr *)&address, &size);
	inet_ntop(address.ss_family,
		  address.ss_family == AF_INET ? (void *)&v4->sin_addr : &v6->sin6_addr, text,
		  sizeof(text));
	snprintf(c->peer, sizeof(c->peer), address.ss_family == AF_INET ? "%s:%u" : "[%s]:%u", text,
		 ntohs(v4->sin_port)); /* as sin6_port */
}

static void turn(struct connection *c, uint64_t now)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (c->fd >= 0 && !c->connected) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error) {
			run.refused++;
			run.refused_until = now + REFUSED;
			cut(c, strerror(error));
			return;
		}
		c->connected = true;
		name_peer(c);
		run.reached++;
	}
	receive_some(c, now);
	if (c->fd >= 0)
		send_some(c, now);
	if (c->fd >= 0 && c->wrote_all && c->read_all)
		finish(c, NULL);
}

/* ---- opening ----------------------------------------------------------------------------- */

static struct connection *open_connection(int fd)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int one = 1;

	if (!c)
		die("connection");
	c->fd = fd;
	c->progress = milliseconds();
	c->opened = clock_milliseconds(CLOCK_REALTIME);
	c->next = run.all;
	run.all = c;
	run.open++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	event.data.ptr = c;
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
	return c;
}

static void connect_one(void)
{
	int fd = socket(run.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct connection *c;

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&run.address, sizeof(run.address)) &&
	    errno != EINPROGRESS)
		die("connect");
	c = open_connection(fd);
	memcpy(c->order.magic, MAGIC, sizeof(c->order.magic));
	c->order.seed = run.seed;
	c->order.most = run.most;
	c->order.number = run.base + ++run.started;
	c->order.wait = run.wait;
	c->order.quiet = run.quiet;
	plan_make(&c->order, &c->plan);
	c->random = ~(uint64_t)c->order.number;
	c->known = true;
	memcpy(c->head, run.hello, run.hello_len);
	memcpy(c->head + run.hello_len, &c->order, sizeof(c->order));
	c->head_len = run.hello_len + sizeof(c->order);
	if (run.greeting && !run.name && c->order.number & 1)
		c->resume = NEVER;
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct connection *c = open_connection(fd);

		c->connected = true;
		name_peer(c);
	}
}

static socklen_t parse_address(const char *text, const char *port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (void *)address;
	struct sockaddr_in6 *v6 = (void *)address;

	memset(address, 0, sizeof(*address));
	address->ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	v4->sin_port = htons(atoi(port)); /* as sin6_port */
	if (inet_pton(address->ss_family, text,
		      address->ss_family == AF_INET ? (void *)&v4->sin_addr : &v6->sin6_addr) !=
	    1) {
		fprintf(stderr, "%s: not an address\n", text);
		exit(2);
	}
	return sizeof(*v6);
}

static void listen_at(const char *text, const char *port)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct sockaddr_storage address;
	socklen_t size = parse_address(text, port, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096))
		die(text);
	event.data.u64 = (uint64_t)fd << 1 | 1;
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
}

/* ---- the loop ---------------------------------------------------------------------------- */

/* Those whose pause is over; those that are stuck. Frees what has ended. */
static void look_at_all(uint64_t now)
{
	struct connection **at = &run.all, *c;

	while ((c = *at)) {
		if (c->fd >= 0 && c->resume && c->resume <= now) {
			c->resume = 0;
			turn(c, now);
		}
		if (c->fd >= 0 && now - c->progress > STUCK) {
			run.stuck++;
			finish(c, "stuck");
		}
		if (c->fd >= 0) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		free(c);
	}
}

static void dispatch(const struct epoll_event *event)
{
	struct connection *c = event->data.ptr;

	if (event->data.u64 & 1)
		accept_all(event->data.u64 >> 1);
	else if (c->fd >= 0)
		turn(c, milliseconds());
}

static bool goes_on(void)
{
	if (run.serves)
		return !stop || run.open;
	return run.open || (!stop && run.started < run.connections);
}

static bool opens_another(void)
{
	return !run.serves && !stop && run.open < run.parallel && run.started < run.connections &&
	       run.refused_until <= milliseconds();
}

static void loop(void)
{
	struct epoll_event events[EVENTS];

	while (goes_on()) {
		int n;

		while (opens_another())
			connect_one();
		n = epoll_wait(run.epoll, events, EVENTS, 2);
		for (int i = 0; i < n; i++)
			dispatch(&events[i]);
		look_at_all(milliseconds());
		if (run.say_started && run.reached == run.connections) {
			run.say_started = false;
			printf("started\n");
			fflush(stdout);
		}
	}
}

static void report(void)
{
	printf("{\"ended\": %u, \"own_resets\": %u, \"resets\": %u, \"bad\": %u, \"cut\": %u, "
	       "\"stuck\": %u, \"refused\": %u, \"bytes\": %llu}\n",
	       run.ended, run.own_resets, run.resets, run.bad, run.cut, run.stuck, run.refused,
	       (unsigned long long)run.bytes);
}

static void on_signal(int number)
{
	stop = 1;
}

static void read_hello(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, run.hello, sizeof(run.hello) - sizeof(struct order));

	if (n < 0)
		die(path);
	run.hello_len = n;
	close(fd);
}

static void options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "f:n:p:s:b:m:g:w:q1x:")) != -1)
		switch (option) {
		case 'f':
			read_hello(optarg);
			break;
		case 'n':
			run.connections = atoi(optarg);
			break;
		case 'p':
			run.parallel = atoi(optarg);
			break;
		case 's':
			run.seed = strtoull(optarg, NULL, 0);
			break;
		case 'b':
			run.base = atoi(optarg);
			break;
		case 'm':
			run.most = strtoull(optarg, NULL, 0);
			break;
		case 'g':
			run.greeting = atoi(optarg);
			break;
		case 'w':
			run.wait = atoi(optarg);
			break;
		case 'q':
			run.quiet = true;
			break;
		case '1':
			run.say_started = true;
			break;
		case 'x':
			run.name = strtoull(optarg, NULL, 0);
			run.greeting = sizeof(run.name);
			break;
		default:
			exit(2);
		}
}

int main(int argc, char **argv)
{
	options(argc, argv); /* moves the rest behind them */
	argv += optind;
	argc -= optind;
	run.epoll = epoll_create1(0);
	signal(SIGTERM, on_signal);
	if (argc == 3 && !strcmp(argv[0], "client")) {
		parse_address(argv[1], argv[2], &run.address);
	} else if (argc >= 3 && !strcmp(argv[0], "serve")) {
		run.serves = true;
		run.connections = GREETING;
		for (int i = 2; i < argc; i++)
			listen_at(argv[i], argv[1]);
	} else {
		fprintf(stderr, "see the comment at the top\n");
		return 2;
	}
	loop();
	report();
	return run.bad || run.stuck ? 1 : 0;
}
