// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the program at the door does with packets. */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/kernel/acl.h"
#include "../../user/kernel/clock.h"
#include "../../user/kernel/decide.h"
#include "../../user/kernel/door_drops.h"
#include "../../user/kernel/door_tables.h"
#include "../../user/kernel/interface.h"
#include "../../user/model/decode.h"
#include "../../user/model/prefix.h"
#include "door.skel.h"

#define HOST	  "198.51.100.1"
#define HOST6	  "2001:db8:ffff::1"
#define FRONTENDS 8 /* there are no more */
#define NONE	  DOOR_REASON_MAX

#define FIN	  TH_FIN
#define SYN	  TH_SYN
#define RST	  TH_RST
#define PSH	  TH_PUSH
#define ACK	  TH_ACK
#define URG	  TH_URG

static const char yaml[] =
	"farms: [ { name: f, port: 80, servers: [ { name: s, address: 10.0.0.1 } ] } ]\n"
	"frontends:\n"
	"  - { name: denies, port: \"443,9000-9100\", default_farm: f,\n"
	"      denied_source: [ 192.0.2.0/24, 203.0.113.7, \"2001:db8:bad::/48\" ] }\n"
	"  - { name: allows, port: \"444\", default_farm: f,\n"
	"      allowed_source: [ 192.0.2.0/25, 192.0.2.64/26, \"2001:db8:1::/48\" ] }\n"
	"  - { name: dedicated, port: \"445,9250-9260\", default_farm: f,\n"
	"      dedicated_ipfo: [ 198.51.100.9, \"2001:db8::9\" ], allowed_source: [ 192.0.2.1 ] }\n"
	"  - { name: beside, port: \"9255\", default_farm: f,\n"
	"      dedicated_ipfo: [ 198.51.100.10 ], denied_source: [ 192.0.2.1 ] }\n"
	"  - { name: rated, port: \"446\", default_farm: f, rate_limit: 1 }\n"
	"  - { name: sourced, port: \"447\", default_farm: f, source_rate_limit: 1,\n"
	"      source_rate_prefix_v4: 24, source_rate_prefix_v6: 48 }\n"
	"  - { name: proxied, port: \"448\", default_farm: f, proxy_sources: [ 192.0.2.1 ],\n"
	"      allowed_source: [ 203.0.113.0/24 ], rate_limit: 1 }\n"
	"  - { name: off, port: \"449\", default_farm: f, disabled: true,\n"
	"      denied_source: [ 192.0.2.0/24 ] }\n";

static struct door_bpf *door;
static struct acl acl;
static struct tables tables;

/* A packet to the host's address; the rest is zero. */
struct sent {
	const char *from, *to; /* NULL: to HOST, or HOST6 */
	uint16_t port;	       /* it goes to */
	uint8_t flags;
	uint8_t doff; /* 0: that of a header without options */
	int cut;      /* bytes that are missing in the end; the IP header tells so */
	int torn;     /* ... and does not */
	uint8_t vlans;
	uint8_t extensions; /* headers before TCP, IPv6 */
	uint8_t options;    /* words in the IPv4 header */
	uint16_t fragment;  /* offset and flags; IPv6: in the last extension of two or more */
	uint8_t protocol;   /* 0: TCP */
	bool port_zero;	    /* it comes from */
};

/* ---- packets ------------------------------------------------------------------------------ */

static size_t put(uint8_t *packet, size_t at, const void *bytes, size_t n)
{
	memcpy(packet + at, bytes, n);
	return at + n;
}

static size_t put_ethernet(uint8_t *packet, const struct sent *sent, bool v4)
{
	size_t at = 12;

	for (int i = 0; i < sent->vlans; i++)
		at = put(packet, at, "\x81\x00\x00\x07", 4);
	return put(packet, at, v4 ? "\x08\x00" : "\x86\xdd", 2);
}

