/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the API calls the attributes of a file: default_farm is defaultFarmId there. */
#ifndef ALPNLB_KEYS_H
#define ALPNLB_KEYS_H

#include "decoder.h"

/* The kind of object an attribute refers to; KIND_MAX if it is no reference. */
enum kind reference_kind(const struct attribute *a);

/* id is farmId, default_farm is defaultFarmId; the target of an action is called as in a file. */
const char *api_key(enum kind kind, const struct attribute *a, char key[API_KEY_MAX]);

/* hello_timeout becomes helloTimeout, in place. */
void camel_case(char *text);

#endif
