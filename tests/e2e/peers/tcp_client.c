// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The clients of tcp.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../draw.h"
#include "tcp.h"

/* ---- the first bytes ------------------------------------------------------------------------ */

static struct buffer read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct buffer read = {malloc(CHUNK), 0};

	if (!file || !read.data)
		die("%s: %s", path, strerror(errno));
	read.len = fread(read.data, 1, CHUNK, file);
	if (!feof(file))
		die("%s: is too long", path);
	fclose(file);
	return read;
}

/* The byte behind a backslash; `*at` goes on behind it. */
static uint8_t unescape(const char **at)
{
	static const char names[] = "rnt\\", bytes[] = "\r\n\t\\";
	const char *name = **at ? strchr(names, **at) : NULL;
	unsigned int byte;
	int len = 0;

	if (**at == 'x' && sscanf(*at, "x%2x%n", &byte, &len) == 1 && len == 3) {
		*at += len;
		return byte;
	}
	if (!name)
		die("--text: \\%c: expected \\r, \\n, \\t, \\\\ or \\x and two digits", **at);
	++*at;
	return bytes[name - names];
}

static struct buffer read_text(const char *text)
{
	struct buffer read = {malloc(strlen(text) + 1), 0};

	if (!read.data)
		die("out of memory");
	while (*text) {
		uint8_t byte = *text++;

		read.data[read.len++] = byte == '\\' ? unescape(&text) : byte;
	}
	return read;
}

static struct buffer first_bytes(const struct options *options)
{
	if (options->hello)
		return read_file(options->hello);
	if (options->text)
		return read_text(options->text);
	if (options->sni || options->alpn.n || options->tls || options->ech)
		return hello_make(options);
	return (struct buffer){0};
}

/* ---- a connection --------------------------------------------------------------------------- */

static int send_first(struct connection *c)
{
	const struct options *options = c->options;
	struct buffer first = first_bytes(options);
	size_t cut = (size_t)options->cut < first.len ? (size_t)options->cut : first.len;
	int error;

	if (options->rest_when) {
		error = connection_send(c, first.data, cut);
		await_file(options->rest_when, c);
		if (!error)
			error = connection_send(c, first.data + cut, first.len - cut);
	} else if (options->cut) {
		error = connection_send_pieces(c, &first, options->cut);
	} else {
		error = connection_send(c, first.data, first.len);
	}
	free(first.data);
	return error;
}

static int send_then(struct connection *c)
{
	const struct options *options = c->options;
	char seed[256];

	snprintf(seed, sizeof(seed), "%sthen", options->seed);
	return connection_send_pattern(c, options->then, seed, options->pieces);
}

/* All behind the first bytes, and the end. */
static int send_rest(struct connection *c)
{
	const struct options *options = c->options;
	int error = connection_send_all(c);

	if (error || (options->until_sent && !await_file(options->until_sent, c)))
		return error;
	error = send_then(c);
	if (!error && options->half_close && !options->reset)
		error = connection_shutdown(c);
	return error;
}

static int talk(struct connection *c)
{
	pthread_t reader;
	int error = send_first(c);

	if (error)
		return error;
	if (c->options->reset) { /* a socket in recv() is not closed by close() */
		error = send_rest(c);
		if (!error) {
			connection_reset(c);
			connection_ended(c, "own reset");
		}
		return error;
	}
	error = connection_start_reading(c, &reader);
	if (error)
		return error;
	error = send_rest(c);
	connection_stop_reading(reader, c, error);
	return error;
}

static int open_connection(struct connection *c, const struct sockaddr_storage *at)
{
	if (c->options->handshake) /* its last ACK waits for data, up to 0.2 s */
		setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){0}, sizeof(int));
	if (connect(c->fd, (const struct sockaddr *)at, sizeof(*at)))
		return -errno;
	if (c->options->handshake)
		nap(c->options->handshake);
	return 0;
}

static void bind_source(int fd, const struct options *options)
{
	struct sockaddr_storage from;

	tcp_address(options->source, 0, &from);
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die("cannot bind to %s: %s", options->source, strerror(errno));
}

static void run_connection(const struct options *options)
{
	struct sockaddr_storage at;
	int fd = tcp_socket(options, options->address, options->port, &at), error;
	struct connection *c;

	if (options->source)
		bind_source(fd, options);
	c = connection_new(fd, options);
	error = open_connection(c, &at);
	if (!error)
		error = talk(c);
	if (error)
		connection_failed(c, error);
	connection_close(c);
	connection_report(c, NULL, NULL);
	connection_free(c);
}

/* ---- many of them --------------------------------------------------------------------------- */

static const struct options *given;

/* The options of connection `number`, always the same for the same seed. */
static void run_varied(int64_t number)
{
	static const int cuts[] = {0, 0, 1, 7, 200}, records[] = {0, 1, 100, 400};
	struct options options = *given;
	uint64_t chance;
	char seed[256];

	snprintf(seed, sizeof(seed), "%s%lld", given->seed, (long long)number);
	chance = seed_of(seed);
	options.bytes = draw(&chance) % (given->bytes + 1);
	options.pieces = draw(&chance) % 2;
	options.cut = cuts[draw(&chance) % 5];
	options.records = records[draw(&chance) % 4];
	options.seed = seed;
	run_connection(&options);
}

/* Below 0: there are no more. */
static int64_t next_number(void)
{
	static atomic_llong numbers;
	int64_t number = numbers++;

	if (given->repeat_until)
		return exists(given->repeat_until) ? -1 : number;
	return number < given->repeat ? number : -1;
}

static void *run_some(void *data)
{
	int64_t number;

	while ((number = next_number()) >= 0) {
		if (given->random)
			run_varied(number);
		else
			run_connection(given);
	}
	return NULL;
}

static void run_parallel(void)
{
	pthread_t *threads = calloc(given->parallel, sizeof(*threads));

	for (int64_t i = 0; i < given->parallel; i++) {
		if (!threads || pthread_create(&threads[i], NULL, run_some, NULL))
			die("cannot start a thread");
	}
	for (int64_t i = 0; i < given->parallel; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

static void run_each(void)
{
	const struct list *each = &given->each;
	struct options options = *given;
	int64_t *number = options_number(&options, each->v[0]);

	for (int i = 1; i < each->n; i++) {
		*number = parse_number(each->v[0], each->v[i]);
		run_connection(&options);
	}
}

void tcp_client(const struct options *options)
{
	given = options;
	if (options->each.n)
		run_each();
	else if (options->repeat == 1 && !options->repeat_until)
		run_connection(options);
	else
		run_parallel();
}
