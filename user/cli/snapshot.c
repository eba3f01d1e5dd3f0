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
	text_append(message, "instance '%s': ", instance);
	if (err == -ENOENT) {
		text_append(message, "nothing is pinned below %s/%s%s", PIN_ROOT, instance,
			    geteuid() ? " (or it may not be read: try as root)" : "");
		return CLI_NO_DAEMON;
	}
	text_append(message, "map %s", map);
	if (err == -EPROTO)
		text_append(message,
			    " is not laid out as alpnlb %s expects: it was made by another version",
			    ALPNLB_VERSION);
	else
		text_append(message, ": %s%s", strerror(-err),
			    err == -EPERM || err == -EACCES ? "; try as root" : "");
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

static void index_config(struct snapshot *s)
{
	const struct config *config = s->config;

	for (size_t i = 0; i < config->n_frontends; i++)
		if (config->frontends[i].o.id <= MAX_FRONTENDS)
			s->frontends[config->frontends[i].o.id] = &config->frontends[i];
	for (size_t i = 0; i < config->n_routes; i++)
		if (config->routes[i].o.id <= MAX_ROUTES)
			s->routes[config->routes[i].o.id] = &config->routes[i];
	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *farm = &config->farms[i];

		if (farm->o.id <= MAX_FARMS)
			s->farms[farm->o.id] = farm;
		for (size_t j = 0; j < farm->n_servers; j++) {
			uint32_t id = farm->servers[j].o.id;

			if (id > MAX_SERVERS)
				continue;
			s->servers[id] = &farm->servers[j];
			s->server_farms[id] = farm;
		}
	}
}

static int index_alloc(struct snapshot *s, struct text *message)
{
	s->frontends = calloc(MAX_FRONTENDS + 1, sizeof(*s->frontends));
	s->farms = calloc(MAX_FARMS + 1, sizeof(*s->farms));
	s->servers = calloc(MAX_SERVERS + 1, sizeof(*s->servers));
	s->server_farms = calloc(MAX_SERVERS + 1, sizeof(*s->server_farms));
	s->routes = calloc(MAX_ROUTES + 1, sizeof(*s->routes));
	if (s->frontends && s->farms && s->servers && s->server_farms && s->routes)
		return CLI_OK;
	text_append(message, "out of memory");
	return CLI_FAILED;
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
	if (!code)
		code = index_alloc(snapshot, message);
	if (!code)
		index_config(snapshot);
	return code;
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

static int open_staged(struct snapshot *snapshot)
{
	struct staging staging;
	int code = staging_open(&staging);

	*snapshot = (struct snapshot){.view.config = -1, .config = staging.config};
	staging.config = NULL;
	staging_close(&staging);
	return code;
}

int snapshot_open_shown(struct snapshot *snapshot, const char *staged)
{
	int code = staged ? open_staged(snapshot) : snapshot_open_counted(snapshot);

	snapshot->counters = staged ? NULL : &snapshot->view;
	return code;
}

void snapshot_close(struct snapshot *snapshot)
{
	free(snapshot->frontends);
	free(snapshot->farms);
	free(snapshot->servers);
	free(snapshot->server_farms);
	free(snapshot->routes);
	config_free(snapshot->config);
	view_close(&snapshot->view);
}

/* ---- names --------------------------------------------------------------------------- */

static void set_name(json_t *row, const char *key, const struct object *object, uint32_t id)
{
	char buf[16];

	if (!object && id)
		snprintf(buf, sizeof(buf), "#%u", id);
	set_string(row, key, object ? object->name : id ? buf : NULL);
}

/* An object of the snapshot by its id; NULL if it has none. */
#define BY_ID(array, id, max) ((array) && (id) <= (max) && (array)[id] ? &(array)[id]->o : NULL)

void snapshot_names(const struct snapshot *s, json_t *row, uint32_t frontend, uint32_t route,
		    uint32_t farm, uint32_t server)
{
	set_name(row, "frontend", BY_ID(s->frontends, frontend, MAX_FRONTENDS), frontend);
	set_name(row, "route", BY_ID(s->routes, route, MAX_ROUTES), route);
	if (farm && !route)
		set_string(row, "route", "default");
	set_name(row, "farm", BY_ID(s->farms, farm, MAX_FARMS), farm);
	set_name(row, "server", BY_ID(s->servers, server, MAX_SERVERS), server);
}
