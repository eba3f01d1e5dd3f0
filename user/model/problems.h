/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Values with their place in a document, and collecting what is wrong with them. */
#ifndef ALPNLB_PROBLEMS_H
#define ALPNLB_PROBLEMS_H

#include <stdint.h>

#include "decode.h"

/* Lines of a tree, beside it: the children stand in the order of the array or object. */
struct lines {
	int line;
	uint32_t n;
	struct lines *child;
};

/* A value and how it was reached. Lives on the stack of whoever walks the tree. */
struct value {
	const struct value *parent; /* NULL for the root */
	const char *key;	    /* in a parent that is a mapping, else NULL */
	size_t index;		    /* in a parent that is a list */
	const json_t *json;	    /* NULL when it is missing */
	const struct lines *lines;  /* NULL when unknown */
};

/* An item of a list; a member of a mapping, found by its name. Both may turn out missing. */
struct value value_item(const struct value *list, size_t index);
struct value value_member(const struct value *mapping, const char *key);

/* The n-th member of a mapping, whose key and value an iterator has at hand. */
struct value value_nth_member(const struct value *mapping, size_t n, const char *key,
			      const json_t *json);

/* Its line, or that of its nearest parent. */
int value_line(const struct value *value);

/* At most this many errors and as many warnings are kept; all are counted. */
#define PROBLEMS_MAX 1000

/* About a value, or about a line of the text (0 = unknown). */
__attribute__((format(printf, 4, 5))) void value_problem(struct problems *problems, bool warning,
							 const struct value *value,
							 const char *format, ...);
__attribute__((format(printf, 3, 4))) void line_error(struct problems *problems, int line,
						      const char *format, ...);

/* Takes the one at `i` out. */
void problems_drop(struct problems *problems, size_t i);

/* Orders by line, keeping the order within a line. */
void problems_sort(struct problems *problems);

#define value_error(problems, value, ...)   value_problem(problems, false, value, __VA_ARGS__)
#define value_warning(problems, value, ...) value_problem(problems, true, value, __VA_ARGS__)

#endif
