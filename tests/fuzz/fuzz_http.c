/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any bytes on a connection, as to the control socket and as on HTTPS, where requests are signed.
 * Each answer is HTTP with a length and JSON, the connection ends with the client's half, and who
 * did not sign is told the time, or that it may not: nothing is changed.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../user/daemon/log.h"
#include "daemon.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Signatures of the corpus are of this time, and of these. */
#define NOW 1366560945

static struct application known[] = {
	{.name = "all",
	 .key = "0000000000000001",
	 .secret = "secret",
	 .consumer = "consumer",
	 .writes = true},
	{.name = "reader", .key = "0000000000000002", .secret = "secret", .consumer = "consumer"},
};

/* In the place of others'. */
time_t time(time_t *now)
{
	if (now)
		*now = NOW;
	return NOW;
}

const struct applications *application_store_now(struct application_store *store,
						 const char *instance, int *err)
{
	static const struct applications list = {known, sizeof(known) / sizeof(*known)};

	*err = 0;
	return &list;
}

const struct application *applications_find(const struct applications *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].name, name))
			return &list->v[i];
	return NULL;
}

static uint8_t digests[64][20];
static size_t n_digests;

enum seen_verdict seen_add(struct seen *seen, const uint8_t digest[20], int64_t timestamp,
			   int64_t now)
{
	for (size_t i = 0; i < n_digests; i++)
		if (!memcmp(digests[i], digest, sizeof(digests[i])))
			return SEEN_BEFORE;
	if (n_digests == sizeof(digests) / sizeof(*digests))
		return SEEN_FULL;
	memcpy(digests[n_digests++], digest, sizeof(*digests));
	return SEEN_NEW;
}

/* ---- the connection -------------------------------------------------------------------- */

static struct event_base *base;

static void take_answers(int fd, struct evbuffer *answers)
{
	while (evbuffer_read(answers, fd, -1) > 0)
		;
}

static void exchange(struct api_service *service, const uint8_t *data, size_t size,
		     struct evbuffer *answers)
{
	int fds[2], turns = 0;

	require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
	api_serve(service, fds[0]);
	require(write(fds[1], data, size / 2) == (ssize_t)(size / 2));
	event_base_loop(base, EVLOOP_NONBLOCK);
	take_answers(fds[1], answers);
	(void)!write(fds[1], data + size / 2, size - size / 2); /* it may have been closed */
	shutdown(fds[1], SHUT_WR);
	while (service->n_connections) {
		require(++turns < 10000);
		event_base_loop(base, EVLOOP_NONBLOCK);
		take_answers(fds[1], answers);
	}
	take_answers(fds[1], answers);
	close(fds[1]);
}

/* ---- answers ---------------------------------------------------------------------------- */

static int read_head(struct evbuffer *answers, size_t *len)
{
	size_t line_len;
	int status = 0;
	char *line;

	*len = 0;
	while ((line = evbuffer_readln(answers, &line_len, EVBUFFER_EOL_CRLF_STRICT))) {
		bool end = !line_len;

		if (!status)
			require(sscanf(line, "HTTP/1.1 %3d ", &status) == 1);
		sscanf(line, "Content-Length: %zu", len);
		free(line);
		if (end)
			return status;
	}
	require(false);
	return 0;
}

/* There is none in the answer to HEAD; no JSON of ours begins like the next answer. */
static json_t *read_body(struct evbuffer *answers, size_t len)
{
	char *text = (char *)evbuffer_pullup(answers, -1);
	json_t *body;

	if (!evbuffer_get_length(answers) || *text == 'H')
		return NULL;
	if (!len)
		len = evbuffer_get_length(answers); /* lines, up to the end */
	require(evbuffer_get_length(answers) >= len);
	body = json_loadb(text, len, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
	require(body);
	evbuffer_drain(answers, len);
	return body;
}

static void check_answers(struct evbuffer *answers, bool may)
{
	while (evbuffer_get_length(answers)) {
		size_t len;
		int status = read_head(answers, &len);
		json_t *body = status == 100 ? NULL : read_body(answers, len);

		require(status == 100 || status == 200 || (status >= 400 && status < 500));
		if (status >= 400 && body)
			require(json_is_string(json_object_get(body, "message")) &&
				json_is_string(json_object_get(body, "class")));
		if (!may)
			require(status != 404 && status != 405 && status != 409 &&
				(status != 200 || json_is_integer(body)));
		json_decref(body);
	}
}

/* ---- together --------------------------------------------------------------------------- */

static void permit(struct api_call *call, const struct http_request *request, int fd)
{
	authorize(&call->daemon->https.authorizer, call, request);
}

static void try(struct daemon *daemon, const uint8_t *data, size_t size, bool sign)
{
	bool may = !sign || memmem(data, size, "$1$", 3);
	struct evbuffer *answers = evbuffer_new();
	struct api_service service = {
		.name = "fuzz",
		.daemon = daemon,
		.permit = sign ? permit : NULL,
		.body_max = 1 << 20,
		.connections_max = 1,
	};
	json_t *before = json_deep_copy(daemon->staged.root);

	api_service_init(&service);
	exchange(&service, data, size, answers);
	check_answers(answers, may);
	require(may || json_equal(before, daemon->staged.root));
	check_staged(daemon);
	json_decref(before);
	evbuffer_free(answers);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int sign = 0; sign < 2; sign++) {
		struct daemon daemon;

		start(&daemon);
		base = daemon.base;
		try(&daemon, data, size, sign);
		finish(&daemon);
	}
	n_digests = 0;
	return 0;
}
