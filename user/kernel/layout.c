// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "layout.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "../../bpf/flow.h"
#include "pin.h"

int layout_map(void)
{
	int map =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "layout", sizeof(__u32), sizeof(__u32), 1, NULL);
	__u32 zero = 0, layout = FLOW_LAYOUT;
	int err;

	if (map < 0 || !bpf_map_update_elem(map, &zero, &layout, BPF_ANY))
		return map < 0 ? -errno : map;
	err = -errno;
	close(map);
	return err;
}

int layout_check(const char *instance)
{
	__u32 zero = 0, layout = 0;
	int map = pin_open(instance, "layout");

	if (map < 0)
		return -EPROTO;
	(void)bpf_map_lookup_elem(map, &zero, &layout);
	close(map);
	return layout == FLOW_LAYOUT ? 0 : -EPROTO;
}
