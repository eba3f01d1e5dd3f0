/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of doctor that is about the packet path. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "../kernel/accel.h"
#include "../kernel/attach.h"
#include "../kernel/claim.h"
#include "../kernel/flows.h"
#include "../kernel/interface.h"
#include "../kernel/links.h"
#include "../kernel/local_ports.h"
#include "../kernel/pin.h"
#include "../kernel/spliced.h"
#include "../kernel/sysctl.h"
#include "../model/decode.h"
#include "doctor.h"
#include "snapshot.h"

#define FULL_PERCENT 80

void check_packet_path(json_t *rows)
{
	const char *failed;
	int err = flows_probe(&failed);

	if (!err)
		finding(rows, STATUS_OK, "packet path", NULL, "works");
	else if (err == -EPERM || err == -EACCES)
		finding(rows, STATUS_WARN, "packet path", "run doctor as root", "not tried: %s",
			strerror(-err));
	else
		finding(rows, STATUS_WARN, "packet path",
			"before 6.6 it needs the modules sch_ingress and cls_bpf; connections "
			"take another path here",
			"cannot %s: %s", failed, strerror(-err));
}

/* ---- ports ------------------------------------------------------------------------------- */

static void check_nat_ports(json_t *rows, const char *check, const struct port_range *range)
{
	struct port_range local;
	char advice[128];

	if (!local_ports_overlap(range, &local))
		return;
	snprintf(advice, sizeof(advice), "sysctl -w net.ipv4.ip_local_reserved_ports=%u-%u",
		 range->first, range->last);
	finding(rows, STATUS_WARN, check, advice,
		"nat_ports %u-%u overlap net.ipv4.ip_local_port_range %u-%u: other connections of "
		"this host may get the port of a spliced one",
		range->first, range->last, local.first, local.last);
}

static void check_claim(json_t *rows, const char *check, const char *instance,
			const struct config *config)
{
	char other[NAME_MAX + 1];
	struct claim claim;

	if (!claim_read(instance, &claim) && claim.first)
		return;
	claim_fill(&claim, &config->nat_ports, &config->nat_ip, UINT64_MAX);
	if (claim_disputed(instance, &claim, other))
		finding(rows, STATUS_WARN, check,
			"give one of the two other nat_ports, or another nat_ip",
			"instance '%s' uses source ports of nat_ports %u-%u: connections take "
			"other paths",
			other, config->nat_ports.first, config->nat_ports.last);
}

/* Ports in use from one address to one server. */
struct pool {
	struct flow_key key; /* as of the server's packets, without the port in question */
	uint32_t used;
	UT_hash_handle hh;
};

struct usage {
	struct pool *pools;
	uint32_t flows;
};

static void count_port(const struct flow_key *key, const struct flow *flow, void *context)
{
	struct usage *usage = context;
	struct flow_key of = *key;
	struct pool *pool;

	if (!(flow->constant & FLOW_FROM_SERVER))
		return;
	usage->flows++;
	of.destination_port = 0;
	HASH_FIND(hh, usage->pools, &of, sizeof(of), pool);
	if (!pool && (pool = calloc(1, sizeof(*pool)))) {
		pool->key = of;
		HASH_ADD(hh, usage->pools, key, sizeof(pool->key), pool);
	}
	if (pool)
		pool->used++;
}

static void pools_free(struct usage *usage)
{
	struct pool *pool, *next;

	HASH_ITER (hh, usage->pools, pool, next) {
		HASH_DEL(usage->pools, pool);
		free(pool);
	}
}

static void check_pools(json_t *rows, const char *check, const struct usage *usage,
			const struct port_range *range)
{
	uint32_t n = range->last - range->first + 1;
	char from[64], to[64];
	struct pool *fullest = usage->pools, *pool, *next;
	bool full;

	HASH_ITER (hh, usage->pools, pool, next)
		if (pool->used > fullest->used)
			fullest = pool;
	if (!fullest)
		return;
	full = (uint64_t)fullest->used * 100 >= (uint64_t)n * FULL_PERCENT;
	finding(rows, full ? STATUS_WARN : STATUS_OK, check,
		full ? "widen nat_ports, give more addresses with nat_ip, or add servers" : NULL,
		"%u of %u source ports in use from %s to %s, the fullest", fullest->used, n,
		endpoint_format(fullest->key.destination, 0, from, sizeof(from)),
		endpoint_format(fullest->key.source, ntohs(fullest->key.source_port), to,
				sizeof(to)));
}

