// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Makes the network behind an interface worse, until it is ended by SIGTERM:
 *
 *	impair INTERFACE [-d DROP [-k]] [-r REORDER] [-a ACKS] [-l LARGE]
 *
 * DROP and REORDER of 1000 packets that leave are lost, or come a few milliseconds later than those
 * behind them; they take a detour by this process, for there may be no netem. ACKS: so many
 * acknowledgements behind a FIN are lost. -k: no RST is lost, which nobody would repeat. LARGE:
 *frames of more bytes are lost that come in. Says "ready".
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/peers/impair.skel.h"

#define ATTACH_TCX_INGRESS 46 /* BPF_TCX_INGRESS, kernel 6.6 */
#define ATTACH_TCX_EGRESS  47
#define MARK		   0x1a7e
#define HELD		   4096
#define DELAY_MAX	   6   /* milliseconds */
#define IDLE		   100 /* milliseconds: a signal may come just before poll() */

unsigned int if_nametoindex(const char *name);

struct held {
	unsigned long long due; /* microseconds */
	ssize_t size;
	unsigned char bytes[65600];
};

static volatile sig_atomic_t stop;
static struct held *held[HELD];
static unsigned int n_held;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void on_signal(int number)
{
	stop = 1;
}

static unsigned long long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

static int open_detour(char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK), control;

	snprintf(name, IFNAMSIZ, "detour%d", getpid() % 10000000);
	snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request))
		die("tun");
	control = socket(AF_INET, SOCK_DGRAM, 0);
	request.ifr_flags = IFF_UP | IFF_NOARP;
	if (ioctl(control, SIOCSIFFLAGS, &request))
		die(name);
	close(control);
	return fd;
}

static int open_way_back(int ifindex)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), mark = MARK;

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		die("packet socket");
	return fd;
}

static void hold(int detour)
{
	while (n_held < HELD) {
		struct held *h = malloc(sizeof(*h));

		if (!h)
			die("memory");
		h->size = read(detour, h->bytes, sizeof(h->bytes));
		if (h->size <= 0) {
			free(h);
			return;
		}
		h->due = microseconds() + 200 + rand() % (DELAY_MAX * 1000);
		held[n_held++] = h;
	}
}

static void release(int way_back, unsigned long long now)
{
	for (unsigned int i = 0; i < n_held;) {
		if (held[i]->due > now) {
			i++;
			continue;
		}
		(void)!send(way_back, held[i]->bytes, held[i]->size, 0);
		free(held[i]);
		held[i] = held[--n_held];
	}
}

static void options(int argc, char **argv, struct impair_bpf *programs)
{
	int option;

	while ((option = getopt(argc, argv, "d:kr:a:l:")) != -1)
		switch (option) {
		case 'd':
			programs->rodata->drop_per_mille = atoi(optarg);
			break;
		case 'k':
			programs->rodata->keep_resets = true;
			break;
		case 'r':
			programs->rodata->detour_per_mille = atoi(optarg);
			break;
		case 'a':
			programs->rodata->last_acks = atoi(optarg);
			break;
		case 'l':
			programs->rodata->most = atoi(optarg);
			break;
		default:
			exit(2);
		}
}

static int attach(const struct bpf_program *program, int ifindex, int where)
{
	int link = bpf_link_create(bpf_program__fd(program), ifindex, where, NULL);

	if (link < 0)
		die("attach");
	return link;
}

int main(int argc, char **argv)
{
	struct impair_bpf *programs = impair_bpf__open();
	char name[IFNAMSIZ];
	int detour, way_back, ifindex, link;

	if (!programs)
		die("open");
	options(argc, argv, programs);
	if (optind >= argc)
		return 2;
	ifindex = if_nametoindex(argv[optind]);
	detour = open_detour(name);
	way_back = open_way_back(ifindex);
	programs->rodata->detour = if_nametoindex(name);
	programs->rodata->mark = MARK;
	if (impair_bpf__load(programs))
		die("load");
	link = attach(programs->progs.impair, ifindex, ATTACH_TCX_EGRESS);
	if (programs->rodata->most)
		attach(programs->progs.lose_large, ifindex, ATTACH_TCX_INGRESS);
	printf("ready\n");
	fflush(stdout);
	signal(SIGTERM, on_signal);
	while (!stop) {
		struct pollfd wait = {.fd = detour, .events = POLLIN};

		poll(&wait, 1, n_held ? 1 : IDLE);
		hold(detour);
		release(way_back, microseconds());
	}
	/* Nobody repeats an RST that is lost. */
	close(link);
	hold(detour);
	release(way_back, ~0ULL);
}
