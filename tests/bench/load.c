// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Both ends of the benchmark's connections. Every connection begins with a TLS ClientHello that
 * offers h2, so that a balancer has something to classify; what the server shall do with it
 * stands in the hello's random. The server answers each hello with a few bytes.
 *
 *	load serve ADDRESS PORT
 *	load up|down|rr|connect|hold ADDRESS PORT [-c CONNECTIONS] [-s SECONDS]
 *		[-p PID,PID...] [-e PID,PID...]
 *
 * up, down: one stream, measured where it arrives. rr: 100 bytes each way, one request at a time
 * on each connection. connect: connections that end after the answer, CONNECTIONS of them at
 * once; the client closes first. hold: opens connections, says so, and keeps them until a signal.
 * A client prints one JSON object, with the CPU time of these processes: -p the balancer's, -e the
 * server's, to which it adds its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HELLO_SIZE    517 /* what browsers pad to */
#define HELLO_RANDOM  11
#define ANSWER_SIZE   8
#define MESSAGE_SIZE  100
#define STREAM_CHUNK  (128 * 1024)
#define DISCARD_CHUNK (1 << 20)
#define EVENTS	      256
#define OPENING_MAX   64 /* connections that `hold` opens at once */
#define MAX_PIDS      16

#define NS	      1000000000ULL
#define WARM_UP	      (NS / 5)
#define STUCK	      (5 * NS) /* a connection that takes longer has failed */

#define MAGIC	      0x6e6c706c616f6164ULL

/* At HELLO_RANDOM of the hello; both ends are the same program, so in host order. */
struct order {
	uint64_t magic;
	uint64_t nanoseconds; /* up: how long to count, after WARM_UP */
	char kind;	      /* 'r': answer messages; 'u': count what comes; 'd': send */
	char pad[15];
};
_Static_assert(sizeof(struct order) == 32, "the hello's random");

/* What the server counted of an `up` stream. */
struct count {
	uint64_t bytes, nanoseconds;
};

static uint8_t chunk[STREAM_CHUNK];

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NS + time.tv_nsec;
}

/* ---- the hello --------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, const void *data, size_t size)
{
	memcpy(at, data, size);
	return at + size;
}

static uint8_t *put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
	return at + 2;
}

static uint8_t *put_extension(uint8_t *at, unsigned int type, const void *data, size_t size)
{
	return put(put16(put16(at, type), size), data, size);
}

static uint8_t *put_extensions(uint8_t *at)
{
	static const uint8_t sni[] = "\0\x14\0\0\x11"
				     "bench.alpnlb.test",
			     groups[] = {0, 6, 0, 0x1d, 0, 0x17, 0, 0x18},
			     signatures[] = {0, 8, 4, 3, 8, 4, 4, 1, 8, 6},
			     alpn[] = "\0\x0c\x02h2\x08http/1.1", versions[] = {4, 3, 4, 3, 3},
			     key_share[2 + 2 + 2 + 32] = {0, 36, 0, 0x1d, 0, 32};

	at = put_extension(at, 0, sni, sizeof(sni) - 1);
	at = put_extension(at, 10, groups, sizeof(groups));
	at = put_extension(at, 13, signatures, sizeof(signatures));
	at = put_extension(at, 16, alpn, sizeof(alpn) - 1);
	at = put_extension(at, 43, versions, sizeof(versions));
	return put_extension(at, 51, key_share, sizeof(key_share));
}

/* A ClientHello of HELLO_SIZE bytes, RFC 8446 section 4.1.2, padded as in RFC 7685. */
static void hello_build(uint8_t hello[HELLO_SIZE], const struct order *order)
{
	static const uint8_t suites[] = {0,    16,   0x13, 1,	 0x13, 2,    0x13, 3,	 0xc0,
					 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0xcc, 0xa9},
			     head[] = {22, 3, 1}, handshake[] = {1, 0}, compression[] = {1, 0};
	uint8_t *at, *extensions, *end = hello + HELLO_SIZE;

	memset(hello, 0, HELLO_SIZE);
	at = put16(put(hello, head, sizeof(head)), HELLO_SIZE - 5);
	at = put16(put(at, handshake, sizeof(handshake)), HELLO_SIZE - 9);
	at = put(put16(at, 0x0303), order, sizeof(*order));
	*at++ = 32;
	at = put(put(at + 32, suites, sizeof(suites)), compression, sizeof(compression));
	extensions = at + 2;
	put16(at, end - extensions);
	at = put_extensions(extensions);
	put16(put16(at, 21), end - at - 4); /* the rest is padding, zeros */
}

/* ---- sockets ----------------------------------------------------------------------------- */

