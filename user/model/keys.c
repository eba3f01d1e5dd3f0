/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "keys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void camel_case(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++)
		if (*from == '_' && from[1])
			*to++ = toupper((unsigned char)*++from);
		else
			*to++ = *from;
	*to = '\0';
}

enum kind reference_kind(const struct attribute *a)
{
	if (a->type == &type_farm || a->type == &type_farm_name)
		return KIND_FARM;
	return a->type == &type_frontend ? KIND_FRONTEND : KIND_MAX;
}

const char *api_key(enum kind kind, const struct attribute *a, char key[API_KEY_MAX])
{
	bool is_id = reference_kind(a) != KIND_MAX || !strcmp(a->key, "default_ssl");

	if (a->type == &type_id)
		snprintf(key, API_KEY_MAX, "%sId", kind_name(kind));
	else
		snprintf(key, API_KEY_MAX, "%s%s", a->key,
			 is_id && strcmp(a->key, "target") ? "Id" : "");
	camel_case(key);
	return key;
}
