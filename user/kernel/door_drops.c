// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "door_drops.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "pin.h"

const char *const door_reason_name[DOOR_REASON_MAX] = {
#define X(id, name, help) [DOOR_##id] = (name),
	DOOR_REASONS(X)
#undef X
};

const char *const door_reason_help[DOOR_REASON_MAX] = {
#define X(id, name, help) [DOOR_##id] = (help),
	DOOR_REASONS(X)
#undef X
};

/* Rows of these keys, one behind the other. */
static int read_rows(int map, __u32 first, __u32 last, struct door_drops *drops)
{
	int cpus = libbpf_num_possible_cpus();
	struct door_drops *row = cpus > 0 ? calloc(cpus, sizeof(*row)) : NULL;
	int err = row ? 0 : cpus < 0 ? cpus : -ENOMEM;

	for (__u32 key = first; key <= last && !err; key++, drops++) {
		if (bpf_map_lookup_elem(map, &key, row))
			err = -errno;
		for (int i = 0; i < cpus && !err; i++)
			for (int reason = 0; reason < DOOR_REASON_MAX; reason++)
				drops->packets[reason] += row[i].packets[reason];
	}
	free(row);
	return err;
}

/* -EPROTO: it is of another version. */
static int open_map(const char *instance, const char *name)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int map = pin_open(instance, name);

	if (map < 0 || (!bpf_obj_get_info_by_fd(map, &info, &size) &&
			info.value_size == sizeof(struct door_drops)))
		return map;
	close(map);
	return -EPROTO;
}

int door_drops_read(const char *instance, struct door_drops **drops)
{
	int map = open_map(instance, "door_drops"), err = map == -EPROTO ? map : 0;

	*drops = calloc(MAX_FRONTENDS + 1, sizeof(**drops));
	if (!*drops)
		err = -ENOMEM;
	else if (map >= 0)
		err = read_rows(map, 0, MAX_FRONTENDS, *drops);
	if (map >= 0)
		close(map);
	return err;
}

int door_drops_read_at(const char *instance, uint32_t ifindex, struct door_drops *drops)
{
	int map = open_map(instance, "door_drops_at"), err = map;

	*drops = (struct door_drops){0};
	if (map >= 0) {
		err = read_rows(map, ifindex, ifindex, drops);
		close(map);
	}
	return err;
}
