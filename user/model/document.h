/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_DOCUMENT_H
#define ALPNLB_DOCUMENT_H

#include "problems.h"

/* The root of the tree, to begin a walk with. */
struct value document_value(const struct document *document);

#endif
