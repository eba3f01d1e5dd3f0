/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a decision came about: what each rule of a frontend's routes made of a client. */
#ifndef ALPNLB_EXPLAIN_H
#define ALPNLB_EXPLAIN_H

#include <jansson.h>

#include "classify.h"

/* PROTOCOL_* as names of the field protocol. */
json_t *protocols_json(uint32_t protocols);

/*
 * The routes of the frontend in order of evaluation, as rows: each with its outcome, and its rules
 * with what they looked at and whether they hold. `decided` may be NULL. What depends on a source
 * that is not known, and so cannot be told, is null.
 */
json_t *explain_routes(const struct config *config, const struct frontend *frontend,
		       const struct classification *c, const struct route *decided);

/* Is a source needed to tell which of these rows decides? NULL: no. */
bool explain_needs_source(const json_t *routes);

/* The same as a table with a line for each rule. Returns an exit code. */
int explain_print(const json_t *routes);

#endif