/* ---- an instance ------------------------------------------------------------------------- */

static void check_table(json_t *rows, const char *check, uint32_t flows, uint32_t room)
{
	bool full = (uint64_t)flows * 100 >= (uint64_t)room * FULL_PERCENT;

	finding(rows, full ? STATUS_WARN : STATUS_OK, check,
		full ? "raise max_flows, unload and restart" : NULL, "%u of %u flows in the table",
		flows, room);
}

static void check_interfaces(json_t *rows, const char *check, const char *instance)
{
	struct if_nameindex *interfaces = if_nameindex();
	char missing[256] = "", pins[256];

	snprintf(pins, sizeof(pins), PIN_ROOT "/%s", instance);
	for (struct if_nameindex *i = interfaces; i && i->if_index; i++) {
		size_t used = strlen(missing);

		if (interface_attachable(i->if_index) &&
		    !program_attached(pins, i->if_index, HOOK_INGRESS))
			snprintf(missing + used, sizeof(missing) - used, " %s", i->if_name);
	}
	if_freenameindex(interfaces);
	if (*missing)
		finding(rows, STATUS_WARN, check,
			"a running daemon attaches to new interfaces; its log says what failed",
			"no program at the interfaces:%s", missing);
}

static void advise_on_accel(enum accel_state state, const char *name, char *advice, size_t size)
{
	if (state == ACCEL_NO_FORWARDING)
		snprintf(advice, size,
			 "sysctl -w net.ipv4.conf.%s.forwarding=1 (net.ipv6...), if this host may "
			 "forward other packets, too; or accel: { %s: tc }",
			 name, name);
	else if (state == ACCEL_BACK_ONLY)
		snprintf(advice, size, "a veth takes them when GRO is on at its other end");
	else
		snprintf(advice, size, "alpnlb xdp show; or accel: { %s: tc }", name);
}

/* Interfaces that are to have the program at XDP. */
static void check_accel(json_t *rows, const char *check, const struct config *config)
{
	char name[IF_NAMESIZE], advice[256];
	uint32_t *links = NULL;
	size_t n = 0;

	(void)links_at_the_door(&links, &n);
	for (size_t i = 0; i < n; i++) {
		enum accel_state state = ACCEL_NOT_ASKED;

		if (if_indextoname(links[i], name) && accel_wants(config, links[i]))
			state = accel_find_state(links[i]);
		advise_on_accel(state, name, advice, sizeof(advice));
		if (state == ACCEL_WORKS)
			finding(rows, STATUS_OK, check, NULL,
				"%s: spliced packets are forwarded at XDP", name);
		else if (state != ACCEL_NOT_ASKED)
			finding(rows, STATUS_WARN, check, advice,
				"%s: spliced packets go by tc, too: %s", name, accel_text(state));
	}
	free(links);
}

/* Spliced packets pass below it, so its entries stay as the handshake left them. */
static void check_tracking(json_t *rows, const char *check)
{
	uint64_t count;

	if (sysctl_read("/proc/sys/net/netfilter/nf_conntrack_count", &count, 1) && count)
		finding(rows, STATUS_WARN, check,
			"exempt the ports of frontends and servers with notrack, see "
			"alpnlb-doctor(8)",
			"nf_conntrack sees only the handshake of spliced connections: its entries "
			"outlive them by days");
}

void check_packet_instance(json_t *rows, const char *instance)
{
	struct text ignored = {0};
	struct usage usage = {0};
	struct snapshot s;
	char check[64];
	int map = spliced_open(instance);

	snprintf(check, sizeof(check), "instance %s", instance);
	if (map == -EPROTO)
		finding(rows, STATUS_WARN, check, "stop the daemon, unload, start it again",
			"another version made the flows in the table: they go on, but do not "
			"expire, and new connections take other paths");
	if (map < 0)
		return;
	if (!snapshot_load(&s, instance, &ignored) && !flows_walk(map, count_port, &usage)) {
		check_nat_ports(rows, check, &s.config->nat_ports);
		check_claim(rows, check, instance, s.config);
		check_pools(rows, check, &usage, &s.config->nat_ports);
		check_table(rows, check, usage.flows, spliced_room(map));
		check_interfaces(rows, check, instance);
		check_accel(rows, check, s.config);
		check_tracking(rows, check);
	}
	pools_free(&usage);
	snapshot_close(&s);
	close(map);
}
