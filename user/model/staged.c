// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "staged.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problems.h"

#define NOWHERE SIZE_MAX

/* The list that holds the objects of a kind: of the root, or of each object in the list `within`.
 */
static const struct {
	const char *list, *within;
} places[KIND_MAX] = {
	[KIND_FARM] = {"farms", NULL},	       [KIND_SERVER] = {"servers", "farms"},
	[KIND_FRONTEND] = {"frontends", NULL}, [KIND_ROUTE] = {"routes", NULL},
	[KIND_RULE] = {"rules", "routes"},
};

/* Where objects are referred to by name: `key` of a user, or of its member. */
static const struct reference {
	enum kind kind, user;
	const char *member, *key;
	const char *as; /* what messages call it */
} references[] = {
	{KIND_FARM, KIND_FRONTEND, NULL, "default_farm", "default farm"},
	{KIND_FARM, KIND_FARM, NULL, "fallback_farm", "fallback farm"},
	{KIND_FARM, KIND_ROUTE, "action", "target", "target"},
	{KIND_FRONTEND, KIND_ROUTE, NULL, "frontend", "frontend"},
};

uint32_t object_id(const json_t *object)
{
	return json_integer_value(json_object_get(object, "id"));
}

const char *object_name(const json_t *object)
{
	return json_string_value(json_object_get(object, "name"));
}

void staged_free(struct staged *staged)
{
	json_decref(staged->root);
	json_decref(staged->refreshed);
	json_decref(staged->running);
	config_free(staged->config);
	*staged = (struct staged){0};
}

/* ---- finding -------------------------------------------------------------------------- */

static size_t index_of(const json_t *list, uint32_t id)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (object_id(json_array_get(list, i)) == id)
			return i;
	return NOWHERE;
}

/* Where an object is, or would be: the lists on the way and the places in them. */
struct path {
	enum kind kind;
	const json_t *parents; /* NULL for an object of the root */
	size_t parent;
	const json_t *list; /* NULL or null when there is no object of the kind yet */
	size_t index;	    /* NOWHERE for one that is not there */
};

static int find_path(const json_t *root, enum kind kind, uint32_t parent, uint32_t id,
		     struct path *path)
{
	*path = (struct path){.kind = kind};
	if (places[kind].within) {
		path->parents = json_object_get(root, places[kind].within);
		path->parent = index_of(path->parents, parent);
		if (path->parent == NOWHERE)
			return -ENOENT;
		root = json_array_get(path->parents, path->parent);
	}
	path->list = json_object_get(root, places[kind].list);
	path->index = id ? index_of(path->list, id) : NOWHERE;
	return id && path->index == NOWHERE ? -ENOENT : 0;
}

const json_t *staged_list(const struct staged *staged, enum kind kind, uint32_t parent)
{
	struct path path;

	return find_path(staged->root, kind, parent, 0, &path) ? NULL : path.list;
}

static const json_t *object_in(const json_t *root, enum kind kind, uint32_t parent, uint32_t id)
{
	struct path path;

	if (!id || find_path(root, kind, parent, id, &path))
		return NULL;
	return json_array_get(path.list, path.index);
}

const json_t *staged_object(const struct staged *staged, enum kind kind, uint32_t parent,
			    uint32_t id)
{
	return object_in(staged->root, kind, parent, id);
}

static const json_t *named(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *other = object_name(json_array_get(list, i));

		if (name && other && !strcmp(other, name))
			return json_array_get(list, i);
	}
	return NULL;
}

uint32_t staged_id(const struct staged *staged, enum kind kind, const char *name)
{
	return object_id(named(staged_list(staged, kind, 0), name));
}

/* ---- new documents -------------------------------------------------------------------- */

static json_t *with_member(const json_t *mapping, const char *key, json_t *value)
{
	json_t *copy = json_copy((json_t *)mapping);

	if (!json_object_set_new(copy, key, value))
		return copy;
	json_decref(copy);
	return NULL;
}

