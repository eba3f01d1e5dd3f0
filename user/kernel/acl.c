// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "acl.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../model/prefix.h"
#include "clock.h"
#include "pin.h"

#define IPV4_BITS 96 /* in front of an IPv4 address that is mapped into IPv6 */
#define BATCH	  4096

static const char control_name[] = "door_control";
static const char *const trie_names[2] = {"acl4", "acl6"};
static const size_t key_size[2] = {sizeof(struct door_prefix4), sizeof(struct door_prefix6)};

/* A key of either trie. */
union key {
	struct door_prefix4 v4;
	struct door_prefix6 v6;
};

/* ---- life ------------------------------------------------------------------------------ */

static int map_control(struct acl *acl)
{
	void *memory = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
			    acl->control_fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	acl->control = memory;
	return 0;
}

/* What is pinned by the name, if it has the shape of today's. */
static int open_map(const char *instance, const char *name, size_t key, size_t value)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd = pin_open(instance, name);

	if (fd < 0)
		return fd;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.key_size == key &&
	    info.value_size == value)
		return fd;
	close(fd);
	return -EPROTO;
}

static int make_map(enum bpf_map_type type, const char *name, size_t key, size_t value, __u32 n,
		    __u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
	int fd = bpf_map_create(type, name, key, value, n, &options);

	return fd < 0 ? -errno : fd;
}

static int open_trie(const char *instance, int i, bool make)
{
	int fd = open_map(instance, trie_names[i], key_size[i], sizeof(struct door_ban));

	return fd < 0 && make ? make_map(BPF_MAP_TYPE_LPM_TRIE, trie_names[i], key_size[i],
					 sizeof(struct door_ban), DOOR_PREFIXES, BPF_F_NO_PREALLOC)
			      : fd;
}

static int open_control(const char *instance, bool make)
{
	int fd = open_map(instance, control_name, sizeof(__u32), sizeof(struct door_control));

	return fd < 0 && make ? make_map(BPF_MAP_TYPE_ARRAY, control_name, sizeof(__u32),
					 sizeof(struct door_control), 1, BPF_F_MMAPABLE)
			      : fd;
}

static int open_all(struct acl *acl, const char *instance, bool make)
{
	*acl = (struct acl){.control_fd = open_control(instance, make)};
	for (int i = 0; i < 2; i++)
		acl->tries[i] = open_trie(instance, i, make);
	for (int i = 0; i < 2; i++)
		if (acl->tries[i] < 0)
			return acl->tries[i];
	return acl->control_fd < 0 ? acl->control_fd : map_control(acl);
}

int acl_open(struct acl *acl, const char *instance)
{
	return open_all(acl, instance, false);
}

void acl_close(struct acl *acl)
{
	if (acl->control)
		munmap(acl->control, sysconf(_SC_PAGESIZE));
	for (int i = 0; i < 2; i++)
		if (acl->tries[i] >= 0)
			close(acl->tries[i]);
	if (acl->control_fd >= 0)
		close(acl->control_fd);
	*acl = (struct acl){.tries = {-1, -1}, .control_fd = -1};
}

int acl_share(const struct acl *acl, const struct bpf_object *program)
{
	const int fds[] = {acl->control_fd, acl->tries[0], acl->tries[1]};
	const char *const names[] = {control_name, trie_names[0], trie_names[1]};
	int err = 0;

	for (int i = 0; i < 3 && !err; i++)
		err = bpf_map__reuse_fd(bpf_object__find_map_by_name(program, names[i]), fds[i]);
	return err;
}

/* ---- keys ------------------------------------------------------------------------------ */

