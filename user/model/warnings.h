/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What can be said of routes without a client. Each may say no where it takes more than pairs. */
#ifndef ALPNLB_WARNINGS_H
#define ALPNLB_WARNINGS_H

#include "objects.h"

/*
 * A rule that excludes another one of the route, which is *other; or itself, when it holds for
 * nobody. NULL if there is none.
 */
const struct rule *route_contradiction(const struct route *route, const struct rule **other);

/* Does every client that matches `later` match `earlier`, too? */
bool route_shadows(const struct route *earlier, const struct route *later);

#endif
