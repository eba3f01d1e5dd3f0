// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "door_tables.h"

#include <bpf/bpf.h>
#include <endian.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../bpf/anchor.h"
#include "../model/prefix.h"

#define IPV4_BITS      96
#define HOST_ADDRESSES 65536 /* room for those that come later */

const char *const door_table_name[DOOR_TABLE_MAX] = {
	"door_ports", "door_frontends", "door_addresses", "door_lists4", "door_lists6"};

static int make(enum bpf_map_type type, enum door_table table, size_t key, size_t value, size_t n,
		__u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
	int fd = bpf_map_create(type, door_table_name[table], key, value, n ? n : 1, &options);

	return fd < 0 ? -errno : fd;
}

/* An array of `n` rows of 8 or 32 bytes each; *rows is its memory. */
static int make_array(enum door_table table, size_t value, size_t stride, size_t n, void **rows)
{
	int fd = make(BPF_MAP_TYPE_ARRAY, table, sizeof(__u32), value, n, BPF_F_MMAPABLE), err;

	if (fd < 0)
		return fd;
	*rows = mmap(NULL, n * stride, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*rows != MAP_FAILED)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* ---- ports and addresses --------------------------------------------------------------- */

struct port_row {
	struct door_port port;
	__u32 pad; /* rows of a mapped array are 8 bytes */
};

/* For each port a number that tells which frontends have it on some addresses only; 0 = none. */
static uint64_t *port_hashes(const struct config *config)
{
	uint64_t *hashes = calloc(DOOR_PORTS, sizeof(*hashes));

	for (size_t i = 0; hashes && i < config->n_frontends; i++) {
		const struct frontend *frontend = &config->frontends[i];

		for (size_t j = 0; frontend->dedicated_ipfo.set &&
				   frontend_listens(config, frontend) && j < frontend->n_ports;
		     j++)
			for (uint32_t port = frontend->ports[j].first;
			     port <= frontend->ports[j].last; port++)
				hashes[port] = hash_word(hashes[port], frontend->o.id);
	}
	return hashes;
}

/* Neighbours that the same frontends have share a place, which is the first one's number. */
static void fill_places(struct port_row *rows, const uint64_t *hashes)
{
	for (uint32_t port = 1; port < DOOR_PORTS; port++) {
		bool same = hashes[port] == hashes[port - 1];

		if (hashes[port])
			rows[port].port.place = same ? rows[port - 1].port.place : port;
	}
}

static void fill_ports(struct port_row *rows, const struct config *config)
{
	for (size_t i = 0; i < config->n_frontends; i++) {
		const struct frontend *frontend = &config->frontends[i];

		for (size_t j = 0; !frontend->dedicated_ipfo.set &&
				   frontend_listens(config, frontend) && j < frontend->n_ports;
		     j++)
			for (uint32_t port = frontend->ports[j].first;
			     port <= frontend->ports[j].last; port++)
				rows[port].port.frontend_id = frontend->o.id;
	}
}

/* Calls for each place of a frontend: how many, or adds its addresses to `map`. */
static size_t each_place(const struct frontend *frontend, const struct port_row *rows, int map,
			 int *err)
{
	const struct prefix_list *addresses = &frontend->dedicated_ipfo;
	uint16_t before = 0;
	size_t n = 0;

	for (size_t j = 0; j < frontend->n_ports; j++)
		for (uint32_t port = frontend->ports[j].first; port <= frontend->ports[j].last;
		     port++) {
			struct door_address key = {.place = rows[port].port.place};

			if (key.place == before)
				continue;
			before = key.place;
			n += addresses->n;
			for (size_t k = 0; map >= 0 && k < addresses->n && !*err; k++) {
				memcpy(key.address, addresses->v[k].address, 16);
				if (bpf_map_update_elem(map, &key, &frontend->o.id, BPF_ANY))
					*err = -errno;
			}
		}
	return n;
}

static int make_addresses(const struct config *config, const struct port_row *rows)
{
	size_t n = HOST_ADDRESSES;
	int map, err = 0;

	for (size_t i = 0; i < config->n_frontends; i++)
		if (frontend_listens(config, &config->frontends[i]) &&
		    config->frontends[i].dedicated_ipfo.set)
			n += each_place(&config->frontends[i], rows, -1, &err);
	map = make(BPF_MAP_TYPE_HASH, DOOR_TABLE_ADDRESSES, sizeof(struct door_address),
		   sizeof(__u32), n, BPF_F_NO_PREALLOC);
	if (map < 0)
		return map;
	for (size_t i = 0; i < config->n_frontends && !err; i++)
		if (frontend_listens(config, &config->frontends[i]) &&
		    config->frontends[i].dedicated_ipfo.set)
			each_place(&config->frontends[i], rows, map, &err);
	err = err ? err : door_addresses_fill(map);
	if (!err)
		return map;
	close(map);
	return err;
}

static int make_ports(const struct config *config, int *ports, int *addresses)
{
	uint64_t *hashes = port_hashes(config);
	void *rows;

	*ports = hashes ? make_array(DOOR_TABLE_PORTS, sizeof(struct door_port),
				     sizeof(struct port_row), DOOR_PORTS, &rows)
			: -ENOMEM;
	if (*ports >= 0) {
		fill_places(rows, hashes);
		fill_ports(rows, config);
		*addresses = make_addresses(config, rows);
		munmap(rows, DOOR_PORTS * sizeof(struct port_row));
	}
	free(hashes);
	return *ports < 0 ? *ports : *addresses;
}

/* ---- the host's own addresses ----------------------------------------------------------- */

static bool read_address(const struct ifaddrs *i, struct door_address *key)
{
	memset(key, 0, sizeof(*key));
	if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET) {
		key->address[10] = key->address[11] = 0xff;
		memcpy(key->address + 12, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, 4);
		return true;
	}
	if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6) {
		memcpy(key->address, &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, 16);
		return true;
	}
	return false;
}

