/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How far a flow has come, noted by the packets that go by. CPUs do so at the same time, those at
 * XDP and those at tc.
 */
#ifndef ALPNLB_NOTE_H
#define ALPNLB_NOTE_H

#include "splice.h"

/* Nobody hits this around both numbers of a connection that he does not see. */
#define NEAR (256 * 1024)

static __always_inline bool within(__u32 number, __u32 of, __u32 distance)
{
	return number - of + distance <= 2 * distance;
}

/* Are both numbers where the flow is? */
static __always_inline bool is_near(const struct flow *flow, __u32 after, __u32 ack)
{
	return within(after, flow->base + (__u32)flow->end, NEAR) && within(ack, flow->acked, NEAR);
}

/* Notes how far the stream has come; `after` is the sequence number behind the packet. */
static __always_inline void note_end(struct flow *flow, __u32 after)
{
	__u64 before = flow->end;

	for (int i = 0; i < 2; i++) {
		__u32 more = after - flow->base - (__u32)before;
		__u64 now;

		if ((__s32)more <= 0)
			return;
		now = __sync_val_compare_and_swap(&flow->end, before, before + more);
		if (now == before)
			return;
		before = now;
	}
}

/* Notes an acknowledgement. */
static __always_inline void note_acked(struct flow *flow, __u32 ack)
{
	__u32 before = flow->acked;

	for (int i = 0; i < 2 && (__s32)(ack - before) > 0; i++) {
		__u32 now = __sync_val_compare_and_swap(&flow->acked, before, ack);

		if (now == before)
			break;
		before = now;
	}
}

/* ... and the window that came with it. */
static __always_inline void note_window(struct flow *flow, __u32 ack, __u16 window)
{
	if (ack == flow->acked) /* an earlier one's window is history */
		flow->window = (__u32)window << (flow->window_scale & 15);
}

/* Does an acknowledgement concern the peer's FIN? It may end the connection. */
static __always_inline bool acks_fin(const struct flow *flow, __u32 ack)
{
	return (flow->state & (FLOW_PEER_FIN | FLOW_FIN_ACKED)) == FLOW_PEER_FIN &&
	       (__s32)(ack - flow->peer_fin) >= 0;
}

/*
 * Keepalives and repeated packets are no use of a connection, as on the other paths. They only keep
 * one that has no timeout for this, and its end, which the peer may have to hear of again.
 */
static __always_inline bool counts_as_use(const struct flow *flow)
{
	const __u32 ends = FLOW_FIN | FLOW_FIN_ACKED;
	__u32 timeout = flow->idle_timeout;

	if (flow->state & (FLOW_FIN | FLOW_PEER_FIN))
		timeout |= flow->half_close_timeout;
	return !timeout || (flow->state & ends) == ends;
}

#endif
