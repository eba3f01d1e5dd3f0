/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was set on an object, from the model's tables, so that `show` cannot forget any of it. */
#ifndef ALPNLB_CLI_ATTRIBUTES_H
#define ALPNLB_CLI_ATTRIBUTES_H

#include "../model/decoder.h"
#include "output.h"

/* Adds the attributes of `object` that `row` does not have, as a file has them, unset ones, too. */
void attributes_add(json_t *row, enum kind kind, const void *object);

/*
 * output_show() of the only row of `rows`, which attributes_add() made: those of its attributes
 * that no column has get one.
 */
int output_object(enum kind kind, const struct column *columns, json_t *rows);

#endif
