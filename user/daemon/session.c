// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "session.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../model/text.h"
#include "events.h"
#include "health.h"
#include "log.h"
#include "socket.h"
#include "splice.h"

/* An idle timeout is looked at this often within its length. */
#define IDLE_LOOKS 4

/* The longest hello in records of one byte, and room for what follows it. */
#define HELLO_HELD_MAX (1 << 20)

/* Bytes that settle are looked at after 1, 2, 4, ... milliseconds, up to this. */
#define SETTLE_WAIT_MAX 64

static void session_decided(struct session *s);
static void session_choose_and_connect(struct session *s);
static void leave_server(struct session *s, enum counter why);
static void poll_program(struct session *s);
static void refuse_header(struct session *s);
static void header_event(struct session *s, uint32_t events);

static struct instance *instance_of(const struct session *s)
{
	return &s->worker->engine->instance;
}

static void count(const struct session *s, enum counter counter)
{
	instance_count(instance_of(s), counter);
}

/* Returns the sum. */
static uint64_t add(__u64 *value, __u64 n)
{
	return __atomic_add_fetch(value, n, __ATOMIC_RELAXED);
}

static struct frontend_stats *frontend_stats(const struct session *s)
{
	return &instance_of(s)->frontend_stats[s->conn->frontend_id];
}

static struct server_stats *server_stats(const struct session *s)
{
	return &instance_of(s)->balance.servers[s->conn->server_id];
}

static void set_timer(struct session *s, uint32_t milliseconds)
{
	struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};

	event_add(&s->timer, &time);
}

/* ---- watching ---------------------------------------------------------------------------- */

void session_watch(struct session *s, enum side side, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLRDHUP | EPOLLPRI | EPOLLET,
				    .data.u64 = (uint64_t)s->slot << 1 | side};
	int operation = s->watched[side] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (s->watched[side] == event.events || s->fd[side] < 0)
		return;
	s->watched[side] = event.events;
	epoll_ctl(s->worker->epoll, operation, s->fd[side], &event);
}

void session_queue(struct session *s)
{
	if (s->queued)
		return;
	s->queued = true;
	s->next = s->worker->again;
	s->worker->again = s;
}

/* ---- the sockhash ------------------------------------------------------------------------ */

/*
 * Puts a leg under the program. What the socket received before that goes through it at the
 * next look at the receive queue, which is made here: new bytes may never come. Nothing may
 * have been read from the socket: the program would see a partly read packet whole again.
 */
static int leg_insert(struct session *s, enum side side)
{
	const struct instance *instance = instance_of(s);
	struct leg leg = {.slot = s->slot, .side = side};
	uint32_t key = s->slot << 1 | side;
	uint64_t cookie, fd = s->fd[side];
	socklen_t size = sizeof(cookie);
	char byte;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size))
		return -errno;
	if (bpf_map_update_elem(instance_legs_fd(instance), &cookie, &leg, BPF_ANY))
		return -errno;
	if (bpf_map_update_elem(instance_sockets_fd(instance), &key, &fd, BPF_ANY)) {
		int err = -errno;

		bpf_map_delete_elem(instance_legs_fd(instance), &cookie);
		return err;
	}
	s->cookie[side] = cookie;
	(void)!recv(s->fd[side], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return 0;
}

static void flush_dead_cookies(struct worker *worker)
{
	uint32_t n = worker->n_dead_cookies;
	int legs = instance_legs_fd(&worker->engine->instance);

	/* By hand where a kernel has no batches, or one of them was gone. */
	if (bpf_map_delete_batch(legs, worker->dead_cookies, &n, NULL))
		for (uint32_t i = 0; i < worker->n_dead_cookies; i++)
			bpf_map_delete_elem(legs, &worker->dead_cookies[i]);
	worker->n_dead_cookies = 0;
}

static void forget_cookie(struct session *s, enum side side)
{
	struct worker *worker = s->worker;

	if (!s->cookie[side])
		return;
	worker->dead_cookies[worker->n_dead_cookies++] = s->cookie[side];
	if (worker->n_dead_cookies == DEAD_COOKIES)
		flush_dead_cookies(worker);
	s->cookie[side] = 0;
}

/* ---- the end ----------------------------------------------------------------------------- */

/* The totals shall hold so many bytes of a direction. */
static void count_up_to(struct session *s, enum side side, uint64_t all)
{
	uint64_t bytes = all - s->counted[side];

	if (!bytes)
		return;
	s->counted[side] = all;
	add(&frontend_stats(s)->bytes[side], bytes);
	add(&instance_of(s)->route_stats[s->conn->route_id].bytes[side], bytes);
	add(&server_stats(s)->bytes[side], bytes);
}

static void count_bytes(struct session *s)
{
	for (int side = 0; side < 2; side++)
		count_up_to(s, side,
			    __atomic_load_n(&s->conn->flow[side], __ATOMIC_RELAXED) & FLOW_BYTES);
}

/* The server is no longer this connection's: it was left, or the connection ends. */
static void release_server(struct session *s)
{
	if (s->conn->server_id)
		add(&server_stats(s)->live, -1ULL);
	s->conn->server_id = 0;
	if (instance_of(s)->balance.farms[s->conn->farm_id].queued)
		queue_wake(s->worker);
}

static void close_leg(struct session *s, enum side side, bool reset)
{
	if (s->fd[side] < 0)
		return;
	if (reset)
		socket_reset_on_close(s->fd[side]);
	close(s->fd[side]); /* also leaves epoll and the sockhash */
	s->fd[side] = -1;
	s->watched[side] = 0;
	forget_cookie(s, side);
	if (side == SERVER && !s->spliced)
		splice_return_port(s);
}

/* What is accounted for at the end of a connection, unless it lives on as a flow. */
static void account_end(struct session *s)
{
	count_bytes(s);
	add(&frontend_stats(s)->live, -1ULL);
	/* The program may have decided without the worker having acted on it. */
	if (s->phase != PHASE_HELLO && s->conn->action == ACTION_FARM)
		add(&instance_of(s)->route_stats[s->conn->route_id].live, -1ULL);
	release_server(s);
	count(s, COUNTER_CLOSED);
}

