/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * YAML events to a JSON tree with a tree of lines beside it. Of YAML's schema only JSON's
 * own scalars are known (with ~ for null): `yes`, `0x10` and `0443` are strings, so that
 * nothing turns into something the operator did not write.
 */
#include "document.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "text.h"

#define DEPTH_MAX  64
#define BYTES_MAX  (64u << 20)
#define VALUES_MAX (8u << 20)

struct document {
	json_t *root;
	struct lines lines;
};

/* A list or mapping that is being filled. */
struct frame {
	struct value place;
	json_t *container;
	struct lines *lines;
	char *key; /* of the member to come, NULL when a key comes next */
	int key_line;
};

struct parser {
	yaml_parser_t yaml;
	struct problems *problems;
	struct document *document;
	struct frame frames[DEPTH_MAX + 1];
	int depth; /* frames in use */
	size_t values;
	bool done;
};

static void free_lines(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->n; i++)
		free_lines(&lines->child[i]);
	free(lines->child);
}

void document_free(struct document *document)
{
	if (!document)
		return;
	json_decref(document->root);
	free_lines(&document->lines);
	free(document);
}

/* ---- scalars ------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return true;
	return false;
}

/* Does it have the form of a JSON number? */
static bool is_number(const char *s, bool *integer)
{
	s += *s == '-';
	if (s[0] == '0' && s[1] >= '0' && s[1] <= '9')
		return false;
	if (!(*s >= '0' && *s <= '9'))
		return false;
	s += strspn(s, "0123456789");
	*integer = !*s;
	if (*s == '.') {
		size_t digits = strspn(s + 1, "0123456789");

		if (!digits)
			return false;
		s += 1 + digits;
	}
	if (*s == 'e' || *s == 'E') {
		s += 1 + (s[1] == '-' || s[1] == '+');
		if (!(*s >= '0' && *s <= '9'))
			return false;
		s += strspn(s, "0123456789");
	}
	return !*s;
}

/* A number that fits a json_t, else NULL: what is too large stays the text it is. */
static json_t *parse_number(const char *s)
{
	bool integer;
	double real;
	long long value;

	if (!is_number(s, &integer))
		return NULL;
	errno = 0;
	if (integer) {
		value = strtoll(s, NULL, 10);
		return errno ? NULL : json_integer(value);
	}
	real = strtod(s, NULL);
	return isfinite(real) ? json_real(real) : NULL;
}

static json_t *parse_plain(const char *s)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};

	if (is_one_of(s, nulls))
		return json_null();
	if (is_one_of(s, trues))
		return json_true();
	if (is_one_of(s, falses))
		return json_false();
	return parse_number(s);
}

/* ---- building the tree ---------------------------------------------------------------- */

static bool expects_key(const struct parser *p)
{
	const struct frame *frame = p->depth ? &p->frames[p->depth - 1] : NULL;

	return frame && json_is_object(frame->container) && !frame->key;
}

/* Where the next value goes; a key that is still to come is a matter of its mapping. */
static struct value next_place(const struct parser *p, const struct lines *lines)
{
	const struct frame *frame = p->depth ? &p->frames[p->depth - 1] : NULL;
	struct value place = expects_key(p) ? frame->place : (struct value){0};

	place.lines = lines;
	if (!frame || expects_key(p))
		return place;
	place.parent = &frame->place;
	place.key = frame->key;
	place.index = frame->key ? 0 : json_array_size(frame->container);
	return place;
}

__attribute__((format(printf, 3, 4))) static void parse_error(struct parser *p, int line,
							      const char *format, ...)
{
	struct lines lines = {.line = line};
	struct value place = next_place(p, &lines);
	struct text text = {0};
	va_list ap;

	va_start(ap, format);
	vsnprintf(text.s, sizeof(text.s), format, ap);
	va_end(ap);
	value_error(p->problems, &place, "%s", text.s);
}

static struct lines *add_line(struct lines *parent, int line)
{
	uint32_t n = parent->n;
	struct lines *child = parent->child;

