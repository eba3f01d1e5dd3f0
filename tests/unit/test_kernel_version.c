/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../user/kernel/kernel_version.h"

static void assert_version(const struct kernel_version *v, unsigned int major, unsigned int minor,
			   unsigned int patch)
{
	assert_int_equal(v->major, major);
	assert_int_equal(v->minor, minor);
	assert_int_equal(v->patch, patch);
}

static void releases_are_parsed(void **state)
{
	struct kernel_version v;

	assert_int_equal(kernel_version_parse("6.18.44-fc-v445", &v), 0);
	assert_version(&v, 6, 18, 44);
	assert_int_equal(kernel_version_parse("6.16-rc1", &v), 0);
	assert_version(&v, 6, 16, 0);
	assert_int_equal(kernel_version_parse("7", &v), -EINVAL);
	assert_int_equal(kernel_version_parse("", &v), -EINVAL);
}

static void distributions_hide_the_patch_level_elsewhere(void **state)
{
	struct kernel_version v;

	assert_int_equal(kernel_version_upstream(
				 "6.1.0-37-amd64",
				 "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)", NULL, &v),
			 0);
	assert_version(&v, 6, 1, 140);
	assert_int_equal(kernel_version_upstream("5.15.0-91-generic", "#101-Ubuntu SMP",
						 "Ubuntu 5.15.0-91.101-generic 5.15.131\n", &v),
			 0);
	assert_version(&v, 5, 15, 131);
	assert_int_equal(kernel_version_upstream("6.12.9-arch1-1", "#1 SMP", NULL, &v), 0);
	assert_version(&v, 6, 12, 9);
}

static bool good(const char *release)
{
	struct kernel_version v;

	assert_int_equal(kernel_version_parse(release, &v), 0);
	return sockmap_known_good(&v);
}

static void sockmap_is_good_from_the_fix_of_each_series_on(void **state)
{
	static const char *const fixed[] = {"6.6.94", "6.12.34", "6.15.3",
					    "6.16.0", "6.18.1",	 "7.0.0"};
	static const char *const before[] = {"6.6.93", "6.12.33", "6.15.2"};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		assert_true(good(fixed[i]));
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
		assert_false(good(before[i]));
}

static void sockmap_is_bad_in_series_that_ended_before_the_fix(void **state)
{
	static const char *const never[] = {"4.19.300", "5.10.250", "5.15.186", "5.19.17",
					    "6.1.192",	"6.2.16",   "6.8.12",	"6.11.11",
					    "6.13.12",	"6.14.11"};

	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		assert_false(good(never[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases_are_parsed),
		cmocka_unit_test(distributions_hide_the_patch_level_elsewhere),
		cmocka_unit_test(sockmap_is_good_from_the_fix_of_each_series_on),
		cmocka_unit_test(sockmap_is_bad_in_series_that_ended_before_the_fix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