/* Tells of a connection as it is now, with the server that was tried last. */
static void tell(const struct session *s, enum event_kind kind, const char *why)
{
	struct event_record record = {
		.kind = kind,
		.counter = s->reason,
		.conn = *s->conn,
		.duration = monotonic_time() - s->conn->accepted,
	};

	record.conn.flow[CLIENT] &= FLOW_BYTES;
	record.conn.flow[SERVER] &= FLOW_BYTES;
	if (!record.conn.server_id && s->n_tried)
		record.conn.server_id = s->tried[s->n_tried - 1];
	snprintf(record.text, sizeof(record.text), "%s", why ? why : "");
	event_emit(&record);
}

static void tell_end(const struct session *s)
{
	enum event_kind kind = s->refused ? EVENT_REFUSED : event_kind_of_end(s->reason);
	bool error = s->reason == COUNTER_CONNECT_FAILED;

	if (event_wanted(kind))
		tell(s, kind, error ? strerror(s->connect_error) : NULL);
}

/* It goes on by another path than its frontend asks for, or than is tried first. */
static void tell_fallback(const struct session *s, const char *why)
{
	if (event_wanted(EVENT_FALLBACK))
		tell(s, EVENT_FALLBACK, why);
}

static void count_fallback(struct session *s)
{
	if (!s->fell_back)
		count(s, COUNTER_PATH_FALLBACKS);
	s->fell_back = true;
}

/* The packet path does not take it, and will not. */
static void count_refusal(struct session *s)
{
	uint32_t refusal = s->conn->refusal;

	count(s, COUNTER_SPLICE_REFUSED);
	if (s->wants_packet)
		count_fallback(s);
	if (refusal == SPLICE_PORTS)
		event_limit(LIMIT_NAT_PORTS, 0);
	else if (refusal == SPLICE_FULL)
		event_limit(LIMIT_MAX_FLOWS, 0);
	tell_fallback(s, splice_refusal(refusal));
}

/* A leg was not taken into the sockhash, as none is whose end has come: that is no failure. */
static void leave_sockmap(struct session *s)
{
	s->conn->path = PATH_RELAY;
	if (leg_has_ended(s->fd[CLIENT]) || leg_has_ended(s->fd[SERVER]))
		return;
	count(s, COUNTER_SOCKMAP_FAILED);
	count_fallback(s);
	tell_fallback(s, "the kernel does not take a socket of it into the sockhash");
}

static void session_free(struct session *s)
{
	LIST_REMOVE(s, live);
	if (s->spliced)
		LIST_REMOVE(s, in_spliced);
	event_del(&s->timer);
	half_free(&s->half[CLIENT], &s->worker->pipes);
	half_free(&s->half[SERVER], &s->worker->pipes);
	s->phase = PHASE_FREE;
	__atomic_store_n(&s->conn->state, CONN_FREE, __ATOMIC_RELEASE);
	atomic_fetch_sub(&s->worker->engine->live, 1);
	if (s->queued)
		return; /* worker_continue() meets it on its list */
	s->next = s->worker->dead;
	s->worker->dead = s;
}

void session_vanish(struct session *s)
{
	for (int side = 0; side < 2; side++)
		if (socket_silence(s->fd[side]))
			count(s, COUNTER_INTERNAL_ERRORS);
	/* From here on it goes on, whenever the daemon is killed. */
	__atomic_store_n(&s->conn->state, CONN_CLOSING, __ATOMIC_RELEASE);
	close_leg(s, CLIENT, false);
	close_leg(s, SERVER, false);
	session_free(s);
}

void session_close(struct session *s, bool reset)
{
	if (s->phase == PHASE_FREE)
		return;
	if (s->phase == PHASE_QUEUE)
		queue_leave(s);
	if (s->spliced)
		splice_cancel(s);
	if (s->behind)
		count_refusal(s);
	/* The program may still count what arrives until the sockets are gone. */
	close_leg(s, SERVER, reset);
	close_leg(s, CLIENT, reset);
	if (!s->spliced) {
		tell_end(s);
		account_end(s);
	}
	session_free(s);
}

void worker_reap(struct worker *worker)
{
	struct engine *engine = worker->engine;
	struct session *s, *next;

	if (!worker->dead)
		return;
	pthread_mutex_lock(&engine->slots_lock);
	for (s = worker->dead; s; s = next) {
		next = s->next;
		engine->free_slots[engine->n_free_slots++] = s->slot;
	}
	pthread_mutex_unlock(&engine->slots_lock);
	worker->dead = NULL;
}

static void close_counted(struct session *s, enum counter counter)
{
	count(s, counter);
	s->reason = counter;
	session_close(s, true);
}

void session_servers_down(struct session *s, const bool servers[MAX_SERVERS + 1])
{
	if (!servers[s->conn->server_id])
		return;
	if (s->phase == PHASE_OPEN)
		close_counted(s, COUNTER_MARKED_DOWN);
	else if (s->phase == PHASE_CONNECT)
		leave_server(s, COUNTER_MARKED_DOWN);
}

/* ---- open -------------------------------------------------------------------------------- */

static bool settling(const struct session *s)
{
	return half_settling(&s->half[CLIENT]) || half_settling(&s->half[SERVER]);
}

/* Will it be closed for having been half-closed for too long, and not for being idle? */
static bool waits_half_closed(const struct session *s)
{
	bool half_closed = s->half[CLIENT].mode == HALF_DONE || s->half[SERVER].mode == HALF_DONE;

	return half_closed && s->half_close_timeout &&
	       (!s->idle_timeout || s->half_close_timeout < s->idle_timeout);
}

/* How long nothing may come; 0 = for ever. */
static uint32_t quiet_timeout(const struct session *s)
{
	return waits_half_closed(s) ? s->half_close_timeout : s->idle_timeout;
}

/* What an open session waits for beside events: bytes that settle, and idleness. */
static void arm_open_timer(struct session *s)
{
	if (settling(s)) {
		set_timer(s, s->settle_wait);
		s->settle_wait =
			s->settle_wait < SETTLE_WAIT_MAX ? 2 * s->settle_wait : SETTLE_WAIT_MAX;
	} else if (quiet_timeout(s) && !s->spliced)
		set_timer(s, quiet_timeout(s) / IDLE_LOOKS);
	else if (evtimer_pending(&s->timer, NULL))
		event_del(&s->timer);
}

/* A server that resets before its first byte may be one that fails. */
static void close_reset_by(struct session *s, enum side side)
{
	if (side == SERVER && !(s->conn->flow[SERVER] & FLOW_BYTES))
		health_failed(s->worker->engine->health, s->conn->server_id, 0, monotonic_time());
	close_counted(s, side == CLIENT ? COUNTER_CLIENT_RESETS : COUNTER_SERVER_RESETS);
}

