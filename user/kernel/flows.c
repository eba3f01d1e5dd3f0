// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "flows.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "claim.h"
#include "interface.h"
#include "layout.h"
#include "links.h"
#include "pin.h"
#include "splice.skel.h"

#define WALK_BATCH 1024

/* ---- maps -------------------------------------------------------------------------------- */

/* Those that the programs of both objects count in. */
static int share_maps(struct flows *flows)
{
	struct splice_bpf *p = flows->programs;
	struct bpf_map *const shared[] = {
		p->maps.control,	p->maps.conns,	     p->maps.counters,
		p->maps.frontend_stats, p->maps.route_stats, p->maps.server_stats,
	};

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		int fd = instance_map(flows->instance, bpf_map__name(shared[i]));
		int err = fd < 0 ? fd : bpf_map__reuse_fd(shared[i], fd);

		if (err)
			return err;
	}
	return 0;
}

/* Goes on with the map that an earlier daemon left. 0, or -ENOENT if there is none, or -errno. */
static int adopt_map(const struct flows *flows, struct bpf_map *map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd = pin_open(flows->instance->name, bpf_map__name(map)), err;

	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &size) ? -errno : 0;
	if (!err && (info.value_size != bpf_map__value_size(map) ||
		     info.key_size != bpf_map__key_size(map)))
		err = -EPROTO;
	if (!err)
		err = bpf_map__reuse_fd(map, fd);
	close(fd);
	return err;
}

/*
 * 0 when there is a table to go on with; -ENOENT when there is none, or one of another version that
 * has no flow any more; -EPROTO when it has.
 */
static int look_at_table(const struct flows *flows)
{
	struct flow_key key;
	int fd = pin_open(flows->instance->name, "flows"), err;

	if (fd < 0)
		return fd;
	err = layout_check(flows->instance->name);
	if (err && bpf_map_get_next_key(fd, NULL, &key))
		err = -ENOENT;
	close(fd);
	return err;
}

/* The flows of an earlier daemon are still connections. */
static int adopt_flows(struct flows *flows, uint32_t max_flows)
{
	struct bpf_map *entries = flows->programs->maps.flows;
	struct bpf_map *hellos = flows->programs->maps.hellos;
	int err;

	bpf_map__set_max_entries(entries, 2 * max_flows);
	bpf_map__set_max_entries(hellos, max_flows);
	err = look_at_table(flows);
	if (err == -ENOENT)
		return 0;
	flows->keep = true;
	err = err ? err : adopt_map(flows, entries);
	err = err ? err : adopt_map(flows, hellos);
	return err == -ENOENT ? 0 : err;
}

int flows_map(const struct flows *flows)
{
	return bpf_map__fd(flows->programs->maps.flows);
}

int flows_map_named(const struct flows *flows, const char *name)
{
	return bpf_object__find_map_fd_by_name(flows->programs->obj, name);
}

int flows_closed_ring(const struct flows *flows)
{
	return bpf_map__fd(flows->programs->maps.closed);
}

int flows_removed_ring(const struct flows *flows)
{
	return bpf_map__fd(flows->programs->maps.removed);
}

/* ---- interfaces -------------------------------------------------------------------------- */

/* Interfaces that have no answers of their own to give: there is no route by them. */
struct bridged {
	uint32_t *v;
	size_t n;
};

/* The hooks that an interface is to have, a bit each. */
static __u32 wanted_hooks(const struct flows *flows, __u32 ifindex, const struct bridged *bridged)
{
	__u32 wanted = 1 << HOOK_INGRESS;

	if (atomic_load(&flows->strips))
		wanted |= 1 << HOOK_EGRESS;
	if (atomic_load(&flows->open))
		wanted |= 1 << HOOK_OPEN;
	if (links_have(bridged->v, bridged->n, ifindex))
		wanted &= ~(1 << HOOK_OPEN);
	return wanted;
}

