/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The grammar: NOUN VERB [KEYWORD VALUE]..., any word cut short as long as it is unique. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "complete.h"
#include "format.h"
#include "output.h"

#define KEYWORDS_MAX 8

struct options options = {.instance = "default"};

int fail(int code, const char *format, ...)
{
	char *message, *line;
	va_list args;

	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);
	line = display_escape(message ? message : "out of memory");
	if (!options.json) {
		fprintf(stderr, "alpnlb: %s\n", line ? line : "out of memory");
	} else {
		json_t *error = json_pack("{s:s?}", "error", line);

		json_dumpf(error, stderr, options.pretty ? JSON_INDENT(4) : JSON_COMPACT);
		fputc('\n', stderr);
		json_decref(error);
	}
	free(line);
	free(message);
	return code;
}

bool instance_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= 32 && strcmp(name, ".") && strcmp(name, "..") &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789._-") == n;
}

unsigned int id_parse(const char *text, unsigned int max)
{
	unsigned long id;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return 0;
	errno = 0;
	id = strtoul(text, &end, 10);
	return errno || *end || id > max ? 0 : id;
}

void set_string(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, value ? json_string(value) : json_null());
}

void set_integer(json_t *object, const char *key, json_int_t value)
{
	json_object_set_new(object, key, json_integer(value));
}

/* ---- words --------------------------------------------------------------------------- */

/* Adds `word` to the list in `list`, which was built by this function. */
static void list_add(char *list, size_t size, const char *word)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

typedef const char *(*word_at)(const void *words, size_t i);

/*
 * Finds the one of `words` (the i-th is at(words, i), NULL ends them) that `given` names or
 * begins uniquely. Returns its place, or -1 after it has said what `what` could have been.
 */
static int word_find(const char *what, const char *given, const void *words, word_at at)
{
	char all[512] = "", candidates[512] = "";
	int found = -1, n_found = 0;
	const char *word;

	for (size_t i = 0; (word = at(words, i)); i++) {
		if (!strcmp(word, given))
			return i;
		list_add(all, sizeof(all), word);
		if (!*given || strncmp(word, given, strlen(given)))
			continue;
		list_add(candidates, sizeof(candidates), word);
		found = i;
		n_found++;
	}
	if (n_found == 1)
		return found;
	if (n_found)
		fail(CLI_USAGE, "%s '%s' is ambiguous: %s", what, given, candidates);
	else
		fail(CLI_USAGE, "unknown %s '%s', expected one of: %s", what, given, all);
	return -1;
}

static int word_missing(const char *what, const void *words, word_at at)
{
	char all[512] = "";
	const char *word;

	for (size_t i = 0; (word = at(words, i)); i++)
		list_add(all, sizeof(all), word);
	return fail(CLI_USAGE, "%s is missing, expected one of: %s; see: alpnlb help", what, all);
}

static const char *noun_at(const void *words, size_t i)
{
	const struct noun *const *nouns = words;

	return nouns[i] ? nouns[i]->name : NULL;
}

static const char *verb_at(const void *words, size_t i)
{
	return ((const struct verb *)words)[i].name;
}

static const char *keyword_at(const void *words, size_t i)
{
	return ((const struct keyword *)words)[i].name;
}

static bool asks_for_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "-h") || !strcmp(word, "--help");
}

/* ---- help ---------------------------------------------------------------------------- */