/* One side has finished: the other timeout begins. */
static void begin_half_closed(struct session *s)
{
	s->quiet = 0;
	arm_open_timer(s);
}

/* Runs one direction; false when the session is gone. */
static bool run_half(struct session *s, enum side side)
{
	bool had_finished = s->half[side].mode == HALF_DONE;

	if (s->spliced)
		splice_announce(s, side);
	switch (half_run(s, side)) {
	case HALF_SOURCE_FAILED:
		close_reset_by(s, side);
		return false;
	case HALF_TARGET_FAILED:
		close_reset_by(s, !side);
		return false;
	case HALF_BUSY:
		session_queue(s);
		break;
	case HALF_WAITS:
		break;
	}
	if (s->half[CLIENT].mode == HALF_DONE && s->half[SERVER].mode == HALF_DONE && !s->spliced) {
		session_close(s, false);
		return false;
	}
	if (!had_finished && s->half[side].mode == HALF_DONE)
		begin_half_closed(s);
	return true;
}

static bool run_both_halves(struct session *s)
{
	return run_half(s, CLIENT) && run_half(s, SERVER);
}

static void run_halves(struct session *s)
{
	s->settle_wait = 1;
	if (run_both_halves(s) && settling(s))
		arm_open_timer(s);
}

static void open_event(struct session *s, enum side side, uint32_t events)
{
	bool was_settling = settling(s);

	if (!was_settling)
		s->settle_wait = 1;
	if (events & EPOLLERR) {
		close_reset_by(s, side);
		return;
	}
	if (events & (EPOLLRDHUP | EPOLLHUP))
		half_source_ended(s, side);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP) && !run_half(s, side))
		return;
	if (events & EPOLLOUT && s->half[!side].mode == HALF_COPY && !run_half(s, !side))
		return;
	/* Nobody writes here any more but the program: its progress is none of our business. */
	if (events & EPOLLOUT && s->half[!side].mode == HALF_REDIRECT)
		session_watch(s, side, s->watched[side] & ~EPOLLOUT);
	if (!was_settling && settling(s))
		arm_open_timer(s);
}

static void open_timer(struct session *s)
{
	uint64_t moved;

	if (settling(s)) {
		if (run_both_halves(s))
			arm_open_timer(s);
		return;
	}
	moved = leg_progress(s->fd[CLIENT]) + leg_progress(s->fd[SERVER]);
	s->quiet = moved == s->activity ? s->quiet + 1 : 0;
	s->activity = moved;
	if (s->quiet >= IDLE_LOOKS)
		close_counted(s, waits_half_closed(s) ? COUNTER_HALF_CLOSE_TIMEOUTS
						      : COUNTER_IDLE_TIMEOUTS);
	else
		arm_open_timer(s);
}

void session_continue(struct session *s)
{
	if (s->phase == PHASE_OPEN)
		run_halves(s);
	else if (s->phase == PHASE_HELLO)
		poll_program(s);
}

void session_throttled(struct session *s, enum side side)
{
	if (s->conn->overrun) {
		close_counted(s, COUNTER_OVERRUNS);
		return;
	}
	if (s->phase != PHASE_OPEN)
		return;
	half_throttled(s, side);
	run_halves(s);
}

/* One that was behind may have come to a quiet moment. */
static void catch_up(struct session *s)
{
	if (!splice_retry(s)) {
		if (!s->behind) /* for another reason, for good */
			count_refusal(s);
		return;
	}
	count(s, COUNTER_SPLICED);
	for (int side = 0; side < 2; side++)
		count_up_to(s, side, s->moved[side]);
	s->conn->path = PATH_PACKET;
	arm_open_timer(s);
	session_queue(s);
}

void session_sweep(struct session *s)
{
	struct conn *conn = s->conn;

	/* Before it is open, the server may still be another one; a flow has its own counters. */
	if (s->phase == PHASE_OPEN && !s->spliced) {
		count_bytes(s);
		session_carry(s);
	}
	if (s->behind && s->phase == PHASE_OPEN)
		catch_up(s);
	for (int side = 0; side < 2; side++)
		if (s->phase != PHASE_FREE && (conn->throttled[side] || conn->overrun))
			session_throttled(s, side);
}

/* Before TCP takes more than the socket can be charged for: see hold_back() in classify.bpf.c. */
static int attach_filters(struct session *s)
{
	int filter = instance_filter_fd(instance_of(s));

	for (int side = 0; side < 2; side++)
		if (setsockopt(s->fd[side], SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)))
			return -errno;
	return 0;
}

/*
 * Puts both legs under the program. The server leg redirects from its first byte on, since
 * nothing was sent to the client yet. Behind a PROXY header the client's bytes may be in the middle
 * of a packet: until session_join() both directions are copied.
 */
static bool open_sockmap(struct session *s)
{
	bool unread = !s->cookie[CLIENT], later = s->proxied.size;
	struct conn *conn = s->conn;
	int err = attach_filters(s);

	if (!later) {
		conn->flow[SERVER] = FLOW_REDIRECT;
		s->half[SERVER].mode = HALF_REDIRECT;
	}
	if (!err && unread && !later && !s->half[CLIENT].taken) {
		/* The client is a target from now on, and no source before the server is one. */
		conn->flow[CLIENT] = 0;
		err = leg_insert(s, CLIENT);
	}
	if (!err)
		err = leg_insert(s, SERVER);
	if (!err)
		return true;
	conn->flow[SERVER] = 0;
	s->half[SERVER].mode = HALF_COPY;
	return false;
}

void session_join(struct session *s)
{
	int unread;

	if (s->cookie[CLIENT] || !s->cookie[SERVER] || s->half[CLIENT].ended ||
	    s->proxied.size > UINT16_MAX || ioctl(s->fd[CLIENT], SIOCINQ, &unread) || unread)
		return;
	s->conn->taken[CLIENT] = s->half[CLIENT].taken;
	s->conn->header = s->proxied.size;
	if (leg_insert(s, CLIENT)) {
		if (!leg_has_ended(s->fd[CLIENT])) /* just now, which its event is yet to tell */
			leave_sockmap(s);
		return;
	}
	session_queue(s); /* the server's direction is redirected, too */
}