static size_t put_ipv4(uint8_t *packet, size_t at, const struct sent *sent, const uint8_t *from,
		       const uint8_t *to)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5 + sent->options,
		.tot_len = htons(20 + 4 * sent->options + 20 - sent->cut),
		.ttl = 64,
		.protocol = sent->protocol ? sent->protocol : IPPROTO_TCP,
		.frag_off = htons(sent->fragment),
	};

	memcpy(&ip.saddr, from + 12, 4);
	memcpy(&ip.daddr, to + 12, 4);
	return put(packet, at, &ip, sizeof(ip)) + 4 * sent->options;
}

static size_t put_ipv6(uint8_t *packet, size_t at, const struct sent *sent, const uint8_t *from,
		       const uint8_t *to)
{
	uint8_t last = sent->protocol ? sent->protocol : IPPROTO_TCP;
	struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_plen = htons(8 * sent->extensions + 20 - sent->cut),
		.ip6_nxt = sent->extensions ? IPPROTO_DSTOPTS : last,
		.ip6_hlim = 64,
	};

	memcpy(&ip.ip6_src, from, 16);
	memcpy(&ip.ip6_dst, to, 16);
	at = put(packet, at, &ip, sizeof(ip));
	for (int i = 1; i <= sent->extensions; i++) {
		bool fragment = sent->fragment && i == sent->extensions - 1;

		packet[at] = i == sent->extensions ? last
			     : fragment		   ? IPPROTO_FRAGMENT
						   : IPPROTO_DSTOPTS;
		at += 8;
	}
	if (sent->fragment)
		memcpy(packet + at - 6, &(uint16_t){htons(sent->fragment)}, 2);
	return at;
}

static size_t put_tcp(uint8_t *packet, size_t at, const struct sent *sent)
{
	struct tcphdr tcp = {
		.th_sport = htons(sent->port_zero ? 0 : 40000),
		.th_dport = htons(sent->port),
		.th_off = sent->doff ? sent->doff : 5,
		.th_flags = sent->flags,
	};

	return put(packet, at, &tcp, sizeof(tcp));
}

static size_t make(uint8_t *packet, const struct sent *sent)
{
	bool v4 = !strchr(sent->from, ':');
	uint8_t from[16], to[16];
	size_t at;

	assert_int_equal(address_parse(sent->from, from), 0);
	assert_int_equal(address_parse(sent->to ? sent->to : v4 ? HOST : HOST6, to), 0);
	at = put_ethernet(packet, sent, v4);
	at = v4 ? put_ipv4(packet, at, sent, from, to) : put_ipv6(packet, at, sent, from, to);
	return put_tcp(packet, at, sent) - sent->cut - sent->torn;
}

/* ---- verdicts ----------------------------------------------------------------------------- */

static struct door_drops rows[4096]; /* by CPU */

static uint64_t row_of(const struct bpf_map *map, uint32_t key, enum door_reason reason)
{
	uint64_t sum = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &key, rows), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		sum += rows[i].packets[reason];
	return sum;
}

/* Of all frontends, which is as many as at the interface. */
static uint64_t dropped(enum door_reason reason)
{
	uint64_t sum = 0;

	for (uint32_t id = 0; id <= FRONTENDS; id++)
		sum += row_of(door->maps.door_drops, id, reason);
	assert_int_equal(row_of(door->maps.door_drops_at, LOOPBACK, reason), sum);
	return sum;
}

/* Why it was dropped; NONE if it passed. */
static enum door_reason verdict(const struct sent *sent)
{
	uint8_t packet[256] = {0}, before[256];
	size_t size = make(packet, sent);
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = size,
		    .data_out = before, .data_size_out = sizeof(before));
	uint64_t counts[DOOR_REASON_MAX];
	enum door_reason found = NONE;

	for (int i = 0; i < DOOR_REASON_MAX; i++)
		counts[i] = dropped(i);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(door->progs.door), &options), 0);
	assert_memory_equal(before, packet, size);
	for (int i = 0; i < DOOR_REASON_MAX; i++)
		if (dropped(i) != counts[i]) {
			assert_int_equal(dropped(i), counts[i] + 1);
			assert_int_equal(found, NONE);
			found = i;
		}
	assert_int_equal(options.retval, found == NONE ? XDP_PASS : XDP_DROP);
	return found;
}

