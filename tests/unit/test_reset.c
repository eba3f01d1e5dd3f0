/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../user/kernel/reset.h"
#include "../../user/model/prefix.h"

/* What is sent is looked at on the loopback interface of a network namespace of the test's own. */

static int capture = -1;
static struct reset_sockets sockets = {-1, -1};

static int set_up(void **state)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	struct timeval timeout = {.tv_sec = 5};
	int fd;

	if (geteuid()) {
		print_message("[  SKIPPED ] needs root: a network namespace and raw sockets\n");
		return 0;
	}
	if (unshare(CLONE_NEWNET))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		return -1;
	close(fd);
	capture = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	return setsockopt(capture, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

/* A key of packets from SOURCE:1000 to DESTINATION:2000. */
static struct flow_key key_of(const char *source, const char *destination)
{
	struct flow_key key = {.source_port = htons(1000), .destination_port = htons(2000)};

	assert_int_equal(address_parse(source, key.source), 0);
	assert_int_equal(address_parse(destination, key.destination), 0);
	return key;
}

static uint32_t add_words(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	return sum;
}

/* RFC 9293 section 3.1: over everything, the checksum included, the sum is all ones. */
static void assert_checksum(const void *addresses, size_t size, const struct tcphdr *tcp)
{
	uint32_t sum = add_words(addresses, size, IPPROTO_TCP + sizeof(*tcp));

	sum = add_words(tcp, sizeof(*tcp), sum);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

static void assert_tcp(const struct tcphdr *tcp, uint32_t seq)
{
	assert_int_equal(ntohs(tcp->source), 2000);
	assert_int_equal(ntohs(tcp->dest), 1000);
	assert_int_equal(ntohl(tcp->seq), seq);
	assert_int_equal(tcp->doff, 5);
	assert_int_equal(((const uint8_t *)tcp)[13], TH_RST);
}

/* The next packet that came in; each is seen going out as well. */
static ssize_t receive(void *packet, size_t size)
{
	struct sockaddr_ll from;
	socklen_t from_size = sizeof(from);
	ssize_t n;

	do
		n = recvfrom(capture, packet, size, 0, (struct sockaddr *)&from, &from_size);
	while (n >= 0 && from.sll_pkttype == PACKET_OUTGOING);
	return n;
}

static void a_reset_over_ipv4_is_a_whole_packet(void **state)
{
	struct flow_event event = {.expects = {0x01020304, 0xfffffffe}};
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
		uint8_t more[64];
	} packet;

	if (capture < 0)
		skip();
	event.key[CLIENT] = key_of("127.0.0.2", "127.0.0.3");
	event.key[SERVER] = key_of("127.0.0.4", "127.0.0.5");
	assert_int_equal(flow_reset(&sockets, &event), 0);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(receive(&packet, sizeof(packet)), 40);
		assert_memory_equal(&packet.ip.saddr, event.key[side].destination + 12, 4);
		assert_memory_equal(&packet.ip.daddr, event.key[side].source + 12, 4);
		assert_tcp(&packet.tcp, event.expects[side]);
		assert_checksum(&packet.ip.saddr, 8, &packet.tcp);
	}
}

static void a_reset_over_ipv6_is_a_whole_packet(void **state)
{
	struct flow_event event = {.expects = {0, 0x89abcdef}};
	struct {
		struct ip6_hdr ip;
		struct tcphdr tcp;
		uint8_t more[64];
	} packet;

	if (capture < 0)
		skip();
	event.key[CLIENT] = key_of("::1", "2001:db8::7");
	event.key[SERVER] = key_of("::1", "2001:db8::8");
	assert_int_equal(flow_reset(&sockets, &event), 0);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(receive(&packet, sizeof(packet)), 60);
		assert_int_equal(packet.ip.ip6_vfc >> 4, 6);
		assert_int_equal(packet.ip.ip6_nxt, IPPROTO_TCP);
		assert_int_equal(ntohs(packet.ip.ip6_plen), sizeof(packet.tcp));
		assert_memory_equal(&packet.ip.ip6_src, event.key[side].destination, 16);
		assert_memory_equal(&packet.ip.ip6_dst, event.key[side].source, 16);
		assert_tcp(&packet.tcp, event.expects[side]);
		assert_checksum(&packet.ip.ip6_src, 32, &packet.tcp);
	}
}

static void resets_of_many_flows_share_a_socket(void **state)
{
	struct flow_event event = {.expects = {1, 2}};
	int first;

	if (capture < 0)
		skip();
	event.key[CLIENT] = key_of("127.0.0.2", "127.0.0.3");
	event.key[SERVER] = key_of("127.0.0.4", "127.0.0.5");
	assert_int_equal(flow_reset(&sockets, &event), 0);
	first = sockets.v4;
	assert_int_equal(flow_reset(&sockets, &event), 0);
	assert_int_equal(sockets.v4, first);
	reset_sockets_close(&sockets);
	assert_int_equal(sockets.v4, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_over_ipv4_is_a_whole_packet),
		cmocka_unit_test(a_reset_over_ipv6_is_a_whole_packet),
		cmocka_unit_test(resets_of_many_flows_share_a_socket),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
