/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_TLS_H
#define ALPNLB_TLS_H

#include <openssl/types.h>
#include <stddef.h>

struct api_settings;

/*
 * What connections to the API are encrypted with: TLS 1.2 or later, with the certificate and key
 * of the settings. NULL after a line of what is wrong with them in `failed`.
 */
SSL_CTX *tls_load(const struct api_settings *api, char *failed, size_t size);

/* Why OpenSSL is not to read a file; NULL if it may. */
const char *tls_file_mistake(const char *path);

/* What OpenSSL's first error in its queue is. */
const char *tls_mistake(void);

#endif
