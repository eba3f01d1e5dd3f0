/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the API is served on HTTPS. */
#include <stdlib.h>
#include <string.h>

#include "decoder.h"
#include "prefix.h"

#define PORT_MAX 65535
#define FILE_MAX 4095

static const uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1};

/* ---- where to listen ------------------------------------------------------------------ */

static bool port_parse(const char *text, uint16_t *port)
{
	size_t digits = strspn(text, "0123456789");
	long number = digits && digits <= 5 && !text[digits] ? atol(text) : 0;

	*port = number;
	return number >= 1 && number <= PORT_MAX;
}

/* "PORT", "ADDRESS:PORT" or "[ADDRESS]:PORT" */
static bool endpoint_parse(const char *text, struct api_settings *api)
{
	const char *colon = strrchr(text, ':'), *first = text, *last = colon;
	char address[64] = "";
	bool bracket = *text == '[';

	if (!colon)
		return port_parse(text, &api->port);
	if (bracket && (last == first || last[-1] != ']'))
		return false;
	first += bracket;
	last -= bracket;
	if (last <= first || (size_t)(last - first) >= sizeof(address))
		return false;
	memcpy(address, first, last - first);
	/* "::1" is an address without a port, not the port 1 of "::" */
	return bracket == !!strchr(address, ':') && !address_parse(address, api->address) &&
	       port_parse(colon + 1, &api->port);
}

static void decode_listen(struct decoder *d, const struct attribute *a, const struct value *value,
			  void *object)
{
	struct config *config = object;
	json_int_t port = json_integer_value(value->json);
	const char *text;
	bool fits;

	if (json_is_integer(value->json)) {
		fits = port >= 1 && port <= PORT_MAX;
		config->api.port = port;
	} else {
		text = decode_text(d, a, value);
		if (!text)
			return;
		fits = endpoint_parse(text, &config->api);
	}
	if (!fits)
		decode_refuse(d, a, value, "is no address and port");
}

static json_t *encode_listen(const struct attribute *a, const void *object)
{
	const struct config *config = object;
	char text[64];

	return json_string(
		endpoint_format(config->api.address, config->api.port, text, sizeof(text)));
}

static void allow_listen(const struct attribute *a, struct text *text)
{
	text_append(text, "a port, ADDRESS:PORT or [ADDRESS]:PORT, such as 127.0.0.1:%d", API_PORT);
}

static const struct type type_listen = {decode_listen, encode_listen, allow_listen};

/* ---- files ---------------------------------------------------------------------------- */

/* The daemon's working directory is not that of whoever applies a configuration. */
static void decode_file(struct decoder *d, const struct attribute *a, const struct value *value,
			void *object)
{
	const char *text = decode_text(d, a, value);

	if (text && (*text != '/' || strlen(text) > FILE_MAX))
		decode_refuse(d, a, value, "is no absolute path");
	else if (text)
		*(char **)((char *)object + a->offset) = decode_copy(d, text);
}

static json_t *encode_file(const struct attribute *a, const void *object)
{
	const char *path = *(char *const *)((const char *)object + a->offset);

	return path ? json_string(path) : NULL;
}

static void allow_file(const struct attribute *a, struct text *text)
{
	text_append(text, "the path of a file in PEM format, beginning with /");
}

const struct type type_file = {decode_file, encode_file, allow_file};

/* ---- together ------------------------------------------------------------------------- */

static const struct attribute api_rows[] = {
	{"listen", &type_listen, .nullable = true},
	{"certificate", &type_file, FIELD(struct config, api.certificate), .required = true},
	{"key", &type_file, FIELD(struct config, api.key), .required = true},
};

static const struct table api_table = TABLE(api_rows);

static void decode_api(struct decoder *d, const struct attribute *a, const struct value *value,
		       void *object)
{
	struct config *config = object;

	memcpy(config->api.address, loopback, sizeof(loopback));
	config->api.port = API_PORT;
	decode_object(d, value, &api_table, config);
}

static json_t *encode_api(const struct attribute *a, const void *object)
{
	const struct config *config = object;

	return config->api.certificate ? encode_object(&api_table, config) : NULL;
}

const struct type type_api = {decode_api, encode_api, NULL};
