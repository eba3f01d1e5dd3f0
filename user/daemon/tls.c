// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../model/objects.h"

#define FILE_MAX (1 << 20)

/* A FIFO or a device could keep the daemon waiting. */
const char *tls_file_mistake(const char *path)
{
	struct stat st;

	if (stat(path, &st) || access(path, R_OK))
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is no regular file";
	return st.st_size > FILE_MAX ? "is larger than 1 MB" : NULL;
}

const char *tls_mistake(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	return reason ? reason : "cannot be read";
}

/* A key with a passphrase is refused; without this OpenSSL would ask for it on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *context)
{
	return 0;
}

static int load_files(SSL_CTX *context, const struct api_settings *api, char *failed, size_t size)
{
	const char *what = "certificate", *path = api->certificate;
	const char *mistake = tls_file_mistake(path);

	if (!mistake && SSL_CTX_use_certificate_chain_file(context, path) != 1)
		mistake = tls_mistake();
	if (!mistake) {
		what = "key";
		path = api->key;
		mistake = tls_file_mistake(path);
	}
	/* This checks as well that it is the certificate's. */
	if (!mistake && SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) != 1)
		mistake = tls_mistake();
	if (mistake)
		snprintf(failed, size, "api.%s: %s: %s", what, path, mistake);
	return mistake ? -EINVAL : 0;
}

SSL_CTX *tls_load(const struct api_settings *api, char *failed, size_t size)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	snprintf(failed, size, "api: out of memory");
	if (!context)
		return NULL;
	ERR_clear_error();
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	if (!load_files(context, api, failed, size))
		return context;
	SSL_CTX_free(context);
	ERR_clear_error();
	return NULL;
}
