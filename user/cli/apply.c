/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>

#include "cli.h"
#include "input.h"
#include "output.h"
#include "report.h"
#include "service.h"

static const struct column columns[] = {COLUMN("instance", "instance"),
					COLUMN("revision", "revision"), COLUMNS_END};

static int print_answer(const struct control_answer *answer, const char *file)
{
	json_t *problems = json_object_get(answer->body, "problems"), *row;
	int code;

	if (answer->status != 200)
		return report_failure(problems, file,
				      json_string_value(json_object_get(answer->body, "message")));
	report_problems(problems, file);
	report_kept(answer->body);
	row = json_pack("{s:s, s:O*, s:O*, s:O*}", "instance", options.instance, "revision",
			json_object_get(answer->body, "revision"), "kept",
			json_object_get(answer->body, "kept"), "problems", problems);
	code = output_record(columns, row);
	json_decref(row);
	return code;
}

static int apply_file(const char *file)
{
	struct control_answer answer = {0};
	char *bytes = NULL;
	size_t len;
	int code = input_read(file, &bytes, &len);

	if (!code)
		code = service_request("PUT", "/1.0/alpnlb/config", bytes, len, &answer);
	if (!code)
		code = print_answer(&answer, file);
	json_decref(answer.body);
	free(bytes);
	return code;
}

static int apply_run(int argc, char **argv)
{
	if (argc < 2)
		return fail(CLI_USAGE, "apply needs a file: alpnlb apply FILE (- is stdin)");
	if (argc > 2)
		return fail(CLI_USAGE, "unexpected '%s': apply takes one file", argv[2]);
	return apply_file(argv[1]);
}

const struct noun noun_apply = {
	.name = "apply",
	.help = "make a file the running configuration of the daemon",
	.text = "All of it takes effect at once, or nothing does; no connection is dropped.\n"
		"FILE is YAML or JSON; - is standard input. Manual: alpnlb-check(8).\n",
	.arguments = "FILE",
	.run = apply_run,
};
