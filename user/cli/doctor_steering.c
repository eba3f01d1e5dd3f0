/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of doctor that is about frontends with many ports and addresses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../kernel/occupied.h"
#include "../kernel/steering.h"
#include "../model/decode.h"
#include "doctor.h"

void check_steering(json_t *rows)
{
	const char *failed;
	int err = steering_probe(&failed);

	if (!err)
		finding(rows, STATUS_OK, "ranges of ports", NULL, "steered to few sockets");
	else if (err == -EPERM || err == -EACCES)
		finding(rows, STATUS_WARN, "ranges of ports", "run doctor as root", "not tried: %s",
			strerror(-err));
	else
		finding(rows, STATUS_WARN, "ranges of ports",
			"at most 64 sk_lookup programs fit on a network namespace; each address "
			"and port takes a socket per worker here",
			"cannot %s: %s", failed, strerror(-err));
}

/* They could be bound, unlike to a port that has a socket, but hear of no connection. */
void check_steered_instance(json_t *rows, const char *instance)
{
	struct spans steered = {0}, occupied = {0};
	char check[64], at[64];

	snprintf(check, sizeof(check), "instance %s", instance);
	if (steering_of(instance, &steered) || !steered.n || occupied_ports(NOBODY, &occupied))
		occupied.n = 0;
	for (size_t i = 0; i < occupied.n; i++)
		if (spans_overlap(&steered, &occupied.v[i]))
			finding(rows, STATUS_WARN, check,
				"stop it, or take the port from the frontend",
				"another program listens on %s, where a frontend gets the "
				"connections",
				endpoint_format(occupied.v[i].address, occupied.v[i].first, at,
						sizeof(at)));
	spans_free(&steered);
	spans_free(&occupied);
}
