/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Walking tables of attributes, and the types of plain values. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"
#include "keys.h"

static void *field_of(const struct attribute *a, const void *object)
{
	return (char *)object + a->offset;
}

static void store(const struct attribute *a, void *object, int64_t value)
{
	void *field = field_of(a, object);

	switch (a->size) {
	case 1:
		*(uint8_t *)field = value;
		break;
	case 2:
		*(uint16_t *)field = value;
		break;
	case 4:
		*(uint32_t *)field = value;
		break;
	case 8:
		*(int64_t *)field = value;
		break;
	}
}

static int64_t load(const struct attribute *a, const void *object)
{
	const void *field = field_of(a, object);

	switch (a->size) {
	case 1:
		return *(const uint8_t *)field;
	case 2:
		return *(const uint16_t *)field;
	case 4:
		return *(const uint32_t *)field;
	case 8:
		return *(const int64_t *)field;
	}
	return 0;
}

char *decode_copy(struct decoder *d, const char *text)
{
	char *copy = strdup(text);

	d->out_of_memory |= !copy;
	return copy;
}

void *decode_alloc(struct decoder *d, size_t n, size_t size)
{
	void *memory = calloc(n ? n : 1, size);

	d->out_of_memory |= !memory;
	return memory;
}

struct text value_quoted(const struct value *value)
{
	struct text text = {0};

	text_append_value(&text, value->json);
	return text;
}

struct text in_line(const struct object *object)
{
	struct text text = {0};

	if (object->line)
		text_append(&text, " in line %d", object->line);
	return text;
}

const char *decode_key(const struct decoder *d, const char *key, char name[API_KEY_MAX])
{
	snprintf(name, API_KEY_MAX, "%s", key);
	if (d->problems->api_names)
		camel_case(name);
	return name;
}

static void allow_keys(const struct decoder *d, const struct table *table, struct text *text)
{
	char name[API_KEY_MAX];

	text_append(text, "a mapping with the keys ");
	for (size_t i = 0; i < table->n; i++)
		text_append(text, "%s%s", i ? ", " : "", decode_key(d, table->v[i].key, name));
}

static void allow_seconds(const struct attribute *a, struct text *text)
{
	text_append(text, "%s%.10g..%.10g seconds", a->or_zero ? "0, " : "", a->min / 1000.0,
		    a->max / 1000.0);
}

/* What is allowed where it is written in another way than in a file. Is that so? */
static bool allow_in_api(const struct decoder *d, const struct attribute *a, struct text *text)
{
	enum kind kind = reference_kind(a);

	if (a->type == &type_duration)
		allow_seconds(a, text);
	else if (kind != KIND_MAX)
		text_append(text, "the id of a %s", kind_name(kind));
	else if (a->type == &type_mapping)
		allow_keys(d, a->table, text);
	else
		return false;
	return true;
}

static void allow(const struct decoder *d, const struct attribute *a, struct text *text)
{
	if (!(d->problems->api_names && allow_in_api(d, a, text)) && a->type->allow)
		a->type->allow(a, text);
}

static void allow_null(const struct attribute *a, struct text *text)
{
	if (a->nullable)
		text_append(text, "%snull", text->len ? ", " : "");
}

void decode_refuse(struct decoder *d, const struct attribute *a, const struct value *value,
		   const char *what)
{
	struct text allowed = {0};

	allow(d, a, &allowed);
	allow_null(a, &allowed);
	decode_error(d, value, "%s%s%s, allowed: %s", value->json ? value_quoted(value).s : "",
		     value->json ? " " : "", what, allowed.s);
}

/* ---- integers ------------------------------------------------------------------------- */

static bool in_range(const struct attribute *a, int64_t value)
{
	return (value >= a->min && value <= a->max) || (a->or_zero && value == 0);
}

static bool read_integer(struct decoder *d, const struct attribute *a, const struct value *value,
			 int64_t *number)
{
	const char *what = NULL;

	*number = json_integer_value(value->json);
	if (!json_is_integer(value->json))
		what = "is not an integer";
	else if (!in_range(a, *number))
		what = "is out of range";
	if (what)
		decode_refuse(d, a, value, what);
	return !what;
}

static void allow_range(const struct attribute *a, struct text *text)
{
	text_append(text, "%" PRId64 "..%" PRId64, a->min, a->max);
}

