/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../model/keys.h"
#include "complete.h"
#include "find.h"
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

static void offer_names(const struct names *names)
{
	for (size_t i = 0; names && i < names->n; i++)
		if (names->v[i].use == NAME_ALLOWED)
			complete_offer("%s", names->v[i].text);
}

/* ---- values of attributes ------------------------------------------------------------ */

/* The names of an attribute that has a list of them, or of the objects it refers to. */
static void offer_values(const struct attribute *a)
{
	enum kind kind = reference_kind(a);

	if (kind != KIND_MAX)
		offer_staged(kind_name(kind));
	offer_names(a->names);
	if (a->type == &type_bool) {
		complete_offer("true");
		complete_offer("false");
	}
	if (a->nullable)
		complete_offer("null");
}

/* The field of the rule that is staged, 0 if there is none. */
static enum field staged_field(const char *rule)
{
	struct staging staging;
	struct found found = {0};
	enum field field = 0;

	if (!staging_open(&staging) && !find_staged(staging.config, KIND_RULE, rule, &found))
		field = ((const struct rule *)found.object)->field;
	staging_close(&staging);
	return field;
}

/* Which patterns there are the field tells, given in the same line or before. */
static void offer_patterns(const struct line *line)
{
	const struct keyword *keyword = keyword_match(line->verb, "field");
	const char *given = line->values[keyword - verb_keywords(line->verb)];
	const struct name *name = given ? names_find(&field_names, given) : NULL;

	if (name)
		offer_names(field_words(name->value));
	else if (!given && line->argument)
		offer_names(field_words(staged_field(line->argument)));
}

static void offer_attribute(const struct line *line, const struct keyword *keyword)
{
	const struct words *words = words_of(line->verb->kind);
	const struct word *word = &words->words[keyword - words->keywords];

	if (!word->attribute)
		offer_staged("route");
	else
		offer_values(word->member ? word->member : word->attribute);
	if (word->member && !strcmp(word->member->key, "type") && word->attribute->nullable)
		complete_offer("null");
	if (line->verb->kind == KIND_RULE && !strcmp(keyword->name, "pattern"))
		offer_patterns(line);
}

/* ---- arguments and keywords ---------------------------------------------------------- */

/* Of "N|running|staged" the words; returns whether that leaves nothing. */
static bool offer_alternatives(const char *value)
{
	bool all = true;

	while (*value) {
		size_t len = strcspn(value, "|");

		if (strspn(value, "abcdefghijklmnopqrstuvwxyz-") >= len)
			complete_offer("%.*s", (int)len, value);
		else
			all = false;
		value += len + (value[len] == '|');
	}
	return all;
}

static bool is_kind(const char *word)
{
	for (int kind = 0; kind < KIND_MAX; kind++)
		if (!strcmp(word, kind_name(kind)))
			return true;
	return false;
}

void complete_value(const struct line *line, const struct keyword *keyword)
{
	if (line->verb->attributes)
		offer_attribute(line, keyword);
	else if (offer_alternatives(keyword->value))
		return;
	else if (!strcmp(keyword->name, "zone"))
		noun_zone.names();
	else if (line->noun->names)
		line->noun->names();
	else
		offer_running(is_kind(line->noun->name) ? line->noun->name : keyword->name,
			      !strcmp(keyword->name, "id"));
}

/* A new server begins with its farm. */
static void offer_farms(void)
{
	struct staging staging;

	if (!staging_open(&staging))
		for (size_t i = 0; i < staging.config->n_farms; i++)
			complete_offer("%s/", staging.config->farms[i].o.name);
	staging_close(&staging);
}

void complete_argument(const struct line *line)
{
	const struct verb *verb = line->verb;
	bool is_new = !strcmp(verb->name, "add");

	if (is_new && verb->write && verb->kind == KIND_SERVER)
		offer_farms();
	else if (is_new)
		return;
	else if (line->noun->names)
		line->noun->names();
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
