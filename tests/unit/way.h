/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A network namespace with a way to the neighbours 10.1.0.2 and fd00::2, for programs that are run
 * with BPF_PROG_RUN and look for one; and both programs that move packets, of one flow table.
 */
#ifndef ALPNLB_TEST_WAY_H
#define ALPNLB_TEST_WAY_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/interface.h"
#include "splice.skel.h"
#include "splice_xdp.skel.h"

#define WAY_MAC "\2\0\0\0\0\2"

/* Its interface index, or -errno. */
static inline int way_make(void)
{
	static const char commands[] =
		"exec >/dev/null && ip link set lo up && "
		"ip link add way type veth peer name far && ip link set far up && "
		"ip link set way addrgenmode none up && "
		"ip addr add 10.1.0.1/24 dev way && ip addr add fd00::1/64 dev way nodad && "
		"ip neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev way nud permanent && "
		"ip neigh add fd00::2 lladdr 02:00:00:00:00:02 dev way nud permanent && "
		"sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1";
	uint32_t ifindex;

	if (unshare(CLONE_NEWNET))
		return -errno;
	if (system(commands))
		return -EIO;
	ifindex = if_nametoindex("way");
	return ifindex ? (int)ifindex : -errno;
}

/* BPF_PROG_RUN gives frames to `lo`; let it have this address. */
static inline void way_rows(struct splice_xdp_bpf *xdp, uint32_t way, const char *address)
{
	uint64_t in = 0;

	memcpy(&in, address, 6);
	xdp->bss->interface_rows[1] = in | INTERFACE_IS;
	xdp->bss->interface_rows[way] = INTERFACE_IS | INTERFACE_SENDS;
}

/* With the flow table of the other programs. NULL on failure. */
static inline struct splice_xdp_bpf *way_open(const struct splice_bpf *tc)
{
	struct splice_xdp_bpf *xdp = splice_xdp_bpf__open();

	if (!xdp || !bpf_map__reuse_fd(xdp->maps.flows, bpf_map__fd(tc->maps.flows)))
		return xdp;
	splice_xdp_bpf__destroy(xdp);
	return NULL;
}

#endif
