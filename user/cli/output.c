/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../show/format.h"
#include "cli.h"
#include "output.h"

#define GAP 2 /* blanks between columns */

/* A column is not cut below this: before it is dropped, before others are, and at last. */
#define CUT_TO_DROP 12
#define CUT_TO_STAY 20
#define CUT_AT_LAST 6

/* ---- cells --------------------------------------------------------------------------- */

static char *string_text(const char *string)
{
	char *text = display_escape(string), *quoted = NULL;

	if (!text || !display_is_blank(text))
		return text;
	if (asprintf(&quoted, "\"%s\"", text) < 0)
		quoted = NULL;
	free(text);
	return quoted;
}

static char *scalar_text(const json_t *value)
{
	char *text = NULL;

	switch (json_typeof(value)) {
	case JSON_STRING:
		return string_text(json_string_value(value));
	case JSON_INTEGER:
		return asprintf(&text, "%lld", (long long)json_integer_value(value)) < 0 ? NULL
											 : text;
	case JSON_REAL:
		return asprintf(&text, "%.1f", json_real_value(value)) < 0 ? NULL : text;
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	default:
		return strdup("-");
	}
}

static void put_item(FILE *stream, const char *key, const json_t *value)
{
	char *text = scalar_text(value);

	fprintf(stream, "%s%s%s%s", ftell(stream) ? ", " : "", key, *key ? ": " : "",
		text ? text : "?");
	free(text);
}

/* The elements of an array, or the members of an object, with commas. */
static char *list_text(const json_t *list)
{
	char *text = NULL;
	size_t size, i;
	const char *key;
	json_t *value;
	FILE *stream;

	if (!json_array_size(list) && !json_object_size(list))
		return strdup("-");
	stream = open_memstream(&text, &size);
	if (!stream)
		return NULL;
	json_array_foreach (list, i, value)
		put_item(stream, "", value);
	json_object_foreach ((json_t *)list, key, value)
		put_item(stream, key, value);
	fclose(stream);
	return text;
}

/* What stands in the table for `value`; malloc()ed. */
static char *cell_text(enum column_format format, const json_t *value)
{
	char buf[64];

	if (!value || json_is_null(value))
		return strdup(format == FORMAT_ALL ? "all" : "-");
	if (format == FORMAT_BYTES)
		bytes_format(json_integer_value(value), buf, sizeof(buf));
	else if (format == FORMAT_MILLISECONDS && json_integer_value(value) == 0)
		return strdup("none");
	else if (format == FORMAT_MILLISECONDS)
		milliseconds_format(json_integer_value(value), buf, sizeof(buf));
	else if (format == FORMAT_PERCENT)
		snprintf(buf, sizeof(buf), "%.1f %%", json_number_value(value));
	else if (json_is_array(value) || json_is_object(value))
		return list_text(value);
	else
		return scalar_text(value);
	return strdup(buf);
}

/* ---- tables -------------------------------------------------------------------------- */

struct grid {
	const struct column *columns;
	size_t n_columns;
	size_t n_rows;
	char **cells; /* n_rows * n_columns */
	/* By column. */
	struct place {
		size_t needs; /* the widest of its cells */
		size_t width;
		bool right; /* numbers */
		bool list;
		bool hidden; /* not in the lines of this table */
	} * places;
	bool brief; /* headings */
};

/* Does the column stand in the lines of a table? */
static bool in_line(const struct column *column)
{
	return column->format != FORMAT_BELOW && !column->detail;
}

static void grid_free(struct grid *grid)
{
	for (size_t i = 0; grid->cells && i < grid->n_rows * grid->n_columns; i++)
		free(grid->cells[i]);
	free(grid->cells);
	free(grid->places);
}

