/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The configuration as a whole, and references between its objects. */
#include "decode.h"

#include <stdlib.h>
#include <string.h>

#include "decoder.h"
#include "document.h"

#define NAMES_LISTED  5
#define NAT_ADDRESSES 256

/* ---- references ----------------------------------------------------------------------- */

static void refuse_reference(struct decoder *d, const struct value *value, enum kind kind,
			     const void *objects, size_t size, size_t n)
{
	struct text names = {0};
	size_t listed = 0;

	if (d->nameless[kind]) /* one of them may be meant */
		return;
	for (size_t i = 0; i < n && listed < NAMES_LISTED; i++) {
		const char *name =
			((const struct object *)((const char *)objects + i * size))->name;

		if (name) {
			text_append(&names, listed++ ? ", " : "");
			text_append_escaped(&names, name, strlen(name));
		}
	}
	if (n > NAMES_LISTED)
		text_append(&names, ", ...");
	decode_error(d, value, "%s is no %s, allowed: %s", value_quoted(value).s, kind_name(kind),
		     listed ? names.s : "none, there is no such object");
}

static void decode_farm(struct decoder *d, const struct attribute *a, const struct value *value,
			void *object)
{
	struct farm **farm = (struct farm **)((char *)object + a->offset);
	const struct config *config = d->config;
	const char *name = decode_text(d, a, value);

	*farm = (struct farm *)name_index_find(&d->names[KIND_FARM], name);
	if (name && !*farm)
		refuse_reference(d, value, KIND_FARM, config->farms, sizeof(*config->farms),
				 config->n_farms);
	if (!*farm)
		*farm = &d->no_farm;
}

static json_t *encode_farm(const struct attribute *a, const void *object)
{
	struct farm *const *farm = (struct farm *const *)((const char *)object + a->offset);

	return *farm ? json_string((*farm)->o.name) : NULL;
}

static void allow_farm(const struct attribute *a, struct text *text)
{
	text_append(text, "the name of a farm");
}

const struct type type_farm = {decode_farm, encode_farm, allow_farm};

/* A farm may come before the one it names. */
static void decode_farm_name(struct decoder *d, const struct attribute *a,
			     const struct value *value, void *object)
{
	const char *name = decode_text(d, a, value);

	if (name)
		*(char **)((char *)object + a->offset) = decode_copy(d, name);
}

static json_t *encode_farm_name(const struct attribute *a, const void *object)
{
	const char *name = *(char *const *)((const char *)object + a->offset);

	return name ? json_string(name) : NULL;
}

const struct type type_farm_name = {decode_farm_name, encode_farm_name, allow_farm};

static void resolve_fallbacks(struct decoder *d, const struct value *root)
{
	struct value farms = value_member(root, "farms");
	struct config *config = d->config;

	for (size_t i = 0; i < config->n_farms; i++) {
		struct farm *farm = &config->farms[i];
		struct value item = value_item(&farms, i);
		struct value name = value_member(&item, "fallback_farm");

		farm->fallback =
			(struct farm *)name_index_find(&d->names[KIND_FARM], farm->fallback_name);
		if (farm->fallback_name && !farm->fallback)
			refuse_reference(d, &name, KIND_FARM, config->farms, sizeof(*config->farms),
					 config->n_farms);
	}
}

static void decode_frontend(struct decoder *d, const struct attribute *a, const struct value *value,
			    void *object)
{
	struct frontend **frontend = (struct frontend **)((char *)object + a->offset);
	const struct config *config = d->config;
	const char *name = decode_text(d, a, value);

	*frontend = (struct frontend *)name_index_find(&d->names[KIND_FRONTEND], name);
	if (name && !*frontend)
		refuse_reference(d, value, KIND_FRONTEND, config->frontends,
				 sizeof(*config->frontends), config->n_frontends);
	if (!*frontend)
		*frontend = &d->no_frontend;
}

static json_t *encode_frontend(const struct attribute *a, const void *object)
{
	struct frontend *const *frontend =
		(struct frontend *const *)((const char *)object + a->offset);

	return *frontend ? json_string((*frontend)->o.name) : NULL;
}

