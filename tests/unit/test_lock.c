/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/kernel/lock.h"

static char instance[32];
static atomic_bool over;

static int set_up(void **state)
{
	snprintf(instance, sizeof(instance), "t-lock-%d", (int)getpid());
	return 0;
}

static int tear_down(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), RUN_ROOT "/%s/lock", instance);
	(void)unlink(path);
	snprintf(path, sizeof(path), RUN_ROOT "/%s", instance);
	(void)rmdir(path);
	return 0;
}

static void one_has_it_until_it_is_closed(void **state)
{
	int lock;

	if (geteuid())
		skip(); /* below /run */
	assert_false(lock_is_taken(instance));
	lock = lock_take(instance);
	assert_true(lock >= 0);
	assert_true(lock_is_taken(instance));
	assert_int_equal(lock_take(instance), -EBUSY);
	assert_true(lock_is_taken(instance));
	close(lock);
	assert_false(lock_is_taken(instance));
}

static void *look(void *unused)
{
	while (!over)
		(void)lock_is_taken(instance);
	return NULL;
}

static void who_looks_keeps_nobody_from_it(void **state)
{
	pthread_t looking;
	int refused = 0;

	if (geteuid())
		skip();
	assert_int_equal(pthread_create(&looking, NULL, look, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		int lock = lock_take(instance);

		refused += lock < 0;
		if (lock >= 0)
			close(lock);
	}
	over = true;
	pthread_join(looking, NULL);
	assert_int_equal(refused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_has_it_until_it_is_closed),
		cmocka_unit_test(who_looks_keeps_nobody_from_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
