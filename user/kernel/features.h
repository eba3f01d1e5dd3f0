/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What alpnlb needs of the kernel, tried out: each feature is used once, on objects that
 * are gone again when its probe returns.
 */
#ifndef ALPNLB_FEATURES_H
#define ALPNLB_FEATURES_H

#include <stddef.h>

struct feature {
	const char *name;
	const char *since; /* the kernel it came with */
	/* Returns 0 if it works, else -errno; -EPERM says nothing about the kernel. */
	int (*probe)(void);
};

extern const struct feature features[];
extern const size_t n_features;

/* The first that this kernel does not have, NULL if none is known to be missing. */
const struct feature *feature_missing(void);

#endif
