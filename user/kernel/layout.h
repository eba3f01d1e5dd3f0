/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The number FLOW_LAYOUT of the version that made an instance's flow table, pinned beside it. */
#ifndef ALPNLB_LAYOUT_H
#define ALPNLB_LAYOUT_H

/* Ours, to be pinned as "layout": the fd of a map or -errno. */
int layout_map(void);

/* 0 when what an instance has pinned is ours, -EPROTO when it is not, or not there. */
int layout_check(const char *instance);

#endif