static bool has_address(const struct ifaddrs *all, const struct door_address *wanted)
{
	struct door_address key;

	for (; all; all = all->ifa_next)
		if (read_address(all, &key) && !memcmp(&key, wanted, sizeof(key)))
			return true;
	return false;
}

static void forget_others(int map, const struct ifaddrs *all)
{
	struct door_address key, next;
	bool more = !bpf_map_get_next_key(map, NULL, &key);

	while (more) {
		more = !bpf_map_get_next_key(map, &key, &next);
		if (!key.place && !has_address(all, &key))
			bpf_map_delete_elem(map, &key);
		key = next;
	}
}

int door_addresses_fill(int map)
{
	struct ifaddrs *all;
	struct door_address key;
	__u32 one = 1;
	int err = 0;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *i = all; i && !err; i = i->ifa_next)
		if (read_address(i, &key) && bpf_map_update_elem(map, &key, &one, BPF_ANY))
			err = -errno;
	forget_others(map, all);
	freeifaddrs(all);
	return err;
}

/* ---- frontends ------------------------------------------------------------------------- */

static __u32 interval_of(uint32_t rate)
{
	return rate ? DOOR_SECOND / rate : 0;
}

/*
 * Behind a proxy the source of a packet is not the client: who it is, and whether it is welcome,
 * is known after accept.
 */
static struct door_frontend frontend_row(const struct frontend *frontend)
{
	struct door_frontend row = {0};
	__u64 mask[2];

	if (frontend->proxy_sources.set)
		return row;
	if (frontend->allowed_source.set)
		row.flags = DOOR_LIST | DOOR_ALLOW;
	else if (frontend->denied_source.set)
		row.flags = DOOR_LIST;
	row.interval = interval_of(frontend->rate_limit);
	row.source_interval = interval_of(frontend->source_rate_limit);
	prefix_mask(IPV4_BITS + frontend->source_rate_prefix_v4, mask);
	row.mask4 = htobe32((__u32)mask[1]);
	prefix_mask(frontend->source_rate_prefix_v6, mask);
	row.mask6[0] = htobe64(mask[0]);
	row.mask6[1] = htobe64(mask[1]);
	return row;
}

