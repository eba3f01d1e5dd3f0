/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the objects of a configuration are called, by their ids. */
#ifndef ALPNLB_OBJECT_NAMES_H
#define ALPNLB_OBJECT_NAMES_H

#include <jansson.h>

#include "../model/objects.h"

/* By id, NULL where there is no such object; point into the configuration. */
struct object_names {
	const struct object **frontends, **farms, **servers, **routes;
};

/* 0 or -ENOMEM. */
int object_names_open(struct object_names *names, const struct config *config);
/* Accepts one that is zero. */
void object_names_close(struct object_names *names);

/*
 * Sets `frontend`, `route`, `farm` and `server` of a row: null without an id, "#ID" for an object
 * that is no longer configured.
 */
void object_names_set(const struct object_names *names, json_t *row, uint32_t frontend,
		      uint32_t route, uint32_t farm, uint32_t server);

/* `frontend` alone. */
void object_names_set_frontend(const struct object_names *names, json_t *row, uint32_t frontend);

#endif
