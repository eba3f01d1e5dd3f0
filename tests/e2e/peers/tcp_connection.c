// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What both ends of a connection do, for tcp.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "../../draw.h"
#include "tcp.h"

#define PATTERN_LENGTH                                                                             \
	1000003 /* prime: a piece that is lost, doubled or moved changes the hash                  \
		 */
#define PIECE_MAX    5000
#define IN_FLIGHT    8	     /* packets of one byte, few enough not to be merged */
#define SHORTEST_NAP 10000   /* nanoseconds */
#define LONGEST_NAP  1000000 /* nanoseconds */
#define FILE_NAP     0.02

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

void nap(double seconds)
{
	struct timespec time = {seconds, (seconds - (time_t)seconds) * 1e9};

	nanosleep(&time, NULL);
}

bool exists(const char *path)
{
	return !access(path, F_OK);
}

bool await_file(const char *path, const struct connection *c)
{
	while (!exists(path)) {
		if (c->end || c->given_up)
			return false;
		nap(FILE_NAP);
	}
	return true;
}

/* ---- sockets -------------------------------------------------------------------------------- */

void tcp_address(const char *text, int64_t port, struct sockaddr_storage *at)
{
	struct sockaddr_in *v4 = (void *)at;
	struct sockaddr_in6 *v6 = (void *)at;

	*at = (struct sockaddr_storage){.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET};
	v4->sin_port = htons(port); /* where v6 has it, too */
	if (inet_pton(at->ss_family, text,
		      at->ss_family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr) !=
	    1)
		die("%s: no address", text);
}

int tcp_socket(const struct options *options, const char *address, int64_t port,
	       struct sockaddr_storage *at)
{
	int fd, size = options->buffer;

	tcp_address(address, port, at);
	fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("no socket: %s", strerror(errno));
	if (size)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

static EVP_MD_CTX *hash_new(void)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();

	if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
		die("no SHA-256");
	return hash;
}

struct connection *connection_new(int fd, const struct options *options)
{
	static atomic_uint count;
	struct timeval timeout = {options->timeout,
				  (options->timeout - (time_t)options->timeout) * 1e6};
	struct connection *c = calloc(1, sizeof(*c));

	if (!c || !(c->buffer = malloc(CHUNK)))
		die("out of memory");
	c->options = options;
	c->number = ++count;
	c->fd = fd;
	c->sent.hash = hash_new();
	c->received.hash = hash_new();
	c->started = now();
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	return c;
}

void connection_free(struct connection *c)
{
	EVP_MD_CTX_free(c->sent.hash);
	EVP_MD_CTX_free(c->received.hash);
	free(c->buffer);
	free(c);
}

void connection_close(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void connection_reset(struct connection *c)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	connection_close(c);
}

int connection_shutdown(struct connection *c)
{
	return shutdown(c->fd, SHUT_WR) ? -errno : 0;
}

void connection_ended(struct connection *c, const char *end)
{
	const char *none = NULL;

	atomic_compare_exchange_strong(&c->end, &none, end);
}

static const char *end_of(int error)
{
	switch (-error) {
	case ECONNRESET:
	case EPIPE:
		return "reset";
	case ECONNREFUSED:
		return "refused";
	case EAGAIN:
	case EINPROGRESS: /* of connect() */
	case ETIMEDOUT:
		return "timeout";
	default:
		return NULL;
	}
}

void connection_failed(struct connection *c, int error)
{
	const char *end = end_of(error);

	connection_ended(c, end ? end : strerrordesc_np(-error));
}

/* ---- sending -------------------------------------------------------------------------------- */

static void flow_add(struct flow *flow, const void *data, size_t len)
{
	flow->bytes += len;
	EVP_DigestUpdate(flow->hash, data, len);
}

