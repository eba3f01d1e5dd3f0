/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's messages: one line each on stderr, with syslog's level where systemd reads it. Under
 * -j a line is an object whose key is the level: {"error": MESSAGE}, and warning, info.
 */
#ifndef ALPNLB_LOG_H
#define ALPNLB_LOG_H

#include <stdarg.h>

enum log_level {
	LOG_ERROR = 3, /* as sd-daemon(3) numbers them */
	LOG_WARN = 4,
	LOG_INFO = 6,
};

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Takes libbpf's messages: its warnings as information, since what fails is told by who asked for
 * it, and it warns of what was only tried; the rest not at all.
 */
void log_adopt_libbpf(void);

#endif
