/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Proof, at start, that this kernel's sockmap carries a connection. */
#ifndef ALPNLB_SELFTEST_H
#define ALPNLB_SELFTEST_H

#include "../kernel/instance.h"

/*
 * Sends bytes through two loopback connections joined as a session joins its legs: first let
 * pass and copied, then redirected, both ways, each byte compared. Uses slot 0. Returns 0,
 * or -errno with *failed saying at which step: -EBADMSG for wrong bytes, -ETIMEDOUT for
 * missing ones, -ENETDOWN where lo is down, so that nothing was tried.
 */
int selftest_redirect(struct instance *instance, const char **failed);

#endif
