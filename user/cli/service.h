/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls of the daemon's API that say themselves what failed, and what is staged there. */
#ifndef ALPNLB_CLI_SERVICE_H
#define ALPNLB_CLI_SERVICE_H

#include "../model/decode.h"
#include "control.h"

#define SERVICE_PATH_MAX 256
#define ZONES_PATH	 "/1.0/ipLoadbalancing/availableZones"

/*
 * For the end of a message that options.instance has nothing: which others are pinned, as far as
 * they fit into `text` and may be read; empty if there is none, or options.instance is. Returns
 * `text`.
 */
const char *other_instances(char *text, size_t size);

/* control_call() to options.instance, whatever the answer is. Returns an exit code. */
int service_request(const char *method, const char *path, const char *body, size_t len,
		    struct control_answer *answer);

/*
 * Calls the API and takes `body` (may be NULL) over. `path` begins below the service, or with a
 * slash. A refusal is said with `what` (may be NULL) in front. Returns an exit code; *answer is a
 * new reference, NULL on failure; the pointer may be NULL.
 */
int service_call(const char *what, const char *method, const char *path, json_t *body,
		 json_t **answer);

/* control_follow() likewise: returns an exit code when there are no more lines. */
int service_follow(const char *path, control_line *line, void *context);

/* What is no zone must not become every zone, nor part of a path. Returns an exit code. */
int service_zone_check(const char *what, const char *zone);

/* What is staged: as a file has it, and decoded. */
struct staging {
	json_t *root;
	struct config *config;
};

/* Returns an exit code. */
int staging_open(struct staging *staging);
/* The same of what a zone was last refreshed with. */
int staging_open_zone(struct staging *staging, const char *zone);
/* Accepts one that could not be opened. */
void staging_close(struct staging *staging);

/* "farms[0].servers[1].port" in words: "server h2/a: port"; malloc()ed. */
char *staging_path(const json_t *root, const char *path);

#endif
