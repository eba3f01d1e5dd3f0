// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a whole hello costs the BPF program, parsed and routed, against the number of routes:
 * BPF_PROG_TEST_RUN of the functions that the verdict program runs, over the tables that the
 * daemon would publish. The caches are warm, as the same hello is repeated. Prints medians, their
 * spread and the ratio to a single route; writes the same as JSON to FILE.
 *
 *	routes [FILE]
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../user/kernel/instance.h"
#include "../../user/model/decode.h"
#include "../unit/hellos.h"
#include "classify.skel.h"
#include "tests/unit/replay.skel.h"

#define ROUNDS		9
#define REPEAT		20000
#define ETHERNET_HEADER 14
#define SLOT		1 /* the connection that replay.bpf.c looks at */

static const unsigned int counts[] = {1, 100, 4096};
#define COUNTS (sizeof(counts) / sizeof(*counts))

/* Rule of a route, by its number and by up to LENGTHS - 1 bytes; what a client says to match. */
#define LENGTHS 48
static const struct rule_kind {
	const char *title, *rule, *sni, *alpn;
} kinds[] = {
	{"SNI is", "{field: sni, match: is, pattern: www.site%1$04u.example.net}",
	 "www.site%1$04u.example.net", "protocol-h2"},
	{"SNI endswith", "{field: sni, match: endswith, pattern: .site%1$04u.example.net}",
	 "www.site%1$04u.example.net", "protocol-h2"},
	{"SNI lengths", "{field: sni, match: endswith, pattern: '%2$s.site%1$04u.example.net'}",
	 "a-host.of-a-long-name.in-a-domain.of-a-long-name.site%1$04u.example.net", "protocol-h2"},
	{"ALPN is", "{field: alpn, match: is, pattern: protocol-%1$04u}", "www.site.example.net",
	 "protocol-%1$04u"},
};
#define KINDS  (sizeof(kinds) / sizeof(*kinds))

#define NOBODY 9999u /* no route has this number */

struct measure {
	double ns[ROUNDS], median, low, high;
};

static struct instance instance;
static struct replay_bpf *bpf;
static struct measure measures[KINDS][2][COUNTS]; /* 0: the last route matches, 1: none does */

static int die(const char *what, int err)
{
	fprintf(stderr, "routes: cannot %s: %s\n", what, strerror(-err));
	exit(1);
}

/* ---- configurations ---------------------------------------------------------------------- */

static char *config_text(const struct rule_kind *kind, unsigned int count)
{
	static const char filler[LENGTHS] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		die("make a configuration", -ENOMEM);
	fprintf(f, "farms: [{name: f, servers: [{name: s, address: 10.0.0.1, port: 1}]}]\n"
		   "frontends: [{name: web, port: 443, default_farm: f}]\nroutes:\n");
	for (unsigned int i = 0; i < count; i++) {
		fprintf(f, "- {name: r%u, frontend: web, action: {type: farm, target: f}, rules: [",
			i);
		fprintf(f, kind->rule, i, filler + LENGTHS - 1 - (count - 1 - i) % LENGTHS);
		fprintf(f, "]}\n");
	}
	fclose(f);
	return text;
}

static void compile(const struct rule_kind *kind, unsigned int count, struct tables *tables)
{
	struct problems problems = {0};
	char *text = config_text(kind, count);
	struct document *document = document_parse(text, strlen(text), &problems);
	struct config *config = document ? config_decode(document, &problems) : NULL;
	int err;

	if (!config)
		die("decode the configuration", -EINVAL);
	err = config_assign_ids(config, NULL, NULL);
	err = err ? err : tables_compile(config, tables);
	if (err)
		die("compile the configuration", err);
	config_free(config);
	document_free(document);
	problems_free(&problems);
	free(text);
}

/* ---- the hello --------------------------------------------------------------------------- */

/* As browsers send it: some 600 bytes, the names amid extensions that nobody looks at. */
static void make_hello(const struct rule_kind *kind, unsigned int number, struct bytes *packet)
{
	static struct bytes extensions, message;
	char sni[SNI_MAX + 1], names[64];
	int len;

	extensions.len = message.len = packet->len = 0;
	snprintf(sni, sizeof(sni), kind->sni, number);
	len = snprintf(names + 1, sizeof(names) - 1, kind->alpn, number);
	names[0] = len;
	memcpy(names + 1 + len, "\x02h2\x08http/1.1", 12);
	put_extension(&extensions, 0x1a1a, "", 0);
	put_server_name(&extensions, sni, strlen(sni));
	put_extension(&extensions, 10, "\0\6\x11\xec\0\x1d\0\x17", 8);
	put_extension(&extensions, 35, "", 0);
	put_alpn(&extensions, names, 1 + len + 12);
	put_extension(&extensions, 43, "\4\3\4\3\3", 5);
	put_extension(&extensions, 51, (char[300]){1, 42}, 300);
	put_extension(&extensions, 21, (char[150]){0}, 150);
	put_hello(&message, &extensions);
	put_zeros(packet, ETHERNET_HEADER);
	put_records(packet, &message, 16384);
}

