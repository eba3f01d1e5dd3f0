// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a packet of a spliced connection costs, by BPF_PROG_TEST_RUN of the program that rewrites
 * it, with few and with many flows in the table. "one flow": the same flow takes every packet,
 * and is in the caches. "all flows": each packet is of another flow in random order, so that the
 * entries come from memory when there are many. Every round takes each of them in turn. Prints
 * medians and their spread, and whether the targets are met; writes JSON. The programs at tc and
 *XDP stand beside each other; that at XDP finds its packets' next hop as well, which tc leaves to
 *the kernel.
 *
 *	packets [FILE]
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <jansson.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/flow.h"
#include "../unit/way.h"
#include "door.skel.h"

#define ROUNDS	9
#define RUNS	200
#define REPEAT	250 /* each packet's TTL allows no more */
#define PAYLOAD 100

#define FEW	1000
#define MANY	1000000

/* What "one flow" is to take at most: nanoseconds with FEW flows, and so many times that with MANY.
 */
#define TARGET_NS     200
#define TARGET_NS_XDP 150
#define TARGET_RATIO  1.3

struct packet {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t options[12]; /* NOP NOP timestamps */
	uint8_t payload[PAYLOAD];
} __attribute__((packed));

struct spread {
	double median, low, high;
};

/* A table of flows, and what its packets took. */
struct table {
	const char *hook;
	const char *name;
	unsigned int flows;
	bool cycle;		 /* each packet is of another flow */
	const struct table *few; /* the ratio is to what that one took in the same round */
	struct splice_bpf *bpf;
	struct splice_xdp_bpf *xdp; /* NULL at tc */
	struct door_bpf *door;
	double ns[ROUNDS], ratios[ROUNDS];
	struct spread spread, ratio;
};

static struct table tables[] = {
	{.hook = "tc", .name = "one flow", .flows = FEW, .few = &tables[0]},
	{.hook = "tc", .name = "one flow", .flows = MANY, .few = &tables[0]},
	{.hook = "tc", .name = "all flows", .flows = FEW, .cycle = true, .few = &tables[2]},
	{.hook = "tc", .name = "all flows", .flows = MANY, .cycle = true, .few = &tables[2]},
	{.hook = "xdp", .name = "one flow", .flows = FEW, .few = &tables[4]},
	{.hook = "xdp", .name = "one flow", .flows = MANY, .few = &tables[4]},
	{.hook = "xdp", .name = "all flows", .flows = FEW, .cycle = true, .few = &tables[6]},
	{.hook = "xdp", .name = "all flows", .flows = MANY, .cycle = true, .few = &tables[6]},
	{.hook = "door", .name = "one flow", .flows = FEW, .few = &tables[8]},
};
#define TABLES (sizeof(tables) / sizeof(*tables))

static int die(const char *what, int err)
{
	fprintf(stderr, "packets: cannot %s: %s\n", what, strerror(-err));
	exit(1);
}

/* ---- flows ------------------------------------------------------------------------------- */

static void set_address(uint8_t address[16], uint32_t v4)
{
	memset(address, 0, 16);
	address[10] = address[11] = 0xff;
	v4 = htonl(v4);
	memcpy(address + 12, &v4, 4);
}

static int way; /* interface index */

/* Client `i` of 10.0.0.0/8 to the neighbour, port 443. */
static void set_key(struct flow_key *key, unsigned int i)
{
	set_address(key->source, 0x0a000000 + i / 50000);
	set_address(key->destination, 0x0a010002);
	key->source_port = htons(1024 + i % 50000);
	key->destination_port = htons(443);
}

/* Turns packets of flow `i` into packets of flow `next`, which the next run meets. */
static void add_flow(int map, unsigned int i, unsigned int next)
{
	struct flow flow = {
		.ifindex = way,
		.seq_delta = PAYLOAD, /* so that a packet goes on in its stream */
		.ack_delta = PAYLOAD,
		.tsval_delta = 1111,
		.tsecr_delta = 2222,
		.window_scale = 7,
		.other_scale = 7,
		.constant = FLOW_TIMESTAMPS | FLOW_CLEAR_ECN,
		.mtu = 1500,
	};
	struct flow_key key, to;

	set_key(&key, i);
	set_key(&to, next);
	memcpy(flow.source, to.source, sizeof(flow.source));
	memcpy(flow.destination, to.destination, sizeof(flow.destination));
	flow.source_port = to.source_port;
	flow.destination_port = to.destination_port;
	if (bpf_map_update_elem(map, &key, &flow, BPF_ANY))
		die("add a flow", -errno);
}