/* Which trie the block is in. */
static int fill_key(union key *key, const struct prefix *prefix, uint32_t frontend_id)
{
	bool v4 = address_is_mapped(prefix->address);

	memset(key, 0, sizeof(*key));
	if (v4) {
		key->v4.length = DOOR_FRONTEND_BITS + prefix->length - IPV4_BITS;
		key->v4.frontend_id = frontend_id;
		memcpy(&key->v4.address, prefix->address + 12, 4);
	} else {
		key->v6.length = DOOR_FRONTEND_BITS + prefix->length;
		key->v6.frontend_id = frontend_id;
		memcpy(key->v6.address, prefix->address, 16);
	}
	return v4 ? 0 : 1;
}

static struct acl_entry entry_of(int trie, const union key *key, const struct door_ban *ban)
{
	struct acl_entry entry = {.until = ban->until};

	if (trie == 0) {
		entry.frontend_id = key->v4.frontend_id;
		entry.prefix.length = key->v4.length - DOOR_FRONTEND_BITS + IPV4_BITS;
		entry.prefix.address[10] = entry.prefix.address[11] = 0xff;
		memcpy(entry.prefix.address + 12, &key->v4.address, 4);
	} else {
		entry.frontend_id = key->v6.frontend_id;
		entry.prefix.length = key->v6.length - DOOR_FRONTEND_BITS;
		memcpy(entry.prefix.address, key->v6.address, 16);
	}
	return entry;
}

/* ---- looking up ------------------------------------------------------------------------ */

static bool lives(const struct door_ban *ban, uint64_t now)
{
	return !ban->until || ban->until > now;
}

/* As BANNED of door.bpf.c: a block that has expired may stand within one that has not. */
static bool is_banned(const struct acl *acl, uint32_t frontend_id, const uint8_t source[16],
		      uint64_t now)
{
	struct prefix prefix = {.length = 128};
	struct door_ban ban;
	union key key;
	int trie;

	memcpy(prefix.address, source, sizeof(prefix.address));
	trie = fill_key(&key, &prefix, frontend_id);
	while (!bpf_map_lookup_elem(acl->tries[trie], &key, &ban)) {
		if (lives(&ban, now))
			return true;
		if (ban.length <= DOOR_FRONTEND_BITS)
			break;
		key.v4.length = ban.length - 1; /* where both have it */
	}
	return false;
}

bool acl_bans(const struct acl *acl, uint32_t frontend_id, const uint8_t source[16])
{
	uint64_t now;

	if (!acl->control || !__atomic_load_n(&acl->control->bans, __ATOMIC_RELAXED))
		return false;
	now = monotonic_time();
	return is_banned(acl, frontend_id, source, now) || is_banned(acl, 0, source, now);
}

/* ---- changing -------------------------------------------------------------------------- */

struct batch {
	const struct acl *acl;
	uint8_t *keys[2];
	struct door_ban *bans[2];
	__u32 n[2];
};

static int flush(struct batch *batch, int trie)
{
	__u32 n = batch->n[trie];

	batch->n[trie] = 0;
	return n && bpf_map_update_batch(batch->acl->tries[trie], batch->keys[trie],
					 batch->bans[trie], &n, NULL)
		       ? -errno
		       : 0;
}

static int add_entry(struct batch *batch, const struct acl_entry *entry)
{
	union key key;
	int trie = fill_key(&key, &entry->prefix, entry->frontend_id);
	__u32 i = batch->n[trie]++;

	memcpy(batch->keys[trie] + i * key_size[trie], &key, key_size[trie]);
	batch->bans[trie][i] = (struct door_ban){.until = entry->until, .length = key.v4.length};
	return batch->n[trie] == BATCH ? flush(batch, trie) : 0;
}

