/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "cli.h"
#include "complete.h"
#include "output.h"
#include "service.h"

static const struct column columns[] = {
	COLUMN("name", "ZONE"),
	COLUMN("here", "HERE"),
	COLUMN("pending", "PENDING CHANGES", .brief = "PENDING"),
	COLUMNS_END,
};

static bool is_of(const json_t *service, const char *zone)
{
	json_t *ours = json_array_get(json_object_get(service, "zone"), 0);

	return json_is_string(ours) &&
	       (!strcmp(json_string_value(ours), zone) || !strcmp(json_string_value(ours), "all"));
}

static json_int_t pending_in(const json_t *pending, const char *zone)
{
	json_t *entry;
	size_t i;

	json_array_foreach (pending, i, entry)
		if (!strcmp(json_string_value(json_object_get(entry, "zone")), zone))
			return json_integer_value(json_object_get(entry, "number"));
	return 0;
}

static json_t *zone_rows(const json_t *zones, const json_t *service, const json_t *pending)
{
	json_t *rows = json_array(), *zone;
	size_t i;

	json_array_foreach (zones, i, zone) {
		const char *name = json_string_value(zone);

		json_array_append_new(rows, json_pack("{s:s, s:b, s:I}", "name", name, "here",
						      is_of(service, name), "pending",
						      pending_in(pending, name)));
	}
	return rows;
}

static int zone_show(const char *const *values)
{
	json_t *zones = NULL, *service = NULL, *pending = NULL;
	int code = service_call(NULL, "GET", ZONES_PATH, NULL, &zones);

	if (!code)
		code = service_call(NULL, "GET", "", NULL, &service);
	if (!code)
		code = service_call(NULL, "GET", "pendingChanges", NULL, &pending);
	if (!code)
		code = output_show(columns, zone_rows(zones, service, pending), false);
	json_decref(zones);
	json_decref(service);
	json_decref(pending);
	return code;
}

static void print_zones(void)
{
	complete_service(ZONES_PATH, NULL);
}

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the zones that objects name, and this instance's",
	 .run = zone_show},
	{.name = NULL},
};

const struct noun noun_zone = {
	.name = "zone",
	.help = "where objects are installed",
	.text = "Objects of other zones are kept, and not installed here. Manual: "
		"alpnlb-refresh(8).\n",
	.verbs = verbs,
	.default_verb = "show",
	.names = print_zones,
};
