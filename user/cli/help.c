/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "complete.h"
#include "output.h"

static json_t *verb_json(const struct verb *verb)
{
	json_t *keywords = json_object();

	for (const struct keyword *k = verb_keywords(verb); k && k->name; k++)
		set_string(keywords, k->name, k->value);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:o}", "name", verb->name, "help", verb->help,
			 "argument", verb->argument, "subject", verb->subject, "keywords",
			 keywords);
}

static json_t *noun_json(const struct noun *noun)
{
	json_t *json = json_pack("{s:s, s:s}", "name", noun->name, "help", noun->help);
	json_t *verbs = json_array();

	for (const struct verb *verb = noun->verbs; verb && verb->name; verb++)
		json_array_append_new(verbs, verb_json(verb));
	set_string(json, "arguments", noun->arguments);
	json_object_set_new(json, "verbs", verbs);
	return json;
}

/* What output_json() prints; takes over `json`. */
static int print_json(json_t *json)
{
	int code = output_json(json);

	json_decref(json);
	return code;
}

static int help_json(const struct noun *const *nouns)
{
	json_t *list = json_array();

	for (; *nouns; nouns++)
		json_array_append_new(list, noun_json(*nouns));
	return print_json(list);
}

int cli_help(const struct noun *const *nouns)
{
	if (options.json)
		return help_json(nouns);
	printf("Usage: alpnlb [OPTIONS] NOUN VERB [KEYWORD VALUE]...\n"
	       "       alpnlb [NOUN] help\n"
	       "\nNouns:\n");
	for (; *nouns; nouns++)
		printf("  %-10s %s\n", (*nouns)->name, (*nouns)->help);
	printf("\nOptions:\n"
	       "  -j, --json         print JSON\n"
	       "  -p, --pretty       print JSON, indented\n"
	       "  --instance NAME    the instance to talk to or to be (default: default)\n"
	       "  --version          print the version\n"
	       "  -h, --help         print this\n"
	       "\nA word may be cut short as long as it stays unique. Manual: alpnlb(8).\n");
	return CLI_OK;
}

static void print_verb(const struct noun *noun, const struct verb *verb)
{
	printf("  alpnlb [OPTIONS] %s %s", noun->name, verb->name);
	if (verb->argument)
		printf(" %s", verb->argument);
	if (verb->subject)
		printf(" [%s]", verb->subject);
	if (verb->attributes)
		printf(" [ATTRIBUTE VALUE]...");
	for (const struct keyword *k = verb->keywords; k && k->name; k++)
		printf(" [%s%s%s]", k->name, k->value ? " " : "", k->value ? k->value : "");
	printf("\n      %s\n", verb->help);
}

static void print_attributes(const struct noun *noun)
{
	const struct verb *verb = noun->verbs;

	while (verb && verb->name && !verb->attributes)
		verb++;
	if (!verb || !verb->name)
		return;
	printf("\nAttributes, and what is allowed:\n");
	for (const struct keyword *k = verb_keywords(verb); k->name; k++)
		printf("  %-23s %s\n", k->name, k->value);
}

int noun_help(const struct noun *noun)
{
	if (options.json)
		return print_json(noun_json(noun));
	printf("alpnlb %s: %s\n\nUsage:\n", noun->name, noun->help);
	if (!noun->verbs)
		printf("  alpnlb [OPTIONS] %s%s%s\n", noun->name, *noun->arguments ? " " : "",
		       noun->arguments);
	for (const struct verb *verb = noun->verbs; verb && verb->name; verb++)
		print_verb(noun, verb);
	print_attributes(noun);
	if (noun->text)
		printf("\n%s", noun->text);
	return CLI_OK;
}

/* ---- completion ---------------------------------------------------------------------- */

/* The value of a keyword: one of the noun it names, else of the noun it stands behind. */
static void list_values(const struct noun *const *nouns, const struct line *line,
			const struct keyword *keyword)
{
	struct line of = *line;

	for (; *nouns; nouns++)
		if (!strcmp((*nouns)->name, keyword->name))
			of.noun = *nouns;
	complete_value(&of, keyword);
}

/* What follows the words behind NOUN VERB: an argument, a keyword, or the value of one. */
static void list_next(const struct noun *const *nouns, struct line *line, int argc, char **argv)
{
	const struct keyword *keywords = verb_keywords(line->verb), *keyword = NULL;
	int first = line->verb->argument ? 1 : 0;

	if (first && !argc) {
		complete_argument(line);
		return;
	}
	line->argument = first ? argv[0] : NULL;
	for (int i = first; i < argc; i++) {
		if (keyword && keyword->value) {
			line->values[keyword - keywords] = argv[i];
			keyword = NULL;
			continue;
		}
		keyword = keyword_match(line->verb, argv[i]);
		if (!keyword && !i && line->verb->subject)
			line->values[0] = argv[0];
		else if (keyword)
			line->values[keyword - keywords] = keyword->name;
	}
	if (keyword && keyword->value) {
		list_values(nouns, line, keyword);
		return;
	}
	if (line->verb->subject && !argc)
		complete_value(line, keywords);
	for (const struct keyword *k = keywords; k && k->name; k++)
		if (!line->values[k - keywords])
			complete_offer("%s", k->name);
}

int help_list(const struct noun *const *nouns, int argc, char **argv)
{
	struct line line = {.noun = argc ? noun_match(nouns, argv[0]) : NULL};

	for (const struct noun *const *n = nouns; !argc && *n; n++)
		complete_offer("%s", (*n)->name);
	if (line.noun && argc == 1)
		for (const struct verb *v = line.noun->verbs; v && v->name; v++)
			complete_offer("%s", v->name);
	line.verb = line.noun && argc > 1 ? verb_match(line.noun, argv[1]) : NULL;
	if (line.verb)
		list_next(nouns, &line, argc - 2, argv + 2);
	return complete_end();
}