/* NULL for `object` removes; past the end appends. */
static json_t *with_item(const json_t *list, size_t index, json_t *object)
{
	json_t *copy = json_is_array(list) ? json_copy((json_t *)list) : json_array();
	int err;

	if (!object)
		err = json_array_remove(copy, index);
	else if (index < json_array_size(copy))
		err = json_array_set(copy, index, object);
	else
		err = json_array_append(copy, object);
	if (!err)
		return copy;
	json_decref(copy);
	return NULL;
}

static json_t *with_object(const json_t *root, const struct path *path, json_t *object)
{
	const char *list = places[path->kind].list, *within = places[path->kind].within;
	json_t *items = with_item(path->list, path->index, object), *parent, *parents;

	if (!within)
		return with_member(root, list, items);
	parent = with_member(json_array_get(path->parents, path->parent), list, items);
	if (!parent)
		return NULL;
	parents = with_item(path->parents, path->parent, parent);
	json_decref(parent);
	return with_member(root, within, parents);
}

/* The name that `item` refers by, and the mapping it stands in; NULL for none. */
static const char *referred_name(const struct reference *reference, json_t *item, json_t **holder)
{
	*holder = reference->member ? json_object_get(item, reference->member) : item;
	return json_string_value(json_object_get(*holder, reference->key));
}

/* Steals `root`; a place that refers to `from` refers to `to`. */
static json_t *renamed_in(json_t *root, const struct reference *reference, const char *from,
			  const char *to)
{
	const char *list = places[reference->user].list;
	json_t *items = json_object_get(root, list), *next;

	for (size_t i = 0; root && i < json_array_size(items); i++) {
		json_t *item = json_array_get(items, i), *holder, *changed;
		const char *name = referred_name(reference, item, &holder);

		if (!name || strcmp(name, from))
			continue;
		changed = with_member(holder, reference->key, json_string(to));
		if (reference->member && changed)
			changed = with_member(item, reference->member, changed);
		next = changed ? with_member(root, list, with_item(items, i, changed)) : NULL;
		json_decref(changed);
		json_decref(root);
		root = next;
		items = json_object_get(root, list);
	}
	return root;
}

static json_t *rename_references(json_t *root, enum kind kind, const char *from, const char *to)
{
	if (!from || !to || !strcmp(from, to))
		return root;
	for (size_t i = 0; i < sizeof(references) / sizeof(*references); i++)
		if (references[i].kind == kind)
			root = renamed_in(root, &references[i], from, to);
	return root;
}

/* ---- writing -------------------------------------------------------------------------- */

/* The only way to a new staged configuration. Steals root and config. */
static int commit(struct staged *staged, json_t *root, struct config *config)
{
	int err = staged->commit ? staged->commit(staged->context, root) : 0;

	if (err) {
		json_decref(root);
		config_free(config);
		return err;
	}
	json_decref(staged->root);
	config_free(staged->config);
	staged->root = root;
	staged->config = config;
	return 0;
}

/* Steals `root`. */
static int decode_and_commit(struct staged *staged, json_t *root, struct problems *problems)
{
	struct config *config = root ? config_decode_tree(root, DECODE_TO_STAGE, problems) : NULL;

	if (config)
		return commit(staged, root, config);
	json_decref(root);
	return root ? -EINVAL : -ENOMEM;
}

/* Whoever writes an object knows it: leaves its path out of the problems', and others' warnings. */
static void strip_paths(struct problems *problems, const struct path *path)
{
	size_t index = path->index == NOWHERE ? json_array_size(path->list) : path->index;
	char prefix[96];
	int len;

	if (places[path->kind].within)
		len = snprintf(prefix, sizeof(prefix), "%s[%zu].%s[%zu].",
			       places[path->kind].within, path->parent, places[path->kind].list,
			       index);
	else
		len = snprintf(prefix, sizeof(prefix), "%s[%zu].", places[path->kind].list, index);
	for (size_t i = 0; i < problems->n; i++) {
		char *text = problems->v[i].path;

		if (text && !strncmp(text, prefix, len))
			memmove(text, text + len, strlen(text + len) + 1);
		else if (problems->v[i].warning)
			problems_drop(problems, i--);
	}
}

