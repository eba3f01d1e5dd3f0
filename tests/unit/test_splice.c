// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What becomes of the TCP options of a spliced connection's packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../bpf/options.h"

static const struct flow flow = {
	.ack_delta = 0x100,
	.tsval_delta = 0x10,
	.tsecr_delta = 0x20,
};

/* Both translations, as the program tries them: `readable` bytes are in the packet's linear part.
 */
static void translate(uint8_t *bytes, size_t len, size_t readable)
{
	struct options o = {.flow = &flow, .len = len};
	_Alignas(__be32) uint8_t linear[TCP_OPTIONS_MAX + 8] = {0};
	__u64 sum = 0;

	memcpy(linear, bytes, len);
	if (translate_options((__be32 *)linear, len, linear + readable, &flow, &sum)) {
		memcpy(bytes, linear, len);
		for (size_t i = len; i < sizeof(linear); i++)
			assert_int_equal(linear[i], 0);
		return;
	}
	assert_memory_equal(linear, bytes, len);
	memcpy(o.bytes, bytes, len);
	LOOP(TCP_OPTIONS_MAX, option_step, &o);
	memcpy(bytes, o.bytes, len);
}

/* By either way, and wherever the linear part ends. */
static void expect(const void *bytes, const void *translated, size_t len)
{
	for (size_t readable = 0; readable <= len; readable++) {
		uint8_t copy[TCP_OPTIONS_MAX];

		memcpy(copy, bytes, len);
		translate(copy, len, readable);
		assert_memory_equal(copy, translated, len);
	}
}

#define TIMESTAMPS   "\1\1\10\12\0\0\0\1\0\0\0\2"
#define TIMESTAMPS_T "\1\1\10\12\0\0\0\21\0\0\0\42"
#define BLOCK	     "\0\0\0\1\0\0\0\2"
#define BLOCK_T	     "\0\0\1\1\0\0\1\2"

static void timestamps_and_blocks_are_translated(void **state)
{
	expect(TIMESTAMPS, TIMESTAMPS_T, 12);
	expect("\1\1\5\12" BLOCK, "\1\1\5\12" BLOCK_T, 12);
	expect(TIMESTAMPS "\1\1\5\32" BLOCK BLOCK BLOCK,
	       TIMESTAMPS_T "\1\1\5\32" BLOCK_T BLOCK_T BLOCK_T, 40);
}

static void an_unusual_order_makes_no_difference(void **state)
{
	expect("\5\12" BLOCK "\10\12\0\0\0\1\0\0\0\2", "\5\12" BLOCK_T "\10\12\0\0\0\21\0\0\0\42",
	       20);
}

/* RFC 7323 section 3.2 */
static void an_echo_of_nothing_stays(void **state)
{
	expect("\1\1\10\12\0\0\0\1\0\0\0\0", "\1\1\10\12\0\0\0\21\0\0\0\0", 12);
	expect("\10\12\0\0\0\1\0\0\0\0\1\1", "\10\12\0\0\0\21\0\0\0\0\1\1", 12);
}

/* Bytes behind the options are the packet's data. */
static void half_a_block_ends_with_the_options(void **state)
{
	uint8_t bytes[] = "\1\1\5\6\0\0\0\1";

	translate(bytes, 8, 16);
	assert_memory_equal(bytes, "\1\1\5\6\0\0\1\1", 8);
}

static void options_left_out_become_padding(void **state)
{
	struct options o = {.len = 16, .without = SYN_WITHOUT_TIMESTAMPS | SYN_WITHOUT_SACK};

	memcpy(o.bytes, "\2\4\5\264\4\2\10\12\0\0\0\1\0\0\0\0", 16);
	LOOP(TCP_OPTIONS_MAX, strip_step, &o);
	assert_memory_equal(o.bytes, "\2\4\5\264\1\1\1\1\1\1\1\1\1\1\1\1", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timestamps_and_blocks_are_translated),
		cmocka_unit_test(an_unusual_order_makes_no_difference),
		cmocka_unit_test(an_echo_of_nothing_stays),
		cmocka_unit_test(half_a_block_ends_with_the_options),
		cmocka_unit_test(options_left_out_become_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
