// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a packet of a spliced connection costs, by BPF_PROG_TEST_RUN of the program that rewrites
 * it, with few and with many flows in the table. "one flow": the same flow takes every packet,
 * and is in the caches. "all flows": each packet is of another flow in random order, so that the
 * entries come from memory when there are many. Prints medians and their spread; writes JSON.
 *
 *	packets [FILE]
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <jansson.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/flow.h"
#include "splice.skel.h"

#define ROUNDS	9
#define RUNS	200
#define REPEAT	250 /* each packet's TTL allows no more */
#define PAYLOAD 100

static const unsigned int counts[] = {1000, 1000000};
#define COUNTS (sizeof(counts) / sizeof(*counts))

struct packet {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t options[12]; /* NOP NOP timestamps */
	uint8_t payload[PAYLOAD];
} __attribute__((packed));

struct measure {
	double ns[ROUNDS], median, low, high;
};

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

/* Client `i` of 10.0.0.0/8 to 192.0.2.1:443. */
static void set_key(struct flow_key *key, unsigned int i)
{
	set_address(key->source, 0x0a000000 + i / 50000);
	set_address(key->destination, 0xc0000201);
	key->source_port = htons(1024 + i % 50000);
	key->destination_port = htons(443);
}

/* Turns packets of flow `i` into packets of flow `next`, which the next run meets. */
static void add_flow(int map, unsigned int i, unsigned int next)
{
	struct flow flow = {
		.ifindex = 1,
		.seq_delta = 12345,
		.ack_delta = 54321,
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

static void make_packet(struct packet *packet, unsigned int flow)
{
	struct flow_key key;

	memset(packet, 0, sizeof(*packet));
	set_key(&key, flow);
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
	memcpy(packet->options, "\1\1\10\12\0\0\0\1\0\0\0\1", sizeof(packet->options));
}

/* Nanoseconds per packet. */
static double run(int program, unsigned int count, bool cycle)
{
	double sum = 0;

	for (int i = 0; i < RUNS; i++) {
		struct packet packet;
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &packet,
			    .data_size_in = sizeof(packet), .repeat = REPEAT);

		make_packet(&packet, cycle ? random() % count : 0);
		if (bpf_prog_test_run_opts(program, &options))
			die("run the program", -errno);
		if (options.retval != 7) /* TC_ACT_REDIRECT */
			die("forward a packet", -EPROTO);
		sum += options.duration;
	}
	return sum / RUNS;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void measure(struct measure *m, int program, unsigned int count, bool cycle)
{
	for (int i = 0; i < ROUNDS; i++)
		m->ns[i] = run(program, count, cycle);
	qsort(m->ns, ROUNDS, sizeof(*m->ns), compare);
	m->median = m->ns[ROUNDS / 2];
	m->low = m->ns[0];
	m->high = m->ns[ROUNDS - 1];
}

static struct splice_bpf *load(void)
{
	struct splice_bpf *bpf = splice_bpf__open();

	if (!bpf)
		die("open the programs", -errno);
	bpf_map__set_max_entries(bpf->maps.flows, 2 * counts[COUNTS - 1]);
	if (splice_bpf__load(bpf))
		die("load the programs", -errno);
	return bpf;
}

static json_t *report(unsigned int count, bool cycle, const struct measure *m, double first)
{
	const char *name = cycle ? "all flows" : "one flow";

	printf("%-10s %9u %8.0f %8.0f %8.0f %8.2f\n", name, count, m->median, m->low, m->high,
	       m->median / first);
	return json_pack("{s:s, s:i, s:f, s:f, s:f, s:f}", "packets_of", name, "flows", count,
			 "median_ns", m->median, "min_ns", m->low, "max_ns", m->high, "ratio",
			 m->median / first);
}

int main(int argc, char **argv)
{
	json_t *rows = json_array();

	printf("%-10s %9s %8s %8s %8s %8s\n", "packets of", "flows", "ns", "min", "max", "ratio");
	for (int cycle = 0; cycle < 2; cycle++) {
		double first = 0;

		for (size_t i = 0; i < COUNTS; i++) {
			struct splice_bpf *bpf = load();
			struct measure m;

			fill(bpf_map__fd(bpf->maps.flows), counts[i], cycle);
			measure(&m, bpf_program__fd(bpf->progs.splice), counts[i], cycle);
			splice_bpf__destroy(bpf);
			first = first ? first : m.median;
			json_array_append_new(rows, report(counts[i], cycle, &m, first));
		}
	}
	if (argc > 1 && json_dump_file(rows, argv[1], JSON_INDENT(1)))
		die("write the results", -EIO);
	json_decref(rows);
	return 0;
}
