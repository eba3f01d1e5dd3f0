/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* add, set and delete: what they write is staged, a refresh makes it run. */
#ifndef ALPNLB_EDIT_H
#define ALPNLB_EDIT_H

#include "cli.h"

int object_add(enum kind kind, const char *argument, const char *const *values);
int object_set(enum kind kind, const char *argument, const char *const *values);
int object_delete(enum kind kind, const char *argument, const char *const *values);

/* clang-format off */
/*
 * The three verbs of a noun. `new_name` and `known_name` are how help writes the argument: of add,
 * NULL when it takes none, and of the others.
 */
#define EDIT_VERBS(of_kind, new_name, known_name)                                                  \
	{.name = "add", .help = "stage a new one; prints its id",                                  \
	 .argument = (new_name), .write = object_add, .kind = (of_kind), .attributes = true},      \
	{.name = "set", .help = "stage other values of the attributes given; null unsets",         \
	 .argument = (known_name), .write = object_set, .kind = (of_kind), .attributes = true},    \
	{.name = "delete", .help = "stage its removal",                                            \
	 .argument = (known_name), .write = object_delete, .kind = (of_kind)}
/* clang-format on */

#endif
