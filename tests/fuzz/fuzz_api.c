/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any requests, one after the other: "METHOD PATH?QUERY", a line break, the body, an empty line.
 * Each is answered, with an error object unless it is done, never with 500; what is staged
 * afterwards decodes.
 */
#include <stdlib.h>
#include <string.h>

#include "../../user/api/call.h"
#include "../../user/daemon/daemon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char before[] =
	"farms: [{name: one, servers: [{name: a, address: 10.0.0.1}]}, {name: two}]\n"
	"frontends: [{name: web, port: 443, default_farm: one}]\n"
	"routes: [{name: r, frontend: web, action: {type: farm, target: two},\n"
	"          rules: [{field: protocol, match: is, pattern: http/2.0}]}]\n";

static struct control control;
static struct frontend_stats frontend_stats[MAX_FRONTENDS + 1];

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* In the place of the daemon's: there is no kernel here, and no state on disk. */
int daemon_apply(struct daemon *daemon, struct config *config, struct refresh *refresh,
		 char *failed, size_t size)
{
	config_free(daemon->config);
	daemon->config = config;
	control.revision++;
	return 0;
}

int daemon_try(struct daemon *daemon, const struct config *config, char *failed, size_t size)
{
	return 0;
}

static void start(struct daemon *daemon)
{
	struct problems problems = {0};
	struct document *document = document_parse(before, strlen(before), &problems);
	struct config *config = config_decode(document, &problems);

	*daemon = (struct daemon){
		.name = "lb",
		.engine.instance = {.control = &control, .frontend_stats = frontend_stats},
	};
	require(!staged_replace(&daemon->staged, (json_t *)document_root(document), config, NULL));
	staged_refreshed(&daemon->staged, staged_next_refreshed(&daemon->staged, NULL));
	require(!daemon_apply(daemon,
			      config_decode_tree(daemon->staged.root, DECODE_TO_RUN, &problems),
			      NULL, NULL, 0));
	document_free(document);
	problems_free(&problems);
}

static void check_answer(const struct api_call *call)
{
	char *text = json_dumps(call->answer, JSON_ENCODE_ANY);
	const json_t *message = json_object_get(call->answer, "message");

	require(text);
	free(text);
	require(call->status == 200 || (call->status >= 400 && call->status < 500));
	if (call->status != 200)
		require(json_is_string(message) && !strchr(json_string_value(message), '\n') &&
			json_object_get(call->answer, "class"));
}

static void check_staged(const struct daemon *daemon)
{
	struct problems problems = {0};
	struct config *config = config_decode_tree(daemon->staged.root, DECODE_TO_STAGE, &problems);

	require(config);
	config_free(config);
	problems_free(&problems);
}

/* Terminates a word in place and returns what follows it. */
static char *split(char *text, char end)
{
	char *found = strchr(text, end);

	if (!found)
		return text + strlen(text);
	*found = '\0';
	return found + 1;
}

static void dispatch(struct daemon *daemon, const char *method, char *path, char *body)
{
	char *query = split(path, '?');
	struct api_call call = {
		.daemon = daemon,
		.method = method,
		.path = path,
		.body = body,
		.body_len = strlen(body),
	};

	TAILQ_INIT(&call.query);
	if (!evhttp_parse_query_str(query, &call.query)) {
		api_dispatch(&call);
		check_answer(&call);
		check_staged(daemon);
	}
	api_call_free(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *request = text, *next;
	struct daemon daemon;

	memcpy(text, data, size);
	text[size] = '\0';
	start(&daemon);
	for (; *request; request = next) {
		char *end = strstr(request, "\n\n"), *body, *path;

		next = end ? end + 2 : request + strlen(request);
		if (end)
			*end = '\0';
		body = split(request, '\n');
		path = split(request, ' ');
		dispatch(&daemon, request, path, body);
	}
	config_free(daemon.config);
	staged_free(&daemon.staged);
	tasks_free(&daemon.tasks);
	free(text);
	return 0;
}
