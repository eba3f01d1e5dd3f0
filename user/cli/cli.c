/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The grammar: NOUN VERB [KEYWORD VALUE]..., any word cut short as long as it is unique. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../show/format.h"
#include "cli.h"
#include "help.h"
#include "options.h"
#include "words.h"

/* The line of a batch that runs; no file: none does. */
static struct {
	const char *file;
	size_t line;
} place;

void fail_at(const char *file, size_t line)
{
	place.file = file;
	place.line = line;
}

static void fail_text(const char *line)
{
	if (place.file)
		fprintf(stderr, "alpnlb: %s:%zu: %s\n", place.file, place.line, line);
	else
		fprintf(stderr, "alpnlb: %s\n", line);
}

static void fail_json(const char *line, json_t *members)
{
	json_t *error = json_object();

	set_string(error, "error", line);
	if (place.file) {
		set_string(error, "batch", place.file);
		set_integer(error, "line", place.line);
	}
	json_object_update(error, members);
	if (json_dumpf(error, stderr, options.pretty ? JSON_INDENT(4) : JSON_COMPACT))
		fputs("{\"error\":\"out of memory\"}", stderr);
	fputc('\n', stderr);
	json_decref(error);
}

__attribute__((format(printf, 2, 0))) static void fail_list(json_t *members, const char *format,
							    va_list args)
{
	char *message, *line;

	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	line = display_escape(message ? message : "out of memory");
	if (options.json || options.json_errors)
		fail_json(line ? line : "out of memory", members);
	else
		fail_text(line ? line : "out of memory");
	free(line);
	free(message);
	json_decref(members);
}

int fail(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_list(NULL, format, args);
	va_end(args);
	return code;
}

int fail_with(int code, json_t *members, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail_list(members, format, args);
	va_end(args);
	return code;
}

