/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/decode.h"
#include "../model/names.h"
#include "attributes.h"
#include "format.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* ---- parts of rows ------------------------------------------------------------------- */

static json_t *json_ports(const struct frontend *frontend)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < frontend->n_ports; i++) {
		const struct port_range *range = &frontend->ports[i];
		char buf[16];

		if (range->first == range->last)
			snprintf(buf, sizeof(buf), "%u", range->first);
		else
			snprintf(buf, sizeof(buf), "%u-%u", range->first, range->last);
		json_array_append_new(ports, json_string(buf));
	}
	return ports;
}

/* null stays null: no restriction, which an empty list is not. */
static json_t *json_prefixes(const struct prefix_list *list)
{
	json_t *prefixes;
	char buf[64];

	if (!list->set)
		return json_null();
	prefixes = json_array();
	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(prefixes,
				      json_string(prefix_format(&list->v[i], buf, sizeof(buf))));
	return prefixes;
}

static json_t *object_new(const struct object *object)
{
	json_t *row = json_object();

	if (object->id)
		set_integer(row, "id", object->id);
	set_string(row, "name", object->name);
	return row;
}

static void set_port(json_t *row, uint16_t port)
{
	json_object_set_new(row, "port", port ? json_integer(port) : json_null());
}

static void set_traffic(json_t *row, const __u64 bytes[2], const __u64 packets[2])
{
	set_integer(row, "bytes_from_clients", bytes[CLIENT]);
	set_integer(row, "bytes_from_servers", bytes[SERVER]);
	set_integer(row, "packets_from_clients", packets[CLIENT]);
	set_integer(row, "packets_from_servers", packets[SERVER]);
}

/* ---- frontends ----------------------------------------------------------------------- */

static void frontend_stats_set(json_t *row, const struct frontend_stats *stats)
{
	json_t *verdicts = json_object(), *paths = json_object();

	set_integer(row, "live", stats->live);
	set_integer(row, "accepted", stats->accepted);
	set_integer(row, "refused", stats->refused);
	set_integer(row, "to_default_farm", stats->default_farm);
	set_integer(row, "ech", stats->ech);
	set_traffic(row, stats->bytes, stats->packets);
	for (int i = VERDICT_TLS; i < (int)COUNT(stats->verdicts); i++)
		set_integer(verdicts, verdict_name(i), stats->verdicts[i]);
	for (int i = PATH_PACKET; i < (int)COUNT(stats->paths); i++)
		set_integer(paths, path_name(i), stats->paths[i]);
	json_object_set_new(row, "verdicts", verdicts);
	json_object_set_new(row, "paths", paths);
}

json_t *json_drops(const struct door_drops *drops)
{
	json_t *object = json_object();

	for (int reason = 0; reason < DOOR_REASON_MAX; reason++)
		set_integer(object, door_reason_name[reason], drops->packets[reason]);
	return object;
}

json_t *drop_rows(const struct door_drops *drops)
{
	json_t *rows = json_array();

	for (int reason = 0; reason < DOOR_REASON_MAX; reason++) {
		json_int_t sum = 0;

		for (uint32_t id = 0; drops && id <= MAX_FRONTENDS; id++)
			sum += drops[id].packets[reason];
		json_array_append_new(rows, json_pack("{s:s, s:I, s:s}", "reason",
						      door_reason_name[reason], "packets", sum,
						      "help", door_reason_help[reason]));
	}
	return rows;
}

json_t *frontend_row(const struct config *config, const struct frontend *frontend,
		     const struct view *view)
{
	const struct frontend *f = frontend;
	json_t *row = object_new(&f->o);
	size_t n_routes = 0;

	for (size_t i = 0; i < config->n_routes; i++)
		n_routes += config->routes[i].frontend == f;
	json_object_set_new(row, "addresses", json_prefixes(&f->dedicated_ipfo));
	json_object_set_new(row, "ports", json_ports(f));
	set_string(row, "path", path_name(f->path));
	set_string(row, "default_farm", f->default_farm ? f->default_farm->o.name : NULL);
	set_integer(row, "routes", n_routes);
	json_object_set_new(row, "listens", json_boolean(frontend_listens(config, f)));
	set_integer(row, "hello_timeout_ms", f->hello_timeout);
	set_integer(row, "connect_timeout_ms", f->connect_timeout);
	set_integer(row, "idle_timeout_ms", f->idle_timeout);
	set_integer(row, "half_close_timeout_ms", f->half_close_timeout);
	set_integer(row, "max_connections", f->max_connections);
	attributes_add(row, KIND_FRONTEND, f);
	if (view) {
		struct frontend_stats stats = view_frontend_stats(view, f->o.id);
		struct door_drops drops = view_drops(view, f->o.id);

		frontend_stats_set(row, &stats);
		json_object_set_new(row, "dropped", json_drops(&drops));
	}
	return row;
}

