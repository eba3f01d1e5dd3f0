// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../model/keys.h"

/* ---- names ---------------------------------------------------------------------------- */

static const struct attribute *find_key(enum kind kind, const struct table *table, const char *key)
{
	char name[API_KEY_MAX];

	for (size_t i = 0; i < table->n; i++)
		if (table->v[i].type != &type_list &&
		    !strcmp(api_key(kind, &table->v[i], name), key))
			return &table->v[i];
	return NULL;
}

/* Where a conversion is: for messages, and for what it needs to know. */
struct conversion {
	struct api_call *call;
	enum kind kind;
	const char *within; /* the attribute whose mapping it is in, with a dot; "" for none */
};

static void refuse_unknown(struct conversion *c, const struct table *table, const char *key)
{
	struct text allowed = {0}, name = {0};
	char known[API_KEY_MAX];

	for (size_t i = 0; i < table->n; i++)
		if (table->v[i].type != &type_list && table->v[i].type != &type_id)
			text_append(&allowed, "%s%s", allowed.len ? ", " : "",
				    api_key(c->kind, &table->v[i], known));
	text_append_escaped(&name, key, strlen(key));
	api_refuse(c->call, 400, "%s%s: unknown field, allowed: %s", c->within, name.s, allowed.s);
}

/* ---- from the API --------------------------------------------------------------------- */

static json_t *mapping_in(struct conversion *c, const struct table *table, const json_t *mapping);

/*
 * The target of an action is an id as a text, since there are actions elsewhere with other targets;
 * it is empty where there is none.
 */
static bool is_text(const struct attribute *a)
{
	return !strcmp(a->key, "target");
}

static json_int_t referred_id(const struct attribute *a, const json_t *value)
{
	uint32_t id;

	if (json_is_string(value) && is_text(a) && api_number(json_string_value(value), &id))
		return id;
	return json_integer_value(value);
}

static json_t *reference_in(struct conversion *c, const struct attribute *a, const json_t *value)
{
	const struct staged *staged = &c->call->daemon->staged;
	enum kind kind = reference_kind(a);
	json_int_t id = referred_id(a, value);
	const json_t *object = NULL;
	struct text quoted = {0};
	char key[API_KEY_MAX];

	if (is_text(a) && json_is_string(value) && !json_string_length(value))
		return json_null();
	if (id > 0 && id <= kind_limit(kind))
		object = staged_object(staged, kind, 0, id);
	if (object)
		return json_string(object_name(object));
	text_append_value(&quoted, value);
	api_refuse(c->call, 400, "%s%s: %s is the id of no %s, allowed: an id of GET /tcp/%s%s",
		   c->within, api_key(c->kind, a, key), quoted.s, kind_name(kind), kind_name(kind),
		   a->nullable ? ", null" : "");
	return NULL;
}

/* Seconds; a text with a unit is left to the decoder, as are mistakes. */
static json_t *duration_in(const json_t *value)
{
	double number = json_number_value(value) * 1000;
	int64_t milliseconds = fabs(number) < 1e9 * 1000 ? number + (number < 0 ? -0.5 : 0.5) : 0;
	struct text text = {0};

	if (json_is_number(value) && number == 0)
		return json_integer(0);
	if (!milliseconds) /* no number, or out of any range */
		return json_incref((json_t *)value);
	duration_format(milliseconds, &text);
	return json_string(text.s);
}

static json_t *inner_in(struct conversion *c, const struct attribute *a, const json_t *mapping)
{
	char within[API_KEY_MAX + 1];
	struct conversion inner = {c->call, c->kind, within};
	char key[API_KEY_MAX];

	snprintf(within, sizeof(within), "%s.", api_key(c->kind, a, key));
	return mapping_in(&inner, a->table, mapping);
}

static json_t *value_in(struct conversion *c, const struct attribute *a, const json_t *value)
{
	if (json_is_null(value))
		return json_null();
	if (reference_kind(a) != KIND_MAX)
		return reference_in(c, a, value);
	if (a->type == &type_duration)
		return duration_in(value);
	if (a->table && json_is_object(value))
		return inner_in(c, a, value);
	return json_incref((json_t *)value);
}

/* NULL after refusing the call. */
static json_t *mapping_in(struct conversion *c, const struct table *table, const json_t *mapping)
{
	json_t *fields = json_object(), *value, *converted;
	const char *key;

	json_object_foreach ((json_t *)mapping, key, value) {
		const struct attribute *a = find_key(c->kind, table, key);

		if (!a)
			refuse_unknown(c, table, key);
		converted = a ? value_in(c, a, value) : NULL;
		if (!converted || json_object_set_new(fields, a->key, converted)) {
			json_decref(fields);
			return NULL;
		}
	}
	return fields;
}

static bool is_fixed(const char *const *fixed, const char *key)
{
	for (; fixed && *fixed; fixed++)
		if (!strcmp(*fixed, key))
			return true;
	return false;
}

/* What stands for null where an attribute has a default of its own. */
static json_t *unset_out(const struct attribute *a)
{
	if (a->type == &type_off || a->type == &type_bool)
		return json_false();
	if (a->type == &type_enum && !a->nullable && !a->required)
		return json_string(names_text(a->names, a->preset));
	return strcmp(a->key, "zone") ? json_null() : json_string("all");
}