static struct sockaddr_storage peer;
static socklen_t peer_size;

static void parse_address(const char *address, const char *port)
{
	struct sockaddr_in *v4 = (void *)&peer;
	struct sockaddr_in6 *v6 = (void *)&peer;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		peer_size = sizeof(*v4);
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		peer_size = sizeof(*v6);
	} else {
		die("'%s' is no address", address);
	}
}

static void set_option(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		die("setsockopt: %s", strerror(errno));
}

static int tcp_socket(int flags)
{
	int fd = socket(peer.ss_family, SOCK_STREAM | flags, IPPROTO_TCP);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return fd;
}

/* Allows for so many connections, beside a few other descriptors. */
static void need_descriptors(rlim_t connections)
{
	struct rlimit limit;
	rlim_t need = connections + 32;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= need)
		return;
	if (limit.rlim_max < need)
		die("%lu connections need %lu descriptors, and the hard limit is %lu",
		    (unsigned long)connections, (unsigned long)need, (unsigned long)limit.rlim_max);
	limit.rlim_cur = need;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("RLIMIT_NOFILE: %s", strerror(errno));
}

static void watch(int epoll, int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll, operation, fd, &event))
		die("epoll_ctl: %s", strerror(errno));
}

/* ---- the server -------------------------------------------------------------------------- */

struct served {
	union {
		struct order order;
		uint8_t head[HELLO_RANDOM + sizeof(struct order)];
	};
	uint32_t hello; /* bytes of it read */
	uint32_t message;
	struct count count;
	uint64_t from; /* time at which counting begins */
};

static struct served *served; /* by descriptor */

/* Reads on in the hello; false when the connection is over. */
static bool serve_hello(int epoll, int fd, struct served *s)
{
	static const uint8_t answer[ANSWER_SIZE] = {21, 3, 3, 0, 3, 1, 0, 0};
	uint8_t bytes[HELLO_SIZE];
	ssize_t n = recv(fd, bytes, HELLO_SIZE - s->hello, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	if (s->hello < sizeof(s->head)) {
		size_t room = sizeof(s->head) - s->hello;

		memcpy(s->head + s->hello, bytes, (size_t)n < room ? (size_t)n : room);
	}
	s->hello += n;
	if (s->hello < HELLO_SIZE)
		return true;
	memmove(&s->order, s->head + HELLO_RANDOM, sizeof(s->order));
	if (s->order.magic != MAGIC || send(fd, answer, sizeof(answer), MSG_NOSIGNAL) < 0)
		return false;
	if (s->order.kind == 'd')
		watch(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT);
	return true;
}

static bool serve_messages(int fd, struct served *s)
{
	uint8_t message[MESSAGE_SIZE];
	ssize_t n = recv(fd, message, MESSAGE_SIZE - s->message, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	s->message = (s->message + n) % MESSAGE_SIZE;
	return s->message || send(fd, message, MESSAGE_SIZE, MSG_NOSIGNAL) == MESSAGE_SIZE;
}

/* Counts, without looking at the bytes; reports once, and goes on until the client has read it. */
static bool serve_count(int fd, struct served *s)
{
	ssize_t n = recv(fd, NULL, DISCARD_CHUNK, MSG_TRUNC);
	uint64_t time;

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	time = now();
	if (!s->from) {
		s->from = time + WARM_UP;
	} else if (time >= s->from && !s->count.nanoseconds) {
		s->count.bytes += n;
		if (time < s->from + s->order.nanoseconds)
			return true;
		s->count.nanoseconds = time - s->from;
		return send(fd, &s->count, sizeof(s->count), MSG_NOSIGNAL) == sizeof(s->count);
	}
	return true;
}

static bool serve_stream(int fd)
{
	return send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) > 0 || errno == EAGAIN;
}

static bool serve(int epoll, int fd)
{
	struct served *s = &served[fd];

	if (s->hello < HELLO_SIZE)
		return serve_hello(epoll, fd, s);
	switch (s->order.kind) {
	case 'r':
		return serve_messages(fd, s);
	case 'u':
		return serve_count(fd, s);
	default:
		return serve_stream(fd);
	}
}

static void accept_all(int epoll, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		memset(&served[fd], 0, sizeof(served[fd]));
		watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
	}
	if (errno == EMFILE)
		die("the server is out of descriptors");
}