static void note_end(struct door_control *control, uint64_t end)
{
	uint64_t before = __atomic_load_n(&control->ban_ends, __ATOMIC_RELAXED);

	while (end && (!before || end < before) &&
	       !__atomic_compare_exchange_n(&control->ban_ends, &before, end, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

static void note_bans(struct acl *acl, uint64_t n, uint64_t end)
{
	__atomic_fetch_add(&acl->control->bans, n, __ATOMIC_SEQ_CST);
	note_end(acl->control, end);
}

/* When the first of them ends; 0 = none does. */
static uint64_t first_end(const struct acl_entry *entries, size_t n)
{
	uint64_t first = 0;

	for (size_t i = 0; i < n; i++)
		if (entries[i].until && (!first || entries[i].until < first))
			first = entries[i].until;
	return first;
}

static int add_entries(struct batch *batch, const struct acl_entry *entries, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = add_entry(batch, &entries[i]);
	for (int i = 0; i < 2 && !err; i++)
		err = flush(batch, i);
	return err;
}

/*
 * Who finds none does not look, so one more is counted before they are there. A walk that has
 * missed some of them has to see that the count moves behind it.
 */
int acl_add(struct acl *acl, const struct acl_entry *entries, size_t n)
{
	uint64_t end = first_end(entries, n);
	struct batch batch = {.acl = acl};
	int err = 0;

	if (!n)
		return 0;
	for (int i = 0; i < 2; i++) {
		batch.keys[i] = calloc(BATCH, key_size[i]);
		batch.bans[i] = calloc(BATCH, sizeof(struct door_ban));
		if (!batch.keys[i] || !batch.bans[i])
			err = -ENOMEM;
	}
	if (!err) {
		note_bans(acl, 1, end);
		err = add_entries(&batch, entries, n);
		note_bans(acl, n, end);
	}
	for (int i = 0; i < 2; i++) {
		free(batch.keys[i]);
		free(batch.bans[i]);
	}
	return err;
}

/* ---- all of them ----------------------------------------------------------------------- */

struct gone {
	union key key;
	uint64_t until;
};

struct walk {
	struct acl *acl;
	acl_step *step;
	void *context;
	uint64_t count;	    /* as it began */
	uint64_t met, ends; /* that stay; when the first of them ends */
	union key position;
	uint8_t *keys;
	struct door_ban *bans;
	struct gone *gone; /* to be removed behind the walk: it goes on from one to the next */
	size_t n_gone;
};

static int note_gone(struct walk *walk, const union key *key, uint64_t until)
{
	if (!(walk->n_gone & (walk->n_gone - 1))) {
		size_t n = walk->n_gone ? 2 * walk->n_gone : 1;
		struct gone *gone = reallocarray(walk->gone, n, sizeof(*gone));

		if (!gone)
			return -ENOMEM;
		walk->gone = gone;
	}
	walk->gone[walk->n_gone++] = (struct gone){*key, until};
	return 0;
}

static bool remove_batch(struct walk *walk, int trie, size_t from, __u32 n)
{
	for (size_t i = 0; i < n; i++)
		memcpy(walk->keys + i * key_size[trie], &walk->gone[from + i].key, key_size[trie]);
	return !bpf_map_delete_batch(walk->acl->tries[trie], walk->keys, &n, NULL);
}

/* But for those that somebody has put there anew. */
static void remove_each(struct walk *walk, int trie, size_t from, __u32 n)
{
	int fd = walk->acl->tries[trie];
	struct door_ban ban;

	for (struct gone *gone = walk->gone + from; n; n--, gone++)
		if (!bpf_map_lookup_elem(fd, &gone->key, &ban) && ban.until == gone->until)
			bpf_map_delete_elem(fd, &gone->key);
}

static void remove_gone(struct walk *walk, int trie)
{
	for (size_t i = 0; i < walk->n_gone; i += BATCH) {
		__u32 n = walk->n_gone - i < BATCH ? walk->n_gone - i : BATCH;
		bool alone =
			__atomic_load_n(&walk->acl->control->bans, __ATOMIC_SEQ_CST) == walk->count;

		if (!alone || !remove_batch(walk, trie, i, n))
			remove_each(walk, trie, i, n);
	}
	walk->n_gone = 0;
	free(walk->gone);
	walk->gone = NULL;
}

static int step_one(struct walk *walk, int trie, const uint8_t *bytes, const struct door_ban *ban)
{
	struct acl_entry entry;
	union key key = {0};

	memcpy(&key, bytes, key_size[trie]);
	entry = entry_of(trie, &key, ban);
	if (walk->step(&entry, walk->context))
		return note_gone(walk, &key, ban->until);
	walk->met++;
	if (ban->until && (!walk->ends || ban->until < walk->ends))
		walk->ends = ban->until;
	return 0;
}

static int walk_trie(struct walk *walk, int trie)
{
	int fd = walk->acl->tries[trie], err = 0;
	bool more = true, first = true;

	while (more && !err) {
		__u32 n = BATCH;

		if (bpf_map_lookup_batch(fd, first ? NULL : &walk->position, &walk->position,
					 walk->keys, walk->bans, &n, NULL)) {
			more = false;
			err = errno == ENOENT ? 0 : -errno;
		}
		first = false;
		for (__u32 i = 0; i < n && !err; i++)
			err = step_one(walk, trie, walk->keys + i * key_size[trie], &walk->bans[i]);
	}
	remove_gone(walk, trie);
	return err;
}

/* Unless somebody has added some meanwhile, which the walk may have missed. */
static void note_walk(const struct walk *walk, uint64_t ends)
{
	struct door_control *control = walk->acl->control;
	uint64_t bans = walk->count;

	if (!__atomic_compare_exchange_n(&control->ban_ends, &ends, walk->ends, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return;
	if (!__atomic_compare_exchange_n(&control->bans, &bans, walk->met, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED))
		note_end(control, ends);
}

int acl_walk(struct acl *acl, acl_step *step, void *context)
{
	struct walk walk = {.acl = acl, .step = step, .context = context};
	uint64_t ends = __atomic_load_n(&acl->control->ban_ends, __ATOMIC_SEQ_CST);
	int err = -ENOMEM;

	walk.count = __atomic_load_n(&acl->control->bans, __ATOMIC_SEQ_CST);
	walk.keys = calloc(BATCH, sizeof(union key));
	walk.bans = calloc(BATCH, sizeof(*walk.bans));
	if (walk.keys && walk.bans)
		err = walk_trie(&walk, 0);
	err = err ? err : walk_trie(&walk, 1);
	free(walk.keys);
	free(walk.bans);
	if (!err)
		note_walk(&walk, ends);
	return err;
}

static bool stays(const struct acl_entry *entry, void *context)
{
	return false;
}

static int count_anew(struct acl *acl)
{
	return acl_walk(acl, stays, NULL);
}

int acl_make(struct acl *acl, const char *instance)
{
	int err = open_all(acl, instance, true);

	/* The count may be of another version, and lost; the bans are not. */
	return err || acl->control->bans ? err : count_anew(acl);
}

static void forget_one(struct acl *acl)
{
	uint64_t n = __atomic_load_n(&acl->control->bans, __ATOMIC_RELAXED);

	/* A count that is too low would leave an entry without effect: one too many stays. */
	while (n > 1 && !__atomic_compare_exchange_n(&acl->control->bans, &n, n - 1, false,
						     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

int acl_delete(struct acl *acl, const struct acl_entry *entry)
{
	union key key;
	int trie = fill_key(&key, &entry->prefix, entry->frontend_id);

	if (bpf_map_delete_elem(acl->tries[trie], &key))
		return -errno;
	forget_one(acl);
	/* Where they are few: the last one may be gone. */
	if (__atomic_load_n(&acl->control->bans, __ATOMIC_RELAXED) <= BATCH)
		(void)count_anew(acl);
	return 0;
}

static bool has_ended(const struct acl_entry *entry, void *now)
{
	return entry->until && entry->until <= *(uint64_t *)now;
}

int acl_sweep(struct acl *acl, uint64_t now)
{
	uint64_t ends = __atomic_load_n(&acl->control->ban_ends, __ATOMIC_RELAXED);

	return ends && ends <= now ? acl_walk(acl, has_ended, &now) : 0;
}