/* A proxy has told of the address that its client came to, too. */
static size_t header_for_server(const struct session *s, uint8_t header[PROXY_HEADER_MAX])
{
	struct conn told;

	if (!s->proxied.has_addresses)
		return proxy_header(s->conn, header);
	told = *s->conn;
	memcpy(told.local, s->proxied.local, sizeof(told.local));
	told.local_port = s->proxied.local_port;
	return proxy_header(&told, header);
}

/* The first bytes of an empty send queue: all of them find room, or the server is gone. */
static bool send_proxy_header(struct session *s)
{
	uint8_t header[PROXY_HEADER_MAX];
	size_t size = header_for_server(s, header);
	int more = s->conn->flow[CLIENT] ? MSG_MORE : 0; /* the hello follows at once */

	s->conn->extra[CLIENT] = size;
	return send(s->fd[SERVER], header, size, MSG_NOSIGNAL | more) == (ssize_t)size;
}

void session_carry(struct session *s)
{
	if (s->carries)
		return;
	s->carries = true;
	socket_carry(s->fd[SERVER], s->conn->path == PATH_SOCKMAP);
}

/* What the packet path did not take goes another way, or waits for a quiet moment. */
static void leave_packet_path(struct session *s)
{
	s->behind = s->conn->refusal == SPLICE_BEHIND;
	s->conn->path = s->worker->engine->sockmap_auto && !s->behind ? PATH_SOCKMAP : PATH_RELAY;
	if (!s->behind)
		count_refusal(s);
	socket_carry(s->fd[CLIENT], s->conn->path == PATH_SOCKMAP);
	session_carry(s);
	session_watch(s, CLIENT, s->watched[CLIENT]);
}

static void open_packet_path(struct session *s)
{
	uint8_t header[PROXY_HEADER_MAX];

	if (splice_begin(s, s->conn->proxy_protocol ? header_for_server(s, header) : 0))
		count(s, COUNTER_SPLICED);
	else
		leave_packet_path(s);
}

static void session_open(struct session *s)
{
	struct conn *conn = s->conn;

	s->phase = PHASE_OPEN;
	conn->state = CONN_OPEN;
	add(&server_stats(s)->connected, 1);
	event_del(&s->timer);
	if (conn->path == PATH_PACKET)
		open_packet_path(s);
	if (conn->proxy_protocol && !send_proxy_header(s)) {
		close_reset_by(s, SERVER);
		return;
	}
	if (conn->path == PATH_SOCKMAP && !open_sockmap(s))
		leave_sockmap(s);
	add(&frontend_stats(s)->paths[conn->path], 1);
	if (conn->path == PATH_RELAY) {
		session_watch(s, CLIENT, s->watched[CLIENT] | EPOLLIN);
		session_watch(s, SERVER, s->watched[SERVER] | EPOLLIN);
	}
	s->activity = 0;
	s->quiet = 0;
	arm_open_timer(s);
	run_halves(s);
	if (s->phase == PHASE_OPEN && conn->flow[CLIENT] && !s->spliced)
		socket_set_quickack(s->fd[SERVER], true);
}

/* ---- connect ----------------------------------------------------------------------------- */

/* A connect that has failed by now; one that timed out has waited before. */
static void tell_of_failure(const struct session *s, int err)
{
	uint64_t waited = err == ETIMEDOUT ? s->connect_timeout * MILLISECOND : 0;

	health_failed(s->worker->engine->health, s->conn->server_id, err,
		      monotonic_time() - waited);
}

/* For another one, while tries are left. */
static void leave_server(struct session *s, enum counter why)
{
	s->failure = why;
	close_leg(s, SERVER, true);
	s->half[SERVER].ended = s->half[SERVER].readable = false; /* said of that socket */
	release_server(s);
	if (s->n_tried >= MAX_TRIES)
		close_counted(s, why);
	else
		session_choose_and_connect(s);
}

/* The server could not be reached. */
static void connect_failed(struct session *s, int err)
{
	struct server_stats *stats = server_stats(s);

	if (err == ECONNREFUSED)
		add(&stats->refused, 1);
	else if (err == ETIMEDOUT)
		add(&stats->timeouts, 1);
	else
		add(&stats->errors, 1);
	tell_of_failure(s, err);
	s->connect_error = err;
	leave_server(s, err == ETIMEDOUT ? COUNTER_CONNECT_TIMEOUTS : COUNTER_CONNECT_FAILED);
}

static int open_server_socket(struct session *s)
{
	struct sockaddr_storage address;
	socklen_t size = socket_address(s->conn->server, s->conn->server_port, &address);
	int fd = s->conn->path == PATH_PACKET ? splice_connect(s) : -EADDRNOTAVAIL;

	if (fd >= 0)
		s->fd[SERVER] = fd;
	if (fd != -EADDRNOTAVAIL)
		return fd < 0 ? fd : 0;
	fd = socket_for_leg(address.ss_family);
	if (fd < 0)
		return fd;
	s->fd[SERVER] = fd;
	s->carries = false;
	if (s->conn->path == PATH_SOCKMAP)
		session_carry(s);
	else if (s->conn->path == PATH_RELAY)
		socket_keep_urgent(fd);
	if (s->conn->flow[CLIENT])
		socket_set_quickack(fd, false); /* saves a packet: there is a hello to send */
	if (connect(fd, (struct sockaddr *)&address, size) && errno != EINPROGRESS)
		return -errno;
	return 0;
}

/* Who asks for it is told that the server, for which this one counts, has no more places. */
static void tell_if_full(const struct session *s)
{
	struct engine *engine = s->worker->engine;
	const struct server_row *row;

	if (!event_wanted(EVENT_LIMIT))
		return;
	pthread_rwlock_rdlock(&engine->tables_lock);
	row = tables_row(&engine->instance.tables[s->conn->half], servers, s->conn->server_id);
	if (row && row->max_connections && server_stats(s)->live >= row->max_connections)
		event_server_full(s->conn->farm_id, s->conn->server_id);
	pthread_rwlock_unlock(&engine->tables_lock);
}

/* Begins to connect to the server that conn->server_id names. */
static void session_connect(struct session *s)
{
	int err;

	s->tried[s->n_tried++] = s->conn->server_id;
	add(&server_stats(s)->chosen, 1);
	if (health_state(s->worker->engine->health, s->conn->server_id) == SERVER_DOWN) {
		leave_server(s, COUNTER_NO_SERVER); /* since it was chosen */
		return;
	}
	tell_if_full(s);
	err = open_server_socket(s);
	if (err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM) {
		close_counted(s, COUNTER_INTERNAL_ERRORS);
		return;
	}
	if (err) {
		connect_failed(s, -err);
		return;
	}
	session_watch(s, SERVER, s->conn->path == PATH_SOCKMAP ? EPOLLOUT : EPOLLIN | EPOLLOUT);
	set_timer(s, s->connect_timeout);
}

