// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "interface.h"

#define ATTACH_TCX_INGRESS 46 /* BPF_TCX_INGRESS, of newer headers */
#define ATTACH_TCX_EGRESS  47

#define PATH_SIZE	   256

static const struct {
	const char *name;    /* of the pin of its link */
	const char *program; /* of the pin of its program */
	int tcx;
	enum bpf_tc_attach_point clsact;
} hooks[HOOK_COUNT] = {
	{"ingress", "splice", ATTACH_TCX_INGRESS, BPF_TC_INGRESS},
	{"egress", "splice_syn", ATTACH_TCX_EGRESS, BPF_TC_EGRESS},
	{"open", "open", ATTACH_TCX_INGRESS, BPF_TC_INGRESS},
};

/* ---- links ------------------------------------------------------------------------------- */

static void link_path(const char *pin_dir, uint32_t ifindex, enum hook hook, char *path)
{
	snprintf(path, PATH_SIZE, "%s/%s_%u", pin_dir, hooks[hook].name, ifindex);
}

/* The interface of a pinned link may be gone, and its number be another one's. */
static int attach_link(const char *pin_dir, uint32_t ifindex, enum hook hook, int program)
{
	char path[PATH_SIZE];
	int link, err = 0;

	link_path(pin_dir, ifindex, hook, path);
	link = bpf_obj_get(path);
	if (link >= 0) {
		err = bpf_link_update(link, program, NULL) ? -errno : 0;
		close(link);
		if (!err)
			return 0;
		unlink(path);
	}
	link = bpf_link_create(program, ifindex, hooks[hook].tcx, NULL);
	if (link < 0)
		return -errno;
	err = bpf_obj_pin(link, path) ? -errno : 0;
	close(link);
	return err;
}

/* Taking the pin away would detach it, too, but a little later. */
static bool detach_link(const char *pin_dir, uint32_t ifindex, enum hook hook)
{
	char path[PATH_SIZE];
	int link;

	link_path(pin_dir, ifindex, hook, path);
	link = bpf_obj_get(path);
	if (link < 0)
		return false;
	(void)bpf_link_detach(link); /* fails when its interface is gone */
	close(link);
	unlink(path);
	return true;
}

/* ---- filters ----------------------------------------------------------------------------- */

/* By the name of the instance: FNV-1a, within the 16 bits a priority has. */
static uint32_t filter_priority(const char *pin_dir)
{
	uint32_t hash = 0x811c9dc5;

	for (const char *c = pin_dir; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x01000193;
	return 1 + (hash ^ hash >> 16) % 0xfffe;
}

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) ? info.id : 0;
}

/* The program this instance has pinned for the hook: 0 = none. */
static uint32_t pinned_id(const char *pin_dir, enum hook hook)
{
	char path[PATH_SIZE];
	uint32_t id;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pin_dir, hooks[hook].program);
	fd = bpf_obj_get(path);
	id = program_id(fd);
	if (fd >= 0)
		close(fd);
	return id;
}

/* The program of the filter with our priority: 0 = none. */
static uint32_t filter_id(const struct bpf_tc_hook *where, uint32_t priority)
{
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = priority);
	libbpf_print_fn_t print = libbpf_set_print(NULL); /* it is no error that there is none */
	int err = bpf_tc_query(where, &options);

	libbpf_set_print(print);
	return err ? 0 : options.prog_id;
}

static int attach_filter(const char *pin_dir, uint32_t ifindex, enum hook hook, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, where, .ifindex = ifindex, .attach_point = hooks[hook].clsact);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = filter_priority(pin_dir),
		    .prog_fd = program, .flags = BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&where);
	uint32_t there;

	if (err && err != -EEXIST)
		return err;
	there = filter_id(&where, options.priority);
	if (there && there != pinned_id(pin_dir, hook) && there != program_id(program))
		return -EEXIST;
	return bpf_tc_attach(&where, &options);
}

static bool filter_is_ours(const char *pin_dir, uint32_t ifindex, enum hook hook)
{
	LIBBPF_OPTS(bpf_tc_hook, where, .ifindex = ifindex, .attach_point = hooks[hook].clsact);
	uint32_t there = filter_id(&where, filter_priority(pin_dir));

	return there && there == pinned_id(pin_dir, hook);
}

static bool detach_filter(const char *pin_dir, uint32_t ifindex, enum hook hook)
{
	LIBBPF_OPTS(bpf_tc_hook, where, .ifindex = ifindex, .attach_point = hooks[hook].clsact);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = filter_priority(pin_dir));

	return filter_is_ours(pin_dir, ifindex, hook) && !bpf_tc_detach(&where, &options);
}

/* ---- either ------------------------------------------------------------------------------ */

int attach_program(const char *pin_dir, uint32_t ifindex, enum hook hook, int program)
{
	int err = attach_link(pin_dir, ifindex, hook, program);

	/* Before 6.6 there is no such kind of attachment. */
	return err == -EINVAL && hook != HOOK_OPEN ? attach_filter(pin_dir, ifindex, hook, program)
						   : err;
}

int attach_try(int program)
{
	int link = bpf_link_create(program, LOOPBACK, hooks[HOOK_INGRESS].tcx, NULL);

	if (link < 0)
		return errno == EINVAL ? attach_filter("", LOOPBACK, HOOK_INGRESS, program)
				       : -errno;
	close(link);
	return 0;
}

bool program_attached(const char *pin_dir, uint32_t ifindex, enum hook hook)
{
	char path[PATH_SIZE];

	link_path(pin_dir, ifindex, hook, path);
	return !access(path, F_OK) || filter_is_ours(pin_dir, ifindex, hook);
}

void detach_hook(const char *pin_dir, uint32_t ifindex, enum hook hook)
{
	(void)detach_link(pin_dir, ifindex, hook);
}

bool detach_programs(const char *pin_dir, uint32_t ifindex)
{
	bool some = false;

	for (int hook = 0; hook < HOOK_COUNT; hook++)
		some |= detach_link(pin_dir, ifindex, hook) ||
			(hook != HOOK_OPEN && detach_filter(pin_dir, ifindex, hook));
	return some;
}
