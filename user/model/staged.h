/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The staged configuration: what every write edits, and a refresh makes the running one. It is
 * the document as the operator gave it, so that null, 0 and unset stay three things, with
 * the ids of all objects. A document is never changed: a write makes a new one that shares with
 * the old one what stays, and that has to pass the decoder.
 */
#ifndef ALPNLB_STAGED_H
#define ALPNLB_STAGED_H

#include "decode.h"
#include "kinds.h"

struct staged {
	json_t *root;
	struct config *config;	    /* the same, decoded to stage */
	json_t *refreshed;	    /* by name of zone: the root it was last refreshed with */
	json_t *running;	    /* the root this instance runs; NULL before the first */
	uint32_t highest[KIND_MAX]; /* id ever given */
	/*
	 * Told of each new root before it is the staged one; an -errno refuses it. NULL for none.
	 * This is where a configuration is to be written to disk.
	 */
	int (*commit)(void *context, const json_t *root);
	void *context;
};

void staged_free(struct staged *staged);

/*
 * Every write returns 0, or -errno with nothing changed: -EINVAL with `problems`, -ENOENT when
 * there is no such object, -EBUSY with one problem that names its user, -ENOSPC when no id
 * is left, -ENOMEM, or what commit() returned. Paths in problems begin at the object written.
 */

/*
 * Puts a document in the place of the staged one; `config` is what config_decode() made of it,
 * and is taken over. Objects without an id get that of the same name in `previous`, which may
 * be NULL. Writes the ids into `root`.
 */
int staged_replace(struct staged *staged, json_t *root, struct config *config,
		   const struct config *previous);

/* Back to a root that was staged before. */
int staged_restore(struct staged *staged, json_t *root);

/*
 * `fields` are an object's as a file has them, without id; one without a name gets one. `parent`
 * is the id of the farm or route that servers and rules are in. *id is the new one's.
 */
int staged_create(struct staged *staged, enum kind kind, uint32_t parent, const json_t *fields,
		  uint32_t *id, struct problems *problems);

/* Changes the given fields only; a new name goes to where the old one was referred to. */
int staged_change(struct staged *staged, enum kind kind, uint32_t parent, uint32_t id,
		  const json_t *fields, struct problems *problems);

/* Changes an attribute of the root, which is of no object. */
int staged_set(struct staged *staged, const char *key, json_t *value, struct problems *problems);

/* A route goes with its rules and a farm with its servers, but not while it is referred to. */
int staged_delete(struct staged *staged, enum kind kind, uint32_t parent, uint32_t id,
		  struct problems *problems);

/* Objects of a kind, as a list; NULL for none. */
const json_t *staged_list(const struct staged *staged, enum kind kind, uint32_t parent);

/* NULL if there is none. */
const json_t *staged_object(const struct staged *staged, enum kind kind, uint32_t parent,
			    uint32_t id);

/* By name, of a kind that is in no other; 0 if there is none. */
uint32_t staged_id(const struct staged *staged, enum kind kind, const char *name);

uint32_t object_id(const json_t *object);
const char *object_name(const json_t *object);

/* ---- zones and what is pending -------------------------------------------------------- */

/*
 * The zone of this instance, by what it runs: "all" if it has none, which every object belongs
 * to.
 */
const char *staged_zone(const struct staged *staged);

/* Does a refresh of that zone change what this instance runs? */
bool staged_is_ours(const struct staged *staged, const char *zone);

/* Every zone that can be refreshed: of the instance, and those objects name. New reference. */
json_t *staged_zones(const struct staged *staged);

/* What the zone was last refreshed with; NULL before the first refresh. */
const json_t *staged_refreshed_root(const struct staged *staged, const char *zone);

/* `refreshed` as it is to be once `zone`, NULL for every zone, is refreshed. New reference. */
json_t *staged_next_refreshed(const struct staged *staged, const char *zone);

/* Notes that the zone, NULL for every zone, has been refreshed. */
void staged_refreshed(struct staged *staged, const char *zone);

/*
 * What differs in `zone`: [{"kind", "id", "name", "in", "change": created, changed, deleted,
 * "before", "after"}]. `in` names the farm or route that servers and rules are in; before and
 * after are the attributes that are not the same, as a file has them; another spelling of the same
 * is none. What is of no object is the kind "service", with id 0. New reference.
 */
json_t *staged_pending(const struct staged *staged, const char *zone);

/* The same between two roots; `before` may be NULL. */
json_t *staged_compare(const json_t *before, const json_t *after, const char *zone);

enum route_change {
	ROUTE_UNCHANGED,
	ROUTE_CREATED,
	ROUTE_CHANGED,
};

/* A staged route with its rules, beside what its frontend's zone was last refreshed with. */
enum route_change staged_route_change(const struct staged *staged, const json_t *route);

/* Is there anything to refresh, in any zone? */
bool staged_is_pending(const struct staged *staged);

#endif
