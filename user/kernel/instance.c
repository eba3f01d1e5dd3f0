// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "instance.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "classify.skel.h"
#include "clock.h"
#include "maps.h"
#include "pin.h"
#include "sticks.h"

/* ---- pins -------------------------------------------------------------------------------- */

static int make_dir(const char *path, mode_t mode)
{
	return mkdir(path, mode) && errno != EEXIST ? -errno : 0;
}

static int mount_bpffs(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs))
		return -errno;
	if (fs.f_type != BPF_FS_MAGIC && mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"))
		return -errno;
	return 0;
}

static int make_pin_dir(const struct instance *instance)
{
	int err = make_dir(PIN_ROOT, 0700);

	return err ? err : make_dir(instance->pin_dir, 0700);
}

static void pin_path(const struct instance *instance, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", instance->pin_dir, name);
}

int instance_pin_object(const struct instance *instance, int fd, const char *name)
{
	char path[256], temporary[256];
	int err;

	pin_path(instance, name, path, sizeof(path));
	snprintf(temporary, sizeof(temporary), "%s/new_%s", instance->pin_dir, name);
	unlink(temporary);
	if (bpf_obj_pin(fd, temporary))
		return -errno;
	if (!rename(temporary, path))
		return 0;
	err = -errno;
	unlink(temporary);
	return err;
}

int instance_pin(const struct instance *instance)
{
	struct bpf_object *object = instance->programs->obj;
	struct bpf_program *program;
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		if (!err && !bpf_map__is_internal(map))
			err = instance_pin_object(instance, bpf_map__fd(map), bpf_map__name(map));
	}
	bpf_object__for_each_program(program, object)
	{
		if (!err)
			err = instance_pin_object(instance, bpf_program__fd(program),
						  bpf_program__name(program));
	}
	if (!err && instance->link >= 0)
		err = instance_pin_object(instance, instance->link, "link");
	return err;
}

/* ---- maps -------------------------------------------------------------------------------- */

/* Goes on with what an earlier daemon knew, if it has the shape of today's. */
static bool adopt_map(const struct instance *instance, struct bpf_map *map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd = pin_open(instance->name, bpf_map__name(map));
	bool fits;

	if (fd < 0)
		return false;
	fits = !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == bpf_map__type(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map) && !bpf_map__reuse_fd(map, fd);
	close(fd);
	return fits;
}

static int map_all(struct instance *instance)
{
	struct classify_bpf *p = instance->programs;

	instance->control = map_memory(p->maps.control);
	instance->conns = map_memory(p->maps.conns);
	instance->counters = map_memory(p->maps.counters);
	instance->frontend_stats = map_memory(p->maps.frontend_stats);
	instance->route_stats = map_memory(p->maps.route_stats);
	instance->balance.farms = map_memory(p->maps.farm_stats);
	instance->balance.servers = map_memory(p->maps.server_stats);
	instance->balance.health = map_memory(p->maps.server_health);
	return instance->control && instance->conns && instance->counters &&
			       instance->frontend_stats && instance->route_stats &&
			       instance->balance.farms && instance->balance.servers &&
			       instance->balance.health
		       ? 0
		       : -errno;
}

static void unmap_all(struct instance *instance)
{
	struct classify_bpf *p = instance->programs;

	map_unmap(p->maps.control, instance->control);
	map_unmap(p->maps.conns, instance->conns);
	map_unmap(p->maps.counters, instance->counters);
	map_unmap(p->maps.frontend_stats, instance->frontend_stats);
	map_unmap(p->maps.route_stats, instance->route_stats);
	map_unmap(p->maps.farm_stats, instance->balance.farms);
	map_unmap(p->maps.server_stats, instance->balance.servers);
	map_unmap(p->maps.server_health, instance->balance.health);
}

/* MEMBARRIER_CMD_GLOBAL is an RCU wait. */
void instance_wait_for_programs(void)
{
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/* The programs of an earlier daemon work on, and go by the control that it has pinned. */
static void tell_earlier_programs(const struct instance *instance)
{
	int fd = pin_open(instance->name, "control");
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info), zero = 0;
	struct control control;

	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.value_size == sizeof(control) &&
	    !bpf_map_lookup_elem(fd, &zero, &control)) {
		control.began = instance->control->began;
		bpf_map_update_elem(fd, &zero, &control, BPF_EXIST);
	}
	close(fd);
}

/*
 * Connections of an earlier daemon ended with it. Spliced ones live, and are counted anew: from
 * here on, none of them leaves the count before, see note_ended() of the packet path.
 */
static void reset_live(struct instance *instance)
{
	__atomic_store_n(&instance->control->began, monotonic_time(), __ATOMIC_RELEASE);
	tell_earlier_programs(instance);
	instance_wait_for_programs();
	for (uint32_t i = 0; i <= MAX_FRONTENDS; i++)
		instance->frontend_stats[i].live = 0;
	for (uint32_t i = 0; i <= MAX_ROUTES; i++)
		if (instance->route_stats[i].live)
			instance->route_stats[i].live = 0;
	for (uint32_t i = 0; i <= MAX_FARMS; i++)
		instance->balance.farms[i].queued = instance->balance.farms[i].in_line = 0;
	for (uint32_t i = 0; i <= MAX_SERVERS; i++)
		if (instance->balance.servers[i].live)
			instance->balance.servers[i].live = 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static bool kernel_has_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool found = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return found;
}

