/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../daemon/proxy_protocol.h"
#include "../model/prefix.h"
#include "../show/format.h"
#include "../show/rows.h"
#include "classify.h"
#include "cli.h"
#include "explain.h"
#include "find.h"
#include "input.h"
#include "output.h"
#include "pcap.h"
#include "report.h"
#include "snapshot.h"

static const struct column columns[] = {
	COLUMN("client", "CLIENT", .keep = KEEP_ENDPOINT),
	COLUMN("server", "SERVER", .keep = KEEP_ENDPOINT, .drop = 7),
	DETAIL("proxy", "PROXY"),
	COLUMN("verdict", "HELLO", .drop = 4),
	DETAIL_AS(FORMAT_BYTES, "size", "SIZE"),
	COLUMN("version", "VERSION", .drop = 8),
	COLUMN("sni", "SNI"),
	COLUMN("alpn", "ALPN", .drop = 3),
	DETAIL("ech", "ECH"),
	DETAIL("protocols", "PROTOCOLS"),
	COLUMN("frontend", "FRONTEND", .drop = 6),
	DETAIL("source_allowed", "SOURCE ALLOWED"),
	COLUMN("route", "ROUTE", .drop = 5),
	COLUMN("action", "ACTION", .drop = 2),
	COLUMN("farm", "FARM"),
	COLUMNS_END,
};

/* What the command works with. */
struct dry_run {
	struct snapshot snapshot; /* when the routes are the running ones */
	struct config *loaded;	  /* when they come from a file */
	const struct config *config;
	struct tables tables;
	const struct frontend *frontend; /* the one asked for; NULL = find out */
	bool source_given;
	uint8_t source[16];
};

/* The bytes of one client. */
struct client {
	const uint8_t *bytes;
	size_t len;
	const struct pcap_stream *stream; /* NULL = there is no capture */
	const uint8_t *source;		  /* NULL = not known */
	struct proxied told;		  /* by a proxy in front; size 0 = there is none */
};

/* ---- the hello ----------------------------------------------------------------------- */

static void set_version(json_t *row, const struct hello *hello)
{
	static const char *const names[] = {"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"};
	uint32_t version = hello_speaks(hello) & PROTOCOL_VERSIONS;
	char buf[16];

	if (hello->verdict != VERDICT_TLS) {
		set_string(row, "version", NULL);
	} else if (version && version != PROTOCOL_TLS_LATER) {
		set_string(row, "version", names[__builtin_ctz(version / PROTOCOL_SSL3)]);
	} else {
		snprintf(buf, sizeof(buf), "0x%04x", hello->version);
		set_string(row, "version", buf);
	}
}

/* Who has connected. */
static json_t *peer_json(const struct dry_run *run, const struct pcap_stream *stream)
{
	if (stream)
		return json_endpoint(stream->client, stream->client_port);
	return run->source_given ? json_endpoint(run->source, 0) : json_string("unknown");
}

static void set_ends(json_t *row, const struct dry_run *run, const struct client *client)
{
	const struct pcap_stream *stream = client->stream;
	const struct proxied *told = &client->told;

	json_object_set_new(row, "client", stream ? peer_json(run, stream) : json_null());
	json_object_set_new(row, "server",
			    stream ? json_endpoint(stream->server, stream->server_port)
				   : json_null());
	json_object_set_new(row, "proxy", told->size ? peer_json(run, stream) : json_null());
	if (told->has_addresses)
		json_object_set_new(row, "client",
				    json_endpoint(told->client, ntohs(told->client_port)));
	if (!stream)
		return;
	json_object_set_new(row, "from_syn", json_boolean(stream->syn));
	json_object_set_new(row, "gap", json_boolean(stream->gap));
}

static void set_hello(json_t *row, const struct client *client, const struct classification *c)
{
	const struct hello *hello = &c->hello;
	uint32_t flags = hello->verdict == VERDICT_TLS ? hello->flags : 0;

	set_string(row, "verdict", verdict_name(hello->verdict));
	set_integer(row, "size", client->told.size + client->len);
	set_version(row, hello);
	json_object_set_new(row, "sni",
			    flags & HELLO_SNI ? json_bytes(hello->sni, hello->sni_len, false)
					      : json_null());
	json_object_set_new(row, "alpn",
			    flags & HELLO_ALPN
				    ? json_alpn(c->subject.alpn, c->subject.alpn_len, false)
				    : json_null());
	json_object_set_new(row, "ech", json_boolean(flags & HELLO_ECH));
	json_object_set_new(row, "protocols", protocols_json(classification_protocols(c)));
}

/* ---- the decision -------------------------------------------------------------------- */

static bool has_port(const struct frontend *frontend, uint16_t port)
{
	for (size_t i = 0; i < frontend->n_ports; i++)
		if (port >= frontend->ports[i].first && port <= frontend->ports[i].last)
			return true;
	return false;
}

static bool listens_at(const struct config *config, const struct frontend *frontend,
		       const uint8_t address[16])
{
	const struct prefix_list *list = &frontend->dedicated_ipfo;
	bool listens = !list->set;

	for (size_t i = 0; i < list->n && !listens; i++)
		listens = prefix_contains(&list->v[i], address);
	return listens && frontend_listens(config, frontend);
}