static int write_object(struct staged *staged, const struct path *path, json_t *object,
			const char *was, struct problems *problems)
{
	json_t *root = with_object(staged->root, path, object);
	int err;

	root = rename_references(root, path->kind, was, object_name(object));
	err = decode_and_commit(staged, root, problems);
	if (err)
		strip_paths(problems, path);
	return err;
}

/* ---- ids ------------------------------------------------------------------------------ */

typedef void visitor(void *context, const json_t *object, const json_t *parent);

static void visit_objects(const json_t *root, enum kind kind, visitor *visit, void *context)
{
	const char *within = places[kind].within;
	const json_t *parents = within ? json_object_get(root, within) : NULL;
	size_t n = within ? json_array_size(parents) : 1;

	for (size_t i = 0; i < n; i++) {
		const json_t *parent = within ? json_array_get(parents, i) : root;
		const json_t *list = json_object_get(parent, places[kind].list);

		for (size_t j = 0; j < json_array_size(list); j++)
			visit(context, json_array_get(list, j), parent);
	}
}

static void add_id(void *context, const json_t *object, const json_t *parent)
{
	uint32_t id = object_id(object);
	struct id_set *ids = context;

	if (id <= ids->limit)
		id_set_add(ids, id);
}

/* Past the limit: an id that neither a staged nor a running object has. */
static uint32_t free_id(const struct staged *staged, enum kind kind)
{
	struct id_set ids;
	const char *zone;
	uint32_t id = 1;
	json_t *root;

	if (id_set_init(&ids, kind_limit(kind)))
		return 0;
	visit_objects(staged->root, kind, add_id, &ids);
	json_object_foreach (staged->refreshed, zone, root)
		visit_objects(root, kind, add_id, &ids);
	while (id <= ids.limit && id_set_has(&ids, id))
		id++;
	id = id <= ids.limit ? id : 0;
	id_set_free(&ids);
	return id;
}

static uint32_t next_id(const struct staged *staged, enum kind kind)
{
	uint32_t highest = staged->highest[kind];

	return highest < kind_limit(kind) ? highest + 1 : free_id(staged, kind);
}

static void note_id(void *context, const json_t *object, const json_t *parent)
{
	uint32_t *highest = context, id = object_id(object);

	*highest = id > *highest ? id : *highest;
}

static int set_id(json_t *list, size_t i, const struct object *object)
{
	return json_object_set_new(json_array_get(list, i), "id", json_integer(object->id));
}

/* Lists of a configuration keep the order of its document. */
static int write_ids(json_t *root, const struct config *config)
{
	json_t *farms = json_object_get(root, "farms"), *routes = json_object_get(root, "routes");
	int err = 0;

	for (size_t i = 0; i < config->n_frontends; i++)
		err |= set_id(json_object_get(root, "frontends"), i, &config->frontends[i].o);
	for (size_t i = 0; i < config->n_farms; i++) {
		json_t *servers = json_object_get(json_array_get(farms, i), "servers");

		err |= set_id(farms, i, &config->farms[i].o);
		for (size_t j = 0; j < config->farms[i].n_servers; j++)
			err |= set_id(servers, j, &config->farms[i].servers[j].o);
	}
	for (size_t i = 0; i < config->n_routes; i++) {
		json_t *rules = json_object_get(json_array_get(routes, i), "rules");

		err |= set_id(routes, i, &config->routes[i].o);
		for (size_t j = 0; j < config->routes[i].n_rules; j++)
			err |= set_id(rules, j, &config->routes[i].rules[j].o);
	}
	return err ? -ENOMEM : 0;
}

