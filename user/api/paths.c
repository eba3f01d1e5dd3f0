// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which path and method is whose. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/text.h"
#include "handlers.h"

#define OBJECT_MAX (1 << 20) /* bytes of a body, but for a configuration as a whole */

#define SERVICE	   "/1.0/ipLoadbalancing/{service}"

struct path {
	const char *method, *pattern;
	api_handler *handle;
	const struct api_resource *resource;
	const char *query; /* what it may hold, with spaces around; NULL: filters of a list */
	bool raw;	   /* the body is read as it is: a configuration, which may be YAML */
};

/* clang-format off */
#define GET(path, handler, ...)	   {.method = "GET", .pattern = path, .handle = handler, __VA_ARGS__}
#define POST(path, handler, ...)   {.method = "POST", .pattern = path, .handle = handler, __VA_ARGS__}
#define PUT(path, handler, ...)	   {.method = "PUT", .pattern = path, .handle = handler, __VA_ARGS__}
#define DELETE(path, handler, ...) {.method = "DELETE", .pattern = path, .handle = handler, __VA_ARGS__}
#define OF(which) .resource = &resource_##which

#define OBJECTS(path, which)                                                                       \
	GET(SERVICE path, resource_list, OF(which)),                                               \
	POST(SERVICE path, resource_create, OF(which)),                                            \
	GET(SERVICE path "/{id}", resource_get, OF(which)),                                        \
	PUT(SERVICE path "/{id}", resource_change, OF(which)),                                     \
	DELETE(SERVICE path "/{id}", resource_delete, OF(which))

static const struct path paths[] = {
	GET("/1.0/auth/time", time_get),
	GET("/1.0/ipLoadbalancing", services_get),
	GET("/1.0/ipLoadbalancing/availableZones", available_zones_get),
	GET(SERVICE, service_get),
	PUT(SERVICE, service_put),

	OBJECTS("/tcp/farm", farm),
	OBJECTS("/tcp/farm/{parent}/server", server),
	OBJECTS("/tcp/frontend", frontend),
	OBJECTS("/tcp/route", route),
	OBJECTS("/tcp/route/{parent}/rule", rule),

	POST(SERVICE "/refresh", refresh_post),
	GET(SERVICE "/pendingChanges", pending_get),
	GET(SERVICE "/task", task_list, .query = " action status "),
	GET(SERVICE "/task/{id}", task_get),

	GET(SERVICE "/zone", zones_get),
	GET(SERVICE "/zone/{name}", zone_get),
	GET(SERVICE "/status", status_get),
	GET(SERVICE "/instancesState", instances_get),
	GET(SERVICE "/natIp", nat_ip_get),
	GET(SERVICE "/quota", zones_get),
	GET(SERVICE "/quota/{name}", quota_get),
	GET(SERVICE "/metricsToken", metrics_token_get),

	GET(SERVICE "/availableFarmProbes", available_farm_probes),
	GET(SERVICE "/availableFarmType", available_types),
	GET(SERVICE "/availableFrontendType", available_types),
	GET(SERVICE "/availableRouteActions", available_route_actions),
	GET(SERVICE "/availableRouteRules", available_route_rules),
	GET(SERVICE "/definedFarms", defined_objects, OF(farm)),
	GET(SERVICE "/definedFrontends", defined_objects, OF(frontend)),
	GET(SERVICE "/definedRoutes", defined_routes),

	GET("/1.0/alpnlb/config", config_get, .query = " zone "),
	PUT("/1.0/alpnlb/config", config_put, .raw = true),
	POST("/1.0/alpnlb/dryRun", dry_run_post),
	GET("/1.0/alpnlb/diff", diff_get, .query = " zone "),
	PUT("/1.0/alpnlb/farm/{parent}/server/{id}/status", server_status_put),
	GET("/1.0/alpnlb/revision", revisions_get),
	GET("/1.0/alpnlb/revision/{id}", revision_get),
	GET("/1.0/alpnlb/revision/{id}/diff", revision_diff_get, .query = " to "),
	POST("/1.0/alpnlb/revision/{id}/rollback", revision_rollback),
	GET("/1.0/alpnlb/daemon", daemon_get),
	GET(METRICS_PATH, metrics_get),
	GET("/1.0/alpnlb/events", events_get, .query = " connections "),
	{.pattern = NULL},
};
/* clang-format on */

/* ---- matching ------------------------------------------------------------------------- */

/* No object has an id of more digits than are read, or one below zero: said of what it is. */
static bool is_odd_id(struct api_call *call, const char *of, const char *text)
{
	const char *digits = text + (*text == '-');

	if (!*digits || digits[strspn(digits, "0123456789")])
		return false;
	snprintf(call->missing, sizeof(call->missing), "%.*s with the id %.60s",
		 (int)strcspn(of, "/"), of, text);
	return true;
}

