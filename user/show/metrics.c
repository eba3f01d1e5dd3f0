/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "metrics.h"

#include <string.h>

#include "rows.h"

/* A metric of a kind of object: a member of what its rows have. */
struct metric {
	const char *name, *key, *help;
	bool gauge;
};

/* clang-format off */
#define TOTAL(of, name, key, help) {"alpnlb_" of "_" name "_total", key, help, false}
#define LIVE(of)		   {"alpnlb_" of "_connections", "live", "Live connections.", true}
#define TRAFFIC(of)                                                                                \
	TOTAL(of, "bytes_from_clients", "bytes_from_clients", "Bytes that clients sent."),         \
	TOTAL(of, "bytes_from_servers", "bytes_from_servers", "Bytes that servers sent."),         \
	TOTAL(of, "packets_from_clients", "packets_from_clients",                                  \
	      "Packets of clients on the packet path."),                                           \
	TOTAL(of, "packets_from_servers", "packets_from_servers",                                  \
	      "Packets of servers on the packet path.")
#define METRICS_END {NULL, NULL, NULL, false}
/* clang-format on */

static const struct metric frontend_metrics[] = {
	LIVE("frontend"),
	TOTAL("frontend", "accepted", "accepted", "Connections accepted."),
	TOTAL("frontend", "refused", "refused", "Connections that were not welcome."),
	TOTAL("frontend", "default_farm", "to_default_farm", "Decisions without a route."),
	TOTAL("frontend", "ech", "ech", "Hellos with encrypted_client_hello."),
	TRAFFIC("frontend"),
	METRICS_END,
};
static const struct metric route_metrics[] = {
	LIVE("route"),
	TOTAL("route", "matched", "matched", "Decisions by this route."),
	TRAFFIC("route"),
	METRICS_END,
};
static const struct metric farm_metrics[] = {
	LIVE("farm"),
	TOTAL("farm", "chosen", "chosen", "Connections that were led to the farm."),
	TRAFFIC("farm"),
	METRICS_END,
};
static const struct metric server_metrics[] = {
	LIVE("server"),
	TOTAL("server", "chosen", "chosen", "Times it was picked, also by a retry."),
	TOTAL("server", "connected", "connected", "Connections to it that were made."),
	TOTAL("server", "refused", "refused", "Connections that it refused."),
	TOTAL("server", "timeouts", "timeouts", "Connections that were not made in time."),
	TOTAL("server", "errors", "errors", "Connections that failed otherwise."),
	TRAFFIC("server"),
	METRICS_END,
};

static void put_head(FILE *out, const char *name, const char *help, bool gauge)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, gauge ? "gauge" : "counter");
}

/* Names of objects have no characters that would have to be escaped. */
static void put_labels(FILE *out, const json_t *row, const char *const labels[])
{
	char before = '{';

	for (; *labels; labels += 2) {
		const char *value = json_string_value(json_object_get(row, labels[1]));

		if (!value)
			continue;
		fprintf(out, "%c%s=\"%s\"", before, labels[0], value);
		before = ',';
	}
	fputc('}', out);
}

/* Takes over `rows`. */
static void put_objects(FILE *out, const struct metric *metrics, json_t *rows,
			const char *const labels[])
{
	json_t *row;
	size_t i;

	for (; metrics->name; metrics++) {
		put_head(out, metrics->name, metrics->help, metrics->gauge);
		json_array_foreach (rows, i, row) {
			json_t *value = json_object_get(row, metrics->key);

			fputs(metrics->name, out);
			put_labels(out, row, labels);
			fprintf(out, " %lld\n", (long long)json_integer_value(value));
		}
	}
	json_decref(rows);
}

/* Of an object in each row: one sample for each of its members. */
static void put_members(FILE *out, const char *name, const char *help, json_t *rows,
			const char *key, const char *label)
{
	json_t *row, *value;
	const char *member;
	size_t i;

	put_head(out, name, help, false);
	json_array_foreach (rows, i, row) {
		const char *frontend = json_string_value(json_object_get(row, "name"));

		json_object_foreach (json_object_get(row, key), member, value)
			fprintf(out, "%s{frontend=\"%s\",%s=\"%s\"} %lld\n", name, frontend, label,
				member, (long long)json_integer_value(value));
	}
	json_decref(rows);
}

/* These go down again. */
static bool is_gauge(enum counter counter)
{
	return counter == COUNTER_PORTS_IN_USE;
}

static void put_counters(FILE *out, const struct view *view)
{
	static const struct {
		const char *name, *help;
	} counters[] = {
#define X(id, name, help) {name, help},
		COUNTERS(X)
#undef X
	};
	char name[64];

	for (int i = 0; i < COUNTER_MAX; i++) {
		snprintf(name, sizeof(name), "alpnlb_%s%s", counters[i].name,
			 is_gauge(i) ? "" : "_total");
		put_head(out, name, counters[i].help, is_gauge(i));
		fprintf(out, "%s %llu\n", name, (unsigned long long)view_counter(view, i));
	}
}

void metrics_write(FILE *out, const struct config *config, const struct view *view,
		   uint32_t revision)
{
	static const char *const frontend[] = {"frontend", "name", NULL};
	static const char *const route[] = {"frontend", "frontend", "route", "name", NULL};
	static const char *const farm[] = {"farm", "name", NULL};
	static const char *const server[] = {"farm", "farm", "server", "name", NULL};

	put_head(out, "alpnlb_revision", "The running configuration.", true);
	fprintf(out, "alpnlb_revision %u\n", revision);
	put_counters(out, view);
	put_objects(out, frontend_metrics, frontend_rows(config, view), frontend);
	put_members(out, "alpnlb_frontend_dropped_total", "Packets dropped at the door.",
		    frontend_rows(config, view), "dropped", "reason");
	put_members(out, "alpnlb_frontend_hellos_total",
		    "Connections by what the client said first.", frontend_rows(config, view),
		    "verdicts", "verdict");
	put_members(out, "alpnlb_frontend_paths_total", "Connections by how bytes are moved.",
		    frontend_rows(config, view), "paths", "path");
	put_objects(out, route_metrics, route_rows(config, NULL, view), route);
	put_objects(out, farm_metrics, farm_rows(config, view), farm);
	put_objects(out, server_metrics, server_rows(config, NULL, view), server);
}
