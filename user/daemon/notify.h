/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_NOTIFY_H
#define ALPNLB_NOTIFY_H

/* Tells the service manager, as sd_notify(3) does: "READY=1". Does nothing where there is none. */
void notify(const char *state);

#endif