static json_t *verb_json(const struct verb *verb)
{
	json_t *keywords = json_object();

	for (const struct keyword *k = verb->keywords; k && k->name; k++)
		set_string(keywords, k->name, k->value);
	return json_pack("{s:s, s:s, s:s?, s:o}", "name", verb->name, "help", verb->help,
			 "argument", verb->argument, "keywords", keywords);
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

int noun_help(const struct noun *noun)
{
	if (options.json)
		return print_json(noun_json(noun));
	printf("alpnlb %s: %s\n\nUsage:\n", noun->name, noun->help);
	if (!noun->verbs)
		printf("  alpnlb [OPTIONS] %s%s%s\n", noun->name, *noun->arguments ? " " : "",
		       noun->arguments);
	for (const struct verb *verb = noun->verbs; verb && verb->name; verb++) {
		printf("  alpnlb [OPTIONS] %s %s%s%s", noun->name, verb->name,
		       verb->argument ? " " : "", verb->argument ? verb->argument : "");
		for (const struct keyword *k = verb->keywords; k && k->name; k++)
			printf(" [%s%s%s]", k->name, k->value ? " " : "", k->value ? k->value : "");
		printf("\n      %s\n", verb->help);
	}
	if (noun->text)
		printf("\n%s", noun->text);
	return CLI_OK;
}

/*
 * `alpnlb help list [NOUN [VERB [KEYWORD]]]`: the words that can come next, one per line,
 * for the shell's completion. Mistakes print nothing: there is nothing to complete.
 */
static int help_list(const struct noun *const *nouns, int argc, char **argv)
{
	const struct noun *noun = NULL;
	const struct verb *verb = NULL;

	for (size_t i = 0; nouns[i]; i++) {
		if (argc == 0)
			puts(nouns[i]->name);
		else if (!strcmp(nouns[i]->name, argv[0]))
			noun = nouns[i];
	}
	for (const struct verb *v = noun ? noun->verbs : NULL; v && v->name; v++) {
		if (argc == 1)
			puts(v->name);
		else if (!strcmp(v->name, argv[1]))
			verb = v;
	}
	for (const struct keyword *k = verb ? verb->keywords : NULL; k && k->name; k++)
		if (argc == 2)
			puts(k->name);
	if (verb && argc == 3)
		complete_value(noun->name, argv[2]);
	return CLI_OK;
}

static int help_run(const struct noun *const *nouns, int argc, char **argv)
{
	int i;

	if (argc && !strcmp(argv[0], "list"))
		return help_list(nouns, argc - 1, argv + 1);
	if (!argc)
		return cli_help(nouns);
	i = word_find("noun", argv[0], nouns, noun_at);
	return i < 0 ? CLI_USAGE : noun_help(nouns[i]);
}

/* ---- running ------------------------------------------------------------------------- */

/* Reads `KEYWORD VALUE` pairs, and keywords that have no value, into `values`. Returns an exit
 * code. */
static int keywords_parse(const struct verb *verb, int argc, char **argv, const char **values)
{
	static const struct keyword none[] = {{NULL, NULL}};
	const struct keyword *keywords = verb->keywords ? verb->keywords : none;

	while (argc) {
		int i, n;

		if (argv[0][0] == '-' && argv[0][1])
			return fail(CLI_USAGE, "option '%s' has to stand before the noun", argv[0]);
		if (!keywords->name)
			return fail(CLI_USAGE, "unexpected '%s': %s takes no keyword", argv[0],
				    verb->name);
		i = word_find("keyword", argv[0], keywords, keyword_at);
		if (i < 0)
			return CLI_USAGE;
		n = keywords[i].value ? 2 : 1;
		if (argc < n)
			return fail(CLI_USAGE, "%s needs a value: %s %s", keywords[i].name,
				    keywords[i].name, keywords[i].value);
		if (values[i])
			return fail(CLI_USAGE, "%s is given twice: '%s' and '%s'", keywords[i].name,
				    values[i], argv[n - 1]);
		values[i] = argv[n - 1];
		argc -= n;
		argv += n;
	}
	return CLI_OK;
}

static int verb_run(const struct noun *noun, const struct verb *verb, int argc, char **argv)
{
	const char *values[KEYWORDS_MAX] = {NULL};
	int first = verb->argument ? 1 : 0, err;

	if (argc && asks_for_help(argv[0]))
		return noun_help(noun);
	if (argc < first)
		return fail(CLI_USAGE, "%s %s needs %s, see: alpnlb %s help", noun->name,
			    verb->name, verb->argument, noun->name);
	if (first)
		values[0] = argv[0];
	err = keywords_parse(verb, argc - first, argv + first, values + first);
	return err ? err : verb->run(values);
}

static int noun_run(const struct noun *noun, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : noun->default_verb;
	int i;

	if (argc > 1 && asks_for_help(argv[1]))
		return noun_help(noun);
	if (!noun->verbs)
		return noun->run(argc, argv);
	if (!word)
		return word_missing("a verb", noun->verbs, verb_at);
	if (word[0] == '-')
		return fail(CLI_USAGE, "option '%s' has to stand before the noun", word);
	i = word_find("verb", word, noun->verbs, verb_at);
	if (i < 0)
		return CLI_USAGE;
	return verb_run(noun, &noun->verbs[i], argc > 2 ? argc - 2 : 0, argv + 2);
}

int cli_run(const struct noun *const *nouns, int argc, char **argv)
{
	int i;

	if (!argc)
		return word_missing("a noun", nouns, noun_at);
	if (asks_for_help(argv[0]))
		return help_run(nouns, argc - 1, argv + 1);
	i = word_find("noun", argv[0], nouns, noun_at);
	return i < 0 ? CLI_USAGE : noun_run(nouns[i], argc, argv);
}
