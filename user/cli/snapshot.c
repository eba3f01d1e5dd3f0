/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "control.h"
#include "service.h"
#include "snapshot.h"

/* ---- opening ------------------------------------------------------------------------- */

static int open_failed(const char *instance, int err, const char *map, struct text *message)
{
	char others[256];

	text_append(message, "instance '%s': ", instance);
	if (err == -ENOENT) {
		text_append(message, "nothing is pinned below %s/%s%s%s", PIN_ROOT, instance,
			    geteuid() ? " (or it may not be read: try as root)" : "",
			    other_instances(others, sizeof(others)));
		return CLI_NO_DAEMON;
	}
	text_append(message, "map %s", map);
	if (err == -EPROTO)
		text_append(message,
			    " is not laid out as alpnlb %s expects: it was made by another version",
			    ALPNLB_VERSION);
	else
		text_append(message, ": %s%s", strerror(-err), root_hint(err));
	return CLI_FAILED;
}

/* Decodes the configuration text the daemon left in the maps. */
static int decode_text(const char *text, size_t len, const char *instance, struct config **config,
		       struct text *message)
{
	struct problems problems = {0};
	struct document *document = document_parse(text, len, &problems);

	*config = document ? config_decode(document, &problems) : NULL;
	if (!*config)
		text_append(message, "instance '%s': its configuration cannot be read: %s",
			    instance, problems.n ? problems.v[0].message : "no reason given");
	document_free(document);
	problems_free(&problems);
	return *config ? CLI_OK : CLI_FAILED;
}

int snapshot_load(struct snapshot *snapshot, const char *instance, struct text *message)
{
	char *text = NULL;
	size_t len;
	int err, code;

	*snapshot = (struct snapshot){.view.config = -1};
	err = view_open(instance, &snapshot->view);
	if (err)
		return open_failed(instance, err, snapshot->view.failed, message);
	err = view_config(&snapshot->view, &text, &len, &snapshot->revision);
	if (err == -ENODATA) {
		text_append(message, "instance '%s' has no configuration yet", instance);
		return CLI_NO_DAEMON;
	}
	if (err)
		return open_failed(instance, err, "config", message);
	code = decode_text(text, len, instance, &snapshot->config, message);
	free(text);
	if (code || !object_names_open(&snapshot->names, snapshot->config))
		return code;
	text_append(message, "out of memory");
	return CLI_FAILED;
}

int snapshot_open(struct snapshot *snapshot)
{
	struct text message = {0};
	int code = snapshot_load(snapshot, options.instance, &message);

	return code ? fail(code, "%s", message.s) : CLI_OK;
}

int snapshot_open_counted(struct snapshot *snapshot)
{
	int code = snapshot_open(snapshot), err;

	if (code)
		return code;
	err = view_add_flows(&snapshot->view, options.instance, control_alive(options.instance));
	return err ? fail(CLI_FAILED, "instance '%s': the flow table: %s", options.instance,
			  strerror(-err))
		   : CLI_OK;
}

static int open_staging(struct snapshot *snapshot, const char *zone)
{
	struct staging staging;
	int code = zone ? staging_open_zone(&staging, zone) : staging_open(&staging);

	*snapshot = (struct snapshot){.view.config = -1, .config = staging.config};
	staging.config = NULL;
	staging_close(&staging);
	return code;
}

int snapshot_open_shown(struct snapshot *snapshot, const char *staged, const char *zone)
{
	bool counted = !staged && !zone;
	int code;

	*snapshot = (struct snapshot){.view.config = -1};
	if (staged && zone)
		return fail(CLI_USAGE, "show: give either staged or a zone, not both");
	code = counted ? snapshot_open_counted(snapshot) : open_staging(snapshot, zone);
	snapshot->counters = counted ? &snapshot->view : NULL;
	return code;
}

void snapshot_close(struct snapshot *snapshot)
{
	object_names_close(&snapshot->names);
	config_free(snapshot->config);
	view_close(&snapshot->view);
}
