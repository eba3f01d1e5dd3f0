// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "claim.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lock.h"
#include "pin.h"
#include "spliced.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static uint64_t netns_cookie(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (fd < 0)
		return 0;
	(void)getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size);
	close(fd);
	return cookie;
}

void claim_fill(struct claim *claim, const struct port_range *range,
		const struct prefix_list *addresses, uint64_t since)
{
	memset(claim, 0, sizeof(*claim));
	claim->netns = netns_cookie();
	claim->since = since;
	claim->first = range->first;
	claim->last = range->last;
	if (addresses->n > CLAIM_ADDRESSES)
		return;
	claim->n = addresses->n;
	for (size_t i = 0; i < addresses->n; i++)
		memcpy(claim->addresses[i], addresses->v[i].address, 16);
}

int claim_map(void)
{
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "claims", sizeof(__u32), sizeof(struct claim),
				 1, NULL);

	return map < 0 ? -errno : map;
}

int claim_write(int map, const struct claim *claim)
{
	__u32 zero = 0;

	return bpf_map_update_elem(map, &zero, claim, BPF_ANY) ? -errno : 0;
}

int claim_read(const char *instance, struct claim *claim)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info), zero = 0;
	int map = pin_open(instance, "claims"), err = 0;

	if (map < 0)
		return map;
	if (bpf_obj_get_info_by_fd(map, &info, &size) || info.value_size != sizeof(*claim))
		err = -EPROTO;
	else if (bpf_map_lookup_elem(map, &zero, claim))
		err = -errno;
	close(map);
	return err;
}

/* ---- others ------------------------------------------------------------------------------ */

static bool shares_address(const struct claim *a, const struct claim *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t j = 0; j < b->n; j++)
			if (!memcmp(a->addresses[i], b->addresses[j], 16))
				return true;
	return !a->n || !b->n;
}

static bool has_flows(const char *instance)
{
	int map = spliced_open(instance);
	struct flow_key key;
	bool some = map == -EPROTO || (map >= 0 && !bpf_map_get_next_key(map, NULL, &key));

	if (map >= 0)
		close(map);
	return some;
}

static bool stands_against(const char *other, const struct claim *claim)
{
	struct claim its;

	return !claim_read(other, &its) && its.netns == claim->netns && its.first &&
	       its.since < claim->since && its.first <= claim->last && claim->first <= its.last &&
	       shares_address(&its, claim) && (lock_is_taken(other) || has_flows(other));
}

bool claim_disputed(const char *instance, const struct claim *claim, char *other)
{
	DIR *dir = opendir(PIN_ROOT);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, instance))
			continue;
		found = stands_against(entry->d_name, claim);
		if (found)
			snprintf(other, NAME_MAX + 1, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}
