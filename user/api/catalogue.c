// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What can be written, from the tables that writes are checked against. */
#include "../model/decoder.h"
#include "handlers.h"

static json_t *names_json(const struct names *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->n; i++)
		if (names->v[i].use == NAME_ALLOWED)
			json_array_append_new(list, json_string(names->v[i].text));
	return list;
}

/* Those of the names that a type of probe has a use for. */
static json_t *probe_names(enum probe_type type, const struct names *names, probe_takes *takes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->n; i++)
		if (takes(type, names->v[i].value))
			json_array_append_new(list, json_string(names->v[i].text));
	return list;
}

void available_farm_probes(struct api_call *call, const struct api_resource *resource)
{
	json_t *list = json_array();

	for (size_t i = 0; i < probe_type_names.n; i++) {
		const struct name *type = &probe_type_names.v[i];
		json_t *matches = probe_names(type->value, &probe_match_names, probe_takes_match);

		json_array_append_new(
			list,
			json_pack("{s:s, s:o, s:O, s:o, s:b, s:b}", "type", type->text, "matches",
				  matches, "negatableMatches", matches, "method",
				  probe_names(type->value, &probe_method_names, probe_takes_method),
				  "port", type->value != PROBE_OCO, "url",
				  probe_takes_url(type->value)));
	}
	api_answer(call, list);
}

void available_types(struct api_call *call, const struct api_resource *resource)
{
	api_answer(call, json_pack("[s]", "tcp"));
}

void available_route_actions(struct api_call *call, const struct api_resource *resource)
{
	json_t *list = json_array();

	for (size_t i = 0; i < action_names.n; i++)
		if (action_names.v[i].use == NAME_ALLOWED)
			json_array_append_new(
				list,
				json_pack("{s:s, s:s, s:s?}", "type", "tcp", "name",
					  action_names.v[i].text, "destination",
					  action_names.v[i].value == ACTION_FARM ? "farm" : NULL));
	api_answer(call, list);
}

static json_t *matches_of(enum field field)
{
	json_t *list = json_array();

	for (size_t i = 0; i < match_names.n; i++)
		if (match_names.v[i].use == NAME_ALLOWED &&
		    field_takes_match(field, match_names.v[i].value))
			json_array_append_new(list, json_string(match_names.v[i].text));
	return list;
}

static const char *pattern_of(enum field field)
{
	return field_words(field) ? "enum" : field == FIELD_SOURCE ? "cidr" : "string";
}

static json_t *enum_of(enum field field)
{
	const struct names *words = field_words(field);

	return words ? names_json(words) : json_array();
}

void available_route_rules(struct api_call *call, const struct api_resource *resource)
{
	json_t *list = json_array();

	for (size_t i = 0; i < field_names.n; i++) {
		const struct name *field = &field_names.v[i];

		if (field->use == NAME_ALLOWED)
			json_array_append_new(list,
					      json_pack("{s:s, s:s, s:o, s:b, s:s, s:o}", "type",
							"tcp", "name", field->text, "matches",
							matches_of(field->value), "hasSubField", 0,
							"pattern", pattern_of(field->value), "enum",
							enum_of(field->value)));
	}
	api_answer(call, list);
}

void defined_routes(struct api_call *call, const struct api_resource *resource)
{
	const json_t *objects = staged_list(&call->daemon->staged, KIND_ROUTE, 0);
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(objects); i++) {
		const json_t *route = json_array_get(objects, i);
		json_t *name = json_object_get(route, "display_name");

		json_array_append_new(list,
				      json_pack("{s:i, s:s, s:O?}", "routeId", object_id(route),
						"type", "tcp", "displayName", name));
	}
	api_answer(call, list);
}

void defined_objects(struct api_call *call, const struct api_resource *resource)
{
	const json_t *objects = staged_list(&call->daemon->staged, resource->kind, 0);
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(objects); i++)
		json_array_append_new(list, json_pack("{s:i, s:s}", "id",
						      object_id(json_array_get(objects, i)), "type",
						      "tcp"));
	api_answer(call, list);
}
