/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be said of routes without a client. Where that is not known, nothing is said against
 * them.
 */
#ifndef ALPNLB_WARNINGS_H
#define ALPNLB_WARNINGS_H

#include "decode.h"
#include "objects.h"

/*
 * A rule that excludes another one of the route, which is *other; or itself, when it holds for
 * nobody. NULL if there is none.
 */
const struct rule *route_contradiction(const struct route *route, const struct rule **other);

/*
 * Is there a kind of client that the route may match? It does not look at source and sni, where
 * there are kinds without end. See clients.c.
 */
bool route_may_match(const struct route *route);

/* A rule whose every pattern another rule of the route excludes; NULL if there is none. */
const struct rule *route_exhausted(const struct route *route);

/* Does every client that matches `later` match `earlier`, too? */
bool route_shadows(const struct route *earlier, const struct route *later);

/*
 * Warns of frontends that clients with Encrypted Client Hello use by `stats`, which has a row for
 * each id, and whose routes go by server names and not by that. `root` is the tree of `config`.
 */
void config_warn_of_ech(const struct config *config, const json_t *root,
			const struct frontend_stats *stats, struct problems *problems);

#endif
