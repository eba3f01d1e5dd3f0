/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finding the object a user means. Each function returns an exit code, after it has said why. */
#ifndef ALPNLB_FIND_H
#define ALPNLB_FIND_H

#include "../model/kinds.h"

struct found {
	const struct object *object; /* the first member of what it is */
	const struct object *parent; /* the farm of a server, the route of a rule; else NULL */
};

/*
 * By `name` or `id`, one of them NULL. What is in another object may be named alone, if that is
 * unique, or FARM/SERVER.
 */
int find_object(const struct config *config, enum kind kind, const char *name, const char *id,
		struct found *found);

/* By one word, which is a name or, if no object has that name, an id; so is each half of
 * FARM/SERVER. */
int find_word(const struct config *config, enum kind kind, const char *word, struct found *found);

/* find_object() for those that want to know more than its name. */
int find_frontend(const struct config *config, const char *name, const char *id,
		  const struct frontend **found);
int find_farm(const struct config *config, const char *name, const char *id,
	      const struct farm **found);
int find_server(const struct config *config, const char *name, const char *id,
		const struct server **found, const struct farm **farm);
int find_route(const struct config *config, const char *name, const char *id,
	       const struct route **found);

#endif