/* Of its farm, or of the one that this falls back on, and so on: no chain comes back. */
static void choose_with_fallbacks(struct session *s, const struct tables *tables,
				  struct asker *asker)
{
	struct instance *instance = instance_of(s);
	struct conn *conn = s->conn;
	const struct farm_row *farm;

	for (;;) {
		asker->farm_id = conn->farm_id;
		conn->server_id = choose_server_or_wait(tables, &instance->balance, asker);
		farm = tables_row(tables, farms, conn->farm_id);
		if (conn->server_id || asker->full || !farm || !farm->fallback)
			return;
		asker->waited = false; /* not in that one's queue */
		conn->farm_id = farm->fallback;
		add(&instance->balance.farms[farm->fallback].chosen, 1);
		count(s, COUNTER_FALLBACKS);
	}
}

enum chosen session_choose(struct session *s, bool waited)
{
	struct engine *engine = s->worker->engine;
	struct instance *instance = &engine->instance;
	struct conn *conn = s->conn;
	struct asker asker = {
		.source = conn->client,
		.tried = s->tried,
		.tried_count = s->n_tried,
		.waited = waited && conn->farm_id == s->queue_farm, /* no fallback of that */
	};
	const struct server_row *row;
	const struct farm_row *farm;
	const struct tables *tables;

	pthread_rwlock_rdlock(&engine->tables_lock);
	if (waited) /* there may have been a refresh */
		conn->half = instance_half(instance, conn->frontend_id);
	tables = &instance->tables[conn->half];
	choose_with_fallbacks(s, tables, &asker);
	row = tables_row(tables, servers, conn->server_id);
	farm = tables_row(tables, farms, conn->farm_id);
	if (conn->server_id && row) {
		memcpy(conn->server, row->address, sizeof(conn->server));
		conn->server_port = row->port ? row->port : conn->local_port;
		conn->proxy_protocol = row->proxy_protocol;
	}
	if (farm) {
		s->queue_size = farm->queue_size;
		s->queue_timeout = farm->queue_timeout;
	}
	pthread_rwlock_unlock(&engine->tables_lock);
	if (conn->server_id)
		return CHOSEN_SERVER;
	if (!asker.full)
		return CHOSEN_NONE;
	return asker.stuck || s->n_tried || waited != asker.waited ? CHOSEN_OWN_FULL : CHOSEN_FULL;
}

static void connect_chosen(struct session *s)
{
	if (!s->conn->server_id) {
		close_counted(s, s->n_tried ? s->failure : COUNTER_NO_SERVER);
		return;
	}
	if (s->n_tried)
		count(s, COUNTER_RETRIES);
	session_connect(s);
}

static void session_choose_and_connect(struct session *s)
{
	enum chosen chosen = session_choose(s, false);

	if (chosen < CHOSEN_FULL) {
		connect_chosen(s);
		return;
	}
	event_del(&s->timer);
	s->conn->state = CONN_QUEUED;
	if (!queue_enter(s, s->queue_size, chosen == CHOSEN_FULL)) {
		close_counted(s, COUNTER_QUEUE_FULL);
		return;
	}
	s->phase = PHASE_QUEUE;
	count(s, COUNTER_QUEUED);
	set_timer(s, s->queue_timeout);
}

void session_served(struct session *s)
{
	s->phase = PHASE_CONNECT;
	s->conn->state = CONN_DECIDED;
	event_del(&s->timer);
	connect_chosen(s);
}

static void connect_event(struct session *s, enum side side, uint32_t events)
{
	int err = 0;
	socklen_t size = sizeof(err);

	if (side == CLIENT) {
		if (events & EPOLLERR)
			close_counted(s, COUNTER_CLIENT_GONE);
		return; /* data and its end are read when the server is there */
	}
	if (events & (EPOLLERR | EPOLLHUP) &&
	    getsockopt(s->fd[SERVER], SOL_SOCKET, SO_ERROR, &err, &size))
		err = errno;
	if (err) {
		connect_failed(s, err);
		return;
	}
	if (!(events & EPOLLOUT))
		return;
	session_open(s);
	/* A server that speaks and leaves at once: its end was reported only here. */
	if (s->phase == PHASE_OPEN && events & EPOLLRDHUP)
		open_event(s, SERVER, EPOLLRDHUP);
}

/* ---- hello ------------------------------------------------------------------------------- */

/*
 * A TLS client waits for the answer to its hello, which carries the acknowledgement: a packet less.
 * Whoever may have more to say first, and waits for the acknowledgement (Nagle's algorithm, RFC
 * 9293 section 3.7.4), gets it at once.
 */
static void acknowledge(struct session *s)
{
	if (s->conn->path != PATH_PACKET)
		socket_set_quickack(s->fd[CLIENT], true);
}

#define LOG_INTERVAL 10000000000ULL /* nanoseconds */

/* Regular expressions were too slow for the names of this client. */
static void note_gave_up(const struct session *s, const struct decision *decision)
{
	static _Atomic uint64_t quiet_until;
	const struct hello *hello = &s->conn->hello;
	const char *pattern = regex_pattern(decision->gave_up_on);
	uint64_t now = monotonic_time(), until = atomic_load(&quiet_until);

	__atomic_fetch_add(&instance_of(s)->counters[COUNTER_REGEX_LIMITS], decision->gave_up,
			   __ATOMIC_RELAXED);
	if (now < until ||
	    !atomic_compare_exchange_strong(&quiet_until, &until, now + LOG_INTERVAL))
		return;
	log_line(LOG_WARN,
		 "frontend %u: the pattern %s was given up at its limit, its rule does not hold, "
		 "server name %s (counter regex_limits)",
		 s->conn->frontend_id, text_quoted(pattern, strlen(pattern)).s,
		 text_quoted((const char *)hello->sni, hello->sni_len).s);
}