static void decode_integer(struct decoder *d, const struct attribute *a, const struct value *value,
			   void *object)
{
	int64_t number;

	if (read_integer(d, a, value, &number))
		store(a, object, number);
}

static json_t *encode_integer(const struct attribute *a, const void *object)
{
	int64_t value = load(a, object);

	return value == a->preset ? NULL : json_integer(value);
}

const struct type type_integer = {decode_integer, encode_integer, allow_range};

static void decode_id(struct decoder *d, const struct attribute *a, const struct value *value,
		      void *object)
{
	int64_t id;

	if (!read_integer(d, a, value, &id))
		return;
	if (!d->ids[a->kind].bits && id_set_init(&d->ids[a->kind], a->max))
		d->out_of_memory = true;
	else if (!id_set_add(&d->ids[a->kind], id))
		decode_error(d, value,
			     "%" PRId64 " is already the id of another %s, allowed: one of its own",
			     id, kind_name(a->kind));
	store(a, object, id);
}

const struct type type_id = {decode_id, encode_integer, allow_range};

static void decode_bool(struct decoder *d, const struct attribute *a, const struct value *value,
			void *object)
{
	if (!json_is_boolean(value->json))
		decode_refuse(d, a, value, "is not a boolean");
	else
		store(a, object, json_is_true(value->json));
}

static json_t *encode_bool(const struct attribute *a, const void *object)
{
	int64_t value = load(a, object);

	return value == a->preset ? NULL : json_boolean(value);
}

static void allow_bool(const struct attribute *a, struct text *text)
{
	text_append(text, "true, false");
}

const struct type type_bool = {decode_bool, encode_bool, allow_bool};

/* ---- durations ------------------------------------------------------------------------ */