static void grid_fill_cell(struct grid *grid, size_t row, size_t column, const json_t *value)
{
	char *text = cell_text(grid->columns[column].format, value);
	struct place *place = &grid->places[column];
	size_t width = text ? display_width(text) : 0;

	grid->cells[row * grid->n_columns + column] = text;
	if (width > place->needs)
		place->needs = width;
	place->right |= json_is_number(value);
	place->list |= json_is_array(value);
}

static int grid_init(struct grid *grid, const struct column *columns, const json_t *rows)
{
	json_t *row;
	size_t i;

	*grid = (struct grid){.columns = columns, .n_rows = json_array_size(rows)};
	while (columns[grid->n_columns].key)
		grid->n_columns++;
	grid->cells = calloc(grid->n_rows * grid->n_columns + 1, sizeof(*grid->cells));
	grid->places = calloc(grid->n_columns, sizeof(*grid->places));
	if (!grid->cells || !grid->places)
		return -1;
	for (size_t c = 0; c < grid->n_columns; c++)
		grid->places[c].hidden = !in_line(&columns[c]);
	json_array_foreach (rows, i, row)
		for (size_t c = 0; c < grid->n_columns; c++)
			grid_fill_cell(grid, i, c, json_object_get(row, columns[c].key));
	return 0;
}

/* ---- fitting them in ------------------------------------------------------------------ */

static const char *heading(const struct grid *grid, size_t column)
{
	const struct column *c = &grid->columns[column];

	return grid->brief && c->brief ? c->brief : c->title;
}

/* Gives each column the width it would like. */
static void grid_measure(struct grid *grid)
{
	for (size_t c = 0; c < grid->n_columns; c++) {
		size_t width = display_width(heading(grid, c)), needs = grid->places[c].needs;

		grid->places[c].width = needs > width ? needs : width;
	}
}

/* How much may be cut off a column. */
static size_t spare(const struct grid *grid, size_t column, bool at_last)
{
	const struct column *c = &grid->columns[column];
	size_t width = grid->places[column].width;
	size_t limit = c->keep	 ? c->keep
		       : at_last ? CUT_AT_LAST
		       : c->drop ? CUT_TO_DROP
				 : CUT_TO_STAY;

	return grid->places[column].right || width <= limit ? 0 : width - limit;
}

/* Of its lines; `cut`: with all that may be cut off. */
static size_t grid_width(const struct grid *grid, bool cut)
{
	size_t width = 0, shown = 0;

	for (size_t c = 0; c < grid->n_columns; c++) {
		if (grid->places[c].hidden)
			continue;
		width += grid->places[c].width - (cut ? spare(grid, c, false) : 0);
		shown++;
	}
	return width + (shown ? GAP * (shown - 1) : 0);
}

/* Hides what may be dropped, but for what there is room for, the lowest `drop` first. */
static void grid_drop(struct grid *grid, size_t width)
{
	for (size_t c = 0; c < grid->n_columns; c++)
		grid->places[c].hidden |= grid->columns[c].drop > 0;
	for (int drop = 1; drop <= DROP_MAX; drop++)
		for (size_t c = 0; c < grid->n_columns; c++) {
			if (grid->columns[c].drop != drop || !in_line(&grid->columns[c]))
				continue;
			grid->places[c].hidden = false;
			grid->places[c].hidden = grid_width(grid, true) > width;
		}
}

/* Takes from the widest column until the table fits, if it can be made to. */
static void grid_cut(struct grid *grid, size_t width)
{
	bool at_last = grid_width(grid, true) > width;

	while (grid_width(grid, false) > width) {
		struct place *widest = NULL;

		for (size_t c = 0; c < grid->n_columns; c++)
			if (!grid->places[c].hidden && spare(grid, c, at_last) &&
			    (!widest || grid->places[c].width > widest->width))
				widest = &grid->places[c];
		if (!widest)
			return;
		widest->width--;
	}
}

static void grid_fit(struct grid *grid, size_t width)
{
	grid_measure(grid);
	if (!width || grid_width(grid, false) <= width)
		return;
	grid->brief = true;
	grid_measure(grid);
	if (grid_width(grid, true) > width)
		grid_drop(grid, width);
	grid_cut(grid, width);
}

