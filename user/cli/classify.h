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
};

/*
 * Reads what a client sent from `source`, NULL = not known. Returns 0 or -ENOMEM;
 * classification_free() in any case.
 */
int classify(const uint8_t *bytes, size_t len, const uint8_t source[16], struct classification *c);
void classification_free(struct classification *c);

/* PROTOCOL_* of the client. */
uint32_t classification_protocols(const struct classification *c);

struct rule_answer {
	bool holds;
	bool gave_up; /* a regular expression reached its limit */
};

/* Evaluates a rule by itself. */
struct rule_answer evaluate_rule(const struct classification *c, const struct rule *rule);

#endif
