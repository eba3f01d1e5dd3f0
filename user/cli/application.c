/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "../daemon/applications.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "../daemon/state_directory.h"
#include "cli.h"
#include "complete.h"
#include "output.h"

static const struct column columns[] = {
	COLUMN("name", "NAME"),
	COLUMN("access", "ACCESS"),
	COLUMN("key", "KEY", .drop = 1, .keep = KEEP_WHOLE),
	COLUMN("created", "CREATED", .drop = 2, .keep = KEEP_WHOLE),
	COLUMNS_END,
};

static const struct column new_columns[] = {
	COLUMN("name", "name"),
	COLUMN("access", "access"),
	COLUMN("key", "application key"),
	COLUMN("secret", "application secret"),
	COLUMN("consumer", "consumer key"),
	COLUMNS_END,
};

/* Without what a signature is made with. */
static json_t *row(const struct application *application)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "name", application->name, "access",
			 application->writes ? APPLICATION_WRITES : APPLICATION_READ_ONLY, "key",
			 application->key, "created", json_date(application->created));
}

static int files_failed(int err)
{
	return fail(CLI_FAILED, STATE_ROOT "/%s/applications.json: %s%s", options.instance,
		    err == -EINVAL ? "is not as alpnlb writes it" : strerror(-err), root_hint(err));
}

static int not_found(const char *name)
{
	return fail(CLI_NOT_FOUND, "there is no application '%s'", name);
}

/* ---- the verbs ------------------------------------------------------------------------- */

/* All of them, or the one of that name. */
static int show(const struct applications *list, const char *name)
{
	json_t *rows;

	if (name && !applications_find(list, name))
		return not_found(name);
	rows = json_array();
	for (size_t i = 0; i < list->n; i++)
		if (!name || !strcmp(name, list->v[i].name))
			json_array_append_new(rows, row(&list->v[i]));
	return output_show(columns, rows, name);
}

static int application_show(const char *const *values)
{
	struct applications list;
	int err = applications_read(options.instance, &list);
	int code = err ? files_failed(err) : show(&list, values[0]);

	applications_free(&list);
	return code;
}

static int print_new(const struct application *application)
{
	json_t *object = row(application);
	int code;

	set_string(object, "secret", application->secret);
	set_string(object, "consumer", application->consumer);
	code = output_record(new_columns, object);
	json_decref(object);
	return code;
}

static bool name_valid(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= APPLICATION_NAME_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789._-") == n;
}

/* Returns an exit code. */
static int access_parse(const char *text, bool *writes)
{
	*writes = !strcmp(text, APPLICATION_WRITES);
	if (*writes || !strcmp(text, APPLICATION_READ_ONLY))
		return CLI_OK;
	return fail(CLI_USAGE,
		    "access '%s': expected " APPLICATION_READ_ONLY " or " APPLICATION_WRITES, text);
}

static int application_add(const char *const *values)
{
	const char *name = values[0];
	struct application added;
	bool writes = values[2];
	int err, code;

	if (!name_valid(name))
		return fail(CLI_USAGE, "application '%s': expected 1 to %d of A-Z a-z 0-9 . _ -",
			    name, APPLICATION_NAME_MAX);
	if (!!values[1] + !!values[2] + !!values[3] > 1)
		return fail(CLI_USAGE, "an application is either read-only or read-write");
	code = values[3] ? access_parse(values[3], &writes) : CLI_OK;
	if (code)
		return code;
	err = applications_add(options.instance, name, writes, &added);
	if (err == -EEXIST)
		return fail(CLI_FAILED, "there is an application '%s' already", name);
	if (err == -E2BIG)
		return fail(CLI_FAILED, "there are %d applications already, no more are allowed",
			    APPLICATIONS_MAX);
	if (err)
		return files_failed(err);
	code = print_new(&added);
	OPENSSL_cleanse(&added, sizeof(added));
	return code;
}

static int application_set(const char *const *values)
{
	const char *name = values[0];
	bool writes;
	int err, code;

	if (!values[1])
		return fail(CLI_USAGE, "application %s: set needs access and its value", name);
	code = access_parse(values[1], &writes);
	if (code)
		return code;
	err = applications_set(options.instance, name, writes);
	if (err == -ENOENT)
		return not_found(name);
	if (err)
		return files_failed(err);
	return options.json ? application_show(&name) : CLI_OK;
}

static int application_delete(const char *const *values)
{
	int err = applications_delete(options.instance, values[0]), code;
	json_t *deleted;

	if (err == -ENOENT)
		return not_found(values[0]);
	if (err)
		return files_failed(err);
	if (!options.json)
		return CLI_OK;
	deleted = json_pack("{s:s}", "name", values[0]);
	code = output_json(deleted);
	json_decref(deleted);
	return code;
}

static void print_names(void)
{
	struct applications list;

	if (!applications_read(options.instance, &list))
		for (size_t i = 0; i < list.n; i++)
			complete_offer("%s", list.v[i].name);
	applications_free(&list);
}

#define ACCESS APPLICATION_READ_ONLY "|" APPLICATION_WRITES

static const struct keyword add_keywords[] = {
	{"read-only", NULL}, {"read-write", NULL}, {"access", ACCESS}, {NULL, NULL}};
static const struct keyword set_keywords[] = {{"access", ACCESS}, {NULL, NULL}};
static const struct keyword show_keywords[] = {{"name", "NAME"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "add",
	 .help = "make one and print its keys, which are shown at no other time",
	 .argument = "NAME",
	 .keywords = add_keywords,
	 .run = application_add},
	{.name = "set",
	 .help = "change what it may do; its keys stay, and a daemon that runs knows at once",
	 .argument = "NAME",
	 .keywords = set_keywords,
	 .run = application_set},
	{.name = "delete",
	 .help = "revoke it: from now on its requests are refused",
	 .argument = "NAME",
	 .run = application_delete},
	{.name = "show",
	 .help = "list the applications, or show one of them",
	 .subject = "NAME",
	 .keywords = show_keywords,
	 .run = application_show},
	{.name = NULL},
};

const struct noun noun_application = {
	.name = "application",
	.help = "who may use the API on HTTPS",
	.text = "Without read-write, an application may only read. No daemon is needed; one that\n"
		"runs knows at once. For root only. Manual: alpnlb-application(8).\n",
	.verbs = verbs,
	.default_verb = "show",
	.names = print_names,
};