/* One part of the path, decoded, into its place; `of` is the part of the pattern before it. */
static bool take_part(struct api_call *call, const char *variable, const char *of, const char *text)
{
	uint32_t *id = !strcmp(variable, "{id}") ? &call->id : &call->parent;

	if (!strcmp(variable, "{name}"))
		return snprintf(call->name, sizeof(call->name), "%s", text) <
		       (int)sizeof(call->name);
	if (!strcmp(variable, "{service}"))
		return !strcmp(text, call->daemon->name);
	return api_number(text, id) || is_odd_id(call, of, text);
}

static char *decode_part(const char *text, size_t len, size_t *decoded_len)
{
	char *part = strndup(text, len), *decoded;

	decoded = part ? evhttp_uridecode(part, 0, decoded_len) : NULL;
	free(part);
	return decoded;
}

static bool part_fits(struct api_call *call, const char *pattern, const char *of, const char *text,
		      size_t len)
{
	size_t pattern_len = strcspn(pattern, "/"), decoded_len;
	char variable[32], *decoded = decode_part(text, len, &decoded_len);
	bool fits = decoded && strlen(decoded) == decoded_len;

	snprintf(variable, sizeof(variable), "%.*s", (int)pattern_len, pattern);
	if (fits && *variable == '{')
		fits = take_part(call, variable, of, decoded);
	else if (fits)
		fits = !strcmp(variable, decoded);
	free(decoded);
	return fits;
}

static bool path_fits(struct api_call *call, const char *pattern)
{
	const char *text = call->path, *of = pattern;

	*call->missing = '\0';
	while (*pattern == '/' && *text == '/') {
		size_t len = strcspn(++text, "/");

		if (!part_fits(call, ++pattern, of, text, len))
			return false;
		of = pattern;
		pattern += strcspn(pattern, "/");
		text += len;
	}
	return !*pattern && !*text;
}

static void add_allowed(struct api_call *call, const char *method)
{
	size_t len = strlen(call->allow);

	snprintf(call->allow + len, sizeof(call->allow) - len, "%s%s", len ? ", " : "", method);
}

/* The row of path and method; NULL after refusing. */
static const struct path *find_path(struct api_call *call)
{
	for (const struct path *path = paths; path->pattern; path++) {
		if (!path_fits(call, path->pattern))
			continue;
		if (!strcmp(path->method, call->method))
			return path;
		add_allowed(call, path->method);
	}
	if (*call->allow)
		api_refuse(call, 405, "%s is no method of this path, allowed: %s", call->method,
			   call->allow);
	else
		api_refuse(call, 404, "there is no such path; the service is %s",
			   call->daemon->name);
	return NULL;
}

/* ---- what comes with a path ----------------------------------------------------------- */

static bool is_filter(const struct path *path, const char *key)
{
	const struct api_filter *filter = path->resource ? path->resource->filters : NULL;
	char word[64];

	if (path->query) {
		snprintf(word, sizeof(word), " %s ", key);
		return strstr(path->query, word);
	}
	for (; path->handle == resource_list && filter && filter->key; filter++)
		if (!strcmp(filter->key, key))
			return true;
	return false;
}

static bool check_query(struct api_call *call, const struct path *path)
{
	for (struct evkeyval *pair = call->query.tqh_first; pair; pair = pair->next.tqe_next) {
		bool known = is_filter(path, pair->key);
		struct text key = {0};

		if (known && api_query(call, pair->key) == pair->value)
			continue;
		text_append_escaped(&key, pair->key, strlen(pair->key));
		api_refuse(call, 400, "%s: %s", key.s,
			   known ? "is given twice" : "unknown filter of this path");
		return false;
	}
	return true;
}

static bool parse_body(struct api_call *call)
{
	struct text why = {0};
	json_error_t error;

	if (call->body_len > OBJECT_MAX) {
		api_refuse(call, 413, "the body is larger than 1 MB");
		return false;
	}
	call->fields = call->body_len ? json_loadb(call->body, call->body_len,
						   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error)
				      : json_object();
	if (!call->fields) {
		text_append_escaped(&why, error.text, strlen(error.text));
		api_refuse(call, 400, "the body is no JSON: %s", why.s);
		return false;
	}
	if (json_is_null(call->fields))
		call->fields = json_object();
	if (!json_is_object(call->fields))
		api_refuse(call, 400, "the body is no JSON object");
	return !call->status;
}

void api_dispatch(struct api_call *call)
{
	const struct path *path = find_path(call);

	if (path && *call->missing)
		api_refuse(call, 404, "there is no %s", call->missing);
	else if (path && check_query(call, path) && (path->raw || parse_body(call)))
		path->handle(call, path->resource);
	if (!call->status)
		api_refuse(call, 500, "out of memory");
}
