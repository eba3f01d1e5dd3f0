// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "unfinished.h"

#include <unistd.h>

#include "view.h"

static bool find_flow(int map, size_t slot, const struct conn *conn, struct spliced *spliced)
{
	const struct flow *client = &spliced->flow[CLIENT];

	key_of_client(conn, &spliced->key[CLIENT]);
	return spliced_find(map, spliced) && client->slot == slot && client->serial == conn->serial;
}

static void add_unfinished(int map, const struct view *view, struct spliced_cuts *cuts)
{
	struct spliced spliced;
	struct conn conn;

	for (size_t slot = 0; slot < view_conns(view); slot++)
		if (view_conn(view, slot, &conn) && conn.state == CONN_SPLICING &&
		    find_flow(map, slot, &conn, &spliced))
			spliced_cuts_add(cuts, &spliced);
}

void unfinished_find(const char *instance, struct spliced_cuts *cuts)
{
	int map = spliced_open(instance);
	struct view view;

	if (map < 0)
		return;
	if (!view_open(instance, &view))
		add_unfinished(map, &view, cuts);
	view_close(&view);
	close(map);
}
