// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "flow_rows.h"

#include <arpa/inet.h>
#include <time.h>

#include "cli.h"
#include "rows.h"

uint64_t monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

const char *flow_state_name(enum spliced_state state)
{
	static const char *const names[] = {"open", "closing", "closed", "reset"};

	return names[state];
}

static void set_since(json_t *row, const char *key, uint64_t now, uint64_t moment)
{
	set_integer(row, key, now > moment ? (now - moment) / 1000000 : 0);
}

json_t *flow_row(const struct snapshot *snapshot, const struct spliced *spliced, uint64_t now)
{
	const struct flow_key *client = &spliced->key[CLIENT], *server = &spliced->key[SERVER];
	const struct flow *flow = spliced->flow;
	json_t *row = json_object();

	json_object_set_new(row, "client",
			    json_endpoint(client->source, ntohs(client->source_port)));
	json_object_set_new(row, "local",
			    json_endpoint(client->destination, ntohs(client->destination_port)));
	snapshot_names(snapshot, row, flow[SERVER].frontend_id, flow[SERVER].route_id,
		       flow[SERVER].farm_id, flow[SERVER].server_id);
	json_object_set_new(row, "server_address",
			    json_endpoint(server->source, ntohs(server->source_port)));
	json_object_set_new(row, "nat_address",
			    json_endpoint(server->destination, ntohs(server->destination_port)));
	set_string(row, "state", flow_state_name(spliced_state(spliced)));
	set_integer(row, "bytes_from_client", stream_bytes(&flow[CLIENT]));
	set_integer(row, "bytes_from_server", stream_bytes(&flow[SERVER]));
	set_integer(row, "packets_from_client", flow[CLIENT].packets);
	set_integer(row, "packets_from_server", flow[SERVER].packets);
	set_since(row, "age_ms", now, flow[SERVER].started);
	set_since(row, "idle_ms", now, spliced_seen(spliced));
	return row;
}