static int open_programs(struct instance *instance)
{
	struct classify_bpf *p = classify_bpf__open();
	bool sticks;
	int err;

	instance->programs = p;
	if (!p)
		return -errno;
	instance->sees_sequence = kernel_has_function("bpf_cast_to_kern_ctx");
	p->rodata->sees_sequence = instance->sees_sequence;
	bpf_map__set_max_entries(p->maps.conns, instance->n_conns);
	bpf_map__set_max_entries(p->maps.legs, 2 * instance->n_conns + MAX_WORKERS * DEAD_COOKIES);
	bpf_map__set_max_entries(p->maps.sockets, 2 * instance->n_conns);
	adopt_map(instance, p->maps.counters);
	adopt_map(instance, p->maps.frontend_stats);
	adopt_map(instance, p->maps.route_stats);
	adopt_map(instance, p->maps.farm_stats);
	adopt_map(instance, p->maps.server_stats);
	adopt_map(instance, p->maps.server_health);
	sticks = adopt_map(instance, p->maps.sticks);
	err = classify_bpf__load(p);
	return err ? err : sticks_open(instance, sticks);
}

/* By link, which the pin keeps (6.10), else by plain attachment. */
static int attach(struct instance *instance)
{
	int program = bpf_program__fd(instance->programs->progs.classify);
	int map = instance_sockets_fd(instance);

	instance->link = bpf_link_create(program, map, BPF_SK_SKB_VERDICT, NULL);
	if (instance->link >= 0)
		return 0;
	return bpf_prog_attach(program, map, BPF_SK_SKB_VERDICT, 0) ? -errno : 0;
}

int instance_open(struct instance *instance, const char *name, uint32_t n_conns,
		  const char **failed)
{
	int err;

	memset(instance, 0, sizeof(*instance));
	instance->link = -1;
	instance->n_conns = n_conns;
	instance->name = name;
	snprintf(instance->pin_dir, sizeof(instance->pin_dir), PIN_ROOT "/%s", name);
	*failed = "mount /sys/fs/bpf";
	err = mount_bpffs();
	if (err)
		return err;
	*failed = "make the directory for pins below " PIN_ROOT;
	err = make_pin_dir(instance);
	if (err)
		return err;
	*failed = "load the BPF programs";
	err = open_programs(instance);
	if (err)
		goto close;
	*failed = "map the BPF maps";
	err = map_all(instance);
	if (err)
		goto close;
	*failed = "attach the verdict program";
	err = attach(instance);
	if (err)
		goto close;
	reset_live(instance);
	return 0;
close:
	instance_close(instance);
	return err;
}

static void unmap_tables(struct tables *tables)
{
	size_t page = sysconf(_SC_PAGESIZE);

	for (int i = 0; i < TABLE_MAX; i++) {
		size_t size = tables->v[i].n * table_row_size[i];

		if (tables->v[i].rows)
			munmap(tables->v[i].rows, (size + page - 1) & ~(page - 1));
	}
	tables_free_regexes(tables);
	memset(tables, 0, sizeof(*tables));
}

void instance_close(struct instance *instance)
{
	unmap_tables(&instance->tables[0]);
	unmap_tables(&instance->tables[1]);
	if (instance->programs)
		unmap_all(instance);
	sticks_close(instance);
	if (instance->link >= 0)
		close(instance->link);
	classify_bpf__destroy(instance->programs);
	rmdir(instance->pin_dir); /* where nothing was pinned: the start failed */
	memset(instance, 0, sizeof(*instance));
	instance->link = -1;
}

int instance_ring(struct instance *instance, uint32_t worker)
{
	int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "events", 0, 0, 4096 * 16, NULL), err;

	if (ring < 0)
		return -errno;
	if (!bpf_map_update_elem(bpf_map__fd(instance->programs->maps.events), &worker, &ring, 0))
		return ring;
	err = -errno;
	close(ring);
	return err;
}

int instance_map(const struct instance *instance, const char *name)
{
	return bpf_object__find_map_fd_by_name(instance->programs->obj, name);
}

int instance_sockets_fd(const struct instance *instance)
{
	return bpf_map__fd(instance->programs->maps.sockets);
}

int instance_legs_fd(const struct instance *instance)
{
	return bpf_map__fd(instance->programs->maps.legs);
}

int instance_filter_fd(const struct instance *instance)
{
	return bpf_program__fd(instance->programs->progs.hold_back);
}

/* ---- refresh ----------------------------------------------------------------------------- */

static int outer_map(const struct instance *instance, enum table_id id)
{
	return instance_map(instance, table_name[id]);
}