json_t *frontend_rows(const struct config *config, const struct view *view)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < config->n_frontends; i++)
		json_array_append_new(rows, frontend_row(config, &config->frontends[i], view));
	return rows;
}

/* ---- farms and servers --------------------------------------------------------------- */

json_t *farm_row(const struct farm *farm, const struct view *view)
{
	json_t *row = object_new(&farm->o);
	__u64 bytes[2] = {0}, packets[2] = {0}, live = 0;

	set_string(row, "balance", balance_name(farm->balance));
	set_port(row, farm->port);
	set_integer(row, "servers", farm->n_servers);
	attributes_add(row, KIND_FARM, farm);
	if (!view)
		return row;
	for (size_t i = 0; i < farm->n_servers; i++) {
		struct server_stats stats = view_server_stats(view, farm->servers[i].o.id);

		live += stats.live;
		for (int side = 0; side < 2; side++) {
			bytes[side] += stats.bytes[side];
			packets[side] += stats.packets[side];
		}
	}
	set_integer(row, "live", live);
	set_integer(row, "chosen", view_farm_stats(view, farm->o.id).chosen);
	set_integer(row, "queued", view_farm_stats(view, farm->o.id).queued);
	set_traffic(row, bytes, packets);
	return row;
}

json_t *farm_rows(const struct config *config, const struct view *view)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < config->n_farms; i++)
		json_array_append_new(rows, farm_row(&config->farms[i], view));
	return rows;
}

/* Takes new connections while every server is up? */
static bool takes_share(const struct farm *farm, const struct server *server)
{
	bool primary = false;

	for (size_t i = 0; i < farm->n_servers; i++)
		primary |= server_is_used(&farm->servers[i]) && !farm->servers[i].backup;
	return server_is_used(server) && (!server->backup || !primary);
}

/* The part of a farm's new connections a server is to get, in percent, every server being up. */
static double server_share(const struct farm *farm, const struct server *server)
{
	unsigned int total = 0;

	for (size_t i = 0; i < farm->n_servers; i++)
		if (takes_share(farm, &farm->servers[i]))
			total += farm->servers[i].weight;
	return total && takes_share(farm, server) ? 100.0 * server->weight / total : 0;
}

static void server_stats_set(json_t *row, const struct server_stats *stats)
{
	set_integer(row, "live", stats->live);
	set_integer(row, "chosen", stats->chosen);
	set_integer(row, "connected", stats->connected);
	set_integer(row, "refused", stats->refused);
	set_integer(row, "timeouts", stats->timeouts);
	set_integer(row, "errors", stats->errors);
	set_traffic(row, stats->bytes, stats->packets);
}

static json_t *time_or_null(uint64_t milliseconds)
{
	return milliseconds ? json_date(milliseconds / 1000) : json_null();
}

static void server_health_set(json_t *row, const struct server_health *health)
{
	bool checked = health->checked;

	static const uint8_t none[16];
	bool found = memcmp(health->address, none, sizeof(none));

	json_object_set_new(row, "resolved",
			    found ? json_endpoint(health->address, 0) : json_null());
	set_string(row, "state", names_text(&server_state_names, health->state));
	json_object_set_new(row, "since", time_or_null(health->since));
	json_object_set_new(row, "last_check", time_or_null(health->checked));
	set_string(row, "check_status",
		   checked ? names_text(&check_status_names, health->status) : NULL);
	json_object_set_new(row, "check_code",
			    health->code ? json_integer(health->code) : json_null());
	set_string(row, "check_text", checked ? (const char *)health->text : NULL);
}

static json_t *server_endpoint(const struct server *server, uint16_t port)
{
	if (!server->host)
		return json_endpoint(server->address, port);
	return port ? json_sprintf("%s:%u", server->host, port) : json_string(server->host);
}

