// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* `accel`: a word for all interfaces, or one for each that is named. */
#include <net/if.h>
#include <string.h>

#include "decoder.h"

/* As dev_valid_name() of the kernel has it, and no colon: that is an alias. */
static bool is_interface_name(const char *name)
{
	size_t len = strlen(name);

	return len && len < IFNAMSIZ && !strpbrk(name, "/: \t\n\v\f\r") && strcmp(name, ".") &&
	       strcmp(name, "..");
}

static void decode_interface(struct decoder *d, const struct attribute *a,
			     const struct value *value, const char *name,
			     struct accel_settings *accel)
{
	const struct attribute word = {
		.type = &type_enum, .size = sizeof(enum accel_choice), .names = a->names};
	struct accel_interface *interface = &accel->v[accel->n];

	if (!is_interface_name(name)) {
		decode_error(d, value,
			     "is no name of an interface, allowed: 1..%d bytes without space, "
			     "slash and colon",
			     IFNAMSIZ - 1);
		return;
	}
	type_enum.decode(d, &word, value, &interface->accel);
	interface->name = decode_copy(d, name);
	accel->n++;
}

static void decode_accel(struct decoder *d, const struct attribute *a, const struct value *value,
			 void *object)
{
	struct accel_settings *accel = (void *)((char *)object + a->offset);
	struct attribute word = *a;
	const char *name;
	json_t *json;
	size_t n = 0;

	if (!json_is_object(value->json)) {
		word.offset = 0;
		word.size = sizeof(accel->all);
		type_enum.decode(d, &word, value, &accel->all);
		return;
	}
	accel->v = decode_alloc(d, json_object_size(value->json), sizeof(*accel->v));
	json_object_foreach ((json_t *)value->json, name, json) {
		struct value member = value_nth_member(value, n++, name, json);

		if (accel->v)
			decode_interface(d, a, &member, name, accel);
	}
}

static json_t *encode_accel(const struct attribute *a, const void *object)
{
	const struct accel_settings *accel = (const void *)((const char *)object + a->offset);
	json_t *mapping;

	if (!accel->n)
		return accel->all == ACCEL_AUTO ? NULL
						: json_string(names_text(a->names, accel->all));
	mapping = json_object();
	for (size_t i = 0; i < accel->n; i++)
		json_object_set_new(mapping, accel->v[i].name,
				    json_string(names_text(a->names, accel->v[i].accel)));
	return mapping;
}

static void allow_accel(const struct attribute *a, struct text *text)
{
	names_list(a->names, text);
	text_append(text, ", a mapping of names of interfaces to these");
}

const struct type type_accel = {decode_accel, encode_accel, allow_accel};