/* Decides in user space; the session must own the decision (CONN_DECIDING, or no program). */
static void decide_here(struct session *s, const struct subject *subject)
{
	struct engine *engine = s->worker->engine;
	struct conn *conn = s->conn;
	struct decision decision;

	pthread_rwlock_rdlock(&engine->tables_lock);
	conn->half = instance_half(&engine->instance, conn->frontend_id);
	decide(&engine->instance.tables[conn->half], conn->frontend_id, subject, &decision);
	if (decision.gave_up)
		note_gave_up(s, &decision);
	pthread_rwlock_unlock(&engine->tables_lock);
	conn->action = decision.action;
	conn->route_id = decision.route_id;
	conn->farm_id = decision.farm_id;
	conn->state = CONN_DECIDED;
}

static void decide_by_hello(struct session *s)
{
	struct subject subject;

	subject_init(&subject, &s->conn->hello, s->conn->client);
	decide_here(s, &subject);
}

/*
 * Takes what the program let pass out of the socket's hands, up to what it had counted on
 * entry: a hello in tiny packets would fill the receive buffer long before it is complete.
 */
static void take_passed(struct session *s)
{
	struct half *half = &s->half[CLIENT];
	uint64_t end = s->conn->flow[CLIENT] & FLOW_BYTES;
	ssize_t n;

	while (half->taken < end && half->held_len < HELLO_HELD_MAX) {
		n = recv(s->fd[CLIENT], s->worker->buffer, COPY_BUFFER, MSG_DONTWAIT);
		if (n <= 0 || half_hold(half, s->worker->buffer, n))
			return;
		half->taken += n;
		s->conn->taken[CLIENT] = half->taken;
	}
}

/*
 * The program could not hold the whole ALPN list, has come to a regular expression, or had no
 * tables: decide here. Only the list has to be read again.
 */
static void decide_asked(struct session *s)
{
	struct half *half = &s->half[CLIENT];
	struct subject subject;
	uint8_t *list = NULL;

	count(s, COUNTER_ASKED);
	subject_init(&subject, &s->conn->hello, s->conn->client);
	if (s->cookie[CLIENT] && s->conn->hello.flags & HELLO_ALPN_CUT)
		take_passed(s);
	if (s->conn->hello.flags & HELLO_ALPN_CUT)
		subject_whole_alpn(&subject, half->held + half->held_at, half->held_len, &list);
	decide_here(s, &subject);
	free(list);
}

/* No decision in time. The program stops where the worker takes the decision over. */
static void hello_timeout(struct session *s)
{
	uint32_t state = CONN_HELLO;

	if (!__atomic_compare_exchange_n(&s->conn->state, &state, CONN_DECIDING, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		set_timer(s, 1); /* being decided just now */
		poll_program(s);
		return;
	}
	count(s, COUNTER_HELLO_TIMEOUTS);
	s->conn->hello.verdict = VERDICT_SILENT;
	decide_by_hello(s);
	session_decided(s);
}

/* The address the client connected to, where the program has not seen a packet of it. */
static void find_local(struct session *s)
{
	struct sockaddr_storage local;
	socklen_t size = sizeof(local);

	if (!s->conn->local_port && !getsockname(s->fd[CLIENT], (struct sockaddr *)&local, &size))
		s->conn->local_port = socket_endpoint(&local, s->conn->local);
}

/* Has it been decided without a hello, since none came in time? */
static bool timed_out(const struct session *s)
{
	return s->conn->hello.verdict == VERDICT_SILENT && !s->half[CLIENT].ended;
}

/* Acts on a decision. */
static void session_decided(struct session *s)
{
	struct instance *instance = instance_of(s);
	struct conn *conn = s->conn;

	add(&frontend_stats(s)->verdicts[conn->hello.verdict], 1);
	if (conn->hello.verdict == VERDICT_TLS && conn->hello.flags & HELLO_ECH)
		add(&frontend_stats(s)->ech, 1);
	if (conn->hello.verdict != VERDICT_TLS)
		acknowledge(s);
	event_del(&s->timer);
	s->phase = PHASE_CONNECT;
	find_local(s);
	switch (conn->action) {
	case ACTION_REJECT:
		add(&instance->route_stats[conn->route_id].matched, 1);
		close_counted(s, COUNTER_REJECTED);
		return;
	case ACTION_NONE:
		count(s, COUNTER_NO_FARM);
		s->reason = timed_out(s) ? COUNTER_HELLO_TIMEOUTS : COUNTER_NO_FARM;
		session_close(s, true);
		return;
	}
	if (conn->route_id)
		add(&instance->route_stats[conn->route_id].matched, 1);
	else
		add(&frontend_stats(s)->default_farm, 1);
	add(&instance->route_stats[conn->route_id].live, 1);
	add(&instance->balance.farms[conn->farm_id].chosen, 1);
	if (!s->watched[CLIENT])
		session_watch(s, CLIENT, conn->path == PATH_SOCKMAP ? 0 : EPOLLIN);
	if (conn->server_id)
		session_connect(s);
	else
		session_choose_and_connect(s);
}

/* Looks at what the program has come to; it works on the packets, and this on its answer. */
static void poll_program(struct session *s)
{
	switch (__atomic_load_n(&s->conn->state, __ATOMIC_ACQUIRE)) {
	case CONN_ASK:
		decide_asked(s);
		session_decided(s);
		break;
	case CONN_DECIDED:
		session_decided(s);
		break;
	case CONN_DECIDING:
		session_queue(s); /* on another CPU, at this moment */
		break;
	}
}

/* Without a program: reads, and feeds the parser. */
static void read_hello(struct session *s)
{
	struct worker *worker = s->worker;
	struct half *half = &s->half[CLIENT];
	struct hello *hello = &s->conn->hello;
	ssize_t n;

	while (hello->verdict == VERDICT_NEED_MORE) {
		n = recv(s->fd[CLIENT], worker->buffer, COPY_BUFFER, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (half->taken || s->proxied.size)
				acknowledge(s);
			return;
		}
		if (n < 0) {
			close_counted(s, COUNTER_CLIENT_GONE);
			return;
		}
		if (!n) {
			/* Nothing more will come: decide by what there is. */
			half->ended = true;
			hello->verdict = hello_cut_short(hello);
			break;
		}
		half->taken += n;
		s->conn->flow[CLIENT] = half->taken;
		half->readable = n == COPY_BUFFER || half->urgent;
		if (half_hold(half, worker->buffer, n)) {
			close_counted(s, COUNTER_INTERNAL_ERRORS);
			return;
		}
		hello_read(hello, worker->buffer, n);
	}
	if (hello->flags & HELLO_ALPN_CUT)
		decide_asked(s);
	else
		decide_by_hello(s);
	session_decided(s);
}

static void hello_event(struct session *s, enum side side, uint32_t events)
{
	uint32_t state = CONN_HELLO;

	if (events & EPOLLERR) {
		close_counted(s, COUNTER_CLIENT_GONE);
		return;
	}
	if (!s->cookie[CLIENT]) {
		read_hello(s);
		return;
	}
	poll_program(s);
	if (s->phase == PHASE_HELLO) {
		take_passed(s);
		poll_program(s); /* its wakeup may have found nothing left to read */
		if (s->phase == PHASE_HELLO)
			acknowledge(s);
	}
	if (s->phase != PHASE_HELLO || !(events & (EPOLLRDHUP | EPOLLHUP)))
		return;
	/* The client has ended its data before they said what it speaks. */
	if (!__atomic_compare_exchange_n(&s->conn->state, &state, CONN_DECIDING, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		session_queue(s); /* just being decided: the packet is older than its end */
		return;
	}
	s->conn->hello.verdict = hello_cut_short(&s->conn->hello);
	decide_by_hello(s);
	session_decided(s);
}

/* ---- events ------------------------------------------------------------------------------ */

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	struct session *s = argument;
	struct worker *worker = s->worker;

	switch (s->phase) {
	case PHASE_HEADER:
		refuse_header(s);
		break;
	case PHASE_HELLO:
		hello_timeout(s);
		break;
	case PHASE_QUEUE:
		close_counted(s, COUNTER_QUEUE_TIMEOUTS);
		break;
	case PHASE_CONNECT:
		connect_failed(s, ETIMEDOUT);
		break;
	case PHASE_OPEN:
		open_timer(s);
		break;
	case PHASE_FREE:
		break;
	}
	worker_end_turn(worker);
}

void session_event(struct session *s, enum side side, uint32_t events)
{
	if (events & EPOLLPRI)
		s->half[side].urgent = true;
	if (events & EPOLLIN)
		s->half[side].readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP))
		s->half[side].ended = true;
	switch (s->phase) {
	case PHASE_HEADER:
		header_event(s, events);
		break;
	case PHASE_HELLO:
		hello_event(s, side, events);
		break;
	case PHASE_QUEUE: /* there is no server to fail: as while one is connected */
	case PHASE_CONNECT:
		connect_event(s, side, events);
		break;
	case PHASE_OPEN:
		open_event(s, side, events);
		break;
	case PHASE_FREE:
		break; /* closed earlier in this turn */
	}
}

