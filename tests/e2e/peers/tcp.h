/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Peers that do to TCP what well-behaved programs do not: see tcp.c.
 */
#ifndef ALPNLB_TEST_TCP_H
#define ALPNLB_TEST_TCP_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define CHUNK	   (1 << 18)
#define FIRST_SIZE 80

struct list {
	char **v;
	int n;
};

/* As on the command line; tcp.c says what they mean. Times are in seconds. */
struct options {
	int64_t bytes, expect, first, buffer, then, port;
	int64_t cut, pad, records, repeat, parallel;
	double timeout, handshake, pause;
	bool random, pieces, tiny, half_close, reset, ech, grease;
	const char *seed, *until, *name, *source, *hello, *text, *tls, *sni;
	const char *rest_when, *until_sent, *repeat_until;
	const char *kind, *address;
	struct list listen, alpn, each;
};

/* Bytes that went one way. */
struct flow {
	uint64_t bytes;
	EVP_MD_CTX *hash;
};

struct connection {
	const struct options *options;
	unsigned int number; /* from 1 */
	int fd;		     /* -1: closed */
	struct flow sent, received;
	const char *_Atomic end; /* NULL: with all that was awaited */
	atomic_bool given_up;	 /* by its sender */
	double started;
	uint8_t first[FIRST_SIZE]; /* that was received */
	size_t first_len;
	uint8_t *buffer; /* CHUNK bytes, for the one that reads */
};

struct buffer {
	uint8_t *data;
	size_t len;
};

void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...);
void nap(double seconds);
bool exists(const char *path);
int64_t parse_number(const char *option, const char *text);
/* The number that --NAME sets, or death. */
int64_t *options_number(struct options *options, const char *name);

/* ---- tcp_connection.c: functions that return int return 0 or -errno ------------------------- */

/* ... or death. */
void tcp_address(const char *text, int64_t port, struct sockaddr_storage *at);
/* A socket for this address, with the options --buffer and --timeout; or death. */
int tcp_socket(const struct options *options, const char *address, int64_t port,
	       struct sockaddr_storage *at);
/* Takes the socket. */
struct connection *connection_new(int fd, const struct options *options);
void connection_free(struct connection *c);

int connection_send(struct connection *c, const void *data, size_t len);
/* Each piece is a segment of its own: it waits until the last one is acknowledged. */
int connection_send_pieces(struct connection *c, const struct buffer *data, size_t size);
int connection_send_pattern(struct connection *c, uint64_t count, const char *seed, bool pieces);
/* What --bytes, --pieces and --tiny say. */
int connection_send_all(struct connection *c);
int connection_shutdown(struct connection *c);
/* Up to `size` bytes of c->buffer; 0 at the end. */
ssize_t connection_read(struct connection *c, size_t size);
/* To the end, or until `limit` bytes have come in all; below 0: no limit. */
int connection_receive(struct connection *c, int64_t limit);
/* In a thread of its own, as --until, --first and --expect say. */
int connection_start_reading(struct connection *c, pthread_t *thread);
/* `error`: of the sender; it makes the reader end, too. */
void connection_stop_reading(pthread_t thread, struct connection *c, int error);
void connection_close(struct connection *c);
void connection_reset(struct connection *c);
/* Tells how it ended, unless that is known. */
void connection_ended(struct connection *c, const char *end);
void connection_failed(struct connection *c, int error);
/* `server`, `peer`: NULL for a client. */
void connection_report(const struct connection *c, const char *server, const char *peer);

/* False if the connection ended before the file came to be. */
bool await_file(const char *path, const struct connection *c);
uint64_t seed_of(const char *text);
/* The pattern's beginning, enough of it for so many bytes and a chunk; to be freed. */
uint8_t *pattern_make(const char *seed, uint64_t count);
void pattern_print(const struct options *options);

/* ---- the others ----------------------------------------------------------------------------- */

/* A ClientHello as --sni, --alpn, --tls, --ech, --pad, --grease and --records say; to be freed. */
struct buffer hello_make(const struct options *options);

void tcp_serve(const struct options *options);
void tcp_client(const struct options *options);

#endif