/* Where no frontend has the address that is in the capture, it may stand for that of one. */
static const struct frontend *frontend_at(const struct config *config,
					  const struct pcap_stream *stream)
{
	const struct frontend *with_port = NULL;

	for (size_t i = 0; i < config->n_frontends; i++) {
		const struct frontend *frontend = &config->frontends[i];

		if (!has_port(frontend, stream->server_port))
			continue;
		if (listens_at(config, frontend, stream->server))
			return frontend;
		with_port = with_port ? with_port : frontend;
	}
	return with_port;
}

/* The frontend a connection would come in at; NULL when that cannot be told. */
static const struct frontend *client_frontend(const struct dry_run *run,
					      const struct client *client)
{
	const struct config *config = run->config;
	const struct frontend *found = run->frontend;

	if (!found && client->stream)
		found = frontend_at(config, client->stream);
	return found || config->n_frontends != 1 ? found : &config->frontends[0];
}

/*
 * Takes off the header of a proxy, who is one of the frontend's, or may be as long as nobody knows
 * who it is. False: there has to be one, and is none.
 */
static bool take_header(const struct dry_run *run, const struct frontend *frontend,
			struct client *client)
{
	const struct tables *tables = &run->tables;

	if (!frontend->proxy_sources.set ||
	    (client->source &&
	     !source_is_proxy(tables, tables_row(tables, frontends, frontend->o.id),
			      client->source)))
		return true;
	if (proxy_read(client->bytes, client->len, &client->told) != PROXY_DONE) {
		client->told = (struct proxied){0};
		return !client->source;
	}
	client->bytes += client->told.size;
	client->len -= client->told.size;
	if (client->told.has_addresses)
		client->source = client->told.client;
	return true;
}

static const struct route *route_by_id(const struct config *config, uint32_t id)
{
	for (size_t i = 0; id && i < config->n_routes; i++)
		if (config->routes[i].o.id == id)
			return &config->routes[i];
	return NULL;
}

static void set_decision(json_t *row, const struct decision *decision, const struct route *route,
			 const struct frontend *frontend)
{
	const struct farm *farm = route ? route->target : frontend->default_farm;

	set_string(row, "route", route ? route->o.name : "default");
	set_string(row, "action",
		   decision->action == ACTION_NONE ? "close" : action_name(decision->action));
	set_string(row, "farm", farm ? farm->o.name : NULL);
}

/* No route is what it comes to. */
static void set_action(json_t *row, const char *action)
{
	set_string(row, "route", NULL);
	set_string(row, "action", action);
	set_string(row, "farm", NULL);
}

/* Fills in what happens to the client, and how that came about if `explained`. 0 or -ENOMEM. */
static int decide_client(const struct dry_run *run, const struct frontend *frontend, bool admitted,
			 struct classification *c, bool explained, json_t *row)
{
	const struct frontend_row *compiled;
	struct decision decision;
	const struct route *route;
	json_t *routes = NULL;

	set_string(row, "frontend", frontend ? frontend->o.name : NULL);
	if (!frontend)
		return 0;
	compiled = tables_row(&run->tables, frontends, frontend->o.id);
	admitted &= !c->source_known || source_admitted(&run->tables, compiled, c->subject.source);
	json_object_set_new(row, "source_allowed",
			    c->source_known ? json_boolean(admitted) : json_null());
	if (!admitted) {
		set_action(row, "refused");
		return 0;
	}
	if (classification_decide(c, &run->tables, frontend->o.id, &decision))
		return -ENOMEM;
	route = route_by_id(run->config, decision.route_id);
	if (explained)
		routes = explain_routes(run->config, frontend, c, route);
	if (explain_needs_source(routes))
		set_action(row, "unknown");
	else
		set_decision(row, &decision, route, frontend);
	if (routes)
		json_object_set_new(row, "routes", routes);
	return 0;
}

/* A row for one client, or NULL when out of memory. */
static json_t *client_row(const struct dry_run *run, struct client *client, bool explained)
{
	const struct frontend *frontend = client_frontend(run, client);
	struct classification c;
	json_t *row = NULL;
	bool admitted;

	client->source = run->source_given ? run->source : NULL;
	if (client->stream && !client->source)
		client->source = client->stream->client;
	admitted = !frontend || take_header(run, frontend, client);
	if (!classify(client->bytes, client->len, client->source, &c)) {
		row = json_object();
		set_ends(row, run, client);
		set_hello(row, client, &c);
		if (decide_client(run, frontend, admitted, &c, explained, row)) {
			json_decref(row);
			row = NULL;
		}
	}
	classification_free(&c);
	return row;
}

/* ---- inputs -------------------------------------------------------------------------- */

static int print_one(json_t *row)
{
	json_t *routes = json_object_get(row, "routes");
	int code;

	if (!row)
		return fail(CLI_FAILED, "out of memory");
	code = output_record(columns, row);
	if (!options.json && json_array_size(routes)) {
		putchar('\n');
		code = explain_print(routes);
	}
	json_decref(row);
	return code;
}

