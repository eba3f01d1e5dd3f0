/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The API on HTTPS, for applications, if the configuration has it. */
#ifndef ALPNLB_HTTPS_H
#define ALPNLB_HTTPS_H

#include <openssl/types.h>
#include <stddef.h>

#include "../api/authorize.h"
#include "../api/server.h"

#define HTTPS_CONNECTIONS 128

struct config;
struct daemon;
struct https_server;

struct https {
	struct authorizer authorizer;
	struct api_service service;
	struct https_server *server; /* NULL while there is none */
	/* what a configuration that is being applied will have */
	SSL_CTX *next_context;
	struct https_server *next;
};

/*
 * Reads certificate and key and opens the socket unless it is open: 0, or -errno with one line in
 * `failed` and nothing changed. https_commit() or https_abort() has to follow.
 */
int https_prepare(struct daemon *daemon, const struct config *config, char *failed, size_t size);
void https_commit(struct daemon *daemon);
void https_abort(struct daemon *daemon);

/* Closes everything. Accepts what was never opened. */
void https_close(struct https *https);

#endif
