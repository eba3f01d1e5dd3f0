/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of doctor that is about the door. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/door.h"
#include "../kernel/links.h"
#include "../kernel/pin.h"
#include "../kernel/xdp_program.h"
#include "doctor.h"

void check_door(json_t *rows)
{
	int err = door_probe();

	if (!err)
		finding(rows, STATUS_OK, "xdp", NULL, "the door can be loaded");
	else if (err == -EPERM || err == -EACCES)
		finding(rows, STATUS_WARN, "xdp", "run doctor as root", "not tried: %s",
			strerror(-err));
	else
		finding(rows, STATUS_WARN, "xdp",
			"nothing, if traffic is as it should: lists, limits and the acl are "
			"enforced after accept",
			"the door cannot be loaded: %s", strerror(-err));
}

/* If another program is there. Where there is none, nothing may be wanted there. */
static void add_held(char *text, size_t size, uint32_t ifindex)
{
	char name[IF_NAMESIZE] = "?", buf[64];
	size_t used = strlen(text);
	struct xdp_program holder;

	if (!xdp_program_at(ifindex, &holder))
		return;
	if_indextoname(ifindex, name);
	snprintf(text + used, size - used, " %s (%s)", name,
		 xdp_program_format(&holder, buf, sizeof(buf)));
}

void check_door_instance(json_t *rows, const char *instance)
{
	char check[64], pins[256], missing[256] = "";
	int program = pin_open(instance, "door");
	uint32_t *links = NULL;
	size_t n = 0;

	if (program < 0)
		return; /* it has nothing to enforce */
	close(program);
	snprintf(check, sizeof(check), "instance %s", instance);
	snprintf(pins, sizeof(pins), PIN_ROOT "/%s", instance);
	(void)links_at_the_door(&links, &n);
	for (size_t i = 0; i < n; i++)
		if (!door_attached(pins, links[i]))
			add_held(missing, sizeof(missing), links[i]);
	free(links);
	if (*missing)
		finding(rows, STATUS_WARN, check,
			"one XDP program fits at an interface: remove the other one, or set xdp: "
			"off",
			"no door at the interfaces:%s", missing);
}
