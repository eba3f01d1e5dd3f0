// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the door takes for a packet, by BPF_PROG_RUN: nanoseconds, the least of some runs.
 *
 *	door_cost [FILE]	with the bans that FILE lists, an address or block a line
 */
#include <bpf/bpf.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/kernel/acl.h"
#include "../../user/kernel/door_tables.h"
#include "../../user/model/decode.h"
#include "../../user/model/prefix.h"
#include "door.skel.h"

#define RUNS   20
#define REPEAT 100000

static const char yaml[] =
	"farms: [ { name: f, port: 80, servers: [ { name: s, address: 10.0.0.1 } ] } ]\n"
	"frontends:\n"
	"  - { name: web, port: 443, default_farm: f, denied_source: [ 192.0.2.0/24 ] }\n"
	"  - { name: rated, port: 444, default_farm: f, source_rate_limit: 4000000000 }\n";

static const struct {
	const char *what, *from;
	uint16_t port;
	uint8_t flags;
} packets[] = {
	{"to no frontend", "203.0.113.1", 22, TH_SYN},
	{"of a connection", "203.0.113.1", 443, TH_ACK},
	{"a SYN that a list lets in", "203.0.113.1", 443, TH_SYN},
	{"a SYN that a list denies", "192.0.2.1", 443, TH_SYN},
	{"a SYN within the rate of its source", "203.0.113.1", 444, TH_SYN},
	{"banned", "11.22.33.44", 443, TH_SYN},
};

static int run(int program, const void *packet, size_t size, double *nanoseconds)
{
	*nanoseconds = 1e9;
	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = size,
			    .repeat = REPEAT);

		if (bpf_prog_test_run_opts(program, &options))
			return 1;
		if (options.duration < *nanoseconds)
			*nanoseconds = options.duration;
	}
	return 0;
}

static size_t make(uint8_t *packet, const char *from, uint16_t port, uint8_t flags)
{
	struct ether_header ethernet = {.ether_type = htons(ETHERTYPE_IP)};
	struct iphdr ip = {.version = 4,
			   .ihl = 5,
			   .tot_len = htons(sizeof(ip) + sizeof(struct tcphdr)),
			   .protocol = IPPROTO_TCP};
	struct tcphdr tcp = {
		.th_sport = htons(40000), .th_dport = htons(port), .th_off = 5, .th_flags = flags};
	uint8_t address[16];

	address_parse(from, address);
	memcpy(&ip.saddr, address + 12, 4);
	address_parse("127.0.0.1", address);
	memcpy(&ip.daddr, address + 12, 4);
	memcpy(packet, &ethernet, sizeof(ethernet));
	memcpy(packet + sizeof(ethernet), &ip, sizeof(ip));
	memcpy(packet + sizeof(ethernet) + sizeof(ip), &tcp, sizeof(tcp));
	return sizeof(ethernet) + sizeof(ip) + sizeof(tcp);
}

static size_t read_bans(const char *path, struct acl *acl)
{
	FILE *file = fopen(path, "re");
	struct acl_entry entry = {0};
	char line[64];
	size_t n = 0;

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (prefix_scan(line, &entry.prefix) == PREFIX_OK)
			n += !acl_add(acl, &entry, 1);
	}
	if (file)
		fclose(file);
	return n;
}

static int load(struct door_bpf *door, struct acl *acl)
{
	struct problems problems = {0};
	struct document *document = document_parse(yaml, strlen(yaml), &problems);
	struct config *config = config_decode(document, &problems);
	int fds[DOOR_TABLE_MAX], err;
	__u32 zero = 0;

	err = !config || config_assign_ids(config, NULL, NULL) || acl_make(acl, "none") ||
	      bpf_map__reuse_fd(door->maps.door_control, acl->control_fd) ||
	      bpf_map__reuse_fd(door->maps.acl4, acl->tries[0]) ||
	      bpf_map__reuse_fd(door->maps.acl6, acl->tries[1]) || door_bpf__load(door) ||
	      door_tables_make(config, fds);
	for (int i = 0; !err && i < DOOR_TABLE_MAX; i++)
		err = bpf_map_update_elem(
			bpf_object__find_map_fd_by_name(door->obj, door_table_name[i]), &zero,
			&fds[i], BPF_ANY);
	config_free(config);
	document_free(document);
	return err;
}

int main(int argc, char **argv)
{
	struct door_bpf *door = door_bpf__open();
	uint8_t packet[128];
	struct acl acl;
	double time;

	if (!door || load(door, &acl)) {
		fprintf(stderr, "door_cost: cannot load the door\n");
		return 1;
	}
	printf("ns per packet, %zu bans\n", argc > 1 ? read_bans(argv[1], &acl) : 0);
	for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++) {
		size_t size = make(packet, packets[i].from, packets[i].port, packets[i].flags);

		if (run(bpf_program__fd(door->progs.door), packet, size, &time))
			return 1;
		printf("%-40s %6.0f\n", packets[i].what, time);
	}
	door_bpf__destroy(door);
	acl_close(&acl);
	return 0;
}