/* The value in `interfaces`: a bit for each hook the programs are attached to. */
static int attach_one(const struct flows *flows, __u32 ifindex, const struct bridged *bridged)
{
	int interfaces = bpf_map__fd(flows->programs->maps.interfaces), err = 0;
	__u32 wanted = wanted_hooks(flows, ifindex, bridged), is = 0;
	int open = atomic_load(&flows->open);
	bool known = !bpf_map_lookup_elem(interfaces, &ifindex, &is);

	/* An earlier daemon's goes by its tables. */
	if (!known || is & ~wanted & 1 << HOOK_OPEN)
		detach_hook(flows->instance->pin_dir, ifindex, HOOK_OPEN);
	if (known && is == wanted)
		return 0;
	if (!interface_attachable(ifindex))
		return -EPROTONOSUPPORT;
	if (!(is & 1 << HOOK_INGRESS))
		err = attach_program(flows->instance->pin_dir, ifindex, HOOK_INGRESS,
				     bpf_program__fd(flows->programs->progs.splice));
	if (!err && wanted & 1 << HOOK_EGRESS)
		err = attach_program(flows->instance->pin_dir, ifindex, HOOK_EGRESS,
				     bpf_program__fd(flows->programs->progs.splice_syn));
	if (!err && wanted & ~is & 1 << HOOK_OPEN)
		err = attach_program(flows->instance->pin_dir, ifindex, HOOK_OPEN, open);
	if (!err && bpf_map_update_elem(interfaces, &ifindex, &wanted, BPF_ANY))
		err = -errno;
	return err;
}

static bool is_there(const struct if_nameindex *interfaces, __u32 ifindex)
{
	for (; interfaces->if_index; interfaces++)
		if (interfaces->if_index == ifindex)
			return true;
	return false;
}

/* Lets go of interfaces that are not in the list. */
static void detach_others(const struct flows *flows, const struct if_nameindex *interfaces)
{
	int map = bpf_map__fd(flows->programs->maps.interfaces);
	__u32 ifindex, next;
	bool more = !bpf_map_get_next_key(map, NULL, &next);

	while (more) {
		ifindex = next;
		more = !bpf_map_get_next_key(map, &ifindex, &next);
		if (is_there(interfaces, ifindex))
			continue;
		detach_programs(flows->instance->pin_dir, ifindex);
		bpf_map_delete_elem(map, &ifindex);
	}
}

int flows_attach(struct flows *flows)
{
	struct if_nameindex *interfaces = if_nameindex();
	struct bridged bridged = {0};
	int err = 0, failed;
	bool some = false;

	if (!interfaces)
		return -errno;
	if (atomic_load(&flows->open))
		(void)links_with_a_bridge(&bridged.v, &bridged.n);
	pthread_mutex_lock(&flows->lock);
	for (struct if_nameindex *i = interfaces; i->if_index; i++) {
		failed = attach_one(flows, i->if_index, &bridged);
		some |= !failed;
		err = err ? err : failed;
	}
	detach_others(flows, interfaces);
	pthread_mutex_unlock(&flows->lock);
	if_freenameindex(interfaces);
	free(bridged.v);
	return some ? 0 : err;
}

int flows_strip(struct flows *flows, const struct syn_key *key, uint32_t without)
{
	int err = 0;

	if (!atomic_exchange(&flows->strips, true))
		err = flows_attach(flows);
	if (!err &&
	    bpf_map_update_elem(bpf_map__fd(flows->programs->maps.syns), key, &without, BPF_ANY))
		err = -errno;
	return err;
}

void flows_unstrip(struct flows *flows, const struct syn_key *key)
{
	bpf_map_delete_elem(bpf_map__fd(flows->programs->maps.syns), key);
}

/* ---- life -------------------------------------------------------------------------------- */

int flows_open(struct flows *flows, const struct instance *instance, uint32_t max_flows,
	       const char **failed)
{
	int err;

	flows->instance = instance;
	pthread_mutex_init(&flows->lock, NULL);
	flows->claim = claim_map();
	flows->layout = layout_map();
	*failed = "load the packet path";
	flows->programs = splice_bpf__open();
	if (!flows->programs)
		return -errno;
	err = flows->claim < 0 ? flows->claim : 0;
	err = !err && flows->layout < 0 ? flows->layout : err;
	err = err ? err : share_maps(flows);
	err = err ? err : adopt_flows(flows, max_flows);
	err = err ? err : splice_bpf__load(flows->programs);
	if (!err)
		return 0;
	flows_close(flows);
	return err;
}

static void unpin(const struct flows *flows, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", flows->instance->pin_dir, name);
	unlink(path);
}

static void unpin_all(const struct flows *flows)
{
	struct if_nameindex nobody = {0};
	struct bpf_program *program;

	detach_others(flows, &nobody);
	unpin(flows, "flows");
	unpin(flows, "hellos");
	unpin(flows, "removed");
	unpin(flows, "claims");
	unpin(flows, "layout");
	bpf_object__for_each_program(program, flows->programs->obj)
		unpin(flows, bpf_program__name(program));
}

void flows_close(struct flows *flows)
{
	if (!flows->programs)
		return;
	if (!flows->keep)
		unpin_all(flows);
	splice_bpf__destroy(flows->programs);
	flows->programs = NULL;
	if (flows->claim >= 0)
		close(flows->claim);
	if (flows->layout >= 0)
		close(flows->layout);
}

