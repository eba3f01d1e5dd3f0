/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Farms with their servers and probes. */
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

#define TLS_WHY	       "is out of scope, TLS passes through untouched"
#define DISPLAY_MAX    255
#define PROBE_PORT_OCO 79

static const struct attribute server_rows[] = {
	{"id", &type_id, FIELD(struct server, o.id), .min = 1, .max = MAX_SERVERS,
	 .kind = KIND_SERVER},
	{"name", &type_name, FIELD(struct server, o.name), .required = true},
	{"display_name", &type_string, FIELD(struct server, o.display_name), .nullable = true,
	 .max = DISPLAY_MAX},
	{"address", &type_address, FIELD(struct server, address), .required = true},
	{"port", &type_integer, FIELD(struct server, port), .nullable = true, .min = 1,
	 .max = 65535},
	{"status", &type_enum, FIELD(struct server, status), .names = &status_names,
	 .preset = STATUS_ACTIVE},
	{"weight", &type_integer, FIELD(struct server, weight), .nullable = true, .max = 256,
	 .preset = 1},
	{"backup", &type_bool, FIELD(struct server, backup)},
	{"probe", &type_bool, FIELD(struct server, probe), .unused = true},
	{"proxy_protocol_version", &type_enum, FIELD(struct server, proxy_protocol),
	 .nullable = true, .names = &proxy_protocol_names},
	{"on_marked_down", &type_enum, FIELD(struct server, shutdown_sessions), .nullable = true,
	 .names = &on_marked_down_names, .unused = true},
	{"ssl", &type_off, .nullable = true, .why = TLS_WHY},
	{"chain", &type_refused, .nullable = true, .why = TLS_WHY},
	{"max_connections", &type_integer, FIELD(struct server, max_connections), .nullable = true,
	 .min = 1, .max = UINT32_MAX, .unused = true},
	{"slow_start", &type_duration, FIELD(struct server, slow_start), .nullable = true,
	 .min = SECOND, .max = DAY, .unused = true},
};

static const struct table server_table = TABLE(server_rows);

const struct list server_list = {
	.kind = KIND_SERVER,
	.size = sizeof(struct server),
	.count_offset = offsetof(struct farm, n_servers),
	.max = MAX_SERVERS,
	.table = &server_table,
};

/* ---- probes --------------------------------------------------------------------------- */

/* What a probe says: the farm keeps a tree of it. */
struct probe {
	enum probe_type type;
	uint16_t port;
	uint32_t interval; /* milliseconds */
	enum probe_match match;
	char *pattern;
	bool negate;
	enum probe_method method;
	char *url;
	bool force_ssl;
};

static const struct attribute probe_rows[] = {
	{"type", &type_enum, FIELD(struct probe, type), .required = true,
	 .names = &probe_type_names},
	{"port", &type_integer, FIELD(struct probe, port), .nullable = true, .min = 1,
	 .max = 65535},
	{"interval", &type_duration, FIELD(struct probe, interval), .nullable = true, .min = 100,
	 .max = 3600000, .preset = 5000},
	{"match", &type_enum, FIELD(struct probe, match), .nullable = true,
	 .names = &probe_match_names},
	{"pattern", &type_string, FIELD(struct probe, pattern), .nullable = true,
	 .max = MAX_PATTERN},
	{"negate", &type_bool, FIELD(struct probe, negate), .nullable = true},
	{"method", &type_enum, FIELD(struct probe, method), .nullable = true,
	 .names = &probe_method_names},
	{"url", &type_string, FIELD(struct probe, url), .nullable = true, .max = DISPLAY_MAX},
	{"force_ssl", &type_bool, FIELD(struct probe, force_ssl), .nullable = true},
};

static const struct table probe_table = TABLE(probe_rows);

/* Bits of enum probe_match and enum probe_method. */
static const struct {
	uint32_t matches, methods;
} probe_uses[] = {
	[PROBE_TCP] = {1 << PROBE_MATCH_DEFAULT | 1 << PROBE_MATCH_CONTAINS |
			       1 << PROBE_MATCH_MATCHES,
		       0},
	[PROBE_HTTP] = {1 << PROBE_MATCH_DEFAULT | 1 << PROBE_MATCH_STATUS |
				1 << PROBE_MATCH_CONTAINS | 1 << PROBE_MATCH_MATCHES,
			1 << PROBE_METHOD_GET | 1 << PROBE_METHOD_HEAD | 1 << PROBE_METHOD_OPTIONS},
	[PROBE_SMTP] = {1 << PROBE_MATCH_DEFAULT, 0},
	[PROBE_MYSQL] = {1 << PROBE_MATCH_DEFAULT, 0},
	[PROBE_PGSQL] = {1 << PROBE_MATCH_DEFAULT, 0},
	[PROBE_OCO] = {1 << PROBE_MATCH_DEFAULT, 0},
	[PROBE_INTERNAL] = {1 << PROBE_MATCH_INTERNAL, 1 << PROBE_METHOD_INTERNAL},
	[PROBE_TLS] = {1 << PROBE_MATCH_DEFAULT, 0},
};

bool probe_takes_match(enum probe_type type, uint32_t match)
{
	return probe_uses[type].matches & 1U << match;
}

