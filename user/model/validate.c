/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checks that span objects. */
#include <stdlib.h>
#include <string.h>

#include "decoder.h"
#include "prefix.h"

static void check_zone(struct decoder *d, const struct value *root)
{
	struct value zone = value_member(root, "zone");

	if (d->config->zone && zone_is_all(d->config->zone))
		decode_error(d, &zone,
			     "\"all\" is of objects, allowed: the name of this instance's "
			     "zone, null");
}

static void check_server_count(struct decoder *d, const struct value *root)
{
	struct value farms = value_member(root, "farms");
	size_t n = 0;

	for (size_t i = 0; i < d->config->n_farms; i++)
		n += d->config->farms[i].n_servers;
	if (n > MAX_SERVERS)
		decode_error(d, &farms, "%zu servers in all farms, allowed: at most %d", n,
			     MAX_SERVERS);
}

/* ---- frontends lead somewhere ---------------------------------------------------------- */

struct tally {
	size_t routes, routes_with_rules;
};

static void check_frontend_routes(struct decoder *d, const struct value *value,
				  const struct frontend *frontend, const struct tally *tally)
{
	struct value default_farm = value_member(value, "default_farm");

	if (d->complete && !frontend->default_farm && !tally->routes_with_rules)
		decode_error(d, &default_farm,
			     "is missing, allowed: a farm, or null beside a route with rules");
	if (tally->routes > ROUTES_PER_FRONTEND)
		decode_error(d, value, "%zu routes, allowed: at most %d", tally->routes,
			     ROUTES_PER_FRONTEND);
}

/* Where something else is wrong, such as the key, their absence may follow from it. */
static void check_frontends(struct decoder *d, const struct value *root)
{
	struct value frontends = value_member(root, "frontends");

	if (d->complete && !d->config->n_frontends && !d->problems->errors)
		decode_error(d, &frontends, "there is none, allowed: 1..%d frontends",
			     MAX_FRONTENDS);
}

static void check_routes(struct decoder *d, const struct value *root)
{
	struct value frontends = value_member(root, "frontends");
	const struct config *config = d->config;
	struct tally *tallies = decode_alloc(d, config->n_frontends, sizeof(*tallies));

	for (size_t i = 0; i < config->n_routes && tallies; i++) {
		const struct route *route = &config->routes[i];

		if (!route->frontend || route->frontend == &d->no_frontend)
			continue;
		tallies[route->frontend - config->frontends].routes++;
		tallies[route->frontend - config->frontends].routes_with_rules +=
			route->n_rules > 0;
	}
	for (size_t i = 0; i < config->n_frontends && tallies; i++) {
		struct value frontend = value_item(&frontends, i);

		check_frontend_routes(d, &frontend, &config->frontends[i], &tallies[i]);
	}
	free(tallies);
}

/* ---- farms are where they are needed ---------------------------------------------------- */

static void refuse_zone(struct decoder *d, const struct value *value, const struct farm *farm)
{
	const char *zone = d->config->zone;

	decode_error(d, value, "%s is a farm of the zone %s, allowed: a farm of %s or all",
		     value_quoted(value).s, text_quoted(farm->zone, strlen(farm->zone)).s,
		     text_quoted(zone, strlen(zone)).s);
}

/* A farm of another zone has no servers here: its connections would be closed. */
static void check_farm_zone(struct decoder *d, const struct value *value,
			    const struct frontend *frontend, const struct farm *farm)
{
	struct config *config = d->config;

	if (frontend && farm && config_in_zone(config, frontend->zone) &&
	    !config_in_zone(config, farm->zone))
		refuse_zone(d, value, farm);
}

static void check_farm_zones(struct decoder *d, const struct value *root)
{
	struct value frontends = value_member(root, "frontends");
	struct value routes = value_member(root, "routes");

	for (size_t i = 0; i < d->config->n_frontends; i++) {
		const struct frontend *frontend = &d->config->frontends[i];
		struct value item = value_item(&frontends, i);
		struct value value = value_member(&item, "default_farm");

		check_farm_zone(d, &value, frontend, frontend->default_farm);
	}
	for (size_t i = 0; i < d->config->n_routes; i++) {
		const struct route *route = &d->config->routes[i];
		struct value item = value_item(&routes, i), action = value_member(&item, "action");
		struct value target = value_member(&action, "target");

		check_farm_zone(d, &target, route->frontend, route->target);
	}
}

