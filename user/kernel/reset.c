// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "reset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../model/prefix.h"

static uint32_t sum_words(const void *data, size_t size, uint32_t sum)
{
	const uint16_t *words = data;

	for (size_t i = 0; i < size / 2; i++)
		sum += words[i];
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* A header, and room for NOP NOP timestamps. */
struct segment {
	struct tcphdr tcp;
	uint8_t options[2];
	uint8_t kind, size;
	uint32_t timestamps[2];
};
#define TIMESTAMPS_SIZE (sizeof(struct segment) - sizeof(struct tcphdr))

/* To the sender of the packets of `key`, as if from their receiver. */
static void fill_ends(struct segment *segment, const struct flow_key *key, size_t size)
{
	struct tcphdr *tcp = &segment->tcp;
	uint32_t sum;

	tcp->source = key->destination_port;
	tcp->dest = key->source_port;
	tcp->doff = size / 4;
	/* The pseudo header: that of mapped addresses has the same sum, but for their prefix. */
	sum = htons(IPPROTO_TCP) + htons(size);
	if (address_is_mapped(key->source)) {
		sum = sum_words(key->source + 12, 4, sum);
		sum = sum_words(key->destination + 12, 4, sum);
	} else {
		sum = sum_words(key->source, 16, sum);
		sum = sum_words(key->destination, 16, sum);
	}
	tcp->check = checksum(sum_words(segment, size, sum));
}

static int send_packet(int *fd, const void *packet, size_t size, const struct sockaddr *to,
		       socklen_t to_size)
{
	if (*fd < 0)
		*fd = socket(to->sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (*fd < 0 || sendto(*fd, packet, size, MSG_DONTWAIT, to, to_size) < 0)
		return -errno;
	return 0;
}

/* IPPROTO_RAW sockets take packets with their IP header, raw(7); the kernel fills its checksum. */
static int send_v4(int *fd, const struct flow_key *key, const struct segment *segment, size_t size)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct {
		struct iphdr ip;
		struct segment segment;
	} packet = {.ip = {.version = 4, .ihl = 5, .ttl = IPDEFTTL, .protocol = IPPROTO_TCP}};

	packet.ip.tot_len = htons(sizeof(packet.ip) + size);
	packet.ip.frag_off = htons(IP_DF);
	memcpy(&packet.ip.saddr, key->destination + 12, 4);
	memcpy(&packet.ip.daddr, key->source + 12, 4);
	memcpy(&to.sin_addr, key->source + 12, 4);
	packet.segment = *segment;
	return send_packet(fd, &packet, sizeof(packet.ip) + size, (struct sockaddr *)&to,
			   sizeof(to));
}

static int send_v6(int *fd, const struct flow_key *key, const struct segment *segment, size_t size)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	struct {
		struct ip6_hdr ip;
		struct segment segment;
	} packet = {.ip = {.ip6_hlim = IPDEFTTL, .ip6_nxt = IPPROTO_TCP}};

	packet.ip.ip6_vfc =
		6 << 4; /* a member of a union: cannot be initialized beside the others */
	packet.ip.ip6_plen = htons(size);
	memcpy(&packet.ip.ip6_src, key->destination, 16);
	memcpy(&packet.ip.ip6_dst, key->source, 16);
	memcpy(&to.sin6_addr, key->source, 16);
	packet.segment = *segment;
	return send_packet(fd, &packet, sizeof(packet.ip) + size, (struct sockaddr *)&to,
			   sizeof(to));
}

static int send_segment(struct reset_sockets *sockets, const struct flow_key *key,
			struct segment *segment, size_t size)
{
	fill_ends(segment, key, size);
	return address_is_mapped(key->source) ? send_v4(&sockets->v4, key, segment, size)
					      : send_v6(&sockets->v6, key, segment, size);
}

int keepalive_send(struct reset_sockets *sockets, const struct flow_key *key, uint32_t seq,
		   uint32_t ack, const uint32_t timestamps[2])
{
	struct segment segment = {
		.tcp = {.seq = htonl(seq - 1), .ack_seq = htonl(ack), .ack = 1, .window = htons(1)},
		.options = {1, 1},
		.kind = TCPOPT_TIMESTAMP,
		.size = TCPOLEN_TIMESTAMP,
	};

	for (int i = 0; timestamps && i < 2; i++)
		segment.timestamps[i] = htonl(timestamps[i]);
	return send_segment(sockets, key, &segment,
			    sizeof(segment) - (timestamps ? 0 : TIMESTAMPS_SIZE));
}

static int reset_side(struct reset_sockets *sockets, const struct flow_event *event, enum side side)
{
	struct segment segment = {.tcp = {.seq = htonl(event->expects[side]), .rst = 1}};

	return send_segment(sockets, &event->key[side], &segment, sizeof(segment.tcp));
}

int flow_reset(struct reset_sockets *sockets, const struct flow_event *event)
{
	int client = 0, server = 0;

	if (event->end != FLOW_END_CLIENT_RESET)
		client = reset_side(sockets, event, CLIENT);
	if (event->end != FLOW_END_SERVER_RESET)
		server = reset_side(sockets, event, SERVER);
	return client ? client : server;
}

void reset_sockets_close(struct reset_sockets *sockets)
{
	if (sockets->v4 >= 0)
		close(sockets->v4);
	if (sockets->v6 >= 0)
		close(sockets->v6);
	*sockets = RESET_SOCKETS_NONE;
}
