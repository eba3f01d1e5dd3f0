/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What this process may do, as capabilities(7). */
#ifndef ALPNLB_CAPABILITIES_H
#define ALPNLB_CAPABILITIES_H

#include <stdbool.h>
#include <stddef.h>

/* Is capability `bit` in force? CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as in the kernel.
 */
bool capability_held(unsigned int bit);

struct capability {
	unsigned int bit;
	const char *name;
};

/*
 * Writes the names of those among `wanted` that are not in force to `names`, separated by blanks.
 * Returns whether there are any.
 */
bool capabilities_missing(const struct capability *wanted, size_t n, char *names, size_t size);

/* What to do about that. */
const char *capabilities_advice(void);

#endif
