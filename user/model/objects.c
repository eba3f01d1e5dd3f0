/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "objects.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

static void free_object(struct object *object)
{
	free(object->name);
	free(object->display_name);
}

static void free_farm(struct farm *farm)
{
	for (size_t i = 0; i < farm->n_servers; i++) {
		free_object(&farm->servers[i].o);
		free(farm->servers[i].host);
	}
	free(farm->servers);
	free(farm->zone);
	if (farm->probe)
		probe_fini(farm->probe);
	free(farm->probe);
	free(farm->fallback_name);
	free_object(&farm->o);
}

static void free_frontend(struct frontend *frontend)
{
	free(frontend->allowed_source.v);
	free(frontend->denied_source.v);
	free(frontend->dedicated_ipfo.v);
	free(frontend->proxy_sources.v);
	free(frontend->ports);
	free(frontend->zone);
	free_object(&frontend->o);
}

static void free_rule(struct rule *rule)
{
	for (size_t i = 0; i < rule->n_patterns; i++)
		free(rule->patterns[i].text);
	free(rule->patterns);
	free(rule->text);
	free_object(&rule->o);
}

static void free_route(struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++)
		free_rule(&route->rules[i]);
	free(route->rules);
	free_object(&route->o);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_farms; i++)
		free_farm(&config->farms[i]);
	for (size_t i = 0; i < config->n_frontends; i++)
		free_frontend(&config->frontends[i]);
	for (size_t i = 0; i < config->n_routes; i++)
		free_route(&config->routes[i]);
	free(config->farms);
	free(config->frontends);
	free(config->routes);
	free(config->display_name);
	free(config->zone);
	free(config->control_group);
	free(config->api.certificate);
	free(config->api.key);
	free(config->nat_ip.v);
	for (size_t i = 0; i < config->accel.n; i++)
		free(config->accel.v[i].name);
	free(config->accel.v);
	free(config);
}

bool server_is_used(const struct server *server)
{
	return server->status == STATUS_ACTIVE && server->weight;
}

bool server_is_found(const struct server *server)
{
	static const uint8_t none[16];

	return memcmp(server->address, none, sizeof(none));
}

bool field_of_hello(enum field field)
{
	return field != FIELD_PROTOCOL && field != FIELD_SOURCE;
}

bool match_is_exact(enum match match)
{
	return match == MATCH_IS || match == MATCH_IN;
}

uint32_t rule_protocols(const struct rule *rule)
{
	uint32_t protocols = 0;

	if (!field_words(rule->field))
		return 0;
	if (rule->match == MATCH_EXISTS)
		return rule->field == FIELD_TLS_ECH ? PROTOCOL_ECH : PROTOCOL_VERSIONS;
	for (size_t i = 0; i < rule->n_patterns; i++)
		protocols |= rule->patterns[i].protocols;
	return protocols;
}

static int compare_routes(const void *a, const void *b)
{
	const struct route *left = *(struct route *const *)a, *right = *(struct route *const *)b;
	bool reject = left->action == ACTION_REJECT;

	if (reject != (right->action == ACTION_REJECT))
		return reject ? -1 : 1;
	if (left->weight != right->weight)
		return (int)left->weight - (int)right->weight;
	return left < right ? -1 : left > right;
}

struct route **config_routes_in_order(const struct config *config, const struct frontend *frontend,
				      size_t *n)
{
	struct route **routes = calloc(config->n_routes + 1, sizeof(*routes));

	*n = 0;
	for (size_t i = 0; i < config->n_routes && routes; i++)
		if (!frontend || config->routes[i].frontend == frontend)
			routes[(*n)++] = &config->routes[i];
	if (routes)
		qsort(routes, *n, sizeof(*routes), compare_routes);
	return routes;
}

bool zone_is_all(const char *zone)
{
	return !zone || !strcmp(zone, "all");
}

bool config_in_zone(const struct config *config, const char *zone)
{
	return zone_is_all(zone) || !config->zone || !strcmp(zone, config->zone);
}

bool frontend_listens(const struct config *config, const struct frontend *frontend)
{
	return !frontend->disabled && config_in_zone(config, frontend->zone);
}

enum accel_choice config_accel(const struct config *config, const char *interface)
{
	const struct accel_settings *accel = &config->accel;

	for (size_t i = 0; i < accel->n; i++)
		if (!strcmp(accel->v[i].name, interface))
			return accel->v[i].accel;
	return accel->all;
}
