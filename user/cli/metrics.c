/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "../show/metrics.h"

#include "cli.h"
#include "snapshot.h"

static int metrics_show(const char *const *values)
{
	struct snapshot s;
	int code = snapshot_open_counted(&s);

	if (!code && options.json)
		code = fail(CLI_USAGE, "metrics: there is no JSON of it; see: alpnlb -j stat show");
	else if (!code)
		metrics_write(stdout, s.config, &s.view, s.revision);
	snapshot_close(&s);
	return code;
}

static const struct verb verbs[] = {
	{.name = "show", .help = "print every counter for Prometheus", .run = metrics_show},
	{.name = NULL},
};

const struct noun noun_metrics = {
	.name = "metrics",
	.help = "the counters of stat, for Prometheus",
	.text = "Read from the pinned maps: no daemon is needed. Manual: alpnlb-metrics(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