/* ---- writes --------------------------------------------------------------------------- */

int staged_replace(struct staged *staged, json_t *root, struct config *config,
		   const struct config *previous)
{
	int err = config_assign_ids(config, previous, staged->highest);

	err = err ? err : write_ids(root, config);
	if (err) {
		config_free(config);
		return err;
	}
	err = commit(staged, json_incref(root), config);
	for (int kind = 0; kind < KIND_MAX && !err; kind++)
		visit_objects(root, kind, note_id, &staged->highest[kind]);
	return err;
}

int staged_restore(struct staged *staged, json_t *root)
{
	struct problems problems = {0};
	int err = decode_and_commit(staged, json_incref(root), &problems);

	problems_free(&problems);
	return err;
}

/* "farm-7", or when an object has that name already, "farm-7-2". */
static json_t *new_name(const struct path *path, uint32_t id)
{
	const char *kind = kind_name(path->kind);
	char name[NAME_MAX_LEN + 1];

	snprintf(name, sizeof(name), "%s-%u", kind, id);
	for (unsigned int i = 2; named(path->list, name); i++)
		snprintf(name, sizeof(name), "%s-%u-%u", kind, id, i);
	return json_string(name);
}

int staged_create(struct staged *staged, enum kind kind, uint32_t parent, const json_t *fields,
		  uint32_t *id, struct problems *problems)
{
	json_t *object = json_object();
	struct path path;
	int err = find_path(staged->root, kind, parent, 0, &path);

	*id = next_id(staged, kind);
	if (!err && !*id)
		err = -ENOSPC;
	if (!err) {
		json_object_set_new(object, "id", json_integer(*id));
		if (kind != KIND_RULE)
			json_object_set_new(object, "name", new_name(&path, *id));
		err = json_object_update(object, (json_t *)fields) ? -ENOMEM : 0;
	}
	err = err ? err : write_object(staged, &path, object, NULL, problems);
	if (!err && *id > staged->highest[kind])
		staged->highest[kind] = *id;
	json_decref(object);
	return err;
}

int staged_change(struct staged *staged, enum kind kind, uint32_t parent, uint32_t id,
		  const json_t *fields, struct problems *problems)
{
	struct path path;
	int err = find_path(staged->root, kind, parent, id, &path);
	json_t *before, *object;

	if (err)
		return err;
	before = json_array_get(path.list, path.index);
	object = json_copy(before);
	err = json_object_update(object, (json_t *)fields)
		      ? -ENOMEM
		      : write_object(staged, &path, object, object_name(before), problems);
	json_decref(object);
	return err;
}

int staged_set(struct staged *staged, const char *key, json_t *value, struct problems *problems)
{
	json_t *root = with_member(staged->root, key, json_incref(value));
	int err = decode_and_commit(staged, root, problems);

	for (size_t i = problems->n; err && i--;)
		if (problems->v[i].warning)
			problems_drop(problems, i);
	return err;
}

/* Adds a problem for the first object that refers to `name`. */
static bool find_user(const json_t *root, const struct reference *reference, const char *name,
		      struct problems *problems)
{
	const json_t *list = json_object_get(root, places[reference->user].list);

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *item = json_array_get(list, i), *holder;
		const char *used = referred_name(reference, item, &holder);

		if (!used || strcmp(used, name))
			continue;
		line_error(problems, 0, "%s is the %s of the %s %s (id %u)", name, reference->as,
			   kind_name(reference->user), object_name(item), object_id(item));
		return true;
	}
	return false;
}

static bool is_used(const json_t *root, enum kind kind, const char *name, struct problems *problems)
{
	for (size_t i = 0; i < sizeof(references) / sizeof(*references); i++)
		if (references[i].kind == kind && find_user(root, &references[i], name, problems))
			return true;
	return false;
}