struct example {
	struct sent sent;
	enum door_reason reason;
};

static void check(const struct example *examples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum door_reason got = verdict(&examples[i].sent);

		if (got != examples[i].reason)
			fail_msg("example %zu from %s to port %u: %s, not %s", i,
				 examples[i].sent.from, examples[i].sent.port,
				 got == NONE ? "passed" : door_reason_name[got],
				 examples[i].reason == NONE ? "passed"
							    : door_reason_name[examples[i].reason]);
	}
}

#define CHECK(examples) check(examples, sizeof(examples) / sizeof(*(examples)))

static bool is_admitted(const struct sent *sent)
{
	uint32_t id = sent->port == 444 ? 2 : 1;
	uint8_t source[16];

	assert_int_equal(address_parse(sent->from, source), 0);
	return source_admitted(&tables, tables_row(&tables, frontends, id), source);
}

static void lists_are_for_new_connections_of_their_frontend(void **state)
{
	static const struct example examples[] = {
		{{"192.0.2.1", .port = 443, .flags = SYN}, DOOR_SOURCE},
		{{"192.0.2.1", .port = 9077, .flags = SYN}, DOOR_SOURCE},
		{{"203.0.113.7", .port = 443, .flags = SYN}, DOOR_SOURCE},
		{{"203.0.113.8", .port = 443, .flags = SYN}, NONE},
		{{"2001:db8:bad::1", .port = 443, .flags = SYN}, DOOR_SOURCE},
		{{"2001:db8:bae::1", .port = 443, .flags = SYN}, NONE},
		{{"192.0.2.1", .port = 443, .flags = SYN, .vlans = 1}, DOOR_SOURCE},
		{{"192.0.2.1", .port = 443, .flags = SYN, .vlans = 2}, DOOR_SOURCE},
		{{"192.0.2.1", .port = 443, .flags = SYN, .options = 3}, DOOR_SOURCE},
		{{"2001:db8:bad::1", .port = 443, .flags = SYN, .extensions = 4}, DOOR_SOURCE},
		{{"2001:db8:bad::1", .port = 443, .flags = SYN, .vlans = 2, .extensions = 1},
		 DOOR_SOURCE},
		/* The first of several fragments, IPv4 and IPv6. */
		{{"192.0.2.1", .port = 443, .flags = SYN, .fragment = 0x2000}, DOOR_SOURCE},
		{{"2001:db8:bad::1", .port = 443, .flags = SYN, .extensions = 2, .fragment = 1},
		 DOOR_SOURCE},
		{{"192.0.2.1", .port = 443, .flags = ACK}, NONE},
		{{"192.0.2.1", .port = 443, .flags = SYN | ACK}, NONE},
		{{"192.0.2.1", .port = 443, .flags = RST}, NONE},
		{{"192.0.2.1", .port = 444, .flags = SYN}, NONE},
		{{"192.0.2.100", .port = 444, .flags = SYN}, NONE},
		{{"192.0.2.200", .port = 444, .flags = SYN}, DOOR_SOURCE},
		{{"2001:db8:1::1", .port = 444, .flags = SYN}, NONE},
		{{"2001:db8:2::1", .port = 444, .flags = SYN}, DOOR_SOURCE},
		/* Who the clients are, the proxy has to tell. */
		{{"192.0.2.1", .port = 448, .flags = SYN}, NONE},
		{{"192.0.2.1", .port = 448, .flags = SYN}, NONE},
		{{"192.0.2.1", .port = 449, .flags = SYN}, NONE},
	};

	CHECK(examples);
	/* What the door lets through is judged again after accept, alike. */
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++)
		if (examples[i].sent.port < 445 && examples[i].sent.flags == SYN)
			assert_int_equal(is_admitted(&examples[i].sent),
					 examples[i].reason == NONE);
}

