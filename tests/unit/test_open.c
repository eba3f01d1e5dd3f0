// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Cookies of connections that the packet path opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../bpf/open.h"

static const __u64 secret[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static struct flow_key some_key(void)
{
	struct flow_key key = {
		.source = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
		.destination = {[10] = 0xff, [11] = 0xff, 198, 51, 100, 1},
		.source_port = 0x1234,
		.destination_port = 0x4321,
	};

	return key;
}

/* The paper's reference implementation has these for 0 and 8 bytes 0, 1, 2... */
static void siphash_is_that_of_the_paper(void **state)
{
	const __u64 word = 0x0706050403020100;

	assert_true(siphash(secret, NULL, 0) == 0x726fdb47dd0e0e31);
	assert_true(siphash(secret, &word, 1) == 0x93f5f5799a932462);
}

static void a_cookie_tells_the_options(void **state)
{
	static const struct {
		__u32 mss, told;
	} sizes[] = {{536, 536},   {1219, 536},	 {1220, 1220}, {1439, 1400},
		     {1460, 1460}, {1500, 1460}, {8960, 8940}, {65495, 32768}};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (__u32 scale = 0; scale <= SCALE_NONE; scale++)
			for (int sack = 0; sack < 2; sack++) {
				__u32 options = cookie_options(sizes[i].mss, scale, sack);

				assert_int_equal(cookie_mss(options), sizes[i].told);
				assert_int_equal(cookie_scale(options), scale);
				assert_int_equal(cookie_sack(options), sack);
			}
}

static void a_cookie_is_valid_for_two_slots(void **state)
{
	const struct flow_key key = some_key();
	__u32 cookie = cookie_make(secret, &key, 7, cookie_options(1460, 7, true), 100);

	assert_int_equal(cookie_look(secret, &key, 8, cookie, 99), COOKIE_NONE);
	assert_int_equal(cookie_look(secret, &key, 8, cookie, 100), COOKIE_FIRST);
	assert_int_equal(cookie_look(secret, &key, 8, cookie, 101), COOKIE_FIRST);
	assert_int_equal(cookie_look(secret, &key, 8, cookie, 102), COOKIE_NONE);
}

static void a_cookie_tells_the_first_byte_from_later_ones(void **state)
{
	const struct flow_key key = some_key();
	const __u32 syn = 0xfffffff0;
	__u32 cookie = cookie_make(secret, &key, syn, cookie_options(1460, 7, true), 100);

	assert_int_equal(cookie_look(secret, &key, syn + 1, cookie, 100), COOKIE_FIRST);
	for (__u32 later = 1; later <= OPENING_WINDOW; later++)
		assert_int_equal(cookie_look(secret, &key, syn + 1 + later, cookie, 101),
				 COOKIE_LATER);
	assert_int_equal(cookie_look(secret, &key, syn, cookie, 100), COOKIE_NONE);
	assert_int_equal(cookie_look(secret, &key, syn + 2 + OPENING_WINDOW, cookie, 100),
			 COOKIE_NONE);
}

static void a_cookie_is_of_one_secret_and_connection(void **state)
{
	const __u64 other_secret[2] = {secret[0], secret[1] + 1};
	const struct flow_key key = some_key();
	__u32 cookie = cookie_make(secret, &key, 7, cookie_options(1460, 7, true), 100);

	assert_int_not_equal(cookie_look(other_secret, &key, 8, cookie, 100), COOKIE_FIRST);
	for (size_t i = 0; i < sizeof(key); i++) {
		struct flow_key other = key;

		((__u8 *)&other)[i] ^= 1;
		assert_int_not_equal(cookie_look(secret, &other, 8, cookie, 100), COOKIE_FIRST);
	}
	for (int bit = 0; bit < 32; bit++)
		assert_int_not_equal(cookie_look(secret, &key, 8, cookie ^ 1u << bit, 100),
				     COOKIE_FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_is_that_of_the_paper),
		cmocka_unit_test(a_cookie_tells_the_options),
		cmocka_unit_test(a_cookie_is_valid_for_two_slots),
		cmocka_unit_test(a_cookie_tells_the_first_byte_from_later_ones),
		cmocka_unit_test(a_cookie_is_of_one_secret_and_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
