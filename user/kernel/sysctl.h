/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_SYSCTL_H
#define ALPNLB_SYSCTL_H

#include <stdint.h>

/*
 * Reads up to `n` numbers from a file below /proc/sys. Returns how many there were; 0 where there
 * is no such file, as of some in a namespace.
 */
int sysctl_read(const char *path, uint64_t *numbers, int n);

#endif