static void what_is_for_nobody_here_is_not_touched(void **state)
{
	static const struct example examples[] = {
		{{"192.0.2.1", .port = 22, .flags = SYN}, NONE},
		{{"192.0.2.1", .port = 22, .flags = 0}, NONE},
		{{"192.0.2.1", .port = 22, .flags = SYN | FIN | RST, .doff = 1}, NONE},
		{{"192.0.2.1", .port = 22, .flags = SYN, .cut = 12}, NONE},
		{{"2001:db8:bad::1", .port = 22, .flags = FIN}, NONE},
		{{"192.0.2.1", .to = "198.51.100.2", .port = 443, .flags = SYN}, NONE},
		{{"2001:db8:bad::1", .to = "2001:db8::99", .port = 443, .flags = 0}, NONE},
		{{"192.0.2.1", .port = 443, .flags = SYN, .protocol = IPPROTO_UDP}, NONE},
		{{"192.0.2.1", .port = 443, .flags = SYN, .protocol = IPPROTO_ICMP}, NONE},
		{{"192.0.2.1", .port = 443, .flags = SYN, .fragment = 7}, NONE},
		{{"192.0.2.1", .port = 443, .flags = SYN, .cut = 17}, NONE}, /* no port */
		{{"192.0.2.1", .port = 443, .flags = SYN, .vlans = 3}, NONE},
		{{"2001:db8:bad::1", .port = 443, .flags = SYN, .extensions = 5}, NONE},
		{{"2001:db8:bad::1", .port = 443, .extensions = 2, .fragment = 7 << 3}, NONE},
		{{"2001:db8:bad::1", .port = 443, .extensions = 2, .fragment = 0x100 << 3}, NONE},
		{{"2001:db8:bad::1", .port = 443, .extensions = 2, .protocol = IPPROTO_AH}, NONE},
	};

	CHECK(examples);
}

static void frontends_share_a_port_on_addresses_of_their_own(void **state)
{
	static const struct example examples[] = {
		{{"192.0.2.7", .to = "198.51.100.9", .port = 445, .flags = SYN}, DOOR_SOURCE},
		{{"192.0.2.1", .to = "198.51.100.9", .port = 445, .flags = SYN}, NONE},
		{{"2001:db8::1", .to = "2001:db8::9", .port = 445, .flags = SYN}, DOOR_SOURCE},
		{{"192.0.2.7", .port = 445, .flags = SYN}, NONE},
		{{"192.0.2.7", .to = "198.51.100.9", .port = 9250, .flags = SYN}, DOOR_SOURCE},
		{{"192.0.2.7", .to = "198.51.100.9", .port = 9255, .flags = SYN}, DOOR_SOURCE},
		{{"192.0.2.7", .to = "198.51.100.9", .port = 9260, .flags = SYN}, DOOR_SOURCE},
		{{"192.0.2.7", .to = "198.51.100.9", .port = 9261, .flags = SYN}, NONE},
		{{"192.0.2.7", .to = "198.51.100.10", .port = 9255, .flags = SYN}, NONE},
		{{"192.0.2.1", .to = "198.51.100.10", .port = 9255, .flags = SYN}, DOOR_SOURCE},
		{{"192.0.2.1", .to = "198.51.100.10", .port = 9256, .flags = SYN}, NONE},
	};

	CHECK(examples);
}