static const struct unit {
	const char *name;
	int64_t milliseconds;
} units[] = {
	{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

#define UNITS (sizeof(units) / sizeof(units[0]))

int64_t duration_parse(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	long long number = digits && digits <= 9 ? atoll(text) : -1;

	for (size_t i = 0; i < UNITS && number >= 0; i++)
		if (!strcmp(text + digits, units[i].name))
			return number * units[i].milliseconds;
	return -1;
}

void duration_format(int64_t milliseconds, struct text *text)
{
	size_t i = 0;

	while (milliseconds % units[i].milliseconds)
		i++;
	text_append(text, "%" PRId64 "%s", milliseconds / units[i].milliseconds, units[i].name);
}

static void allow_duration(const struct attribute *a, struct text *text)
{
	text_append(text, "%s", a->or_zero ? "0, " : "");
	duration_format(a->min, text);
	text_append(text, "..");
	duration_format(a->max, text);
	text_append(text, " with a unit (ms, s, m, h, d)");
}

static void decode_duration(struct decoder *d, const struct attribute *a, const struct value *value,
			    void *object)
{
	const char *text = json_string_value(value->json);
	int64_t number = text ? duration_parse(text) : 0;
	bool zero = json_is_integer(value->json) && !json_integer_value(value->json);
	json_t *seconds = d->problems->api_names && number > 0 ? json_real(number / 1000.0) : NULL;
	struct value given = *value;

	given.json = seconds ? seconds : value->json;
	if (json_is_number(value->json) && !zero)
		decode_refuse(d, a, &given,
			      d->problems->api_names ? "is out of range" : "has no unit");
	else if (number < 0 || (!text && !zero))
		decode_refuse(d, a, &given, "is not a duration");
	else if (!in_range(a, number))
		decode_refuse(d, a, &given, "is out of range");
	else
		store(a, object, number);
	json_decref(seconds);
}

static json_t *encode_duration(const struct attribute *a, const void *object)
{
	int64_t value = load(a, object);
	struct text text = {0};

	if (value == a->preset)
		return NULL;
	if (value == 0)
		return json_integer(0);
	duration_format(value, &text);
	return json_string(text.s);
}

const struct type type_duration = {decode_duration, encode_duration, allow_duration};

/* ---- text ----------------------------------------------------------------------------- */

/* A file has been checked as it was read; what comes through the API has not. */
static const char *decode_safe_text(struct decoder *d, const struct value *value)
{
	const char *text = json_string_value(value->json);
	uint32_t c;

	if (!text_find_unsafe(text, json_string_length(value->json), &c))
		return text;
	decode_error(d, value, UNSAFE_CHARACTER, c);
	return NULL;
}

const char *decode_item_text(struct decoder *d, const struct value *value, const char *allowed)
{
	bool scalar = !json_is_array(value->json) && !json_is_object(value->json);

	if (json_is_string(value->json))
		return decode_safe_text(d, value);
	decode_error(d, value, "%s is not a string%s, allowed: %s", value_quoted(value).s,
		     scalar ? " without quotes" : "", allowed);
	return NULL;
}

const char *decode_text(struct decoder *d, const struct attribute *a, const struct value *value)
{
	struct text allowed = {0};

	if (json_is_string(value->json))
		return decode_safe_text(d, value);
	allow(d, a, &allowed);
	allow_null(a, &allowed);
	return decode_item_text(d, value, allowed.s);
}

static const char *unit_of(const struct attribute *a)
{
	return a->type == &type_title ? "characters" : "bytes";
}

static void decode_string(struct decoder *d, const struct attribute *a, const struct value *value,
			  void *object)
{
	const char *text = decode_text(d, a, value);
	size_t length = 0;
	char what[48];

	if (text)
		length = a->type == &type_title ? text_characters(text) : strlen(text);
	if (length > (size_t)a->max) {
		snprintf(what, sizeof(what), "has %zu %s", length, unit_of(a));
		decode_refuse(d, a, value, what);
	} else if (text)
		*(char **)field_of(a, object) = decode_copy(d, text);
}

static json_t *encode_string(const struct attribute *a, const void *object)
{
	const char *text = *(char *const *)field_of(a, object);

	return text ? json_string(text) : NULL;
}

static void allow_string(const struct attribute *a, struct text *text)
{
	text_append(text, "a text of at most %" PRId64 " %s", a->max, unit_of(a));
}

const struct type type_string = {decode_string, encode_string, allow_string};
const struct type type_title = {decode_string, encode_string, allow_string};

/* A bad name is kept, too, so that references to it are not reported as mistakes as well. */
static void decode_name(struct decoder *d, const struct attribute *a, const struct value *value,
			void *object)
{
	const char *text = decode_text(d, a, value);
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return;
	if (!len || len > NAME_MAX_LEN || text[strspn(text, NAME_CHARACTERS)])
		decode_refuse(d, a, value, "is not a name");
	*(char **)field_of(a, object) = decode_copy(d, text);
}

static void allow_name(const struct attribute *a, struct text *text)
{
	text_append(text, "1..%d of A-Z a-z 0-9 . _ -", NAME_MAX_LEN);
}

const struct type type_name = {decode_name, encode_string, allow_name};

static json_t *encode_zone(const struct attribute *a, const void *object)
{
	const char *zone = *(char *const *)field_of(a, object);

	return zone_is_all(zone) ? NULL : json_string(zone);
}

const struct type type_zone = {decode_name, encode_zone, allow_name};

static void decode_enum(struct decoder *d, const struct attribute *a, const struct value *value,
			void *object)
{
	const char *text = decode_text(d, a, value);
	const struct name *name = text ? names_find(a->names, text) : NULL;

	if (name)
		store(a, object, name->value);
	else if (text)
		decode_refuse(d, a, value, "is unknown");
}

static void allow_enum(const struct attribute *a, struct text *text)
{
	names_list(a->names, text);
}

static json_t *encode_enum(const struct attribute *a, const void *object)
{
	int64_t value = load(a, object);

	return value == a->preset ? NULL : json_string(names_text(a->names, value));
}

const struct type type_enum = {decode_enum, encode_enum, allow_enum};

static void decode_flags(struct decoder *d, const struct attribute *a, const struct value *value,
			 void *object)
{
	struct text allowed = {0};
	int64_t flags = 0;

	names_list(a->names, &allowed);
	if (!json_is_array(value->json)) {
		decode_refuse(d, a, value, "is not a list");
		return;
	}
	for (size_t i = 0; i < json_array_size(value->json); i++) {
		struct value item = value_item(value, i);
		const char *text = decode_item_text(d, &item, allowed.s);
		const struct name *name = text ? names_find(a->names, text) : NULL;

		if (name)
			flags |= name->value;
		else if (text)
			decode_error(d, &item, "%s is unknown, allowed: %s", value_quoted(&item).s,
				     allowed.s);
	}
	store(a, object, flags);
}

static void allow_flags(const struct attribute *a, struct text *text)
{
	text_append(text, "a list of ");
	names_list(a->names, text);
}

static json_t *encode_flags(const struct attribute *a, const void *object)
{
	int64_t flags = load(a, object);
	json_t *list = flags ? json_array() : NULL;

	for (size_t i = 0; i < a->names->n && list; i++)
		if (flags & a->names->v[i].value)
			json_array_append_new(list, json_string(a->names->v[i].text));
	return list;
}

const struct type type_flags = {decode_flags, encode_flags, allow_flags};

static void decode_refused(struct decoder *d, const struct attribute *a, const struct value *value,
			   void *object)
{
	decode_refuse(d, a, value, a->why);
}

static void decode_off(struct decoder *d, const struct attribute *a, const struct value *value,
		       void *object)
{
	if (!json_is_false(value->json))
		decode_refused(d, a, value, object);
}

static json_t *encode_nothing(const struct attribute *a, const void *object)
{
	return NULL;
}

static void allow_false(const struct attribute *a, struct text *text)
{
	text_append(text, "false");
}

const struct type type_refused = {decode_refused, encode_nothing, NULL};
const struct type type_off = {decode_off, encode_nothing, allow_false};

/* ---- objects -------------------------------------------------------------------------- */

const struct attribute *table_find(const struct table *table, const char *key)
{
	for (size_t i = 0; i < table->n; i++)
		if (!strcmp(table->v[i].key, key))
			return &table->v[i];
	return NULL;
}

static void list_keys(const struct table *table, struct text *text)
{
	for (size_t i = 0; i < table->n; i++)
		text_append(text, "%s%s", i ? ", " : "", table->v[i].key);
}

/* Edits between a key as a file has it, or as the API does, and what is given. */
static size_t key_distance(const char *key, const char *given)
{
	char camel[API_KEY_MAX];
	size_t as_file = edit_distance(key, given), as_api;

	snprintf(camel, sizeof(camel), "%s", key);
	camel_case(camel);
	as_api = edit_distance(camel, given);
	return as_file < as_api ? as_file : as_api;
}

static void refuse_key(struct decoder *d, const struct table *table, const struct value *value)
{
	struct text allowed = {0}, hint = {0};
	size_t nearest = 3; /* edits: more is no slip of the finger */

	for (size_t i = 0; i < table->n; i++) {
		const char *key = table->v[i].key;
		size_t distance = key_distance(key, value->key);

		if (distance < nearest && distance < strlen(key)) {
			nearest = distance;
			hint.len = 0;
			text_append(&hint, ", did you mean %s?", key);
		}
	}
	list_keys(table, &allowed);
	decode_error(d, value, "unknown key%s%s allowed: %s", hint.s, *hint.s ? "" : ",",
		     allowed.s);
}

/* Puts each member beside the row of its attribute. */
static void assign_members(struct decoder *d, const struct value *value, const struct table *table,
			   struct value members[ATTRIBUTES_MAX])
{
	const struct attribute *a;
	const char *key;
	json_t *json;
	size_t n = 0;

	for (size_t i = 0; i < table->n; i++)
		members[i] = (struct value){.parent = value, .key = table->v[i].key};
	json_object_foreach ((json_t *)value->json, key, json) {
		struct value member = value_nth_member(value, n++, key, json);

		a = table_find(table, key);
		if (a)
			members[a - table->v] = member;
		else
			refuse_key(d, table, &member);
	}
}

static bool is_number_field(const struct attribute *a)
{
	return a->type == &type_integer || a->type == &type_bool || a->type == &type_duration ||
	       a->type == &type_enum || a->type == &type_port_range;
}

static void decode_given(struct decoder *d, const struct attribute *a, const struct value *value,
			 void *object)
{
	a->type->decode(d, a, value, object);
	if (a->unused && !json_is_false(value->json))
		decode_warning(d, value, "stored, not acted on by this version");
}

static void decode_member(struct decoder *d, const struct attribute *a, const struct value *value,
			  void *object)
{
	bool unset = !value->json || (a->nullable && json_is_null(value->json));

	if (is_number_field(a))
		store(a, object, a->preset);
	if (unset && a->required)
		decode_refuse(d, a, value, "is missing");
	else if (!unset && json_is_null(value->json) && d->problems->api_names)
		decode_refuse(d, a, value, "cannot unset it");
	else if (!unset)
		decode_given(d, a, value, object);
}

static void refuse_object(struct decoder *d, const struct value *value, const struct table *table)
{
	struct text allowed = {0};

	allow_keys(d, table, &allowed);
	decode_error(d, value, "%s is not a mapping, allowed: %s", value_quoted(value).s,
		     allowed.s);
}

bool decode_object(struct decoder *d, const struct value *value, const struct table *table,
		   void *object)
{
	struct value members[ATTRIBUTES_MAX];

	if (!json_is_object(value->json)) {
		refuse_object(d, value, table);
		return false;
	}
	assign_members(d, value, table, members);
	for (size_t i = 0; i < table->n; i++)
		decode_member(d, &table->v[i], &members[i], object);
	return true;
}

json_t *encode_object(const struct table *table, const void *object)
{
	json_t *json = json_object();

	for (size_t i = 0; i < table->n; i++) {
		json_t *member = table->v[i].type->encode(&table->v[i], object);

		if (member && json_object_set_new(json, table->v[i].key, member)) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static void decode_mapping(struct decoder *d, const struct attribute *a, const struct value *value,
			   void *object)
{
	decode_object(d, value, a->table, object);
}

static json_t *encode_mapping(const struct attribute *a, const void *object)
{
	return encode_object(a->table, object);
}

static void allow_mapping(const struct attribute *a, struct text *text)
{
	text_append(text, "a mapping with the keys ");
	list_keys(a->table, text);
}

const struct type type_mapping = {decode_mapping, encode_mapping, allow_mapping};

/* ---- lists of objects ----------------------------------------------------------------- */

static struct object *element(const struct list *list, void *elements, size_t i)
{
	return (struct object *)((char *)elements + i * list->size);
}

static size_t *count_of(const struct list *list, const void *object)
{
	return (size_t *)((char *)object + list->count_offset);
}

static void index_names(struct decoder *d, const struct list *list, const struct value *value,
			void *elements, size_t n)
{
	struct name_index *names = &d->names[list->kind];

	if (name_index_reset(names, n)) {
		d->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct object *object = element(list, elements, i);
		struct object *other = object->name ? name_index_add(names, object) : NULL;
		struct value item = value_item(value, i), name = value_member(&item, "name");

		d->nameless[list->kind] |= !object->name;
		if (other)
			decode_error(d, &name,
				     "%s is already the name of %s %s%s, allowed: one of its own",
				     value_quoted(&name).s, other->line ? "the" : "another",
				     kind_name(list->kind), in_line(other).s);
	}
}

static void decode_list(struct decoder *d, const struct attribute *a, const struct value *value,
			void *object)
{
	const struct list *list = a->list;
	size_t n = json_array_size(value->json);
	void *elements;

	if (!json_is_array(value->json)) {
		decode_refuse(d, a, value, "is not a list");
		return;
	}
	if (n > list->max) {
		decode_error(d, value, "%zu %ss, allowed: at most %zu", n, kind_name(list->kind),
			     list->max);
		return;
	}
	elements = n ? decode_alloc(d, n, list->size) : NULL;
	if (!elements)
		return;
	*(void **)field_of(a, object) = elements;
	*count_of(list, object) = n;
	for (size_t i = 0; i < n; i++) {
		struct value item = value_item(value, i);
		struct object *o = element(list, elements, i);

		o->line = value_line(&item);
		if (decode_object(d, &item, list->table, o) && list->finish)
			list->finish(d, &item, o);
	}
	index_names(d, list, value, elements, n);
}

static json_t *encode_list(const struct attribute *a, const void *object)
{
	void *elements = *(void **)field_of(a, object);
	size_t n = *count_of(a->list, object);
	json_t *json = n ? json_array() : NULL;

	for (size_t i = 0; i < n; i++) {
		json_t *item = encode_object(a->list->table, element(a->list, elements, i));

		if (json_array_append_new(json, item)) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static void allow_list(const struct attribute *a, struct text *text)
{
	text_append(text, "a list of %ss", kind_name(a->list->kind));
}

const struct type type_list = {decode_list, encode_list, allow_list};
