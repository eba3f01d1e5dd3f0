// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../model/prefix.h"
#include "lock.h"
#include "lookup.skel.h"
#include "pin.h"

#define PIN_LINK  "steering"
#define PIN_TABLE "endpoints"
#define OWN_NETNS "/proc/self/ns/net"

/* ---- the program ------------------------------------------------------------------------- */

static int attach(struct steering *steering)
{
	int netns = open(OWN_NETNS, O_RDONLY | O_CLOEXEC), err = 0;

	if (netns < 0)
		return -errno;
	steering->link = bpf_link_create(bpf_program__fd(steering->programs->progs.steer), netns,
					 BPF_SK_LOOKUP, NULL);
	if (steering->link < 0)
		err = -errno;
	close(netns);
	return err;
}

int steering_open(struct steering *steering, const char *instance, const char **failed)
{
	int err = 0;

	*steering = (struct steering){.instance = instance, .link = -1};
	*failed = "load the program that steers them";
	steering->programs = lookup_bpf__open();
	if (!steering->programs)
		return -errno;
	err = lookup_bpf__load(steering->programs);
	if (!err) {
		*failed = "attach the program that steers them";
		err = attach(steering);
	}
	if (err)
		steering_close(steering);
	return err;
}

static void pin_path(const char *instance, const char *name, char path[512])
{
	snprintf(path, 512, PIN_ROOT "/%s/%s", instance, name);
}

void steering_forget(const char *instance)
{
	char path[512];

	pin_path(instance, PIN_LINK, path);
	unlink(path);
	pin_path(instance, PIN_TABLE, path);
	unlink(path);
}

void steering_close(struct steering *steering)
{
	if (!steering->programs)
		return;
	if (steering->pinned)
		steering_forget(steering->instance);
	if (steering->link >= 0)
		close(steering->link);
	lookup_bpf__destroy(steering->programs);
	*steering = (struct steering){.link = -1};
}

int steering_probe(const char **failed)
{
	struct steering steering;
	int err = steering_open(&steering, "", failed);

	steering_close(&steering);
	return err;
}

/* So that other instances see what is taken; without it, all works but that. */
static void pin(struct steering *steering)
{
	char path[512];

	pin_path(steering->instance, PIN_TABLE, path);
	(void)bpf_obj_pin(bpf_map__fd(steering->programs->maps.endpoints), path);
	pin_path(steering->instance, PIN_LINK, path);
	(void)bpf_obj_pin(steering->link, path);
	steering->pinned = true;
}

/* ---- tables ------------------------------------------------------------------------------ */

int steering_listen(const struct steering *steering, uint32_t frontend_id, bool v6, int socket)
{
	__u32 group = STEER_GROUP(frontend_id, v6);
	__u64 fd = socket;

	return bpf_map_update_elem(bpf_map__fd(steering->programs->maps.listeners), &group, &fd,
				   BPF_ANY)
		       ? -errno
		       : 0;
}

static int add_span(int table, struct span span)
{
	__u32 group = STEER_GROUP(span.frontend_id, !address_is_mapped(span.address));
	struct steer_key block;

	while (span_next_block(&span, &block))
		if (bpf_map_update_elem(table, &block, &group, BPF_ANY))
			return errno == ENOSPC ? -E2BIG : -errno;
	return 0;
}

int steering_compile(const struct spans *spans)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	int table = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, PIN_TABLE, sizeof(struct steer_key),
				   sizeof(__u32), STEER_BLOCKS, &options);
	int err = 0;

	if (table < 0)
		return -errno;
	for (size_t i = 0; i < spans->n && !err; i++)
		err = add_span(table, spans->v[i]);
	if (!err)
		return table;
	close(table);
	return err;
}

int steering_publish(struct steering *steering, int table)
{
	__u32 zero = 0;

	/* The kernel waits for programs that run before it returns from the update. */
	if (bpf_map_update_elem(bpf_map__fd(steering->programs->maps.endpoints), &zero, &table,
				BPF_ANY))
		return -errno;
	if (!steering->pinned)
		pin(steering);
	return 0;
}

/* ---- other instances --------------------------------------------------------------------- */

static bool is_here(const char *instance)
{
	int link = pin_open(instance, PIN_LINK);
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);
	struct stat here;
	bool is = link >= 0 && !bpf_obj_get_info_by_fd(link, &info, &size) &&
		  !stat(OWN_NETNS, &here) && info.netns.netns_ino == here.st_ino;

	if (link >= 0)
		close(link);
	return is;
}

/* Its table in force: an fd or -errno. */
static int table_of(const char *instance)
{
	int outer = pin_open(instance, PIN_TABLE), table;
	__u32 zero = 0, id;

	if (outer < 0)
		return outer;
	table = bpf_map_lookup_elem(outer, &zero, &id) ? -1 : bpf_map_get_fd_by_id(id);
	close(outer);
	return table < 0 ? -errno : table;
}

static int add_table(int table, struct spans *spans)
{
	struct steer_key key, *before = NULL;
	struct span span;
	int err = 0;

	while (!err && !bpf_map_get_next_key(table, before, &key)) {
		span_of_block(&key, &span);
		err = spans_add(spans, &span);
		before = &key;
	}
	return err;
}

int steering_of(const char *instance, struct spans *spans)
{
	int table = is_here(instance) && lock_is_taken(instance) ? table_of(instance) : -ENOENT;
	int err;

	if (table < 0)
		return 0;
	err = add_table(table, spans);
	close(table);
	return err;
}

int steering_of_others(const char *instance, struct spans *spans)
{
	DIR *dir = opendir(PIN_ROOT);
	struct dirent *entry;
	int err = 0;

	while (dir && !err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, instance))
			err = steering_of(entry->d_name, spans);
	if (dir)
		closedir(dir);
	return err;
}
