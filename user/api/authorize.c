// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "authorize.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../daemon/log.h"
#include "call.h"
#include "http.h"
#include "signature.h"

#define HEADER(name)   "X-Ovh-" name
#define BY_APPLICATION "application "

/* What clients ask for before they can sign. */
static bool is_open_to_all(const struct api_call *call)
{
	return !strcmp(call->method, "GET") && !strcmp(call->path, "/1.0/auth/time");
}

/* ---- what the request says ------------------------------------------------------------ */

/* The value of a header that has to be there; "" after refusing. */
static const char *needed(struct api_call *call, const struct evkeyvalq *headers, const char *name,
			  bool *complete)
{
	const char *value = evhttp_find_header(headers, name);

	if (!value)
		api_refuse(call, 401, "the header %s is missing", name);
	*complete &= !!value;
	return value ? value : "";
}

static bool read_request(struct api_call *call, const struct http_request *request,
			 struct signed_request *said)
{
	const struct evkeyvalq *headers = &request->headers;
	const char *host = evhttp_find_header(headers, "Host");
	bool complete = true;

	*said = (struct signed_request){
		.application = needed(call, headers, HEADER("Application"), &complete),
		.consumer = needed(call, headers, HEADER("Consumer"), &complete),
		.timestamp = needed(call, headers, HEADER("Timestamp"), &complete),
		.signature = needed(call, headers, HEADER("Signature"), &complete),
		.method = call->method,
		.host = host ? host : "",
		.target = request->target,
		.body = call->body,
		.body_len = call->body_len,
	};
	return complete;
}

static bool in_time(struct api_call *call, const char *text, int64_t now, int64_t *timestamp)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 12 || text[digits]) {
		api_refuse(call, 401, HEADER("Timestamp") " is no number of seconds");
		return false;
	}
	*timestamp = strtoll(text, NULL, 10);
	if (llabs(*timestamp - now) <= SEEN_SECONDS)
		return true;
	api_refuse(call, 401,
		   HEADER("Timestamp") " is more than %d seconds away from the time here, %lld",
		   SEEN_SECONDS, (long long)now);
	return false;
}

/* ---- together ------------------------------------------------------------------------- */

static bool is_first(struct authorizer *authorizer, struct api_call *call, const uint8_t *digest,
		     int64_t timestamp, int64_t now)
{
	switch (seen_add(&authorizer->seen, digest, timestamp, now)) {
	case SEEN_NEW:
		return true;
	case SEEN_BEFORE:
		api_refuse(call, 403, "this request was made before: sign each one anew");
		return false;
	case SEEN_FULL:
		api_refuse(call, 429, "too many requests in %d seconds", SEEN_SECONDS);
		return false;
	default:
		api_refuse(call, 500, "the signature cannot be kept: %s", strerror(errno));
		return false;
	}
}

static const struct applications *applications_now(struct authorizer *authorizer,
						   const char *instance)
{
	const struct applications *list;
	int err;

	list = application_store_now(&authorizer->applications, instance, &err);
	if (err)
		log_line(LOG_ERROR, "the applications cannot be read, none may do anything: %s",
			 strerror(-err));
	return list;
}

void authorize(struct authorizer *authorizer, struct api_call *call,
	       const struct http_request *request)
{
	const struct application *application;
	struct signed_request said;
	int64_t now = time(NULL), timestamp;
	uint8_t digest[20];

	if (is_open_to_all(call) || !read_request(call, request, &said) ||
	    !in_time(call, said.timestamp, now, &timestamp) || !http_is_whole(request))
		return;
	application =
		signature_check(applications_now(authorizer, call->daemon->name), &said, digest);
	if (application)
		snprintf(call->by, sizeof(call->by), BY_APPLICATION "%s", application->name);
	if (!application)
		api_refuse(call, 401,
			   "the application, the consumer or the signature is not valid");
	else if (is_first(authorizer, call, digest, timestamp, now) && !application->writes &&
		 strcmp(call->method, "GET") != 0)
		api_refuse(call, 403, "the application %s may only read", application->name);
}

bool authorize_still(struct authorizer *authorizer, const char *instance, const char *by)
{
	const struct applications *list = applications_now(authorizer, instance);

	return list && applications_find(list, by + strlen(BY_APPLICATION));
}
