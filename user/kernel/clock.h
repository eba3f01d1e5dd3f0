/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Clocks. That of the flow table's times is monotonic: the programs' bpf_ktime_get_ns(). */
#ifndef ALPNLB_CLOCK_H
#define ALPNLB_CLOCK_H

#include <stdint.h>

#define MILLISECOND 1000000ULL /* in nanoseconds */

/* CLOCK_MONOTONIC, nanoseconds. */
uint64_t monotonic_time(void);

/* CLOCK_REALTIME, nanoseconds. */
uint64_t real_time(void);

#endif
