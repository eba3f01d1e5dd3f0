/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "pcap.h"

#define PCAP_MEMORY_MAX (256u << 20) /* for all streams of a capture */

enum {
	FILE_HEADER = 24,
	RECORD_HEADER = 16,
	MAGIC_MICROSECONDS = 0xa1b2c3d4,
	MAGIC_NANOSECONDS = 0xa1b23c4d,
	MAGIC_PCAPNG = 0x0a0d0d0a,
};

/* https://www.tcpdump.org/linktypes.html */
enum link_type {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW_BSD = 12,
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

/* Bytes not yet read. The readers return NULL, or 0, when there are too few. */
struct cursor {
	const uint8_t *p, *end;
};

/* A TCP segment and where it belongs. */
struct segment {
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
	uint32_t seq;
	uint8_t flags;
	struct cursor payload;
};

struct endpoints {
	uint8_t client[16], server[16];
	uint16_t client_port, server_port;
};

/* A stream under construction. */
struct flow {
	UT_hash_handle hh;
	struct endpoints key;
	size_t index;	/* in pcap.streams */
	uint32_t first; /* sequence number of the first byte */
	uint8_t *have;	/* by byte: is it there? */
	size_t room;	/* of `have` and of the stream's bytes */
};

struct reader {
	struct pcap *pcap;
	struct flow *flows;   /* by endpoints; of several in a row, the latest */
	struct flow *retired; /* the others, linked through hh.next */
	size_t memory;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if ((size_t)(c->end - p) < n)
		return NULL;
	c->p += n;
	return p;
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* Ends the cursor after `n` bytes: what follows is padding. */
static void limit(struct cursor *c, size_t n)
{
	if ((size_t)(c->end - c->p) > n)
		c->end = c->p + n;
}

/* ---- packets ------------------------------------------------------------------------- */

/* Passes over the link header. False when there is no IP behind it. */
static bool read_ethernet(struct cursor *c)
{
	const uint8_t *p = take(c, 14);
	uint16_t type = p ? get16(p + 12) : 0;

	while (type == 0x8100 || type == 0x88a8) { /* IEEE 802.1Q, 802.1ad */
		p = take(c, 4);
		type = p ? get16(p + 2) : 0;
	}
	return type == 0x0800 || type == 0x86dd;
}

static bool read_link(struct cursor *c, enum link_type type)
{
	const uint8_t *p;

	switch (type) {
	case LINK_ETHERNET:
		return read_ethernet(c);
	case LINK_SLL:
		p = take(c, 16);
		return p && (get16(p + 14) == 0x0800 || get16(p + 14) == 0x86dd);
	case LINK_SLL2:
		p = take(c, 20);
		return p && (get16(p) == 0x0800 || get16(p) == 0x86dd);
	case LINK_NULL:
	case LINK_LOOP:
		return take(c, 4); /* the family's number depends on the system: see the version */
	default:
		return true;
	}
}

static void map_ipv4(uint8_t address[16], const uint8_t ipv4[4])
{
	memset(address, 0, 10);
	memset(address + 10, 0xff, 2);
	memcpy(address + 12, ipv4, 4);
}

static bool read_ipv4(struct cursor *c, struct segment *s)
{
	const uint8_t *p = take(c, 20);
	size_t header, total;

	if (!p || p[9] != IPPROTO_TCP || get16(p + 6) & 0x3fff)
		return false;
	header = (p[0] & 15) * 4;
	total = get16(p + 2);
	if (header < 20 || (total && total < header) || !take(c, header - 20))
		return false;
	if (total) /* 0: captured before segmentation offload */
		limit(c, total - header);
	map_ipv4(s->source, p + 12);
	map_ipv4(s->destination, p + 16);
	return true;
}

/* Passes over extension headers. RFC 8200 section 4. */
static bool read_ipv6_extensions(struct cursor *c, uint8_t next)
{
	while (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) {
		const uint8_t *p = take(c, 8);

		if (!p || !take(c, p[1] * 8))
			return false;
		next = p[0];
	}
	return next == IPPROTO_TCP;
}

static bool read_ipv6(struct cursor *c, struct segment *s)
{
	const uint8_t *p = take(c, 40);

	if (!p)
		return false;
	if (get16(p + 4)) /* 0: a jumbogram, or captured before segmentation offload */
		limit(c, get16(p + 4));
	memcpy(s->source, p + 8, 16);
	memcpy(s->destination, p + 24, 16);
	return read_ipv6_extensions(c, p[6]);
}

static bool read_tcp(struct cursor *c, struct segment *s)
{
	const uint8_t *p = take(c, 20);
	size_t header = p ? (p[12] >> 4) * 4 : 0;

	if (header < 20 || !take(c, header - 20))
		return false;
	s->source_port = get16(p);
	s->destination_port = get16(p + 2);
	s->seq = get32(p + 4);
	s->flags = p[13];
	s->payload = *c;
	return true;
}

/* Reads a packet down to its TCP payload. False when it is something else. */
static bool read_packet(struct cursor c, enum link_type type, struct segment *s)
{
	if (!read_link(&c, type) || c.p == c.end)
		return false;
	switch (*c.p >> 4) {
	case 4:
		return read_ipv4(&c, s) && read_tcp(&c, s);
	case 6:
		return read_ipv6(&c, s) && read_tcp(&c, s);
	default:
		return false;
	}
}

/* ---- streams ------------------------------------------------------------------------- */

static struct endpoints endpoints(const struct segment *s, bool from_client)
{
	struct endpoints key;