int staged_delete(struct staged *staged, enum kind kind, uint32_t parent, uint32_t id,
		  struct problems *problems)
{
	struct path path;
	int err = find_path(staged->root, kind, parent, id, &path);

	if (err)
		return err;
	if (is_used(staged->root, kind, object_name(json_array_get(path.list, path.index)),
		    problems))
		return -EBUSY;
	return write_object(staged, &path, NULL, NULL, problems);
}

/* ---- zones ---------------------------------------------------------------------------- */

static const char *zone_of(const json_t *object)
{
	const char *zone = json_string_value(json_object_get(object, "zone"));

	return zone ? zone : "all";
}

const char *staged_zone(const struct staged *staged)
{
	return zone_of(staged->running ? staged->running : staged->root);
}

bool staged_is_ours(const struct staged *staged, const char *zone)
{
	const char *ours = staged_zone(staged);

	return zone_is_all(zone) || zone_is_all(ours) || !strcmp(zone, ours);
}

static void add_zone(void *context, const json_t *object, const json_t *parent)
{
	if (!zone_is_all(zone_of(object)))
		json_object_set_new(context, zone_of(object), json_null());
}

/* A mapping with them as keys. */
static json_t *named_zones(const struct staged *staged, const char *ours)
{
	json_t *zones = json_object();

	json_object_set_new(zones, ours, json_null());
	visit_objects(staged->root, KIND_FARM, add_zone, zones);
	visit_objects(staged->root, KIND_FRONTEND, add_zone, zones);
	return zones;
}

json_t *staged_zones(const struct staged *staged)
{
	json_t *zones = named_zones(staged, staged_zone(staged)), *list = json_array(), *value;
	const char *zone;

	json_object_foreach (staged->refreshed, zone, value)
		json_object_set_new(zones, zone, json_null());
	json_object_foreach (zones, zone, value)
		json_array_append_new(list, json_string(zone));
	json_decref(zones);
	return list;
}

/* A zone that had no object before has been refreshed with the others. */
const json_t *staged_refreshed_root(const struct staged *staged, const char *zone)
{
	const json_t *root = json_object_get(staged->refreshed, zone);

	return root ? root : staged->running;
}

/* Zones that nothing names any more are gone then. */
static json_t *all_refreshed(const struct staged *staged)
{
	json_t *zones = named_zones(staged, zone_of(staged->root)), *next = json_object(), *value;
	const char *zone;

	json_object_foreach (zones, zone, value)
		json_object_set(next, zone, staged->root);
	json_decref(zones);
	return next;
}

/* Zones without a root of their own keep the one they were compared with. */
static json_t *one_refreshed(const struct staged *staged, const char *zone)
{
	json_t *next = json_object(), *zones = staged_zones(staged), *item;
	size_t i;

	json_array_foreach (zones, i, item) {
		const char *name = json_string_value(item);

		json_object_set(next, name, (json_t *)staged_refreshed_root(staged, name));
	}
	json_decref(zones);
	json_object_set(next, zone, staged->root);
	if (staged_is_ours(staged, zone)) /* which may move to another zone by that */
		json_object_set(next, zone_of(staged->root), staged->root);
	return next;
}

json_t *staged_next_refreshed(const struct staged *staged, const char *zone)
{
	/* An instance without a zone has all of them. */
	if (zone_is_all(zone) || zone_is_all(staged_zone(staged)))
		return all_refreshed(staged);
	return one_refreshed(staged, zone);
}

void staged_refreshed(struct staged *staged, const char *zone)
{
	json_t *refreshed = staged_next_refreshed(staged, zone);

	json_decref(staged->refreshed);
	staged->refreshed = refreshed;
	if (!staged_is_ours(staged, zone))
		return;
	json_decref(staged->running);
	staged->running = json_incref(staged->root);
}

/* ---- what is pending ------------------------------------------------------------------ */

struct entry {
	const json_t *object, *parent;
};

