/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the API writes what a file has: default_farm: h1 is defaultFarmId: 1. Names are camelCase,
 * references are ids, durations are seconds; everything follows from the tables of attributes.
 */
#ifndef ALPNLB_API_FIELDS_H
#define ALPNLB_API_FIELDS_H

#include "call.h"

/*
 * The fields of the call, of an object of that kind, as a file has them. `before` is the object
 * as the API shows it, NULL for a new one: fields in `fixed` (a list that ends with NULL), the id
 * and what is in no table may be given if nothing about them changes. New reference; NULL after
 * refusing the call.
 */
json_t *fields_from_api(struct api_call *call, enum kind kind, const json_t *before,
			const char *const *fixed);

/* Every attribute of an object; defaults and null where the document has none. New reference. */
json_t *fields_to_api(const struct staged *staged, enum kind kind, const json_t *object);

#endif
