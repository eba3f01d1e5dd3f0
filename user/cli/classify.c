/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"

int classify(const uint8_t *bytes, size_t len, const uint8_t source[16], struct classification *c)
{
	static const uint8_t unknown[16];

	memset(c, 0, sizeof(*c));
	c->source_known = source;
	if (!len)
		c->hello.verdict = VERDICT_SILENT;
	hello_read(&c->hello, bytes, len);
	subject_init(&c->subject, &c->hello, source ? source : unknown);
	if (c->hello.verdict != VERDICT_TLS || !(c->hello.flags & HELLO_ALPN_CUT))
		return 0;
	return subject_whole_alpn(&c->subject, bytes, len, &c->list);
}

void classification_free(struct classification *c)
{
	free(c->list);
	free(c->notes);
	c->list = NULL;
	c->notes = NULL;
}

int classification_decide(struct classification *c, const struct tables *tables,
			  uint32_t frontend_id, struct decision *decision)
{
	free(c->notes);
	c->tables = tables;
	c->notes = calloc(tables->n_regexes + 1, sizeof(*c->notes));
	if (!c->notes)
		return -ENOMEM;
	decide_and_note(tables, frontend_id, &c->subject, decision, c->notes);
	return 0;
}

static bool offers(const struct subject *subject, const char *name)
{
	size_t len = strlen(name);

	for (size_t at = 0; at < subject->alpn_len; at += 1 + subject->alpn[at])
		if (subject->alpn[at] == len && !memcmp(subject->alpn + at + 1, name, len))
			return true;
	return false;
}

/* The parser has not looked at the names it could not keep. */
uint32_t classification_protocols(const struct classification *c)
{
	struct hello hello = c->hello;

	if (offers(&c->subject, "h2"))
		hello.flags |= HELLO_OFFERS_H2;
	if (offers(&c->subject, "http/1.1"))
		hello.flags |= HELLO_OFFERS_HTTP1;
	if (offers(&c->subject, "http/1.0"))
		hello.flags |= HELLO_OFFERS_HTTP10;
	return hello_speaks(&hello);
}

/* Asks the evaluator about a configuration of one route with this one rule. */
struct rule_answer evaluate_rule(const struct classification *c, const struct rule *rule)
{
	struct frontend frontend = {.o = {.id = 1, .name = "frontend"}};
	struct route route = {
		.o = {.id = 1, .name = "route"},
		.frontend = &frontend,
		.action = ACTION_REJECT,
		.rules = (struct rule *)rule,
		.n_rules = 1,
	};
	struct config config = {
		.frontends = &frontend,
		.n_frontends = 1,
		.routes = &route,
		.n_routes = 1,
	};
	struct decision decision = {0};
	struct tables tables = {0};

	if (!tables_compile(&config, &tables))
		decide(&tables, frontend.o.id, &c->subject, &decision);
	tables_free(&tables);
	return (struct rule_answer){.holds = decision.route_id, .gave_up = decision.gave_up};
}

static const struct regex_note *find_note(const struct classification *c, const struct route *route,
					  const struct rule *rule)
{
	if (!c->notes || rule->match != MATCH_MATCHES)
		return NULL;
	for (size_t i = 0; i < c->tables->n_regexes; i++)
		if (c->notes[i].route_id == route->o.id && c->notes[i].field == rule->field &&
		    !strcmp(regex_pattern(c->tables->regexes[i]), rule->patterns->text))
			return &c->notes[i];
	return NULL;
}

struct rule_answer decided_rule(const struct classification *c, const struct route *route,
				const struct rule *rule)
{
	const struct regex_note *note = find_note(c, route, rule);

	if (!note)
		return evaluate_rule(c, rule);
	if (note->answer == REGEX_GAVE_UP)
		return (struct rule_answer){.gave_up = true};
	return (struct rule_answer){.holds = (note->answer == REGEX_YES) != rule->negate};
}
