// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../show/metrics.h"
#include "handlers.h"

/* Of the maps the daemon has pinned, as anybody else sees them. */
static int write_metrics(const struct daemon *daemon, char **text, size_t *len)
{
	struct view view;
	int err = view_open(daemon->name, &view);
	FILE *out;

	err = err ? err : view_add_flows(&view, daemon->name, true);
	out = err ? NULL : open_memstream(text, len);
	if (out) {
		metrics_write(out, daemon->config, &view,
			      daemon->engine.instance.control->revision);
		fclose(out);
	}
	view_close(&view);
	return err ? err : *text ? 0 : -ENOMEM;
}

void metrics_get(struct api_call *call, const struct api_resource *resource)
{
	char *text = NULL;
	size_t len = 0;
	int err = write_metrics(call->daemon, &text, &len);

	if (err)
		api_refuse(call, 500, "the counters cannot be read: %s", strerror(-err));
	else
		api_answer_text(call, text, METRICS_TYPE);
}