static void what_is_no_tcp_is_malformed(void **state)
{
	static const uint8_t wrong[] = {0,
					FIN,
					PSH,
					URG,
					FIN | PSH | URG,
					SYN | FIN,
					SYN | RST,
					SYN | FIN | ACK,
					RST | FIN,
					RST | FIN | ACK,
					PSH | URG,
					SYN | RST | ACK};
	static const uint8_t right[] = {ACK,	   FIN | ACK, RST,	 RST | ACK,
					PSH | ACK, URG | ACK, SYN | ACK, SYN | PSH};
	static const struct example examples[] = {
		{{"203.0.113.9", .port = 443, .flags = ACK, .doff = 4}, DOOR_MALFORMED},
		{{"203.0.113.9", .port = 443, .flags = ACK, .doff = 6}, DOOR_MALFORMED},
		{{"203.0.113.9", .port = 443, .flags = ACK, .cut = 1}, DOOR_MALFORMED},
		{{"203.0.113.9", .port = 443, .flags = ACK, .cut = 16}, DOOR_MALFORMED},
		{{"203.0.113.9", .port = 443, .flags = ACK, .torn = 1}, DOOR_MALFORMED},
		{{"203.0.113.9", .port = 443, .flags = ACK, .fragment = 0x2000, .cut = 12},
		 DOOR_MALFORMED},
		{{"2001:db8::9", .port = 443, .flags = ACK, .extensions = 2, .cut = 1},
		 DOOR_MALFORMED},
		{{"203.0.113.9", .port = 443, .flags = ACK, .port_zero = true}, DOOR_MALFORMED},
	};

	CHECK(examples);
	for (size_t i = 0; i < sizeof(wrong); i++) {
		check(&(struct example){{"203.0.113.9", .port = 443, .flags = wrong[i]},
					DOOR_MALFORMED},
		      1);
		check(&(struct example){{"2001:db8::9", .port = 443, .flags = wrong[i]},
					DOOR_MALFORMED},
		      1);
	}
	for (size_t i = 0; i < sizeof(right); i++)
		check(&(struct example){{"203.0.113.9", .port = 443, .flags = right[i]}, NONE}, 1);
}

/* ---- rates -------------------------------------------------------------------------------- */

static void rates_are_of_the_frontend_or_of_each_source(void **state)
{
	static const struct example all[] = {
		{{"192.0.2.1", .port = 446, .flags = SYN}, NONE},
		{{"2001:db8::3", .port = 446, .flags = SYN}, DOOR_RATE},
		{{"192.0.2.4", .port = 446, .flags = SYN}, DOOR_RATE},
		{{"192.0.2.4", .port = 446, .flags = ACK}, NONE},
	};
	static const struct example each[] = {
		{{"192.0.2.1", .port = 447, .flags = SYN}, NONE},
		{{"192.0.2.200", .port = 447, .flags = SYN}, DOOR_SOURCE_RATE},
		{{"192.0.3.1", .port = 447, .flags = SYN}, NONE},
		{{"2001:db8:1:1::1", .port = 447, .flags = SYN}, NONE},
		{{"2001:db8:1:2::1", .port = 447, .flags = SYN}, DOOR_SOURCE_RATE},
		{{"2001:db8:2:3::1", .port = 447, .flags = SYN}, NONE},
	};

	CHECK(all);
	CHECK(each);
}

/* ---- the acl ------------------------------------------------------------------------------ */

static struct acl_entry entry(const char *text, uint32_t frontend_id, uint64_t until)
{
	struct acl_entry e = {.frontend_id = frontend_id, .until = until};

	assert_int_equal(prefix_scan(text, &e.prefix), PREFIX_OK);
	return e;
}

static bool every_entry(const struct acl_entry *e, void *context)
{
	return true;
}

static void acl_is(const struct acl_entry *entries, size_t n)
{
	assert_int_equal(acl_walk(&acl, every_entry, NULL), 0);
	assert_int_equal(acl.control->bans, 0);
	assert_int_equal(acl_add(&acl, entries, n), 0);
}

