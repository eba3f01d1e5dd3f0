/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an interface can do at XDP, by the netlink family "netdev" (kernel 6.3). */
#ifndef ALPNLB_XDP_FEATURES_H
#define ALPNLB_XDP_FEATURES_H

#include <stdint.h>

/* Of enum netdev_xdp_act, linux/netdev.h. */
#define XDP_FEATURE_BASIC (1 << 0) /* its driver runs programs */
#define XDP_FEATURE_SENDS (1 << 2) /* it takes frames from other interfaces, as it is now */

/* 0, or -errno; -ENOENT when the kernel does not tell. */
int xdp_features(uint32_t ifindex, uint64_t *features);

#endif
