// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The configurations that were refreshed, and going back to one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/place.h"
#include "handlers.h"
#include "refresh.h"

/* ---- reading -------------------------------------------------------------------------- */

/* As the API shows it: its hash is the state's business. New reference. */
static json_t *show_entry(const struct daemon *daemon, const json_t *entry)
{
	json_int_t number = json_integer_value(json_object_get(entry, "number"));
	json_t *shown = json_copy((json_t *)entry);

	json_object_del(shown, "hash");
	json_object_set_new(shown, "running",
			    json_boolean(number == state_running(&daemon->state)));
	return shown;
}

void revisions_get(struct api_call *call, const struct api_resource *resource)
{
	json_t *list = json_array(), *entry;
	size_t i;

	json_array_foreach (state_revisions(&call->daemon->state), i, entry)
		json_array_append_new(list, show_entry(call->daemon, entry));
	api_answer(call, list);
}

/* The revision of the path; NULL after refusing. */
static const json_t *find_entry(struct api_call *call)
{
	struct state *state = &call->daemon->state;
	const json_t *revisions = state_revisions(state), *entry = state_revision(state, call->id);
	json_t *first = json_array_get(revisions, 0);
	json_t *last = json_array_get(revisions, json_array_size(revisions) - 1);

	if (entry)
		return entry;
	api_refuse(call, 404, "there is no revision %u, allowed: from %lld to %lld", call->id,
		   (long long)json_integer_value(json_object_get(first, "number")),
		   (long long)json_integer_value(json_object_get(last, "number")));
	return NULL;
}

/* The configuration of the revision of the path: new reference, NULL after refusing. */
static json_t *find_root(struct api_call *call)
{
	struct state *state = &call->daemon->state;
	json_t *root = NULL;
	int err;

	if (find_entry(call)) {
		root = state_revision_root(state, call->id, &err);
		if (!root)
			api_refuse(call, err == -ENOENT ? 404 : 409, "%s", state_error(state, err));
	}
	return root;
}

void revision_get(struct api_call *call, const struct api_resource *resource)
{
	json_t *root = find_root(call), *shown;

	if (!root)
		return;
	shown = show_entry(call->daemon, state_revision(&call->daemon->state, call->id));
	json_object_set_new(shown, "config", root);
	api_answer(call, shown);
}

/* ---- comparing ------------------------------------------------------------------------ */

/* What the query compares with, what runs unless it says so: new reference, NULL after refusing. */
static json_t *find_other(struct api_call *call, const char *to)
{
	const struct daemon *daemon = call->daemon;

	if (to && !strcmp(to, "staged"))
		return json_incref(daemon->staged.root);
	call->id = state_running(&daemon->state);
	if (to && strcmp(to, "running") && !api_number(to, &call->id)) {
		api_refuse(call, 400, "to: is not a revision's number, running or staged");
		return NULL;
	}
	return find_root(call);
}

void revision_diff_get(struct api_call *call, const struct api_resource *resource)
{
	json_t *before = find_root(call), *after = NULL;

	if (before)
		after = find_other(call, api_query(call, "to"));
	if (after)
		api_answer(call, staged_compare(before, after, "all"));
	json_decref(before);
	json_decref(after);
}

/* ---- going back ----------------------------------------------------------------------- */

/* `refresh` of the body: true makes it the running one at once. */
static bool read_rollback(struct api_call *call, bool *refresh)
{
	const char *key;
	json_t *value;

	*refresh = false;
	json_object_foreach (call->fields, key, value) {
		if (strcmp(key, "refresh")) {
			api_refuse(call, 400, "unknown field, allowed: refresh");
			return false;
		}
		if (!json_is_boolean(value)) {
			api_refuse(call, 400, "refresh: is not a boolean, allowed: true, false");
			return false;
		}
		*refresh = json_is_true(value);
	}
	return true;
}

static void answer_rollback(struct api_call *call, uint32_t revision, uint32_t kept)
{
	json_t *number = kept ? json_integer(kept) : json_null();

	api_answer(call,
		   json_pack("{s:I, s:b, s:o}", "revision", (json_int_t)revision, "running",
			     revision == state_running(&call->daemon->state), "kept", number));
}

/* Another version may have stored what this one does not accept: says what, by names. */
static bool is_accepted(struct api_call *call, const json_t *root)
{
	struct problems problems = {0};
	struct config *config = config_decode_tree(root, DECODE_TO_STAGE, &problems);

	for (size_t i = 0; !config && !call->status && i < problems.n; i++) {
		char *text = problem_by_name(root, &problems.v[i]);

		if (!problems.v[i].warning)
			api_refuse(call, 409, "revision %u is not valid for this version: %s",
				   call->id, text ? text : "out of memory");
		free(text);
	}
	problems_free(&problems);
	config_free(config);
	return !call->status;
}

/* Stages only; staged changes that were not refreshed become a revision. */
static void stage_revision(struct api_call *call, json_t *root)
{
	struct daemon *daemon = call->daemon;
	uint32_t kept = 0;
	int err = 0;

	if (staged_is_pending(&daemon->staged))
		err = state_keep(&daemon->state, daemon->staged.root,
				 "staged, not refreshed, and "
				 "rolled back",
				 &kept);
	err = err ? err : staged_restore(&daemon->staged, root);
	if (err && kept)
		state_undo(&daemon->state);
	if (err)
		api_refuse_unkept(call, err);
	else
		answer_rollback(call, call->id, kept);
}

static void stage_and_refresh(struct api_call *call, json_t *root)
{
	struct daemon *daemon = call->daemon;
	struct refresh refresh = {.by = call->by};
	struct problems problems = {.api_names = !call->file_names};
	char comment[64], failed[512];
	int err;

	snprintf(comment, sizeof(comment), "rollback to %u", call->id);
	refresh.comment = comment;
	refresh_begin(daemon, &refresh);
	err = staged_restore(&daemon->staged, root);
	err = refresh_end(daemon, &refresh, err, &problems, failed, sizeof(failed));
	if (err)
		api_refuse_refresh(call, &problems, failed);
	else
		answer_rollback(call, state_running(&daemon->state), refresh.kept);
	problems_free(&problems);
}

void revision_rollback(struct api_call *call, const struct api_resource *resource)
{
	bool refresh;
	json_t *root;

	if (!read_rollback(call, &refresh) || (refresh && !api_may_refresh(call)))
		return;
	root = find_root(call);
	if (root && is_accepted(call, root))
		(refresh ? stage_and_refresh : stage_revision)(call, root);
	json_decref(root);
}