/* ---- printing them -------------------------------------------------------------------- */

/* Where `text` is cut, to be `width` wide; a list behind one of its elements. */
static const char *cut_at(const char *text, size_t width, bool list)
{
	const char *end = text, *element = NULL;

	for (size_t n = 0; *end; end++) {
		n += ((unsigned char)*end & 0xc0) != 0x80;
		if (n > width)
			break;
		if (end > text && end[-1] == ',' && *end == ' ')
			element = end + 1;
	}
	return list && element ? element : end;
}

/* Prints `text` in the width of its column, ".." standing for what does not fit. */
static void cell_print(FILE *out, const char *text, const struct place *place, bool last)
{
	size_t needs = display_width(text), width = place->width;
	const char *end = text + strlen(text), *dots = "";
	int pad;

	if (needs > width) {
		end = cut_at(text, width > 2 ? width - 2 : 0, place->list);
		dots = "..";
		needs = 2;
		for (const char *c = text; c < end; c++)
			needs += ((unsigned char)*c & 0xc0) != 0x80;
	}
	pad = width - needs;
	fprintf(out, "%*s%.*s%s%*s", place->right ? pad : 0, "", (int)(end - text), text, dots,
		place->right || last ? 0 : pad, "");
}

/* Prints one line; `cells` may be NULL for the heading. */
static void grid_line(FILE *out, const struct grid *grid, char *const *cells)
{
	size_t last = grid->n_columns;

	while (last && grid->places[last - 1].hidden)
		last--;
	for (size_t c = 0; c < last; c++) {
		const char *text = cells ? cells[c] : heading(grid, c);

		if (grid->places[c].hidden)
			continue;
		cell_print(out, text ? text : "?", &grid->places[c], c + 1 == last);
		fprintf(out, "%*s", c + 1 < last ? GAP : 0, "");
	}
	fputc('\n', out);
	for (size_t c = 0; cells && c < grid->n_columns; c++)
		if (grid->columns[c].format == FORMAT_BELOW && cells[c] && strcmp(cells[c], "-"))
			fprintf(out, "%*s%s: %s\n", 2 * GAP, "", grid->columns[c].title, cells[c]);
}

void table_render(FILE *out, const struct column *columns, const json_t *rows, size_t width)
{
	struct grid grid;

	if (!grid_init(&grid, columns, rows)) {
		grid_fit(&grid, width);
		grid_line(out, &grid, NULL);
		for (size_t i = 0; i < grid.n_rows; i++)
			grid_line(out, &grid, grid.cells + i * grid.n_columns);
	}
	grid_free(&grid);
}

/* Columns of the terminal on stdout; 0 when it is none, and nothing has to be cut. */
static size_t terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_col;
}

/* ---- what commands call -------------------------------------------------------------- */

static void json_print(FILE *out, const json_t *value)
{
	size_t flags = options.pretty ? JSON_INDENT(4) : JSON_COMPACT;

	json_dumpf(value, out, flags | JSON_ENCODE_ANY);
}

int output_json(const json_t *value)
{
	if (!value)
		return fail(CLI_FAILED, "out of memory");
	json_print(stdout, value);
	putchar('\n');
	return CLI_OK;
}

int output_table(const struct column *columns, const json_t *rows)
{
	if (options.json)
		return output_json(rows);
	table_render(stdout, columns, rows, terminal_width());
	return CLI_OK;
}

int output_record(const struct column *columns, const json_t *row)
{
	size_t widest = 0;

	if (options.json)
		return output_json(row);
	for (const struct column *c = columns; c->key; c++)
		if (display_width(c->title) > widest)
			widest = display_width(c->title);
	for (const struct column *c = columns; c->key; c++) {
		char *text = cell_text(c->format, json_object_get(row, c->key));

		printf("%-*s  %s\n", (int)widest, c->title, text ? text : "?");
		free(text);
	}
	return CLI_OK;
}

