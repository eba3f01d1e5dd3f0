/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The TLS side of probes: what they offer to servers, and what they look at. */
#ifndef ALPNLB_PROBE_TLS_H
#define ALPNLB_PROBE_TLS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "probe_answer.h"

/* For all probes of a farm. NULL after a line of what is wrong in `failed`. */
SSL_CTX *probe_tls_load(const struct probe *probe, char *failed, size_t size);

/* For one check, with its names set; NULL when out of memory. */
SSL *probe_tls_new(SSL_CTX *context, const struct probe *probe);

/* After the handshake: are protocol and certificate as wanted? */
bool probe_tls_examine(SSL *ssl, const struct probe *probe, struct check_result *result);

#endif
