// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../model/kinds.h"
#include "file_replace.h"
#include "revisions.h"

#define FORMAT 1 /* of state.json */

/* FNV-1a */
void state_hash(const char *bytes, size_t len, char hash[HASH_LEN])
{
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * 0x100000001b3;
	snprintf(hash, HASH_LEN, "%016" PRIx64, sum);
}

int state_hash_document(const json_t *root, char hash[HASH_LEN])
{
	char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return -ENOMEM;
	state_hash(text, strlen(text), hash);
	free(text);
	return 0;
}

int state_fail(struct state *state, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(state->failed, sizeof(state->failed), format, ap);
	va_end(ap);
	return err;
}

const char *state_error(const struct state *state, int err)
{
	return *state->failed && err != -ENOMEM ? state->failed : strerror(-err);
}

static const char *index_path(const struct state *state, char path[STATE_PATH])
{
	return state_directory_path(state->instance, "state.json", path);
}

/* ---- the directory -------------------------------------------------------------------- */

static int make_directories(struct state *state)
{
	char revisions[STATE_PATH];
	int err = state_directory_make(state->instance);

	state_directory_path(state->instance, "revisions", revisions);
	if (!err && mkdir(revisions, 0700) && errno != EEXIST)
		err = -errno;
	return err;
}

/* The instance's lock in /run does not keep a daemon away that has another /run. */
static int open_directory(struct state *state)
{
	int err = make_directories(state), fd;

	if (err)
		return state_fail(state, -EIO, "%s: %s", state->directory, strerror(-err));
	fd = open(state->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return state_fail(state, -EIO, "%s: %s", state->directory, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return state_fail(state, -EBUSY,
				  "%s is used by another daemon; choose another instance with "
				  "--instance NAME",
				  state->directory);
	}
	state->lock = fd;
	return 0;
}

/* Whoever replaces the directory leaves the lock on the old one. */
static int check_directory(struct state *state)
{
	struct stat ours, now;

	if (fstat(state->lock, &ours) || stat(state->directory, &now))
		return state_fail(state, -EIO, "%s: %s", state->directory, strerror(errno));
	if (ours.st_dev == now.st_dev && ours.st_ino == now.st_ino)
		return 0;
	return state_fail(state, -ESTALE,
			  "%s is not the directory any more that this daemon uses, and nothing is "
			  "written to it; move that one back, or restart the daemon",
			  state->directory);
}

/* ---- noticing others ------------------------------------------------------------------ */

/* May state.json be replaced? Whoever has only touched it, or removed it, is not in the way. */
static int check_unchanged(struct state *state)
{
	char path[STATE_PATH], hash[HASH_LEN] = "", *bytes;
	struct stat now;
	size_t len;

	index_path(state, path);
	if (stat(path, &now))
		return errno == ENOENT ? 0
				       : state_fail(state, -EIO, "%s: %s", path, strerror(errno));
	if (*state->hash && file_is_same(&now, &state->written))
		return 0;
	if (!file_read(path, &bytes, &len)) {
		state_hash(bytes, len, hash);
		free(bytes);
	}
	if (*hash && !strcmp(hash, state->hash))
		return 0;
	return state_fail(state, -ESTALE,
			  "%s was changed by somebody else, and nothing is written over it; to use "
			  "it, restart the daemon; to keep what the daemon has, move it away",
			  path);
}

/* ---- writing -------------------------------------------------------------------------- */

static json_t *highest_json(const struct staged *staged)
{
	json_t *highest = json_object();

	for (int kind = 0; kind < KIND_MAX; kind++)
		json_object_set_new(highest, kind_name(kind), json_integer(staged->highest[kind]));
	return highest;
}

/* The number of the revision that runs, if that is what is staged; or else the root. */
static json_t *staged_json(const struct state *state, const json_t *index, const json_t *root)
{
	json_t *number = json_object_get(index, "running");

	return json_incref(number && state->staged->running == root ? number : (json_t *)root);
}

static int write_text(struct state *state, const char *text)
{
	char path[STATE_PATH];
	int err;

	index_path(state, path);
	err = file_replace(path, text, strlen(text), 0600);
	if (err)
		return state_fail(state, -EIO, "%s cannot be written: %s; nothing was changed",
				  path, strerror(-err));
	state_hash(text, strlen(text), state->hash);
	stat(path, &state->written);
	return 0;
}

/* Writes state.json; takes `staged` over, the number or root of what is staged. */
static int write_state(struct state *state, const json_t *index, json_t *staged)
{
	json_t *document = json_copy((json_t *)index);
	char *text = NULL;
	int err = -ENOMEM;

	json_object_set_new(document, "highest", highest_json(state->staged));
	json_object_set_new(document, "task", json_integer(state->last_task));
	if (!json_object_set_new(document, "staged", staged))
		text = json_dumps(document, JSON_COMPACT);
	if (text)
		err = write_text(state, text);
	free(text);
	json_decref(document);
	return err;
}

/* What has to be before anything is written. */
static int begin_write(struct state *state)
{
	int err;

	*state->failed = '\0';
	err = state->lock < 0 ? open_directory(state) : check_directory(state);
	err = err ? err : check_unchanged(state);
	return err ? err : revisions_write_missing(state);
}

static void set_index(struct state *state, json_t *index)
{
	json_decref(state->before);
	state->before = state->index;
	state->index = index;
}

/* Takes `index` over; `staged` as write_state() does. */
static int replace_index(struct state *state, json_t *index, json_t *staged)
{
	int err = write_state(state, index, staged);

	if (!err) {
		set_index(state, index);
		return 0;
	}
	revisions_forget(state, state->index, index);
	json_decref(index);
	return err;
}

int state_stage(void *context, const json_t *root)
{
	struct state *state = context;
	int err;

	if (state->held || !state->staged)
		return 0;
	err = begin_write(state);
	return err ? err : write_state(state, state->index, staged_json(state, state->index, root));
}

int state_keep(struct state *state, const json_t *root, const char *comment, uint32_t *number)
{
	json_t *index;
	int err;

	if (!state->staged)
		return 0;
	index = json_copy(state->index);
	err = begin_write(state);
	err = err ? err : revisions_add(state, index, root, comment, NULL, number);
	if (err) {
		json_decref(index);
		return err;
	}
	return replace_index(state, index, staged_json(state, index, state->staged->root));
}

/* Which revision each zone runs, once `number` is the one of what is staged. */
static json_t *zones_json(const struct state *state, const char *zone, uint32_t number)
{
	const json_t *before = json_object_get(state->index, "zones");
	json_t *next = staged_next_refreshed(state->staged, zone), *zones = json_object(), *root;
	const char *key;

	json_object_foreach (next, key, root) {
		json_t *kept = json_object_get(before, key);

		kept = kept ? kept : json_object_get(state->index, "running");
		if (root == state->staged->root)
			json_object_set_new(zones, key, json_integer(number));
		else
			json_object_set(zones, key, kept);
	}
	json_decref(next);
	return zones;
}

static bool differs(const json_t *before, const json_t *after)
{
	json_t *changes = staged_compare(before, after, "all");
	bool any = json_array_size(changes);

	json_decref(changes);
	return any;
}

/* The index after a refresh; NULL after a failure. */
static json_t *refreshed_index(struct state *state, struct refresh *refresh, int *err)
{
	json_t *index = state->index ? json_copy(state->index) : json_object();
	uint32_t number;

	*err = 0;
	if (refresh->lost && differs(refresh->lost, state->staged->root))
		*err = revisions_add(state, index, refresh->lost,
				     "staged, not refreshed, and replaced", NULL, &refresh->kept);
	*err = *err ? *err
		    : revisions_add(state, index, state->staged->root, refresh->comment,
				    refresh->zone ? refresh->zone : "all", &number);
	if (*err) {
		json_decref(index);
		return NULL;
	}
	json_object_set_new(index, "format", json_integer(FORMAT));
	json_object_set_new(index, "zones", zones_json(state, refresh->zone, number));
	if (staged_is_ours(state->staged, refresh->zone))
		json_object_set_new(index, "running", json_integer(number));
	if (refresh->file)
		json_object_set_new(index, "file",
				    json_pack("{s:s, s:I}", "hash", refresh->file, "revision",
					      (json_int_t)number));
	return index;
}

/* At the start, a daemon that cannot write serves nevertheless. */
static int refresh_or_go_on(struct state *state, struct refresh *refresh, int err)
{
	json_t *index;

	if (state->strict || err == -ESTALE || err == -EBUSY)
		return err;
	if (!state->unwritten)
		state->unwritten = json_object();
	index = refreshed_index(state, refresh, &err);
	if (index)
		set_index(state, index);
	return err;
}

int state_refresh(struct state *state, struct refresh *refresh)
{
	json_t *index = NULL;
	int err;

	if (!state->staged)
		return 0;
	err = begin_write(state);
	if (!err) {
		revisions_prune(state);
		index = refreshed_index(state, refresh, &err);
	}
	if (index)
		err = replace_index(
			state, index,
			json_integer(json_integer_value(json_object_get(index, "last"))));
	return err ? refresh_or_go_on(state, refresh, err) : 0;
}

void state_undo(struct state *state)
{
	json_t *before = state->before;

	state->before = NULL;
	if (before &&
	    !write_state(state, before, staged_json(state, before, state->staged->root))) {
		revisions_forget(state, before, state->index);
		set_index(state, before);
	} else {
		json_decref(before);
	}
}

/* ---- reading -------------------------------------------------------------------------- */

static int unreadable(struct state *state, const char *path, const char *why)
{
	return state_fail(state, -EINVAL,
			  "%s cannot be read: %s; move %s away to begin with a file", path, why,
			  state->directory);
}

static int wrong_type(const char *what, json_error_t *error)
{
	snprintf(error->text, sizeof(error->text), "%s: is of another type", what);
	return -EINVAL;
}

static int check_number(const char *what, json_int_t number, json_int_t min, json_error_t *error)
{
	if (number >= min && number <= REVISION_MAX)
		return 0;
	snprintf(error->text, sizeof(error->text), "%s: %lld is out of range or order", what,
		 (long long)number);
	return -EINVAL;
}

/* Is of each revision known what it is asked for, and does each have a number of its own? */
static int check_revisions(const json_t *list, json_error_t *error)
{
	json_t *entry, *zone;
	json_int_t number, last = 0;
	size_t i;

	json_array_foreach (list, i, entry) {
		if (json_unpack_ex(entry, error, JSON_VALIDATE_ONLY,
				   "{s:I, s:s, s?s, s?s, s?I, s?I, s?I}", "number", "hash", "date",
				   "comment", "created", "changed", "deleted"))
			return -EINVAL;
		zone = json_object_get(entry, "zone");
		number = json_integer_value(json_object_get(entry, "number"));
		if (zone && !json_is_null(zone) && !json_is_string(zone))
			return wrong_type("zone", error);
		if (check_number("revisions", number, last + 1, error))
			return -EINVAL;
		last = number;
	}
	return 0;
}

static int check_integers(const char *what, const json_t *mapping, json_error_t *error)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)mapping, key, value)
		if (check_number(what, json_is_integer(value) ? json_integer_value(value) : -1, 0,
				 error))
			return -EINVAL;
	return 0;
}

