// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Flows as an earlier daemon may have left them, more than clients can make in a test: FIRST to
 * LAST, each quiet for AGE and to be forgotten after IDLE (0 = never), milliseconds. Flow number i
 * is from 10.0.0.0 + i, and from 198.51.100.1 to port 9000 of SERVER (100.64.0.0), or of addresses
 * behind it: each has 20,000.
 *
 *	fill INSTANCE FIRST LAST AGE IDLE [SERVER]
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../../bpf/flow.h"
#include "../../../user/kernel/pin.h"

#define BATCH	   4096 /* flows */
#define PER_SERVER 20000
#define FIRST_PORT 10240

static uint32_t server = 0x64400000;
static struct flow_key keys[2 * BATCH];
static struct flow flows[2 * BATCH];

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void set_address(uint8_t address[16], uint32_t v4)
{
	memset(address, 0, 16);
	address[10] = address[11] = 0xff;
	v4 = htonl(v4);
	memcpy(address + 12, &v4, sizeof(v4));
}

/* Both entries: what comes in is moved between the two. */
static void make_flow(uint32_t i, uint64_t seen, uint32_t idle, struct flow_key key[2],
		      struct flow flow[2])
{
	set_address(key[0].source, 0x0a000000 + i);
	set_address(key[0].destination, 0xc0000201); /* 192.0.2.1 */
	key[0].source_port = htons(40000);
	key[0].destination_port = htons(443);
	set_address(key[1].source, server + i / PER_SERVER);
	set_address(key[1].destination, 0xc6336401); /* 198.51.100.1 */
	key[1].source_port = htons(9000);
	key[1].destination_port = htons(FIRST_PORT + i % PER_SERVER);
	for (int side = 0; side < 2; side++) {
		const struct flow_key *peer = &key[!side];

		flow[side] = (struct flow){.seen = seen, .started = seen, .idle_timeout = idle};
		flow[side].constant = FLOW_TIMESTAMPS | (side ? FLOW_FROM_SERVER : 0);
		flow[side].frontend_id = flow[side].farm_id = flow[side].server_id = 1;
		memcpy(flow[side].source, peer->destination, 16);
		memcpy(flow[side].destination, peer->source, 16);
		flow[side].source_port = peer->destination_port;
		flow[side].destination_port = peer->source_port;
	}
}

int main(int argc, char **argv)
{
	uint32_t first, last, idle;
	char path[256];
	uint64_t seen;
	int map;

	if (argc != 6 && argc != 7)
		return 2;
	if (argc == 7)
		server = ntohl(inet_addr(argv[6]));
	first = strtoul(argv[2], NULL, 10);
	last = strtoul(argv[3], NULL, 10);
	seen = now() - strtoull(argv[4], NULL, 10) * 1000000;
	idle = strtoul(argv[5], NULL, 10);
	snprintf(path, sizeof(path), PIN_ROOT "/%s/flows", argv[1]);
	map = bpf_obj_get(path);
	while (map >= 0 && first <= last) {
		__u32 n = last - first < BATCH ? last - first + 1 : BATCH, entries = 2 * n;

		for (__u32 i = 0; i < n; i++)
			make_flow(first + i, seen, idle, &keys[2 * i], &flows[2 * i]);
		if (bpf_map_update_batch(map, keys, flows, &entries, NULL))
			break;
		first += n;
	}
	if (map >= 0 && first > last)
		return 0;
	fprintf(stderr, "fill: %s: %s\n", path, strerror(errno));
	return 1;
}
