/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_METRICS_H
#define ALPNLB_METRICS_H

#include <stdio.h>

#include "../kernel/view.h"
#include "../model/objects.h"

/* Media type of what is written: the text format of Prometheus, version 0.0.4. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Writes every counter of an instance, and of each of its objects by name. */
void metrics_write(FILE *out, const struct config *config, const struct view *view,
		   uint32_t revision);

#endif
