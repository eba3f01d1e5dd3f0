/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which spliced connections a user asked for. */
#ifndef ALPNLB_FLOW_FILTER_H
#define ALPNLB_FLOW_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/flow.h"
#include "../model/objects.h"
#include "cli.h"

struct flow_filter {
	struct prefix client;		   /* length 0: any */
	uint32_t frontend, farm, server;   /* ids, 0 = any */
	uint64_t started_from, started_to; /* CLOCK_MONOTONIC, nanoseconds, inclusive */
};

/* The keywords of a filter, for tables of keywords; flow_filter_parse() takes their values. */
/* clang-format off */
#define FLOW_FILTER_KEYWORDS                                                                       \
	{"client", "ADDRESS[/LEN]"}, {"server", "[FARM/]NAME|ID"},                                 \
	{"farm", "NAME|ID"}, {"frontend", "NAME|ID"}, {"older", "DURATION"}, {"younger", "DURATION"}
/* clang-format on */
#define FLOW_FILTER_COUNT 6

/* `values` NULL where not given. Returns an exit code, after it has said what is wrong. */
int flow_filter_parse(const struct config *config, const char *const *values, uint64_t now,
		      struct flow_filter *filter);

/* `server` is the entry of the server's packets. */
bool flow_filter_matches(const struct flow_filter *filter, const struct flow *server);

/* Reads an address or a block, which messages call `what`. Returns an exit code. */
int prefix_word(const char *what, const char *text, struct prefix *prefix);

#endif
