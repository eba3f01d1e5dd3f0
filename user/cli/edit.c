/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "edit.h"

#include <stdio.h>
#include <string.h>

#include "../model/keys.h"
#include "find.h"
#include "output.h"
#include "service.h"
#include "words.h"

#define LABEL_MAX 160

/* What is written: where it is, or is to be, and how messages call it. */
struct edit {
	struct staging staging;
	enum kind kind;
	struct found found; /* for a new one only the parent */
	char label[LABEL_MAX];
};

/* ---- fields -------------------------------------------------------------------------- */

/* Puts references as ids and keys as the API has them into *body. Returns an exit code. */
static int to_api(const struct edit *edit, const struct table *table, const json_t *fields,
		  json_t **body)
{
	int code = CLI_OK;
	const char *key;
	json_t *value;

	*body = json_object();
	json_object_foreach ((json_t *)fields, key, value) {
		const struct attribute *a = table_find(table, key);
		enum kind kind = reference_kind(a);
		json_t *converted = json_incref(value);
		struct found found;
		char name[API_KEY_MAX];

		if (kind != KIND_MAX && json_is_string(value)) {
			code = find_staged(edit->staging.config, kind, json_string_value(value),
					   &found);
			json_decref(converted);
			converted = code ? NULL : json_integer(found.object->id);
		} else if (a->table && json_is_object(value)) {
			json_decref(converted);
			code = to_api(edit, a->table, value, &converted);
		}
		json_object_set_new(*body, api_key(edit->kind, a, name), converted);
		if (code)
			break;
	}
	return code;
}

/* The body of a request from the words that were given. Returns an exit code. */
static int body_of(const struct edit *edit, const char *const *values, const char *name,
		   json_t **body)
{
	json_t *fields = words_fields(edit->kind, values, edit->found.object);
	int code;

	*body = NULL;
	if (name && json_object_get(fields, "name"))
		code = fail(CLI_USAGE, "%s: the name is given twice", edit->label);
	else if (!fields || (name && json_object_set_new(fields, "name", json_string(name))))
		code = fail(CLI_USAGE, "%s: a value is not UTF-8", edit->label);
	else
		code = to_api(edit, kind_table(edit->kind), fields, body);
	json_decref(fields);
	if (!code)
		return code;
	json_decref(*body);
	*body = NULL;
	return code;
}

/* ---- requests ------------------------------------------------------------------------ */

static void path_of(const struct edit *edit, bool of_list, char path[SERVICE_PATH_MAX])
{
	const char *noun = kind_name(edit->kind);
	int len;

	if (edit->found.parent)
		len = snprintf(path, SERVICE_PATH_MAX, "tcp/%s/%u/%s",
			       edit->kind == KIND_SERVER ? "farm" : "route", edit->found.parent->id,
			       noun);
	else
		len = snprintf(path, SERVICE_PATH_MAX, "tcp/%s", noun);
	if (!of_list)
		snprintf(path + len, SERVICE_PATH_MAX - len, "/%u", edit->found.object->id);
}

/* Under -j which object it was; in text only the id of a new one, which nobody knew. */
static int print_done(json_int_t id, const char *name, bool is_new)
{
	json_t *object = json_pack("{s:I, s:s?}", "id", id, "name", name);
	int code = CLI_OK;

	if (options.json)
		code = output_json(object);
	else if (is_new)
		printf("%lld\n", (long long)id);
	json_decref(object);
	return code;
}

static void edit_begin(struct edit *edit, enum kind kind, const char *argument)
{
	*edit = (struct edit){.kind = kind};
	snprintf(edit->label, sizeof(edit->label), "%s %s", kind_name(kind), argument);
}

/* ---- add ----------------------------------------------------------------------------- */

/* Finds what the new one is to be in, and its name in there. */
static int find_parent(struct edit *edit, const char *argument, const char *const *values,
		       const char **name)
{
	char farm[sizeof("name:") + NAME_MAX_LEN + 1]; /* what does not fit is too long */
	const char *slash;
	struct found parent = {0};
	int code = CLI_OK;

	*name = argument;
	if (edit->kind == KIND_RULE) { /* the keyword `route` is the first one */
		if (!values[0])
			return fail(CLI_USAGE,
				    "rule add needs the route it is to be in: alpnlb rule "
				    "add route ROUTE ...");
		snprintf(edit->label, sizeof(edit->label), "new rule of route %s", values[0]);
		code = find_staged(edit->staging.config, KIND_ROUTE, values[0], &parent);
	} else if (edit->kind == KIND_SERVER) {
		slash = strchr(argument, '/');
		if (!slash)
			return fail(CLI_USAGE,
				    "server '%s': expected FARM/SERVER, a server is in a farm",
				    argument);
		*name = slash + 1;
		snprintf(farm, sizeof(farm), "%.*s", (int)(slash - argument), argument);
		code = find_staged(edit->staging.config, KIND_FARM, farm, &parent);
	}
	edit->found.parent = parent.object;
	return code;
}

int object_add(enum kind kind, const char *argument, const char *const *values)
{
	char path[SERVICE_PATH_MAX], id_key[16];
	json_t *body, *answer = NULL;
	struct edit edit;
	const char *name;
	int code;

	edit_begin(&edit, kind, argument ? argument : "");
	code = staging_open(&edit.staging);
	if (!code)
		code = find_parent(&edit, argument, values, &name);
	if (!code)
		code = body_of(&edit, values, name, &body);
	if (!code) {
		path_of(&edit, true, path);
		code = service_call(edit.label, "POST", path, body, &answer);
	}
	if (!code) {
		snprintf(id_key, sizeof(id_key), "%sId", kind_name(kind));
		code = print_done(json_integer_value(json_object_get(answer, id_key)),
				  json_string_value(json_object_get(answer, "name")), true);
	}
	json_decref(answer);
	staging_close(&edit.staging);
	return code;
}

/* ---- set and delete ------------------------------------------------------------------ */

static int edit_find(struct edit *edit, enum kind kind, const char *argument)
{
	int code;

	edit_begin(edit, kind, argument);
	code = staging_open(&edit->staging);
	return code ? code : find_staged(edit->staging.config, kind, argument, &edit->found);
}

static int edit_send(struct edit *edit, const char *method, json_t *body)
{
	char path[SERVICE_PATH_MAX];
	int code;

	path_of(edit, false, path);
	code = service_call(edit->label, method, path, body, NULL);
	return code ? code : print_done(edit->found.object->id, edit->found.object->name, false);
}

int object_set(enum kind kind, const char *argument, const char *const *values)
{
	struct edit edit;
	json_t *body = NULL;
	int code = edit_find(&edit, kind, argument);

	if (!code && kind == KIND_RULE && values[0])
		code = fail(CLI_USAGE, "%s: a rule stays in its route", edit.label);
	if (!code)
		code = body_of(&edit, values, NULL, &body);
	if (!code && !json_object_size(body)) {
		code = fail(CLI_USAGE,
			    "%s: set needs an attribute and its value, see: alpnlb %s help",
			    edit.label, kind_name(kind));
		json_decref(body);
	} else if (!code) {
		code = edit_send(&edit, "PUT", body);
	}
	staging_close(&edit.staging);
	return code;
}

int object_delete(enum kind kind, const char *argument, const char *const *values)
{
	struct edit edit;
	int code = edit_find(&edit, kind, argument);

	if (!code)
		code = edit_send(&edit, "DELETE", NULL);
	staging_close(&edit.staging);
	return code;
}
