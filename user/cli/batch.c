/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "input.h"
#include "report.h"

#define BLANKS " \t\r"

/* Takes the quotes out of the word at *line and ends it there. False: a quote is left open. */
static bool take_word(char **line)
{
	char *from = *line, *to = *line, quote = '\0';

	for (; *from && (quote || !strchr(BLANKS, *from)); from++)
		if (quote ? *from == quote : *from == '\'' || *from == '"')
			quote = quote ? '\0' : *from;
		else
			*to++ = *from;
	*line = *from ? from + 1 : from;
	*to = '\0';
	return !quote;
}

int line_split(char *line, char *words[BATCH_WORDS_MAX])
{
	int n = 0;

	for (;;) {
		line += strspn(line, BLANKS);
		if (!*line || *line == '#')
			return n;
		if (n == BATCH_WORDS_MAX)
			return -2;
		words[n++] = line;
		if (!take_word(&line))
			return -1;
	}
}

static int run_line(char *line)
{
	char *words[BATCH_WORDS_MAX + 1];
	int n = line_split(line, words);

	if (n == -1)
		return fail(CLI_USAGE, "a quote is not closed");
	if (n == -2)
		return fail(CLI_USAGE, "more than %d words", BATCH_WORDS_MAX);
	words[n] = NULL;
	return n ? cli_run_line(n, words) : CLI_OK;
}

/* Each as it comes, up to the first command that fails. */
static int run_lines(FILE *file, const char *name)
{
	char *line = NULL;
	int code = CLI_OK;
	size_t size = 0;
	ssize_t len;

	for (size_t n = 1; !code && (len = getline(&line, &size, file)) >= 0; n++) {
		fail_at(name, n);
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		code = strlen(line) == (size_t)len ? run_line(line)
						   : fail(CLI_FAILED, "holds a NUL byte");
		fflush(stdout); /* what it printed comes before what the next one complains of */
	}
	fail_at(NULL, 0);
	if (!code && !feof(file)) /* without memory there is neither an error nor an end */
		code = fail(CLI_FAILED, "%s: %s", name, strerror(errno));
	free(line);
	return code;
}

/* It holds the lines: a command that reads it finds it empty. NULL and errno on failure. */
static FILE *take_stdin(void)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	return fd >= 0 && freopen("/dev/null", "re", stdin) ? fdopen(fd, "r") : NULL;
}

static int batch_file(const char *const *values)
{
	FILE *file;
	int code = input_open(values[0], &file);

	if (code)
		return code;
	if (file == stdin)
		file = take_stdin();
	if (!file)
		return fail(CLI_FAILED, "%s: %s", values[0], strerror(errno));
	code = run_lines(file, file_label(values[0]));
	input_close(file);
	return code;
}

static const struct verb verbs[] = {
	{.name = "file",
	 .help = "run the commands of a file; - is standard input",
	 .argument = "FILE",
	 .run = batch_file},
	{.name = NULL},
};

const struct noun noun_batch = {
	.name = "batch",
	.help = "run the commands of a file",
	.text = "A command per line, without alpnlb and its options; # begins a comment, and "
		"words\n"
		"may be quoted. Each runs as it comes, and the first one that fails ends it. "
		"Manual:\n"
		"alpnlb-batch(8).\n",
	.verbs = verbs,
};
