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
 * In what is staged, by a word: a name or an id. What is the name of one and the id of another is
 * refused, name:WORD and id:WORD tell which. What is in another object may be said alone, if that
 * is unique, or FARM/SERVER, each half a word.
 */
int find_staged(const struct config *config, enum kind kind, const char *word, struct found *found);

/* In what runs, likewise by `word`, or by `id`; one of them is NULL. */
int find_object(const struct config *config, enum kind kind, const char *word, const char *id,
		struct found *found);

/* find_object() for those that want to know more than its name. */
int find_frontend(const struct config *config, const char *word, const char *id,
		  const struct frontend **found);
int find_farm(const struct config *config, const char *word, const char *id,
	      const struct farm **found);
int find_server(const struct config *config, const char *word, const char *id,
		const struct server **found, const struct farm **farm);
int find_route(const struct config *config, const char *word, const char *id,
	       const struct route **found);

#endif
