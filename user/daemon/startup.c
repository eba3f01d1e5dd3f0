// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "startup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api/refresh.h"
#include "../cli/cli.h"
#include "../cli/report.h"
#include "../kernel/view.h"
#include "../model/place.h"
#include "log.h"

/* In one object, as `check` does it. */
static void fail_in_json(const struct problems *problems, const char *file)
{
	json_t *list = problems_json(problems);

	report_failure(list, file, "the configuration is not valid");
	json_decref(list);
}

static void log_problems(const struct problems *problems, const char *file)
{
	if (options.json && problems->errors) {
		fail_in_json(problems, file);
		return;
	}
	for (size_t i = 0; i < problems->n; i++) {
		char *line = problem_format(&problems->v[i], file);

		if (line)
			log_line(problems->v[i].warning ? LOG_WARN : LOG_ERROR, "%s", line);
		free(line);
	}
}

/* ---- the file ------------------------------------------------------------------------- */

int startup_read(struct startup *startup, const char *file)
{
	struct problems problems = {0};

	*startup = (struct startup){.name = file};
	if (!file)
		return 0;
	startup->document = document_read(file, &problems);
	if (startup->document)
		startup->from_file = config_decode(startup->document, &problems);
	log_problems(&problems, file);
	problems_free(&problems);
	if (!startup->from_file)
		return -EINVAL;
	snprintf(startup->comment, sizeof(startup->comment), "daemon -c %s", file);
	startup->refresh.comment = startup->comment;
	startup->refresh.file = startup->hash;
	return state_hash_document(document_root(startup->document), startup->hash);
}

/* What an earlier daemon without a state left: so that names keep their ids and counters. */
static struct config *pinned_config(const char *name)
{
	struct problems problems = {0};
	struct document *document = NULL;
	struct config *config = NULL;
	struct view view;
	uint32_t revision;
	char *text = NULL;
	size_t len;

	if (!view_open(name, &view) && !view_config(&view, &text, &len, &revision))
		document = document_parse(text, len, &problems);
	if (document)
		config = config_decode(document, &problems);
	view_close(&view);
	document_free(document);
	problems_free(&problems);
	free(text);
	return config;
}

/* Takes `previous` over: whose objects give their ids to those of the same names. */
static int stage_file(struct startup *startup, struct daemon *daemon, struct config *previous)
{
	struct config *config = startup->from_file;
	int err;

	startup->from_file = NULL;
	err = staged_replace(&daemon->staged, (json_t *)document_root(startup->document), config,
			     previous);
	config_free(previous);
	if (err)
		log_line(LOG_ERROR, "cannot stage the configuration: %s", strerror(-err));
	return err;
}

/* ---- the state ------------------------------------------------------------------------ */

static int log_state_failure(const struct daemon *daemon, int err)
{
	if (err)
		log_line(LOG_ERROR, "%s", state_error(&daemon->state, err));
	return err;
}

static bool file_is_known(const struct startup *startup, const struct daemon *daemon)
{
	uint32_t number;
	const char *hash;

	return state_file(&daemon->state, &number, &hash) && !strcmp(hash, startup->hash);
}

/* Of `root`, which no file has that the operator wrote: what is wrong is told by names. */
static void log_refused(const struct state *state, const char *what, const json_t *root,
			const struct problems *problems)
{
	for (size_t i = 0; i < problems->n; i++) {
		char *text = problem_by_name(root, &problems->v[i]);

		if (!problems->v[i].warning && text)
			log_line(LOG_WARN, "%s: %s: %s", state->directory, what, text);
		free(text);
	}
}

/* What was staged becomes a revision, and so a file that can be corrected. */
static int keep_refused(struct daemon *daemon, const struct problems *problems)
{
	struct state *state = &daemon->state;
	uint32_t number;
	int err;

	log_refused(state, "staged", state->refused, problems);
	err = state_keep(state, state->refused,
			 "staged, and not accepted by the version that came next", &number);
	if (err)
		return log_state_failure(daemon, err);
	log_line(
		LOG_WARN,
		"this version does not accept what was staged: it is kept as revision %u, and what "
		"ran goes on (to correct it: %s/revisions/%u.json, and alpnlb apply)",
		number, state->directory, number);
	return 0;
}

static int refuse_running(const struct startup *startup, struct daemon *daemon,
			  const struct problems *problems)
{
	const struct state *state = &daemon->state;
	uint32_t running = state_running(state);

	if (*state->failed)
		return log_state_failure(daemon, -EINVAL);
	log_refused(state, "running", daemon->staged.running, problems);
	if (startup->name && !file_is_known(startup, daemon)) {
		log_line(LOG_WARN, "this version does not accept revision %u, which ran", running);
		return 0;
	}
	log_line(LOG_ERROR,
		 "this version does not accept revision %u, which ran; to begin with a file: "
		 "correct a copy of %s/revisions/%u.json, and daemon -c COPY",
		 running, state->directory, running);
	return -EINVAL;
}