/* send() takes less than all when its time is over, or the connection: the next one says which. */
int connection_send(struct connection *c, const void *data, size_t len)
{
	int flags = MSG_NOSIGNAL;

	while (len) {
		ssize_t n = send(c->fd, data, len, flags);

		if (n < 0)
			return -errno;
		flow_add(&c->sent, data, n);
		data = (const uint8_t *)data + n;
		len -= n;
		flags |= MSG_DONTWAIT;
	}
	return 0;
}

/* Bytes sent and not acknowledged. */
static int outstanding(const struct connection *c)
{
	int bytes = 0;

	ioctl(c->fd, SIOCOUTQ, &bytes);
	return bytes;
}

/* Each time longer. True if the connection has failed: the next call on it says how. */
static bool nap_or_failure(const struct connection *c, long *length)
{
	struct pollfd fd = {.fd = c->fd};
	struct timespec time = {.tv_nsec = *length};

	if (*length < LONGEST_NAP)
		*length *= 2;
	return ppoll(&fd, 1, &time, NULL) > 0;
}

int connection_send_pieces(struct connection *c, const struct buffer *data, size_t size)
{
	for (size_t at = 0; at < data->len; at += size) {
		size_t len = data->len - at < size ? data->len - at : size;
		long length = SHORTEST_NAP;
		int error;

		if (at && c->options->pause)
			nap(c->options->pause);
		error = connection_send(c, data->data + at, len);
		if (error)
			return error;
		while (outstanding(c) && !nap_or_failure(c, &length))
			;
	}
	return 0;
}

/* Until the file exists. */
static int send_tiny(struct connection *c, const char *until)
{
	long length = SHORTEST_NAP;
	uint8_t number = 0;

	while (!exists(until)) {
		int error;

		if (outstanding(c) >= IN_FLIGHT && !nap_or_failure(c, &length))
			continue;
		length = SHORTEST_NAP;
		error = connection_send(c, &number, 1);
		if (error)
			return error;
		number = (number + 1) % 251;
	}
	return 0;
}

/* FNV-1a */
uint64_t seed_of(const char *text)
{
	uint64_t seed = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		seed = (seed ^ (uint8_t)*text) * 0x100000001b3ULL;
	return seed;
}

uint8_t *pattern_make(const char *seed, uint64_t count)
{
	uint64_t random = seed_of(seed), word;
	size_t own = count < PATTERN_LENGTH ? count : PATTERN_LENGTH;
	uint8_t *pattern = malloc(PATTERN_LENGTH + CHUNK);

	if (!pattern)
		die("out of memory");
	for (size_t at = 0; at < own; at += sizeof(word)) {
		word = draw(&random);
		memcpy(pattern + at, &word, sizeof(word));
	}
	if (count > PATTERN_LENGTH)
		memcpy(pattern + PATTERN_LENGTH, pattern, CHUNK);
	return pattern;
}

int connection_send_pattern(struct connection *c, uint64_t count, const char *seed, bool pieces)
{
	uint64_t random = seed_of(seed);
	uint8_t *pattern;
	int error = 0;

	if (!count)
		return 0;
	pattern = pattern_make(seed, count);
	for (uint64_t at = 0, size; at < count && !error; at += size) {
		size = pieces ? 1 + draw(&random) % PIECE_MAX : CHUNK;
		if (size > count - at)
			size = count - at;
		error = connection_send(c, pattern + at % PATTERN_LENGTH, size);
	}
	free(pattern);
	return error;
}

int connection_send_all(struct connection *c)
{
	const struct options *options = c->options;
	int error = connection_send_pattern(c, options->bytes, options->seed, options->pieces);

	return error || !options->tiny ? error : send_tiny(c, options->until);
}

void pattern_print(const struct options *options)
{
	uint8_t *pattern = pattern_make(options->seed, options->bytes);

	for (int64_t at = 0, size; at < options->bytes; at += size) {
		size = options->bytes - at < CHUNK ? options->bytes - at : CHUNK;
		fwrite(pattern + at % PATTERN_LENGTH, size, 1, stdout);
	}
	free(pattern);
}

