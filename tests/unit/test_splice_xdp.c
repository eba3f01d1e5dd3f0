// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The program at XDP does with a packet of a spliced connection what the one at tc does, byte for
 * byte and note for note; or it leaves packet and flow alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>

#include "../../bpf/flow.h"
#include "way.h"

#define FRAME_MAX      2048
#define RANDOM_PACKETS 20000

static struct splice_bpf *tc;
static struct splice_xdp_bpf *xdp;
static int way;

/* A packet, and the flow it belongs to. */
struct subject {
	_Alignas(uint32_t) uint8_t room[2]; /* aligns the headers behind Ethernet's */
	uint8_t frame[FRAME_MAX];
	bool v6;
	size_t size;
	struct flow_key key;
	struct flow flow;
};

/* What a program made of it. */
struct outcome {
	uint32_t action;
	uint8_t frame[FRAME_MAX];
	struct flow flow;
};

/* ---- packets ----------------------------------------------------------------------------- */

/* What is to be unlike the usual. */
struct wish {
	bool v6;
	const void *options;
	size_t options_len;
	uint8_t flags; /* of TCP, 0 = ACK */
	uint8_t ttl;   /* 0 = 64 */
	uint8_t tos;
	size_t payload;
	int32_t seq, ack; /* from where the flow is */
	uint32_t state;
	uint8_t constant;
	uint16_t mtu; /* 0 = 1500 */
	uint32_t idle_timeout;
	bool fragment;
};

#define TIMESTAMPS "\1\1\10\12\0\0\0\1\0\0\0\2"
#define SACK	   "\1\1\5\22\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"
#define ODD	   "\10\12\0\0\0\1\0\0\0\2\1\1"

#define BASE	   1000000U
#define END	   5000U
#define ACKED	   70000000U

static uint64_t coarse_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void set_addresses(struct subject *s)
{
	const char *const texts[2][4] = {
		{"::ffff:192.0.2.9", "::ffff:192.0.2.1", "::ffff:10.1.0.1", "::ffff:10.1.0.2"},
		{"2001:db8::9", "2001:db8::1", "fd00::1", "fd00::2"},
	};

	inet_pton(AF_INET6, texts[s->v6][0], s->key.source);
	inet_pton(AF_INET6, texts[s->v6][1], s->key.destination);
	inet_pton(AF_INET6, texts[s->v6][2], s->flow.source);
	inet_pton(AF_INET6, texts[s->v6][3], s->flow.destination);
	s->key.source_port = htons(40000);
	s->key.destination_port = htons(443);
	s->flow.source_port = htons(20000);
	s->flow.destination_port = htons(9000);
}

static void set_flow(struct subject *s, const struct wish *wish)
{
	s->flow.ifindex = way;
	s->flow.seq_delta = 0x12345678;
	s->flow.ack_delta = 0x87654321;
	s->flow.tsval_delta = 77;
	s->flow.tsecr_delta = -78;
	s->flow.window_scale = 7;
	s->flow.other_scale = 9;
	s->flow.constant = wish->constant;
	s->flow.base = BASE;
	s->flow.end = END;
	s->flow.acked = ACKED;
	s->flow.peer_fin = ACKED + 1000;
	s->flow.window = 65536;
	s->flow.packets = 5;
	s->flow.state = wish->state;
	s->flow.mtu = wish->mtu ? wish->mtu : 1500;
	s->flow.idle_timeout = wish->idle_timeout;
}

static void set_ip(struct subject *s, const struct wish *wish, size_t size)
{
	uint8_t ttl = wish->ttl ? wish->ttl : 64;

	if (s->v6) {
		struct ip6_hdr *ip = (void *)(s->frame + ETH_HLEN);

		ip->ip6_flow = htonl(6U << 28 | wish->tos << 20 | 0x12345);
		ip->ip6_plen = htons(size - sizeof(*ip));
		ip->ip6_nxt = IPPROTO_TCP;
		ip->ip6_hlim = ttl;
		memcpy(&ip->ip6_src, s->key.source, 16);
		memcpy(&ip->ip6_dst, s->key.destination, 16);
		return;
	}
	struct iphdr *ip = (void *)(s->frame + ETH_HLEN);

	ip->version = 4;
	ip->ihl = 5;
	ip->tos = wish->tos;
	ip->tot_len = htons(size);
	ip->frag_off = wish->fragment ? htons(0x2000) : 0;
	ip->ttl = ttl;
	ip->protocol = IPPROTO_TCP;
	ip->check = 0x1234; /* whatever it is, only the difference counts */
	memcpy(&ip->saddr, s->key.source + 12, 4);
	memcpy(&ip->daddr, s->key.destination + 12, 4);
}

