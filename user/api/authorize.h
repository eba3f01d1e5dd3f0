/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which requests on HTTPS are let through: signed ones of applications, and the clock's. */
#ifndef ALPNLB_API_AUTHORIZE_H
#define ALPNLB_API_AUTHORIZE_H

#include <stdbool.h>

#include "../daemon/applications.h"
#include "seen.h"

struct api_call;
struct http_request;

struct authorizer {
	struct application_store applications;
	struct seen seen;
};

/*
 * Refuses the call with 401 or 403 unless it may be made. Of a request whose body is not there only
 * what needs no signature is looked at.
 */
void authorize(struct authorizer *authorizer, struct api_call *call,
	       const struct http_request *request);

/* Is there still an application that call->by has told of? */
bool authorize_still(struct authorizer *authorizer, const char *instance, const char *by);

#endif
