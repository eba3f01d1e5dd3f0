// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* When a spliced connection's entries may be forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../bpf/flow.h"

#define SECOND 1000000000ULL

/* The client's entry and the server's, seen at so many seconds. */
static struct flow entry(uint64_t seen)
{
	return (struct flow){.constant = FLOW_TIMESTAMPS, .seen = seen * SECOND};
}

static uint64_t expires(const struct flow *flow, const struct flow *peer)
{
	uint64_t time = flow_expires(flow, peer);

	assert_int_equal(flow_expires(peer, flow), time);
	/* One of the two brings the sweep here in time. */
	assert_true(flow_expires_not_before(flow) <= time || flow_expires_not_before(peer) <= time);
	return time / SECOND;
}

static void test_open_and_ended(void **state)
{
	struct flow client = entry(100), server = entry(110);

	assert_int_equal(expires(&client, &server), 110 + 5 * 86400);
	server.state |= FLOW_FIN;
	client.half_close_timeout = server.half_close_timeout = 3600;
	assert_int_equal(expires(&client, &server), 110 + 3600);
	server.state |= FLOW_FIN_ACKED;
	client.state |= FLOW_FIN_ACKED;
	assert_int_equal(expires(&client, &server), 110 + 2);
}

static void test_reset(void **state)
{
	struct flow client = entry(100), server = entry(100);

	client.reset = 110 * SECOND;
	server.state |= FLOW_GOT_RESET;
	assert_int_equal(expires(&client, &server), 110 + 2);
}

/* The server's packet crossed the client's RST, and the RST that answered it was lost. */
static void test_reset_taken_back(void **state)
{
	struct flow client = entry(100), server = entry(111);

	client.reset = 110 * SECOND;
	assert_int_equal(expires(&client, &server), 111 + 60);
	client.idle_timeout = server.idle_timeout = 3600 * 1000;
	assert_int_equal(expires(&client, &server), 111 + 60);
	client.idle_timeout = server.idle_timeout = 10 * 1000;
	assert_int_equal(expires(&client, &server), 111 + 10);
}

/* It was somebody else's: the client goes on. */
static void test_spurious_reset(void **state)
{
	struct flow client = entry(112), server = entry(111);

	client.reset = 110 * SECOND;
	assert_int_equal(expires(&client, &server), 112 + 5 * 86400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_and_ended),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_taken_back),
		cmocka_unit_test(test_spurious_reset),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
