// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "door.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "door.skel.h"
#include "door_tables.h"
#include "links.h"
#include "pin.h"

#define PATH_SIZE 256

/* What came of the last try. */
struct door_interface {
	uint32_t ifindex;
	int err;
	UT_hash_handle hh;
};

/* Pinned while the program is loaded; the last, counters, stay and go on with the next one. */
static const char *const pins[] = {"door",	   "door_next",	    "door_rates",
				   "door_sources", "door_drops_at", "door_drops"};
#define PINS_THAT_GO 5

/* ---- the program ----------------------------------------------------------------------- */

static void adopt(const struct door *door, struct bpf_map *map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd = pin_open(door->instance->name, bpf_map__name(map));

	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == bpf_map__type(map) &&
	    info.key_size == bpf_map__key_size(map) &&
	    info.value_size == bpf_map__value_size(map) &&
	    info.max_entries == bpf_map__max_entries(map))
		(void)bpf_map__reuse_fd(map, fd);
	close(fd);
}

static int put_next(const struct door *door)
{
	__u32 zero = 0;
	int map = bpf_map__fd(door->programs->maps.door_next);

	if (door->next < 0)
		(void)bpf_map_delete_elem(map, &zero);
	return door->next >= 0 && bpf_map_update_elem(map, &zero, &door->next, BPF_ANY) ? -errno
											: 0;
}

int door_set_next(struct door *door, int program, door_wish *wish, const void *context)
{
	door->next = program;
	door->wish = wish;
	door->wish_context = context;
	return door->programs ? put_next(door) : 0;
}

static int load(struct door *door)
{
	struct door_bpf *p = door_bpf__open();
	int err;

	if (!p)
		return -errno;
	err = acl_share(&door->acl, p->obj);
	adopt(door, p->maps.door_rates);
	adopt(door, p->maps.door_sources);
	adopt(door, p->maps.door_drops);
	adopt(door, p->maps.door_drops_at);
	err = err ? err : door_bpf__load(p);
	if (err) {
		door_bpf__destroy(p);
		return err;
	}
	door->programs = p;
	return put_next(door);
}

int door_probe(void)
{
	struct door_bpf *programs = door_bpf__open_and_load();
	int err = programs ? 0 : -errno;

	door_bpf__destroy(programs);
	return err;
}

static int map_fd(const struct door *door, const char *name)
{
	return bpf_object__find_map_fd_by_name(door->programs->obj, name);
}

int door_ring(const struct door *door)
{
	return door->programs ? bpf_map__fd(door->programs->maps.drops) : -1;
}

/* ---- tables ---------------------------------------------------------------------------- */

/* Into the half that is not in force; of a program that nobody runs, into the one that is. */
static int put_tables(struct door *door, const int fds[DOOR_TABLE_MAX], __u32 half)
{
	int err = 0;

	for (int i = 0; i < DOOR_TABLE_MAX && !err; i++)
		if (bpf_map_update_elem(map_fd(door, door_table_name[i]), &half, &fds[i], BPF_ANY))
			err = -errno;
	return err;
}

/* Lists are large: what is not in force goes. */
static void drop_tables(struct door *door, __u32 half)
{
	for (int i = 0; i < DOOR_TABLE_MAX; i++)
		bpf_map_delete_elem(map_fd(door, door_table_name[i]), &half);
}

static int switch_tables(struct door *door, const int fds[DOOR_TABLE_MAX], bool fresh)
{
	struct door_control *control = door->acl.control;
	__u32 before = control->half & 1, half = fresh ? before : !before;
	int err = put_tables(door, fds, half);

	if (err)
		return err;
	__atomic_store_n(&control->half, half, __ATOMIC_RELEASE);
	if (!fresh) {
		instance_wait_for_programs();
		drop_tables(door, before);
	}
	if (door->addresses >= 0)
		close(door->addresses);
	door->addresses = fds[DOOR_TABLE_ADDRESSES];
	return 0;
}

static bool has_to_enforce(const struct config *config)
{
	for (size_t i = 0; i < config->n_frontends; i++) {
		const struct frontend *frontend = &config->frontends[i];

		if (frontend_listens(config, frontend) && !frontend->proxy_sources.set &&
		    (frontend->allowed_source.set || frontend->denied_source.set ||
		     frontend->rate_limit || frontend->source_rate_limit))
			return true;
	}
	return false;
}

static bool enforces(const struct door *door, const struct config *config)
{
	if (config->xdp == XDP_AUTO)
		return has_to_enforce(config) || door->acl.control->bans;
	return config->xdp != XDP_OFF;
}

bool door_is_wanted(const struct door *door, const struct config *config)
{
	return enforces(door, config) || (config->xdp == XDP_AUTO && door->next >= 0);
}

bool door_has_changed(const struct door *door, const struct config *config)
{
	return door_is_wanted(door, config) != !!door->programs ||
	       (door->programs && door->enforces != enforces(door, config));
}

