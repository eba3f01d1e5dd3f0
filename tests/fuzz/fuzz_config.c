/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any text: it is decoded or refused with at least one error. What was decoded must come out
 * of config_encode() in a form that decodes to the same, with ids and without.
 */
#include <stdlib.h>
#include <string.h>

#include "../../user/model/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void format_problems(const struct problems *problems)
{
	for (size_t i = 0; i < problems->n; i++) {
		char *line = problem_format(&problems->v[i], "config");

		require(line && !strchr(line, '\n'));
		/* about a value, not about the text as a whole */
		if (!problems->v[i].warning && problems->v[i].path && *problems->v[i].path)
			require(strstr(problems->v[i].message, "allowed: "));
		free(line);
	}
}

static struct config *decode(const char *text, size_t size)
{
	struct problems problems = {0};
	struct document *document = document_parse(text, size, &problems);
	struct config *config = document ? config_decode(document, &problems) : NULL;

	require(!config == (problems.errors > 0));
	format_problems(&problems);
	if (document)
		document_line(document, text[0] ? "frontends[0].port" : "routes[1]");
	document_free(document);
	problems_free(&problems);
	return config;
}

static void round_trip(const struct config *config)
{
	json_t *first = config_encode(config), *second;
	char *text = json_dumps(first, JSON_COMPACT);
	struct config *again;

	require(text);
	again = decode(text, strlen(text));
	require(again);
	second = config_encode(again);
	require(json_equal(first, second));
	free(text);
	json_decref(first);
	json_decref(second);
	config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct config *config;

	memcpy(text, data, size);
	text[size] = '\0';
	config = decode(text, size);
	free(text);
	if (!config)
		return 0;
	round_trip(config);
	require(!config_assign_ids(config, config, NULL));
	round_trip(config);
	config_free(config);
	return 0;
}
