// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdlib.h>

#include "resource.h"

static const struct api_filter filters[] = {{.key = "frontendId", .type = JSON_INTEGER},
					    {.key = NULL}};
static const char *const fixed[] = {"rules", "status", NULL};

/* ---- order ---------------------------------------------------------------------------- */

static json_t *in_order(const struct api_call *call)
{
	const struct config *config = call->daemon->staged.config;
	json_t *documents = json_object_get(call->daemon->staged.root, "routes");
	size_t n = 0;
	struct route **routes = config_routes_in_order(config, NULL, &n);
	json_t *list = routes ? json_array() : NULL;

	for (size_t i = 0; i < n && routes; i++)
		json_array_append(list, json_array_get(documents, routes[i] - config->routes));
	free(routes);
	return list;
}

/* ---- what is computed ----------------------------------------------------------------- */

/* A route is being created, or updated, until a refresh of its zone. */
static const char *const statuses[] = {
	[ROUTE_UNCHANGED] = "ok",
	[ROUTE_CREATED] = "creating",
	[ROUTE_CHANGED] = "updating",
};

static void add_computed(const struct api_call *call, const json_t *object, json_t *shown)
{
	const json_t *rules = json_object_get(object, "rules");
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(rules); i++)
		json_array_append_new(
			list, resource_show(call, &resource_rule, json_array_get(rules, i)));
	json_object_set_new(shown, "rules", list);
	json_object_set_new(
		shown, "status",
		json_string(statuses[staged_route_change(&call->daemon->staged, object)]));
}

const struct api_resource resource_route = {
	.kind = KIND_ROUTE,
	.filters = filters,
	.fixed = fixed,
	.add_computed = add_computed,
	.in_order = in_order,
};
