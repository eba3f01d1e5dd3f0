// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "resource.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../model/prefix.h"
#include "../model/staged.h"
#include "fields.h"

static void refuse_missing(struct api_call *call, enum kind kind, uint32_t id)
{
	api_refuse(call, 404, "there is no %s with the id %u", kind_name(kind), id);
}

/* Is there what the path says the object is in? Otherwise refuses. */
static bool parent_exists(struct api_call *call, const struct api_resource *resource)
{
	const struct api_resource *parent = resource->parent;

	if (!parent || staged_object(&call->daemon->staged, parent->kind, 0, call->parent))
		return true;
	refuse_missing(call, parent->kind, call->parent);
	return false;
}

/* The object of the path; NULL after refusing. */
static const json_t *find_object(struct api_call *call, const struct api_resource *resource)
{
	const json_t *object;

	if (!parent_exists(call, resource))
		return NULL;
	object = staged_object(&call->daemon->staged, resource->kind, call->parent, call->id);
	if (!object)
		refuse_missing(call, resource->kind, call->id);
	return object;
}

json_t *resource_show(const struct api_call *call, const struct api_resource *resource,
		      const json_t *object)
{
	json_t *shown = fields_to_api(&call->daemon->staged, resource->kind, object);

	if (shown && resource->add_computed)
		resource->add_computed(call, object, shown);
	return shown;
}

/* ---- lists ---------------------------------------------------------------------------- */

static bool is_address(const json_t *value, const char *text)
{
	uint8_t wanted[16], address[16];

	if (!json_is_string(value))
		return false;
	if (address_parse(text, wanted)) /* a host name */
		return !strcasecmp(json_string_value(value), text);
	return !address_parse(json_string_value(value), address) &&
	       !memcmp(address, wanted, sizeof(wanted));
}

static bool value_is(const json_t *value, const char *text)
{
	char *end;
	json_int_t wanted;

	if (json_is_string(value))
		return !strcmp(json_string_value(value), text);
	errno = 0;
	wanted = strtoll(text, &end, 10);
	return json_is_integer(value) && json_integer_value(value) == wanted && !errno && *text &&
	       !*end;
}

static bool has_ports(const json_t *value, const char *text)
{
	return ports_include(json_string_value(value), text);
}

static bool check_filter(struct api_call *call, const struct api_filter *filter, const char *text)
{
	uint8_t address[16];

	if (filter->names)
		return api_query_is_name(call, filter->key, filter->names);
	if (filter->type == JSON_INTEGER && (!*text || text[strspn(text, "0123456789")]))
		api_refuse(call, 400, "%s: is not an integer", filter->key);
	else if (filter->address && address_parse(text, address) && !host_name_is_valid(text))
		api_refuse(call, 400, "%s: is not an address", filter->key);
	else if (filter->ports && !ports_valid(text))
		api_refuse(call, 400, "%s: is no port, allowed: " PORTS_ALLOWED, filter->key);
	return !call->status;
}

/* What no value can be would find nothing, and nobody would know why. */
static bool check_filters(struct api_call *call, const struct api_filter *filters)
{
	for (; filters && filters->key; filters++) {
		const char *text = api_query(call, filters->key);

		if (text && !check_filter(call, filters, text))
			return false;
	}
	return true;
}

typedef bool test(const json_t *value, const char *text);

static test *filter_test(const struct api_filter *filter)
{
	if (filter->address)
		return is_address;
	return filter->ports ? has_ports : value_is;
}

static bool passes(const struct api_call *call, const struct api_resource *resource,
		   const json_t *object)
{
	const struct api_filter *filter = resource->filters;
	bool pass = true;
	json_t *shown;

	if (!filter || !call->query.tqh_first)
		return true;
	shown = fields_to_api(&call->daemon->staged, resource->kind, object);
	for (; filter->key && pass; filter++) {
		const char *text = api_query(call, filter->key);

		pass = !text || filter_test(filter)(json_object_get(shown, filter->key), text);
	}
	json_decref(shown);
	return pass;
}

static int compare_ids(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static json_t *ids_of(struct api_call *call, const struct api_resource *resource,
		      const json_t *objects)
{
	size_t n = 0, size = json_array_size(objects);
	uint32_t *ids = calloc(size + 1, sizeof(*ids));
	json_t *list = ids ? json_array() : NULL;

	for (size_t i = 0; i < size && ids; i++)
		if (passes(call, resource, json_array_get(objects, i)))
			ids[n++] = object_id(json_array_get(objects, i));
	if (ids && !resource->in_order)
		qsort(ids, n, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer(ids[i]));
	free(ids);
	return list;
}

void resource_list(struct api_call *call, const struct api_resource *resource)
{
	json_t *ordered = NULL;
	const json_t *objects;

	if (!check_filters(call, resource->filters) || !parent_exists(call, resource))
		return;
	objects = staged_list(&call->daemon->staged, resource->kind, call->parent);
	if (resource->in_order)
		objects = ordered = resource->in_order(call);
	api_answer(call, ids_of(call, resource, objects));
	json_decref(ordered);
}

/* ---- one object ----------------------------------------------------------------------- */

void resource_get(struct api_call *call, const struct api_resource *resource)
{
	const json_t *object = find_object(call, resource);

	if (object)
		api_answer(call, resource_show(call, resource, object));
}

static void refuse_write(struct api_call *call, const struct api_resource *resource, int err,
			 const struct problems *problems)
{
	if (err == -EINVAL)
		api_refuse_problems(call, 400, resource->kind, problems);
	else if (err == -EBUSY && problems->errors)
		api_refuse_problems(call, 409, resource->kind, problems);
	else if (err == -ENOSPC)
		api_refuse(call, 409, "there are %u %ss, allowed: no more",
			   kind_limit(resource->kind), kind_name(resource->kind));
	else
		api_refuse_unkept(call, err);
}

void resource_create(struct api_call *call, const struct api_resource *resource)
{
	struct staged *staged = &call->daemon->staged;
	struct problems problems = {.api_names = !call->file_names};
	json_t *fields;
	uint32_t id;
	int err;

	if (!parent_exists(call, resource))
		return;
	fields = fields_from_api(call, resource->kind, NULL, resource->fixed);
	if (!fields)
		return;
	err = staged_create(staged, resource->kind, call->parent, fields, &id, &problems);
	if (err)
		refuse_write(call, resource, err, &problems);
	else
		api_answer(call,
			   resource_show(call, resource,
					 staged_object(staged, resource->kind, call->parent, id)));
	json_decref(fields);
	problems_free(&problems);
}

void resource_change(struct api_call *call, const struct api_resource *resource)
{
	const json_t *object = find_object(call, resource);
	struct problems problems = {.api_names = !call->file_names};
	json_t *shown, *fields;
	int err;

	if (!object)
		return;
	shown = resource_show(call, resource, object);
	fields = fields_from_api(call, resource->kind, shown, resource->fixed);
	json_decref(shown);
	if (!fields)
		return;
	err = staged_change(&call->daemon->staged, resource->kind, call->parent, call->id, fields,
			    &problems);
	if (err)
		refuse_write(call, resource, err, &problems);
	else
		api_answer(call, json_null());
	json_decref(fields);
	problems_free(&problems);
}

void resource_delete(struct api_call *call, const struct api_resource *resource)
{
	struct problems problems = {.api_names = !call->file_names};
	int err;

	if (!find_object(call, resource))
		return;
	err = staged_delete(&call->daemon->staged, resource->kind, call->parent, call->id,
			    &problems);
	if (err)
		refuse_write(call, resource, err, &problems);
	else
		api_answer(call, json_null());
	problems_free(&problems);
}
