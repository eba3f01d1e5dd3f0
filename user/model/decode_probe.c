/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Probes of farms. */
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

#define DISPLAY_MAX   255
#define ALPN_NAME_MAX 255

static const struct attribute probe_rows[] = {
	{"type", &type_enum, FIELD(struct probe, type), .required = true,
	 .names = &probe_type_names},
	{"port", &type_integer, FIELD(struct probe, port), .nullable = true, .min = 1,
	 .max = 65535},
	{"interval", &type_duration, FIELD(struct probe, interval), .nullable = true, .min = 100,
	 .max = HOUR, .preset = 5 * SECOND},
	{"timeout", &type_duration, FIELD(struct probe, timeout), .nullable = true, .min = 50,
	 .max = HOUR},
	{"rise", &type_integer, FIELD(struct probe, rise), .nullable = true, .min = 1, .max = 100,
	 .preset = 2},
	{"fall", &type_integer, FIELD(struct probe, fall), .nullable = true, .min = 1, .max = 100,
	 .preset = 2},
	{"match", &type_enum, FIELD(struct probe, match), .nullable = true,
	 .names = &probe_match_names},
	{"pattern", &type_string, FIELD(struct probe, pattern), .nullable = true,
	 .max = MAX_PATTERN},
	{"negate", &type_bool, FIELD(struct probe, negate), .nullable = true},
	{"method", &type_enum, FIELD(struct probe, method), .nullable = true,
	 .names = &probe_method_names},
	{"url", &type_string, FIELD(struct probe, url), .nullable = true, .max = DISPLAY_MAX},
	{"force_ssl", &type_bool, FIELD(struct probe, force_ssl), .nullable = true},
	{"sni", &type_string, FIELD(struct probe, sni), .nullable = true, .max = SNI_MAX},
	{"alpn", &type_string, FIELD(struct probe, alpn), .nullable = true, .max = ALPN_NAME_MAX},
	{"verify", &type_bool, FIELD(struct probe, verify), .nullable = true},
	{"ca", &type_file, FIELD(struct probe, ca), .nullable = true},
	{"cert_name", &type_string, FIELD(struct probe, cert_name), .nullable = true,
	 .max = DISPLAY_MAX},
	{"cert_days", &type_integer, FIELD(struct probe, cert_days), .nullable = true, .max = 3650},
};

const struct table probe_table = TABLE(probe_rows);

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

bool probe_takes_url(enum probe_type type)
{
	return type == PROBE_HTTP;
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
	if (probe->url && !probe_takes_url(type))
		refuse_use(d, value, "url", NULL, 0, type);
	if (probe->alpn && type != PROBE_TLS)
		refuse_use(d, value, "alpn", NULL, 0, type);
}

/* Settings of TLS where there is none. */
static void check_tls(struct decoder *d, const struct value *value, const struct probe *probe)
{
	const struct {
		const char *key;
		bool given;
	} settings[] = {
		{"sni", probe->sni},
		{"verify", probe->verify},
		{"ca", probe->ca},
		{"cert_name", probe->cert_name},
		{"cert_days", probe->cert_days},
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		struct value setting = value_member(value, settings[i].key);

		if (settings[i].given && !probe_uses_tls(probe))
			decode_error(d, &setting,
				     "%s goes with TLS, allowed: null, or the type tls, or "
				     "force_ssl",
				     value_quoted(&setting).s);
	}
	if (probe->ca && !probe->verify) {
		struct value ca = value_member(value, "ca");

		decode_error(d, &ca, "%s without verify, allowed: null, or verify: true",
			     value_quoted(&ca).s);
	}
}

static void check_text(struct decoder *d, const struct value *probe, const char *key,
		       const char *text, bool right, const char *allowed)
{
	struct value value = value_member(probe, key);

	if (text && !right)
		decode_error(d, &value, "%s is none, allowed: %s, null", value_quoted(&value).s,
			     allowed);
}

static void check_pattern(struct decoder *d, const struct value *value, const struct probe *probe)
{
	struct value pattern = value_member(value, "pattern");
	bool needs_pattern = probe->match == PROBE_MATCH_STATUS ||
			     probe->match == PROBE_MATCH_CONTAINS ||
			     probe->match == PROBE_MATCH_MATCHES;

	if (needs_pattern && (!probe->pattern || !*probe->pattern))
		decode_error(
			d, &pattern,
			"is missing, the match %s needs one, allowed: a text of at most %d bytes",
			names_text(&probe_match_names, probe->match), MAX_PATTERN);
	else if (probe->match == PROBE_MATCH_MATCHES)
		decode_regex(d, &pattern, probe->pattern, false);
	else if (probe->match == PROBE_MATCH_STATUS)
		check_text(d, value, "pattern", probe->pattern, probe_status_valid(probe->pattern),
			   "status codes such as \"200\", \"2xx\" or \"200-299, 404\"");
}

static void check_probe(struct decoder *d, const struct value *value, const struct probe *probe)
{
	struct value port = value_member(value, "port"), negate = value_member(value, "negate");
	char host[256];
	const char *path;

	if (probe->type == PROBE_OCO && probe->port && probe->port != PROBE_PORT_OCO)
		decode_error(d, &port, "%u with type oco, allowed: %d, null", probe->port,
			     PROBE_PORT_OCO);
	if (probe->negate && !probe->match)
		decode_error(d, &negate, "true without a match, allowed: false, null");
	if (probe->type)
		check_uses(d, value, probe);
	if (probe->type)
		check_tls(d, value, probe);
	check_pattern(d, value, probe);
	check_text(d, value, "url", probe->url,
		   probe->url && probe_url_parse(probe->url, host, &path),
		   "[HOST]/PATH such as /up or www.example.com/up");
	check_text(d, value, "sni", probe->sni, probe->sni && *probe->sni, "a name");
	check_text(d, value, "alpn", probe->alpn, probe->alpn && *probe->alpn,
		   "one name such as h2");
	check_text(d, value, "cert_name", probe->cert_name, probe->cert_name && *probe->cert_name,
		   "a name, or an address");
}

static void decode_probe(struct decoder *d, const struct attribute *a, const struct value *value,
			 void *object)
{
	struct farm *farm = object;

	farm->probe = decode_alloc(d, 1, sizeof(*farm->probe));
	if (farm->probe && decode_object(d, value, &probe_table, farm->probe))
		check_probe(d, value, farm->probe);
}

static json_t *encode_probe(const struct attribute *a, const void *object)
{
	const struct farm *farm = object;

	return farm->probe ? encode_object(&probe_table, farm->probe) : NULL;
}

static void allow_probe(const struct attribute *a, struct text *text)
{
	text_append(text, "a mapping with a type");
}

const struct type type_probe = {decode_probe, encode_probe, allow_probe};
