/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../kernel/flows.h"
#include "../kernel/opening_rows.h"
#include "../kernel/spliced.h"
#include "../show/hello_row.h"
#include "../show/rows.h"
#include "cli.h"
#include "control.h"
#include "find.h"
#include "flow_rows.h"
#include "snapshot.h"

static const struct column columns[] = {
	ENDS_COLUMNS,
	COLUMN("verdict", "HELLO", .drop = 14),
	COLUMN("sni", "SNI", .drop = 3),
	COLUMN("alpn", "ALPN", .drop = 9),
	COLUMN("path", "PATH", .drop = 11),
	COLUMN("state", "STATE", .drop = 4),
	COLUMN_AS(FORMAT_BYTES, "bytes_from_client", "FROM CLIENT", .brief = "IN", .drop = 7),
	COLUMN_AS(FORMAT_BYTES, "bytes_from_server", "FROM SERVER", .brief = "OUT", .drop = 8),
	COLUMN_AS(FORMAT_MILLISECONDS, "age_ms", "AGE", .drop = 5),
	COLUMN_AS(FORMAT_BELOW, "via", "told of by a proxy, whose address is"),
	COLUMN_AS(FORMAT_BELOW, "refusal", "not on the packet path"),
	COLUMNS_END,
};

/* Which connections the user asked for; 0 = any. */
struct filter {
	uint32_t frontend, farm, server;
};

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {
		[CONN_FREE] = "free",	      [CONN_HELLO] = "hello",
		[CONN_DECIDING] = "deciding", [CONN_DECIDED] = "connecting",
		[CONN_ASK] = "asking",	      [CONN_OPEN] = "open",
		[CONN_CLOSING] = "closing",   [CONN_SPLICING] = "splicing",
		[CONN_QUEUED] = "queued",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : "?";
}

static void set_decision(json_t *row, const struct snapshot *s, const struct conn *conn)
{
	object_names_set(&s->names, row, conn->frontend_id, conn->route_id, conn->farm_id,
			 conn->server_id);
	json_object_set_new(row, "server_address",
			    conn->server_id ? json_endpoint(conn->server, ntohs(conn->server_port))
					    : json_null());
}

static json_t *conn_row(const struct snapshot *s, const struct conn *conn, uint64_t now)
{
	json_t *row = json_object();

	json_object_set_new(row, "client", json_endpoint(conn->client, ntohs(conn->client_port)));
	json_object_set_new(row, "via",
			    conn->via_port ? json_endpoint(conn->via, ntohs(conn->via_port))
					   : json_null());
	json_object_set_new(row, "local", json_endpoint(conn->local, ntohs(conn->local_port)));
	set_decision(row, s, conn);
	set_hello(row, &conn->hello);
	set_string(row, "path", path_name(conn->path));
	set_string(row, "state", state_name(conn->state));
	set_integer(row, "bytes_from_client", conn->flow[CLIENT] & FLOW_BYTES);
	set_integer(row, "bytes_from_server", conn->flow[SERVER] & FLOW_BYTES);
	set_integer(row, "age_ms", now > conn->accepted ? (now - conn->accepted) / 1000000 : 0);
	set_integer(row, "worker", conn->worker);
	set_string(row, "refusal", splice_refusal(conn->refusal));
	return row;
}

/* One without sockets, in the same shape. */
static json_t *spliced_row(const struct snapshot *s, const struct spliced *spliced, int hellos,
			   uint64_t now)
{
	json_t *row = flow_row(s, spliced, hellos, now);

	set_string(row, "path", path_name(PATH_PACKET));
	json_object_set_new(row, "worker", json_null());
	json_object_set_new(row, "refusal", json_null());
	return row;
}

static bool selected(const struct filter *filter, const struct conn *conn)
{
	return (!filter->frontend || filter->frontend == conn->frontend_id) &&
	       (!filter->farm || filter->farm == conn->farm_id) &&
	       (!filter->server || filter->server == conn->server_id);
}

/* What `show` collects. */
struct list {
	const struct snapshot *snapshot;
	const struct filter *filter;
	uint64_t now;
	int hellos;	    /* of spliced_open_hellos() */
	uint64_t *accepted; /* by slot: of the connection seen there, which may become spliced */
	struct output_stream rows;
};