/* One table into its place of half `half`; *mapped is the copy in the kernel's memory. */
static int publish_table(const struct instance *instance, enum table_id id, uint32_t half,
			 const struct table_rows *table, struct table_rows *mapped)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	size_t size = table->n * table_row_size[id];
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, table_name[id], sizeof(__u32),
				table_row_size[id], table->n, &options);
	void *memory;
	int err = 0;

	if (fd < 0)
		return -errno;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		err = -errno;
	} else {
		memcpy(memory, table->rows, size);
		mapped->rows = memory;
		mapped->n = table->n;
		if (bpf_map_update_elem(outer_map(instance, id), &half, &fd, 0))
			err = -errno;
	}
	close(fd);
	return err;
}

struct publication {
	const struct instance *instance;
	uint32_t half;
	enum table_id id;
	const struct table_rows *table;
	struct table_rows *mapped;
	pthread_t thread;
	bool started;
	int err;
};

static void *run_publication(void *argument)
{
	struct publication *p = argument;

	p->err = publish_table(p->instance, p->id, p->half, p->table, p->mapped);
	return NULL;
}

/*
 * Most refreshes change a few tables: one that is in its place already, since the refresh before
 * the last, stays there.
 */
static bool is_in_place(const struct instance *instance, uint32_t half,
			const struct tables *compiled, enum table_id id)
{
	const struct table_rows *before = &instance->tables[half].v[id], *now = &compiled->v[id];
	size_t size = now->n * table_row_size[id];

	return !instance->torn[half] && now->n == before->n &&
	       !memcmp(now->rows, before->rows, size);
}

/*
 * All tables but the frontends. The kernel waits for RCU after each: with a thread for each,
 * they wait together.
 */
static int publish_others(const struct instance *instance, uint32_t half,
			  const struct tables *compiled, struct tables *mapped)
{
	struct publication all[TABLE_MAX];
	int err = 0;

	for (int i = 0; i < TABLE_MAX; i++) {
		all[i] = (struct publication){
			.instance = instance,
			.half = half,
			.id = i,
			.table = &compiled->v[i],
			.mapped = &mapped->v[i],
		};
		if (i == TABLE_frontends || is_in_place(instance, half, compiled, i))
			continue;
		all[i].started = !pthread_create(&all[i].thread, NULL, run_publication, &all[i]);
		if (!all[i].started)
			run_publication(&all[i]);
	}
	for (int i = 0; i < TABLE_MAX; i++) {
		if (all[i].started)
			pthread_join(all[i].thread, NULL);
		err = err ? err : all[i].err;
	}
	return err;
}

/*
 * All tables of a half. A program decides from the one whose `frontends` it finds its frontend
 * in: they leave first, and come last, so that it never sees parts of two generations.
 */
static int publish_half(const struct instance *instance, uint32_t half,
			const struct tables *compiled, struct tables *mapped)
{
	int err;

	bpf_map_delete_elem(outer_map(instance, TABLE_frontends), &half);
	instance_wait_for_programs();
	err = publish_others(instance, half, compiled, mapped);
	return err ? err
		   : publish_table(instance, TABLE_frontends, half, &compiled->v[TABLE_frontends],
				   &mapped->v[TABLE_frontends]);
}

/* Servers that could not be chosen before; at the start there is no before. */
static void start_slowly(struct instance *instance, const struct tables *before,
			 const struct tables *after)
{
	uint64_t now = monotonic_time();

	for (uint32_t id = 1; before->v[TABLE_servers].n && id < after->v[TABLE_servers].n; id++) {
		const struct server_row *old = tables_row(before, servers, id);

		if (tables_row(after, servers, id)->use == USE_NEW && (!old || old->use != USE_NEW))
			instance_server_up(instance, id, now);
	}
}

/* Those that stay in their place go over from what was there to what is there now. */
static void keep_in_place(struct tables *before, struct tables *now)
{
	for (int i = 0; i < TABLE_MAX; i++) {
		if (now->v[i].rows)
			continue;
		now->v[i] = before->v[i];
		before->v[i].rows = NULL;
	}
}

int instance_publish(struct instance *instance, struct tables *compiled, uint32_t revision,
		     void (*lock)(void *), void (*unlock)(void *), void *context)
{
	uint32_t half = !(instance->control->active & 1);
	struct tables mapped = {0}, dropped;
	int err = publish_half(instance, half, compiled, &mapped);

	instance->torn[half] = err;
	if (err) {
		unmap_tables(&mapped);
		return err;
	}
	mapped.regexes = compiled->regexes;
	mapped.n_regexes = compiled->n_regexes;
	compiled->regexes = NULL;
	compiled->n_regexes = 0;
	lock(context);
	dropped = instance->tables[half];
	keep_in_place(&dropped, &mapped);
	start_slowly(instance, instance_tables(instance), &mapped);
	instance->tables[half] = mapped;
	__atomic_store_n(&instance->control->active, half, __ATOMIC_RELEASE);
	__atomic_store_n(&instance->control->revision, revision, __ATOMIC_RELEASE);
	unlock(context);
	unmap_tables(&dropped);
	return 0;
}
