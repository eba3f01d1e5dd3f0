// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "openings.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "maps.h"
#include "open.skel.h"
#include "sysctl.h"

/* All but its own are those of the other programs. */
static int share_maps(struct open_bpf *programs, const struct flows *flows)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, programs->obj)
	{
		int fd = instance_map(flows->instance, bpf_map__name(map));

		if (fd < 0)
			fd = flows_map_named(flows, bpf_map__name(map));
		if (!err && fd >= 0 && !bpf_map__is_internal(map))
			err = bpf_map__reuse_fd(map, fd);
	}
	return err;
}

/*
 * Timestamps go on from one daemon to the next: a server takes a new connection from a port whose
 * last one it remembers only if its timestamp is a later one (RFC 6191). What is added to them
 * follows from a number that the kernel draws when it boots, if that can be read.
 */
static uint32_t clock_of_boot(uint32_t otherwise)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	__u64 id[4] = {0}; /* most of its text */
	size_t n;

	if (!file)
		return otherwise;
	n = fread(id, sizeof(id), 1, file);
	fclose(file);
	return n ? siphash(id, id + 2, 2) : otherwise;
}

static int map_all(struct openings *openings, const struct instance *instance)
{
	struct open_bpf *p = openings->programs;
	uint64_t random[3];

	openings->control = map_memory(p->maps.open_control);
	openings->ways = map_memory(p->maps.ways);
	openings->farm_ways = map_memory(p->maps.farm_ways);
	if (!openings->control || !openings->ways || !openings->farm_ways ||
	    getrandom(random, sizeof(random), 0) < 0)
		return -errno;
	memcpy(openings->control->secret, random, sizeof(openings->control->secret));
	openings->control->clock = clock_of_boot(random[2]);
	openings->control->began = instance->control->began;
	return 0;
}

/* Where one is off, the kernel makes no socket of what the program has promised. */
static int check_sysctls(const char **failed)
{
	static const char *const needed[][2] = {
		{"/proc/sys/net/ipv4/tcp_syncookies", "go without net.ipv4.tcp_syncookies"},
		{"/proc/sys/net/ipv4/tcp_timestamps", "go without net.ipv4.tcp_timestamps"},
		{"/proc/sys/net/ipv4/tcp_sack", "go without net.ipv4.tcp_sack"},
		{"/proc/sys/net/ipv4/tcp_window_scaling", "go without net.ipv4.tcp_window_scaling"},
	};
	uint64_t on;

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		*failed = needed[i][1];
		if (!sysctl_read(needed[i][0], &on, 1) || !on)
			return -EOPNOTSUPP;
	}
	return 0;
}

int openings_open(struct openings *openings, struct flows *flows, const struct acl *acl,
		  const char **failed)
{
	int err = check_sysctls(failed);

	if (err)
		return err;
	*failed = "load the program that opens connections (Linux 6.9)";
	openings->programs = open_bpf__open();
	if (!openings->programs)
		return -errno;
	err = share_maps(openings->programs, flows);
	err = err ? err : acl_share(acl, openings->programs->obj);
	err = err ? err : open_bpf__load(openings->programs);
	err = err ? err : map_all(openings, flows->instance);
	if (!err) {
		*failed = "attach the program that opens connections";
		atomic_store(&flows->open, bpf_program__fd(openings->programs->progs.open));
		err = flows_attach(flows);
	}
	if (!err)
		return 0;
	atomic_store(&flows->open, 0);
	openings_close(openings);
	return err;
}

void openings_close(struct openings *openings)
{
	struct open_bpf *p = openings->programs;

	if (!p)
		return;
	map_unmap(p->maps.open_control, openings->control);
	map_unmap(p->maps.ways, openings->ways);
	map_unmap(p->maps.farm_ways, openings->farm_ways);
	open_bpf__destroy(p);
	memset(openings, 0, sizeof(*openings));
}

int openings_map(const struct openings *openings)
{
	return bpf_map__fd(openings->programs->maps.openings);
}

int openings_frontends_map(const struct openings *openings)
{
	return bpf_map__fd(openings->programs->maps.open_frontends);
}

int openings_failures_ring(const struct openings *openings)
{
	return bpf_map__fd(openings->programs->maps.open_failures);
}
