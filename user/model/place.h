/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where in a configuration a problem is, by the names of objects. */
#ifndef ALPNLB_PLACE_H
#define ALPNLB_PLACE_H

#include <jansson.h>

#include "decode.h"

/*
 * The object that a path of a problem leads to, "farms[0].servers[1].port": "server h2/a",
 * malloc()ed, or NULL if it leads to none. *rest is what is behind it, "port".
 */
char *place_of(const json_t *root, const char *path, const char **rest);

/* "server h2/a: port: 0 is out of range, ...", malloc()ed; NULL when out of memory. */
char *problem_by_name(const json_t *root, const struct problem *problem);

#endif
