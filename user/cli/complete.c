/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../model/keys.h"
#include "complete.h"
#include "service.h"
#include "snapshot.h"
#include "words.h"

static void print_object(const struct object *object, bool id)
{
	if (id)
		printf("%u\n", object->id);
	else
		puts(object->name);
}

static void print_servers(const struct config *config, bool id)
{
	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *farm = &config->farms[i];

		for (size_t j = 0; j < farm->n_servers; j++) {
			if (!id)
				printf("%s/", farm->o.name);
			print_object(&farm->servers[j].o, id);
		}
	}
}

static void print_rule_ids(const struct config *config)
{
	for (size_t i = 0; i < config->n_routes; i++)
		for (size_t j = 0; j < config->routes[i].n_rules; j++)
			print_object(&config->routes[i].rules[j].o, true);
}

static void print_kind(const struct config *config, const char *kind, bool id)
{
	if (!strcmp(kind, "frontend"))
		for (size_t i = 0; i < config->n_frontends; i++)
			print_object(&config->frontends[i].o, id);
	else if (!strcmp(kind, "farm"))
		for (size_t i = 0; i < config->n_farms; i++)
			print_object(&config->farms[i].o, id);
	else if (!strcmp(kind, "route") || (!strcmp(kind, "rule") && !id))
		for (size_t i = 0; i < config->n_routes; i++)
			print_object(&config->routes[i].o, id);
	else if (!strcmp(kind, "rule"))
		print_rule_ids(config);
	else if (!strcmp(kind, "server"))
		print_servers(config, id);
}

static void print_running(const char *kind, bool id)
{
	struct snapshot s;

	if (!snapshot_open(&s))
		print_kind(s.config, kind, id);
	snapshot_close(&s);
}

static void print_staged(const char *kind)
{
	struct staging staging;

	if (!staging_open(&staging))
		print_kind(staging.config, kind, !strcmp(kind, "rule"));
	staging_close(&staging);
}

/* The names of an attribute that has a list of them, or of the objects it refers to. */
static void print_values(const struct attribute *a)
{
	enum kind kind = reference_kind(a);

	if (kind != KIND_MAX)
		print_staged(kind_name(kind));
	for (size_t i = 0; a->names && i < a->names->n; i++)
		if (a->names->v[i].use == NAME_ALLOWED)
			puts(a->names->v[i].text);
	if (a->type == &type_bool)
		puts("true\nfalse");
	if (a->nullable)
		puts("null");
}

static void print_attribute(enum kind kind, const char *keyword)
{
	const struct words *words = words_of(kind);

	for (size_t i = 0; i < words->n; i++) {
		const struct word *word = &words->words[i];

		if (strcmp(words->keywords[i].name, keyword))
			continue;
		if (!word->attribute)
			print_staged("route");
		else
			print_values(word->member ? word->member : word->attribute);
		if (word->member && !strcmp(word->member->key, "type") && word->attribute->nullable)
			puts("null");
	}
}

void complete_value(const struct noun *noun, const struct verb *verb, const char *keyword)
{
	if (verb->attributes)
		print_attribute(verb->kind, keyword);
	else if (noun->names)
		noun->names();
	else
		print_running(noun->name, !strcmp(keyword, "id"));
}

void complete_argument(const struct noun *noun, const struct verb *verb)
{
	if (!strcmp(verb->name, "add"))
		return;
	if (noun->names)
		noun->names();
	else if (verb->write)
		print_staged(kind_name(verb->kind));
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
			puts(json_string_value(value));
		else
			printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	}
	json_decref(list);
}
