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

static const struct noun *noun_named(const struct noun *const *nouns, const char *name)
{
	for (; *nouns; nouns++)
		if (!strcmp((*nouns)->name, name))
			return *nouns;
	return NULL;
}

static const struct verb *verb_named(const struct noun *noun, const char *name)
{
	for (const struct verb *verb = noun ? noun->verbs : NULL; verb && verb->name; verb++)
		if (!strcmp(verb->name, name))
			return verb;
	return NULL;
}

static const struct keyword *keyword_named(const struct keyword *keywords, const char *name)
{
	for (; keywords && keywords->name; keywords++)
		if (!strcmp(keywords->name, name))
			return keywords;
	return NULL;
}

/* The value of a keyword: one of the noun it names, else of the noun it stands behind. */
static void list_values(const struct noun *const *nouns, const struct noun *noun,
			const struct verb *verb, const char *keyword)
{
	const struct noun *named = noun_named(nouns, keyword);

	complete_value(named ? named : noun, verb, keyword);
}

/* What follows the words behind NOUN VERB: an argument, a keyword, or the value of one. */
static void list_next(const struct noun *const *nouns, const struct noun *noun,
		      const struct verb *verb, int argc, char **argv)
{
	const struct keyword *keywords = verb_keywords(verb), *keyword = NULL;
	bool given[KEYWORDS_MAX] = {false};

	if (verb->argument && !argc) {
		complete_argument(noun, verb);
		return;
	}
	for (int i = verb->argument ? 1 : 0; i < argc; i++) {
		keyword = keyword && keyword->value ? NULL : keyword_named(keywords, argv[i]);
		if (keyword)
			given[keyword - keywords] = true;
	}
	if (keyword && keyword->value) {
		list_values(nouns, noun, verb, keyword->name);
		return;
	}
	if (verb->subject && !argc)
		complete_value(noun, verb, keywords->name);
	for (const struct keyword *k = keywords; k && k->name; k++)
		if (!given[k - keywords])
			complete_offer("%s", k->name);
}

int help_list(const struct noun *const *nouns, int argc, char **argv)
{
	const struct noun *noun = argc ? noun_named(nouns, argv[0]) : NULL;
	const struct verb *verb;

	for (const struct noun *const *n = nouns; !argc && *n; n++)
		complete_offer("%s", (*n)->name);
	for (verb = noun ? noun->verbs : NULL; argc == 1 && verb && verb->name; verb++)
		complete_offer("%s", verb->name);
	verb = argc > 1 ? verb_named(noun, argv[1]) : NULL;
	if (verb)
		list_next(nouns, noun, verb, argc - 2, argv + 2);
	return complete_end();
}