bool probe_takes_method(enum probe_type type, uint32_t method)
{
	return probe_uses[type].methods & 1U << method;
}

/* Of `names` those whose bit is set. */
static void refuse_use(struct decoder *d, const struct value *probe, const char *key,
		       const struct names *names, uint32_t bits, enum probe_type type)
{
	struct value value = value_member(probe, key);
	struct text allowed = {0};

	for (size_t i = 0; names && i < names->n; i++)
		if (bits & 1U << names->v[i].value)
			text_append(&allowed, "%s, ", names->v[i].text);
	decode_error(d, &value, "%s does not go with the type %s, allowed: %snull",
		     value_quoted(&value).s, names_text(&probe_type_names, type), allowed.s);
}

static void check_uses(struct decoder *d, const struct value *value, const struct probe *probe)
{
	enum probe_type type = probe->type;

	if (probe->match && !probe_takes_match(type, probe->match))
		refuse_use(d, value, "match", &probe_match_names, probe_uses[type].matches, type);
	if (probe->method && !probe_takes_method(type, probe->method))
		refuse_use(d, value, "method", &probe_method_names, probe_uses[type].methods, type);
	if (probe->url && type != PROBE_HTTP)
		refuse_use(d, value, "url", NULL, 0, type);
}

static void check_pattern(struct decoder *d, const struct value *value, const struct probe *probe)
{
	struct value pattern = value_member(value, "pattern");
	bool needs_pattern = probe->match == PROBE_MATCH_STATUS ||
			     probe->match == PROBE_MATCH_CONTAINS ||
			     probe->match == PROBE_MATCH_MATCHES;

	if (needs_pattern && (!pattern.json || json_is_null(pattern.json)))
		decode_error(
			d, &pattern,
			"is missing, the match %s needs one, allowed: a text of at most %d bytes",
			names_text(&probe_match_names, probe->match), MAX_PATTERN);
	else if (probe->match == PROBE_MATCH_MATCHES && probe->pattern)
		decode_regex(d, &pattern, probe->pattern, false);
}

static void check_probe(struct decoder *d, const struct value *value, const struct probe *probe)
{
	struct value port = value_member(value, "port"), negate = value_member(value, "negate");

	if (probe->type == PROBE_OCO && probe->port && probe->port != PROBE_PORT_OCO)
		decode_error(d, &port, "%u with type oco, allowed: %d, null", probe->port,
			     PROBE_PORT_OCO);
	if (probe->negate && !probe->match)
		decode_error(d, &negate, "true without a match, allowed: false, null");
	if (probe->type)
		check_uses(d, value, probe);
	check_pattern(d, value, probe);
}

static void decode_probe(struct decoder *d, const struct attribute *a, const struct value *value,
			 void *object)
{
	struct farm *farm = object;
	struct probe probe = {0};

	if (decode_object(d, value, &probe_table, &probe)) {
		check_probe(d, value, &probe);
		farm->probe = encode_object(&probe_table, &probe);
		d->out_of_memory |= !farm->probe;
	}
	free(probe.pattern);
	free(probe.url);
}

static json_t *encode_probe(const struct attribute *a, const void *object)
{
	const struct farm *farm = object;

	return farm->probe ? json_deep_copy(farm->probe) : NULL;
}

static void allow_probe(const struct attribute *a, struct text *text)
{
	text_append(text, "a mapping with a type");
}

static const struct type type_probe = {decode_probe, encode_probe, allow_probe};

/* ---- farms ---------------------------------------------------------------------------- */

static const struct attribute farm_rows[] = {
	{"id", &type_id, FIELD(struct farm, o.id), .min = 1, .max = MAX_FARMS, .kind = KIND_FARM},
	{"name", &type_name, FIELD(struct farm, o.name), .required = true},
	{"display_name", &type_string, FIELD(struct farm, o.display_name), .nullable = true,
	 .max = DISPLAY_MAX},
	{"zone", &type_zone, FIELD(struct farm, zone), .nullable = true},
	{"port", &type_integer, FIELD(struct farm, port), .nullable = true, .min = 1, .max = 65535},
	{"balance", &type_enum, FIELD(struct farm, balance), .nullable = true,
	 .names = &balance_names},
	{"stickiness", &type_enum, FIELD(struct farm, sticky), .nullable = true,
	 .names = &stickiness_names, .unused = true},
	{"probe", &type_probe, .nullable = true, .unused = true, .table = &probe_table},
	{"vrack_network_id", &type_integer, FIELD(struct farm, vrack_network_id), .nullable = true,
	 .min = 1, .max = INT64_MAX, .unused = true},
	{"servers", &type_list, FIELD(struct farm, servers), .nullable = true,
	 .list = &server_list},
};

static const struct table farm_table = TABLE(farm_rows);

static void finish_farm(struct decoder *d, const struct value *value, void *object)
{
	struct value servers = value_member(value, "servers");
	struct farm *farm = object;

	if (!farm->n_servers && (!servers.json || !json_array_size(servers.json)))
		decode_warning(d, &servers, "no servers: connections to the farm are closed");
}

const struct list farm_list = {
	.kind = KIND_FARM,
	.size = sizeof(struct farm),
	.count_offset = offsetof(struct config, n_farms),
	.max = MAX_FARMS,
	.table = &farm_table,
	.finish = finish_farm,
};