/* ---- receiving ------------------------------------------------------------------------------ */

ssize_t connection_read(struct connection *c, size_t size)
{
	ssize_t n = recv(c->fd, c->buffer, size, 0);
	size_t first = FIRST_SIZE - c->first_len;

	if (n < 0)
		return -errno;
	flow_add(&c->received, c->buffer, n);
	if (first > (size_t)n)
		first = n;
	memcpy(c->first + c->first_len, c->buffer, first);
	c->first_len += first;
	return n;
}

int connection_receive(struct connection *c, int64_t limit)
{
	while (limit < 0 || c->received.bytes < (uint64_t)limit) {
		uint64_t left = limit < 0 ? CHUNK : limit - c->received.bytes;
		ssize_t n = connection_read(c, left < CHUNK ? left : CHUNK);

		if (n <= 0)
			return n;
	}
	return 0;
}

static int read_as_told(struct connection *c)
{
	const struct options *options = c->options;

	if (options->until) {
		int error = connection_receive(c, options->first);

		if (error)
			return error;
		await_file(options->until, c);
	}
	return connection_receive(c, options->expect);
}

static void *read_all(void *data)
{
	struct connection *c = data;
	int error = read_as_told(c);

	if (error) {
		const char *end = end_of(error);

		connection_ended(c, end ? end : "closed");
	}
	return NULL;
}

int connection_start_reading(struct connection *c, pthread_t *thread)
{
	return -pthread_create(thread, NULL, read_all, c);
}

void connection_stop_reading(pthread_t thread, struct connection *c, int error)
{
	if (error) {
		connection_failed(c, error);
		c->given_up = true;
		shutdown(c->fd, SHUT_RD);
	}
	pthread_join(thread, NULL);
}

/* ---- what is told --------------------------------------------------------------------------- */

static json_t *json_hex(const uint8_t *data, size_t len)
{
	char text[2 * FIRST_SIZE + 1] = "";

	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", data[i]);
	return json_string(text);
}

static json_t *json_hash(EVP_MD_CTX *hash)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len;

	EVP_DigestFinal_ex(hash, digest, &len);
	return json_hex(digest, len);
}

/* What was received first, when it is a line of text. */
static json_t *json_line(const struct connection *c)
{
	const uint8_t *newline = memchr(c->first, '\n', c->first_len);
	size_t len = newline ? (size_t)(newline - c->first) : c->first_len;

	while (len && c->first[len - 1] == '\r')
		len--;
	for (size_t i = 0; i < len; i++) {
		if (c->first[i] < ' ' || c->first[i] > '~')
			return json_string("");
	}
	return json_stringn((const char *)c->first, len);
}

/* In one write: threads do not mix lines. */
static void print_line(const json_t *report)
{
	char *line = json_dumps(report, JSON_REAL_PRECISION(9));
	size_t len = line ? strlen(line) : 0;

	if (!line)
		die("out of memory");
	line[len] = '\n';
	if (write(STDOUT_FILENO, line, len + 1) < 0)
		die("cannot write: %s", strerror(errno));
	free(line);
}

void connection_report(const struct connection *c, const char *server, const char *peer)
{
	const char *end = c->end;
	json_t *report = json_pack(
		"{s:s, s:I, s:o, s:I, s:o, s:f, s:o, s:o, s:s*, s:s*}", "end", end ? end : "eof",
		"sent", (json_int_t)c->sent.bytes, "sent_sha256", json_hash(c->sent.hash),
		"received", (json_int_t)c->received.bytes, "received_sha256",
		json_hash(c->received.hash), "seconds",
		(int64_t)((now() - c->started) * 1000) / 1000.0, "line", json_line(c), "first",
		json_hex(c->first, c->first_len), "server", server, "peer", peer);

	if (!report)
		die("no report");
	print_line(report);
	json_decref(report);
}