/* One cycle through all flows in random order, or each by itself. */
static void fill(int map, unsigned int count, bool cycle)
{
	unsigned int *order = calloc(count, sizeof(*order));

	if (!order)
		die("make an order", -ENOMEM);
	for (unsigned int i = 0; i < count; i++)
		order[i] = i;
	for (unsigned int i = count - 1; cycle && i > 0; i--) {
		unsigned int j = random() % (i + 1), swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
	for (unsigned int i = 0; i < count; i++)
		add_flow(map, order[i], cycle ? order[(i + 1) % count] : order[i]);
	free(order);
}

/* ---- packets ----------------------------------------------------------------------------- */

static void make_packet(struct packet *packet, unsigned int flow, bool at_xdp)
{
	struct flow_key key;

	memset(packet, 0, sizeof(*packet));
	set_key(&key, flow);
	memcpy(packet->ethernet.h_dest, at_xdp ? WAY_MAC : "\0\0\0\0\0\0", ETH_ALEN);
	packet->ethernet.h_proto = htons(ETH_P_IP);
	packet->ip.version = 4;
	packet->ip.ihl = 5;
	packet->ip.ttl = 255;
	packet->ip.protocol = IPPROTO_TCP;
	packet->ip.tot_len = htons(sizeof(*packet) - sizeof(packet->ethernet));
	memcpy(&packet->ip.saddr, key.source + 12, 4);
	memcpy(&packet->ip.daddr, key.destination + 12, 4);
	packet->tcp.source = key.source_port;
	packet->tcp.dest = key.destination_port;
	packet->tcp.doff = 8;
	packet->tcp.ack = 1;
	packet->tcp.window = htons(1000);
	packet->tcp.check = random();
	memcpy(packet->options, "\1\1\10\12\0\0\0\1\0\0\0\1", sizeof(packet->options));
}

static int program_of(const struct table *t)
{
	if (t->door)
		return bpf_program__fd(t->door->progs.door);
	return bpf_program__fd(t->xdp ? t->xdp->progs.splice_xdp : t->bpf->progs.splice);
}

/* Nanoseconds per packet. */
static double run(const struct table *t)
{
	int program = program_of(t);
	uint32_t forwarded = t->xdp ? XDP_REDIRECT : TC_ACT_REDIRECT;
	double sum = 0;
	int others = 0;

	for (int i = 0; i < RUNS; i++) {
		struct packet packet;
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &packet,
			    .data_size_in = sizeof(packet), .repeat = REPEAT);

		make_packet(&packet, t->cycle ? random() % t->flows : 0, t->xdp);
		if (bpf_prog_test_run_opts(program, &options))
			die("run the program", -errno);
		if (options.retval != forwarded) {
			if (++others > RUNS / 10)
				die("forward a packet", -EPROTO);
			i--; /* a checksum at random may look like one that is left to hardware */
			continue;
		}
		sum += options.duration;
	}
	return sum / RUNS;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static struct spread spread_of(const double values[ROUNDS])
{
	double sorted[ROUNDS];

	memcpy(sorted, values, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), compare);
	return (struct spread){sorted[ROUNDS / 2], sorted[0], sorted[ROUNDS - 1]};
}

static struct splice_bpf *load(void)
{
	struct splice_bpf *bpf = splice_bpf__open();

	if (!bpf)
		die("open the programs", -errno);
	bpf_map__set_max_entries(bpf->maps.flows, 2 * MANY);
	if (splice_bpf__load(bpf))
		die("load the programs", -errno);
	return bpf;
}

/*
 * A program that is in use nowhere is made known to the kernel's dispatcher for each
 * BPF_PROG_TEST_RUN, and that takes so long that nothing is left in the caches.
 */
static void keep_in_use(int program)
{
	static unsigned int n;
	char command[64], name[IF_NAMESIZE];

	snprintf(name, sizeof(name), "user%u", n++);
	snprintf(command, sizeof(command), "ip link add %s type veth", name);
	if (system(command) || bpf_xdp_attach(if_nametoindex(name), program, 0, NULL))
		die("use the program", -EIO);
}

static struct splice_xdp_bpf *load_xdp(const struct splice_bpf *bpf)
{
	struct splice_xdp_bpf *xdp = way_open(bpf);

