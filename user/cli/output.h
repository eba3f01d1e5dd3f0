/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one way out for what commands print. A command builds rows as JSON objects and
 * describes the columns; under -j the rows are printed as they are, else as a table.
 */
#ifndef ALPNLB_OUTPUT_H
#define ALPNLB_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* How a column's raw value is written in text. */
enum column_format {
	FORMAT_PLAIN = 0,    /* text, numbers; lists are joined, null is "-" */
	FORMAT_BYTES,	     /* a size */
	FORMAT_MILLISECONDS, /* a duration; 0 is "none" */
	FORMAT_PERCENT,
	FORMAT_ALL,   /* a list, or a zone; null is "all" */
	FORMAT_BELOW, /* a line of its own below the row, if not null */
};

#define DROP_MAX      20
#define KEEP_WHOLE    255
#define KEEP_ENDPOINT 21 /* 255.255.255.255:65535 */

struct column {
	const char *key;   /* in the row */
	const char *title; /* heading of the table; an array of columns ends with a NULL key */
	const char *brief; /* the heading where the terminal is narrow; may be NULL */
	enum column_format format;
	/* 1..DROP_MAX: left out where the terminal is narrow, the highest first; 0: never. */
	unsigned char drop;
	unsigned char keep; /* it is not cut below this width, as numbers never are */
	bool detail;	    /* left out of tables, shown for a single object */
};

/* clang-format off */
/* Behind the title may stand further members: .drop = 2. */
#define COLUMN(key_, ...)	      {.key = (key_), .title = __VA_ARGS__}
#define COLUMN_AS(format_, key_, ...) {.format = (format_), .key = (key_), .title = __VA_ARGS__}
#define DETAIL(key_, ...)	      {.detail = true, .key = (key_), .title = __VA_ARGS__}
#define DETAIL_AS(format_, key_, ...)                                                              \
	{.detail = true, .format = (format_), .key = (key_), .title = __VA_ARGS__}
#define COLUMNS_END		      {.key = NULL}
#define SECTIONS_END		      {NULL, NULL, NULL, NULL, false}
/* clang-format on */

/* A part of what a command prints; an array of sections ends with a NULL key. */
struct section {
	const char *key;   /* the name of its rows in JSON */
	const char *title; /* a line above its table */
	const struct column *columns;
	json_t *rows; /* array of objects; owned by the caller */
	/* JSON is an object: of each row the first column names, the second is the value. */
	bool map;
};

/* Each prints on stdout and returns an exit code. */
int output_table(const struct column *columns, const json_t *rows);
/* One object, in text as a line per column. */
int output_record(const struct column *columns, const json_t *row);
/*
 * What a `show` prints: the rows as a table, or, if the user asked for one object, the only
 * row as a record; without columns that no row has. Takes over `rows`.
 */
int output_show(const struct column *columns, json_t *rows, bool one);

/*
 * A `show` of rows that may be a million: under -j only their text is kept, which is a tenth of
 * what they are as objects, until it is known that there is nothing else to say.
 */
struct output_stream {
	const struct column *columns;
	json_t *rows; /* of the table; NULL under -j */
	FILE *text;   /* under -j; NULL when out of memory */
	size_t n;     /* rows so far */
};
struct output_stream output_stream_new(const struct column *columns);
void output_stream_add(struct output_stream *stream, json_t *row); /* takes over `row` */
int output_stream_end(struct output_stream *stream);
/* In the place of the end, if the command fails: nothing is printed. */
void output_stream_free(struct output_stream *stream);

/* `head` (may be NULL): an object whose members come before the sections in JSON. */
int output_sections(const struct section *sections, const json_t *head);
int output_json(const json_t *value);

/*
 * The text renderer: no line gets wider than `width` if that can be had, 0 = no limit. Headings
 * become brief, texts are cut, and columns left out.
 */
void table_render(FILE *out, const struct column *columns, const json_t *rows, size_t width);

#endif
