// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "xdp_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_name(struct xdp_program *program)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program->id);

	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		memcpy(program->name, info.name, sizeof(program->name));
	close(fd);
}

bool xdp_program_at(uint32_t ifindex, struct xdp_program *program)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	*program = (struct xdp_program){0};
	if (bpf_xdp_query(ifindex, 0, &query) || !query.attach_mode)
		return false;
	program->mode = query.attach_mode;
	program->id = query.prog_id	  ? query.prog_id
		      : query.drv_prog_id ? query.drv_prog_id
					  : query.skb_prog_id;
	read_name(program);
	return true;
}

const char *xdp_program_format(const struct xdp_program *program, char *buf, size_t size)
{
	bool named = *program->name;

	snprintf(buf, size, "XDP program %u%s%s%s", program->id, named ? " '" : "", program->name,
		 named ? "'" : "");
	return buf;
}
