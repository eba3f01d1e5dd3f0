/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/libbpf.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "output.h"

struct options options = {.instance = "default"};

enum { OPTION_VERSION = OPTION_INSTANCE + 1 };

#define SHORT_OPTIONS "+:h" OPTIONS_SHORT

static const struct option long_options[] = {
	OPTIONS_LONG,
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

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

int option_take(int option, const char *value)
{
	options.pretty |= option == 'p';
	options.json |= option == 'p' || option == 'j';
	if (option != OPTION_INSTANCE)
		return CLI_OK;
	options.instance = value;
	if (instance_name_valid(value))
		return CLI_OK;
	return fail(CLI_USAGE, "instance '%s': expected 1 to 32 of A-Z a-z 0-9 . _ -", value);
}

void options_foresee(int argc, char **argv)
{
	static const char *const words[] = {"-j", "-p", "-jp", "-pj", "--json", "--pretty"};

	for (int i = 0; i < argc; i++)
		for (size_t j = 0; j < sizeof(words) / sizeof(*words); j++)
			options.json_errors |= !strcmp(argv[i], words[j]);
}

/* Before anything can be wrong with the other options: it decides how that is said. */
static void format_parse(int argc, char **argv)
{
	int opt;

	opterr = 0;
	optind = 0; /* glibc: start over */
	while ((opt = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1)
		if (opt == 'p' || opt == 'j')
			(void)option_take(opt, NULL);
	optind = 0;
}

/* `argv` begins with the word before the options, as getopt_long() wants it. */
static int options_parse(int argc, char **argv, bool *help)
{
	bool version = false;
	int opt, code;

	while ((opt = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			*help = true;
			return CLI_OK;
		case OPTION_VERSION:
			version = true;
			break;
		case ':':
			return fail(CLI_USAGE, "option '%s' needs a value", argv[optind - 1]);
		case '?':
			return fail(CLI_USAGE,
				    "unknown or ambiguous option '%s', expected one of: -j, -p, "
				    "--instance NAME, --version, -h; see: alpnlb help",
				    argv[optind - 1]);
		default:
			code = option_take(opt, optarg);
			if (code)
				return code;
		}
	}
	return version ? print_version() : -1;
}

int options_take(int *argc, char ***argv, bool *help)
{
	int code;

	*help = false;
	format_parse(*argc + 1, *argv - 1);
	code = options_parse(*argc + 1, *argv - 1, help);
	*argc -= optind - 1;
	*argv += optind - 1;
	optind = 0; /* again, for a noun that has options of its own */
	return code;
}
