// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "clock.h"

#include <time.h>

static uint64_t time_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

uint64_t monotonic_time(void)
{
	return time_of(CLOCK_MONOTONIC);
}

uint64_t real_time(void)
{
	return time_of(CLOCK_REALTIME);
}
