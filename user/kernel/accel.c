// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "accel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "flows.h"
#include "interface.h"
#include "links.h"
#include "splice_xdp.skel.h"
#include "sysctl.h"
#include "xdp_features.h"

/* ---- an interface ------------------------------------------------------------------------ */

/*
 * These hand on frames of this host, or of another guest of the same one, whose checksum nobody has
 * made yet, so that the program could not forward them; or they send by other interfaces.
 */
static bool is_soft(uint32_t ifindex)
{
	static const char *const drivers[] = {"",     "veth", "tun",	      "bonding",
					      "team", "vif",  "xen_netfront", "hv_netvsc"};
	char driver[INTERFACE_DRIVER_MAX];

	interface_driver(ifindex, driver);
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(driver, drivers[i]))
			return true;
	return false;
}

static bool has_feature(uint32_t ifindex, uint64_t feature)
{
	uint64_t features;

	return !xdp_features(ifindex, &features) && features & feature;
}

/* Where it is off for both versions of IP, bpf_fib_lookup() finds no next hop. */
static bool forwards(uint32_t ifindex)
{
	static const char *const versions[] = {"ipv4", "ipv6"};
	char name[IF_NAMESIZE], path[128];
	uint64_t on = 0;

	if (!if_indextoname(ifindex, name))
		return false;
	for (size_t i = 0; i < 2 && !on; i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/forwarding", versions[i],
			 name);
		(void)sysctl_read(path, &on, 1);
	}
	return on;
}

/* A program in the driver is no small thing there: not for nothing, if nobody has asked for it. */
static bool is_fit(const struct config *config, uint32_t ifindex)
{
	return (config->xdp == XDP_AUTO || config->xdp == XDP_NATIVE) && !is_soft(ifindex) &&
	       has_feature(ifindex, XDP_FEATURE_BASIC) && forwards(ifindex);
}

bool accel_wants(const struct config *config, uint32_t ifindex)
{
	char name[IF_NAMESIZE];
	enum accel_choice accel;

	if (!if_indextoname(ifindex, name))
		return false;
	accel = config_accel(config, name);
	return accel == ACCEL_XDP || (accel == ACCEL_AUTO && is_fit(config, ifindex));
}

/* What a driver cannot take is lost. Before 6.3 only a veth's may be of the kind that cannot. */
static bool takes_frames(uint32_t ifindex)
{
	uint64_t features;
	int err = xdp_features(ifindex, &features);

	return err == -ENOENT ? !is_soft(ifindex) : !err && features & XDP_FEATURE_SENDS;
}

enum accel_state accel_find_state(uint32_t ifindex)
{
	if (ifindex >= INTERFACE_ROWS)
		return ACCEL_NO_ROW;
	if (!door_is_native(ifindex))
		return ACCEL_NO_DOOR;
	if (!forwards(ifindex))
		return ACCEL_NO_FORWARDING;
	return takes_frames(ifindex) ? ACCEL_WORKS : ACCEL_BACK_ONLY;
}

const char *accel_text(enum accel_state state)
{
	static const char *const texts[ACCEL_STATE_MAX] = {
		[ACCEL_BACK_ONLY] = "it takes no frames from other interfaces",
		[ACCEL_NO_DOOR] = "no program of ours is in its driver",
		[ACCEL_NO_FORWARDING] = "its sysctl forwarding is off, for IPv4 and IPv6",
		[ACCEL_NO_ROW] = "its index is too high",
	};

	return state < ACCEL_STATE_MAX ? texts[state] : NULL;
}

/* ---- all of them ------------------------------------------------------------------------- */

static uint64_t row_of(uint32_t ifindex, enum accel_state state)
{
	uint64_t row = INTERFACE_IS | interface_address(ifindex);

	if (state == ACCEL_WORKS)
		return row | INTERFACE_SENDS;
	return state == ACCEL_BACK_ONLY ? row : 0;
}

static void set_row(struct accel *accel, uint32_t ifindex, enum accel_state state, accel_told *tell)
{
	uint64_t row = row_of(ifindex, state);
	bool changes = ifindex < INTERFACE_ROWS && state != accel->states[ifindex];

	if (ifindex < INTERFACE_ROWS) {
		__atomic_store_n(&accel->programs->bss->interface_rows[ifindex], row,
				 __ATOMIC_RELAXED);
		accel->states[ifindex] = state;
	}
	if (changes && state)
		tell(ifindex, state);
}

int accel_follow(struct accel *accel, accel_told *tell)
{
	uint32_t *links;
	size_t n;
	int err;

	if (!accel->programs)
		return 0;
	err = links_at_the_door(&links, &n);
	for (size_t i = 0; i < n && !err; i++)
		set_row(accel, links[i],
			accel_wants(accel->config, links[i]) ? accel_find_state(links[i])
							     : ACCEL_NOT_ASKED,
			tell);
	for (uint32_t i = 0; i < INTERFACE_ROWS && !err; i++)
		if (accel->states[i] && !links_have(links, n, i))
			set_row(accel, i, ACCEL_NOT_ASKED, tell);
	free(links);
	return err;
}

static bool some_are_wanted(const struct config *config)
{
	uint32_t *links;
	bool some = false;
	size_t n;

	if (!links_at_the_door(&links, &n))
		for (size_t i = 0; i < n && !some; i++)
			some = accel_wants(config, links[i]);
	free(links);
	return some;
}

/* ---- life -------------------------------------------------------------------------------- */

static bool wish(const void *context, uint32_t ifindex)
{
	const struct accel *accel = context;

	return accel_wants(accel->config, ifindex);
}

static int load(struct accel *accel)
{
	struct splice_xdp_bpf *programs = splice_xdp_bpf__open();
	int err;

	if (!programs)
		return -errno;
	err = bpf_map__reuse_fd(programs->maps.flows, flows_map(accel->flows));
	err = err ? err : splice_xdp_bpf__load(programs);
	err = err ? err
		  : door_set_next(accel->door, bpf_program__fd(programs->progs.splice_xdp), wish,
				  accel);
	if (err)
		splice_xdp_bpf__destroy(programs);
	else
		accel->programs = programs;
	return err;
}

static void unload(struct accel *accel)
{
	if (!accel->programs)
		return;
	(void)door_set_next(accel->door, -1, NULL, NULL);
	memset(accel->programs->bss, 0, sizeof(*accel->programs->bss));
	memset(accel->states, 0, sizeof(accel->states));
	splice_xdp_bpf__destroy(accel->programs);
	accel->programs = NULL;
}

void accel_init(struct accel *accel, struct door *door, const struct flows *flows)
{
	accel->door = door;
	accel->flows = flows;
}

int accel_configure(struct accel *accel, const struct config *config)
{
	bool wanted = accel->flows->programs && some_are_wanted(config);

	accel->config = config;
	if (wanted == !!accel->programs)
		return 0;
	if (wanted)
		return load(accel);
	unload(accel);
	return 0;
}

void accel_close(struct accel *accel)
{
	splice_xdp_bpf__destroy(accel->programs); /* the door keeps it */
	accel->programs = NULL;
}