/* ---- fallbacks end --------------------------------------------------------------------- */

/* Does a connection that no farm has a server for come back to where it was? */
static bool falls_in_circles(const struct config *config, const struct farm *farm)
{
	const struct farm *at = farm->fallback;

	for (size_t n = 0; at && n < config->n_farms; n++, at = at->fallback)
		if (at == farm)
			return true;
	return false;
}

static void check_fallbacks(struct decoder *d, const struct value *root)
{
	struct value farms = value_member(root, "farms");

	for (size_t i = 0; i < d->config->n_farms; i++) {
		const struct farm *farm = &d->config->farms[i];
		struct value item = value_item(&farms, i);
		struct value value = value_member(&item, "fallback_farm");

		if (!farm->fallback)
			continue;
		if (falls_in_circles(d->config, farm))
			decode_error(d, &value,
				     "%s falls back on this farm in turn, allowed: a farm that "
				     "does not, null",
				     value_quoted(&value).s);
		if (config_in_zone(d->config, farm->zone) &&
		    !config_in_zone(d->config, farm->fallback->zone))
			refuse_zone(d, &value, farm->fallback);
	}
}

/* ---- no port twice --------------------------------------------------------------------- */

/* The first port both have, 0 if there is none. Both lists ascend. */
static uint16_t common_port(const struct frontend *a, const struct frontend *b)
{
	size_t i = 0, j = 0;

	while (i < a->n_ports && j < b->n_ports) {
		const struct port_range *left = &a->ports[i], *right = &b->ports[j];

		if (left->last < right->first)
			i++;
		else if (right->last < left->first)
			j++;
		else
			return left->first > right->first ? left->first : right->first;
	}
	return 0;
}

static bool share_address(const struct frontend *a, const struct frontend *b)
{
	const struct prefix_list *left = &a->dedicated_ipfo, *right = &b->dedicated_ipfo;
	size_t i = 0, j = 0;

	if (!left->set || !right->set)
		return true;
	while (i < left->n && j < right->n) {
		int order = prefix_compare(&left->v[i], &right->v[j]);

		if (!order)
			return true;
		if (order < 0)
			i++;
		else
			j++;
	}
	return false;
}

/* Is there an instance that both are installed on? One without a zone takes every frontend. */
static bool share_zone(const struct config *config, const struct frontend *a,
		       const struct frontend *b)
{
	return !config->zone || zone_is_all(a->zone) || zone_is_all(b->zone) ||
	       !strcmp(a->zone, b->zone);
}

/* A port that both would bind, 0 if there is none. */
static uint16_t conflict(const struct config *config, const struct frontend *a,
			 const struct frontend *b)
{
	uint16_t port = a->disabled || b->disabled ? 0 : common_port(a, b);

	return port && share_zone(config, a, b) && share_address(a, b) ? port : 0;
}

static void refuse_port(struct decoder *d, const struct value *value, uint16_t port,
			const struct frontend *owner)
{
	const char *name = owner->o.name ? owner->o.name : "";

	decode_error(d, value,
		     "%u belongs to the frontend %s%s on the same address, allowed: ports of its "
		     "own",
		     port, text_quoted(name, strlen(name)).s, in_line(&owner->o).s);
}

static void check_ports(struct decoder *d, const struct value *root)
{
	struct value frontends = value_member(root, "frontends");
	const struct frontend *v = d->config->frontends;

	for (size_t i = 1; i < d->config->n_frontends; i++) {
		struct value frontend = value_item(&frontends, i);
		struct value value = value_member(&frontend, "port");

		for (size_t j = 0; j < i; j++) {
			uint16_t port = conflict(d->config, &v[i], &v[j]);

			if (!port)
				continue;
			refuse_port(d, &value, port, &v[j]);
			break;
		}
	}
}

void config_validate(struct decoder *d, const struct value *root)
{
	check_zone(d, root);
	check_server_count(d, root);
	check_frontends(d, root);
	check_routes(d, root);
	check_farm_zones(d, root);
	check_fallbacks(d, root);
	check_ports(d, root);
	if (d->complete && !d->problems->errors)
		config_warn(d, root);
}
