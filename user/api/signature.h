/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signed requests, as clients of the OVH API sign them:
 *
 *	X-Ovh-Signature: $1$SHA1(secret+consumer+METHOD+URL+body+timestamp)
 *
 * with a + between the parts.
 */
#ifndef ALPNLB_API_SIGNATURE_H
#define ALPNLB_API_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "../daemon/applications.h"

struct signed_request {
	/* the headers X-Ovh-... */
	const char *application, *consumer, *timestamp, *signature;
	const char *method;
	const char *host;   /* the header; "" without one */
	const char *target; /* path and query, as they were sent */
	const char *body;
	size_t body_len;
};

/*
 * The application that signed the request; NULL if none did. Takes as long for an unknown
 * application as for a wrong signature. `digest` is the signature's.
 */
const struct application *signature_check(const struct applications *list,
					  const struct signed_request *request, uint8_t digest[20]);

#endif
