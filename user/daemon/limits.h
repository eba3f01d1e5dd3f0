/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_LIMITS_H
#define ALPNLB_LIMITS_H

#include <stdint.h>

/*
 * Raises RLIMIT_NOFILE for `wanted` connections and `other` descriptors, logging what could not be
 * had. Returns the connections there are descriptors for.
 */
uint32_t limits_raise(uint32_t wanted, uint32_t other);

#endif
