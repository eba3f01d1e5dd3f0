// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The configuration as a whole, as a file has it, and the daemon: what the CLI's own nouns use. */
#include <unistd.h>

#include "handlers.h"
#include "refresh.h"

void config_get(struct api_call *call, const struct api_resource *resource)
{
	const struct staged *staged = &call->daemon->staged;
	const char *zone = api_query(call, "zone");

	if (!zone)
		api_answer(call, json_incref(staged->root));
	else if (api_zone_exists(call, zone, 404))
		api_answer(call, json_incref((json_t *)staged_refreshed_root(staged, zone)));
}

static int apply_document(struct daemon *daemon, const struct document *document,
			  struct config *config, struct refresh *refresh, char *failed, size_t size)
{
	json_t *root = (json_t *)document_root(document);
	struct problems none = {0};
	char hash[HASH_LEN];
	int err;

	if (!state_hash_document(root, hash))
		refresh->file = hash;
	refresh_begin(daemon, refresh);
	err = staged_replace(&daemon->staged, root, config, daemon->staged.config);
	err = refresh_end(daemon, refresh, err, &none, failed, size);
	problems_free(&none);
	return err;
}

static json_t *applied_json(const struct daemon *daemon, const struct refresh *refresh)
{
	json_t *kept = refresh->kept ? json_integer(refresh->kept) : json_null();

	return json_pack("{s:I, s:o}", "revision", (json_int_t)state_running(&daemon->state),
			 "kept", kept);
}

void config_put(struct api_call *call, const struct api_resource *resource)
{
	struct refresh refresh = {.comment = "apply", .by = call->by};
	struct daemon *daemon = call->daemon;
	struct problems problems = {0};
	struct document *document;
	struct config *config;
	char failed[512];

	if (!api_may_refresh(call))
		return;
	document = document_parse(call->body, call->body_len, &problems);
	config = document ? config_decode(document, &problems) : NULL;
	if (!config)
		api_refuse(call, 400, "the configuration has errors; nothing was changed");
	else if (apply_document(daemon, document, config, &refresh, failed, sizeof(failed)))
		api_refuse(call, 409, "%s", failed);
	else {
		api_answer(call, applied_json(daemon, &refresh));
		refresh_warn(daemon, &problems);
	}
	json_object_set_new(call->answer, "problems", problems_json(&problems));
	document_free(document);
	problems_free(&problems);
}

void daemon_get(struct api_call *call, const struct api_resource *resource)
{
	const struct daemon *daemon = call->daemon;

	api_answer(call,
		   json_pack("{s:i, s:s, s:i, s:i, s:b, s:I}", "pid", getpid(), "version",
			     ALPNLB_VERSION, "revision", daemon->engine.instance.control->revision,
			     "workers", daemon->n_workers, "draining", daemon->draining, "uptime",
			     (json_int_t)(time(NULL) - daemon->started)));
}
