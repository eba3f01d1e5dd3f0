// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The servers of tcp.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../draw.h"
#include "tcp.h"

#define BACKLOG 1024

static int send_line(struct connection *c, const char *text)
{
	char line[512];
	int len = snprintf(line, sizeof(line), "%s\n", text);

	return connection_send(c, line, len);
}

/* Answers the first bytes with its name. */
static int serve_name(struct connection *c)
{
	int error = connection_receive(c, 1);

	if (!error)
		error = send_line(c, c->options->name);
	if (!error)
		error = connection_shutdown(c);
	return error ? error : connection_receive(c, -1);
}

static int serve_echo(struct connection *c)
{
	ssize_t n;

	while ((n = connection_read(c, CHUNK)) > 0) {
		int error = connection_send(c, c->buffer, n);

		if (error)
			return error;
	}
	return n < 0 ? (int)n : connection_shutdown(c);
}

/* Speaks first, then echoes. */
static int serve_banner(struct connection *c)
{
	int error = send_line(c, c->options->name);

	return error ? error : serve_echo(c);
}

/* Answers the end with how many connections it had at once, at most. */
static int serve_most(struct connection *c)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int at_once, most;
	char answer[16];
	int error;

	pthread_mutex_lock(&lock);
	if (++at_once > most)
		most = at_once;
	pthread_mutex_unlock(&lock);
	error = connection_receive(c, -1);
	pthread_mutex_lock(&lock);
	at_once--;
	snprintf(answer, sizeof(answer), "%d", most);
	pthread_mutex_unlock(&lock);
	if (!error)
		error = send_line(c, answer);
	return error ? error : connection_shutdown(c);
}

/* With --random: how many bytes follows from seed and number. */
static int send_exchange(struct connection *c)
{
	const struct options *options = c->options;
	uint64_t chance = seed_of(options->seed) + c->number;
	uint64_t count = draw(&chance) % (options->bytes + 1);
	char seed[16];

	if (!options->random)
		return connection_send_all(c);
	snprintf(seed, sizeof(seed), "%u", c->number);
	return connection_send_pattern(c, count, seed, draw(&chance) % 2);
}

/* Sends --bytes and reads to the end, at the same time; then closes. */
static int serve_exchange(struct connection *c)
{
	pthread_t reader;
	int error = connection_start_reading(c, &reader);

	if (error)
		return error;
	error = send_exchange(c);
	if (!error && c->options->half_close)
		error = connection_shutdown(c);
	connection_stop_reading(reader, c, error);
	return error;
}

/* Resets the connection after its first bytes. */
static int serve_reset(struct connection *c)
{
	int error = connection_receive(c, 1);

	if (!error)
		connection_reset(c);
	return error;
}

/* Closes right after accepting, without reading. */
static int serve_close(struct connection *c)
{
	return 0;
}

static const struct {
	const char *kind;
	int (*serve)(struct connection *c);
} servers[] = {
	{"banner", serve_banner},     {"close", serve_close}, {"echo", serve_echo},
	{"exchange", serve_exchange}, {"most", serve_most},   {"name", serve_name},
	{"reset", serve_reset},
};

static int (*serve)(struct connection *c);

static void choose_server(const char *kind)
{
	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
		if (!strcmp(servers[i].kind, kind))
			serve = servers[i].serve;
	}
	if (!serve)
		die("serve %s: expected banner, close, echo, exchange, most, name or reset", kind);
}

static void print_address(const struct sockaddr_storage *address, char *text, size_t size)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	char host[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
	snprintf(text, size, "%s %d", host, ntohs(v4->sin_port)); /* where v6 has it, too */
}

struct accepted {
	struct connection *connection;
	char peer[64];
};

static void *handle(void *data)
{
	struct accepted *accepted = data;
	struct connection *c = accepted->connection;
	int error = serve(c);

	if (error)
		connection_failed(c, error);
	connection_close(c);
	connection_report(c, c->options->name, accepted->peer);
	connection_free(c);
	free(accepted);
	return NULL;
}

static void start_thread(void *(*run)(void *), void *data)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, run, data);

	if (error)
		die("cannot start a thread: %s", strerror(error));
	pthread_detach(thread);
}

static const struct options *given;

static void *accept_all(void *data)
{
	int listener = (intptr_t)data;

	for (;;) {
		struct accepted *accepted = malloc(sizeof(*accepted));
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

		if (fd < 0 || !accepted)
			die("cannot accept: %s", strerror(errno));
		print_address(&from, accepted->peer, sizeof(accepted->peer));
		accepted->connection = connection_new(fd, given);
		start_thread(handle, accepted);
	}
	return NULL;
}

static void listen_at(const char *address)
{
	struct sockaddr_storage at;
	int fd = tcp_socket(given, address, given->port, &at);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, BACKLOG))
		die("cannot listen at %s, port %d: %s", address, (int)given->port, strerror(errno));
	start_thread(accept_all, (void *)(intptr_t)fd);
}

void tcp_serve(const struct options *options)
{
	given = options;
	choose_server(options->kind);
	if (!options->listen.n || !options->port)
		die("serve: --listen and --port are missing");
	for (int i = 0; i < options->listen.n; i++)
		listen_at(options->listen.v[i]);
	for (;;)
		pause();
}