static void session_init(struct session *s, struct worker *worker, uint32_t slot, int fd,
			 const struct sockaddr_storage *peer)
{
	struct conn *conn = &worker->engine->instance.conns[slot];
	uint32_t serial = (conn->serial ? conn->serial : worker->engine->first_serial) + 1;

	memset(conn, 0, sizeof(*conn));
	conn->serial = serial;
	conn->accepted = monotonic_time();
	conn->worker = worker->index;
	conn->client_port = socket_endpoint(peer, conn->client);
	memset(s, 0, sizeof(*s));
	s->worker = worker;
	s->conn = conn;
	s->slot = slot;
	s->reason = COUNTER_MAX;
	s->fd[CLIENT] = fd;
	s->fd[SERVER] = -1;
	half_init(&s->half[CLIENT]);
	half_init(&s->half[SERVER]);
	evtimer_assign(&s->timer, worker->base, on_timer, s);
	LIST_INSERT_HEAD(&worker->live, s, live);
}

static enum path_kind choose_path(const struct engine *engine, const struct frontend_row *row)
{
	bool sockmap = row->path == PATH_SOCKMAP ? engine->sockmap_works : engine->sockmap_auto;

	if (engine->flows.programs && (row->path == PATH_PACKET || row->path == PATH_AUTO))
		return PATH_PACKET;
	return row->path != PATH_RELAY && sockmap ? PATH_SOCKMAP : PATH_RELAY;
}

/* The client is known when its proxy has told of it, and admitted then. */
static bool await_header(struct session *s)
{
	s->phase = PHASE_HEADER;
	return true;
}

static void note_path_asked_for(struct session *s, const struct frontend_row *row)
{
	struct conn *conn = s->conn;

	s->wants_packet = row->path == PATH_PACKET;
	if (s->wants_packet && conn->path != PATH_PACKET) {
		conn->refusal = SPLICE_OFF;
		count_fallback(s);
		tell_fallback(s, splice_refusal(SPLICE_OFF));
	}
	if (row->path == PATH_SOCKMAP && conn->path == PATH_RELAY) {
		count_fallback(s);
		tell_fallback(s, "sockmap does not work here");
	}
}

/* The door has seen it, if there is one; but not the client a proxy tells of. */
static bool is_banned(struct session *s)
{
	bool banned = acl_bans(&s->worker->engine->door.acl, s->conn->frontend_id, s->conn->client);

	if (banned)
		s->reason = COUNTER_REFUSED_ACL;
	return banned;
}

/* Is the client welcome, by who it is, and how often it comes? */
static bool admit_client(struct session *s, const struct tables *tables,
			 const struct frontend_row *row)
{
	struct conn *conn = s->conn;
	struct rate_limits rates = {
		.frontend_id = conn->frontend_id,
		.all = row->rate_limit,
		.source = row->source_rate_limit,
		.prefix_v4 = row->rate_prefix_v4,
		.prefix_v6 = row->rate_prefix_v6,
	};
	uint64_t now = s->proxied.size ? monotonic_time() : conn->accepted;

	if (is_banned(s))
		return false;
	if (!source_admitted(tables, row, conn->client))
		s->reason = COUNTER_REFUSED_SOURCE;
	else if (!rates_admit(&s->worker->engine->rates, &rates, conn->client, now))
		s->reason = COUNTER_REFUSED_RATE;
	else
		return true;
	return false;
}