/* Is everything what it is taken for? */
static int check_index(const json_t *index, json_error_t *error)
{
	static const struct {
		const char *key;
		json_type type;
	} members[] = {{"last", JSON_INTEGER}, {"running", JSON_INTEGER}, {"revisions", JSON_ARRAY},
		       {"zones", JSON_OBJECT}, {"highest", JSON_OBJECT},  {"file", JSON_OBJECT},
		       {"task", JSON_INTEGER}};
	const json_t *staged = json_object_get(index, "staged");
	json_t *file = json_object_get(index, "file");

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		const json_t *value = json_object_get(index, members[i].key);

		if (value && json_typeof(value) != members[i].type)
			return wrong_type(members[i].key, error);
		if (json_is_integer(value) &&
		    check_number(members[i].key, json_integer_value(value), 0, error))
			return -EINVAL;
	}
	if (staged && !json_is_integer(staged) && !json_is_object(staged))
		return wrong_type("staged", error);
	if (file &&
	    json_unpack_ex(file, error, JSON_VALIDATE_ONLY, "{s:s, s:I}", "hash", "revision"))
		return -EINVAL;
	if (check_integers("zones", json_object_get(index, "zones"), error) ||
	    check_integers("highest", json_object_get(index, "highest"), error))
		return -EINVAL;
	return check_revisions(json_object_get(index, "revisions"), error);
}

