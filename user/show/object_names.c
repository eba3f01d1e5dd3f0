/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "object_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "format.h"

static int alloc(struct object_names *names)
{
	names->frontends = calloc(MAX_FRONTENDS + 1, sizeof(*names->frontends));
	names->farms = calloc(MAX_FARMS + 1, sizeof(*names->farms));
	names->servers = calloc(MAX_SERVERS + 1, sizeof(*names->servers));
	names->routes = calloc(MAX_ROUTES + 1, sizeof(*names->routes));
	return names->frontends && names->farms && names->servers && names->routes ? 0 : -ENOMEM;
}

static void add(const struct object **objects, const struct object *object, uint32_t max)
{
	if (object->id <= max)
		objects[object->id] = object;
}

int object_names_open(struct object_names *names, const struct config *config)
{
	*names = (struct object_names){0};
	if (alloc(names)) {
		object_names_close(names);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->n_frontends; i++)
		add(names->frontends, &config->frontends[i].o, MAX_FRONTENDS);
	for (size_t i = 0; i < config->n_routes; i++)
		add(names->routes, &config->routes[i].o, MAX_ROUTES);
	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *farm = &config->farms[i];

		add(names->farms, &farm->o, MAX_FARMS);
		for (size_t j = 0; j < farm->n_servers; j++)
			add(names->servers, &farm->servers[j].o, MAX_SERVERS);
	}
	return 0;
}

void object_names_close(struct object_names *names)
{
	free(names->frontends);
	free(names->farms);
	free(names->servers);
	free(names->routes);
	*names = (struct object_names){0};
}

static void set_name(json_t *row, const char *key, const struct object *const *objects, uint32_t id,
		     uint32_t max)
{
	const struct object *object = objects && id <= max ? objects[id] : NULL;
	char buf[16];

	if (!object && id)
		snprintf(buf, sizeof(buf), "#%u", id);
	set_string(row, key, object ? object->name : id ? buf : NULL);
}

void object_names_set_frontend(const struct object_names *names, json_t *row, uint32_t frontend)
{
	set_name(row, "frontend", names->frontends, frontend, MAX_FRONTENDS);
}

void object_names_set(const struct object_names *names, json_t *row, uint32_t frontend,
		      uint32_t route, uint32_t farm, uint32_t server)
{
	object_names_set_frontend(names, row, frontend);
	set_name(row, "route", names->routes, route, MAX_ROUTES);
	if (farm && !route)
		set_string(row, "route", "default");
	set_name(row, "farm", names->farms, farm, MAX_FARMS);
	set_name(row, "server", names->servers, server, MAX_SERVERS);
}
