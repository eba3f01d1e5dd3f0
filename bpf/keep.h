/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a flow keeps of the hello that decided on it. */
#ifndef ALPNLB_KEEP_H
#define ALPNLB_KEEP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* as `flows` */
	__type(key, struct flow_key);
	__type(value, struct flow_hello);
} hellos SEC(".maps");

struct keeping {
	struct flow_hello kept;
	const struct hello *hello;
};

/* A byte of the ALPN names; 1 = done. */
static long keep_step(__u32 index, void *context)
{
	struct keeping *keeping = context;
	__u32 at = keeping->kept.sni_len + index;

	OPAQUE(at);
	if (index >= keeping->kept.alpn_len || index >= FLOW_HELLO_TEXT || at >= FLOW_HELLO_TEXT)
		return 1;
	keeping->kept.text[at] = keeping->hello->alpn[index];
	return 0;
}

static __always_inline void keep_client(__u8 *text, const struct conn *conn)
{
	__builtin_memcpy(text, conn->client, sizeof(conn->client));
	__builtin_memcpy(text + sizeof(conn->client), &conn->client_port,
			 sizeof(conn->client_port));
}

/* `keeping` is zero. */
static __always_inline void hello_keep(struct keeping *keeping, const struct conn *conn)
{
	const struct hello *hello = &conn->hello;
	struct flow_hello *kept = &keeping->kept;
	__u32 room;

	keeping->hello = hello;
	kept->verdict = hello->verdict;
	kept->proxied = !!conn->via_port;
	room = FLOW_HELLO_TEXT - (kept->proxied ? FLOW_HELLO_CLIENT : 0);
	kept->sni_len = MIN(hello->sni_len, room - MIN(hello->alpn_len, FLOW_HELLO_ALPN));
	kept->alpn_len = MIN(hello->alpn_len, room - kept->sni_len);
	kept->flags = hello->flags | (kept->sni_len < hello->sni_len ? HELLO_SNI_CUT : 0) |
		      (kept->alpn_len < hello->alpn_len ? HELLO_ALPN_CUT : 0);
	__builtin_memcpy(kept->text, hello->sni, FLOW_HELLO_TEXT);
	LOOP(FLOW_HELLO_TEXT, keep_step, keeping);
	if (kept->proxied)
		keep_client(kept->text + FLOW_HELLO_TEXT - FLOW_HELLO_CLIENT, conn);
}

#endif