static void make(struct subject *s, const struct wish *wish)
{
	size_t ip = wish->v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	struct tcphdr *tcp;

	memset(s, 0, sizeof(*s));
	s->v6 = wish->v6;
	set_addresses(s);
	set_flow(s, wish);
	s->size = ETH_HLEN + ip + sizeof(*tcp) + wish->options_len + wish->payload;
	((struct ethhdr *)s->frame)->h_proto = htons(s->v6 ? ETH_P_IPV6 : ETH_P_IP);
	set_ip(s, wish, s->size - ETH_HLEN);
	tcp = (void *)(s->frame + ETH_HLEN + ip);
	tcp->source = s->key.source_port;
	tcp->dest = s->key.destination_port;
	tcp->seq = htonl(BASE + END + wish->seq);
	tcp->ack_seq = htonl(ACKED + wish->ack);
	tcp->doff = (sizeof(*tcp) + wish->options_len) / 4;
	((uint8_t *)tcp)[13] = wish->flags ? wish->flags : TH_ACK;
	tcp->window = htons(500);
	tcp->check = 0x4321;
	if (wish->options)
		memcpy(tcp + 1, wish->options, wish->options_len);
	memset((uint8_t *)(tcp + 1) + wish->options_len, 0x55, wish->payload);
}

/* ---- programs ---------------------------------------------------------------------------- */

static void run(struct bpf_program *program, const struct subject *s, struct outcome *outcome)
{
	int map = bpf_map__fd(tc->maps.flows);
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = s->frame, .data_size_in = s->size,
		    .data_out = outcome->frame, .data_size_out = sizeof(outcome->frame));

	assert_int_equal(bpf_map_update_elem(map, &s->key, &s->flow, BPF_ANY), 0);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0);
	outcome->action = options.retval;
	assert_int_equal(options.data_size_out, s->size);
	assert_int_equal(bpf_map_lookup_elem(map, &s->key, &outcome->flow), 0);
}

/* When it was seen is the same for both if it is now, and if it is left alone. */
static void level_times(const struct subject *s, struct outcome *outcome)
{
	if (outcome->flow.seen != s->flow.seen)
		outcome->flow.seen = 1;
}

/* Did the program at XDP forward it? What came of it is right in any case. */
static bool forwarded(struct subject *s)
{
	struct outcome fast, slow;

	/* In one of the spans that is_for_tc() tells apart. */
	do {
		s->flow.seen = coarse_time() & ~0xffffffULL;
		run(xdp->progs.splice_xdp, s, &fast);
	} while (coarse_time() >> 32 != s->flow.seen >> 32);
	if (fast.action == XDP_PASS) {
		assert_memory_equal(fast.frame, s->frame, s->size);
		assert_memory_equal(&fast.flow, &s->flow, sizeof(s->flow));
		return false;
	}
	run(tc->progs.splice, s, &slow);
	assert_int_equal(fast.action, XDP_REDIRECT);
	assert_int_equal(slow.action, TC_ACT_REDIRECT);
	assert_memory_equal(fast.frame, WAY_MAC, ETH_ALEN);
	assert_memory_equal(fast.frame + ETH_HLEN, slow.frame + ETH_HLEN, s->size - ETH_HLEN);
	level_times(s, &fast);
	level_times(s, &slow);
	assert_memory_equal(&fast.flow, &slow.flow, sizeof(s->flow));
	return true;
}

/* ---- tests ------------------------------------------------------------------------------- */

static void expect(bool forward, struct wish wish)
{
	struct subject s;

	for (int family = 0; family < 2; family++) {
		wish.v6 = family;
		make(&s, &wish);
		assert_int_equal(forwarded(&s), forward);
	}
}

