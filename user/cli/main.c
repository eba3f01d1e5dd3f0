/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "output.h"

static const struct noun *const nouns[] = {
	&noun_daemon,	&noun_check,  &noun_apply,   &noun_frontend,	&noun_farm,
	&noun_server,	&noun_route,  &noun_rule,    &noun_pending,	&noun_refresh,
	&noun_revision, &noun_zone,   &noun_task,    &noun_application, &noun_export,
	&noun_batch,	&noun_conn,   &noun_flow,    &noun_stick,	&noun_stat,
	&noun_acl,	&noun_xdp,    &noun_metrics, &noun_monitor,	&noun_hello,
	&noun_doctor,	&noun_unload, NULL,
};

enum { OPTION_INSTANCE = 256, OPTION_VERSION };

#define SHORT_OPTIONS "+:jph"

static const struct option long_options[] = {
	{"json", no_argument, NULL, 'j'},
	{"pretty", no_argument, NULL, 'p'},
	{"help", no_argument, NULL, 'h'},
	{"instance", required_argument, NULL, OPTION_INSTANCE},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

/* The commands say themselves what failed; libbpf's own lines would only repeat it. */
static int libbpf_silent(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static int print_version(void)
{
	json_t *version;
	int code;

	if (!options.json) {
		printf("alpnlb %s, libbpf %s\n", ALPNLB_VERSION, libbpf_version_string());
		return CLI_OK;
	}
	version = json_pack("{s:s, s:s}", "version", ALPNLB_VERSION, "libbpf",
			    libbpf_version_string());
	code = output_json(version);
	json_decref(version);
	return code;
}

/* Before anything can be wrong with the other options: it decides how that is said. */
static void format_parse(int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1) {
		options.pretty |= opt == 'p';
		options.json |= opt == 'p' || opt == 'j';
	}
	optind = 0; /* glibc: start over */
}

/* Sets the rest of `options`. Returns -1 to go on, or the exit code. */
static int options_parse(int argc, char **argv)
{
	bool version = false;
	int opt;

	while ((opt = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1) {
		switch (opt) {
		case 'p':
		case 'j':
			break; /* see format_parse() */
		case 'h':
			return cli_help(nouns);
		case OPTION_INSTANCE:
			options.instance = optarg;
			if (!instance_name_valid(optarg))
				return fail(CLI_USAGE,
					    "instance '%s': expected 1 to 32 of A-Z a-z 0-9 . _ -",
					    optarg);
			break;
		case OPTION_VERSION:
			version = true;
			break;
		case ':':
			return fail(CLI_USAGE, "option '%s' needs a value", argv[optind - 1]);
		default:
			return fail(CLI_USAGE,
				    "unknown or ambiguous option '%s', expected one of: -j, -p, "
				    "--instance NAME, --version, -h; see: alpnlb help",
				    argv[optind - 1]);
		}
	}
	return version ? print_version() : -1;
}

int main(int argc, char **argv)
{
	int code;

	format_parse(argc, argv);
	code = options_parse(argc, argv);
	if (code >= 0)
		return code;
	libbpf_set_print(libbpf_silent);
	argc -= optind;
	argv += optind;
	optind = 0; /* again, for a noun that has options of its own */
	code = cli_run(nouns, argc, argv);
	if (fflush(stdout) || ferror(stdout))
		return fail(CLI_FAILED, "standard output: %s", strerror(errno));
	return code;
}
