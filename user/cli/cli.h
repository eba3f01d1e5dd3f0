/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the nouns of the command line share: how a command is described, how its keywords
 * are read, and how it fails. Commands return an exit code; only main() exits.
 */
#ifndef ALPNLB_CLI_H
#define ALPNLB_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "../model/kinds.h"
#include "../show/format.h"

#define KEYWORDS_MAX 40

/* Exit codes, documented in alpnlb(8). */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1,	   /* the command was understood and did not succeed */
	CLI_USAGE = 2,	   /* the command was not understood */
	CLI_NOT_FOUND = 3, /* no object of that name or id */
	CLI_NO_DAEMON = 4, /* no daemon, or nothing left by one, to answer */
};

/* The options of every command: written while it is parsed (options.h), then only read. */
struct options {
	bool json;
	bool pretty;
	bool json_errors; /* json, or it may come yet */
	const char *instance;
};
extern struct options options;

/* One `KEYWORD VALUE`, or `KEYWORD`, a verb accepts. */
struct keyword {
	const char *name;
	const char *value; /* how help writes the value: NAME, FILE, ...; NULL = it has none */
};

struct verb {
	const char *name;
	const char *help;		/* one line */
	const char *argument;		/* what comes before the keywords, in help; may be NULL */
	const char *subject;		/* may stand there: the value of the first keyword */
	const struct keyword *keywords; /* ends with a NULL name; may be NULL */
	/*
	 * `values` has the argument, if there is one, and one entry per keyword, NULL where it was
	 * not given; without value, its name.
	 */
	int (*run)(const char *const *values);
	/* In the place of run(), for one that writes objects of a kind. */
	int (*write)(enum kind kind, const char *argument, const char *const *values);
	enum kind kind;
	bool attributes; /* its keywords are those of words_of(kind) */
};

struct noun {
	const char *name;
	const char *help;	  /* one line, for the list of nouns */
	const char *text;	  /* further help, ends with a newline; may be NULL */
	const char *arguments;	  /* for a noun without verbs: what follows it */
	const struct verb *verbs; /* ends with a NULL name; NULL for a noun without verbs */
	const char *default_verb; /* when none is given; NULL = a verb is needed */
	/* Prints what its objects are called, a line each; NULL for kinds of objects. */
	void (*names)(void);
	/* For a noun without verbs: argv[0] is the noun. */
	int (*run)(int argc, char **argv);
	bool options; /* run() reads the options behind the noun, as it has some of its own */
};

extern const struct noun noun_daemon, noun_check, noun_apply, noun_frontend, noun_farm, noun_server,
	noun_route, noun_rule, noun_pending, noun_refresh, noun_revision, noun_zone, noun_task,
	noun_application, noun_export, noun_batch, noun_conn, noun_flow, noun_stick, noun_stat,
	noun_metrics, noun_monitor, noun_hello, noun_doctor, noun_unload, noun_xdp, noun_acl;

/*
 * Prints one line on stderr, `alpnlb: MESSAGE`, or {"error": "MESSAGE"} under -j, and
 * returns `code`, so that a command can fail in one line.
 */
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same; under -j the object has `members` as well, which are taken over and may be NULL. */
int fail_with(int code, json_t *members, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What to add to a message that ends with the reason `err`, -errno: "; try as root" where that
 * helps. */
const char *root_hint(int err);

/* From now on messages tell that they are about this line of a batch; NULL ends that. */
void fail_at(const char *file, size_t line);

/* Runs `argv` (the noun first, if there is one) with the commands of `nouns`, an array that ends
 * with NULL. */
int cli_run(const struct noun *const *nouns, int argc, char **argv);

/* Runs another command of those cli_run() was given: a line of a batch, one word at least. */
int cli_run_line(int argc, char **argv);

/* The keywords of a verb; NULL for none. */
const struct keyword *verb_keywords(const struct verb *verb);

/* What `word` is, or begins and no other does; NULL, without a message, if there is none. */
const struct noun *noun_match(const struct noun *const *nouns, const char *word);
const struct verb *verb_match(const struct noun *noun, const char *word);
const struct keyword *keyword_match(const struct verb *verb, const char *word);

/* Is it [A-Za-z0-9._-]{1,32}, and neither "." nor ".."? */
bool instance_name_valid(const char *name);

/* Reads an object id, 1..max; returns 0 when `text` is none. */
unsigned int id_parse(const char *text, unsigned int max);

#endif
