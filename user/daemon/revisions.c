// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "revisions.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../show/format.h"
#include "file_replace.h"

static void revision_path(const struct state *state, uint32_t number, char path[STATE_PATH])
{
	char name[32];

	snprintf(name, sizeof(name), "revisions/%u.json", number);
	state_directory_path(state->instance, name, path);
}

static uint32_t number_of(const json_t *entry)
{
	return json_integer_value(json_object_get(entry, "number"));
}

/* The number a file is named after; 0 for one that is no revision. */
static uint32_t file_number(const char *name)
{
	uint32_t number = strtoul(name, NULL, 10);
	char same[32];

	snprintf(same, sizeof(same), "%u.json", number);
	return number > REVISION_MAX || strcmp(name, same) ? 0 : number;
}

typedef void file_visitor(const struct state *state, uint32_t number, void *context);

static void visit_files(const struct state *state, file_visitor *visit, void *context)
{
	char directory[STATE_PATH];
	struct dirent *file;
	DIR *files;

	state_directory_path(state->instance, "revisions", directory);
	files = opendir(directory);
	while (files && (file = readdir(files)))
		if (file_number(file->d_name))
			visit(state, file_number(file->d_name), context);
	if (files)
		closedir(files);
}

/* ---- looking -------------------------------------------------------------------------- */

uint32_t state_running(const struct state *state)
{
	return json_integer_value(json_object_get(state->index, "running"));
}

bool state_file(const struct state *state, uint32_t *number, const char **hash)
{
	const json_t *file = json_object_get(state->index, "file");

	*number = json_integer_value(json_object_get(file, "revision"));
	*hash = json_string_value(json_object_get(file, "hash"));
	return *hash;
}

json_t *state_revisions(const struct state *state)
{
	return json_object_get(state->index, "revisions");
}

json_t *state_revision(const struct state *state, uint32_t number)
{
	json_t *entry;
	size_t i;

	json_array_foreach (state_revisions(state), i, entry)
		if (number_of(entry) == number)
			return entry;
	return NULL;
}

static uint32_t last_listed(const json_t *index)
{
	const json_t *list = json_object_get(index, "revisions");
	uint32_t number = number_of(json_array_get(list, json_array_size(list) - 1));
	uint32_t last = json_integer_value(json_object_get(index, "last"));

	return number > last ? number : last;
}

static void note_number(const struct state *state, uint32_t number, void *last)
{
	*(uint32_t *)last = number > *(uint32_t *)last ? number : *(uint32_t *)last;
}

/* Files may be newer than a state.json that comes from a backup. */
static uint32_t last_number(const struct state *state, const json_t *index)
{
	uint32_t last = last_listed(index);

	visit_files(state, note_number, &last);
	return last;
}

uint32_t state_unlisted(const struct state *state)
{
	uint32_t last = last_number(state, state->index);

	return last > last_listed(state->index) ? last : 0;
}

/* ---- reading -------------------------------------------------------------------------- */

int file_read(const char *path, char **bytes, size_t *len)
{
	FILE *in = fopen(path, "re"), *out;
	char buf[16384];
	size_t n;
	int err;

	if (!in)
		return -errno;
	*bytes = NULL;
	out = open_memstream(bytes, len);
	while (out && (n = fread(buf, 1, sizeof(buf), in)))
		fwrite(buf, 1, n, out);
	err = ferror(in) ? -EIO : 0;
	fclose(in);
	if (!out || fclose(out))
		err = -ENOMEM;
	if (err)
		free(*bytes);
	return err;
}

static json_t *read_root(struct state *state, const json_t *entry, const char *path, int *err)
{
	char hash[HASH_LEN], *bytes;
	json_error_t error;
	json_t *root;
	size_t len;

	*err = file_read(path, &bytes, &len);
	if (*err) {
		state_fail(state, *err, "revision %u cannot be read: %s: %s", number_of(entry),
			   path, strerror(-*err));
		return NULL;
	}
	state_hash(bytes, len, hash);
	root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
	free(bytes);
	if (!strcmp(hash, json_string_value(json_object_get(entry, "hash"))))
		return root;
	*err = state_fail(
		state, -ESTALE,
		"%s was changed since it was written, and is no revision any more; a file can "
		"be made the configuration with: alpnlb apply FILE",
		path);
	json_decref(root);
	return NULL;
}

json_t *state_revision_root(struct state *state, uint32_t number, int *err)
{
	const json_t *entry = state_revision(state, number);
	char path[STATE_PATH], key[16];
	json_t *root;

	snprintf(key, sizeof(key), "%u", number);
	root = json_object_get(state->unwritten, key);
	if (root)
		return json_incref(root);
	revision_path(state, number, path);
	if (entry)
		return read_root(state, entry, path, err);
	*err = state_fail(state, -ENOENT, "there is no revision %u", number);
	return NULL;
}

/* ---- adding --------------------------------------------------------------------------- */