struct diff {
	const char *zone;
	const json_t *before, *after; /* roots */
	enum kind kind;
	struct entry *entries; /* by id, of the root before ... */
	uint32_t highest;      /* ... up to this one */
	json_t *changes;
};

static void index_entry(void *context, const json_t *object, const json_t *parent)
{
	struct diff *diff = context;
	uint32_t id = object_id(object);

	if (id <= diff->highest)
		diff->entries[id] = (struct entry){object, parent};
}

/* Objects that are in others count by themselves. */
static bool is_list_of_objects(const char *key)
{
	for (int kind = 0; kind < KIND_MAX; kind++)
		if (!strcmp(key, places[kind].list))
			return true;
	return false;
}

/* Has `other` that attribute of an object another way, or not at all? */
static bool is_apart(const char *key, const json_t *value, const json_t *other)
{
	return !is_list_of_objects(key) && !json_equal(json_object_get(other, key), value);
}

static bool has_attributes_of(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)b, key, value)
		if (is_apart(key, value, a))
			return false;
	return true;
}

static bool same_attributes(const json_t *a, const json_t *b)
{
	return a == b || (has_attributes_of(a, b) && has_attributes_of(b, a));
}

static const char *route_zone(const json_t *root, const json_t *route)
{
	const char *name = json_string_value(json_object_get(route, "frontend"));

	return zone_of(named(json_object_get(root, "frontends"), name));
}

static bool in_zone(const struct diff *diff, const json_t *root, const struct entry *entry)
{
	const char *zone;

	if (!entry->object)
		return false;
	if (diff->kind == KIND_ROUTE)
		zone = route_zone(root, entry->object);
	else if (diff->kind == KIND_RULE)
		zone = route_zone(root, entry->parent);
	else
		zone = zone_of(diff->kind == KIND_SERVER ? entry->parent : entry->object);
	return zone_is_all(zone) || zone_is_all(diff->zone) || !strcmp(zone, diff->zone);
}

/* The attributes of `object` that `other` does not have, or has another way. */
static json_t *attributes_apart(const json_t *object, const json_t *other)
{
	json_t *apart = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)object, key, value)
		if (is_apart(key, value, other))
			json_object_set(apart, key, value);
	return apart;
}

static void add_change(struct diff *diff, const struct entry *before, const struct entry *after)
{
	const char *change = !before->object ? "created" : after->object ? "changed" : "deleted";
	const struct entry *entry = after->object ? after : before;
	bool is_within = places[diff->kind].within;

	if (!in_zone(diff, diff->before, before) && !in_zone(diff, diff->after, after))
		return;
	json_array_append_new(
		diff->changes,
		json_pack("{s:s, s:i, s:s?, s:s?, s:s, s:o, s:o}", "kind", kind_name(diff->kind),
			  "id", object_id(entry->object), "name", object_name(entry->object), "in",
			  is_within ? object_name(entry->parent) : NULL, "change", change, "before",
			  attributes_apart(before->object, after->object), "after",
			  attributes_apart(after->object, before->object)));
}

static void compare_entry(void *context, const json_t *object, const json_t *parent)
{
	struct entry none = {0}, after = {object, parent}, *before;
	struct diff *diff = context;
	uint32_t id = object_id(object);

	before = id <= diff->highest ? &diff->entries[id] : &none;
	if (!before->object || !same_attributes(before->object, object))
		add_change(diff, before, &after);
	before->object = NULL; /* what is left has been deleted */
}