static bool any_has(const json_t *rows, const char *key)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (json_object_get(row, key))
			return true;
	return !json_array_size(rows);
}

/* Without what no row has: what is staged has no counters. malloc()ed. */
static struct column *present_columns(const struct column *columns, const json_t *rows)
{
	size_t n = 0, kept = 0;
	struct column *present;

	while (columns[n].key)
		n++;
	present = calloc(n + 1, sizeof(*present));
	for (size_t i = 0; present && i < n; i++)
		if (any_has(rows, columns[i].key))
			present[kept++] = columns[i];
	return present;
}

int output_show(const struct column *columns, json_t *rows, bool one)
{
	struct column *present = rows ? present_columns(columns, rows) : NULL;
	int code;

	if (!present)
		code = fail(CLI_FAILED, "out of memory");
	else if (one && json_array_size(rows) == 1)
		code = output_record(present, json_array_get(rows, 0));
	else
		code = output_table(present, rows);
	free(present);
	json_decref(rows);
	return code;
}

/* A file that is in memory only. */
static FILE *memory_file(void)
{
	int fd = memfd_create("rows", MFD_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

	if (!file && fd >= 0)
		close(fd);
	return file;
}

struct output_stream output_stream_new(const struct column *columns)
{
	return (struct output_stream){
		.columns = columns,
		.rows = options.json ? NULL : json_array(),
		.text = options.json ? memory_file() : NULL,
	};
}

void output_stream_add(struct output_stream *stream, json_t *row)
{
	if (stream->rows) {
		json_array_append_new(stream->rows, row);
	} else {
		if (stream->text) {
			fputs(stream->n ? "," : "[", stream->text);
			fputs(options.pretty ? "\n" : "", stream->text);
			json_print(stream->text, row);
		}
		json_decref(row);
	}
	stream->n++;
}

/* Prints what was written to it, if all of it could be. */
static int print_text(FILE *text)
{
	char part[BUFSIZ];
	size_t n;

	if (!text || fflush(text) || ferror(text))
		return fail(CLI_FAILED, "out of memory");
	rewind(text);
	while ((n = fread(part, 1, sizeof(part), text)))
		fwrite(part, 1, n, stdout);
	puts(options.pretty ? "\n]" : "]");
	return CLI_OK;
}

int output_stream_end(struct output_stream *stream)
{
	int code = CLI_OK;

	if (stream->rows)
		return output_show(stream->columns, stream->rows, false);
	if (stream->n)
		code = print_text(stream->text);
	else
		puts("[]");
	output_stream_free(stream);
	return code;
}

void output_stream_free(struct output_stream *stream)
{
	if (stream->text)
		fclose(stream->text);
	json_decref(stream->rows);
	*stream = (struct output_stream){0};
}

/* The rows of a `map` section as one object. */
static json_t *section_map(const struct section *section)
{
	json_t *object = json_object(), *row;
	size_t i;

	json_array_foreach (section->rows, i, row) {
		json_t *name = json_object_get(row, section->columns[0].key);

		json_object_set(object, json_string_value(name),
				json_object_get(row, section->columns[1].key));
	}
	return object;
}

static int sections_json(const struct section *sections, const json_t *head)
{
	json_t *all = head ? json_copy((json_t *)head) : json_object();
	int code;

	for (const struct section *s = sections; s->key; s++)
		json_object_set_new(all, s->key, s->map ? section_map(s) : json_incref(s->rows));
	code = output_json(all);
	json_decref(all);
	return code;
}

int output_sections(const struct section *sections, const json_t *head)
{
	if (options.json)
		return sections_json(sections, head);
	for (const struct section *s = sections; s->key; s++) {
		printf("%s%s\n", s == sections ? "" : "\n", s->title);
		table_render(stdout, s->columns, s->rows, terminal_width());
	}
	return CLI_OK;
}