/* state.json, but for what is staged and the highest ids, which state_load() takes. */
static int read_index(struct state *state)
{
	char path[STATE_PATH], *bytes;
	json_error_t error;
	size_t len;
	int err;

	index_path(state, path);
	err = file_read(path, &bytes, &len);
	if (err == -ENOENT)
		return 0;
	if (err)
		return unreadable(state, path, strerror(-err));
	state_hash(bytes, len, state->hash);
	stat(path, &state->written);
	state->index = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	free(bytes);
	if (!state->index)
		return unreadable(state, path, error.text);
	if (json_integer_value(json_object_get(state->index, "format")) != FORMAT)
		return unreadable(state, path, "it is of another version");
	if (check_index(state->index, &error))
		return unreadable(state, path, error.text);
	state->last_task = json_integer_value(json_object_get(state->index, "task"));
	return 0;
}

int state_open(struct state *state, const char *instance, struct staged *staged)
{
	int err;

	state->staged = staged;
	state->instance = instance;
	snprintf(state->directory, sizeof(state->directory), STATE_ROOT "/%s", instance);
	err = open_directory(state);
	return err ? err : read_index(state);
}

void state_close(struct state *state)
{
	json_decref(state->index);
	json_decref(state->before);
	json_decref(state->unwritten);
	json_decref(state->refused);
	if (state->lock >= 0)
		close(state->lock);
	*state = (struct state){.lock = -1};
}

