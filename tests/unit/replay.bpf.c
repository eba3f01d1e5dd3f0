// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The parser and the evaluator of the verdict program where BPF_PROG_TEST_RUN can reach them:
 * a tc program over the same functions and, once the test has it reuse them, the same maps.
 * Segment by segment, connection 1 goes the way that classify_hello() takes it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

/* A test packet has an Ethernet header in front of what a client sends. */
#define bpf_skb_load_bytes(skb, offset, to, len)                                                   \
	bpf_skb_load_bytes(skb, ETH_HLEN + (offset), to, len)

#include "../../bpf/classify.bpf.c"

static __always_inline int replay_segment(struct __sk_buff *skb, struct conn *conn)
{
	struct hello *hello = &conn->hello;
	/* Masked, or the verifier ties it to skb->len and meets more states than it can hold. */
	__u32 len = (skb->len - ETH_HLEN) & 0xffff;

	if (hello_feed(hello, skb, len) == VERDICT_NEED_MORE)
		return VERDICT_NEED_MORE;
	conn->state = CONN_DECIDED;
	if ((hello->verdict == VERDICT_TLS && hello->flags & HELLO_ALPN_CUT) || !route(conn))
		conn->state = CONN_ASK;
	return hello->verdict;
}

/* The next segment of connection 1; returns the verdict so far. */
SEC("tc")
int replay(struct __sk_buff *skb)
{
	struct conn *conn;
	__u32 slot = 1;

	conn = bpf_map_lookup_elem(&conns, &slot);
	return conn ? replay_segment(skb, conn) : -1;
}

/* A whole hello of a connection that has sent nothing yet, as often as it is repeated. */
SEC("tc")
int replay_whole(struct __sk_buff *skb)
{
	struct conn *conn;
	__u32 slot = 1;

	conn = bpf_map_lookup_elem(&conns, &slot);
	if (!conn)
		return -1;
	__builtin_memset(&conn->hello, 0, sizeof(conn->hello));
	return replay_segment(skb, conn);
}
