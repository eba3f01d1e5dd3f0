/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "input.h"
#include "report.h"

#define INPUT_MAX (64 << 20)

static int read_stream(FILE *file, const char *name, char **bytes, size_t *len)
{
	FILE *stream = open_memstream(bytes, len);
	char buf[65536];
	size_t n, total = 0;
	int code = CLI_OK;

	if (!stream)
		return fail(CLI_FAILED, "out of memory");
	while (total <= INPUT_MAX && (n = fread(buf, 1, sizeof(buf), file)) > 0) {
		fwrite(buf, 1, n, stream);
		total += n;
	}
	if (ferror(file))
		code = fail(CLI_FAILED, "%s: %s", name, strerror(errno));
	else if (total > INPUT_MAX)
		code = fail(CLI_FAILED, "%s: larger than %d MB", name, INPUT_MAX >> 20);
	if (fclose(stream) && !code)
		code = fail(CLI_FAILED, "out of memory");
	return code;
}

int input_open(const char *path, FILE **file)
{
	*file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	return *file ? CLI_OK : fail(CLI_FAILED, "%s: %s", path, strerror(errno));
}

void input_close(FILE *file)
{
	if (file != stdin)
		fclose(file);
}

int input_read(const char *path, char **bytes, size_t *len)
{
	FILE *file;
	int code = input_open(path, &file);

	*bytes = NULL;
	*len = 0;
	if (code)
		return code;
	code = read_stream(file, file_label(path), bytes, len);
	input_close(file);
	return code;
}

int input_read_text(const char *path, char **text)
{
	size_t len;
	int code = input_read(path, text, &len);

	return code || strlen(*text) == len
		       ? code
		       : fail(CLI_FAILED, "%s: holds a NUL byte", file_label(path));
}