	if (!(n & (n - 1))) { /* the array has room up to the next power of two */
		child = reallocarray(child, n ? n * 2 : 1, sizeof(*child));
		if (!child)
			return NULL;
		parent->child = child;
	}
	parent->n++;
	child[n] = (struct lines){.line = line};
	return &child[n];
}

/* The tree of a document with an error is thrown away, so any key that is free will do. */
static void rename_duplicate(struct parser *p, struct frame *frame)
{
	char *key;

	parse_error(p, frame->key_line, "is given twice, allowed: once");
	if (asprintf(&key, "%s (%zu)", frame->key, p->values) < 0)
		key = NULL;
	free(frame->key);
	frame->key = key;
}

static int add_to_mapping(struct parser *p, struct frame *frame, json_t *value)
{
	int err;

	if (json_object_get(frame->container, frame->key))
		rename_duplicate(p, frame);
	err = frame->key ? json_object_set_new(frame->container, frame->key, value) : -1;
	if (!frame->key)
		json_decref(value);
	return err;
}

/* Takes `value`. Returns its lines, or NULL after adding a problem. */
static struct lines *add_value(struct parser *p, json_t *value, int line)
{
	struct frame *frame = p->depth ? &p->frames[p->depth - 1] : NULL;
	struct lines *lines;
	int err;

	if (!value)
		goto no_memory;
	if (++p->values > VALUES_MAX) {
		json_decref(value);
		parse_error(p, line, "too many values, allowed: at most %u", VALUES_MAX);
		return NULL;
	}
	if (!frame) {
		p->document->root = value;
		p->document->lines.line = line;
		return &p->document->lines;
	}
	if (json_is_object(frame->container)) {
		err = add_to_mapping(p, frame, value);
		line = frame->key_line;
	} else {
		err = json_array_append_new(frame->container, value);
	}
	lines = err ? NULL : add_line(frame->lines, line);
	if (lines)
		return lines;
no_memory:
	line_error(p->problems, line, "out of memory");
	return NULL;
}

/* The value that a key announced is complete. */
static void forget_key(struct parser *p)
{
	if (!p->depth)
		return;
	free(p->frames[p->depth - 1].key);
	p->frames[p->depth - 1].key = NULL;
}

static int open_container(struct parser *p, json_t *container, int line)
{
	struct value place;
	struct lines *lines;

	if (expects_key(p) || p->depth > DEPTH_MAX) {
		json_decref(container);
		if (p->depth > DEPTH_MAX)
			parse_error(p, line, "nested too deep, allowed: %d levels", DEPTH_MAX);
		else
			parse_error(p, line,
				    "a list or mapping cannot be a key, allowed: a string");
		return -EINVAL;
	}
	lines = add_value(p, container, line);
	if (!lines)
		return -EINVAL;
	place = next_place(p, lines);
	place.index -= place.parent && !place.key; /* it has just been appended */
	p->frames[p->depth++] = (struct frame){
		.place = place,
		.container = container,
		.lines = lines,
	};
	return 0;
}

static int close_container(struct parser *p)
{
	p->depth--;
	forget_key(p);
	return 0;
}

static int take_key(struct parser *p, const char *text, size_t len, int line)
{
	struct frame *frame = &p->frames[p->depth - 1];

	frame->key = strndup(text, len);
	frame->key_line = line;
	if (frame->key)
		return 0;
	line_error(p->problems, line, "out of memory");
	return -ENOMEM;
}

static void check_properties(struct parser *p, int line, const yaml_char_t *anchor,
			     const yaml_char_t *tag)
{
	if (anchor)
		parse_error(p, line, "anchors are not supported, allowed: the value written out");
	if (tag)
		parse_error(p, line, "tags are not supported, allowed: the value without");
}

