// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The service, which is this instance: what it is and how it is doing. */
#include <string.h>
#include <time.h>

#include "../model/prefix.h"
#include "../model/text.h"
#include "../show/format.h"
#include "handlers.h"
#include "tasks.h"

/* ---- identity ------------------------------------------------------------------------- */

void services_get(struct api_call *call, const struct api_resource *resource)
{
	api_answer(call, json_pack("[s]", call->daemon->name));
}

static const char *state(const struct daemon *daemon)
{
	return daemon->draining ? "maintenance" : "ok";
}

/* That of all frontends that listen here; null if there is more than one, as there is without any.
 */
static json_t *service_address(const struct config *config, bool ipv4)
{
	const struct prefix *found = NULL;
	char text[64];

	for (size_t i = 0; i < config->n_frontends; i++) {
		const struct frontend *frontend = &config->frontends[i];
		const struct prefix_list *list = &frontend->dedicated_ipfo;

		if (!frontend_listens(config, frontend))
			continue;
		if (!list->set) /* at every address */
			return json_null();
		for (size_t j = 0; j < list->n; j++) {
			if (address_is_mapped(list->v[j].address) != ipv4)
				continue;
			if (found && prefix_compare(found, &list->v[j]))
				return json_null();
			found = &list->v[j];
		}
	}
	return found ? json_string(prefix_format(found, text, sizeof(text))) : json_null();
}

static json_t *service_json(const struct daemon *daemon)
{
	const json_t *name = json_object_get(daemon->staged.root, "display_name");

	return json_pack("{s:s, s:O?, s:s, s:[s], s:o, s:o}", "serviceName", daemon->name,
			 "displayName", name, "state", state(daemon), "zone",
			 staged_zone(&daemon->staged), "ipv4",
			 service_address(daemon->config, true), "ipv6",
			 service_address(daemon->config, false));
}

void service_get(struct api_call *call, const struct api_resource *resource)
{
	api_answer(call, service_json(call->daemon));
}

/* What else was read may be written back as it was. Otherwise refuses. */
static bool check_service(struct api_call *call)
{
	json_t *shown = service_json(call->daemon), *value;
	struct text name = {0};
	const char *key;

	json_object_foreach (call->fields, key, value) {
		const json_t *now = json_object_get(shown, key);

		if (!strcmp(key, "displayName") || (now && json_equal(now, value)))
			continue;
		text_append_escaped(&name, key, strlen(key));
		api_refuse(call, 400, "%s: %s", name.s,
			   now ? "is read-only" : "unknown field, allowed: displayName");
		break;
	}
	json_decref(shown);
	return !call->status;
}

void service_put(struct api_call *call, const struct api_resource *resource)
{
	struct problems problems = {.api_names = !call->file_names};
	json_t *name = json_object_get(call->fields, "displayName");
	int err = 0;

	if (!check_service(call))
		return;
	if (name)
		err = staged_set(&call->daemon->staged, "display_name", name, &problems);
	if (err == -EINVAL)
		api_refuse_problems(call, 400, KIND_MAX, &problems);
	else if (err)
		api_refuse_unkept(call, err);
	else
		api_answer(call, json_null());
	problems_free(&problems);
}

void time_get(struct api_call *call, const struct api_resource *resource)
{
	api_answer(call, json_integer(time(NULL)));
}

/* ---- zones ---------------------------------------------------------------------------- */

bool api_zone_exists(struct api_call *call, const char *zone, int status)
{
	json_t *zones = staged_zones(&call->daemon->staged), *item;
	struct text name = {0}, known = {0};
	bool exists = false;
	size_t i;

	json_array_foreach (zones, i, item) {
		exists |= !strcmp(json_string_value(item), zone);
		text_append(&known, "%s%s", i ? ", " : "", json_string_value(item));
	}
	json_decref(zones);
	text_append_escaped(&name, zone, strlen(zone));
	if (!exists)
		api_refuse(call, status, "there is no zone %s, allowed: %s", name.s, known.s);
	return exists;
}

void zones_get(struct api_call *call, const struct api_resource *resource)
{
	api_answer(call, json_pack("[s]", staged_zone(&call->daemon->staged)));
}

void available_zones_get(struct api_call *call, const struct api_resource *resource)
{
	api_answer(call, staged_zones(&call->daemon->staged));
}

void zone_get(struct api_call *call, const struct api_resource *resource)
{
	if (api_zone_exists(call, call->name, 404))
		api_answer(call, json_pack("{s:s, s:s}", "name", call->name, "state",
					   state(call->daemon)));
}

/* ---- status --------------------------------------------------------------------------- */

enum condition {
	CONDITION_OK,
	CONDITION_WARN,
	CONDITION_ERROR,
	CONDITION_UNKNOWN,
	CONDITION_MAX,
};

static const char *const condition_names[CONDITION_MAX] = {"ok", "warn", "error", "unknown"};

static json_t *conditions_json(const size_t counts[CONDITION_MAX])
{
	json_t *status = json_object();
	json_int_t total = 0;

	for (int i = 0; i < CONDITION_MAX; i++) {
		total += counts[i];
		json_object_set_new(status, condition_names[i], json_integer(counts[i]));
	}
	return json_pack("{s:I, s:o}", "total", total, "status", status);
}

static void count(size_t counts[CONDITION_MAX], enum condition condition)
{
	counts[condition]++;
}

/* A warning is what takes no new connections by its settings. */
static enum condition condition_of(const struct daemon *daemon, const struct server *server)
{
	static const enum condition conditions[] = {
		[SERVER_UNKNOWN] = CONDITION_UNKNOWN,
		[SERVER_UP] = CONDITION_OK,
		[SERVER_DOWN] = CONDITION_ERROR,
	};