/* The daemon, which asks after accept, says the same. */
static void check_source(const char *from, uint16_t port, uint32_t frontend_id, bool banned)
{
	struct example e = {{from, .port = port, .flags = ACK}, banned ? DOOR_ACL : NONE};
	uint8_t address[16];

	check(&e, 1);
	assert_int_equal(address_parse(from, address), 0);
	assert_int_equal(acl_bans(&acl, frontend_id, address), banned);
}

static void banned_sources_are_cut_off(void **state)
{
	const struct acl_entry entries[] = {
		entry("203.0.113.0/25", 0, 0),
		entry("2001:db8:a::/48", 0, 0),
		entry("203.0.113.200", 1, 0),
		entry("2001:db8:b::1", 1, 0),
	};

	acl_is(entries, 4);
	check_source("203.0.113.1", 443, 1, true);
	check_source("203.0.113.1", 444, 2, true);
	check_source("203.0.113.200", 443, 1, true);
	check_source("203.0.113.200", 444, 2, false);
	check_source("203.0.113.201", 443, 1, false);
	check_source("2001:db8:a::77", 443, 1, true);
	check_source("2001:db8:b::1", 443, 1, true);
	check_source("2001:db8:b::1", 444, 2, false);
	acl_is(NULL, 0);
	check_source("203.0.113.1", 443, 1, false);
}

/* One that has ended hides none around it. */
static void bans_end(void **state)
{
	uint64_t now = monotonic_time(), past = now - 1, future = now + 3600000 * MILLISECOND;
	const struct acl_entry entries[] = {
		entry("203.0.113.1", 0, past),	    entry("203.0.113.0/28", 0, past),
		entry("203.0.113.0/25", 0, future), entry("203.0.112.0/23", 0, past),
		entry("2001:db8:a::1", 0, past),    entry("2001:db8:a::/48", 0, future),
	};

	acl_is(entries, 6);
	check_source("203.0.113.1", 443, 1, true);
	check_source("203.0.113.100", 443, 1, true);
	check_source("203.0.113.200", 443, 1, false);
	check_source("2001:db8:a::1", 443, 1, true);
	assert_true(acl.control->bans >= 6);
	assert_int_equal(acl_sweep(&acl, now), 0);
	assert_int_equal(acl.control->bans, 2);
	assert_int_equal(acl.control->ban_ends, future);
	assert_int_equal(acl_delete(&acl, &entries[2]), 0);
	assert_int_equal(acl_delete(&acl, &entries[2]), -ENOENT);
	check_source("203.0.113.100", 443, 1, false);
	assert_int_equal(acl_delete(&acl, &entries[5]), 0);
	assert_int_equal(acl.control->bans, 0);
}

static bool adds_one(const struct acl_entry *e, void *context)
{
	const struct acl_entry more = entry("203.0.112.0/23", 0, *(uint64_t *)context);
	const struct acl_entry renewed = entry("203.0.113.1", 0, *(uint64_t *)context);

	if (e->until == *(uint64_t *)context)
		return false;
	assert_int_equal(acl_add(&acl, &more, 1), 0);
	assert_int_equal(acl_add(&acl, &renewed, 1), 0);
	return true;
}

/* None of it is lost: neither that it is there, nor when it ends. */
static void a_walk_counts_what_is_added_meanwhile(void **state)
{
	uint64_t now = monotonic_time(), soon = now + 3600000 * MILLISECOND;
	const struct acl_entry ended = entry("203.0.113.1", 0, now - 1);
	const struct acl_entry more = entry("203.0.112.0/23", 0, soon);

	acl_is(&ended, 1);
	assert_int_equal(acl_walk(&acl, adds_one, &soon), 0);
	assert_true(acl.control->bans >= 2);
	assert_true(acl.control->ban_ends && acl.control->ban_ends <= soon);
	check_source("203.0.113.1", 443, 1, true);
	check_source("203.0.112.1", 443, 1, true);
	assert_int_equal(acl_delete(&acl, &more), 0);
	check_source("203.0.113.1", 443, 1, true);
	acl_is(NULL, 0);
}