/* ---- measuring --------------------------------------------------------------------------- */

static void no_lock(void *context)
{
}

static double run(const struct bytes *packet, unsigned int route)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet->v, .data_size_in = packet->len,
		    .repeat = REPEAT);
	struct conn *conn = &instance.conns[SLOT];
	int err;

	memset(conn, 0, sizeof(*conn));
	conn->frontend_id = 1;
	err = bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.replay_whole), &run);
	if (err)
		die("run the program", err);
	if (run.retval != VERDICT_TLS || conn->state != CONN_DECIDED || conn->route_id != route) {
		fprintf(stderr, "routes: verdict %u and route %u, expected route %u\n", run.retval,
			conn->route_id, route);
		exit(1);
	}
	return run.duration;
}

/* One round of a kind: every count in turn, so that a busy host hits all alike. */
static void measure_round(size_t kind, struct tables *tables, unsigned int round)
{
	static struct bytes packet;

	for (size_t i = 0; i < COUNTS; i++) {
		int err = instance_publish(&instance, &tables[i], 1, no_lock, no_lock, NULL);

		if (err)
			die("publish tables", err);
		make_hello(&kinds[kind], counts[i] - 1, &packet);
		measures[kind][0][i].ns[round] = run(&packet, counts[i]);
		make_hello(&kinds[kind], NOBODY, &packet);
		measures[kind][1][i].ns[round] = run(&packet, 0);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure_kind(size_t kind)
{
	struct tables tables[COUNTS] = {0};

	for (size_t i = 0; i < COUNTS; i++)
		compile(&kinds[kind], counts[i], &tables[i]);
	for (unsigned int round = 0; round < ROUNDS; round++)
		measure_round(kind, tables, round);
	for (size_t i = 0; i < COUNTS; i++)
		tables_free(&tables[i]);
	for (size_t i = 0; i < 2 * COUNTS; i++) {
		struct measure *m = &measures[kind][i / COUNTS][i % COUNTS];

		qsort(m->ns, ROUNDS, sizeof(*m->ns), by_value);
		m->median = m->ns[ROUNDS / 2];
		m->low = m->ns[0];
		m->high = m->ns[ROUNDS - 1];
	}
}

/* ---- report ------------------------------------------------------------------------------ */

static json_t *report_line(size_t kind, size_t miss, size_t i)
{
	const struct measure *m = &measures[kind][miss][i];
	double ratio = m->median / measures[kind][miss][0].median;

	printf("%-14s %-6s %8u %8.0f %8.0f %8.0f %8.2f\n", kinds[kind].title,
	       miss ? "none" : "last", counts[i], m->median, m->low, m->high, ratio);
	return json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f}", "rule", kinds[kind].title, "match",
			 miss ? "none" : "last", "routes", counts[i], "ns", m->median, "ns_min",
			 m->low, "ns_max", m->high, "ratio", ratio);
}

static int report(const char *file)
{
	json_t *lines = json_array();
	int err;

	printf("%-14s %-6s %8s %8s %8s %8s %8s\n", "rule", "match", "routes", "ns", "min", "max",
	       "ratio");
	for (size_t kind = 0; kind < KINDS; kind++)
		for (size_t miss = 0; miss < 2; miss++)
			for (size_t i = 0; i < COUNTS; i++)
				json_array_append_new(lines, report_line(kind, miss, i));
	err = file && json_dump_file(lines, file, JSON_INDENT(2) | JSON_REAL_PRECISION(5)) ? -EIO
											   : 0;
	json_decref(lines);
	return err;
}

/* ---- life -------------------------------------------------------------------------------- */

/* Pins are for others; what is open stays open. */
static void remove_pins(void)
{
	char path[512];
	struct dirent *entry;
	DIR *pins = opendir(instance.pin_dir);

	while (pins && (entry = readdir(pins))) {
		snprintf(path, sizeof(path), "%s/%s", instance.pin_dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (pins)
		closedir(pins);
	rmdir(instance.pin_dir);
}

static void open_instance(void)
{
	const char *failed;
	struct bpf_map *map;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "bench-routes-%d", getpid());
	err = instance_open(&instance, name, 4, &failed);
	if (err)
		die(failed, err);
	remove_pins();
	bpf = replay_bpf__open();
	if (!bpf)
		die("open the program", -errno);
	bpf_program__set_autoload(bpf->progs.classify, false);
	bpf_object__for_each_map(map, bpf->obj)
	{
		int fd =
			bpf_object__find_map_fd_by_name(instance.programs->obj, bpf_map__name(map));

		if (fd >= 0 && !bpf_map__is_internal(map) && bpf_map__reuse_fd(map, fd))
			die("share a map", -errno);
	}
	err = replay_bpf__load(bpf);
	if (err)
		die("load the program", err);
}

int main(int argc, char **argv)
{
	int err;

	open_instance();
	for (size_t kind = 0; kind < KINDS; kind++)
		measure_kind(kind);
	err = report(argc > 1 ? argv[1] : NULL);
	replay_bpf__destroy(bpf);
	instance_close(&instance);
	return err ? die("write the report", err) : 0;
}