	return server_is_used(server) ? conditions[health_state(&daemon->health, server->o.id)]
				      : CONDITION_WARN;
}

const char *server_condition(const struct daemon *daemon, const struct server *server)
{
	return condition_names[condition_of(daemon, server)];
}

/* A warning, too, where another farm stands in. */
static enum condition farm_condition(const struct daemon *daemon, const struct farm *farm)
{
	size_t servers[CONDITION_MAX] = {0};

	for (size_t i = 0; i < farm->n_servers; i++)
		count(servers, condition_of(daemon, &farm->servers[i]));
	if (!servers[CONDITION_OK] && !servers[CONDITION_UNKNOWN])
		return farm->fallback ? CONDITION_WARN : CONDITION_ERROR;
	if (servers[CONDITION_ERROR])
		return CONDITION_WARN;
	return servers[CONDITION_OK] ? CONDITION_OK : CONDITION_UNKNOWN;
}

/* The farms that its connections may come to. */
static enum condition farms_condition(const struct daemon *daemon, const struct frontend *frontend)
{
	const struct config *config = daemon->config;
	size_t farms[CONDITION_MAX] = {0};

	if (frontend->default_farm)
		count(farms, farm_condition(daemon, frontend->default_farm));
	for (size_t i = 0; i < config->n_routes; i++)
		if (config->routes[i].frontend == frontend && config->routes[i].target)
			count(farms, farm_condition(daemon, config->routes[i].target));
	if (!farms[CONDITION_ERROR])
		return CONDITION_OK;
	return farms[CONDITION_OK] || farms[CONDITION_WARN] || farms[CONDITION_UNKNOWN]
		       ? CONDITION_WARN
		       : CONDITION_ERROR;
}

static enum condition frontend_condition(const struct daemon *daemon,
					 const struct frontend *frontend)
{
	if (frontend->disabled)
		return CONDITION_WARN;
	if (!listeners_accept(&daemon->listeners, frontend->o.id))
		return CONDITION_ERROR;
	return farms_condition(daemon, frontend);
}

static enum condition service_condition(const size_t frontends[CONDITION_MAX],
					const size_t farms[CONDITION_MAX])
{
	if (frontends[CONDITION_ERROR] && !frontends[CONDITION_OK] && !frontends[CONDITION_WARN])
		return CONDITION_ERROR;
	return frontends[CONDITION_ERROR] || farms[CONDITION_ERROR] ? CONDITION_WARN : CONDITION_OK;
}

/* Of what is installed here: other zones' objects are other instances' business. */
void status_get(struct api_call *call, const struct api_resource *resource)
{
	const struct config *config = call->daemon->config;
	size_t frontends[CONDITION_MAX] = {0}, farms[CONDITION_MAX] = {0},
	       servers[CONDITION_MAX] = {0};

	for (size_t i = 0; i < config->n_frontends; i++)
		if (config_in_zone(config, config->frontends[i].zone))
			count(frontends, frontend_condition(call->daemon, &config->frontends[i]));
	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *farm = &config->farms[i];

		if (!config_in_zone(config, farm->zone))
			continue;
		count(farms, farm_condition(call->daemon, farm));
		for (size_t j = 0; j < farm->n_servers; j++)
			count(servers, condition_of(call->daemon, &farm->servers[j]));
	}
	api_answer(call, json_pack("{s:{s:s}, s:o, s:o, s:o}", "service", "status",
				   condition_names[service_condition(frontends, farms)],
				   "frontends", conditions_json(frontends), "farms",
				   conditions_json(farms), "servers", conditions_json(servers)));
}

void instances_get(struct api_call *call, const struct api_resource *resource)
{
	const struct daemon *daemon = call->daemon;

	api_answer(call, json_pack("[{s:i, s:s, s:s, s:o}]", "internalId", API_INSTANCE, "zone",
				   staged_zone(&daemon->staged), "state",
				   daemon->draining ? "reload" : "running", "lastUpdateDate",
				   json_date(daemon->refreshed)));
}

/* ---- addresses and limits ------------------------------------------------------------- */

/* No address at all: the kernel chooses one for each server. */
void nat_ip_get(struct api_call *call, const struct api_resource *resource)
{
	const struct prefix_list *list = &call->daemon->config->nat_ip;
	json_t *addresses = json_array();
	char text[64];

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(addresses,
				      json_string(prefix_format(&list->v[i], text, sizeof(text))));
	api_answer(call, json_pack("[{s:s, s:o}]", "zone", staged_zone(&call->daemon->staged), "ip",
				   addresses));
}

static json_int_t bytes_moved(const struct instance *instance)
{
	json_int_t sum = 0;

	for (uint32_t id = 1; id <= MAX_FRONTENDS; id++)
		sum += instance->frontend_stats[id].bytes[0] +
		       instance->frontend_stats[id].bytes[1];
	return sum;
}

/* There is no quota, null is no limit: the total is what has been moved. */
void quota_get(struct api_call *call, const struct api_resource *resource)
{
	if (!strcmp(call->name, staged_zone(&call->daemon->staged)))
		api_answer(call, json_pack("{s:s, s:n, s:I, s:n, s:n, s:o}", "zone", call->name,
					   "included", "total",
					   bytes_moved(&call->daemon->engine.instance), "alert",
					   "resetDate", "lastUpdateDate", json_date(time(NULL))));
	else
		api_refuse(call, 404, "this instance is not in that zone, allowed: %s",
			   staged_zone(&call->daemon->staged));
}

void metrics_token_get(struct api_call *call, const struct api_resource *resource)
{
	/* Who may read this may read them: no token is asked for. */
	api_answer(call, json_pack("{s:s, s:n}", "endpoint", METRICS_PATH, "token"));
}