const char *root_hint(int err)
{
	return err == -EPERM || err == -EACCES ? "; try as root" : "";
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

/* ---- words --------------------------------------------------------------------------- */

/* Adds `word` to the list in `list`, which was built by this function. */
static void list_add(char *list, size_t size, const char *word)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

typedef const char *(*word_at)(const void *words, size_t i);

/* The place of the only one of `words` that `given` is or begins, -1 if there is none. */
static int word_match(const char *given, const void *words, word_at at)
{
	int found = -1, n_found = 0;
	const char *word;

	for (size_t i = 0; (word = at(words, i)); i++) {
		if (!strcmp(word, given))
			return i;
		if (*given && !strncmp(word, given, strlen(given))) {
			found = i;
			n_found++;
		}
	}
	return n_found == 1 ? found : -1;
}

/*
 * Finds the one of `words` (the i-th is at(words, i), NULL ends them) that `given` names or
 * begins uniquely. Returns its place, or -1 after it has said what `what` could have been.
 */
static int word_find(const char *what, const char *given, const void *words, word_at at)
{
	char all[512] = "", candidates[512] = "";
	int found = word_match(given, words, at);
	const char *word;

	if (found >= 0)
		return found;
	for (size_t i = 0; (word = at(words, i)); i++) {
		list_add(all, sizeof(all), word);
		if (*given && !strncmp(word, given, strlen(given)))
			list_add(candidates, sizeof(candidates), word);
	}
	if (*candidates)
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

const struct keyword *verb_keywords(const struct verb *verb)
{
	return verb->attributes ? words_of(verb->kind)->keywords : verb->keywords;
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

const struct noun *noun_match(const struct noun *const *nouns, const char *word)
{
	int i = word_match(word, nouns, noun_at);

	return i < 0 ? NULL : nouns[i];
}

const struct verb *verb_match(const struct noun *noun, const char *word)
{
	int i = noun->verbs ? word_match(word, noun->verbs, verb_at) : -1;

	return i < 0 ? NULL : &noun->verbs[i];
}

const struct keyword *keyword_match(const struct verb *verb, const char *word)
{
	const struct keyword *keywords = verb_keywords(verb);
	int i;

	word = verb->attributes ? words_spelled(verb->kind, word) : word;
	i = keywords ? word_match(word, keywords, keyword_at) : -1;
	return i < 0 ? NULL : &keywords[i];
}

static bool asks_for_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "-h") || !strcmp(word, "--help");
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

/* ---- options behind the noun ---------------------------------------------------------- */

/* As options_take(), with the help of the noun. */
static int options_behind(const struct noun *noun, int *argc, char ***argv)
{
	bool help;
	int code;

	if (!*argc || (*argv)[0][0] != '-' || !(*argv)[0][1])
		return -1;
	if (place.file)
		return fail(CLI_USAGE, "option '%s' has to stand before batch", (*argv)[0]);
	code = options_take(argc, argv, &help);
	return help ? noun_help(noun) : code;
}

/* Takes them from anywhere behind the noun, argv[0], for a noun without verbs. */
static int options_among(const struct noun *noun, int *argc, char **argv)
{
	int n = 1, rest = *argc - 1, code;
	char **at = argv + 1;

	while (rest) {
		code = options_behind(noun, &rest, &at);
		if (code >= 0)
			return code;
		if (rest) {
			argv[n++] = *at++;
			rest--;
		}
	}
	*argc = n;
	return -1;
}

/* ---- running ------------------------------------------------------------------------- */

/* Which of the keywords `word` is; -1 after saying that it is none. */
static int keyword_find(const struct verb *verb, const struct keyword *keywords, const char *word)
{
	if (!keywords)
		return fail(-1, "unexpected '%s': %s takes no keyword", word, verb->name);
	if (verb->attributes)
		return word_find("attribute", words_spelled(verb->kind, word), keywords,
				 keyword_at);
	return word_find("keyword", word, keywords, keyword_at);
}

/* Reads one `KEYWORD VALUE`, or keyword that has no value. Returns how many words, -1 after saying
 * what is wrong. */
static int keyword_read(const struct verb *verb, int argc, char **argv, const char **values)
{
	const struct keyword *keywords = verb_keywords(verb);
	int i = keyword_find(verb, keywords, argv[0]), n;

	if (i < 0)
		return -1;
	n = keywords[i].value ? 2 : 1;
	if (argc < n)
		return fail(-1, "%s needs a value: %s %s", keywords[i].name, keywords[i].name,
			    keywords[i].value);
	if (values[i])
		return fail(-1, "%s is given twice: '%s' and '%s'", keywords[i].name, values[i],
			    argv[n - 1]);
	values[i] = argv[n - 1];
	return n;
}

/* Reads keywords, and options between them, into `values`. Returns -1 to go on, or an exit code. */
static int keywords_parse(const struct noun *noun, const struct verb *verb, int argc, char **argv,
			  const char **values)
{
	int code, n;

	while ((code = options_behind(noun, &argc, &argv)) < 0 && argc) {
		n = keyword_read(verb, argc, argv, values);
		if (n < 0)
			return CLI_USAGE;
		argc -= n;
		argv += n;
	}
	return code;
}

/* Is `word` a keyword, or the beginning of one that `n_values` words behind it are enough for? */
static bool may_be_keyword(const struct keyword *keywords, const char *word, int n_values)
{
	for (; keywords && keywords->name; keywords++)
		if (!strcmp(keywords->name, word) ||
		    (!strncmp(keywords->name, word, strlen(word)) &&
		     (n_values || !keywords->value)))
			return true;
	return false;
}

/* `farm show h2` is short for `farm show name h2`. */
static bool has_subject(const struct verb *verb, int argc, char **argv)
{
	return verb->subject && argc && argv[0][0] != '-' &&
	       !may_be_keyword(verb->keywords, argv[0], argc - 1);
}

static int verb_run(const struct noun *noun, const struct verb *verb, int argc, char **argv)
{
	const char *values[KEYWORDS_MAX] = {NULL}, **keywords;
	int first = verb->argument ? 1 : 0, code;

	if (argc && asks_for_help(argv[0]))
		return noun_help(noun);
	code = options_behind(noun, &argc, &argv);
	if (code >= 0)
		return code;
	if (argc < first)
		return fail(CLI_USAGE, "%s %s needs %s, see: alpnlb %s help", noun->name,
			    verb->name, verb->argument, noun->name);
	if (!first && has_subject(verb, argc, argv))
		first = 1;
	if (first)
		values[0] = argv[0];
	keywords = verb->argument ? values + 1 : values;
	code = keywords_parse(noun, verb, argc - first, argv + first, keywords);
	if (code >= 0)
		return code;
	return verb->write ? verb->write(verb->kind, verb->argument ? argv[0] : NULL, keywords)
			   : verb->run(values);
}

static int plain_run(const struct noun *noun, int argc, char **argv)
{
	int code = noun->options ? -1 : options_among(noun, &argc, argv);

	return code < 0 ? noun->run(argc, argv) : code;
}

static int noun_run(const struct noun *noun, int argc, char **argv)
{
	const char *word;
	int code, i;

	if (argc > 1 && asks_for_help(argv[1]))
		return noun_help(noun);
	if (!noun->verbs)
		return plain_run(noun, argc, argv);
	argc--;
	argv++;
	code = options_behind(noun, &argc, &argv);
	if (code >= 0)
		return code;
	word = argc ? argv[0] : noun->default_verb;
	if (!word)
		return word_missing("a verb", noun->verbs, verb_at);
	i = word_find("verb", word, noun->verbs, verb_at);
	if (i < 0)
		return CLI_USAGE;
	return verb_run(noun, &noun->verbs[i], argc ? argc - 1 : 0, argv + 1);
}

static const struct noun *const *commands;

int cli_run(const struct noun *const *nouns, int argc, char **argv)
{
	int i;

	commands = nouns;
	if (!argc)
		return word_missing("a noun", nouns, noun_at);
	if (asks_for_help(argv[0]))
		return help_run(nouns, argc - 1, argv + 1);
	i = word_find("noun", argv[0], nouns, noun_at);
	return i < 0 ? CLI_USAGE : noun_run(nouns[i], argc, argv);
}

int cli_run_line(int argc, char **argv)
{
	int i;

	if (argv[0][0] == '-')
		return fail(CLI_USAGE, "option '%s' has to stand before batch", argv[0]);
	i = word_find("noun", argv[0], commands, noun_at);
	if (i < 0)
		return CLI_USAGE;
	if (commands[i] == &noun_batch || commands[i] == &noun_daemon)
		return fail(CLI_USAGE, "%s cannot stand in a batch", commands[i]->name);
	return noun_run(commands[i], argc, argv);
}
