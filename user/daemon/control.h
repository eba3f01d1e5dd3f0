/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The control socket: the API (user/api/) over HTTP, for root and for one group. */
#ifndef ALPNLB_CONTROL_SERVER_H
#define ALPNLB_CONTROL_SERVER_H

#include <sys/types.h>

#include "../api/server.h"

#define CONTROL_CONNECTIONS 64

struct config;
struct daemon;

struct control_server {
	struct api_service service;
	struct api_listener listener;
	char path[128];
	gid_t group; /* beside root; -1 for none */
};

/* Listens on RUN_DIR/control.sock, for root only. 0 or -errno. */
int control_open(struct daemon *daemon);

/* The group a configuration names, -1 if it names none. 0, or -ENOENT when there is no such group.
 */
int control_find_group(const struct config *config, gid_t *gid);

/* Opens the socket to that group, and to no other; -1: to none. 0 or -errno. */
int control_open_to(struct daemon *daemon, gid_t gid);

void control_close(struct daemon *daemon);

#endif