static void compare_kind(struct diff *diff)
{
	const char *top = places[diff->kind].within;
	struct entry none = {0};

	top = top ? top : places[diff->kind].list;
	if (json_object_get(diff->before, top) == json_object_get(diff->after, top))
		return;
	diff->highest = 0;
	visit_objects(diff->before, diff->kind, note_id, &diff->highest);
	if (diff->highest > kind_limit(diff->kind))
		diff->highest = kind_limit(diff->kind);
	diff->entries = calloc(diff->highest + 1, sizeof(*diff->entries));
	if (!diff->entries)
		return;
	visit_objects(diff->before, diff->kind, index_entry, diff);
	visit_objects(diff->after, diff->kind, compare_entry, diff);
	for (uint32_t id = 1; id <= diff->highest; id++)
		if (diff->entries[id].object)
			add_change(diff, &diff->entries[id], &none);
	free(diff->entries);
}

static json_t *compare_roots(const json_t *before, const json_t *after, const char *zone)
{
	struct diff diff = {
		.zone = zone,
		.before = before,
		.after = after,
		.changes = json_array(),
	};

	if (before == after)
		return diff.changes;
	for (diff.kind = 0; diff.kind < KIND_MAX; diff.kind++)
		compare_kind(&diff);
	if (before && (zone_is_all(zone) || !strcmp(zone, zone_of(before))) &&
	    !same_attributes(before, after))
		json_array_append_new(diff.changes,
				      json_pack("{s:s, s:i, s:n, s:n, s:s, s:o, s:o}", "kind",
						"service", "id", 0, "name", "in", "change",
						"changed", "before",
						attributes_apart(before, after), "after",
						attributes_apart(after, before)));
	return diff.changes;
}

/* One way to write what a root means: defaults left out. As it is, if it cannot be decoded. */
static json_t *normal_form(const json_t *root)
{
	struct problems problems = {0};
	struct config *config = root ? config_decode_tree(root, DECODE_TO_STAGE, &problems) : NULL;
	json_t *form = config ? config_encode(config) : NULL;

	config_free(config);
	problems_free(&problems);
	return form ? form : json_incref((json_t *)root);
}

json_t *staged_compare(const json_t *before, const json_t *after, const char *zone)
{
	json_t *changes = compare_roots(before, after, zone), *old, *new;

	if (!json_array_size(changes))
		return changes;
	json_decref(changes);
	old = normal_form(before);
	new = normal_form(after);
	changes = compare_roots(old, new, zone);
	json_decref(old);
	json_decref(new);
	return changes;
}

json_t *staged_pending(const struct staged *staged, const char *zone)
{
	return staged_compare(staged_refreshed_root(staged, zone), staged->root, zone);
}

static bool is_of_route(const json_t *change, const json_t *route)
{
	const char *kind = json_string_value(json_object_get(change, "kind"));
	const char *in = json_string_value(json_object_get(change, "in"));

	if (!strcmp(kind, kind_name(KIND_RULE)))
		return in && !strcmp(in, object_name(route));
	return !strcmp(kind, kind_name(KIND_ROUTE)) && object_id(change) == object_id(route);
}

enum route_change staged_route_change(const struct staged *staged, const json_t *route)
{
	const char *zone = route_zone(staged->root, route);
	enum route_change is = ROUTE_UNCHANGED;
	const json_t *before;
	json_t *changes, *change;
	size_t i;

	zone = zone_is_all(zone) ? staged_zone(staged) : zone;
	before = object_in(staged_refreshed_root(staged, zone), KIND_ROUTE, 0, object_id(route));
	if (!before)
		return ROUTE_CREATED;
	if (json_equal(before, route))
		return ROUTE_UNCHANGED;
	changes = staged_pending(staged, zone);
	json_array_foreach (changes, i, change)
		if (is_of_route(change, route))
			is = ROUTE_CHANGED;
	json_decref(changes);
	return is;
}

bool staged_is_pending(const struct staged *staged)
{
	json_t *zones = staged_zones(staged), *zone;
	bool pending = false;
	size_t i;

	json_array_foreach (zones, i, zone) {
		json_t *changes = staged_pending(staged, json_string_value(zone));

		pending |= json_array_size(changes);
		json_decref(changes);
	}
	json_decref(zones);
	return pending;
}
