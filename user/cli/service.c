/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "service.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernel/lock.h"
#include "../kernel/pin.h"
#include "../model/place.h"
#include "cli.h"
#include "words.h"

/* ---- instances ----------------------------------------------------------------------- */

const char *other_instances(char *text, size_t size)
{
	DIR *dir = opendir(PIN_ROOT);
	struct dirent *entry;

	*text = 0;
	while (dir && (entry = readdir(dir))) {
		size_t used = strlen(text);

		if (!strcmp(entry->d_name, options.instance)) {
			*text = 0;
			break;
		}
		if (instance_name_valid(entry->d_name))
			snprintf(text + used, size - used, "%s%s",
				 used ? ", " : "; --instance has others: ", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return text;
}

/* ---- requests ------------------------------------------------------------------------ */

static int call_failed(int err)
{
	char others[256];

	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		if (lock_is_taken(options.instance))
			return fail(CLI_NO_DAEMON,
				    "instance '%s': a daemon runs, but does not listen here: it is "
				    "about to start or to end, or " RUN_ROOT
				    "/%s/control.sock was removed",
				    options.instance, options.instance);
		return fail(CLI_NO_DAEMON,
			    "instance '%s': no daemon is running; start it with: alpnlb "
			    "--instance %s daemon -c FILE%s",
			    options.instance, options.instance,
			    other_instances(others, sizeof(others)));
	case -EPROTO:
		return fail(CLI_FAILED, "instance '%s': the daemon closed without an answer",
			    options.instance);
	case -ETIME:
		return fail(CLI_FAILED, "instance '%s': the daemon has not answered for %d s",
			    options.instance, CONTROL_TIMEOUT);
	default:
		return fail(CLI_FAILED, "instance '%s': control socket: %s%s", options.instance,
			    strerror(-err), root_hint(err));
	}
}

int service_request(const char *method, const char *path, const char *body, size_t len,
		    struct control_answer *answer)
{
	int err = control_call(options.instance, method, path, body, len, answer);

	return err ? call_failed(err) : CLI_OK;
}

/* ---- refusals ------------------------------------------------------------------------ */

char *staging_path(const json_t *root, const char *path)
{
	const char *rest;
	char *place = place_of(root, path, &rest), *text = NULL;

	if (!place)
		return strdup(words_of_path(path));
	if (asprintf(&text, "%s%s%s", place, *rest ? ": " : "", words_of_path(rest)) < 0)
		text = NULL;
	free(place);
	return text;
}

/* The errors among the problems, a line each; under -j they are in the object of the first. */
static int refused_for(int code, const char *what, const json_t *problems, const json_t *root)
{
	bool said = false;
	json_t *problem;
	size_t i;

	json_array_foreach (problems, i, problem) {
		const char *path = json_string_value(json_object_get(problem, "path"));
		const char *message = json_string_value(json_object_get(problem, "message"));
		char *place = path && *path ? staging_path(root, path) : NULL;

		if (!json_is_true(json_object_get(problem, "warning")) && !(said && options.json)) {
			fail_with(code, json_pack("{s:O}", "problems", problems), "%s%s%s%s%s",
				  what ? what : "", what ? ": " : "", place ? place : "",
				  place ? ": " : "", message);
			said = true;
		}
		free(place);
	}
	return said ? code : -1;
}

static int refused(const char *what, const struct control_answer *answer)
{
	const json_t *problems = json_object_get(answer->body, "problems");
	const char *message = json_string_value(json_object_get(answer->body, "message"));
	int code = answer->status == 404 ? CLI_NOT_FOUND : CLI_FAILED;
	struct control_answer staged = {0};
	int said;

	if (json_array_size(problems) &&
	    control_call(options.instance, "GET", "/1.0/alpnlb/config", NULL, 0, &staged))
		staged.body = NULL;
	said = refused_for(code, what, problems, staged.body);
	json_decref(staged.body);
	if (said >= 0)
		return said;
	return fail(code, "%s%s%s", what ? what : "", what ? ": " : "",
		    message ? message : "the daemon refused without a reason");
}

int service_call(const char *what, const char *method, const char *path, json_t *body,
		 json_t **answer)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL, whole[SERVICE_PATH_MAX];
	struct control_answer got = {0};
	int code;

	if (*path == '/')
		snprintf(whole, sizeof(whole), "%s", path);
	else
		snprintf(whole, sizeof(whole), CONTROL_SERVICE "%s%s%s", options.instance,
			 *path ? "/" : "", path);
	code = service_request(method, whole, text, text ? strlen(text) : 0, &got);
	if (!code && got.status != 200)
		code = refused(what, &got);
	if (answer)
		*answer = code ? NULL : json_incref(got.body);
	json_decref(got.body);
	json_decref(body);
	free(text);
	return code;
}

int service_follow(const char *path, control_line *line, void *context)
{
	struct control_answer answer;
	int err = control_follow(options.instance, path, line, context, &answer);
	int code = err ? call_failed(err) : CLI_OK;

	if (!err && answer.status != 200)
		code = refused(NULL, &answer);
	json_decref(answer.body);
	return code;
}

int service_zone_check(const char *what, const char *zone)
{
	struct text known = {0};
	json_t *zones, *item;
	bool exists = zone_is_all(zone);
	int code;
	size_t i;

	if (exists)
		return CLI_OK;
	code = service_call(what, "GET", ZONES_PATH, NULL, &zones);
	if (code)
		return code;
	json_array_foreach (zones, i, item) {
		exists |= !strcmp(json_string_value(item), zone);
		text_append(&known, "%s%s", i ? ", " : "", json_string_value(item));
	}
	json_decref(zones);
	return exists ? CLI_OK
		      : fail(CLI_NOT_FOUND, "%s: there is no zone '%s', allowed: %s", what, zone,
			     known.s);
}

/* ---- what is staged ------------------------------------------------------------------ */

static int open_at(struct staging *staging, const char *path)
{
	struct problems problems = {0};
	int code;

	*staging = (struct staging){0};
	code = service_call(NULL, "GET", path, NULL, &staging->root);
	if (code)
		return code;
	staging->config = config_decode_tree(staging->root, DECODE_TO_STAGE, &problems);
	if (!staging->config)
		code = fail(CLI_FAILED, "the daemon's configuration cannot be read: %s",
			    problems.n ? problems.v[0].message : "no reason given");
	problems_free(&problems);
	return code;
}

int staging_open(struct staging *staging)
{
	return open_at(staging, "/1.0/alpnlb/config");
}

int staging_open_zone(struct staging *staging, const char *zone)
{
	char path[SERVICE_PATH_MAX];
	int code;

	*staging = (struct staging){0};
	code = service_zone_check("zone", zone);
	snprintf(path, sizeof(path), "/1.0/alpnlb/config?zone=%.100s", zone);
	return code ? code : open_at(staging, path);
}

void staging_close(struct staging *staging)
{
	json_decref(staging->root);
	config_free(staging->config);
}