/* How many objects were created, changed and deleted since what runs in the zone. */
static void count_changes(const struct state *state, const char *zone, const json_t *root,
			  json_t *entry)
{
	const json_t *before = zone_is_all(zone) ? state->staged->running
						 : json_object_get(state->staged->refreshed, zone);
	const char *kind;
	json_t *changes = staged_compare(before, root, "all"), *change;
	size_t i;

	json_array_foreach (changes, i, change) {
		kind = json_string_value(json_object_get(change, "change"));
		json_object_set_new(
			entry, kind,
			json_integer(json_integer_value(json_object_get(entry, kind)) + 1));
	}
	json_decref(changes);
}

/* Is there a file already, of other content? */
static bool is_taken(const char *path, const char *text)
{
	char *bytes = NULL;
	size_t len = 0;
	int err = file_read(path, &bytes, &len);
	bool same = !err && len == strlen(text) && !memcmp(bytes, text, len);

	if (!err)
		free(bytes);
	return err != -ENOENT && !same;
}

static int write_revision(struct state *state, uint32_t number, const char *text)
{
	char path[STATE_PATH];
	int err;

	revision_path(state, number, path);
	if (is_taken(path, text))
		return state_fail(state, -ESTALE,
				  "%s is another revision already, and nothing is written over it; "
				  "move it away",
				  path);
	err = file_replace(path, text, strlen(text), 0600);
	if (!err)
		return 0;
	return state_fail(state, -EIO, "%s cannot be written: %s; nothing was changed", path,
			  strerror(-err));
}

static int write_or_put_aside(struct state *state, uint32_t number, const json_t *root,
			      const char *text)
{
	char key[16];

	if (!state->unwritten)
		return write_revision(state, number, text);
	snprintf(key, sizeof(key), "%u", number);
	return json_object_set(state->unwritten, key, (json_t *)root) ? -ENOMEM : 0;
}

static bool is_in_use(const json_t *index, const json_t *entry)
{
	json_t *number = json_object_get(entry, "number"), *other;
	const char *zone;

	json_object_foreach (json_object_get(index, "zones"), zone, other)
		if (json_equal(number, other))
			return true;
	return json_equal(number, json_object_get(index, "running"));
}

/* The last ones, and those that run. New reference. */
static json_t *kept_revisions(const json_t *index)
{
	json_t *all = json_object_get(index, "revisions"), *kept = json_array(), *entry;
	size_t n = json_array_size(all), i;

	json_array_foreach (all, i, entry)
		if (i + REVISIONS_KEPT > n || is_in_use(index, entry))
			json_array_append(kept, entry);
	return kept;
}

static int add_entry(json_t *index, json_t *entry)
{
	json_t *revisions = kept_revisions(index);

	if (json_array_append_new(revisions, entry) ||
	    json_object_set(index, "last", json_object_get(entry, "number"))) {
		json_decref(revisions);
		return -ENOMEM;
	}
	return json_object_set_new(index, "revisions", revisions) ? -ENOMEM : 0;
}

int revisions_add(struct state *state, json_t *index, const json_t *root, const char *comment,
		  const char *zone, uint32_t *number)
{
	char *text = json_dumps(root, JSON_COMPACT), hash[HASH_LEN];
	int err = text ? 0 : -ENOMEM;
	json_t *entry;

	*number = last_number(state, index) + 1;
	if (!err && *number > REVISION_MAX)
		err = state_fail(state, -EIO, "%d was the last number of a revision", REVISION_MAX);
	err = err ? err : write_or_put_aside(state, *number, root, text);
	if (!err) {
		state_hash(text, strlen(text), hash);
		entry = json_pack("{s:I, s:o, s:s, s:s?, s:i, s:i, s:i, s:s}", "number",
				  (json_int_t)*number, "date", json_date(time(NULL)), "comment",
				  comment, "zone", zone, "created", 0, "changed", 0, "deleted", 0,
				  "hash", hash);
		count_changes(state, zone, root, entry);
		err = entry ? add_entry(index, entry) : -ENOMEM;
	}
	free(text);
	return err;
}

int revisions_write_missing(struct state *state)
{
	const char *key;
	json_t *root;
	int err = 0;

	json_object_foreach (state->unwritten, key, root) {
		char *text = json_dumps(root, JSON_COMPACT);

		err = text ? write_revision(state, strtoul(key, NULL, 10), text) : -ENOMEM;
		free(text);
		if (err)
			return err;
	}
	json_decref(state->unwritten);
	state->unwritten = NULL;
	return 0;
}

/* ---- removing ------------------------------------------------------------------------- */

void revisions_forget(const struct state *state, const json_t *before, const json_t *after)
{
	char path[STATE_PATH];
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(after, "revisions"), i, entry)
		if (number_of(entry) > last_listed(before)) {
			revision_path(state, number_of(entry), path);
			unlink(path);
		}
}

static void remove_old(const struct state *state, uint32_t number, void *oldest_kept)
{
	char path[STATE_PATH];

	if (number >= *(uint32_t *)oldest_kept || state_revision(state, number))
		return;
	revision_path(state, number, path);
	unlink(path);
}

/* Newer files that are not in the list are left: state.json may come from a backup. */
void revisions_prune(const struct state *state)
{
	const json_t *list = state_revisions(state);
	size_t n = json_array_size(list);
	uint32_t oldest_kept =
		n < REVISIONS_KEPT ? 0 : number_of(json_array_get(list, n - REVISIONS_KEPT));

	visit_files(state, remove_old, &oldest_kept);
}