#define FORWARDED(...) expect(true, (struct wish){__VA_ARGS__})
#define PASSED(...)    expect(false, (struct wish){__VA_ARGS__})
#define OPTIONS(x)     .options = x, .options_len = sizeof(x) - 1

static void plain_packets_are_forwarded(void **state)
{
	FORWARDED(0);
	FORWARDED(OPTIONS(TIMESTAMPS), .payload = 1400);
	FORWARDED(OPTIONS(SACK));
	FORWARDED(OPTIONS(TIMESTAMPS SACK), .ack = 900, .constant = FLOW_TIMESTAMPS);
	FORWARDED(.payload = 100, .flags = TH_ACK | TH_PUSH, .idle_timeout = 1000);
	FORWARDED(.payload = 100, .seq = -3000, .ack = -10, .idle_timeout = 1000);
	FORWARDED(.payload = 100, .seq = 3000, .tos = 2, .constant = FLOW_CLEAR_ECN);
	FORWARDED(.payload = 100, .state = FLOW_FIN | FLOW_PEER_FIN | FLOW_FIN_ACKED);
	FORWARDED(.ack = 999, .state = FLOW_PEER_FIN);
}

static void what_needs_more_is_left_to_tc(void **state)
{
	static const uint32_t states[] = {
		FLOW_OWNED,	FLOW_HOLDS,   FLOW_BOUND,  FLOW_AHEAD,
		FLOW_GOT_RESET, FLOW_PENDING, FLOW_ORPHAN,
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		PASSED(.payload = 100, .state = states[i]);
	PASSED(.flags = TH_SYN);
	PASSED(.flags = TH_RST | TH_ACK);
	PASSED(.flags = TH_FIN | TH_ACK);
	PASSED(.flags = TH_PUSH);
	PASSED(OPTIONS(ODD));
	PASSED(.ttl = 1);
	PASSED(.tos = 3, .constant = FLOW_CLEAR_ECN);
	PASSED(.payload = 1400, .mtu = 1300);
	PASSED(.payload = 100, .seq = 1 << 20);
	PASSED(.ack = 1 << 20);
	PASSED(.ack = 1000, .state = FLOW_PEER_FIN);
}

static void headers_that_are_cut_are_left_to_tc(void **state)
{
	struct wish wish = {OPTIONS(TIMESTAMPS), .payload = 100};
	struct subject s;

	for (int family = 0; family < 2; family++) {
		wish.v6 = family;
		make(&s, &wish);
		for (s.size--; s.size > ETH_HLEN + 40; s.size--)
			assert_false(forwarded(&s));
	}
	wish = (struct wish){.fragment = true};
	make(&s, &wish);
	assert_false(forwarded(&s));
}

/* The pseudo header's sum, as a sender leaves it there for its interface. */
static void leave_checksum(struct subject *s)
{
	size_t ip = s->v6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	size_t size = s->v6 ? 16 : 4, tcp_size = s->size - ETH_HLEN - ip;
	struct tcphdr *tcp = (void *)(s->frame + ETH_HLEN + ip);
	uint8_t pseudo[36] = {0};
	uint32_t sum = 0;

	memcpy(pseudo, s->key.source + 16 - size, size);
	memcpy(pseudo + 16, s->key.destination + 16 - size, size);
	pseudo[32] = tcp_size >> 8;
	pseudo[33] = tcp_size;
	pseudo[35] = IPPROTO_TCP;
	for (size_t i = 0; i < sizeof(pseudo); i += 2)
		sum += pseudo[i] << 8 | pseudo[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	tcp->check = htons(sum + (sum >> 16));
}

static void checksums_left_to_the_hardware_are_left_to_tc(void **state)
{
	struct wish wish = {OPTIONS(TIMESTAMPS)};
	struct subject s;

	for (int i = 0; i < 4; i++) {
		wish.v6 = i & 1;
		wish.payload = i & 2 ? 1001 : 0;
		make(&s, &wish);
		assert_true(forwarded(&s));
		leave_checksum(&s);
		assert_false(forwarded(&s));
	}
}

static void frames_for_others_are_left_alone(void **state)
{
	struct wish wish = {.payload = 100};
	struct subject s;
	struct outcome outcome;

	make(&s, &wish);
	s.flow.seen = coarse_time();
	s.frame[5] = 1;
	run(xdp->progs.splice_xdp, &s, &outcome);
	assert_int_equal(outcome.action, XDP_PASS);
	assert_memory_equal(outcome.frame, s.frame, s.size);
	assert_memory_equal(&outcome.flow, &s.flow, sizeof(s.flow));
}

/* So that the kernel hears of a neighbour that is gone. */
static void tc_gets_a_packet_now_and_then(void **state)
{
	struct wish wish = {.payload = 100};
	struct subject s;
	struct outcome outcome;

	make(&s, &wish);
	s.flow.seen = coarse_time() - (1ULL << 32);
	run(xdp->progs.splice_xdp, &s, &outcome);
	assert_int_equal(outcome.action, XDP_PASS);
	assert_memory_equal(&outcome.flow, &s.flow, sizeof(s.flow));
}

static uint32_t one_of(const uint32_t *values, size_t n)
{
	return values[random() % n];
}
#define ONE_OF(...)                                                                                \
	one_of((const uint32_t[]){__VA_ARGS__},                                                    \
	       sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void random_wish(struct wish *wish)
{
	static const struct {
		const char *bytes;
		size_t len;
	} options[] = {
		{"", 0},    {TIMESTAMPS, 12},
		{SACK, 20}, {TIMESTAMPS SACK, 32},
		{ODD, 12},  {TIMESTAMPS "\1\1\1\1", 16},
	};
	size_t layout = random() % 6;

	*wish = (struct wish){
		.v6 = random() & 1,
		.options = options[layout].bytes,
		.options_len = options[layout].len,
		.flags = ONE_OF(TH_ACK, TH_ACK, TH_ACK, TH_ACK | TH_PUSH, TH_ACK | 0xc0,
				TH_ACK | TH_FIN, TH_SYN, TH_ACK | TH_RST),
		.ttl = ONE_OF(64, 255, 2, 1),
		.tos = random(),
		.payload = ONE_OF(0, 0, 1, 100, 1400),
		.seq = ONE_OF(0, 0, 1, -1, 1400, -5000, 200000, 1 << 20, 1U << 31),
		.ack = ONE_OF(0, 0, 1, 999, 1000, 1001, -1, 200000, 1 << 20),
		.state = random() & 1 ? 0 : random() & (2 * FLOW_ENDED - 1),
		.constant = random() & (FLOW_TIMESTAMPS | FLOW_CLEAR_ECN | FLOW_FROM_SERVER),
		.mtu = ONE_OF(1500, 1300),
		.idle_timeout = ONE_OF(0, 1000),
		.fragment = random() % 16 == 0,
	};
}

static void random_packets_fare_as_at_tc(void **state)
{
	unsigned int n = 0;
	struct wish wish;
	struct subject s;

	srandom(1);
	for (unsigned int i = 0; i < RANDOM_PACKETS; i++) {
		random_wish(&wish);
		make(&s, &wish);
		s.flow.window_scale = random() % 15;
		s.flow.other_scale = random() % 15;
		s.flow.seq_delta = random();
		n += forwarded(&s);
	}
	assert_in_range(n, RANDOM_PACKETS / 50, RANDOM_PACKETS / 2);
}

static int set_up(void **state)
{
	if (geteuid())
		return 0;
	way = way_make();
	if (way < 0)
		return way;
	tc = splice_bpf__open_and_load();
	xdp = tc ? way_open(tc) : NULL;
	if (!xdp || splice_xdp_bpf__load(xdp))
		return -1;
	way_rows(xdp, way, "\0\0\0\0\0\0"); /* as it is */
	return 0;
}

static int tear_down(void **state)
{
	splice_xdp_bpf__destroy(xdp);
	splice_bpf__destroy(tc);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_packets_are_forwarded),
		cmocka_unit_test(what_needs_more_is_left_to_tc),
		cmocka_unit_test(headers_that_are_cut_are_left_to_tc),
		cmocka_unit_test(checksums_left_to_the_hardware_are_left_to_tc),
		cmocka_unit_test(frames_for_others_are_left_alone),
		cmocka_unit_test(tc_gets_a_packet_now_and_then),
		cmocka_unit_test(random_packets_fare_as_at_tc),
	};

	if (geteuid()) {
		puts("# SKIP BPF needs root");
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
