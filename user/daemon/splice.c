// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "splice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kernel/reset.h"
#include "../kernel/spliced.h"
#include "../model/prefix.h"
#include "session.h"
#include "socket.h"

/* A port may be in use by somebody else on the host, or in TIME_WAIT after another path. */
#define PORT_TRIES 16

/* ... or of a flow of an earlier daemon, which has many. */
#define FLOW_TRIES 1024

/* NOP NOP timestamps. */
#define TIMESTAMPS_SIZE 12

static const struct timeval finish_delay = {0, 10 * 1000};

/* ---- the server leg ---------------------------------------------------------------------- */

/* What the client's SYN said, where the program has not seen its socket. */
static void ask_client(struct conn *conn, int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (conn->client_mss || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		return;
	/* What is sent leaves room for the timestamps in each segment; what is announced does not.
	 */
	conn->client_mss = info.tcpi_snd_mss;
	conn->client_scale = info.tcpi_snd_wscale;
	conn->syn_without = 0;
	if (info.tcpi_options & TCPI_OPT_TIMESTAMPS)
		conn->client_mss += TIMESTAMPS_SIZE;
	else
		conn->syn_without |= SYN_WITHOUT_TIMESTAMPS;
	if (!(info.tcpi_options & TCPI_OPT_SACK))
		conn->syn_without |= SYN_WITHOUT_SACK;
}

/*
 * The server shall not be told the client's window in larger steps than the client says it: small
 * ones would be rounded to nothing.
 */
static void limit_scale(const struct session *s, int fd)
{
	if (s->conn->client_scale < s->worker->engine->usual_scale)
		socket_limit_scale(fd, s->conn->client_scale);
}

static void syn_key(const struct session *s, struct syn_key *key)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->server, s->conn->server, sizeof(key->server));
	key->source_port = htons(s->lease.port);
	key->destination_port = s->conn->server_port;
}

/* The server shall not get an option that the client does not have. */
static int strip_syn(const struct session *s)
{
	struct syn_key key;

	if (!s->conn->syn_without)
		return 0;
	syn_key(s, &key);
	return flows_strip(&s->worker->engine->flows, &key, s->conn->syn_without);
}

static void forget_syn(const struct session *s)
{
	struct syn_key key;

	if (!s->conn->syn_without)
		return;
	syn_key(s, &key);
	flows_unstrip(&s->worker->engine->flows, &key);
}

static bool address_is_set(const uint8_t address[16])
{
	static const uint8_t none[16];

	return memcmp(address, none, sizeof(none));
}

static int bind_lease(int fd, const struct port_lease *lease, sa_family_t family)
{
	struct sockaddr_storage address = {.ss_family = family};
	socklen_t size = sizeof(struct sockaddr_in6);

	if (family == AF_INET)
		size = sizeof(struct sockaddr_in);
	if (address_is_set(lease->address))
		size = socket_address(lease->address, htons(lease->port), &address);
	else
		((struct sockaddr_in *)&address)->sin_port = htons(lease->port); /* as sin6_port */
	return bind(fd, (struct sockaddr *)&address, size) ? -errno : 0;
}

