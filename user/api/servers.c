// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "../kernel/view.h"
#include "../show/format.h"
#include "handlers.h"

static const struct api_filter filters[] = {
	{.key = "address", .type = JSON_STRING, .address = true},
	{.key = "status", .type = JSON_STRING, .names = &status_names},
	{.key = NULL},
};
static const char *const fixed[] = {"address", "backendId", "serverState", NULL};

/* As it runs here; NULL if it does not. */
static const struct server *find_installed(const struct config *config, uint32_t id)
{
	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *farm = &config->farms[i];

		for (size_t j = 0; j < farm->n_servers && config_in_zone(config, farm->zone); j++)
			if (farm->servers[j].o.id == id)
				return &farm->servers[j];
	}
	return NULL;
}

static json_t *server_state(const struct daemon *daemon, uint32_t id)
{
	const struct server *server = find_installed(daemon->config, id);

	struct server_health health;
	bool checked;

	if (!server)
		return json_array();
	health_read(&daemon->engine.instance.balance.health[id], &health);
	checked = health.checked;
	return json_pack(
		"[{s:i, s:s, s:o, s:o, s:o, s:o}]", "instanceId", API_INSTANCE, "status",
		server_condition(daemon, server), "checkCode",
		health.code ? json_sprintf("%u", health.code) : json_null(), "checkStatus",
		checked ? json_string(names_text(&check_status_names, health.status)) : json_null(),
		"checkTime", checked ? json_date(health.checked / 1000) : json_null(),
		"lastCheckContent", checked ? json_string((const char *)health.text) : json_null());
}

static void add_computed(const struct api_call *call, const json_t *object, json_t *shown)
{
	json_object_set_new(shown, "backendId", json_integer(call->parent));
	json_object_set_new(shown, "serverState", server_state(call->daemon, object_id(object)));
}

const struct api_resource resource_server = {
	.kind = KIND_SERVER,
	.parent = &resource_farm,
	.filters = filters,
	.fixed = fixed,
	.add_computed = add_computed,
};
