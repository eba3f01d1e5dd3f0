/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "options.h"

static const struct noun *const nouns[] = {
	&noun_daemon,	&noun_check,  &noun_apply,   &noun_frontend,	&noun_farm,
	&noun_server,	&noun_route,  &noun_rule,    &noun_pending,	&noun_refresh,
	&noun_revision, &noun_zone,   &noun_task,    &noun_application, &noun_export,
	&noun_batch,	&noun_conn,   &noun_flow,    &noun_stick,	&noun_stat,
	&noun_acl,	&noun_xdp,    &noun_metrics, &noun_monitor,	&noun_hello,
	&noun_doctor,	&noun_unload, NULL,
};

/* The commands say themselves what failed; libbpf's own lines would only repeat it. */
static int libbpf_silent(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

int main(int argc, char **argv)
{
	bool help;
	int code;

	argc--;
	argv++;
	options_foresee(argc, argv);
	code = options_take(&argc, &argv, &help);
	if (code >= 0)
		return help ? cli_help(nouns) : code;
	libbpf_set_print(libbpf_silent);
	code = cli_run(nouns, argc, argv);
	if (fflush(stdout) || ferror(stdout))
		return fail(CLI_FAILED, "standard output: %s", strerror(errno));
	return code;
}