	if (!xdp)
		die("open the program at XDP", -errno);
	xdp->rodata->tc_turn = 63;
	if (splice_xdp_bpf__load(xdp))
		die("load the program at XDP", -errno);
	way_rows(xdp, way, WAY_MAC); /* a packet that was moved is the next one that comes */
	return xdp;
}

static struct door_bpf *load_door(const struct splice_xdp_bpf *xdp)
{
	struct door_bpf *door = door_bpf__open_and_load();
	int next = bpf_program__fd(xdp->progs.splice_xdp);
	uint32_t zero = 0;

	if (!door || bpf_map_update_elem(bpf_map__fd(door->maps.door_next), &zero, &next, BPF_ANY))
		die("load the door", -errno);
	return door;
}

static void load_table(struct table *t)
{
	t->bpf = load();
	if (strcmp(t->hook, "tc"))
		t->xdp = load_xdp(t->bpf);
	if (!strcmp(t->hook, "door"))
		t->door = load_door(t->xdp);
	if (t->xdp)
		keep_in_use(program_of(t));
}

static void measure(int round)
{
	for (struct table *t = tables; t < tables + TABLES; t++)
		t->ns[round] = run(t);
	for (struct table *t = tables; t < tables + TABLES; t++)
		t->ratios[round] = t->ns[round] / t->few->ns[round];
}

/* ---- what came of it --------------------------------------------------------------------- */

static json_t *report_table(struct table *t)
{
	t->spread = spread_of(t->ns);
	t->ratio = spread_of(t->ratios);
	printf("%-4s %-10s %9u %8.0f %8.0f %8.0f %8.2f\n", t->hook, t->name, t->flows,
	       t->spread.median, t->spread.low, t->spread.high, t->ratio.median);
	return json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "hook", t->hook,
			 "packets_of", t->name, "flows", t->flows, "median_ns", t->spread.median,
			 "min_ns", t->spread.low, "max_ns", t->spread.high, "ratio",
			 t->ratio.median, "min_ratio", t->ratio.low, "max_ratio", t->ratio.high);
}

static json_t *report_target(const char *what, const struct spread *spread, const char *unit,
			     double bound)
{
	bool met = spread->median <= bound;

	printf("  %-6s  %-44s %7.2f%s <= %.2f%s  (%.2f..%.2f)\n", met ? "met" : "MISSED", what,
	       spread->median, unit, bound, unit, spread->low, spread->high);
	return json_pack("{s:s, s:f, s:f, s:b}", "target", what, "median", spread->median, "bound",
			 bound, "met", met);
}

static json_t *report(void)
{
	json_t *rows = json_array(), *targets = json_array();

	printf("%-4s %-10s %9s %8s %8s %8s %8s\n", "at", "packets of", "flows", "ns", "min", "max",
	       "ratio");
	for (struct table *t = tables; t < tables + TABLES; t++)
		json_array_append_new(rows, report_table(t));
	printf("\nTargets: medians of %d rounds and min..max\n", ROUNDS);
	json_array_append_new(targets, report_target("a packet, with 1,000 flows",
						     &tables[0].spread, " ns", TARGET_NS));
	json_array_append_new(targets, report_target("a packet, with 1,000,000 flows, to 1,000",
						     &tables[1].ratio, "x", TARGET_RATIO));
	json_array_append_new(targets, report_target("a packet at XDP, with 1,000 flows",
						     &tables[4].spread, " ns", TARGET_NS_XDP));
	json_array_append_new(targets, report_target("a packet at XDP, with 1,000,000, to 1,000",
						     &tables[5].ratio, "x", TARGET_RATIO));
	return json_pack("{s:o, s:o}", "packets", rows, "targets", targets);
}

int main(int argc, char **argv)
{
	json_t *results;

	way = way_make();
	if (way < 0)
		die("make a network namespace", way);
	for (struct table *t = tables; t < tables + TABLES; t++) {
		load_table(t);
		fill(bpf_map__fd(t->bpf->maps.flows), t->flows, t->cycle);
	}
	for (int i = 0; i < ROUNDS; i++)
		measure(i);
	for (struct table *t = tables; t < tables + TABLES; t++) {
		door_bpf__destroy(t->door);
		splice_xdp_bpf__destroy(t->xdp);
		splice_bpf__destroy(t->bpf);
	}
	results = report();
	if (argc > 1 && json_dump_file(results, argv[1], JSON_INDENT(1)))
		die("write the results", -EIO);
	json_decref(results);
	return 0;
}