static void run_server(void)
{
	int epoll = epoll_create1(0), listener = tcp_socket(SOCK_NONBLOCK);
	struct epoll_event events[EVENTS];
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	served = calloc(limit.rlim_cur, sizeof(*served));
	set_option(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!served || bind(listener, (struct sockaddr *)&peer, peer_size) ||
	    listen(listener, 4096))
		die("cannot listen: %s", strerror(errno));
	watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				accept_all(epoll, listener);
			else if (!serve(epoll, fd))
				close(fd);
		}
	}
}

/* ---- what a client measures -------------------------------------------------------------- */

/* Nanoseconds, in buckets of 1/64 of their power of two. */
#define FRACTION 6
static uint32_t histogram[64 << FRACTION];

static void histogram_add(uint64_t value)
{
	unsigned int power = value >> FRACTION ? 63 - __builtin_clzll(value) - FRACTION : 0;

	histogram[(power << FRACTION) + (value >> power)]++;
}

/* Microseconds that this share of the values does not exceed. */
static double histogram_quantile(double share)
{
	uint64_t total = 0, seen = 0;
	size_t i;

	for (i = 0; i < 64 << FRACTION; i++)
		total += histogram[i];
	for (i = 0; i < 64 << FRACTION && total; i++) {
		size_t power = i >> FRACTION ? (i >> FRACTION) - 1 : 0;

		seen += histogram[i];
		if (seen >= total * share)
			return (double)((i - (power << FRACTION)) << power) / 1000;
	}
	return 0;
}

struct processes {
	pid_t pids[MAX_PIDS];
	int n;
};

static struct processes balancer, ends;

struct usage {
	uint64_t time;
	uint64_t balancer; /* nanoseconds of CPU time of its processes */
	uint64_t ends;	   /* of client and server */
	uint64_t machine;  /* nanoseconds in which CPUs were not idle */
	uint64_t stolen;   /* nanoseconds that the hypervisor did not give */
};

static void parse_pids(char *list, struct processes *processes)
{
	for (char *pid = strtok(list, ","); pid; pid = strtok(NULL, ",")) {
		if (processes->n == MAX_PIDS)
			die("more than %d processes", MAX_PIDS);
		processes->pids[processes->n++] = atoi(pid);
	}
}

static uint64_t cpu_time(const struct processes *processes)
{
	struct timespec time;
	uint64_t sum = 0;
	clockid_t clock;

	for (int i = 0; i < processes->n; i++) {
		if (clock_getcpuclockid(processes->pids[i], &clock) || clock_gettime(clock, &time))
			die("process %d has ended", processes->pids[i]);
		sum += time.tv_sec * NS + time.tv_nsec;
	}
	return sum;
}

static struct usage usage_now(void)
{
	unsigned long long user, nice, system, idle, wait, irq, softirq, steal;
	uint64_t tick = NS / sysconf(_SC_CLK_TCK);
	struct usage usage = {.time = now()};
	FILE *stat = fopen("/proc/stat", "r");

	if (!stat || fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice,
			    &system, &idle, &wait, &irq, &softirq, &steal) != 8)
		die("/proc/stat: cannot be read");
	fclose(stat);
	usage.machine = (user + nice + system + irq + softirq) * tick;
	usage.stolen = steal * tick;
	usage.balancer = cpu_time(&balancer);
	usage.ends = cpu_time(&ends);
	return usage;
}

/* The members of the report that every measurement has. */
static void report_usage(const struct usage *from, const struct usage *to, uint64_t errors)
{
	printf("\"seconds\": %.3f, \"balancer_cpu_us\": %.0f, \"ends_cpu_us\": %.0f, "
	       "\"machine_cpu_us\": %.0f, \"stolen_us\": %.0f, \"errors\": %llu}\n",
	       (to->time - from->time) / 1e9, (to->balancer - from->balancer) / 1e3,
	       (to->ends - from->ends) / 1e3, (to->machine - from->machine) / 1e3,
	       (to->stolen - from->stolen) / 1e3, (unsigned long long)errors);
}

static void report_stream(const struct count *count, const struct usage *from,
			  const struct usage *to)
{
	printf("{\"bytes\": %llu, \"gbit_per_second\": %.3f, ", (unsigned long long)count->bytes,
	       count->bytes * 8.0 / count->nanoseconds);
	report_usage(from, to, 0);
}

/* `n` in the window; latencies are in the histogram. */
static void report_rate(uint64_t n, const struct usage *from, const struct usage *to,
			uint64_t errors)
{
	printf("{\"total\": %llu, \"per_second\": %.1f, \"median_us\": %.2f, \"p90_us\": %.2f, "
	       "\"p99_us\": %.2f, \"p999_us\": %.2f, ",
	       (unsigned long long)n, n * 1e9 / (to->time - from->time), histogram_quantile(0.5),
	       histogram_quantile(0.9), histogram_quantile(0.99), histogram_quantile(0.999));
	report_usage(from, to, errors);
}

