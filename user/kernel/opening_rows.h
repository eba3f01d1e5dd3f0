/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The connections that an instance's program is opening, as another process sees them. */
#ifndef ALPNLB_OPENING_ROWS_H
#define ALPNLB_OPENING_ROWS_H

#include "../../bpf/model.h"

/*
 * Calls step() for each, as the connection that it will be. 0 or -errno; 0 as well where no program
 * opens any.
 */
typedef void opening_step(const struct conn *conn, void *context);
int opening_rows(const char *instance, opening_step *step, void *context);

#endif