static int handle_scalar(struct parser *p, const yaml_event_t *event, int line)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	json_t *value;
	uint32_t c;

	check_properties(p, line, event->data.scalar.anchor, event->data.scalar.tag);
	if (text_find_unsafe(text, len, &c))
		parse_error(p, line, UNSAFE_CHARACTER, c);
	if (expects_key(p))
		return take_key(p, text, len, line);
	value = plain ? parse_plain(text) : NULL;
	if (!value)
		value = json_stringn(text, len);
	if (!add_value(p, value, line))
		return -EINVAL;
	forget_key(p);
	return 0;
}

static int handle_alias(struct parser *p, int line)
{
	bool key = expects_key(p);

	parse_error(p, line, "aliases are not supported, allowed: the value written out");
	if (key || !add_value(p, json_null(), line))
		return -EINVAL;
	forget_key(p);
	return 0;
}

static int handle_document(struct parser *p, int line)
{
	if (!p->document->root)
		return 0;
	line_error(p->problems, line, "a second document begins here, allowed: one");
	return -EINVAL;
}

static int handle_event(struct parser *p, const yaml_event_t *event)
{
	int line = event->start_mark.line + 1;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return handle_document(p, line);
	case YAML_SCALAR_EVENT:
		return handle_scalar(p, event, line);
	case YAML_ALIAS_EVENT:
		return handle_alias(p, line);
	case YAML_SEQUENCE_START_EVENT:
		check_properties(p, line, event->data.sequence_start.anchor,
				 event->data.sequence_start.tag);
		return open_container(p, json_array(), line);
	case YAML_MAPPING_START_EVENT:
		check_properties(p, line, event->data.mapping_start.anchor,
				 event->data.mapping_start.tag);
		return open_container(p, json_object(), line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_container(p);
	case YAML_STREAM_END_EVENT:
		p->done = true;
		return 0;
	default:
		return 0;
	}
}

/* ---- reading -------------------------------------------------------------------------- */

static int line_at(const char *text, size_t len, size_t offset)
{
	int line = 1;

	for (size_t i = 0; i < len && i < offset; i++)
		line += text[i] == '\n';
	return line;
}

/* Where character number `n` begins. */
static size_t byte_offset(const char *text, size_t len, size_t n)
{
	size_t at = 0;

	for (; at < len && n > 0; n--)
		for (at++; at < len && (text[at] & 0xc0) == 0x80; at++)
			;
	return at;
}

/* What libyaml says of an address that begins with a colon, such as [::1], and of tabs helps
 * nobody. */
static const char *syntax_hint(const yaml_parser_t *yaml, const char *text, size_t len)
{
	size_t at = byte_offset(text, len, yaml->problem_mark.index);

	if (at < len && text[at] == '\t')
		return ", allowed: spaces to indent with, not tabs";
	return at + 1 < len && text[at] == ':' && text[at + 1] == ':'
		       ? ", allowed: a value that begins with a colon in quotes"
		       : "";
}

static void syntax_error(struct parser *p, const char *text, size_t len)
{
	const yaml_parser_t *yaml = &p->yaml;
	const char *problem = yaml->problem ? yaml->problem : "out of memory";

	if (yaml->error == YAML_READER_ERROR)
		line_error(p->problems, line_at(text, len, yaml->problem_offset),
			   "not UTF-8 text: %s", problem);
	else
		line_error(p->problems, yaml->problem_mark.line + 1, "not valid YAML: %s%s%s%s",
			   problem, yaml->context ? " " : "", yaml->context ? yaml->context : "",
			   syntax_hint(yaml, text, len));
}

static int parse_events(struct parser *p, const char *text, size_t len)
{
	yaml_event_t event;
	int err = 0;

	while (!err && !p->done) {
		if (!yaml_parser_parse(&p->yaml, &event)) {
			syntax_error(p, text, len);
			return -EINVAL;
		}
		err = handle_event(p, &event);
		yaml_event_delete(&event);
	}
	if (!err && !p->document->root) {
		line_error(p->problems, 0, "is empty, allowed: a configuration in YAML or JSON");
		return -EINVAL;
	}
	return err;
}

