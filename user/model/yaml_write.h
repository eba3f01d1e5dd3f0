/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_YAML_WRITE_H
#define ALPNLB_YAML_WRITE_H

#include <jansson.h>
#include <stdio.h>

/* Writes a tree as YAML that document_parse() reads as the same tree. 0 or -errno. */
int yaml_write(FILE *out, const json_t *root);

#endif
