/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any requests, one after the other: "METHOD PATH?QUERY", a line break, the body, an empty line.
 * Each is answered, with an error object unless it is done, never with 500; what is staged
 * afterwards decodes.
 */
#include "daemon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	finish(&daemon);
	free(text);
	return 0;
}
