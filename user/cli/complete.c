/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "complete.h"
#include "snapshot.h"

static void print_object(const struct object *object, bool id)
{
	if (id)
		printf("%u\n", object->id);
	else
		puts(object->name);
}

static void print_servers(const struct config *config, bool id)
{
	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *farm = &config->farms[i];

		for (size_t j = 0; j < farm->n_servers; j++) {
			if (!id)
				printf("%s/", farm->o.name);
			print_object(&farm->servers[j].o, id);
		}
	}
}

static void print_kind(const struct config *config, const char *kind, bool id)
{
	if (!strcmp(kind, "frontend"))
		for (size_t i = 0; i < config->n_frontends; i++)
			print_object(&config->frontends[i].o, id);
	else if (!strcmp(kind, "farm"))
		for (size_t i = 0; i < config->n_farms; i++)
			print_object(&config->farms[i].o, id);
	else if (!strcmp(kind, "route") || (!strcmp(kind, "rule") && !id))
		for (size_t i = 0; i < config->n_routes; i++)
			print_object(&config->routes[i].o, id);
	else if (!strcmp(kind, "server"))
		print_servers(config, id);
}

void complete_value(const char *noun, const char *keyword)
{
	bool id = !strcmp(keyword, "id");
	struct snapshot s;

	if (!snapshot_open(&s))
		print_kind(s.config, id || !strcmp(keyword, "name") ? noun : keyword, id);
	snapshot_close(&s);
}