static int parse_text(struct parser *p, const char *text, size_t len)
{
	int err;

	if (!yaml_parser_initialize(&p->yaml)) {
		line_error(p->problems, 0, "out of memory");
		return -ENOMEM;
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	yaml_parser_set_encoding(&p->yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p->yaml, (const unsigned char *)text, len);
	err = parse_events(p, text, len);
	for (; p->depth > 0; p->depth--)
		free(p->frames[p->depth - 1].key);
	yaml_parser_delete(&p->yaml);
	return err;
}

struct document *document_parse(const char *text, size_t len, struct problems *problems)
{
	size_t errors = problems->errors;
	struct parser *p;
	struct document *document = NULL;

	if (len > BYTES_MAX) {
		line_error(problems, 0, "is too large, allowed: at most %u MB", BYTES_MAX >> 20);
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (p)
		p->document = document = calloc(1, sizeof(*document));
	if (!document) {
		line_error(problems, 0, "out of memory");
		goto out;
	}
	p->problems = problems;
	if (parse_text(p, text, len) || problems->errors > errors) {
		document_free(document);
		document = NULL;
	}
out:
	free(p);
	return document;
}

/* Returns the text and sets *len, or NULL with errno set. */
static char *read_all(FILE *in, size_t *len)
{
	size_t size = 0;
	char *text = NULL, *grown;

	*len = 0;
	do {
		if (*len == size) {
			size = size ? size * 2 : 1 << 16;
			grown = realloc(text, size);
			if (!grown)
				goto fail;
			text = grown;
		}
		*len += fread(text + *len, 1, size - *len, in);
		if (ferror(in))
			goto fail;
	} while (!feof(in) && *len <= BYTES_MAX);
	return text;
fail:
	free(text);
	return NULL;
}

struct document *document_read(const char *path, struct problems *problems)
{
	bool standard_input = !strcmp(path, "-");
	FILE *in = standard_input ? stdin : fopen(path, "re");
	struct document *document = NULL;
	char *text;
	size_t len;

	text = in ? read_all(in, &len) : NULL;
	if (!text)
		line_error(problems, 0, "cannot be read: %s", strerror(errno));
	else
		document = document_parse(text, len, problems);
	free(text);
	if (in && !standard_input)
		fclose(in);
	return document;
}

const json_t *document_root(const struct document *document)
{
	return document->root;
}

struct value document_value(const struct document *document)
{
	return (struct value){.json = document->root, .lines = &document->lines};
}

/* ---- lines by path ---------------------------------------------------------------------- */

/* Is `key` what the path goes on with? The dot before it has been passed. */
static bool begins_with_key(const char *path, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(path, key, len) && (!path[len] || path[len] == '.' || path[len] == '[');
}

/* Steps into a mapping; keys may hold dots, so the longest that fits is taken. */
static const struct lines *step_by_key(const struct lines *lines, const json_t **json,
				       const char **path)
{
	const char *key, *text = *path + (**path == '.');
	const struct lines *found = NULL;
	const json_t *mapping = *json;
	size_t n = 0, longest = 0;
	json_t *member;

	json_object_foreach ((json_t *)mapping, key, member) {
		if (n < lines->n && strlen(key) >= longest && begins_with_key(text, key)) {
			longest = strlen(key);
			found = &lines->child[n];
			*json = member;
			*path = text + longest;
		}
		n++;
	}
	return found;
}

static const struct lines *step_by_index(const struct lines *lines, const json_t **json,
					 const char **path)
{
	char *end;
	unsigned long index;

	if (**path != '[')
		return NULL;
	index = strtoul(*path + 1, &end, 10);
	if (*end != ']' || index >= lines->n)
		return NULL;
	*json = json_array_get(*json, index);
	*path = end + 1;
	return &lines->child[index];
}

int document_line(const struct document *document, const char *path)
{
	const struct lines *lines = &document->lines, *next = lines;
	const json_t *json = document->root;

	while (next && *path) {
		if (json_is_array(json))
			next = step_by_index(lines, &json, &path);
		else
			next = step_by_key(lines, &json, &path);
		if (next)
			lines = next;
	}
	return lines->line;
}