/* A root that is known by `roots` is shared. Borrowed, NULL after a failure. */
static json_t *load_root(struct state *state, json_t *roots, const json_t *number)
{
	json_t *root;
	char key[16];
	int err;

	snprintf(key, sizeof(key), "%u", (uint32_t)json_integer_value(number));
	root = json_object_get(roots, key);
	if (root)
		return root;
	root = state_revision_root(state, json_integer_value(number), &err);
	return root && !json_object_set_new(roots, key, root) ? root : NULL;
}

/* The root of each zone. New reference, NULL after a failure. */
static json_t *load_refreshed(struct state *state, json_t *roots)
{
	json_t *refreshed = json_object(), *number, *root;
	const char *zone;

	json_object_foreach (json_object_get(state->index, "zones"), zone, number) {
		root = load_root(state, roots, number);
		if (!root) {
			json_decref(refreshed);
			return NULL;
		}
		json_object_set(refreshed, zone, root);
	}
	return refreshed;
}

static void load_highest(const json_t *index, struct staged *staged)
{
	const json_t *highest = json_object_get(index, "highest");

	for (int kind = 0; kind < KIND_MAX; kind++)
		staged->highest[kind] =
			json_integer_value(json_object_get(highest, kind_name(kind)));
}

/* Fills what runs, and returns what is staged: itself, or the number of the revision it is. */
static json_t *load_roots(struct state *state, json_t *roots)
{
	json_t *staged = json_object_get(state->index, "staged");

	state->staged->refreshed = load_refreshed(state, roots);
	if (!state->staged->refreshed)
		return NULL;
	state->staged->running =
		json_incref(load_root(state, roots, json_object_get(state->index, "running")));
	if (!state->staged->running)
		return NULL;
	return json_is_integer(staged) ? load_root(state, roots, staged) : staged;
}

static int stage_root(struct state *state, json_t *root, struct problems *problems)
{
	struct config *config = config_decode_tree(root, DECODE_TO_STAGE, problems);

	return config ? staged_replace(state->staged, root, config, NULL) : -EINVAL;
}

int state_load(struct state *state, struct problems *problems)
{
	json_t *roots = json_object(), *root = load_roots(state, roots);
	struct problems none = {0};
	int err = -EINVAL;

	load_highest(state->index, state->staged);
	if (root)
		err = stage_root(state, root, problems);
	if (root && root != state->staged->running && err == -EINVAL) {
		state->refused = json_incref(root);
		err = stage_root(state, state->staged->running, &none);
		problems_free(&none);
	}
	json_object_del(state->index, "staged");
	json_object_del(state->index, "highest");
	json_decref(roots);
	return err;
}
