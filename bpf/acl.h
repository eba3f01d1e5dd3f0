/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The acl in the kernel: its maps, shared by the programs that look at new clients.
 */
#ifndef ALPNLB_BPF_ACL_H
#define ALPNLB_BPF_ACL_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "door.h"
#include "portable.h"

#define NESTED_BANS 8 /* blocks around one that has expired */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct door_control);
} door_control SEC(".maps");

#define ACL(name, key_type)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                               \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(max_entries, DOOR_PREFIXES);                                                \
		__type(key, key_type);                                                             \
		__type(value, struct door_ban);                                                    \
	} name SEC(".maps")

ACL(acl4, struct door_prefix4);
ACL(acl6, struct door_prefix6);

/* A block that has expired may stand within one that has not. */
#define BANNED(trie, key)                                                                          \
	({                                                                                         \
		bool banned = false;                                                               \
		for (int i = 0; i < NESTED_BANS; i++) {                                            \
			const struct door_ban *ban = bpf_map_lookup_elem(trie, key);               \
			if (!ban)                                                                  \
				break;                                                             \
			banned = !ban->until || ban->until > bpf_ktime_get_ns();                   \
			if (banned || ban->length <= DOOR_FRONTEND_BITS)                           \
				break;                                                             \
			(key)->length = ban->length - 1;                                           \
		}                                                                                  \
		banned;                                                                            \
	})

static __always_inline bool is_banned_from(const __u8 *source, bool v4, __u32 frontend_id)
{
	if (v4) {
		struct door_prefix4 key = {.length = DOOR_FRONTEND_BITS + 32,
					   .frontend_id = frontend_id};

		__builtin_memcpy(&key.address, source + 12, 4);
		return BANNED(&acl4, &key);
	} else {
		struct door_prefix6 key = {.length = DOOR_FRONTEND_BITS + 128,
					   .frontend_id = frontend_id};

		__builtin_memcpy(key.address, source, 16);
		return BANNED(&acl6, &key);
	}
}

/* Is the address (IPv6, or IPv4 mapped) banned from the frontend, or from all? */
static __always_inline bool is_banned(const struct door_control *control, const __u8 *source,
				      bool v4, __u32 frontend_id)
{
	return control->bans &&
	       (is_banned_from(source, v4, frontend_id) || is_banned_from(source, v4, 0));
}

#endif