/* ---- clients ----------------------------------------------------------------------------- */

static uint8_t hello[HELLO_SIZE];
static unsigned int n_connections = 1;
static uint64_t duration = 2 * NS;

/* Connects and gets the answer to the hello, blocking. */
static int client_open(void)
{
	struct timeval patience = {STUCK / NS, 0};
	uint8_t answer[ANSWER_SIZE];
	int fd = tcp_socket(0);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		die("setsockopt: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&peer, peer_size))
		die("cannot connect: %s", strerror(errno));
	if (send(fd, hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		die("cannot send the hello: %s", strerror(errno));
	if (recv(fd, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		die("no answer to the hello; was it routed elsewhere?");
	return fd;
}

/* A stream has no end: it is cut off with RST. */
static void client_cut(int fd)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

/*
 * What has been answered goes on after a round trip: on a network that is longer than a connection
 * takes to leave the balancer's sockets, for which it has to be quiet.
 */
static void client_round_trip(void)
{
	static const struct timespec time = {.tv_nsec = 20 * 1000 * 1000};

	nanosleep(&time, NULL);
}

static void run_up(void)
{
	int fd = client_open();
	struct usage from = {0}, to;
	struct count count;
	uint64_t start;

	client_round_trip();
	start = now();
	for (;;) {
		if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) <= 0)
			die("the stream broke: %s", strerror(errno));
		if (!from.time && now() - start >= WARM_UP)
			from = usage_now();
		if (recv(fd, &count, sizeof(count), MSG_DONTWAIT) == sizeof(count))
			break;
	}
	to = usage_now();
	client_cut(fd);
	report_stream(&count, &from, &to);
}

static ssize_t discard(int fd)
{
	ssize_t n = recv(fd, NULL, DISCARD_CHUNK, MSG_TRUNC);

	if (n <= 0)
		die("the stream broke: %s", n ? strerror(errno) : "end");
	return n;
}

static void run_down(void)
{
	int fd = client_open();
	uint64_t start = now(), end;
	struct count count = {0};
	struct usage from, to;

	while (now() - start < WARM_UP)
		discard(fd);
	from = usage_now();
	do {
		count.bytes += discard(fd);
		end = now();
	} while (end - from.time < duration);
	count.nanoseconds = end - from.time;
	to = usage_now();
	client_cut(fd);
	report_stream(&count, &from, &to);
}

struct client {
	int fd;
	bool sent;	/* connect: the hello */
	uint32_t got;	/* bytes of the message or answer that is awaited */
	uint64_t start; /* time at which it was asked for */
};

static struct client *clients;

static void watch_client(int epoll, struct client *c, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event))
		die("epoll_ctl: %s", strerror(errno));
}

/* The window in which is counted: it opens after WARM_UP. */
struct window {
	struct usage from, to;
	uint64_t opens, n, errors;
};

/* False when it is over. */
static bool window_goes_on(struct window *w, uint64_t time)
{
	if (!w->opens)
		w->opens = time + WARM_UP;
	if (!w->from.time && time >= w->opens) {
		w->from = usage_now();
		return true;
	}
	if (!w->from.time || time < w->from.time + duration)
		return true;
	w->to = usage_now();
	return false;
}

static void window_count(struct window *w, uint64_t latency)
{
	if (!w->from.time)
		return;
	w->n++;
	histogram_add(latency);
}

static void request(struct client *c)
{
	c->got = 0;
	c->start = now();
	if (send(c->fd, chunk, MESSAGE_SIZE, MSG_NOSIGNAL) != MESSAGE_SIZE)
		die("cannot send a request: %s", strerror(errno));
}

static void rr_event(struct client *c, struct window *w)
{
	uint8_t message[MESSAGE_SIZE];
	ssize_t n = recv(c->fd, message, MESSAGE_SIZE - c->got, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("a connection broke: %s", n ? strerror(errno) : "end");
	c->got += n;
	if (c->got < MESSAGE_SIZE)
		return;
	window_count(w, now() - c->start);
	request(c);
}

static void run_rr(void)
{
	int epoll = epoll_create1(0);
	struct epoll_event events[EVENTS];
	struct window w = {0};

	for (unsigned int i = 0; i < n_connections; i++) {
		clients[i].fd = client_open();
		watch_client(epoll, &clients[i], EPOLLIN);
	}
	for (unsigned int i = 0; i < n_connections; i++)
		request(&clients[i]);
	while (window_goes_on(&w, now())) {
		int n = epoll_wait(epoll, events, EVENTS, STUCK / 1000000);

		if (!n)
			die("no reply");
		for (int i = 0; i < n; i++)
			rr_event(events[i].data.ptr, &w);
	}
	report_rate(w.n, &w.from, &w.to, 0);
}

static void begin(int epoll, struct client *c)
{
	*c = (struct client){.fd = tcp_socket(SOCK_NONBLOCK), .start = now()};
	if (connect(c->fd, (struct sockaddr *)&peer, peer_size) && errno != EINPROGRESS)
		die("cannot connect: %s", strerror(errno));
	watch_client(epoll, c, EPOLLIN | EPOLLOUT | EPOLLET);
}

enum progress { ON_ITS_WAY, ANSWERED, FAILED };

static enum progress go_on(struct client *c, uint32_t events)
{
	uint8_t answer[ANSWER_SIZE];
	ssize_t n;

	if (events & EPOLLOUT && !c->sent) {
		if (send(c->fd, hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
			return FAILED;
		c->sent = true;
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return ON_ITS_WAY;
	n = recv(c->fd, answer, sizeof(answer) - c->got, 0);
	if (n < 0 && errno == EAGAIN)
		return ON_ITS_WAY;
	if (n <= 0)
		return FAILED;
	c->got += n;
	return c->got == sizeof(answer) ? ANSWERED : ON_ITS_WAY;
}

/* Those that got no answer in all this time. */
static uint64_t stuck(uint64_t time)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < n_connections; i++)
		n += time - clients[i].start > duration / 2;
	return n;
}

static void run_connect(void)
{
	int epoll = epoll_create1(0);
	struct epoll_event events[EVENTS];
	struct window w = {0};

	for (unsigned int i = 0; i < n_connections; i++)
		begin(epoll, &clients[i]);
	while (window_goes_on(&w, now())) {
		int n = epoll_wait(epoll, events, EVENTS, 100);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;
			enum progress progress = go_on(c, events[i].events);

			if (progress == ON_ITS_WAY)
				continue;
			if (progress == ANSWERED)
				window_count(&w, now() - c->start);
			else
				w.errors++;
			close(c->fd);
			begin(epoll, c);
		}
	}
	report_rate(w.n, &w.from, &w.to, w.errors + stuck(now()));
}

static void run_hold(void)
{
	int epoll = epoll_create1(0);
	struct epoll_event events[EVENTS];
	unsigned int opened = 0, answered = 0;

	while (answered < n_connections) {
		int n;

		while (opened < n_connections && opened - answered < OPENING_MAX)
			begin(epoll, &clients[opened++]);
		n = epoll_wait(epoll, events, EVENTS, STUCK / 1000000);
		if (!n)
			die("no answer on %u connections, after %u", opened - answered, answered);
		for (int i = 0; i < n; i++) {
			enum progress progress = go_on(events[i].data.ptr, events[i].events);

			if (progress == FAILED)
				die("connection failed, after %u were opened", answered);
			answered += progress == ANSWERED;
		}
	}
	printf("{\"held\": %u}\n", answered);
	fflush(stdout);
	pause();
}

/* ------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	char kind;
	void (*run)(void);
} commands[] = {
	{"serve", 0, run_server}, {"up", 'u', run_up},		 {"down", 'd', run_down},
	{"rr", 'r', run_rr},	  {"connect", 'r', run_connect}, {"hold", 'r', run_hold},
};

static void __attribute__((noreturn)) refuse(void)
{
	die("usage: load serve ADDRESS PORT | load up|down|rr|connect|hold ADDRESS PORT "
	    "[-c CONNECTIONS] [-s SECONDS] [-p PID,...] [-e PID,...]");
}

int main(int argc, char **argv)
{
	struct order order = {.magic = MAGIC};
	int option;

	if (argc < 4)
		refuse();
	parse_address(argv[2], argv[3]);
	ends.pids[ends.n++] = getpid();
	optind = 4;
	while ((option = getopt(argc, argv, "c:s:p:e:")) != -1) {
		if (option == 'c')
			n_connections = atoi(optarg);
		else if (option == 's')
			duration = strtod(optarg, NULL) * NS;
		else if (option == 'p')
			parse_pids(optarg, &balancer);
		else if (option == 'e')
			parse_pids(optarg, &ends);
		else
			refuse();
	}
	need_descriptors(n_connections);
	clients = calloc(n_connections, sizeof(*clients));
	if (!clients)
		die("out of memory");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[1]))
			continue;
		order.kind = commands[i].kind;
		order.nanoseconds = duration;
		hello_build(hello, &order);
		commands[i].run();
		return 0;
	}
	refuse();
}
