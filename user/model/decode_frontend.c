/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "decoder.h"

#define TLS_WHY	      "is out of scope, TLS passes through untouched"
#define DISPLAY_MAX   255
#define DEDICATED_MAX 4096 /* addresses */

static const struct attribute frontend_rows[] = {
	{"id", &type_id, FIELD(struct frontend, o.id), .min = 1, .max = MAX_FRONTENDS,
	 .kind = KIND_FRONTEND},
	{"name", &type_name, FIELD(struct frontend, o.name), .required = true},
	{"display_name", &type_title, FIELD(struct frontend, o.display_name), .nullable = true,
	 .max = DISPLAY_MAX},
	{"zone", &type_zone, FIELD(struct frontend, zone), .nullable = true},
	{"port", &type_ports, .required = true},
	{"default_farm", &type_farm, FIELD(struct frontend, default_farm), .nullable = true},
	{"allowed_source", &type_prefixes, FIELD(struct frontend, allowed_source),
	 .nullable = true},
	{"denied_source", &type_prefixes, FIELD(struct frontend, denied_source), .nullable = true},
	{"dedicated_ipfo", &type_addresses, FIELD(struct frontend, dedicated_ipfo),
	 .nullable = true, .max = DEDICATED_MAX},
	{"proxy_sources", &type_prefixes, FIELD(struct frontend, proxy_sources), .nullable = true},
	{"disabled", &type_bool, FIELD(struct frontend, disabled), .nullable = true},
	{"path", &type_enum, FIELD(struct frontend, path), .nullable = true, .names = &path_names},
	{"handshake", &type_enum, FIELD(struct frontend, handshake), .nullable = true,
	 .names = &handshake_names},
	{"hello_timeout", &type_duration, FIELD(struct frontend, hello_timeout), .nullable = true,
	 .min = 10, .max = HOUR, .preset = 3 * SECOND},
	{"connect_timeout", &type_duration, FIELD(struct frontend, connect_timeout),
	 .nullable = true, .min = 10, .max = 5 * MINUTE, .preset = 3 * SECOND},
	{"idle_timeout", &type_duration, FIELD(struct frontend, idle_timeout), .nullable = true,
	 .or_zero = true, .min = SECOND, .max = 30 * DAY},
	{"half_close_timeout", &type_duration, FIELD(struct frontend, half_close_timeout),
	 .nullable = true, .or_zero = true, .min = SECOND, .max = 12 * HOUR, .preset = HOUR},
	{"max_connections", &type_integer, FIELD(struct frontend, max_connections),
	 .nullable = true, .max = UINT32_MAX},
	{"rate_limit", &type_integer, FIELD(struct frontend, rate_limit), .nullable = true,
	 .min = 1, .max = UINT32_MAX},
	{"source_rate_limit", &type_integer, FIELD(struct frontend, source_rate_limit),
	 .nullable = true, .min = 1, .max = UINT32_MAX},
	{"source_rate_prefix_v4", &type_integer, FIELD(struct frontend, source_rate_prefix_v4),
	 .nullable = true, .min = 1, .max = 32, .preset = 32},
	/* What one customer of a provider has at least, RFC 6177. */
	{"source_rate_prefix_v6", &type_integer, FIELD(struct frontend, source_rate_prefix_v6),
	 .nullable = true, .min = 1, .max = 128, .preset = 64},
	{"ssl", &type_off, .nullable = true, .why = TLS_WHY},
	{"default_ssl", &type_refused, .nullable = true, .why = TLS_WHY},
};

static const struct table frontend_table = TABLE(frontend_rows);

/* What the program does not do before it answers a client; NULL if that is all there. */
static const char *needs_a_socket(const struct frontend *frontend)
{
	if (frontend->path != PATH_AUTO && frontend->path != PATH_PACKET)
		return "path";
	if (frontend->proxy_sources.set)
		return "proxy_sources";
	if (frontend->allowed_source.set)
		return "allowed_source";
	if (frontend->denied_source.set)
		return "denied_source";
	if (frontend->max_connections)
		return "max_connections";
	if (frontend->rate_limit)
		return "rate_limit";
	return frontend->source_rate_limit ? "source_rate_limit" : NULL;
}

static void check_handshake(struct decoder *d, const struct value *value,
			    const struct frontend *frontend)
{
	struct value handshake = value_member(value, "handshake");
	const char *key = needs_a_socket(frontend);
	char name[API_KEY_MAX];

	if (frontend->handshake != HANDSHAKE_PACKET || !key)
		return;
	if (!strcmp(key, "path"))
		decode_error(d, &handshake, "is packet, allowed with path auto or packet");
	else
		decode_error(d, &handshake, "is packet, allowed without %s",
			     decode_key(d, key, name));
}

static void finish_frontend(struct decoder *d, const struct value *value, void *object)
{
	struct value denied = value_member(value, "denied_source");
	const struct frontend *frontend = object;
	char name[API_KEY_MAX];

	if (frontend->allowed_source.set && frontend->denied_source.set)
		decode_error(d, &denied, "stands beside %s, allowed: one of them",
			     decode_key(d, "allowed_source", name));
	check_handshake(d, value, frontend);
}

const struct list frontend_list = {
	.kind = KIND_FRONTEND,
	.size = sizeof(struct frontend),
	.count_offset = offsetof(struct config, n_frontends),
	.max = MAX_FRONTENDS,
	.table = &frontend_table,
	.finish = finish_frontend,
};
