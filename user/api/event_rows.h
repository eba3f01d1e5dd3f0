/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events as the API tells them. */
#ifndef ALPNLB_API_EVENT_ROWS_H
#define ALPNLB_API_EVENT_ROWS_H

#include <jansson.h>

#include "../daemon/events.h"
#include "../show/object_names.h"

/* New reference; names are those of the objects. Members without a value are null. */
json_t *event_row(const struct event_record *record, const struct object_names *names);

#endif