/* One try: the fd, or -errno. */
static int connect_from(struct session *s, const struct sockaddr_storage *server, socklen_t size)
{
	int fd = socket_for_leg(server->ss_family), err;

	if (fd < 0)
		return fd;
	socket_reuse_address(fd);
	/* The server shall send no larger segments than the client takes. */
	socket_limit_segments(fd, s->conn->client_mss);
	limit_scale(s, fd);
	if (s->conn->flow[CLIENT])
		socket_set_quickack(fd, false);
	err = bind_lease(fd, &s->lease, server->ss_family);
	err = err ? err : strip_syn(s);
	if (!err && connect(fd, (const struct sockaddr *)server, size) && errno != EINPROGRESS)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* The server leg's tuple, as far as a socket would have it. */
static int key_of_leg(const struct session *s, struct flow_key *key)
{
	const struct conn *conn = s->conn;

	memcpy(key->source, conn->server, sizeof(key->source));
	key->source_port = conn->server_port;
	if (address_is_set(s->lease.address)) {
		memcpy(key->destination, s->lease.address, sizeof(key->destination));
		return 0;
	}
	return socket_source(conn->server, key->destination);
}

/* As long as the book is not whole, the flow table has the last word. */
static bool take_port(struct session *s)
{
	struct ports *ports = &s->worker->engine->ports;
	struct conn *conn = s->conn;
	struct flow_key key = {0};

	for (int i = 0; i < FLOW_TRIES; i++) {
		if (!ports_take(ports, conn->server, conn->server_port, &s->lease))
			return false;
		if (ports->whole)
			return true;
		key.destination_port = htons(s->lease.port);
		if (!key_of_leg(s, &key) &&
		    !flows_find(flows_map(&s->worker->engine->flows), &key, NULL))
			return true;
		ports_give(ports, conn->server, conn->server_port, &s->lease);
		s->lease.port = 0;
	}
	return false;
}

int splice_connect(struct session *s)
{
	struct conn *conn = s->conn;
	struct sockaddr_storage server;
	socklen_t size = socket_address(conn->server, conn->server_port, &server);
	int fd = -EADDRNOTAVAIL;

	conn->refusal = SPLICE_FAMILY;
	if (address_is_mapped(conn->server) != address_is_mapped(conn_source(conn)))
		return fd;
	conn->refusal = SPLICE_NO_ADDRESS;
	if (!ports_reach(&s->worker->engine->ports, conn->server))
		return fd;
	conn->refusal = SPLICE_DISPUTED;
	if (s->worker->engine->ports.disputed)
		return fd;
	conn->refusal = SPLICE_PORTS;
	ask_client(conn, s->fd[CLIENT]);
	for (int i = 0; i < PORT_TRIES; i++) {
		if (!take_port(s))
			break;
		fd = connect_from(s, &server, size);
		if (fd >= 0) {
			conn->refusal = SPLICE_STARTED;
			return fd;
		}
		splice_return_port(s);
		if (fd != -EADDRINUSE && fd != -EADDRNOTAVAIL)
			return fd;
	}
	return -EADDRNOTAVAIL;
}

void splice_return_port(struct session *s)
{
	if (!s->lease.port)
		return;
	forget_syn(s);
	ports_give(&s->worker->engine->ports, s->conn->server, s->conn->server_port, &s->lease);
	s->lease.port = 0;
}

/* ---- the start --------------------------------------------------------------------------- */

static int request_keys(const struct session *s, struct splice_request *request)
{
	const struct conn *conn = s->conn;
	struct sockaddr_storage own;
	socklen_t size = sizeof(own);

	key_of_client(conn, &request->client);
	memcpy(request->server.source, conn->server, sizeof(conn->server));
	request->server.source_port = conn->server_port;
	if (getsockname(s->fd[SERVER], (struct sockaddr *)&own, &size))
		return -errno;
	request->server.destination_port = socket_endpoint(&own, request->server.destination);
	return 0;
}

static void request_fill(const struct session *s, size_t prefix, struct splice_request *request)
{
	const struct conn *conn = s->conn;

	request->started = conn->accepted;
	request->slot = s->slot;
	request->serial = conn->serial;
	request->frontend_id = conn->frontend_id;
	request->route_id = conn->route_id;
	request->farm_id = conn->farm_id;
	request->server_id = conn->server_id;
	request->idle_timeout = s->idle_timeout;
	request->half_close_timeout = (s->half_close_timeout + 999) / 1000;
	request->taken = s->half[CLIENT].taken;
	request->moved = s->behind;
	request->has_start = conn->has_start;
	request->start = conn->start;
	request->prefix = prefix;
}

static void begin_to_finish(struct session *s)
{
	struct worker *worker = s->worker;

	s->grace = grace_next(&worker->engine->grace);
	if (LIST_EMPTY(&worker->spliced))
		event_add(&worker->spliced_event, &finish_delay);
	s->spliced = true;
	LIST_INSERT_HEAD(&worker->spliced, s, in_spliced);
}

bool splice_begin(struct session *s, size_t prefix)
{
	struct conn *conn = s->conn;
	struct splice_request request = {0};
	int err;

	if (!s->lease.port)
		return false; /* splice_connect() has said why */
	forget_syn(s);
	if (s->half[CLIENT].ended || s->half[SERVER].ended) {
		conn->refusal = SPLICE_ENDED;
		return false;
	}
	conn->owned = 1u << SERVER;
	__atomic_store_n(&conn->state, CONN_SPLICING, __ATOMIC_RELEASE);
	request_fill(s, prefix, &request);
	err = request_keys(s, &request);
	if (!err && !ports_settle(&s->worker->engine->ports, conn->server, conn->server_port,
				  &s->lease, request.server.destination))
		err = -ENOMEM;
	err = err ? err : flows_start(&s->worker->engine->flows, &request);
	conn->refusal = err ? SPLICE_OFF : request.result;
	if (conn->refusal != SPLICE_STARTED) {
		conn->state = CONN_OPEN;
		return false;
	}
	s->server_key = request.server;
	for (int side = 0; side < 2; side++) {
		s->moved[side] = s->told[side] = s->behind ? s->half[side].taken : 0;
		/* If the daemon is killed now, no FIN shall pretend that this was all. */
		socket_reset_on_close(s->fd[side]);
	}
	s->told[CLIENT] += request.waiting;
	s->half[CLIENT].readable = true; /* it is not watched: whatever came is read now */
	begin_to_finish(s);
	return true;
}

/* Has all that came been sent on, and acknowledged? */
static bool nothing_on_its_way(const struct session *s)
{
	for (int side = 0; side < 2; side++) {
		const struct half *half = &s->half[side];
		int unacknowledged;

		if (half->mode != HALF_COPY || half->ended || half->held_len || half->pipe.len ||
		    !half_has_all(s, side) || ioctl(s->fd[side], SIOCOUTQ, &unacknowledged) ||
		    unacknowledged)
			return false;
	}
	return true;
}

bool splice_retry(struct session *s)
{
	if (!nothing_on_its_way(s))
		return false;
	if (!splice_begin(s, 0)) {
		s->behind = s->conn->refusal == SPLICE_BEHIND;
		return false;
	}
	s->behind = false;
	return true;
}

/* ---- the end of the sockets -------------------------------------------------------------- */

/* An end that has got more than its leg's socket sent takes no RST of that. */
static void reset_ends(const struct spliced *spliced)
{
	struct spliced_cut cut = spliced_cut_of(spliced);
	struct reset_sockets resets = RESET_SOCKETS_NONE;

	(void)flow_reset(&resets, &cut.event);
	reset_sockets_close(&resets);
}

void splice_cancel(struct session *s)
{
	const struct flows *flows = &s->worker->engine->flows;
	struct remove_request request = {.n = 1, .force = FLOW_END_FORCED};
	struct spliced spliced;
	bool found;

	if (s->reason < COUNTER_MAX)
		request.force = FLOW_END_COUNTER + s->reason;
	key_of_client(s->conn, &spliced.key[CLIENT]);
	found = spliced_find(flows_map(flows), &spliced);
	s->conn->state = CONN_CLOSING; /* the program keeps flows whose sockets are needed */
	request.keys[0] = s->server_key;
	(void)flows_remove(flows_remove_program(flows), &request);
	if (found && spliced_lives(&spliced))
		reset_ends(&spliced);
}

static void tell(struct session *s, enum side side, uint64_t bytes, bool fin)
{
	struct extend_request request = {.bytes = bytes - s->moved[side], .fin = fin};

	s->told[side] = bytes + fin;
	s->told_fin[side] = fin;
	if (side == CLIENT)
		key_of_client(s->conn, &request.key);
	else
		request.key = s->server_key;
	(void)flows_extend(&s->worker->engine->flows, &request);
}

/* What has come to the socket. */
static uint64_t bytes_here(const struct session *s, enum side side)
{
	const struct half *half = &s->half[side];
	uint64_t bytes;

	if (s->cookie[side])
		return s->conn->flow[side] & FLOW_BYTES;
	if ((half->readable || half->ended) && !leg_received(s->fd[side], &bytes))
		return bytes - (side == CLIENT ? s->proxied.size : 0);
	return half->taken;
}

/*
 * Earlier than they are sent on: from then on the other leg's socket needs the acknowledgements,
 * which the program would pass to the other end.
 */
void splice_announce(struct session *s, enum side side)
{
	uint64_t bytes = bytes_here(s, side);

	if (bytes > s->told[side])
		tell(s, side, bytes, false);
}

/* Tells the program what the worker moved after the start. False if there was nothing new. */
static bool tell_moved(struct session *s, enum side side)
{
	const struct half *half = &s->half[side];
	bool fin = half->mode == HALF_DONE;

	if (half->taken + fin <= s->told[side] && fin == s->told_fin[side])
		return false;
	tell(s, side, half->taken, fin);
	return true;
}

/*
 * Has a packet reached the socket that had come by before the start? Its bytes, or its FIN, are
 * the worker's to move on.
 */
static bool leg_is_quiet(struct session *s, enum side side)
{
	struct half *half = &s->half[side];
	uint8_t byte;
	ssize_t n;

	if (half->mode == HALF_DONE)
		return true;
	n = recv(s->fd[side], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n > 0)
		half->readable = true;
	else
		half->ended = true;
	return false;
}

static void try_finish(struct session *s)
{
	struct grace *grace = &s->worker->engine->grace;
	uint32_t owned = __atomic_load_n(&s->conn->owned, __ATOMIC_ACQUIRE);
	bool told;

	if ((owned && !(owned & OWNED_RESET)) || !grace_over(grace, s->grace))
		return;
	/* What is held could never be sent: no socket hears of acknowledgements any more. */
	if (owned & OWNED_RESET) {
		session_vanish(s);
		return;
	}
	if (!leg_is_quiet(s, CLIENT) || !leg_is_quiet(s, SERVER))
		session_queue(s);
	told = tell_moved(s, CLIENT);
	told |= tell_moved(s, SERVER);
	if (!told && !s->queued && !s->half[CLIENT].held_len && !s->half[SERVER].held_len)
		session_vanish(s);
}

void splice_finish(struct worker *worker)
{
	struct session *s, *next;

	for (s = LIST_FIRST(&worker->spliced); s; s = next) {
		next = LIST_NEXT(s, in_spliced);
		try_finish(s);
	}
	if (!LIST_EMPTY(&worker->spliced))
		event_add(&worker->spliced_event, &finish_delay);
}
