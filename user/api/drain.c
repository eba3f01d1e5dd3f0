// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Taking a server out of service, and back: a change that runs at once, and nothing else with it.
 */
#include <stdio.h>
#include <string.h>

#include "handlers.h"
#include "refresh.h"

/* The status that is wanted; NULL after refusing. */
static const char *wanted_status(struct api_call *call)
{
	const char *status = json_string_value(json_object_get(call->fields, "status"));

	if (status && json_object_size(call->fields) == 1 &&
	    (!strcmp(status, "drain") || !strcmp(status, "active")))
		return status;
	api_refuse(call, 400, "the body has to be {\"status\": STATUS}, allowed: active, drain");
	return NULL;
}

static const char *status_of(const json_t *server)
{
	const char *status = json_string_value(json_object_get(server, "status"));

	return status ? status : "active";
}

static void answer(struct api_call *call, const char *status)
{
	api_answer(call, json_pack("{s:s}", "status", status));
}

static void change_status(struct api_call *call, const json_t *farm, const json_t *server,
			  const char *status)
{
	const char *zone = json_string_value(json_object_get(farm, "zone"));
	struct problems problems = {.api_names = !call->file_names};
	struct refresh refresh = {.by = call->by};
	struct daemon *daemon = call->daemon;
	char comment[300], failed[512];
	json_t *fields = json_pack("{s:s}", "status", status);
	int err;

	snprintf(comment, sizeof(comment), "%s %s/%s", *status == 'd' ? "drain" : "undrain",
		 object_name(farm), object_name(server));
	refresh.comment = comment;
	refresh.zone = zone_is_all(staged_zone(&daemon->staged)) ? NULL : zone;
	refresh_begin(daemon, &refresh);
	err = staged_change(&daemon->staged, KIND_SERVER, call->parent, call->id, fields,
			    &problems);
	err = refresh_end(daemon, &refresh, err, &problems, failed, sizeof(failed));
	if (err)
		api_refuse_refresh(call, &problems, failed);
	else
		answer(call, status);
	json_decref(fields);
	problems_free(&problems);
}

/* An inactive one is no better for draining, and would come back by the end of that. */
void server_status_put(struct api_call *call, const struct api_resource *resource)
{
	const struct staged *staged = &call->daemon->staged;
	const json_t *farm = staged_object(staged, KIND_FARM, 0, call->parent);
	const json_t *server = staged_object(staged, KIND_SERVER, call->parent, call->id);
	const char *status = wanted_status(call);
	bool pending = staged_is_pending(staged);

	if (!status)
		return;
	if (!server)
		api_refuse(call, 404, "there is no server with the id %u in the farm %u", call->id,
			   call->parent);
	else if (!strcmp(status_of(server), "inactive") && strcmp(status, "drain"))
		api_refuse(call, 409, "it is inactive, not draining");
	else if (!strcmp(status_of(server), "inactive"))
		answer(call, "inactive");
	else if (!pending && !strcmp(status_of(server), status))
		answer(call, status);
	else if (pending)
		api_refuse(call, 409,
			   "there are staged changes, which the refresh would make run, too; see "
			   "them with: alpnlb refresh diff");
	else if (api_may_refresh(call))
		change_status(call, farm, server, status);
}
