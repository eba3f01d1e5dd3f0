/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was set on an object, from the model's tables, so that no row can forget any of it. */
#ifndef ALPNLB_ATTRIBUTES_H
#define ALPNLB_ATTRIBUTES_H

#include <jansson.h>

#include "../model/decoder.h"

/* Does a row of such an object have this attribute under its own key? */
bool attribute_is_shown(enum kind kind, const struct attribute *a);

/* Adds the attributes of `object` that `row` does not have, as a file has them, unset ones, too. */
void attributes_add(json_t *row, enum kind kind, const void *object);

#endif
