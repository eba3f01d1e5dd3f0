// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Peers that do to TCP what well-behaved programs do not.
 *
 *	tcp serve KIND --listen ADDRESS... --port PORT [OPTION...]
 *	tcp client ADDRESS PORT [OPTION...]
 *	tcp hello [--sni NAME] [--alpn NAME...] [--tls VERSION] [--ech] [--pad N] [--grease]
 *		[--records N] > FILE
 *	tcp pattern --bytes N [--seed TEXT] > FILE
 *
 * Both ends print one JSON object per connection: bytes and SHA-256 of what was sent and
 * received, and how it ended (eof, reset, refused, timeout). What one end sent has to be what
 * the other received.
 *
 * Both: --bytes N: of a pattern to send, which follows from --seed; --pieces: in pieces of random
 * size; --tiny: then packets of one byte, until the file --until exists. --until FILE: do not read
 * before it exists, but for --first N bytes. --expect N: stop reading after so many. --half-close:
 * shut down when all is sent. --buffer N: SO_RCVBUF. --timeout SECONDS. --random: vary sizes up to
 * --bytes, pieces and cuts by connection.
 *
 * A client's first bytes: --hello FILE, --text TEXT with escapes like \r\n, or a ClientHello:
 * --tls VERSION: the highest offered; --ech: with an encrypted_client_hello; --pad N: bytes of
 * padding before the rest; --grease: unknown extensions at both ends; --records N: bytes of it in
 * each TLS record. --cut N: in segments of this size, --pause SECONDS between them;
 * --rest-when FILE: all but --cut first bytes when it exists.
 *
 * --source ADDRESS; --handshake SECONDS: that it takes, below 0.2. --until-sent FILE: send no FIN
 * or RST before it exists; --then N: of the pattern to send then. --reset: end with RST.
 * --repeat N: connections in all, or --repeat-until FILE exists, --parallel N at a time;
 * --each OPTION NUMBER...: a connection for each number, as if the option had it.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcp.h"

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("tcp: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

#define AT(member) offsetof(struct options, member)

enum kind { FLAG, NUMBER, SECONDS, TEXT, LIST };

static const struct known {
	const char *name;
	enum kind kind;
	size_t offset;
} known[] = {
	{"alpn", LIST, AT(alpn)},
	{"buffer", NUMBER, AT(buffer)},
	{"bytes", NUMBER, AT(bytes)},
	{"cut", NUMBER, AT(cut)},
	{"each", LIST, AT(each)},
	{"ech", FLAG, AT(ech)},
	{"expect", NUMBER, AT(expect)},
	{"first", NUMBER, AT(first)},
	{"grease", FLAG, AT(grease)},
	{"half-close", FLAG, AT(half_close)},
	{"handshake", SECONDS, AT(handshake)},
	{"hello", TEXT, AT(hello)},
	{"listen", LIST, AT(listen)},
	{"name", TEXT, AT(name)},
	{"pad", NUMBER, AT(pad)},
	{"parallel", NUMBER, AT(parallel)},
	{"pause", SECONDS, AT(pause)},
	{"pieces", FLAG, AT(pieces)},
	{"port", NUMBER, AT(port)},
	{"random", FLAG, AT(random)},
	{"records", NUMBER, AT(records)},
	{"repeat", NUMBER, AT(repeat)},
	{"repeat-until", TEXT, AT(repeat_until)},
	{"reset", FLAG, AT(reset)},
	{"rest-when", TEXT, AT(rest_when)},
	{"seed", TEXT, AT(seed)},
	{"sni", TEXT, AT(sni)},
	{"source", TEXT, AT(source)},
	{"text", TEXT, AT(text)},
	{"then", NUMBER, AT(then)},
	{"timeout", SECONDS, AT(timeout)},
	{"tiny", FLAG, AT(tiny)},
	{"tls", TEXT, AT(tls)},
	{"until", TEXT, AT(until)},
	{"until-sent", TEXT, AT(until_sent)},
};

static const struct known *find_option(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(known[i].name, name))
			return &known[i];
	}
	die("--%s: unknown option", name);
}

int64_t parse_number(const char *option, const char *text)
{
	char *end;
	int64_t number = strtoll(text, &end, 10);

	if (end == text || *end || number < 0)
		die("--%s %s: expected a number", option, text);
	return number;
}

int64_t *options_number(struct options *options, const char *name)
{
	const struct known *option = find_option(name);

	if (option->kind != NUMBER)
		die("--each %s: expected an option with a number", name);
	return (void *)((char *)options + option->offset);
}

static double parse_seconds(const char *option, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || seconds < 0)
		die("--%s %s: expected seconds", option, text);
	return seconds;
}

static void set_option(struct options *options, const struct known *option,
		       const struct list *values)
{
	void *member = (char *)options + option->offset;

	if (option->kind != LIST && values->n != (option->kind != FLAG))
		die("--%s: expected %s", option->name,
		    option->kind == FLAG ? "no value" : "one value");
	if (option->kind == FLAG)
		*(bool *)member = true;
	else if (option->kind == NUMBER)
		*(int64_t *)member = parse_number(option->name, values->v[0]);
	else if (option->kind == SECONDS)
		*(double *)member = parse_seconds(option->name, values->v[0]);
	else if (option->kind == TEXT)
		*(const char **)member = values->v[0];
	else
		*(struct list *)member = *values;
}

static void parse_options(struct options *options, char **argv)
{
	while (*argv) {
		const struct known *option;
		struct list values = {argv + 1, 0};

		if (strncmp(*argv, "--", 2))
			die("%s: expected an option", *argv);
		option = find_option(*argv + 2);
		while (values.v[values.n] && strncmp(values.v[values.n], "--", 2))
			values.n++;
		set_option(options, option, &values);
		argv = values.v + values.n;
	}
	if (options->tls && (strlen(options->tls) != 3 || strncmp(options->tls, "1.", 2) ||
			     !strchr("0123", options->tls[2])))
		die("--tls %s: expected 1.0, 1.1, 1.2 or 1.3", options->tls);
	if (options->tiny && !options->until)
		die("--tiny: --until is missing");
}

static void serve_kind(struct options *options, char **argv)
{
	options->kind = argv[0];
	parse_options(options, argv + 1);
	tcp_serve(options);
}

static void connect_to(struct options *options, char **argv)
{
	options->address = argv[0];
	options->port = parse_number("port", argv[1]);
	parse_options(options, argv + 2);
	tcp_client(options);
}

static void print_hello(struct options *options, char **argv)
{
	struct buffer hello;

	parse_options(options, argv);
	hello = hello_make(options);
	fwrite(hello.data, hello.len, 1, stdout);
	free(hello.data);
}

static void print_pattern(struct options *options, char **argv)
{
	parse_options(options, argv);
	pattern_print(options);
}

static const struct {
	const char *name;
	int arguments;
	void (*run)(struct options *options, char **argv);
} commands[] = {
	{"serve", 1, serve_kind},
	{"client", 2, connect_to},
	{"hello", 0, print_hello},
	{"pattern", 0, print_pattern},
};

int main(int argc, char **argv)
{
	struct options options = {
		.seed = "alpnlb",
		.name = "server",
		.expect = -1,
		.timeout = 60,
		.repeat = 1,
		.parallel = 1,
	};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, argv[1]) || argc < 2 + commands[i].arguments)
			continue;
		commands[i].run(&options, argv + 2);
		return 0;
	}
	die("usage: tcp serve KIND | client ADDRESS PORT | hello | pattern [OPTION...]");
}
