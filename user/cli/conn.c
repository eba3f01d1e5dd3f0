/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "control.h"
#include "rows.h"
#include "snapshot.h"
#include "format.h"

static const struct column columns[] = {
	COLUMN("client", "CLIENT"),
	COLUMN("frontend", "FRONTEND"),
	COLUMN("route", "ROUTE"),
	COLUMN("farm", "FARM"),
	COLUMN("server", "SERVER"),
	COLUMN("server_address", "ADDRESS"),
	COLUMN("verdict", "HELLO"),
	COLUMN("sni", "SNI"),
	COLUMN("alpn", "ALPN"),
	COLUMN("path", "PATH"),
	COLUMN("state", "STATE"),
	COLUMN_AS(FORMAT_BYTES, "bytes_from_client", "FROM CLIENT"),
	COLUMN_AS(FORMAT_BYTES, "bytes_from_server", "FROM SERVER"),
	COLUMN_AS(FORMAT_MILLISECONDS, "age_ms", "AGE"),
	COLUMNS_END,
};

/* Which connections the user asked for; 0 = any. */
struct filter {
	uint32_t frontend, farm, server;
};

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {
		[CONN_FREE] = "free",	       [CONN_HELLO] = "hello", [CONN_DECIDING] = "deciding",
		[CONN_DECIDED] = "connecting", [CONN_ASK] = "asking",  [CONN_OPEN] = "open",
		[CONN_CLOSING] = "closing", [CONN_SPLICING] = "splicing",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : "?";
}

/* The name of an object, "#ID" if it is no longer configured, null without an id. */
static void set_name(json_t *row, const char *key, const struct object *object, uint32_t id)
{
	char buf[16];

	if (!object && id)
		snprintf(buf, sizeof(buf), "#%u", id);
	set_string(row, key, object ? object->name : id ? buf : NULL);
}

/* An object of the snapshot by its id; NULL if it has none. */
#define BY_ID(array, id, max) ((id) <= (max) && (array)[id] ? &(array)[id]->o : NULL)

static void set_decision(json_t *row, const struct snapshot *s, const struct conn *conn)
{
	set_name(row, "frontend", BY_ID(s->frontends, conn->frontend_id, MAX_FRONTENDS),
		 conn->frontend_id);
	set_name(row, "route", BY_ID(s->routes, conn->route_id, MAX_ROUTES), conn->route_id);
	if (conn->farm_id && !conn->route_id)
		set_string(row, "route", "default");
	set_name(row, "farm", BY_ID(s->farms, conn->farm_id, MAX_FARMS), conn->farm_id);
	set_name(row, "server", BY_ID(s->servers, conn->server_id, MAX_SERVERS), conn->server_id);
	json_object_set_new(row, "server_address",
			    conn->server_id ? json_endpoint(conn->server, ntohs(conn->server_port))
					    : json_null());
}

static void set_hello(json_t *row, const struct hello *hello)
{
	size_t alpn_len = hello->alpn_len < sizeof(hello->alpn) ? hello->alpn_len : ALPN_MAX;

	set_string(row, "verdict", verdict_name(hello->verdict));
	json_object_set_new(row, "sni",
			    hello->flags & HELLO_SNI ? json_bytes(hello->sni, hello->sni_len)
						     : json_null());
	json_object_set_new(row, "alpn",
			    hello->flags & HELLO_ALPN ? json_alpn(hello->alpn, alpn_len)
						      : json_null());
	json_object_set_new(row, "alpn_cut", json_boolean(hello->flags & HELLO_ALPN_CUT));
	json_object_set_new(row, "ech", json_boolean(hello->flags & HELLO_ECH));
}

static json_t *conn_row(const struct snapshot *s, const struct conn *conn, uint64_t now)
{
	json_t *row = json_object();

	json_object_set_new(row, "client", json_endpoint(conn->client, ntohs(conn->client_port)));
	json_object_set_new(row, "local", json_endpoint(conn->local, ntohs(conn->local_port)));
	set_decision(row, s, conn);
	set_hello(row, &conn->hello);
	set_string(row, "path", path_name(conn->path));
	set_string(row, "state", state_name(conn->state));
	set_integer(row, "bytes_from_client", conn->flow[CLIENT] & FLOW_BYTES);
	set_integer(row, "bytes_from_server", conn->flow[SERVER] & FLOW_BYTES);
	set_integer(row, "age_ms", now > conn->accepted ? (now - conn->accepted) / 1000000 : 0);
	set_integer(row, "worker", conn->worker);
	return row;
}

static bool selected(const struct filter *filter, const struct conn *conn)
{
	return (!filter->frontend || filter->frontend == conn->frontend_id) &&
	       (!filter->farm || filter->farm == conn->farm_id) &&
	       (!filter->server || filter->server == conn->server_id);
}

static json_t *conn_rows(const struct snapshot *s, const struct filter *filter)
{
	json_t *rows = json_array();
	struct timespec ts;
	struct conn conn;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	for (size_t i = 0; i < view_conns(&s->view); i++)
		if (view_conn(&s->view, i, &conn) && selected(filter, &conn))
			json_array_append_new(rows, conn_row(s, &conn, now));
	return rows;
}

static int filter_parse(const struct config *config, const char *const *values,
			struct filter *filter)
{
	const struct frontend *frontend = NULL;
	const struct farm *farm = NULL, *server_farm;
	const struct server *server = NULL;
	int code = CLI_OK;

	if (values[0])
		code = find_frontend(config, values[0], NULL, &frontend);
	if (!code && values[1])
		code = find_farm(config, values[1], NULL, &farm);
	if (!code && values[2])
		code = find_server(config, values[2], NULL, &server, &server_farm);
	if (code)
		return code;
	*filter = (struct filter){
		.frontend = frontend ? frontend->o.id : 0,
		.farm = farm ? farm->o.id : 0,
		.server = server ? server->o.id : 0,
	};
	return CLI_OK;
}

static int conn_show(const char *const *values)
{
	struct filter filter;
	struct snapshot s;
	int code = snapshot_open(&s);

	if (!code)
		code = filter_parse(s.config, values, &filter);
	if (!code && !control_alive(options.instance))
		code = fail(
			CLI_NO_DAEMON,
			"instance '%s': no daemon is running, and its connections ended with it",
			options.instance);
	if (!code)
		code = output_show(columns, conn_rows(&s, &filter), false);
	snapshot_close(&s);
	return code;
}

static const struct keyword show_keywords[] = {
	{"frontend", "NAME"}, {"farm", "NAME"}, {"server", "[FARM/]NAME"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{"show", "list the live connections", show_keywords, conn_show},
	{NULL, NULL, NULL, NULL},
};

const struct noun noun_conn = {
	.name = "conn",
	.help = "live connections",
	.text = "Bytes a client sent (SNI, ALPN) are shown with everything but printable ASCII\n"
		"as \\xNN. Manual: alpnlb-conn(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