int flows_pin(const struct flows *flows)
{
	struct bpf_program *program;
	int err = instance_pin_object(flows->instance, flows->layout, "layout");

	err = err ? err : instance_pin_object(flows->instance, flows_map(flows), "flows");
	err = err ? err
		  : instance_pin_object(flows->instance, bpf_map__fd(flows->programs->maps.hellos),
					"hellos");
	err = err ? err
		  : instance_pin_object(flows->instance, flows_removed_ring(flows), "removed");
	err = err ? err : instance_pin_object(flows->instance, flows->claim, "claims");
	bpf_object__for_each_program(program, flows->programs->obj) err =
		err ? err
		    : instance_pin_object(flows->instance, bpf_program__fd(program),
					  bpf_program__name(program));
	return err;
}

/* In a network namespace of its own, which goes with all that is left there. */
static int try_to_attach(int program)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), err;

	if (here < 0)
		return -errno;
	err = unshare(CLONE_NEWNET) ? -errno : attach_try(program);
	if (setns(here, CLONE_NEWNET) && !err)
		err = -errno;
	close(here);
	return err;
}

int flows_probe(const char **failed)
{
	struct splice_bpf *programs = splice_bpf__open_and_load();
	int err;

	*failed = "load the packet path";
	if (!programs)
		return -errno;
	*failed = "attach to interfaces";
	err = try_to_attach(bpf_program__fd(programs->progs.splice));
	splice_bpf__destroy(programs);
	return err;
}

/* ---- programs ---------------------------------------------------------------------------- */

/* Runs a program on `request`, which it answers in place. */
static int run(int program, void *request, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = request, .data_size_in = size,
		    .data_out = request, .data_size_out = size);

	if (bpf_prog_test_run_opts(program, &options))
		return -errno;
	return options.retval ? -EIO : 0;
}

int flows_start(const struct flows *flows, struct splice_request *request)
{
	return run(bpf_program__fd(flows->programs->progs.splice_start), request, sizeof(*request));
}

int flows_extend(const struct flows *flows, struct extend_request *request)
{
	return run(bpf_program__fd(flows->programs->progs.splice_extend), request,
		   sizeof(*request));
}

int flows_move(const struct flows *flows, struct move_request *request)
{
	return run(bpf_program__fd(flows->programs->progs.flow_move), request, sizeof(*request));
}

int flows_remove(int program, struct remove_request *request)
{
	return run(program, request, sizeof(*request));
}

int flows_remove_program(const struct flows *flows)
{
	return bpf_program__fd(flows->programs->progs.flow_remove);
}

const char *splice_refusal(uint32_t result)
{
	static const char *const texts[] = {
#define X(id, text) [SPLICE_##id] = (text),
		SPLICE_RESULTS(X)
#undef X
	};

	return result != SPLICE_STARTED && result < SPLICE_RESULT_MAX ? texts[result] : NULL;
}

/* ---- entries -----------------------------------------------------------------------------*/

bool flows_find(int map, const struct flow_key *key, struct flow *flow)
{
	struct flow ignored;

	return !bpf_map_lookup_elem(map, key, flow ? flow : &ignored);
}

/* ---- all of them ------------------------------------------------------------------------- */

int flow_walk_on(struct flow_walk *walk, int map, flow_step *step, void *context)
{
	bool first = !walk->keys;
	__u32 n = WALK_BATCH;
	int err = 1;

	if (first) {
		walk->keys = calloc(WALK_BATCH, sizeof(*walk->keys));
		walk->values = calloc(WALK_BATCH, sizeof(*walk->values));
	}
	if (!walk->keys || !walk->values)
		err = -ENOMEM;
	else if (bpf_map_lookup_batch(map, first ? NULL : &walk->position, &walk->position,
				      walk->keys, walk->values, &n, NULL))
		err = errno == ENOENT ? 0 : -errno; /* it comes with the last of them */
	for (__u32 i = 0; err >= 0 && i < n; i++)
		step(&walk->keys[i], &walk->values[i], context);
	if (err <= 0)
		flow_walk_free(walk);
	return err;
}

void flow_walk_free(struct flow_walk *walk)
{
	free(walk->keys);
	free(walk->values);
	*walk = (struct flow_walk){0};
}

int flows_walk(int map, flow_step *step, void *context)
{
	struct flow_walk walk = {0};
	int more;

	do {
		more = flow_walk_on(&walk, map, step, context);
	} while (more > 0);
	return more;
}