static void allow_frontend(const struct attribute *a, struct text *text)
{
	text_append(text, "the name of a frontend");
}

const struct type type_frontend = {decode_frontend, encode_frontend, allow_frontend};

/* ---- the configuration ---------------------------------------------------------------- */

/* In the order of references: what is referred to comes first. */
static const struct attribute config_rows[] = {
	{"display_name", &type_title, FIELD(struct config, display_name), .nullable = true,
	 .max = NAME_MAX_LEN},
	{"zone", &type_name, FIELD(struct config, zone), .nullable = true},
	{"control_group", &type_name, FIELD(struct config, control_group), .nullable = true},
	{"api", &type_api, .nullable = true},
	{"nat_ip", &type_addresses, FIELD(struct config, nat_ip), .nullable = true,
	 .max = NAT_ADDRESSES},
	/* Below net.ipv4.ip_local_port_range's default, above what servers usually listen on. */
	{"nat_ports", &type_port_range, FIELD(struct config, nat_ports), .nullable = true,
	 .min = 1024, .preset = PORT_RANGE(10240, 32767)},
	{"max_flows", &type_integer, FIELD(struct config, max_flows), .nullable = true, .min = 1024,
	 .max = 1 << 24, .preset = 1000000},
	{"xdp", &type_enum, FIELD(struct config, xdp), .nullable = true, .names = &xdp_names},
	{"accel", &type_accel, FIELD(struct config, accel), .nullable = true,
	 .names = &accel_names},
	{"farms", &type_list, FIELD(struct config, farms), .nullable = true, .list = &farm_list},
	{"frontends", &type_list, FIELD(struct config, frontends), .nullable = true,
	 .list = &frontend_list},
	{"routes", &type_list, FIELD(struct config, routes), .nullable = true, .list = &route_list},
};

const struct table config_table = TABLE(config_rows);

static void decoder_fini(struct decoder *d)
{
	for (int kind = 0; kind < KIND_MAX; kind++) {
		name_index_free(&d->names[kind]);
		id_set_free(&d->ids[kind]);
	}
}

const struct table *kind_table(enum kind kind)
{
	static const struct list *const lists[KIND_MAX] = {
		[KIND_FARM] = &farm_list,   [KIND_SERVER] = &server_list,
		[KIND_ROUTE] = &route_list, [KIND_FRONTEND] = &frontend_list,
		[KIND_RULE] = &rule_list,
	};

	return lists[kind]->table;
}

static struct config *decode_root(const struct value *root, enum decode_purpose purpose,
				  struct problems *problems)
{
	struct config *config = calloc(1, sizeof(*config));
	struct decoder d = {
		.problems = problems,
		.config = config,
		.complete = purpose == DECODE_TO_RUN,
		.out_of_memory = !config,
	};
	size_t errors = problems->errors;

	if (config && decode_object(&d, root, &config_table, config)) {
		resolve_fallbacks(&d, root);
		config_validate(&d, root);
	}
	if (d.out_of_memory)
		line_error(problems, 0, "out of memory");
	decoder_fini(&d);
	problems_sort(problems);
	if (problems->errors == errors || purpose == DECODE_FOR_IDS)
		return config;
	config_free(config);
	return NULL;
}

struct config *config_decode(const struct document *document, struct problems *problems)
{
	struct value root = document_value(document);

	return decode_root(&root, DECODE_TO_RUN, problems);
}

struct config *config_decode_tree(const json_t *root, enum decode_purpose purpose,
				  struct problems *problems)
{
	struct value value = {.json = root};

	return decode_root(&value, purpose, problems);
}

json_t *config_encode(const struct config *config)
{
	return encode_object(&config_table, config);
}

struct config *config_load(const char *path, struct problems *problems)
{
	struct document *document = document_read(path, problems);
	struct config *config = document ? config_decode(document, problems) : NULL;

	document_free(document);
	return config;
}