static void forget_tries(struct door *door)
{
	struct door_interface *interface, *next;

	HASH_ITER (hh, door->interfaces, interface, next) {
		HASH_DEL(door->interfaces, interface);
		free(interface);
	}
}

int door_publish(struct door *door, const struct config *config)
{
	bool fresh = !door->programs;
	int fds[DOOR_TABLE_MAX], err = fresh ? load(door) : 0;

	err = err ? err : door_tables_make(config, fds);
	if (err)
		return err;
	err = switch_tables(door, fds, fresh);
	for (int i = 0; i < DOOR_TABLE_MAX; i++)
		if (err || i != DOOR_TABLE_ADDRESSES)
			close(fds[i]);
	if (door->mode != config->xdp)
		forget_tries(door);
	door->mode = config->xdp;
	door->enforces = enforces(door, config);
	__atomic_store_n(&door->acl.control->idle,
			 config->xdp == XDP_AUTO && !has_to_enforce(config), __ATOMIC_RELAXED);
	return err;
}

int door_follow_addresses(struct door *door)
{
	return door->addresses < 0 ? 0 : door_addresses_fill(door->addresses);
}

/* ---- interfaces ------------------------------------------------------------------------ */

static void link_path(const char *pin_dir, uint32_t ifindex, char *path)
{
	snprintf(path, PATH_SIZE, "%s/door_%u", pin_dir, ifindex);
}

static int open_link(const char *pin_dir, uint32_t ifindex)
{
	char path[PATH_SIZE];

	link_path(pin_dir, ifindex, path);
	return bpf_obj_get(path);
}

uint32_t door_attached(const char *pin_dir, uint32_t ifindex)
{
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);
	int link = open_link(pin_dir, ifindex);
	uint32_t id = 0;

	if (link < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(link, &info, &size) && info.xdp.ifindex == ifindex)
		id = info.prog_id;
	close(link);
	return id;
}

bool door_detach(const char *pin_dir, uint32_t ifindex)
{
	char path[PATH_SIZE];
	int link = open_link(pin_dir, ifindex);

	if (link < 0)
		return false;
	(void)bpf_link_detach(link); /* fails when its interface is gone */
	close(link);
	link_path(pin_dir, ifindex, path);
	unlink(path);
	return true;
}

bool door_is_native(uint32_t ifindex)
{
	struct xdp_program program;

	return xdp_program_at(ifindex, &program) && program.mode == XDP_ATTACHED_DRV;
}

/* The program of an earlier daemon gives way to this one's, in the mode that is wanted. */
static int update_link(const struct door *door, uint32_t ifindex)
{
	int link = open_link(door->instance->pin_dir, ifindex), err = -ENOENT;
	bool native = door_is_native(ifindex);

	if (link < 0)
		return -ENOENT;
	if ((door->mode != XDP_NATIVE || native) && (door->mode != XDP_GENERIC || !native))
		err = bpf_link_update(link, bpf_program__fd(door->programs->progs.door), NULL)
			      ? -ENOENT
			      : 0;
	close(link);
	if (err)
		door_detach(door->instance->pin_dir, ifindex);
	return err;
}

static int make_link(const struct door *door, uint32_t ifindex, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	int program = bpf_program__fd(door->programs->progs.door), err;
	char path[PATH_SIZE];
	int link = bpf_link_create(program, ifindex, BPF_XDP, &options);

	if (link < 0)
		return -errno;
	link_path(door->instance->pin_dir, ifindex, path);
	err = bpf_obj_pin(link, path) ? -errno : 0;
	close(link);
	return err;
}

/*
 * An index may be that of another interface later on. A link tells: it ends with its interface, and
 * as long as it lives the count goes on.
 */
static void count_drops(const struct door *door, uint32_t ifindex)
{
	bool same = door_attached(door->instance->pin_dir, ifindex);
	int cpus = libbpf_num_possible_cpus();
	struct door_drops *none = cpus > 0 ? calloc(cpus, sizeof(*none)) : NULL;

	if (none)
		(void)bpf_map_update_elem(bpf_map__fd(door->programs->maps.door_drops_at), &ifindex,
					  none, same ? BPF_NOEXIST : BPF_ANY);
	free(none);
}

static void forget_drops(const struct door *door, uint32_t ifindex)
{
	if (door->programs)
		(void)bpf_map_delete_elem(bpf_map__fd(door->programs->maps.door_drops_at),
					  &ifindex);
}

/* A driver that cannot answers in many ways; who holds the interface does so in either mode. */
static int attach_one(const struct door *door, uint32_t ifindex)
{
	int err;

	count_drops(door, ifindex);
	err = update_link(door, ifindex);
	if (!err)
		return 0;
	err = door->mode == XDP_GENERIC ? -EOPNOTSUPP
					: make_link(door, ifindex, XDP_FLAGS_DRV_MODE);
	if (!err || err == -EBUSY || err == -EEXIST || door->mode == XDP_NATIVE || !door->enforces)
		return err == -EEXIST ? -EBUSY : err;
	err = make_link(door, ifindex, XDP_FLAGS_SKB_MODE);
	return err == -EEXIST ? -EBUSY : err;
}

