/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects as rows of output, for the command line and metrics. Each function returns a new
 * reference; `view` may be NULL, the row then has no statistics.
 */
#ifndef ALPNLB_ROWS_H
#define ALPNLB_ROWS_H

#include <jansson.h>

#include "../kernel/view.h"
#include "../model/objects.h"

json_t *frontend_row(const struct config *config, const struct frontend *frontend,
		     const struct view *view);
json_t *farm_row(const struct farm *farm, const struct view *view);
json_t *server_row(const struct farm *farm, const struct server *server, const struct view *view);
/* `place` counts a frontend's routes from 1 in order of evaluation. */
json_t *route_row(const struct route *route, size_t place, const struct view *view);
json_t *rule_row(const struct route *route, const struct rule *rule);

/* An object from reason to packets. */
json_t *json_drops(const struct door_drops *drops);

/* What the door has dropped of all frontends there ever were: a row for each reason. */
json_t *drop_rows(const struct door_drops *drops);

/* Rows of every object of a kind; routes by frontend and in order of evaluation. */
json_t *frontend_rows(const struct config *config, const struct view *view);
json_t *farm_rows(const struct config *config, const struct view *view);
/* `farm` NULL = the servers of every farm. */
json_t *server_rows(const struct config *config, const struct farm *farm, const struct view *view);
/* `frontend` NULL = the routes of every frontend, and those attached to none. */
json_t *route_rows(const struct config *config, const struct frontend *frontend,
		   const struct view *view);

/* "sni endswith .example.com", "not protocol is http/2.0", of a row of rule_row(). */
json_t *rule_text(const json_t *rule);

#endif