static int classify_raw(const struct dry_run *run, const char *bytes, size_t len)
{
	struct client client = {.bytes = (const uint8_t *)bytes, .len = len};
	char names[512] = "";

	if (client_frontend(run, &client))
		return print_one(client_row(run, &client, true));
	for (size_t i = 0; i < run->config->n_frontends; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i ? ", " : "", run->config->frontends[i].o.name);
	return fail(CLI_USAGE, "say which frontend: %s", *names ? names : "there is none");
}

static int classify_capture(const struct dry_run *run, const char *file, const char *bytes,
			    size_t len)
{
	json_t *rows = json_array();
	const char *error;
	struct pcap pcap;
	int code;

	if (pcap_read((const uint8_t *)bytes, len, &pcap, &error)) {
		code = fail(CLI_FAILED, "%s: %s", file_label(file), error);
		goto out;
	}
	if (!pcap.n) {
		code = fail(CLI_FAILED, "%s: no TCP connection in this capture", file_label(file));
		goto out;
	}
	for (size_t i = 0; i < pcap.n; i++) {
		const struct pcap_stream *stream = &pcap.streams[i];
		struct client client = {stream->bytes, stream->len, stream, NULL, {0}};

		json_array_append_new(rows, client_row(run, &client, pcap.n == 1));
	}
	if (options.json || pcap.n > 1)
		code = output_table(columns, rows);
	else
		code = print_one(json_incref(json_array_get(rows, 0)));
out:
	json_decref(rows);
	pcap_free(&pcap);
	return code;
}

/* ---- the command --------------------------------------------------------------------- */

/* Loads and compiles a file. Returns an exit code. */
static int load_config(struct dry_run *run, const char *file)
{
	struct problems problems = {0};
	json_t *list;
	int code = CLI_OK;

	run->config = run->loaded = config_load(file, &problems);
	list = problems_json(&problems);
	if (!run->loaded)
		code = report_failure(list, file, "the configuration is not valid");
	else if (config_assign_ids(run->loaded, NULL, NULL))
		code = fail(CLI_FAILED, "%s: too many objects of one kind", file_label(file));
	json_decref(list);
	problems_free(&problems);
	return code;
}

static int compile(struct dry_run *run)
{
	int err = tables_compile(run->config, &run->tables);

	return err ? fail(CLI_FAILED, "the configuration cannot be compiled: %s", strerror(-err))
		   : CLI_OK;
}

static int parse_source(struct dry_run *run, const char *text)
{
	struct prefix prefix;

	if (!text)
		return CLI_OK;
	if (prefix_parse(text, &prefix) || prefix.length != 128)
		return fail(CLI_USAGE, "source '%s': expected an IPv4 or IPv6 address", text);
	memcpy(run->source, prefix.address, 16);
	run->source_given = true;
	return CLI_OK;
}

/* Gets the configuration, from `config` if it is given, and the frontend asked for. */
static int dry_run_open(struct dry_run *run, const char *config, const char *frontend)
{
	int code = config ? load_config(run, config) : snapshot_open(&run->snapshot);

	if (code)
		return code;
	if (!config)
		run->config = run->snapshot.config;
	if (frontend)
		code = find_frontend(run->config, frontend, NULL, &run->frontend);
	return code ? code : compile(run);
}

static int hello_classify(const char *const *values)
{
	const char *file = values[0] ? values[0] : "-", *frontend = values[1], *config = values[2];
	struct dry_run run = {.snapshot.view.config = -1};
	char *bytes = NULL;
	size_t len;
	int code;

	if (config && !strcmp(config, "-") && !strcmp(file, "-"))
		return fail(CLI_USAGE, "file and config cannot both be standard input");
	code = parse_source(&run, values[3]);
	if (!code)
		code = dry_run_open(&run, config, frontend);
	if (!code)
		code = input_read(file, &bytes, &len);
	if (!code && pcap_recognize((const uint8_t *)bytes, len))
		code = classify_capture(&run, file, bytes, len);
	else if (!code)
		code = classify_raw(&run, bytes, len);
	free(bytes);
	tables_free(&run.tables);
	config_free(run.loaded);
	snapshot_close(&run.snapshot);
	return code;
}

static const struct keyword classify_keywords[] = {{"file", "FILE"},
						   {"frontend", "NAME|ID"},
						   {"config", "FILE"},
						   {"source", "ADDRESS"},
						   {NULL, NULL}};

static const struct verb verbs[] = {
	{.name = "classify",
	 .help = "say what the parser sees in a client's first bytes, and what is decided",
	 .keywords = classify_keywords,
	 .run = hello_classify},
	{.name = NULL},
};

const struct noun noun_hello = {
	.name = "hello",
	.help = "try out how a client's first bytes would be routed",
	.text = "FILE holds the bytes a client sends, or a pcap capture; - (the default) is\n"
		"standard input. With `config FILE` the routes of that file are evaluated, and\n"
		"neither daemon nor privileges are needed. Manual: alpnlb-hello(8).\n",
	.verbs = verbs,
};