/* Fills the staged configuration, and config `from_state`; without both a file has to follow. */
static int load_state(struct startup *startup, struct daemon *daemon)
{
	struct problems staged = {0}, problems = {0};
	struct state *state = &daemon->state;
	int err = state_load(state, &staged);

	if (!*state->failed && daemon->staged.running)
		startup->from_state =
			config_decode_tree(daemon->staged.running, DECODE_TO_RUN, &problems);
	if (!startup->from_state)
		err = refuse_running(startup, daemon, &problems);
	else
		log_problems(&problems, state->directory); /* warnings */
	if (startup->from_state && !err && state->refused)
		err = keep_refused(daemon, &staged);
	problems_free(&staged);
	problems_free(&problems);
	return err;
}

static void log_from_state(const struct startup *startup, const struct daemon *daemon)
{
	uint32_t running = state_running(&daemon->state), number;
	const char *hash;

	if (startup->name && state_file(&daemon->state, &number, &hash) && number != running)
		log_line(LOG_INFO,
			 "%s has not changed since it became revision %u; revision %u, which was "
			 "refreshed later, runs (back to the file: alpnlb apply %s)",
			 startup->name, number, running, startup->name);
	else
		log_line(LOG_INFO, "going on with revision %u", running);
	if (staged_is_pending(&daemon->staged))
		log_line(LOG_INFO, "there are staged changes that were not refreshed");
}

/* What is staged and not refreshed is not lost. */
static int replace_by_file(struct startup *startup, struct daemon *daemon)
{
	struct config *previous = startup->from_state;
	struct problems known = {0};

	startup->from_state = NULL;
	if (!previous) /* refused, but for the ids of its objects */
		previous = config_decode_tree(daemon->staged.running, DECODE_FOR_IDS, &known);
	problems_free(&known);
	if (!daemon->staged.root)
		startup->refresh.lost = json_incref(daemon->state.refused);
	else if (staged_is_pending(&daemon->staged))
		startup->refresh.lost = json_incref(daemon->staged.root);
	return stage_file(startup, daemon, previous);
}

/* A daemon that cannot write, but reads all there is, serves nevertheless. */
static int open_state(struct daemon *daemon)
{
	int err = state_open(&daemon->state, daemon->name, &daemon->staged);

	if (err && err != -EBUSY && err != -EINVAL) {
		log_line(LOG_WARN, "%s", state_error(&daemon->state, err));
		err = 0;
	}
	return log_state_failure(daemon, err);
}

static void log_unlisted(const struct daemon *daemon)
{
	uint32_t number = state_unlisted(&daemon->state);

	if (number)
		log_line(LOG_WARN,
			 "%s/revisions/%u.json is newer than state.json, which does not list it; "
			 "it is left as it is, and the next revision is %u",
			 daemon->state.directory, number, number + 1);
}

int startup_stage(struct startup *startup, struct daemon *daemon)
{
	int err = open_state(daemon);

	if (err)
		return err;
	log_unlisted(daemon);
	if (daemon->state.index) {
		err = load_state(startup, daemon);
		if (!err && startup->name && !file_is_known(startup, daemon))
			err = replace_by_file(startup, daemon);
		return err;
	}
	if (startup->name)
		return stage_file(startup, daemon, pinned_config(daemon->name));
	log_line(LOG_ERROR, "%s has no state to go on with; begin with a file: daemon -c FILE",
		 daemon->state.directory);
	return -ENOENT;
}

/* ---- running -------------------------------------------------------------------------- */

const struct config *startup_config(const struct startup *startup, const struct daemon *daemon)
{
	return startup->from_state ? startup->from_state : daemon->staged.config;
}

static void log_from_file(const struct startup *startup, const struct daemon *daemon)
{
	uint32_t running = state_running(&daemon->state);

	if (daemon->state.unwritten)
		log_line(LOG_WARN, "%s; changes are refused until it can be written",
			 daemon->state.failed);
	if (running > 1)
		log_line(LOG_WARN, "%s is not the file that ran last: it runs now, as revision %u",
			 startup->name, running);
	if (startup->refresh.kept)
		log_line(LOG_WARN,
			 "staged changes that were not refreshed are kept as revision %u (to stage "
			 "them again: alpnlb --instance %s revision rollback %u)",
			 startup->refresh.kept, daemon->name, startup->refresh.kept);
}

int startup_run(struct startup *startup, struct daemon *daemon)
{
	char line[512] = "the configuration cannot be run";
	struct config *from_state = startup->from_state;
	struct problems none = {0};
	int err;

	startup->from_state = NULL;
	if (from_state)
		err = daemon_apply(daemon, from_state, NULL, line, sizeof(line));
	else
		err = refresh_run(daemon, &startup->refresh, &none, line, sizeof(line));
	problems_free(&none);
	if (err)
		log_line(LOG_ERROR, "%s", line);
	else if (from_state)
		log_from_state(startup, daemon);
	else
		log_from_file(startup, daemon);
	daemon->staged.commit = state_stage;
	daemon->staged.context = &daemon->state;
	daemon->state.strict = true;
	return err;
}

void startup_free(struct startup *startup)
{
	document_free(startup->document);
	config_free(startup->from_file);
	config_free(startup->from_state);
	json_decref(startup->refresh.lost);
}
