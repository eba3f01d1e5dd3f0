/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables of attributes: one row says how an attribute is called, where it is kept, what is
 * allowed and what its default is. Decoding, encoding and messages all come from the rows.
 */
#ifndef ALPNLB_DECODER_H
#define ALPNLB_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kinds.h"
#include "names.h"
#include "problems.h"

/* Bounds of durations, in milliseconds. */
#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * (int64_t)HOUR)

struct decoder {
	struct problems *problems;
	struct config *config;
	struct name_index names[KIND_MAX]; /* servers and rules: of the list being decoded */
	bool nameless[KIND_MAX];	   /* of some object the name was refused */
	struct id_set ids[KIND_MAX];
	/* What a reference to nothing points to, so that one mistake is reported once. */
	struct farm no_farm;
	struct frontend no_frontend;
	bool complete; /* is what a refresh needs checked as well? */
	bool out_of_memory;
};

struct attribute;

struct type {
	/* The value is there, and not null if the attribute is nullable. */
	void (*decode)(struct decoder *d, const struct attribute *a, const struct value *value,
		       void *object);
	/* A new reference; NULL for the default, which is left out, or when out of memory. */
	json_t *(*encode)(const struct attribute *a, const void *object);
	/* Appends what messages say is allowed, null left out; NULL for nothing but null. */
	void (*allow)(const struct attribute *a, struct text *text);
};

struct table {
	const struct attribute *v;
	size_t n;
};

/* A list of objects that begin with a struct object; the count is a size_t. */
struct list {
	enum kind kind;
	size_t size;
	size_t count_offset;
	size_t max;
	const struct table *table;
	/* What concerns several attributes; may be NULL. */
	void (*finish)(struct decoder *d, const struct value *value, void *object);
};

struct attribute {
	const char *key;
	const struct type *type;
	size_t offset, size; /* of the field: see FIELD() */
	bool required;
	bool nullable;	  /* null is the same as leaving it out */
	bool unused;	  /* kept, with a warning that this version does not act on it */
	bool or_zero;	  /* 0 is allowed beside min..max */
	int64_t min, max; /* of integers; of durations in milliseconds; max of a text's length */
	int64_t preset;	  /* default of integers, durations and enums */
	enum kind kind;	  /* of an id or a reference */
	const struct names *names;
	const struct list *list;
	const struct table *table; /* of a mapping whose attributes are kept in the same struct */
	const char *why;	   /* of type_refused */
};

#define FIELD(struct_, member)                                                                     \
	.offset = offsetof(struct_, member), .size = sizeof(((struct_ *)0)->member)
#define TABLE(rows)                                                                                \
	{                                                                                          \
		.v = (rows), .n = sizeof(rows) / sizeof((rows)[0])                                 \
	}
#define ATTRIBUTES_MAX 32

/* A struct port_range as a number. */
#define PORT_RANGE(first, last) ((int64_t)((first) | (uint32_t)(last) << 16))

extern const struct type type_id;
extern const struct type type_name;	  /* char * */
extern const struct type type_zone;	  /* char *; NULL is the same as "all" */
extern const struct type type_string;	  /* char *, at most max bytes: others limit it to that */
extern const struct type type_title;	  /* char *, at most max characters: it is for people */
extern const struct type type_bool;	  /* bool */
extern const struct type type_integer;	  /* uint8_t, uint16_t, uint32_t, int64_t */
extern const struct type type_duration;	  /* uint32_t, milliseconds */
extern const struct type type_enum;	  /* an enum, or bool for names of 0 and 1 */
extern const struct type type_flags;	  /* an integer: the bits of the names in a list */
extern const struct type type_host;	  /* struct server, its address or host */
extern const struct type type_ports;	  /* struct port_range *, and n_ports behind it */
extern const struct type type_port_range; /* struct port_range; its preset is PORT_RANGE() */
extern const struct type type_prefixes;	  /* struct prefix_list of blocks */
extern const struct type type_addresses;  /* struct prefix_list of full addresses */
extern const struct type type_farm;	  /* struct farm * */
extern const struct type type_frontend;	  /* struct frontend * */
extern const struct type type_farm_name;  /* char *: of a farm that may follow */
extern const struct type type_api;	  /* struct config, its api */
extern const struct type type_file;	  /* char *, an absolute path */
extern const struct type type_probe;	  /* struct farm, its probe */
extern const struct type type_accel;	  /* struct accel_settings */
extern const struct type type_list;
extern const struct type type_mapping;
extern const struct type type_refused; /* only null passes */
extern const struct type type_off;     /* likewise, or false */

extern const struct table config_table, probe_table;
extern const struct list farm_list, server_list, frontend_list, route_list, rule_list;

/* The row of that key, NULL if there is none. */
const struct attribute *table_find(const struct table *table, const char *key);

/* The attributes of a kind of object. */
const struct table *kind_table(enum kind kind);

/* Sets presets, then what the mapping gives. Was it a mapping? */
bool decode_object(struct decoder *d, const struct value *value, const struct table *table,
		   void *object);
/* NULL when out of memory. */
json_t *encode_object(const struct table *table, const void *object);

/* What a type of probe has a use for: an enum probe_match, an enum probe_method. */
typedef bool probe_takes(enum probe_type type, uint32_t value);

probe_takes probe_takes_match, probe_takes_method;

bool probe_takes_url(enum probe_type type);

/* Checks that span objects, after all have been decoded. */
void config_validate(struct decoder *d, const struct value *root);

/* Warns of what is allowed but known to bite, in a configuration without mistakes. */
void config_warn(struct decoder *d, const struct value *root);

#define decode_error(d, value, ...)   value_error((d)->problems, value, __VA_ARGS__)
#define decode_warning(d, value, ...) value_warning((d)->problems, value, __VA_ARGS__)

/* Adds the problem "VALUE WHAT, allowed: ..., null"; of a missing value "WHAT, allowed: ...". */
void decode_refuse(struct decoder *d, const struct attribute *a, const struct value *value,
		   const char *what);

/* The text of a string; otherwise adds a problem, which says what is allowed, and returns NULL. */
const char *decode_text(struct decoder *d, const struct attribute *a, const struct value *value);
const char *decode_item_text(struct decoder *d, const struct value *value, const char *allowed);

/* " in line 7", or nothing for an object that came from no file. */
struct text in_line(const struct object *object);

/* The value as messages quote it. */
struct text value_quoted(const struct value *value);

/* Is `text`, which may be a part of the value, an address block? Otherwise adds a problem. */
bool decode_prefix(struct decoder *d, const struct value *value, const char *text,
		   struct prefix *prefix);

#define API_KEY_MAX 64

/* A key as messages call it: as it stands in a file, or in the API. */
const char *decode_key(const struct decoder *d, const char *key, char name[API_KEY_MAX]);

/* "5s", "1500ms" */
void duration_format(int64_t milliseconds, struct text *text);

/* Adds a problem for what is no regular expression. */
void decode_regex(struct decoder *d, const struct value *value, const char *text, bool any_case);

/* strdup() and calloc() that note when memory is out. */
char *decode_copy(struct decoder *d, const char *text);
void *decode_alloc(struct decoder *d, size_t n, size_t size);

#endif