static int make_frontends(const struct config *config)
{
	struct door_frontend *rows;
	void *memory;
	int fd = make_array(DOOR_TABLE_FRONTENDS, sizeof(*rows), sizeof(*rows), MAX_FRONTENDS + 1,
			    &memory);

	if (fd < 0)
		return fd;
	rows = memory;
	for (size_t i = 0; i < config->n_frontends; i++)
		rows[config->frontends[i].o.id] = frontend_row(&config->frontends[i]);
	munmap(memory, (MAX_FRONTENDS + 1) * sizeof(*rows));
	return fd;
}

/* ---- lists ----------------------------------------------------------------------------- */

#define BATCH 4096

struct lists {
	int fds[2];
	struct door_prefix4 keys4[BATCH];
	struct door_prefix6 keys6[BATCH];
	__u8 values[BATCH];
	__u32 n[2];
};

static int flush(struct lists *lists, int i)
{
	const void *keys = i ? (void *)lists->keys6 : (void *)lists->keys4;
	__u32 n = lists->n[i];

	lists->n[i] = 0;
	return n && bpf_map_update_batch(lists->fds[i], keys, lists->values, &n, NULL) ? -errno : 0;
}

static int add_prefix(struct lists *lists, uint32_t frontend_id, const struct prefix *prefix)
{
	bool v4 = address_is_mapped(prefix->address);
	int i = v4 ? 0 : 1;
	__u32 at = lists->n[i]++;

	if (v4) {
		lists->keys4[at] = (struct door_prefix4){
			.length = DOOR_FRONTEND_BITS + prefix->length - IPV4_BITS,
			.frontend_id = frontend_id,
		};
		memcpy(&lists->keys4[at].address, prefix->address + 12, 4);
	} else {
		lists->keys6[at] = (struct door_prefix6){
			.length = DOOR_FRONTEND_BITS + prefix->length,
			.frontend_id = frontend_id,
		};
		memcpy(lists->keys6[at].address, prefix->address, 16);
	}
	return lists->n[i] == BATCH ? flush(lists, i) : 0;
}

static int fill_lists(struct lists *lists, const struct config *config)
{
	int err = 0;

	for (size_t i = 0; i < config->n_frontends && !err; i++) {
		const struct frontend *frontend = &config->frontends[i];
		const struct prefix_list *list = frontend->allowed_source.set
							 ? &frontend->allowed_source
							 : &frontend->denied_source;

		for (size_t j = 0; frontend_listens(config, frontend) && j < list->n && !err; j++)
			err = add_prefix(lists, frontend->o.id, &list->v[j]);
	}
	err = err ? err : flush(lists, 0);
	return err ? err : flush(lists, 1);
}

static int make_lists(const struct config *config, int *fd4, int *fd6)
{
	struct lists *lists = calloc(1, sizeof(*lists));
	int err;

	if (!lists)
		return -ENOMEM;
	*fd4 = make(BPF_MAP_TYPE_LPM_TRIE, DOOR_TABLE_LISTS4, sizeof(struct door_prefix4),
		    sizeof(__u8), DOOR_PREFIXES, BPF_F_NO_PREALLOC);
	*fd6 = make(BPF_MAP_TYPE_LPM_TRIE, DOOR_TABLE_LISTS6, sizeof(struct door_prefix6),
		    sizeof(__u8), DOOR_PREFIXES, BPF_F_NO_PREALLOC);
	err = *fd4 < 0 ? *fd4 : *fd6 < 0 ? *fd6 : 0;
	lists->fds[0] = *fd4;
	lists->fds[1] = *fd6;
	err = err ? err : fill_lists(lists, config);
	free(lists);
	return err;
}

/* ---- all ------------------------------------------------------------------------------- */

int door_tables_make(const struct config *config, int fds[DOOR_TABLE_MAX])
{
	int err;

	for (int i = 0; i < DOOR_TABLE_MAX; i++)
		fds[i] = -1;
	err = make_ports(config, &fds[DOOR_TABLE_PORTS], &fds[DOOR_TABLE_ADDRESSES]);
	if (err >= 0)
		err = fds[DOOR_TABLE_FRONTENDS] = make_frontends(config);
	if (err >= 0)
		err = make_lists(config, &fds[DOOR_TABLE_LISTS4], &fds[DOOR_TABLE_LISTS6]);
	for (int i = 0; i < DOOR_TABLE_MAX && err < 0; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return err < 0 ? err : 0;
}
