// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe_tls.h"
#include "proxy_protocol.h"
#include "socket.h"

#define HEARD_MAX (256 << 10) /* bytes of an answer: whoever says more has said enough */

/* ---- plans ------------------------------------------------------------------------------- */

int plan_make(const struct probe *probe, struct plan **plan)
{
	struct plan *p = calloc(1, sizeof(*p));
	int err = p ? probe_copy(probe, &p->probe) : -ENOMEM;

	if (!err && probe->match == PROBE_MATCH_MATCHES)
		err = regex_compile(probe->pattern, false, &p->regex, NULL);
	if (!err) {
		*plan = p;
		return 0;
	}
	plan_free(p);
	return err;
}

bool plan_load(struct plan *plan, char *failed, size_t size)
{
	if (!plan->tls && probe_uses_tls(&plan->probe)) {
		plan->tls = probe_tls_load(&plan->probe, failed, size);
		return plan->tls;
	}
	return true;
}

void plan_inherit(struct plan *plan, const struct plan *last)
{
	if (plan->tls || !last->tls || !probe_equal(&plan->probe, &last->probe))
		return;
	SSL_CTX_up_ref(last->tls);
	plan->tls = last->tls;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	probe_fini(&plan->probe);
	regex_free(plan->regex);
	SSL_CTX_free(plan->tls);
	free(plan);
}

#define STREAM_OPTIONS (BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)

/* ---- the end ----------------------------------------------------------------------------- */

