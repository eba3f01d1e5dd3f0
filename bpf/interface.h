/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `splice_xdp` knows of an interface that it runs at: 8 bytes, by interface index.
 */
#ifndef ALPNLB_INTERFACE_ROW_H
#define ALPNLB_INTERFACE_ROW_H

#define INTERFACE_ROWS	  4096 /* others are left to tc */

#define INTERFACE_ADDRESS ((1ULL << 48) - 1) /* its own, as it stands in a frame */
#define INTERFACE_SENDS	  (1ULL << 48)	     /* takes frames from the program at another one */
#define INTERFACE_IS	  (1ULL << 49)	     /* the row is in use */

#endif
