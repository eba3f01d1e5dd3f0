/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/keys.h"

/* ---- the words ----------------------------------------------------------------------- */

static char *allowed(const struct attribute *a)
{
	struct text text = {0};

	if (a->type->allow)
		a->type->allow(a, &text);
	else if (a->type != &type_refused)
		text_append(&text, "a text");
	if (a->nullable)
		text_append(&text, "%snull", text.len ? ", " : "");
	return strdup(text.s);
}

static void add_word(struct words *words, const char *name, const char *value,
		     const struct attribute *attribute, const struct attribute *member)
{
	if (words->n == KEYWORDS_MAX - 1 || !name || !value)
		return;
	words->keywords[words->n] = (struct keyword){name, value};
	words->words[words->n++] = (struct word){attribute, member};
}

/* The target of an action is `target` alone: there is no route without an action. */
static char *member_name(const struct attribute *a, const struct attribute *member)
{
	char *name;

	if (a->required)
		return strdup(member->key);
	return asprintf(&name, "%s.%s", a->key, member->key) < 0 ? NULL : name;
}

static void add_mapping(struct words *words, const struct attribute *a)
{
	for (size_t i = 0; i < a->table->n; i++) {
		const struct attribute *member = &a->table->v[i];
		bool is_type = !strcmp(member->key, "type");
		struct text text = {0};

		if (!is_type) {
			add_word(words, member_name(a, member), allowed(member), a, member);
			continue;
		}
		names_list(member->names, &text);
		text_append(&text, "%s", a->nullable ? ", null" : "");
		add_word(words, a->key, strdup(text.s), a, member);
	}
}

static void make_words(struct words *words, enum kind kind)
{
	const struct table *table = kind_table(kind);

	if (kind == KIND_RULE)
		add_word(words, "route", "the name or id of a route", NULL, NULL);
	for (size_t i = 0; i < table->n; i++) {
		const struct attribute *a = &table->v[i];

		if (a->table)
			add_mapping(words, a);
		else if (a->type != &type_id && a->type != &type_list)
			add_word(words, a->key, allowed(a), a, NULL);
	}
}

const struct words *words_of(enum kind kind)
{
	static struct words made[KIND_MAX];

	if (!made[kind].n)
		make_words(&made[kind], kind);
	return &made[kind];
}

static void api_spelling(enum kind kind, const struct words *words, size_t i, char *name)
{
	const struct word *word = &words->words[i];

	if (word->attribute && !word->member) {
		api_key(kind, word->attribute, name);
		return;
	}
	snprintf(name, API_KEY_MAX, "%s", words->keywords[i].name);
	camel_case(name);
}

const char *words_spelled(enum kind kind, const char *given)
{
	const struct words *words = words_of(kind);
	char name[API_KEY_MAX];

	for (size_t i = 0; i < words->n; i++) {
		api_spelling(kind, words, i, name);
		if (!strcmp(name, given))
			return words->keywords[i].name;
	}
	return given;
}

const char *words_of_path(const char *path)
{
	char key[API_KEY_MAX];

	for (int kind = 0; kind < KIND_MAX; kind++) {
		const struct words *words = words_of(kind);

		for (size_t i = 0; i < words->n; i++) {
			const struct word *word = &words->words[i];

			if (!word->member)
				continue;
			snprintf(key, sizeof(key), "%s.%s", word->attribute->key,
				 word->member->key);
			if (!strcmp(path, key))
				return words->keywords[i].name;
		}
	}
	return path;
}

/* ---- values -------------------------------------------------------------------------- */

/* What is no integer is left to the decoder to refuse. */
static json_t *integer_of(const char *text)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	return *text && !*end && !errno ? json_integer(value) : json_string(text);
}

/* "192.0.2.0/24, 2001:db8::/32" */
static json_t *list_of(const char *text)
{
	json_t *list = json_array();

	for (;;) {
		const char *first = text + strspn(text, " "), *last = first + strcspn(first, ",");
		const char *next = *last ? last + 1 : NULL;

		while (last > first && last[-1] == ' ')
			last--;
		if (json_array_append_new(list, json_stringn(first, last - first))) {
			json_decref(list);
			return NULL;
		}
		if (!next)
			return list;
		text = next;
	}
}

/* Null is a text when it stands in quotes; that with its quotes, in one pair more. */
static json_t *text_of(const char *text)
{
	size_t len = strlen(text), quotes = strspn(text, "\"");

	if (quotes && len == 2 * quotes + 4 && !strncmp(text + quotes, "null", 4) &&
	    strspn(text + quotes + 4, "\"") == quotes)
		return json_stringn(text + 1, len - 2);
	return json_string(text);
}

static json_t *value_of(const struct attribute *a, const char *text)
{
	if (!strcmp(text, "null"))
		return json_null();
	if (a->type == &type_integer || (a->type == &type_duration && !strcmp(text, "0")))
		return integer_of(text);
	if ((a->type == &type_bool || a->type == &type_off) &&
	    (!strcmp(text, "true") || !strcmp(text, "false")))
		return json_boolean(!strcmp(text, "true"));
	if (a->type == &type_prefixes || a->type == &type_addresses || a->type == &type_flags)
		return list_of(text);
	return text_of(text);
}

/* ---- fields -------------------------------------------------------------------------- */

/* The mapping to set a member of: begun already, as it was before, or a new one. */
static json_t *mapping_of(json_t *fields, const struct attribute *a, const void *before)
{
	json_t *mapping = json_object_get(fields, a->key);

	if (json_is_object(mapping))
		return mapping;
	mapping = before ? a->type->encode(a, before) : NULL;
	mapping = mapping ? mapping : json_object();
	json_object_set_new(fields, a->key, mapping);
	return mapping;
}

/* Becomes the action another one? Then nothing of it is kept: a reject route has no target. */
static bool is_replaced(const struct word *word, const char *type, const void *before)
{
	json_t *old;
	bool replaced;

	if (!before || !word->attribute->required || strcmp(word->member->key, "type"))
		return false;
	old = word->attribute->type->encode(word->attribute, before);
	replaced = strcmp(json_string_value(json_object_get(old, "type")), type);
	json_decref(old);
	return replaced;
}

static int set_member(json_t *fields, const struct word *word, const char *value,
		      const void *before)
{
	const void *kept = is_replaced(word, value, before) ? NULL : before;

	return json_object_set_new(mapping_of(fields, word->attribute, kept), word->member->key,
				   value_of(word->member, value));
}

json_t *words_fields(enum kind kind, const char *const *values, const void *before)
{
	const struct words *words = words_of(kind);
	json_t *fields = json_object();

	for (size_t i = 0; i < words->n; i++) {
		const struct attribute *a = words->words[i].attribute;
		const struct attribute *member = words->words[i].member;
		bool unset = values[i] && !strcmp(values[i], "null");
		int err;

		if (!values[i] || !a)
			continue;
		if (!member || (unset && !strcmp(member->key, "type")))
			err = json_object_set_new(fields, a->key, value_of(a, values[i]));
		else
			err = set_member(fields, &words->words[i], values[i], before);
		if (err) {
			json_decref(fields);
			return NULL;
		}
	}
	return fields;
}
