/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control socket: one JSON object to the daemon, one back, then the end.
 *	{"command": "apply", "name": FILE, "text": CONTENTS}
 *	  -> {"revision": N, "problems": [warnings]}, or {"error": LINE, "problems": [...]}
 *	{"command": "status"} -> {"pid", "version", "revision", "workers", "draining", "uptime"}
 */
#ifndef ALPNLB_CONTROL_SERVER_H
#define ALPNLB_CONTROL_SERVER_H

struct daemon;
struct event;

struct control_server {
	int fd;
	struct event *event;
	char path[128];
};

/* Listens on RUN_DIR/control.sock, for root only. 0 or -errno. */
int control_open(struct daemon *daemon);
void control_close(struct daemon *daemon);

#endif
