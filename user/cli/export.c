/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli.h"
#include "output.h"
#include "service.h"
#include "snapshot.h"
#include "../model/yaml_write.h"

/* As a file that apply and check read, which under -j is JSON. */
static int print_file(const struct config *config)
{
	json_t *root = config_encode(config);
	int code = CLI_OK;

	if (options.json)
		code = output_json(root);
	else if (!root || yaml_write(stdout, root))
		code = fail(CLI_FAILED, "the configuration cannot be written");
	json_decref(root);
	return code;
}

static int export_running(const char *const *values)
{
	struct snapshot s;
	int code = snapshot_open(&s);

	if (!code)
		code = print_file(s.config);
	snapshot_close(&s);
	return code;
}

static int export_staged(const char *const *values)
{
	struct staging staging;
	int code = staging_open(&staging);

	if (!code)
		code = print_file(staging.config);
	staging_close(&staging);
	return code;
}

static const struct verb verbs[] = {
	{.name = "running", .help = "print the file of what runs", .run = export_running},
	{.name = "staged", .help = "print the file of what is staged", .run = export_staged},
	{.name = NULL},
};

const struct noun noun_export = {
	.name = "export",
	.help = "print the configuration as a file",
	.text = "YAML, or under -j JSON, that alpnlb apply and check read; with the ids of "
		"objects.\n"
		"What runs is read from the pinned maps: no daemon is needed. Manual: "
		"alpnlb-export(8).\n",
	.verbs = verbs,
	.default_verb = "running",
};