/* What the frontend says about a new connection; false when it is not welcome. */
static bool admit(struct session *s, const atomic_uint *frontend_id, uint32_t *flags,
		  uint32_t *hello_timeout)
{
	struct engine *engine = s->worker->engine;
	struct conn *conn = s->conn;
	const struct frontend_row *row;
	const struct tables *tables;
	bool admitted = false;
	uint64_t live;

	pthread_rwlock_rdlock(&engine->tables_lock);
	conn->frontend_id = atomic_load(frontend_id);
	tables = &engine->instance.tables[instance_half(&engine->instance, conn->frontend_id)];
	row = tables_row(tables, frontends, conn->frontend_id);
	add(&frontend_stats(s)->accepted, 1);
	live = add(&frontend_stats(s)->live, 1);
	if (row && row->flags & FRONTEND_EXISTS) {
		*flags = row->flags;
		*hello_timeout = row->hello_timeout;
		s->connect_timeout = row->connect_timeout;
		s->idle_timeout = row->idle_timeout;
		s->half_close_timeout = row->half_close_timeout;
		conn->path = choose_path(engine, row);
		note_path_asked_for(s, row);
		if (row->max_connections && live > row->max_connections)
			s->reason = COUNTER_REFUSED_LIMIT;
		else if (source_is_proxy(tables, row, conn->client))
			admitted = !is_banned(s) && await_header(s);
		else
			admitted = admit_client(s, tables, row);
	}
	pthread_rwlock_unlock(&engine->tables_lock);
	return admitted;
}

static void refuse(struct session *s)
{
	add(&frontend_stats(s)->refused, 1);
	s->refused = true;
	if (s->reason == COUNTER_REFUSED_LIMIT)
		event_limit(LIMIT_MAX_CONNECTIONS, s->conn->frontend_id);
	if (s->reason == COUNTER_REFUSED_RATE)
		event_limit(LIMIT_RATE, s->conn->frontend_id);
	if (s->reason == COUNTER_MAX)
		session_close(s, true); /* its frontend is gone */
	else
		close_counted(s, s->reason);
}

/* Begins to wait for the client's first bytes. */
static void session_start(struct session *s, uint32_t hello_timeout)
{
	__atomic_store_n(&s->conn->state, CONN_HELLO, __ATOMIC_RELEASE);
	s->phase = PHASE_HELLO;
	if (s->conn->path != PATH_RELAY && s->worker->engine->sockmap_works && !s->proxied.size &&
	    leg_insert(s, CLIENT))
		leave_sockmap(s);
	/* The hello may have been here already. */
	if (s->cookie[CLIENT])
		poll_program(s);
	else
		read_hello(s);
	if (s->phase != PHASE_HELLO)
		return;
	session_watch(s, CLIENT, EPOLLIN);
	set_timer(s, hello_timeout);
}

/* Begins with the client, whose first byte is the next one to be read. */
static void session_begin(struct session *s, uint32_t flags, uint32_t hello_timeout)
{
	if (flags & FRONTEND_NEEDS_HELLO) {
		session_start(s, hello_timeout);
		return;
	}
	s->conn->hello.verdict = VERDICT_UNREAD;
	decide_by_hello(s);
	session_decided(s);
}

/* ---- the PROXY header -------------------------------------------------------------------- */

/* From now on the client is the one that the proxy has told of. */
static void take_client(struct session *s)
{
	struct conn *conn = s->conn;

	if (!s->proxied.has_addresses)
		return;
	memcpy(conn->via, conn->client, sizeof(conn->via));
	conn->via_port = conn->client_port;
	memcpy(conn->client, s->proxied.client, sizeof(conn->client));
	conn->client_port = s->proxied.client_port;
}

/* By the tables of this moment: there may have been a refresh. */
static void header_done(struct session *s)
{
	struct engine *engine = s->worker->engine;
	const struct frontend_row *row;
	const struct tables *tables;
	uint32_t flags = 0, timeout = 0;
	bool admitted;

	take_client(s);
	event_del(&s->timer);
	s->half[CLIENT].readable = true; /* what came with the header is not told again */
	pthread_rwlock_rdlock(&engine->tables_lock);
	tables = &engine->instance.tables[instance_half(&engine->instance, s->conn->frontend_id)];
	row = tables_row(tables, frontends, s->conn->frontend_id);
	admitted = row && row->flags & FRONTEND_EXISTS && admit_client(s, tables, row);
	if (admitted) {
		flags = row->flags;
		timeout = row->hello_timeout;
	}
	pthread_rwlock_unlock(&engine->tables_lock);
	s->phase = PHASE_HELLO;
	if (admitted)
		session_begin(s, flags, timeout);
	else
		refuse(s);
}

static void refuse_header(struct session *s)
{
	s->reason = COUNTER_REFUSED_PROXY;
	refuse(s);
}

/* Looks at what is there, and takes the header, and no byte more, when it is whole. */
static void read_header(struct session *s)
{
	uint8_t *buffer = s->worker->buffer;
	ssize_t n = recv(s->fd[CLIENT], buffer, COPY_BUFFER, MSG_PEEK | MSG_DONTWAIT);
	enum proxy_answer answer;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_counted(s, COUNTER_CLIENT_GONE);
		return;
	}
	answer = proxy_read(buffer, n, &s->proxied);
	if (answer == PROXY_DONE &&
	    recv(s->fd[CLIENT], buffer, s->proxied.size, MSG_DONTWAIT) == (ssize_t)s->proxied.size)
		header_done(s);
	else if (answer != PROXY_NEED_MORE || s->half[CLIENT].ended)
		refuse_header(s);
	else
		acknowledge(s);
}

static void header_event(struct session *s, uint32_t events)
{
	if (events & EPOLLERR)
		close_counted(s, COUNTER_CLIENT_GONE);
	else
		read_header(s);
}

static void start_header(struct session *s, uint32_t timeout)
{
	s->conn->state = CONN_HELLO;
	set_timer(s, timeout);
	session_watch(s, CLIENT, EPOLLIN);
	read_header(s);
}

/* ---- accept ------------------------------------------------------------------------------ */

void session_accept(struct worker *worker, uint32_t slot, int fd, const struct listener *listener,
		    const struct sockaddr_storage *peer)
{
	struct session *s = &worker->engine->sessions[slot];
	uint32_t flags = 0, timeout = 0;

	session_init(s, worker, slot, fd, peer);
	s->phase = PHASE_HELLO;
	atomic_fetch_add(&worker->engine->live, 1);
	count(s, COUNTER_ACCEPTED);
	if (!admit(s, &listener->frontend_id, &flags, &timeout)) {
		refuse(s);
		return;
	}
	if (s->conn->path != PATH_PACKET && !listener->carry)
		socket_carry(fd, s->conn->path == PATH_SOCKMAP);
	if (s->conn->path == PATH_PACKET && listener->carry) /* for a frontend before a refresh */
		socket_set_quickack(fd, true);
	if (s->phase == PHASE_HEADER)
		start_header(s, timeout);
	else
		session_begin(s, flags, timeout);
}
