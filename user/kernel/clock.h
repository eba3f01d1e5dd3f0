/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The clock of the flow table's times, which is the programs' bpf_ktime_get_ns(). */
#ifndef ALPNLB_CLOCK_H
#define ALPNLB_CLOCK_H

#include <stdint.h>

#define MILLISECOND 1000000ULL /* in nanoseconds */

/* CLOCK_MONOTONIC, nanoseconds. */
uint64_t monotonic_time(void);

#endif
