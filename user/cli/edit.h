/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* add, set and delete: what they write is staged, a refresh makes it run. */
#ifndef ALPNLB_EDIT_H
#define ALPNLB_EDIT_H

#include "cli.h"

int object_add(enum kind kind, const char *argument, const char *const *values);
int object_set(enum kind kind, const char *argument, const char *const *values);
int object_delete(enum kind kind, const char *argument, const char *const *values);

/* The three verbs of a noun. `new_name` is NULL when add takes no name; `name` is how help
 * writes the one of an object that is there. */
#define EDIT_VERBS(of_kind, new_name, known_name)                                                  \
	{.name = "add",                                                                            \
	 .help = "stage a new one; prints its id",                                                 \
	 .argument = (new_name),                                                                   \
	 .write = object_add,                                                                      \
	 .kind = (of_kind),                                                                        \
	 .attributes = true},                                                                      \
		{.name = "set",                                                                    \
		 .help = "stage other values of the attributes given; null unsets",                \
		 .argument = (known_name),                                                         \
		 .write = object_set,                                                              \
		 .kind = (of_kind),                                                                \
		 .attributes = true},                                                              \
	{                                                                                          \
		.name = "delete", .help = "stage its removal", .argument = (known_name),           \
		.write = object_delete, .kind = (of_kind)                                          \
	}

#endif