static void without_lists_only_bans_are_enforced(void **state)
{
	static const struct example examples[] = {
		{{"192.0.2.1", .port = 443, .flags = SYN}, NONE},
		{{"192.0.2.1", .port = 443, .flags = SYN | FIN}, NONE},
	};
	const struct acl_entry ban = entry("203.0.113.1", 0, 0);

	acl.control->idle = true;
	CHECK(examples);
	acl_is(&ban, 1);
	check_source("203.0.113.1", 443, 1, true);
	acl_is(NULL, 0);
	CHECK(examples);
	acl.control->idle = false;
}

/* ---- the group ---------------------------------------------------------------------------- */

static struct config *decode(void)
{
	struct problems problems = {0};
	struct document *document = document_parse(yaml, strlen(yaml), &problems);
	struct config *config = config_decode(document, &problems);

	for (size_t i = 0; i < problems.n; i++)
		print_error("%s: %s\n", problems.v[i].path, problems.v[i].message);
	assert_int_equal(problems.errors, 0);
	assert_int_equal(config_assign_ids(config, NULL, NULL), 0);
	document_free(document);
	problems_free(&problems);
	return config;
}

static void put_tables(const struct config *config)
{
	static const char *const hosts[] = {HOST, HOST6};
	struct door_address key = {0};
	int fds[DOOR_TABLE_MAX];
	__u32 zero = 0, one = 1;

	assert_int_equal(door_tables_make(config, fds), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(address_parse(hosts[i], key.address), 0);
		assert_int_equal(
			bpf_map_update_elem(fds[DOOR_TABLE_ADDRESSES], &key, &one, BPF_ANY), 0);
	}
	for (int i = 0; i < DOOR_TABLE_MAX; i++) {
		int map = bpf_object__find_map_fd_by_name(door->obj, door_table_name[i]);

		assert_int_equal(bpf_map_update_elem(map, &zero, &fds[i], BPF_ANY), 0);
		close(fds[i]);
	}
}

/* Test runs of the kernel come in by loopback. */
static void count_at_loopback(void)
{
	__u32 ifindex = LOOPBACK;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(door->maps.door_drops_at), &ifindex, rows,
					     BPF_NOEXIST),
			 0);
}

static int load(void **state)
{
	struct config *config = decode();

	door = door_bpf__open();
	assert_non_null(door);
	assert_int_equal(acl_make(&acl, "none"), 0);
	assert_int_equal(bpf_map__reuse_fd(door->maps.door_control, acl.control_fd), 0);
	assert_int_equal(bpf_map__reuse_fd(door->maps.acl4, acl.tries[0]), 0);
	assert_int_equal(bpf_map__reuse_fd(door->maps.acl6, acl.tries[1]), 0);
	assert_int_equal(door_bpf__load(door), 0);
	count_at_loopback();
	put_tables(config);
	assert_int_equal(tables_compile(config, &tables), 0);
	config_free(config);
	return 0;
}

static int unload(void **state)
{
	door_bpf__destroy(door);
	acl_close(&acl);
	tables_free(&tables);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lists_are_for_new_connections_of_their_frontend),
	cmocka_unit_test(what_is_for_nobody_here_is_not_touched),
	cmocka_unit_test(frontends_share_a_port_on_addresses_of_their_own),
	cmocka_unit_test(what_is_no_tcp_is_malformed),
	cmocka_unit_test(rates_are_of_the_frontend_or_of_each_source),
	cmocka_unit_test(banned_sources_are_cut_off),
	cmocka_unit_test(bans_end),
	cmocka_unit_test(a_walk_counts_what_is_added_meanwhile),
	cmocka_unit_test(without_lists_only_bans_are_enforced),
};

int main(void)
{
	if (geteuid()) {
		print_message("# SKIP test_door: loading a program needs root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, load, unload);
}
