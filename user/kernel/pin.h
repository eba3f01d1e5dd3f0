/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_PIN_H
#define ALPNLB_PIN_H

/* A directory per instance stands below it. */
#define PIN_ROOT "/sys/fs/bpf/alpnlb"

/* What an instance has pinned by this name: an fd or -errno. */
int pin_open(const char *instance, const char *name);

#endif
