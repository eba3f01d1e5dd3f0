/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Farms with their servers. */
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

#define TLS_WHY	    "is out of scope, TLS passes through untouched"
#define DISPLAY_MAX 255

static const struct attribute server_rows[] = {
	{"id", &type_id, FIELD(struct server, o.id), .min = 1, .max = MAX_SERVERS,
	 .kind = KIND_SERVER},
	{"name", &type_name, FIELD(struct server, o.name), .required = true},
	{"display_name", &type_title, FIELD(struct server, o.display_name), .nullable = true,
	 .max = DISPLAY_MAX},
	{"address", &type_host, .required = true},
	{"port", &type_integer, FIELD(struct server, port), .nullable = true, .min = 1,
	 .max = 65535},
	{"status", &type_enum, FIELD(struct server, status), .names = &status_names,
	 .preset = STATUS_ACTIVE},
	{"weight", &type_integer, FIELD(struct server, weight), .nullable = true, .max = 256,
	 .preset = 1},
	{"backup", &type_bool, FIELD(struct server, backup), .nullable = true},
	{"probe", &type_bool, FIELD(struct server, probe), .nullable = true},
	{"proxy_protocol_version", &type_enum, FIELD(struct server, proxy_protocol),
	 .nullable = true, .names = &proxy_protocol_names},
	{"proxy_tlvs", &type_flags, FIELD(struct server, proxy_tlvs), .nullable = true,
	 .names = &proxy_tlv_names},
	{"on_marked_down", &type_enum, FIELD(struct server, shutdown_sessions), .nullable = true,
	 .names = &on_marked_down_names},
	{"ssl", &type_bool, FIELD(struct server, probe_ssl), .nullable = true},
	{"chain", &type_refused, .nullable = true, .why = TLS_WHY},
	{"max_connections", &type_integer, FIELD(struct server, max_connections), .nullable = true,
	 .min = 1, .max = UINT32_MAX},
	{"slow_start", &type_duration, FIELD(struct server, slow_start), .nullable = true,
	 .min = SECOND, .max = DAY},
};

static const struct table server_table = TABLE(server_rows);

/* Version 1 of the header has no room for TLVs. */
static void finish_server(struct decoder *d, const struct value *value, void *object)
{
	const struct server *server = object;
	struct value tlvs = value_member(value, "proxy_tlvs"), ssl = value_member(value, "ssl");
	char name[API_KEY_MAX];

	if (server->proxy_tlvs && server->proxy_protocol < PROXY_PROTOCOL_V2)
		decode_error(d, &tlvs, "needs the %s v2, v2-ssl or v2-ssl-cn, allowed: null",
			     decode_key(d, "proxy_protocol_version", name));
	if (server->probe_ssl && !server->probe)
		decode_error(d, &ssl,
			     "true " TLS_WHY ", allowed: false, null, or true for the probe alone "
			     "with probe: true");
}

const struct list server_list = {
	.kind = KIND_SERVER,
	.size = sizeof(struct server),
	.count_offset = offsetof(struct farm, n_servers),
	.max = MAX_SERVERS,
	.table = &server_table,
	.finish = finish_server,
};

/* ---- farms ---------------------------------------------------------------------------- */

static const struct attribute farm_rows[] = {
	{"id", &type_id, FIELD(struct farm, o.id), .min = 1, .max = MAX_FARMS, .kind = KIND_FARM},
	{"name", &type_name, FIELD(struct farm, o.name), .required = true},
	{"display_name", &type_title, FIELD(struct farm, o.display_name), .nullable = true,
	 .max = DISPLAY_MAX},
	{"zone", &type_zone, FIELD(struct farm, zone), .nullable = true},
	{"port", &type_integer, FIELD(struct farm, port), .nullable = true, .min = 1, .max = 65535},
	{"fallback_farm", &type_farm_name, FIELD(struct farm, fallback_name), .nullable = true},
	{"balance", &type_enum, FIELD(struct farm, balance), .nullable = true,
	 .names = &balance_names},
	{"stickiness", &type_enum, FIELD(struct farm, sticky), .nullable = true,
	 .names = &stickiness_names},
	{"stick_size", &type_integer, FIELD(struct farm, stick_size), .nullable = true, .min = 1000,
	 .max = 10000000, .preset = 100000},
	{"stick_ttl", &type_duration, FIELD(struct farm, stick_ttl), .nullable = true,
	 .min = SECOND, .max = 30 * DAY, .preset = 30 * MINUTE},
	{"stick_on_drain", &type_bool, FIELD(struct farm, stick_on_drain), .nullable = true},
	{"queue_size", &type_integer, FIELD(struct farm, queue_size), .nullable = true,
	 .max = UINT32_MAX, .preset = 1000},
	{"queue_timeout", &type_duration, FIELD(struct farm, queue_timeout), .nullable = true,
	 .min = 10, .max = HOUR, .preset = 5 * SECOND},
	{"probe", &type_probe, .nullable = true, .table = &probe_table},
	{"vrack_network_id", &type_integer, FIELD(struct farm, vrack_network_id), .nullable = true,
	 .min = 1, .max = INT64_MAX, .unused = true},
	{"servers", &type_list, FIELD(struct farm, servers), .nullable = true,
	 .list = &server_list},
};

static const struct table farm_table = TABLE(farm_rows);

/* A probe acts for servers that ask for it. */
static void warn_of_probe(struct decoder *d, const struct value *value, const struct farm *farm)
{
	struct value probe = value_member(value, "probe"), servers = value_member(value, "servers");
	bool asked = false;

	for (size_t i = 0; i < farm->n_servers; i++) {
		struct value item = value_item(&servers, i), asks = value_member(&item, "probe");

		asked |= farm->servers[i].probe;
		if (farm->servers[i].probe && !farm->probe)
			decode_warning(d, &asks,
				       "the farm has no probe: nothing looks after the "
				       "server");
	}
	if (farm->probe && farm->n_servers && !asked)
		decode_warning(d, &probe, "no server of the farm has probe: true: it does nothing");
}

static void check_probe_ssl(struct decoder *d, const struct value *value, const struct farm *farm)
{
	struct value servers = value_member(value, "servers");

	for (size_t i = 0; i < farm->n_servers && !farm->probe; i++) {
		struct value item = value_item(&servers, i), ssl = value_member(&item, "ssl");

		if (farm->servers[i].probe_ssl && farm->servers[i].probe)
			decode_error(d, &ssl,
				     "true is for the probe alone, and the farm has none, allowed: "
				     "false, null");
	}
}

static void finish_farm(struct decoder *d, const struct value *value, void *object)
{
	struct value servers = value_member(value, "servers");
	struct farm *farm = object;

	if (!farm->n_servers && !farm->fallback_name &&
	    (!servers.json || !json_array_size(servers.json)))
		decode_warning(d, &servers, "no servers: connections to the farm are closed");
	check_probe_ssl(d, value, farm);
	warn_of_probe(d, value, farm);
}

const struct list farm_list = {
	.kind = KIND_FARM,
	.size = sizeof(struct farm),
	.count_offset = offsetof(struct config, n_farms),
	.max = MAX_FARMS,
	.table = &farm_table,
	.finish = finish_farm,
};
