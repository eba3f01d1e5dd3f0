/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Taking a server out of service, and back: staged, refreshed and, if so wanted, awaited. */
#ifndef ALPNLB_CLI_DRAIN_H
#define ALPNLB_CLI_DRAIN_H

#include "cli.h"

/* values[0]: how long to wait until it has no live connection, NULL = not at all. */
int server_drain(enum kind kind, const char *argument, const char *const *values);
int server_undrain(enum kind kind, const char *argument, const char *const *values);

#endif
