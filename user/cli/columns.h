/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tables of objects. */
#ifndef ALPNLB_COLUMNS_H
#define ALPNLB_COLUMNS_H

#include "../model/kinds.h"
#include "output.h"

/* Columns for what rows of objects tell of traffic, and where they are dropped. */
/* clang-format off */
#define BYTES_COLUMNS(drop_clients, drop_servers)                                                  \
	COLUMN_AS(FORMAT_BYTES, "bytes_from_clients", "FROM CLIENTS", .brief = "IN",               \
		  .drop = (drop_clients)),                                                         \
	COLUMN_AS(FORMAT_BYTES, "bytes_from_servers", "FROM SERVERS", .brief = "OUT",              \
		  .drop = (drop_servers))
#define PACKETS_DETAILS                                                                            \
	DETAIL("packets_from_clients", "PACKETS FROM CLIENTS"),                                    \
	DETAIL("packets_from_servers", "PACKETS FROM SERVERS")
/* clang-format on */

/*
 * output_show() of the only row of `rows`, which attributes_add() made: those of its attributes
 * that no column has get one.
 */
int output_object(enum kind kind, const struct column *columns, json_t *rows);

#endif
