// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "flow_rows.h"

#include <arpa/inet.h>

#include "../show/format.h"
#include "../show/hello_row.h"
#include "../show/rows.h"
#include "cli.h"

const char *flow_state_name(enum spliced_state state)
{
	static const char *const names[] = {"open", "closing", "closed", "reset"};

	return names[state];
}

static void set_since(json_t *row, const char *key, uint64_t now, uint64_t moment)
{
	set_integer(row, key, now > moment ? (now - moment) / 1000000 : 0);
}

/* Who packets come from, or whose proxy that is. */
static void set_client(json_t *row, const struct flow_key *key, const struct flow_hello *kept)
{
	json_t *source = json_endpoint(key->source, ntohs(key->source_port));
	uint8_t client[16];
	__be16 port;
	bool proxied = flow_hello_client(kept, client, &port);

	json_object_set_new(row, "client", proxied ? json_endpoint(client, ntohs(port)) : source);
	json_object_set_new(row, "via", proxied ? source : json_null());
}

json_t *flow_row(const struct snapshot *snapshot, const struct spliced *spliced, int hellos,
		 uint64_t now)
{
	const struct flow_key *client = &spliced->key[CLIENT], *server = &spliced->key[SERVER];
	const struct flow *flow = spliced->flow;
	json_t *row = json_object();
	struct flow_hello kept = {0};
	struct hello hello;
	bool known = spliced_hello(hellos, server, &kept) && flow_hello_read(&kept, &hello);

	set_client(row, client, &kept);
	json_object_set_new(row, "local",
			    json_endpoint(client->destination, ntohs(client->destination_port)));
	object_names_set(&snapshot->names, row, flow[SERVER].frontend_id, flow[SERVER].route_id,
			 flow[SERVER].farm_id, flow[SERVER].server_id);
	json_object_set_new(row, "server_address",
			    json_endpoint(server->source, ntohs(server->source_port)));
	json_object_set_new(row, "nat_address",
			    json_endpoint(server->destination, ntohs(server->destination_port)));
	set_hello(row, known ? &hello : NULL);
	set_string(row, "state", flow_state_name(spliced_state(spliced)));
	set_integer(row, "bytes_from_client", stream_bytes(&flow[CLIENT]));
	set_integer(row, "bytes_from_server", stream_bytes(&flow[SERVER]));
	set_integer(row, "packets_from_client", flow[CLIENT].packets);
	set_integer(row, "packets_from_server", flow[SERVER].packets);
	set_since(row, "age_ms", now, flow[SERVER].started);
	set_since(row, "idle_ms", now, spliced_seen(spliced));
	return row;
}
