/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_PIN_H
#define ALPNLB_PIN_H

/* A directory per instance stands below it. */
#define PIN_ROOT "/sys/fs/bpf/alpnlb"

#endif
