/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_HELLO_ROW_H
#define ALPNLB_HELLO_ROW_H

#include <jansson.h>

#include "../../bpf/model.h"

/* Sets what the client said, all null where `hello` is NULL. */
void set_hello(json_t *row, const struct hello *hello);

#endif
