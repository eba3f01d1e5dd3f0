/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../model/keys.h"
#include "complete.h"
#include "output.h"
#include "service.h"
#include "snapshot.h"
#include "words.h"

static json_t *offered;

void complete_offer(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (options.json) {
		offered = offered ? offered : json_array();
		json_array_append_new(offered, json_vsprintf(format, args));
	} else {
		vprintf(format, args);
		putchar('\n');
	}
	va_end(args);
}

int complete_end(void)
{
	int code = CLI_OK;

	if (options.json)
		code = output_json(offered ? offered : json_array());
	json_decref(offered);
	offered = NULL;
	return code;
}

static void offer_object(const struct object *object, bool id)
{
	if (id)
		complete_offer("%u", object->id);
	else
		complete_offer("%s", object->name);
}

static void offer_servers(const struct config *config, bool id)
{
	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *farm = &config->farms[i];

		for (size_t j = 0; j < farm->n_servers; j++) {
			const struct object *server = &farm->servers[j].o;

			if (id)
				offer_object(server, true);
			else
				complete_offer("%s/%s", farm->o.name, server->name);
		}
	}
}

static void offer_rule_ids(const struct config *config)
{
	for (size_t i = 0; i < config->n_routes; i++)
		for (size_t j = 0; j < config->routes[i].n_rules; j++)
			offer_object(&config->routes[i].rules[j].o, true);
}

static void offer_kind(const struct config *config, const char *kind, bool id)
{
	if (!strcmp(kind, "frontend"))
		for (size_t i = 0; i < config->n_frontends; i++)
			offer_object(&config->frontends[i].o, id);
	else if (!strcmp(kind, "farm"))
		for (size_t i = 0; i < config->n_farms; i++)
			offer_object(&config->farms[i].o, id);
	else if (!strcmp(kind, "route") || (!strcmp(kind, "rule") && !id))
		for (size_t i = 0; i < config->n_routes; i++)
			offer_object(&config->routes[i].o, id);
	else if (!strcmp(kind, "rule"))
		offer_rule_ids(config);
	else if (!strcmp(kind, "server"))
		offer_servers(config, id);
}

static void offer_running(const char *kind, bool id)
{
	struct snapshot s;

	if (!snapshot_open(&s))
		offer_kind(s.config, kind, id);
	snapshot_close(&s);
}

static void offer_staged(const char *kind)
{
	struct staging staging;

	if (!staging_open(&staging))
		offer_kind(staging.config, kind, !strcmp(kind, "rule"));
	staging_close(&staging);
}

/* The names of an attribute that has a list of them, or of the objects it refers to. */
static void offer_values(const struct attribute *a)
{
	enum kind kind = reference_kind(a);

	if (kind != KIND_MAX)
		offer_staged(kind_name(kind));
	for (size_t i = 0; a->names && i < a->names->n; i++)
		if (a->names->v[i].use == NAME_ALLOWED)
			complete_offer("%s", a->names->v[i].text);
	if (a->type == &type_bool) {
		complete_offer("true");
		complete_offer("false");
	}
	if (a->nullable)
		complete_offer("null");
}

static void offer_attribute(enum kind kind, const char *keyword)
{
	const struct words *words = words_of(kind);

	for (size_t i = 0; i < words->n; i++) {
		const struct word *word = &words->words[i];

		if (strcmp(words->keywords[i].name, keyword))
			continue;
		if (!word->attribute)
			offer_staged("route");
		else
			offer_values(word->member ? word->member : word->attribute);
		if (word->member && !strcmp(word->member->key, "type") && word->attribute->nullable)
			complete_offer("null");
	}
}

void complete_value(const struct noun *noun, const struct verb *verb, const char *keyword)
{
	if (verb->attributes)
		offer_attribute(verb->kind, keyword);
	else if (noun->names)
		noun->names();
	else
		offer_running(noun->name, !strcmp(keyword, "id"));
}

void complete_argument(const struct noun *noun, const struct verb *verb)
{
	if (!strcmp(verb->name, "add"))
		return;
	if (noun->names)
		noun->names();
	else if (verb->write)
		offer_staged(kind_name(verb->kind));
}

void complete_service(const char *path, const char *key)
{
	json_t *list = NULL, *item;
	size_t i;

	if (service_call(NULL, "GET", path, NULL, &list))
		return;
	json_array_foreach (list, i, item) {
		const json_t *value = key ? json_object_get(item, key) : item;

		if (json_is_string(value))
			complete_offer("%s", json_string_value(value));
		else
			complete_offer("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	}
	json_decref(list);
}
