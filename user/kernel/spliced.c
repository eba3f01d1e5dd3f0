// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "spliced.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "flows.h"
#include "layout.h"
#include "lock.h"
#include "pin.h"
#include "reset.h"

/* How long one that stays is tried again while nothing else goes. */
#define CUT_TRIES 50
static const struct timespec cut_wait = {.tv_nsec = 20 * 1000 * 1000};

/* ---- reading ----------------------------------------------------------------------------- */

const uint8_t *conn_source(const struct conn *conn)
{
	return conn->via_port ? conn->via : conn->client;
}

void key_of_client(const struct conn *conn, struct flow_key *key)
{
	memcpy(key->source, conn_source(conn), sizeof(key->source));
	memcpy(key->destination, conn->local, sizeof(key->destination));
	key->source_port = conn->via_port ? conn->via_port : conn->client_port;
	key->destination_port = conn->local_port;
}

static int map_info(int map, struct bpf_map_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(map, info, &size) ? -errno : 0;
}

static int open_table(const char *instance, const char *name, size_t value_size)
{
	struct bpf_map_info info;
	int fd = pin_open(instance, name), err;

	if (fd < 0)
		return fd;
	err = map_info(fd, &info);
	if (!err && (info.key_size != sizeof(struct flow_key) || info.value_size != value_size))
		err = -EPROTO;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int spliced_open(const char *instance)
{
	int fd = open_table(instance, "flows", sizeof(struct flow)), err;

	if (fd < 0)
		return fd;
	err = layout_check(instance);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int spliced_open_hellos(const char *instance)
{
	return open_table(instance, "hellos", sizeof(struct flow_hello));
}

uint32_t spliced_room(int map)
{
	struct bpf_map_info info;

	return map_info(map, &info) ? 0 : info.max_entries / 2;
}

struct walk {
	int map;
	spliced_wanted *wanted;
	spliced_step *step;
	void *context;
};

static void walk_entry(const struct flow_key *key, const struct flow *flow, void *context)
{
	const struct walk *walk = context;
	struct spliced spliced = {.key[SERVER] = *key, .flow[SERVER] = *flow};

	if (!(flow->constant & FLOW_FROM_SERVER) || flow->state & FLOW_PENDING ||
	    !walk->wanted(key, flow, walk->context))
		return;
	key_of_peer(flow, &spliced.key[CLIENT]);
	spliced.paired =
		!(flow->state & FLOW_ORPHAN) &&
		!bpf_map_lookup_elem(walk->map, &spliced.key[CLIENT], &spliced.flow[CLIENT]);
	walk->step(&spliced, walk->context);
}

int spliced_walk(int map, spliced_wanted *wanted, spliced_step *step, void *context)
{
	struct walk walk = {map, wanted, step, context};

	return flows_walk(map, walk_entry, &walk);
}

bool spliced_find(int map, struct spliced *spliced)
{
	const struct flow *client = &spliced->flow[CLIENT];

	spliced->paired = false;
	if (!flows_find(map, &spliced->key[CLIENT], &spliced->flow[CLIENT]) ||
	    client->state & FLOW_PENDING)
		return false;
	key_of_peer(client, &spliced->key[SERVER]);
	spliced->paired = flows_find(map, &spliced->key[SERVER], &spliced->flow[SERVER]);
	return spliced->paired;
}

bool flow_hello_read(const struct flow_hello *kept, struct hello *hello)
{
	if (kept->sni_len + kept->alpn_len > FLOW_HELLO_TEXT)
		return false;
	*hello = (struct hello){
		.flags = kept->flags,
		.verdict = kept->verdict,
		.sni_len = kept->sni_len,
		.alpn_len = kept->alpn_len,
	};
	memcpy(hello->sni, kept->text, kept->sni_len);
	memcpy(hello->alpn, kept->text + kept->sni_len, kept->alpn_len);
	return true;
}

bool flow_hello_client(const struct flow_hello *kept, uint8_t client[16], __be16 *port)
{
	const uint8_t *text = kept->text + FLOW_HELLO_TEXT - FLOW_HELLO_CLIENT;

	if (!kept->proxied)
		return false;
	memcpy(client, text, 16);
	memcpy(port, text + 16, sizeof(*port));
	return true;
}

bool spliced_hello(int map, const struct flow_key *server, struct flow_hello *kept)
{
	return map >= 0 && !bpf_map_lookup_elem(map, server, kept);
}

enum spliced_state spliced_state(const struct spliced *spliced)
{
	const struct flow *client = &spliced->flow[CLIENT], *server = &spliced->flow[SERVER];

	if (!spliced->paired || finished(client, server))
		return SPLICED_CLOSED;
	if (was_reset(client) || was_reset(server))
		return SPLICED_RESET;
	return (client->state | server->state) & FLOW_FIN ? SPLICED_CLOSING : SPLICED_OPEN;
}

bool spliced_lives(const struct spliced *spliced)
{
	enum spliced_state state = spliced_state(spliced);

	return state == SPLICED_OPEN || state == SPLICED_CLOSING;
}

uint64_t spliced_seen(const struct spliced *spliced)
{
	uint64_t seen = spliced->flow[SERVER].started; /* the program's clock is coarse */

	for (int side = 0; side < 2; side++)
		if (spliced->flow[side].seen > seen)
			seen = spliced->flow[side].seen;
	return seen;
}

/* ---- cutting ----------------------------------------------------------------------------- */

struct spliced_cut spliced_cut_of(const struct spliced *spliced)
{
	struct spliced_cut cut = {.slot = spliced->flow[SERVER].slot};

	for (int side = 0; side < 2; side++) {
		cut.event.key[side] = spliced->key[side];
		cut.event.expects[side] = spliced->flow[side].acked;
	}
	cut.event.end = FLOW_END_FORCED;
	return cut;
}

/* What is needed of the instance. */
struct cutter {
	enum counter why;
	int program;		  /* flow_remove */
	struct ring_buffer *ring; /* `removed`, which nobody else reads: there is no daemon */
	int conns;		  /* without a daemon, else -1 */
	struct reset_sockets resets;
};

static int ignore_event(void *context, void *data, size_t size)
{
	return 0;
}

static void cutter_close(struct cutter *cutter)
{
	ring_buffer__free(cutter->ring);
	reset_sockets_close(&cutter->resets);
	if (cutter->program >= 0)
		close(cutter->program);
	if (cutter->conns >= 0)
		close(cutter->conns);
}

/*
 * Without a daemon, the ring it would read has to be emptied in its place. The ring is opened
 * before the look at the lock: so it cannot be that of a daemon that starts meanwhile.
 */
static int cutter_open(const char *instance, enum counter why, struct cutter *cutter)
{
	int ring = pin_open(instance, "removed");

	*cutter = (struct cutter){.why = why,
				  .program = pin_open(instance, "flow_remove"),
				  .conns = -1,
				  .resets = RESET_SOCKETS_NONE};
	if (ring >= 0 && !lock_is_taken(instance)) {
		cutter->ring = ring_buffer__new(ring, ignore_event, NULL, NULL);
		cutter->conns = pin_open(instance, "conns");
	}
	if (ring >= 0)
		close(ring);
	return cutter->program < 0 ? cutter->program : 0;
}

/* A connection that was about to leave its sockets when the daemon died has lost them. */
static void forget_sockets(const struct cutter *cutter, const struct spliced_cut *cut)
{
	struct bpf_map_info info;
	struct conn *conn;

	if (cutter->conns < 0 || map_info(cutter->conns, &info) || info.value_size < sizeof(*conn))
		return;
	conn = calloc(1, info.value_size);
	if (conn && !bpf_map_lookup_elem(cutter->conns, &cut->slot, conn) &&
	    conn->state == CONN_SPLICING) {
		conn->state = CONN_FREE;
		bpf_map_update_elem(cutter->conns, &cut->slot, conn, BPF_EXIST);
	}
	free(conn);
}

/* Up to REMOVE_MAX of them; those that stay go to the front of `cuts`, behind *left others. */
static int cut_batch(struct cutter *cutter, struct spliced_cut *cuts, size_t first, size_t n,
		     size_t *left)
{
	struct remove_request request = {.n = n, .force = FLOW_END_COUNTER + cutter->why};
	int err;

	for (size_t i = 0; i < n; i++)
		request.keys[i] = cuts[first + i].event.key[SERVER];
	err = flows_remove(cutter->program, &request);
	if (err)
		return err;
	if (cutter->ring)
		ring_buffer__consume(cutter->ring);
	for (size_t i = 0; i < n; i++) {
		if (request.removed[i]) {
			/* Who cannot be reached hears nothing. */
			(void)flow_reset(&cutter->resets, &cuts[first + i].event);
			continue;
		}
		forget_sockets(cutter, &cuts[first + i]);
		cuts[(*left)++] = cuts[first + i];
	}
	return 0;
}

/* All of them once. */
static int cut_round(struct cutter *cutter, struct spliced_cut *cuts, size_t n, size_t *left)
{
	int err = 0;

	*left = 0;
	for (size_t first = 0; first < n && !err; first += REMOVE_MAX)
		err = cut_batch(cutter, cuts, first, MIN(n - first, REMOVE_MAX), left);
	return err;
}

int spliced_cut(const char *instance, enum counter why, struct spliced_cut *cuts, size_t n,
		size_t *left)
{
	struct cutter cutter;
	int err = cutter_open(instance, why, &cutter);

	*left = n;
	for (int tries = 0; n && !err && tries < CUT_TRIES; tries++) {
		err = cut_round(&cutter, cuts, n, left);
		if (*left < n)
			tries = 0;
		n = *left;
		if (n)
			nanosleep(&cut_wait, NULL);
	}
	cutter_close(&cutter);
	return err;
}

void spliced_cuts_add(struct spliced_cuts *cuts, const struct spliced *spliced)
{
	enum spliced_state state = spliced_state(spliced);

	if (state == SPLICED_CLOSED || state == SPLICED_RESET)
		return;
	if (cuts->n == cuts->room) {
		size_t room = cuts->room ? 2 * cuts->room : 1024;
		struct spliced_cut *v = reallocarray(cuts->v, room, sizeof(*v));

		cuts->out_of_memory |= !v;
		if (!v)
			return;
		cuts->v = v;
		cuts->room = room;
	}
	cuts->v[cuts->n++] = spliced_cut_of(spliced);
}

/* ---- of servers ------------------------------------------------------------------------- */

struct servers_cut {
	const bool *servers;
	struct spliced_cuts cuts;
};

static bool is_of_servers(const struct flow_key *key, const struct flow *server, void *context)
{
	return server->server_id <= MAX_SERVERS &&
	       ((struct servers_cut *)context)->servers[server->server_id];
}

static void add_cut(const struct spliced *spliced, void *context)
{
	spliced_cuts_add(&((struct servers_cut *)context)->cuts, spliced);
}

int spliced_cut_servers(const char *instance, enum counter why, const bool servers[MAX_SERVERS + 1],
			uint64_t *cut)
{
	struct servers_cut job = {.servers = servers};
	int map = spliced_open(instance), err;
	size_t left = 0;

	*cut = 0;
	if (map < 0)
		return map;
	err = spliced_walk(map, is_of_servers, add_cut, &job);
	close(map);
	if (!err && job.cuts.n)
		err = spliced_cut(instance, why, job.cuts.v, job.cuts.n, &left);
	*cut = err ? 0 : job.cuts.n - left;
	free(job.cuts.v);
	return !err && job.cuts.out_of_memory ? -ENOMEM : err;
}

/* ---- of another version ------------------------------------------------------------------ */

/* What that version's program has removed. */
struct unread {
	struct reset_sockets resets;
	uint64_t cut;
};

static int on_cut(void *context, void *data, size_t size)
{
	struct unread *unread = context;
	const struct flow_event *event = data;

	if (event->end != FLOW_END_FORCED)
		return 0; /* it had ended */
	unread->cut++;
	(void)flow_reset(&unread->resets, event);
	return 0;
}

/* The first REMOVE_MAX keys behind `*key`; the last of them is left there. */
static uint32_t next_keys(int map, struct flow_key *key, bool *first,
			  struct flow_key keys[REMOVE_MAX])
{
	uint32_t n = 0;

	while (n < REMOVE_MAX && !bpf_map_get_next_key(map, *first ? NULL : key, &keys[n])) {
		*key = keys[n++];
		*first = false;
	}
	return n;
}

/* A key that was removed is followed by the first one again: the walk ends when nothing goes. */
static int cut_unread(int map, int program, struct ring_buffer *ring, struct unread *unread)
{
	struct remove_request request;
	struct flow_key key;
	uint64_t before;
	bool first;
	int err = 0;

	do {
		before = unread->cut;
		first = true;
		do {
			request = (struct remove_request){.force = 1};
			request.n = next_keys(map, &key, &first, request.keys);
			err = request.n ? flows_remove(program, &request) : 0;
			ring_buffer__consume(ring);
		} while (!err && request.n == REMOVE_MAX);
	} while (!err && unread->cut > before);
	return err;
}

int spliced_cut_unread(const char *instance, uint64_t *cut)
{
	struct unread unread = {.resets = RESET_SOCKETS_NONE};
	int map = pin_open(instance, "flows"), program = pin_open(instance, "flow_remove");
	int removed = pin_open(instance, "removed"), err = -ENOENT;
	struct ring_buffer *ring = NULL;

	if (map >= 0 && program >= 0 && removed >= 0) {
		ring = ring_buffer__new(removed, on_cut, &unread, NULL);
		err = ring ? cut_unread(map, program, ring, &unread) : -ENOMEM;
	}
	*cut = unread.cut;
	ring_buffer__free(ring);
	reset_sockets_close(&unread.resets);
	if (map >= 0)
		close(map);
	if (program >= 0)
		close(program);
	if (removed >= 0)
		close(removed);
	return err;
}
