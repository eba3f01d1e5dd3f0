/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A daemon for the API's fuzz targets: no kernel, and no state on disk. */
#ifndef ALPNLB_FUZZ_DAEMON_H
#define ALPNLB_FUZZ_DAEMON_H

#include <stdlib.h>
#include <string.h>

#include "../../user/api/handlers.h"
#include "../../user/daemon/daemon.h"
#include "../../user/daemon/log.h"

static const char first[] =
	"farms: [{name: one, servers: [{name: a, address: 10.0.0.1}]}, {name: two}]\n"
	"frontends: [{name: web, port: 443, default_farm: one}]\n"
	"routes: [{name: r, frontend: web, action: {type: farm, target: two},\n"
	"          rules: [{field: protocol, match: is, pattern: http/2.0}]}]\n";

static struct control control;
static struct frontend_stats frontend_stats[MAX_FRONTENDS + 1];
static struct server_health health[MAX_SERVERS + 1];

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* In the place of the daemon's. */
int daemon_apply(struct daemon *daemon, struct config *config, struct refresh *refresh,
		 char *failed, size_t size)
{
	config_free(daemon->config);
	daemon->config = config;
	control.revision++;
	return 0;
}

int daemon_try(struct daemon *daemon, const struct config *config, char *failed, size_t size)
{
	return 0;
}

/* The command line's is no part of this. */
void log_line(enum log_level level, const char *format, ...)
{
}

/* There are no maps. */
void metrics_get(struct api_call *call, const struct api_resource *resource)
{
	api_answer(call, json_null());
}

bool listeners_accept(const struct listeners *listeners, uint32_t frontend_id)
{
	return true;
}

static void start(struct daemon *daemon)
{
	struct problems problems = {0};
	struct document *document = document_parse(first, strlen(first), &problems);
	struct config *config = config_decode(document, &problems);

	*daemon = (struct daemon){
		.name = "lb",
		.engine.instance = {.control = &control,
				    .frontend_stats = frontend_stats,
				    .balance.health = health},
	};
	daemon->health.instance = &daemon->engine.instance;
	daemon->base = event_base_new();
	require(daemon->base);
	monitors_init(&daemon->monitors, daemon);
	require(!staged_replace(&daemon->staged, (json_t *)document_root(document), config, NULL));
	staged_refreshed(&daemon->staged, NULL);
	require(!daemon_apply(daemon,
			      config_decode_tree(daemon->staged.root, DECODE_TO_RUN, &problems),
			      NULL, NULL, 0));
	document_free(document);
	problems_free(&problems);
}

/* What is staged decodes. */
static void check_staged(const struct daemon *daemon)
{
	struct problems problems = {0};
	struct config *config = config_decode_tree(daemon->staged.root, DECODE_TO_STAGE, &problems);

	require(config);
	config_free(config);
	problems_free(&problems);
}

static void finish(struct daemon *daemon)
{
	monitors_free(&daemon->monitors);
	event_base_free(daemon->base);
	config_free(daemon->config);
	staged_free(&daemon->staged);
	tasks_free(&daemon->tasks);
}

#endif
