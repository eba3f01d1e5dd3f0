// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The configuration as a whole, as a file has it, and the daemon: what the CLI's own nouns use. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers.h"
#include "refresh.h"

void config_get(struct api_call *call, const struct api_resource *resource)
{
	api_answer(call, json_incref(call->daemon->staged.root));
}

/* Stages and refreshes; where that fails, what was staged before is again. */
static int apply_document(struct daemon *daemon, const struct document *document,
			  struct config *config, char *failed, size_t size)
{
	struct staged *staged = &daemon->staged;
	json_t *before = json_incref(staged->root);
	struct problems none = {0};
	int err = staged_replace(staged, (json_t *)document_root(document), config, staged->config);

	if (err)
		snprintf(failed, size, "the configuration cannot be staged: %s", strerror(-err));
	if (!err) {
		err = refresh_run(daemon, NULL, &none, failed, size);
		if (err)
			staged_restore(staged, before);
	}
	problems_free(&none);
	json_decref(before);
	return err;
}

void config_put(struct api_call *call, const struct api_resource *resource)
{
	struct daemon *daemon = call->daemon;
	struct problems problems = {0};
	struct document *document;
	struct config *config;
	char failed[512];

	if (daemon->draining) {
		api_refuse(call, 409, "the daemon is draining: it takes no new configuration");
		return;
	}
	document = document_parse(call->body, call->body_len, &problems);
	config = document ? config_decode(document, &problems) : NULL;
	if (!config)
		api_refuse(call, 400, "the configuration has errors; nothing was changed");
	else if (apply_document(daemon, document, config, failed, sizeof(failed)))
		api_refuse(call, 409, "%s", failed);
	else
		api_answer(call, json_pack("{s:i}", "revision",
					   daemon->engine.instance.control->revision));
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
