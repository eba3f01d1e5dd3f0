/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The compiled form of a configuration: the rows that programs and workers decide from. In
 * user space they are plain arrays, whether on the heap or mapped from the kernel.
 */
#ifndef ALPNLB_TABLES_H
#define ALPNLB_TABLES_H

#include <stddef.h>

#include "../model/objects.h"
#include "../model/regex.h"

#define TABLES(X)                                                                                  \
	X(frontends, struct frontend_row)                                                          \
	X(routes, struct route_row)                                                                \
	X(farms, struct farm_row)                                                                  \
	X(servers, struct server_row)                                                              \
	X(anchors, struct anchor_row)                                                              \
	X(candidates, struct candidate_row)                                                        \
	X(tests, struct test_row)                                                                  \
	X(patterns, struct pattern_row)                                                            \
	X(sources, struct source_row)                                                              \
	X(members, struct member_row)                                                              \
	X(ring, struct member_row)                                                                 \
	X(config, struct config_chunk)

enum table_id {
#define X(name, row) TABLE_##name,
	TABLES(X)
#undef X
		TABLE_MAX,
};

/* `frontends`, `routes`, `farms` and `servers` are indexed by id and have a row for id 0. */
struct tables {
	struct table_rows {
		void *rows;
		size_t n;	 /* rows in use, 1 at least: empty maps do not exist */
		size_t capacity; /* rows allocated; 0 when the memory is mapped */
	} v[TABLE_MAX];
	struct regex **regexes; /* by the operand of their tests; never in the kernel */
	size_t n_regexes;
};

extern const size_t table_row_size[TABLE_MAX];
extern const char *const table_name[TABLE_MAX];

/* Row `i` of table `name`, or NULL; `tables_row(t, servers, 3)`. */
#define tables_row(tables, name, i)                                                                \
	((size_t)(i) < (tables)->v[TABLE_##name].n                                                 \
		 ? &((TABLE_##name##_row *)(tables)->v[TABLE_##name].rows)[i]                      \
		 : NULL)
#define X(name, row) typedef row TABLE_##name##_row;
TABLES(X)
#undef X

/*
 * Compiles a configuration whose objects all have ids. The caller passes zeroed tables, and
 * frees them with tables_free() in any case. Returns 0 or -errno.
 */
int tables_compile(const struct config *config, struct tables *tables);

void tables_free(struct tables *tables);

/* Only those. */
void tables_free_regexes(struct tables *tables);

#endif