/* What TLS has written to the stream below it, if there is one. */
static void send_below(struct check *check)
{
	struct bufferevent *below = bufferevent_get_underlying(check->stream);
	struct evbuffer *output = below ? bufferevent_get_output(below) : NULL;

	if (output && evbuffer_get_length(output))
		(void)!send(bufferevent_getfd(below), evbuffer_pullup(output, -1),
			    evbuffer_get_length(output), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A farewell is worth a try, but not to wait for. */
static void send_rest(struct check *check)
{
	struct talk *talk = &check->talk;

	if (!check->stream || check->stage != STAGE_TALK)
		return;
	if (check->ssl && talk->say_len)
		(void)!SSL_write(check->ssl, talk->say, talk->say_len);
	else if (talk->say_len)
		(void)!send(bufferevent_getfd(check->stream), talk->say, talk->say_len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (check->ssl)
		(void)SSL_shutdown(check->ssl);
	send_below(check);
}

void check_cancel(struct check *check)
{
	if (check->stage == STAGE_IDLE)
		return;
	event_del(&check->timeout);
	if (check->fd >= 0) {
		event_del(&check->connected);
		close(check->fd);
	}
	if (check->stream)
		bufferevent_free(check->stream);
	ERR_clear_error();
	check->fd = -1;
	check->stream = NULL;
	check->ssl = NULL;
	check->stage = STAGE_IDLE;
}

static void finish(struct check *check, bool good)
{
	struct check_result result = check->talk.result;

	send_rest(check);
	check_cancel(check);
	check->done(check->context, good, &result);
}

static void finish_as(struct check *check, bool good, enum check_status status, uint32_t code,
		      const char *text)
{
	struct check_result *result = &check->talk.result;

	result->status = status;
	result->code = code;
	result_text(result, text, strlen(text));
	finish(check, good);
}

/* An error of the connection; 0 is one that has no number. */
static void finish_broken(struct check *check, int err)
{
	static const enum check_status statuses[] = {
		[STAGE_CONNECT] = CHECK_L4_FAILED,
		[STAGE_TLS] = CHECK_L6_FAILED,
		[STAGE_TALK] = CHECK_L7_FAILED,
	};
	unsigned long error =
		check->stream && check->ssl ? bufferevent_get_openssl_error(check->stream) : 0;
	const char *reason = error ? ERR_reason_error_string(error) : NULL;

	if (!reason)
		reason = err ? strerror(err) : "closed by the server";
	finish_as(check, false, statuses[check->stage], err, reason);
}

/* ---- question and answer ----------------------------------------------------------------- */

static void send_say(struct check *check)
{
	bufferevent_write(check->stream, check->talk.say, check->talk.say_len);
	check->talk.say_len = 0;
}

static void on_read(struct bufferevent *stream, void *context);
static void on_event(struct bufferevent *stream, short what, void *context);

/* The connection goes on encrypted, behind what is still to be sent. */
static void turn_to_tls(struct check *check)
{
	SSL *ssl = probe_tls_new(check->plan->tls, &check->plan->probe);
	struct bufferevent *stream =
		ssl ? bufferevent_openssl_filter_new(check->base, check->stream, ssl,
						     BUFFEREVENT_SSL_CONNECTING, STREAM_OPTIONS)
		    : NULL;

	if (!stream) {
		SSL_free(ssl);
		finish_broken(check, ENOMEM);
		return;
	}
	check->stream = stream;
	check->ssl = ssl;
	check->talk.encrypted = true;
	check->stage = STAGE_TLS;
	bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	bufferevent_setcb(stream, on_read, NULL, on_event, check);
	bufferevent_enable(stream, EV_READ | EV_WRITE);
}

/* Goes through what has come; `ended`: no more will. */
static void hear(struct check *check, bool ended)
{
	struct evbuffer *input = bufferevent_get_input(check->stream);
	enum answer answer;
	size_t len, used;

	do {
		len = evbuffer_get_length(input);
		answer = talk_read(&check->talk, len ? evbuffer_pullup(input, -1) : (void *)"", len,
				   ended || len > HEARD_MAX, &used);
		evbuffer_drain(input, used);
		if (answer == ANSWER_MORE || answer == ANSWER_TLS)
			send_say(check);
	} while (answer == ANSWER_MORE && used);
	if (answer == ANSWER_TLS)
		turn_to_tls(check);
	else if (answer != ANSWER_MORE)
		finish(check, answer == ANSWER_GOOD);
	else if (ended)
		finish_broken(check, 0);
}

static void begin_talk(struct check *check)
{
	check->stage = STAGE_TALK;
	if (talk_begin(&check->talk) == ANSWER_GOOD) {
		if (check->ssl)
			finish(check, true);
		else
			finish_as(check, true, CHECK_L4_OK, 0, "connected");
		return;
	}
	send_say(check);
}

static void on_read(struct bufferevent *stream, void *context)
{
	struct check *check = context;

	if (check->stage == STAGE_TALK)
		hear(check, false);
}

/* Its result is that of a probe that asks for no more. */
static void on_encrypted(struct check *check)
{
	if (probe_tls_examine(check->ssl, &check->plan->probe, &check->talk.result))
		begin_talk(check);
	else
		finish(check, false);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
	struct check *check = context;
	int err = EVUTIL_SOCKET_ERROR();

	if (what & BEV_EVENT_CONNECTED)
		on_encrypted(check);
	else if (what & BEV_EVENT_EOF && check->stage == STAGE_TALK)
		hear(check, true);
	else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		finish_broken(check, what & BEV_EVENT_ERROR ? err : 0);
}

/* ---- connection -------------------------------------------------------------------------- */

/* The balancer is the client. With a port of its own the probe is no connection of a client. */
static bool send_proxy_header(const struct check *check)
{
	struct conn conn = {.proxy_protocol = check->to.proxy_protocol,
			    .local_port = check->to.port};
	uint8_t header[PROXY_HEADER_MAX];
	struct sockaddr_storage here;
	socklen_t len = sizeof(here);
	size_t size;

	if (!conn.proxy_protocol || check->plan->probe.port || check->plan->probe.type == PROBE_OCO)
		return true;
	if (getsockname(check->fd, (struct sockaddr *)&here, &len))
		return false;
	conn.client_port = socket_endpoint(&here, conn.client);
	memcpy(conn.local, check->to.address, sizeof(conn.local));
	size = proxy_header(&conn, header);
	return send(check->fd, header, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static struct bufferevent *open_stream(struct check *check)
{
	struct bufferevent *stream;

	if (!check->plan->tls || probe_turns_to_tls(&check->plan->probe))
		return bufferevent_socket_new(check->base, check->fd, STREAM_OPTIONS);
	check->ssl = probe_tls_new(check->plan->tls, &check->plan->probe);
	if (!check->ssl)
		return NULL;
	stream = bufferevent_openssl_socket_new(check->base, check->fd, check->ssl,
						BUFFEREVENT_SSL_CONNECTING, STREAM_OPTIONS);
	if (stream)
		bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
	else
		SSL_free(check->ssl);
	return stream;
}

static void on_connected(evutil_socket_t fd, short what, void *context)
{
	struct check *check = context;
	socklen_t size = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size))
		err = errno;
	if (err || !send_proxy_header(check)) {
		finish_broken(check, err ? err : errno);
		return;
	}
	check->stream = open_stream(check);
	if (!check->stream) {
		finish_broken(check, ENOMEM);
		return;
	}
	check->fd = -1;
	bufferevent_setcb(check->stream, on_read, NULL, on_event, check);
	bufferevent_enable(check->stream, EV_READ | EV_WRITE);
	check->stage = STAGE_TLS;
	if (!check->ssl)
		begin_talk(check);
}

/* What was asked for may be known by what did not come. */
static bool answer_is_enough(struct check *check)
{
	struct evbuffer *input = bufferevent_get_input(check->stream);
	size_t len = evbuffer_get_length(input), used;

	return len &&
	       talk_read(&check->talk, evbuffer_pullup(input, -1), len, true, &used) == ANSWER_GOOD;
}

static void on_timeout(evutil_socket_t fd, short what, void *context)
{
	struct check *check = context;
	char text[64];

	snprintf(text, sizeof(text), "nothing within %u ms", probe_timeout(&check->plan->probe));
	switch (check->stage) {
	case STAGE_TLS:
		finish_as(check, false, CHECK_L6_TIMEOUT, ETIMEDOUT, text);
		break;
	case STAGE_TALK:
		if (answer_is_enough(check))
			finish(check, true);
		else
			finish_as(check, false, CHECK_L7_TIMEOUT, ETIMEDOUT, text);
		break;
	default:
		finish_as(check, false, CHECK_L4_TIMEOUT, ETIMEDOUT, text);
	}
}

/* 0 or -errno; `connected` is told of what is on its way. */
static int connect_to(struct check *check)
{
	struct sockaddr_storage address;
	socklen_t size = socket_address(check->to.address, check->to.port, &address);

	check->fd =
		socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (check->fd < 0)
		return -errno;
	event_assign(&check->connected, check->base, check->fd, EV_WRITE, on_connected, check);
	if (connect(check->fd, (struct sockaddr *)&address, size) && errno != EINPROGRESS)
		return -errno;
	return event_add(&check->connected, NULL) ? -ENOMEM : 0;
}

void check_init(struct check *check, struct event_base *base,
		void (*done)(void *context, bool good, const struct check_result *result),
		void *context)
{
	*check = (struct check){.base = base, .done = done, .context = context, .fd = -1};
	evtimer_assign(&check->timeout, base, on_timeout, check);
}

void check_begin(struct check *check, const struct plan *plan, const struct probe_target *to,
		 struct regex_scratch *scratch)
{
	uint32_t wait = probe_timeout(&plan->probe);
	struct timeval timeout = {wait / 1000, wait % 1000 * 1000};
	int err;

	check->plan = plan;
	check->to = *to;
	check->talk =
		(struct talk){.probe = &plan->probe, .regex = plan->regex, .scratch = scratch};
	check->stage = STAGE_CONNECT;
	event_add(&check->timeout, &timeout);
	err = connect_to(check);
	if (err)
		finish_broken(check, -err);
}

bool check_runs(const struct check *check)
{
	return check->stage != STAGE_IDLE;
}