static void list_conns(struct list *list)
{
	const struct view *view = &list->snapshot->view;
	struct conn conn;

	for (size_t i = 0; i < view_conns(view); i++) {
		if (!view_conn(view, i, &conn))
			continue;
		list->accepted[i] = conn.accepted;
		if (selected(list->filter, &conn))
			output_stream_add(&list->rows, conn_row(list->snapshot, &conn, list->now));
	}
}

/* No worker has it, and none may ever. */
static void list_opening(const struct conn *conn, void *context)
{
	struct list *list = context;
	json_t *row;

	if (!selected(list->filter, conn))
		return;
	row = conn_row(list->snapshot, conn, list->now);
	json_object_set_new(row, "worker", json_null());
	output_stream_add(&list->rows, row);
}

static bool spliced_selected(const struct flow_key *key, const struct flow *flow, void *context)
{
	const struct list *list = context;
	const struct filter *filter = list->filter;
	size_t slot = flow->slot;

	return (!filter->frontend || filter->frontend == flow->frontend_id) &&
	       (!filter->farm || filter->farm == flow->farm_id) &&
	       (!filter->server || filter->server == flow->server_id) &&
	       (slot >= view_conns(&list->snapshot->view) || list->accepted[slot] != flow->started);
}

static void list_spliced(const struct spliced *spliced, void *context)
{
	struct list *list = context;

	if (spliced_lives(spliced))
		output_stream_add(&list->rows,
				  spliced_row(list->snapshot, spliced, list->hellos, list->now));
}

/* Those that need the daemon, and those that go on without. Returns an exit code. */
static int list_all(struct list *list)
{
	bool alive = control_alive(options.instance);
	int map, err = 0;

	if (alive) {
		list_conns(list);
		err = opening_rows(options.instance, list_opening, list);
	}
	if (err)
		return fail(CLI_FAILED, "instance '%s': connections that are being opened: %s",
			    options.instance, strerror(-err));
	map = err = spliced_open(options.instance);
	if (map >= 0) {
		err = spliced_walk(map, spliced_selected, list_spliced, list);
		close(map);
	}
	if (err < 0 && err != -ENOENT && err != -EPROTO) /* of another version: not to be read */
		return fail(CLI_FAILED, "instance '%s': the flow table: %s", options.instance,
			    strerror(-err));
	if (!alive && !list->rows.n)
		return fail(
			CLI_NO_DAEMON,
			"instance '%s': no daemon is running, and no connection goes on without "
			"it",
			options.instance);
	return CLI_OK;
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

static int show(const struct snapshot *s, const struct filter *filter)
{
	struct list list = {
		.snapshot = s,
		.filter = filter,
		.now = monotonic_time(),
		.hellos = spliced_open_hellos(options.instance),
		.accepted = calloc(view_conns(&s->view), sizeof(*list.accepted)),
		.rows = output_stream_new(columns),
	};
	int code;

	code = list.accepted ? list_all(&list) : fail(CLI_FAILED, "out of memory");
	if (code)
		output_stream_free(&list.rows);
	else
		code = output_stream_end(&list.rows);
	if (list.hellos >= 0)
		close(list.hellos);
	free(list.accepted);
	return code;
}

static int conn_show(const char *const *values)
{
	struct filter filter;
	struct snapshot s;
	int code = snapshot_open(&s);

	if (!code)
		code = filter_parse(s.config, values, &filter);
	if (!code)
		code = show(&s, &filter);
	snapshot_close(&s);
	return code;
}

static const struct keyword show_keywords[] = {
	{"frontend", "NAME|ID"}, {"farm", "NAME|ID"}, {"server", "[FARM/]NAME|ID"}, {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "show",
	 .help = "list the live connections",
	 .keywords = show_keywords,
	 .run = conn_show},
	{.name = NULL},
};

const struct noun noun_conn = {
	.name = "conn",
	.help = "live connections",
	.text = "Bytes a client sent (SNI, ALPN) are shown with everything but printable ASCII\n"
		"as \\xNN. Manual: alpnlb-conn(8).\n",
	.verbs = verbs,
	.default_verb = "show",
};