json_t *server_row(const struct farm *farm, const struct server *server, const struct view *view)
{
	json_t *row = object_new(&server->o);
	/* `first` does not go by weight: the lowest id that is up gets everything. */
	bool by_weight = farm->balance != BALANCE_FIRST;
	uint16_t port = server->port ? server->port : farm->port;

	set_string(row, "farm", farm->o.name);
	json_object_set_new(row, "address", server_endpoint(server, 0));
	set_port(row, port);
	json_object_set_new(row, "endpoint", server_endpoint(server, port));
	set_string(row, "status", server_status_name(server->status));
	set_integer(row, "weight", server->weight);
	json_object_set_new(row, "share",
			    by_weight ? json_real(server_share(farm, server)) : json_null());
	set_string(row, "proxy_protocol_version", proxy_protocol_name(server->proxy_protocol));
	attributes_add(row, KIND_SERVER, server);
	if (view) {
		struct server_stats stats = view_server_stats(view, server->o.id);
		struct server_health health = view_server_health(view, server->o.id);

		server_health_set(row, &health);
		server_stats_set(row, &stats);
	}
	return row;
}

json_t *server_rows(const struct config *config, const struct farm *farm, const struct view *view)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *f = &config->farms[i];

		for (size_t j = 0; (!farm || farm == f) && j < f->n_servers; j++)
			json_array_append_new(rows, server_row(f, &f->servers[j], view));
	}
	return rows;
}

/* ---- routes and rules ---------------------------------------------------------------- */

json_t *rule_row(const struct route *route, const struct rule *rule)
{
	json_t *row = json_object();

	if (rule->o.id)
		set_integer(row, "id", rule->o.id);
	set_string(row, "route", route->o.name);
	set_string(row, "field", field_name(rule->field));
	set_string(row, "match", match_name(rule->match));
	attributes_add(row, KIND_RULE, rule);
	return row;
}

json_t *rule_text(const json_t *rule)
{
	const char *pattern = json_string_value(json_object_get(rule, "pattern"));
	const char *quote = pattern && display_is_blank(pattern) ? "\"" : "";

	return json_sprintf("%s%s %s%s%s%s%s",
			    json_is_true(json_object_get(rule, "negate")) ? "not " : "",
			    json_string_value(json_object_get(rule, "field")),
			    json_string_value(json_object_get(rule, "match")), pattern ? " " : "",
			    quote, pattern ? pattern : "", quote);
}

/* Every rule has to match: "sni is a and not alpn is h2". */
static json_t *rules_text(const json_t *rules)
{
	json_t *all = NULL, *rule;
	size_t i;

	json_array_foreach (rules, i, rule) {
		json_t *one = rule_text(rule), *before = all;

		all = before ? json_sprintf("%s and %s", json_string_value(before),
					    json_string_value(one))
			     : json_incref(one);
		json_decref(before);
		json_decref(one);
	}
	return json_array_size(rules) ? all : json_string("never: it has no rules yet");
}

json_t *route_row(const struct route *route, size_t place, const struct view *view)
{
	json_t *row = object_new(&route->o), *rules = json_array();

	set_string(row, "frontend", route->frontend ? route->frontend->o.name : NULL);
	json_object_set_new(row, "place", place ? json_integer(place) : json_null());
	set_integer(row, "weight", route->weight);
	set_string(row, "action", action_name(route->action));
	set_string(row, "target", route->target ? route->target->o.name : NULL);
	attributes_add(row, KIND_ROUTE, route);
	for (size_t i = 0; i < route->n_rules; i++)
		json_array_append_new(rules, rule_row(route, &route->rules[i]));
	json_object_set_new(row, "when", rules_text(rules));
	json_object_set_new(row, "rules", rules);
	if (view) {
		struct route_stats stats = view_route_stats(view, route->o.id);

		set_integer(row, "live", stats.live);
		set_integer(row, "matched", stats.matched);
		set_traffic(row, stats.bytes, stats.packets);
	}
	return row;
}

static void append_in_order(json_t *rows, const struct config *config,
			    const struct frontend *frontend, const struct view *view)
{
	size_t n = 0;
	struct route **routes = config_routes_in_order(config, frontend, &n);

	for (size_t i = 0; routes && i < n; i++)
		json_array_append_new(rows, route_row(routes[i], i + 1, view));
	free(routes);
}

json_t *route_rows(const struct config *config, const struct frontend *frontend,
		   const struct view *view)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < config->n_frontends; i++)
		if (!frontend || frontend == &config->frontends[i])
			append_in_order(rows, config, &config->frontends[i], view);
	for (size_t i = 0; !frontend && i < config->n_routes; i++)
		if (!config->routes[i].frontend)
			json_array_append_new(rows, route_row(&config->routes[i], 0, view));
	return rows;
}
