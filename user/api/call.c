// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The last one stands for any other. */
static const struct status {
	int code;
	const char *reason, *class;
} statuses[] = {
	{200, "OK", NULL},
	{400, "Bad Request", "Client::BadRequest"},
	{401, "Unauthorized", "Client::Unauthorized"},
	{403, "Forbidden", "Client::Forbidden"},
	{404, "Not Found", "Client::NotFound"},
	{405, "Method Not Allowed", "Client::MethodNotAllowed"},
	{409, "Conflict", "Client::Conflict"},
	{413, "Payload Too Large", "Client::PayloadTooLarge"},
	{429, "Too Many Requests", "Client::TooManyRequests"},
	{500, "Internal Server Error", "Server::InternalServerError"},
};

static const struct status *find_status(int code)
{
	const struct status *status = statuses;

	while (status->code != code && status->code != 500)
		status++;
	return status;
}

const char *api_reason(const struct api_call *call)
{
	return find_status(call->status)->reason;
}

void api_answer(struct api_call *call, json_t *answer)
{
	if (!answer) {
		api_refuse(call, 500, "out of memory");
		return;
	}
	json_decref(call->answer);
	call->status = 200;
	call->answer = answer;
}

void api_answer_text(struct api_call *call, char *text, const char *type)
{
	call->status = 200;
	call->text = text;
	call->type = type;
}

void api_refuse(struct api_call *call, int status, const char *format, ...)
{
	char message[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	json_decref(call->answer);
	call->status = status;
	/* A message that was cut within a character is no text any more. */
	for (size_t len = strlen(message);; message[--len] = '\0') {
		call->answer = json_pack("{s:s, s:s}", "message", message, "class",
					 find_status(status)->class);
		if (call->answer || !len)
			return;
	}
}

void api_refuse_unkept(struct api_call *call, int err)
{
	api_refuse(call, err == -ESTALE || err == -EBUSY ? 409 : 500, "%s",
		   state_error(&call->daemon->state, err));
}

const char *api_query(const struct api_call *call, const char *key)
{
	return evhttp_find_header(&call->query, key);
}

bool api_query_is_name(struct api_call *call, const char *key, const struct names *names)
{
	const char *text = api_query(call, key);
	struct text quoted = {0}, allowed = {0};

	if (!text || names_find(names, text))
		return true;
	text_append_escaped(&quoted, text, strlen(text));
	names_list(names, &allowed);
	api_refuse(call, 400, "%s: \"%s\" is unknown, allowed: %s", key, quoted.s, allowed.s);
	return false;
}

bool api_number(const char *text, uint32_t *number)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 9 || text[digits])
		return false;
	*number = strtoul(text, NULL, 10);
	return true;
}

void api_call_free(struct api_call *call)
{
	monitor_close(call->monitor);
	free(call->text);
	evhttp_clear_headers(&call->query);
	json_decref(call->fields);
	json_decref(call->answer);
}
