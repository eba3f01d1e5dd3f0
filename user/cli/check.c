/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "../show/format.h"
#include "../show/rows.h"
#include "cli.h"
#include "output.h"
#include "report.h"

static const struct column frontend_columns[] = {
	COLUMN("name", "FRONTEND"),
	COLUMN_AS(FORMAT_ALL, "addresses", "ADDRESSES", .drop = 2),
	COLUMN("ports", "PORTS"),
	COLUMN("path", "PATH", .drop = 3),
	COLUMN_AS(FORMAT_MILLISECONDS, "hello_timeout_ms", "HELLO TIMEOUT", .brief = "TIMEOUT",
		  .drop = 4),
	COLUMN("listens", "LISTENS", .drop = 1),
	COLUMNS_END,
};
static const struct column route_columns[] = {
	COLUMN("frontend", "FRONTEND", .drop = 2),
	COLUMN("place", "PLACE", .drop = 3),
	COLUMN("name", "ROUTE"),
	COLUMN("when", "WHEN"),
	COLUMN("action", "ACTION", .drop = 1),
	COLUMN("target", "TARGET"),
	COLUMNS_END,
};
static const struct column farm_columns[] = {COLUMN("name", "FARM"), COLUMN("balance", "BALANCE"),
					     COLUMN("servers", "SERVERS"), COLUMNS_END};
static const struct column server_columns[] = {
	COLUMN("farm", "FARM", .keep = 12),
	COLUMN("name", "SERVER"),
	COLUMN("endpoint", "ADDRESS", .drop = 1, .keep = KEEP_ENDPOINT),
	COLUMN("status", "STATUS", .drop = 2),
	COLUMN("weight", "WEIGHT", .drop = 3),
	COLUMN_AS(FORMAT_PERCENT, "share", "SHARE", .drop = 4),
	COLUMN("backup", "BACKUP", .drop = 5),
	COLUMN("proxy_protocol_version", "PROXY PROTOCOL", .brief = "PROXY", .drop = 6),
	COLUMNS_END,
};

/* What happens to the connections of a frontend that no route matches. */
static json_t *otherwise_row(const struct frontend *frontend)
{
	const struct farm *farm = frontend->default_farm;

	return json_pack("{s:s, s:n, s:n, s:s, s:s, s:s?}", "frontend", frontend->o.name, "place",
			 "name", "when", "otherwise", "action", farm ? "farm" : "close", "target",
			 farm ? farm->o.name : NULL);
}

/* The routes of each frontend in order of evaluation, and what comes after them. */
static json_t *decision_rows(const struct config *config)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < config->n_frontends; i++) {
		json_t *routes = route_rows(config, &config->frontends[i], NULL);

		json_array_extend(rows, routes);
		json_decref(routes);
		json_array_append_new(rows, otherwise_row(&config->frontends[i]));
	}
	return rows;
}

static int print_config(const struct config *config, const char *file, json_t *problems)
{
	struct section sections[] = {
		{"frontends", "Frontends", frontend_columns, frontend_rows(config, NULL), false},
		{"routes", "Routes, in order of evaluation", route_columns, decision_rows(config),
		 false},
		{"farms", "Farms", farm_columns, farm_rows(config, NULL), false},
		{"servers", "Servers", server_columns, server_rows(config, NULL, NULL), false},
		SECTIONS_END,
	};
	json_t *head =
		json_pack("{s:o, s:O}", "file", json_text(file_label(file)), "problems", problems);
	int code = output_sections(sections, head);

	json_decref(head);
	for (size_t i = 0; sections[i].key; i++)
		json_decref(sections[i].rows);
	return code;
}

static int check_file(const char *file)
{
	struct problems problems = {0};
	struct config *config = config_load(file, &problems);
	json_t *list = problems_json(&problems);
	char error[128];
	int code;

	if (config) {
		report_problems(list, file);
		code = print_config(config, file, list);
	} else {
		snprintf(error, sizeof(error), "the configuration is not valid: %zu error%s",
			 problems.errors, problems.errors == 1 ? "" : "s");
		code = report_failure(list, file, error);
	}
	json_decref(list);
	config_free(config);
	problems_free(&problems);
	return code;
}

static int check_run(int argc, char **argv)
{
	if (argc < 2)
		return fail(CLI_USAGE, "check needs a file: alpnlb check FILE (- is stdin)");
	if (argc > 2)
		return fail(CLI_USAGE, "unexpected '%s': check takes one file", argv[2]);
	return check_file(argv[1]);
}

const struct noun noun_check = {
	.name = "check",
	.help = "validate a configuration file and say what it would do",
	.text = "FILE is YAML or JSON; - is standard input. Needs no daemon and no privileges.\n"
		"Manual: alpnlb-check(8).\n",
	.arguments = "FILE",
	.run = check_run,
};
