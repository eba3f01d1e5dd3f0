/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One decoder and validator for every source of configuration. It never logs: mistakes are
 * collected, one line each, so that the caller decides where they go.
 */
#ifndef ALPNLB_DECODE_H
#define ALPNLB_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "kinds.h"
#include "objects.h"

/* A mistake, or a warning about something accepted that this version does not act on. */
struct problem {
	bool warning;
	int line;      /* 1-based, 0 = unknown */
	char *path;    /* of the attribute: frontends[0].port */
	char *message; /* what is wrong and what is allowed, no newline */
};

struct problems {
	struct problem *v;
	size_t n;
	size_t errors;	/* those that are not warnings */
	bool api_names; /* messages speak of the API's attributes: set by who collects them */
};

void problems_free(struct problems *problems);

/* "FILE:LINE: PATH: MESSAGE", malloc()ed; `file` may be NULL, an unknown line is left out. */
char *problem_format(const struct problem *problem, const char *file);

/* [{"warning":..., "line":..., "path":..., "message":...}], without what is not known; new
 * reference.
 */
json_t *problem_json(const struct problem *problem);
json_t *problems_json(const struct problems *problems);

/* A parsed document: the JSON tree, and the line each of its values stood on. */
struct document;

/*
 * Parses YAML, and so JSON, of `len` bytes. Returns NULL and adds problems when it cannot be
 * parsed: syntax, a key given twice, anchors, aliases, tags, a second document, more than 64
 * levels, over 64 MB.
 */
struct document *document_parse(const char *text, size_t len, struct problems *problems);

/* Reads and parses a file, "-" for standard input. Failure to read is a problem, too. */
struct document *document_read(const char *path, struct problems *problems);

/* The tree; owned by the document. */
const json_t *document_root(const struct document *document);

/* The line of the value at `path`, or of its nearest parent; 0 = unknown. */
int document_line(const struct document *document, const char *path);

void document_free(struct document *document);

/*
 * Decodes and validates. Every mistake of the document is added to `problems`, not only the
 * first. Returns NULL if there was an error; a configuration with ids where the document
 * gives them (key `id`, written by config_encode()) otherwise.
 */
struct config *config_decode(const struct document *document, struct problems *problems);

/* What a configuration is decoded for. */
enum decode_purpose {
	DECODE_TO_RUN,	 /* as config_decode() does */
	DECODE_TO_STAGE, /* frontends may be missing, and may lead nowhere yet */
	DECODE_FOR_IDS,	 /* for config_assign_ids() alone: it is not refused for its mistakes */
};

/* The same for a tree without lines. */
struct config *config_decode_tree(const json_t *root, enum decode_purpose purpose,
				  struct problems *problems);

/* The inverse: a tree that config_decode() accepts, defaults left out, ids included. New reference.
 */
json_t *config_encode(const struct config *config);

/* document_read() and config_decode() in one. */
struct config *config_load(const char *path, struct problems *problems);

/*
 * Gives every object without an id the id of the object of the same kind and name in
 * `previous` (may be NULL; servers are named within their farm, rules by their place in the route),
 * or a new one: the lowest above every id in use and above `highest` (by kind, may be NULL), or,
 * past the limit of the kind, the lowest free one. Returns 0, or -ENOSPC when a kind has no id
 * left.
 */
int config_assign_ids(struct config *config, const struct config *previous,
		      const uint32_t highest[KIND_MAX]);

/* Does a rule on that field go with that match? */
bool field_takes_match(enum field field, enum match match);

/*
 * Names of enum values as the model spells them, for decoding, messages and output.
 * Each returns "?" for a value it does not know.
 */
const char *path_name(enum path_kind path);
const char *balance_name(enum balance balance);
const char *server_status_name(enum server_status status);
const char *action_name(enum action action);
const char *field_name(enum field field);
const char *match_name(enum match match);
const char *proxy_protocol_name(enum proxy_protocol proxy_protocol);
const char *verdict_name(enum verdict verdict);

/* "500ms", "5s", "2m", "1h", "1d" in milliseconds; -1 if it is no duration. */
int64_t duration_parse(const char *text);

/* "10.0.0.0/8", "2001:db8::1" (a full length is left out); `buf` holds at least 64 bytes. */
const char *prefix_format(const struct prefix *prefix, char *buf, size_t size);
/* Accepts an address or CIDR of either family; host bits must be zero. 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *prefix);
bool host_name_is_valid(const char *text);

/* Is that an address of a host, which can be connected to without naming an interface? */
bool address_is_host(const uint8_t address[16]);

/* "10.0.0.1:443", "[2001:db8::1]:443"; address IPv6 or mapped, port in host order, 0 = left out. */
const char *endpoint_format(const uint8_t address[16], uint16_t port, char *buf, size_t size);

#define PORTS_ALLOWED "1..65535, ranges and lists of them such as \"80,8000-8100\""

/* The ports of a frontend as a text: is it one; are all of `wanted`, which is one, among them? */
bool ports_valid(const char *text);
bool ports_include(const char *text, const char *wanted);

#endif