static bool is_default(const struct attribute *a, const json_t *now, const json_t *value)
{
	json_t *unset = json_is_null(value) ? unset_out(a) : NULL;
	bool is = unset && json_equal(unset, now);

	json_decref(unset);
	return is;
}

/* Takes what cannot be changed out of `given`; false after refusing the call. */
static bool take_read_only(struct conversion *c, json_t *given, const json_t *before,
			   const char *const *fixed)
{
	const struct table *table = kind_table(c->kind);
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(given, next, key, value)
	{
		const struct attribute *a = find_key(c->kind, table, key);
		const json_t *now = json_object_get(before, key);
		bool same = now && (json_equal(now, value) || (a && is_default(a, now, value)));
		bool read_only = a ? a->type == &type_id : now || is_fixed(fixed, key);
		bool unchangeable = a && before && is_fixed(fixed, key);

		if (!read_only && !unchangeable)
			continue;
		if (!same) {
			api_refuse(c->call, 400, "%s: %s", key,
				   read_only ? "is read-only" : "cannot be changed after creation");
			return false;
		}
		json_object_del(given, key);
	}
	return true;
}

json_t *fields_from_api(struct api_call *call, enum kind kind, const json_t *before,
			const char *const *fixed)
{
	struct conversion c = {call, kind, ""};
	json_t *given = json_copy(call->fields), *fields = NULL;

	if (take_read_only(&c, given, before, fixed))
		fields = mapping_in(&c, kind_table(kind), given);
	if (!fields && !call->status)
		api_refuse(call, 500, "out of memory");
	json_decref(given);
	return fields;
}

/* ---- to the API ----------------------------------------------------------------------- */

static json_t *mapping_out(const struct staged *staged, enum kind kind, const struct table *table,
			   const json_t *mapping);

static json_t *seconds_out(const json_t *value)
{
	const char *text = json_string_value(value);
	int64_t milliseconds = text ? duration_parse(text) : 0;

	return milliseconds % 1000 ? json_real(milliseconds / 1000.0)
				   : json_integer(milliseconds / 1000);
}

/* A pattern may be a list in a file. */
static json_t *joined_out(const json_t *list)
{
	struct text text = {0};

	for (size_t i = 0; i < json_array_size(list); i++)
		text_append(&text, "%s%s", i ? "," : "",
			    json_string_value(json_array_get(list, i)));
	return json_string(text.s);
}

static json_t *reference_out(const struct staged *staged, const struct attribute *a,
			     const char *name)
{
	uint32_t id = staged_id(staged, reference_kind(a), name);

	return is_text(a) ? json_sprintf("%u", id) : json_integer(id);
}

static json_t *value_out(const struct staged *staged, enum kind kind, const struct attribute *a,
			 const json_t *value)
{
	if (!value || json_is_null(value))
		return unset_out(a);
	if (reference_kind(a) != KIND_MAX)
		return reference_out(staged, a, json_string_value(value));
	if (a->type == &type_duration)
		return seconds_out(value);
	if (a->type == &type_ports && json_is_integer(value))
		return json_sprintf("%d", (int)json_integer_value(value));
	if (kind == KIND_RULE && json_is_array(value))
		return joined_out(value);
	if (a->table && json_is_object(value))
		return mapping_out(staged, kind, a->table, value);
	return json_incref((json_t *)value);
}

static json_t *mapping_out(const struct staged *staged, enum kind kind, const struct table *table,
			   const json_t *mapping)
{
	json_t *fields = json_object();
	char key[API_KEY_MAX];

	for (size_t i = 0; i < table->n; i++) {
		const struct attribute *a = &table->v[i];

		if (a->type != &type_list)
			json_object_set_new(
				fields, api_key(kind, a, key),
				value_out(staged, kind, a, json_object_get(mapping, a->key)));
	}
	return fields;
}

/* The object as it was decoded; NULL for kinds without lists. */
static const void *decoded(const struct config *config, enum kind kind, uint32_t id)
{
	for (size_t i = 0; kind == KIND_FRONTEND && i < config->n_frontends; i++)
		if (config->frontends[i].o.id == id)
			return &config->frontends[i];
	for (size_t i = 0; kind == KIND_SERVER && i < config->n_farms; i++)
		for (size_t j = 0; j < config->farms[i].n_servers; j++)
			if (config->farms[i].servers[j].o.id == id)
				return &config->farms[i].servers[j];
	return NULL;
}

/* Two lists of the same look the same, whatever order they were written in. */
static void order_lists(const struct staged *staged, enum kind kind, uint32_t id, json_t *shown)
{
	const struct table *table = kind_table(kind);
	const void *object = NULL;
	char key[API_KEY_MAX];

	for (size_t i = 0; i < table->n; i++) {
		const struct attribute *a = &table->v[i];

		if (!json_array_size(json_object_get(shown, api_key(kind, a, key))))
			continue;
		object = object ? object : decoded(staged->config, kind, id);
		if (object)
			json_object_set_new(shown, key, a->type->encode(a, object));
	}
}

json_t *fields_to_api(const struct staged *staged, enum kind kind, const json_t *object)
{
	json_t *shown = mapping_out(staged, kind, kind_table(kind), object);

	order_lists(staged, kind, object_id(object), shown);
	return shown;
}
