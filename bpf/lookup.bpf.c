// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Steers new connections to frontends with many addresses and ports, none of which is bound, to
 * the frontend's listeners. It comes before the kernel's own look for a listener, and leaves to
 * it whatever it does not know.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "steer.h"

#define AF_INET6 10

/* What is in force, replaced as a whole. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_LPM_TRIE);
			__uint(map_flags, BPF_F_NO_PREALLOC);
			__uint(max_entries, 1);
			__uint(key_size, sizeof(struct steer_key));
			__uint(value_size, sizeof(__u32)); /* STEER_GROUP */
		});
} endpoints SEC(".maps");

/* Has no program of its own: what such listeners accept would inherit it. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, STEER_GROUPS);
	__type(key, __u32);
	__type(value, __u64);
} listeners SEC(".maps");

static __always_inline void *any_address(struct steer_key *key, bool v6)
{
	__builtin_memset(key->address, 0, sizeof(key->address));
	if (!v6)
		key->address[10] = key->address[11] = 0xff;
	return key;
}

static __always_inline void make_key(struct bpf_sk_lookup *ctx, struct steer_key *key, bool v6)
{
	__u32 words[4] = {ctx->local_ip6[0], ctx->local_ip6[1], ctx->local_ip6[2],
			  ctx->local_ip6[3]};

	key->length = STEER_FULL;
	key->port = bpf_htons(ctx->local_port);
	any_address(key, v6);
	if (v6) {
		__builtin_memcpy(key->address, words, sizeof(words));
	} else {
		words[0] = ctx->local_ip4;
		__builtin_memcpy(key->address + 12, words, 4);
	}
}

SEC("sk_lookup")
int steer(struct bpf_sk_lookup *ctx)
{
	bool v6 = ctx->family == AF_INET6;
	struct steer_key key = {};
	struct bpf_sock *listener;
	__u32 zero = 0, group, *found;
	void *table = bpf_map_lookup_elem(&endpoints, &zero);

	if (!table || ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	make_key(ctx, &key, v6);
	found = bpf_map_lookup_elem(table, &key);
	if (!found)
		found = bpf_map_lookup_elem(table, any_address(&key, v6));
	if (!found)
		return SK_PASS;
	group = *found;
	listener = bpf_map_lookup_elem(&listeners, &group);
	if (!listener)
		return SK_PASS;
	/* Fails where a program before this one has chosen already. */
	bpf_sk_assign(ctx, listener, 0);
	bpf_sk_release(listener);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
