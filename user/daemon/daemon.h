/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The daemon as a whole: what main thread and control socket share. */
#ifndef ALPNLB_DAEMON_H
#define ALPNLB_DAEMON_H

#include <jansson.h>
#include <time.h>

#include "../api/monitor.h"
#include "../api/tasks.h"
#include "../model/staged.h"
#include "control.h"
#include "doorkeeper.h"
#include "handshake.h"
#include "health.h"
#include "https.h"
#include "listeners.h"
#include "reroute.h"
#include "resolver.h"
#include "state.h"
#include "sweep.h"
#include "worker.h"

struct daemon {
	const char *name;  /* of the instance */
	char run_dir[128]; /* /run/alpnlb/NAME */
	int lock;	   /* held as long as the daemon runs */
	struct event_base *base;
	struct engine engine;
	struct worker *workers;
	unsigned int n_workers;
	struct listeners listeners;
	struct staged staged;
	struct state state;    /* on disk */
	struct config *config; /* running, always complete and with ids */
	struct tasks tasks;
	time_t refreshed; /* when `config` became the running one */
	struct monitors monitors;
	struct control_server control;
	struct https https;
	struct sweeper sweeper;
	struct rerouter rerouter;
	struct doorkeeper doorkeeper;
	struct accel accel;
	struct handshake handshake;
	struct health health;
	struct resolver *resolver;
	struct event *follow_names; /* once more, after that failed */
	struct event *drain_poll, *drain_end;
	time_t started;
	bool draining;
};

/*
 * Makes a configuration the running one, with no connection dropped: listeners first, then
 * the tables, then the state on disk as `refresh` says (NULL: it says so already), then the
 * switch. Takes the configuration over. On failure nothing has changed, and `failed` holds one
 * line.
 */
int daemon_apply(struct daemon *daemon, struct config *config, struct refresh *refresh,
		 char *failed, size_t size);

/* Would daemon_apply() find all it needs? Ports that are not open yet are, for a moment. */
int daemon_try(struct daemon *daemon, const struct config *config, char *failed, size_t size);

#endif