	memset(&key, 0, sizeof(key));
	memcpy(key.client, from_client ? s->source : s->destination, 16);
	memcpy(key.server, from_client ? s->destination : s->source, 16);
	key.client_port = from_client ? s->source_port : s->destination_port;
	key.server_port = from_client ? s->destination_port : s->source_port;
	return key;
}

static struct flow *flow_find(struct reader *r, const struct segment *s, bool from_client)
{
	struct endpoints key = endpoints(s, from_client);
	struct flow *flow;

	HASH_FIND(hh, r->flows, &key, sizeof(key), flow);
	return flow;
}

/* Begins a stream whose client sent `s`. Returns it, or NULL when out of memory. */
static struct flow *flow_new(struct reader *r, const struct segment *s)
{
	struct pcap *pcap = r->pcap;
	struct pcap_stream *streams, *stream;
	struct flow *flow = calloc(1, sizeof(*flow));

	streams = reallocarray(pcap->streams, pcap->n + 1, sizeof(*streams));
	if (streams)
		pcap->streams = streams;
	if (!streams || !flow) {
		free(flow);
		return NULL;
	}
	flow->key = endpoints(s, true);
	flow->index = pcap->n;
	flow->first = s->seq + !!(s->flags & TCP_SYN);
	HASH_ADD(hh, r->flows, key, sizeof(flow->key), flow);
	stream = &streams[pcap->n++];
	*stream = (struct pcap_stream){
		.client_port = flow->key.client_port,
		.server_port = flow->key.server_port,
		.syn = s->flags & TCP_SYN,
	};
	memcpy(stream->client, flow->key.client, 16);
	memcpy(stream->server, flow->key.server, 16);
	return flow;
}

static int flow_grow(struct reader *r, struct flow *flow, size_t size)
{
	struct pcap_stream *stream = &r->pcap->streams[flow->index];
	size_t room = flow->room ? flow->room : 2048;
	uint8_t *bytes, *have;

	while (room < size)
		room *= 2;
	if (room == flow->room)
		return 0;
	r->memory += 2 * (room - flow->room);
	if (r->memory > PCAP_MEMORY_MAX)
		return -E2BIG;
	bytes = realloc(stream->bytes, room);
	if (bytes)
		stream->bytes = bytes;
	have = realloc(flow->have, room);
	if (have)
		flow->have = have;
	if (!bytes || !have)
		return -ENOMEM;
	memset(have + flow->room, 0, room - flow->room);
	flow->room = room;
	return 0;
}

/* Puts the payload where its sequence number says. What came first stays. */
static int flow_add(struct reader *r, struct flow *flow, const struct segment *s)
{
	struct pcap_stream *stream = &r->pcap->streams[flow->index];
	int32_t at = s->seq + !!(s->flags & TCP_SYN) - flow->first;
	struct cursor c = s->payload;
	int err;

	if (at < 0 && !take(&c, -(int64_t)at)) /* all of it is older: a keep-alive, a copy */
		return 0;
	if (at < 0)
		at = 0;
	if (c.p == c.end || at >= PCAP_STREAM_MAX)
		return 0;
	limit(&c, PCAP_STREAM_MAX - at);
	err = flow_grow(r, flow, at + (c.end - c.p));
	if (err)
		return err;
	for (; c.p < c.end; c.p++, at++) {
		if (!flow->have[at])
			stream->bytes[at] = *c.p;
		flow->have[at] = 1;
	}
	return 0;
}

/* A new connection on the endpoints of an old one: keeps the old one's bytes. */
static void flow_retire(struct reader *r, struct flow *flow)
{
	HASH_DEL(r->flows, flow);
	flow->hh.next = r->retired;
	r->retired = flow;
}

static int add_segment(struct reader *r, const struct segment *s)
{
	bool syn = s->flags & TCP_SYN, ack = s->flags & TCP_ACK;
	struct flow *flow = flow_find(r, s, true);

	if (syn && ack)
		return 0;
	if (flow && syn && s->seq + 1 != flow->first) {
		flow_retire(r, flow);
		flow = NULL;
	}
	if (!flow && !syn && (s->payload.p == s->payload.end || flow_find(r, s, false)))
		return 0; /* nothing to say who is the client, or what the server sent */
	if (!flow)
		flow = flow_new(r, s);
	return flow ? flow_add(r, flow, s) : -ENOMEM;
}

/* Finds how far the bytes go without a hole. */
static void flow_finish(struct reader *r, struct flow *flow)
{
	struct pcap_stream *stream = &r->pcap->streams[flow->index];
	size_t end = 0;

	while (end < flow->room && flow->have[end])
		end++;
	stream->len = end;
	stream->gap = end < flow->room && memchr(flow->have + end, 1, flow->room - end);
	free(flow->have);
	free(flow);
}

static void reader_finish(struct reader *r)
{
	struct flow *flow, *next;

	HASH_ITER (hh, r->flows, flow, next) {
		HASH_DEL(r->flows, flow);
		flow_finish(r, flow);
	}
	for (flow = r->retired; flow; flow = next) {
		next = flow->hh.next;
		flow_finish(r, flow);
	}
}

/* ---- files --------------------------------------------------------------------------- */

static uint32_t file32(const uint8_t *p, bool big_endian)
{
	return big_endian ? get32(p) : __builtin_bswap32(get32(p));
}

/* Which way the numbers stand, from the magic number. False when it is none. */
static bool byte_order(uint32_t magic, bool *big_endian)
{
	*big_endian = magic == MAGIC_MICROSECONDS || magic == MAGIC_NANOSECONDS;
	magic = __builtin_bswap32(magic);
	return *big_endian || magic == MAGIC_MICROSECONDS || magic == MAGIC_NANOSECONDS;
}

bool pcap_recognize(const uint8_t *data, size_t len)
{
	bool big_endian;

	return len >= 4 && (get32(data) == MAGIC_PCAPNG || byte_order(get32(data), &big_endian));
}

static bool link_supported(uint32_t type)
{
	static const enum link_type types[] = {
		LINK_NULL, LINK_ETHERNET, LINK_RAW_BSD, LINK_RAW_OPENBSD, LINK_RAW,
		LINK_LOOP, LINK_SLL,	  LINK_IPV4,	LINK_IPV6,	  LINK_SLL2,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* Reads the file header. Returns what is wrong, or NULL. */
static const char *read_header(struct cursor *c, bool *big_endian, enum link_type *type)
{
	const uint8_t *p = take(c, FILE_HEADER);
	uint32_t link;

	if (!p)
		return "shorter than a pcap file header";
	if (get32(p) == MAGIC_PCAPNG)
		return "a pcapng file; convert it: editcap -F pcap IN OUT";
	if (!byte_order(get32(p), big_endian))
		return "not a pcap file";
	link = file32(p + 20, *big_endian) & 0xffff; /* the upper half describes the FCS */
	if (!link_supported(link))
		return "its link type is not supported (Ethernet, raw IP, loopback and Linux "
		       "cooked are)";
	*type = link;
	return NULL;
}

static int read_records(struct reader *r, struct cursor c, bool big_endian, enum link_type type,
			const char **error)
{
	const uint8_t *p;

	while ((p = take(&c, RECORD_HEADER))) {
		uint32_t size = file32(p + 8, big_endian);
		const uint8_t *packet = take(&c, size);
		struct segment s;
		int err;

		if (!packet)
			break; /* the last packet of a capture that was interrupted */
		if (!read_packet((struct cursor){packet, packet + size}, type, &s))
			continue;
		err = add_segment(r, &s);
		if (err) {
			*error = err == -E2BIG ? "too many connections with too much data"
					       : "out of memory";
			return err;
		}
	}
	return 0;
}

int pcap_read(const uint8_t *data, size_t len, struct pcap *pcap, const char **error)
{
	struct cursor c = {data, data + len};
	struct reader r = {.pcap = pcap};
	enum link_type type;
	bool big_endian;
	int err;

	*pcap = (struct pcap){0};
	*error = read_header(&c, &big_endian, &type);
	if (*error)
		return -EINVAL;
	err = read_records(&r, c, big_endian, type, error);
	reader_finish(&r);
	return err;
}

void pcap_free(struct pcap *pcap)
{
	for (size_t i = 0; i < pcap->n; i++)
		free(pcap->streams[i].bytes);
	free(pcap->streams);
	*pcap = (struct pcap){0};
}