static void report(const struct door_interface *interface, door_told *tell)
{
	struct door_report report = {.ifindex = interface->ifindex, .err = interface->err};

	(void)xdp_program_at(interface->ifindex, &report.holder);
	report.native = report.holder.mode == XDP_ATTACHED_DRV;
	tell(&report);
}

/* What was tried in vain is tried again, and told of when it comes out differently. */
static int visit(struct door *door, uint32_t ifindex, door_told *tell)
{
	struct door_interface *interface;
	int err;

	HASH_FIND(hh, door->interfaces, &ifindex, sizeof(ifindex), interface);
	if (interface && !interface->err && door_attached(door->instance->pin_dir, ifindex))
		return 0;
	err = attach_one(door, ifindex);
	if (interface && interface->err == err)
		return 0;
	if (!interface) {
		interface = calloc(1, sizeof(*interface));
		if (!interface)
			return -ENOMEM;
		interface->ifindex = ifindex;
		HASH_ADD(hh, door->interfaces, ifindex, sizeof(ifindex), interface);
	}
	interface->err = err;
	report(interface, tell);
	return 0;
}

/* Detaches from all but those, an earlier daemon's too. */
static void detach_others(struct door *door, const uint32_t *links, size_t n)
{
	struct door_interface *interface, *next;
	DIR *dir = opendir(door->instance->pin_dir);
	struct dirent *entry;
	uint32_t ifindex;

	while (dir && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "door_%u", &ifindex) == 1 &&
		    !links_have(links, n, ifindex)) {
			door_detach(door->instance->pin_dir, ifindex);
			forget_drops(door, ifindex);
		}
	if (dir)
		closedir(dir);
	HASH_ITER (hh, door->interfaces, interface, next) {
		if (links_have(links, n, interface->ifindex))
			continue;
		forget_drops(door, interface->ifindex);
		HASH_DEL(door->interfaces, interface);
		free(interface);
	}
}

/* Leaves those where it is wanted; returns how many. */
static size_t select_links(const struct door *door, uint32_t *links, size_t n)
{
	size_t some = 0;

	for (size_t i = 0; i < n; i++)
		if (door->enforces || (door->wish && door->wish(door->wish_context, links[i])))
			links[some++] = links[i];
	return some;
}

int door_attach(struct door *door, door_told *tell)
{
	uint32_t *links;
	size_t n;
	int err;

	if (!door->programs)
		return 0;
	err = links_at_the_door(&links, &n);
	n = select_links(door, links, n);
	for (size_t i = 0; i < n && !err; i++)
		err = visit(door, links[i], tell);
	if (!err)
		detach_others(door, links, n);
	free(links);
	return err;
}

bool door_waits(const struct door *door)
{
	const struct door_interface *interface;

	for (interface = door->interfaces; interface; interface = interface->hh.next)
		if (interface->err == -EBUSY)
			return true;
	return false;
}

/* ---- life ------------------------------------------------------------------------------ */

static bool is_pinned(const struct door *door, const char *name)
{
	int fd = pin_open(door->instance->name, name);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int door_open(struct door *door, const struct instance *instance)
{
	door->instance = instance;
	door->addresses = door->next = -1;
	door->keep = is_pinned(door, pins[0]);
	return acl_make(&door->acl, instance->name);
}

static void unpin(const struct door *door, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", door->instance->pin_dir, name);
	unlink(path);
}

static void unload(struct door *door)
{
	if (door->addresses >= 0)
		close(door->addresses);
	door->addresses = -1;
	door_bpf__destroy(door->programs);
	door->programs = NULL;
}

void door_leave(struct door *door)
{
	detach_others(door, NULL, 0);
	unload(door);
	for (size_t i = 0; i < PINS_THAT_GO; i++)
		unpin(door, pins[i]);
}

static int pin_all(const struct door *door)
{
	struct door_bpf *p = door->programs;
	int err = instance_pin_object(door->instance, bpf_program__fd(p->progs.door), pins[0]);

	for (size_t i = 1; i < sizeof(pins) / sizeof(*pins) && !err; i++)
		err = instance_pin_object(door->instance, map_fd(door, pins[i]), pins[i]);
	return err;
}

int door_pin(const struct door *door)
{
	int err = instance_pin_object(door->instance, door->acl.control_fd, "door_control");

	err = err ? err : instance_pin_object(door->instance, door->acl.tries[0], "acl4");
	err = err ? err : instance_pin_object(door->instance, door->acl.tries[1], "acl6");
	return err || !door->programs ? err : pin_all(door);
}

void door_close(struct door *door)
{
	if (!door->instance)
		return;
	if (!door->keep)
		door_leave(door);
	unload(door);
	forget_tries(door);
	acl_close(&door->acl);
}
