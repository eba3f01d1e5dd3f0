/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handlers that are of no kind of object; see the table in paths.c for what each serves. */
#ifndef ALPNLB_API_HANDLERS_H
#define ALPNLB_API_HANDLERS_H

#include "resource.h"

#define METRICS_PATH "/1.0/alpnlb/metrics"

typedef void api_handler(struct api_call *call, const struct api_resource *resource);

/* refresh.c */
api_handler refresh_post, dry_run_post, pending_get, diff_get, task_list, task_get;

/* catalogue.c */
api_handler available_farm_probes, available_types, available_route_actions, available_route_rules,
	defined_objects, defined_routes;

/* service.c */
api_handler services_get, service_get, service_put, zones_get, available_zones_get, zone_get,
	status_get, instances_get, nat_ip_get, quota_get, metrics_token_get, time_get;

/* monitor.c */
api_handler events_get;

/* metrics.c */
api_handler metrics_get;

/* config.c */
api_handler config_get, config_put, daemon_get;

/* drain.c */
api_handler server_status_put;

/* revisions.c */
api_handler revisions_get, revision_get, revision_diff_get, revision_rollback;

/* Does the daemon take a new configuration? Otherwise refuses. */
bool api_may_refresh(struct api_call *call);

/* "ok", "error", "unknown", or "warn" for a server that takes no new connections. */
const char *server_condition(const struct daemon *daemon, const struct server *server);

/* Is there a zone of that name? Otherwise refuses. */
bool api_zone_exists(struct api_call *call, const char *zone, int status);

#endif
