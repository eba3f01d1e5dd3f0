/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/daemon/file_replace.h"
#include "temporary.h"

#define KILLS 60
#define SIZE  300000

static char path[PATH_MAX], temporary[PATH_MAX]; /* the second: what file_replace() writes first */

static int make_directory(void **unused)
{
	if (temporary_make())
		return -1;
	snprintf(path, sizeof(path), "%s/file", temporary_directory);
	snprintf(temporary, sizeof(temporary), "%s/file.new", temporary_directory);
	return 0;
}

/* A test that failed may have left any of them, and a directory for a file. */
static int remove_directory(void **unused)
{
	remove(temporary);
	remove(path);
	return rmdir(temporary_directory);
}

static size_t read_file(char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, size);

	assert_true(fd >= 0 && n >= 0);
	close(fd);
	return n;
}

static void a_file_is_made_and_replaced(void **unused)
{
	char buf[16];
	struct stat st;

	assert_int_equal(0, file_replace(path, "long", 4, 0600));
	assert_int_equal(0, file_replace(path, "new", 3, 0640));
	assert_int_equal(3, read_file(buf, sizeof(buf)));
	assert_memory_equal(buf, "new", 3);
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(0640, st.st_mode & 0777);
}

static void a_failure_leaves_the_old_one(void **unused)
{
	char buf[16];

	assert_int_equal(0, file_replace(path, "old", 3, 0600));
	assert_int_equal(0, mkdir(temporary, 0700));
	assert_int_equal(-EISDIR, file_replace(path, "new", 3, 0600));
	assert_int_equal(3, read_file(buf, sizeof(buf)));
	assert_memory_equal(buf, "old", 3);
	assert_int_equal(0, rmdir(temporary));
	snprintf(temporary, sizeof(temporary), "%s/no/directory", temporary_directory);
	assert_int_equal(-ENOENT, file_replace(temporary, "", 0, 0600));
}

static void replace_for_ever(void)
{
	static char bytes[SIZE];

	for (char fill = 'a';; fill = fill == 'z' ? 'a' : fill + 1) {
		memset(bytes, fill, sizeof(bytes));
		file_replace(path, bytes, sizeof(bytes), 0600);
	}
}

static void whoever_is_killed_leaves_a_whole_file(void **unused)
{
	static char bytes[SIZE + 1];

	for (int i = 0; i < KILLS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0); /* or everybody would be killed */
		if (!pid)
			replace_for_ever();
		usleep(i * 300);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (access(path, F_OK))
			continue;
		assert_int_equal(SIZE, read_file(bytes, sizeof(bytes)));
		for (size_t j = 1; j < SIZE; j++)
			if (bytes[j] != bytes[0])
				fail_msg("a mix of two files after kill %d", i);
	}
	assert_int_equal(0, access(path, F_OK));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_made_and_replaced),
		TEST(a_failure_leaves_the_old_one),
		TEST(whoever_is_killed_leaves_a_whole_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
