/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the balancer would make of a client's first bytes. Pure. */
#ifndef ALPNLB_CLASSIFY_H
#define ALPNLB_CLASSIFY_H

#include <stddef.h>
#include <stdint.h>

#include "../kernel/decide.h"
#include "../model/objects.h"

struct classification {
	struct hello hello;
	struct subject subject; /* points into this struct: it is not to be moved */
	uint8_t *list;		/* the whole ALPN list, where the parser could not keep it */
	bool source_known;
	/* how it was decided, if it was */
	const struct tables *tables; /* the caller's */
	struct regex_note *notes;
};

/*
 * Reads what a client sent from `source`, NULL = not known; nothing: it was silent for as long as
 * the balancer waits. Returns 0 or -ENOMEM;
 * classification_free() in any case.
 */
int classify(const uint8_t *bytes, size_t len, const uint8_t source[16], struct classification *c);
void classification_free(struct classification *c);

/* Decides, and keeps what regular expressions came to. Returns 0 or -ENOMEM. */
int classification_decide(struct classification *c, const struct tables *tables,
			  uint32_t frontend_id, struct decision *decision);

/* PROTOCOL_* of the client. */
uint32_t classification_protocols(const struct classification *c);

struct rule_answer {
	bool holds;
	bool gave_up; /* a regular expression reached its limit */
};

/* Evaluates a rule by itself. */
struct rule_answer evaluate_rule(const struct classification *c, const struct rule *rule);

/* What the rule came to in the decision; one that was not needed there, by itself. */
struct rule_answer decided_rule(const struct classification *c, const struct route *route,
				const struct rule *rule);

#endif
