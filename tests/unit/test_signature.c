/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/api/seen.h"
#include "../../user/api/signature.h"
#include "temporary.h"

#define KEY	 "7kbG7Bk7S9Nt7ZSV"
#define SECRET	 "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF"
#define CONSUMER "MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1"
#define NOW	 1366560945

/* echo -n SECRET+CONSUMER+GET+https://lb.test/1.0/ipLoadbalancing++1366560945 | sha1sum */
#define SIGNATURE                                                                                  \
	"$1$"                                                                                      \
	"f6f071372fe813522df1d86e362a014cd3f84bad"

static struct application applications[] = {
	{.name = "other", .key = "0000000000000000", .secret = SECRET, .consumer = CONSUMER},
	{.name = "guide", .key = KEY, .secret = SECRET, .consumer = CONSUMER},
};

static const struct applications list = {applications, 2};

static struct signed_request request(void)
{
	return (struct signed_request){
		.application = KEY,
		.consumer = CONSUMER,
		.timestamp = "1366560945",
		.signature = SIGNATURE,
		.method = "GET",
		.host = "lb.test",
		.target = "/1.0/ipLoadbalancing",
		.body = "",
	};
}

static const char *signer(struct signed_request signed_request)
{
	uint8_t digest[20];
	const struct application *found = signature_check(&list, &signed_request, digest);

	return found ? found->name : "nobody";
}

#define expect_signer(name, change)                                                                \
	do {                                                                                       \
		struct signed_request r = request();                                               \
		change;                                                                            \
		assert_string_equal(signer(r), name);                                              \
	} while (0)

static void a_signature_is_of_one_request(void **state)
{
	expect_signer("guide", (void)0);
	expect_signer("nobody", r.application = "7kbG7Bk7S9Nt7ZSW");
	expect_signer("nobody", r.application = "0000000000000001");
	expect_signer("nobody", r.application = KEY "x");
	expect_signer("nobody", r.application = "");
	expect_signer("nobody", r.consumer = SECRET);
	expect_signer("nobody", r.consumer = CONSUMER "x");
	expect_signer("nobody", r.timestamp = "1366560946");
	expect_signer("nobody", r.method = "PUT");
	expect_signer("nobody", r.host = "lb.tesT");
	expect_signer("nobody", r.target = "/1.0/ipLoadbalancing?");
	expect_signer("nobody", (r.body = "x", r.body_len = 1));
	expect_signer("other", r.application = "0000000000000000");
}

static void a_signature_has_one_form(void **state)
{
	expect_signer("nobody", r.signature = "");
	expect_signer("nobody", r.signature = "$1$");
	expect_signer("nobody", r.signature = SIGNATURE + 3);
	expect_signer("nobody", r.signature = SIGNATURE "0");
	expect_signer("nobody", r.signature = "$2$f6f071372fe813522df1d86e362a014cd3f84bad");
	expect_signer("nobody", r.signature = "$1$f6f071372fe813522df1d86e362a014cd3f84ba");
	expect_signer("nobody", r.signature = "$1$F6F071372FE813522DF1D86E362A014CD3F84BAD");
	expect_signer("nobody", r.signature = "$1$0000000000000000000000000000000000000000");
}

static void the_port_may_be_signed_or_not(void **state)
{
	expect_signer("guide", r.host = "lb.test:8443");
	expect_signer("guide", r.host = "lb.test:443");
	expect_signer("nobody", r.host = "lb.test:8443:1");
	/* as with https://lb.test:443/... */
	expect_signer("guide", r.signature = "$1$"
					     "b625fb0b791cdbf3330721be18a3d3451495b4bf");
	expect_signer("nobody", (r.host = "lb.test:8443",
				 r.signature = "$1$"
					       "b625fb0b791cdbf3330721be18a3d3451495b4bf"));
	expect_signer("guide",
		      (r.target = "https://lb.test/1.0/ipLoadbalancing", r.host = "elsewhere"));
}

/* ---- replays ---------------------------------------------------------------------------- */

static char path[PATH_MAX];

static int open_seen(void **state)
{
	static struct seen seen;

	if (temporary_make())
		return -1;
	snprintf(path, sizeof(path), "%s/seen", temporary_directory);
	*state = &seen;
	return seen_open(&seen, path);
}

static int close_seen(void **state)
{
	seen_close(*state);
	unlink(path);
	return rmdir(temporary_directory);
}

/* All in one place of the table. */
static const uint8_t *digest(uint16_t n)
{
	static uint8_t bytes[20];

	memcpy(&bytes[6], &n, sizeof(n));
	return bytes;
}

static void a_digest_is_new_once(void **state)
{
	assert_int_equal(seen_add(*state, digest(1), NOW, NOW), SEEN_NEW);
	assert_int_equal(seen_add(*state, digest(1), NOW, NOW + 1), SEEN_BEFORE);
	assert_int_equal(seen_add(*state, digest(1), NOW, NOW + SEEN_SECONDS), SEEN_BEFORE);
	assert_int_equal(seen_add(*state, digest(2), NOW, NOW), SEEN_NEW);
}

static void it_is_remembered_in_the_file(void **state)
{
	assert_int_equal(seen_add(*state, digest(1), NOW, NOW), SEEN_NEW);
	seen_close(*state);
	assert_int_equal(0, seen_open(*state, path));
	assert_int_equal(seen_add(*state, digest(1), NOW, NOW), SEEN_BEFORE);
}

static void expect_after_resize(struct seen *seen, off_t size, enum seen_verdict verdict)
{
	seen_close(seen);
	assert_int_equal(0, truncate(path, size));
	assert_int_equal(0, seen_open(seen, path));
	assert_int_equal(seen_add(seen, digest(1), NOW, NOW), verdict);
}

static void a_file_that_was_cut_is_filled_again(void **state)
{
	assert_int_equal(0, truncate(path, 0));
	assert_int_equal(seen_add(*state, digest(1), NOW, NOW), SEEN_NEW);
	assert_int_equal(seen_add(*state, digest(1), NOW, NOW), SEEN_BEFORE);
	expect_after_resize(*state, 8 << 20, SEEN_BEFORE);
	expect_after_resize(*state, 5, SEEN_NEW);
	expect_after_resize(*state, 0, SEEN_NEW);
}

static void what_is_no_entry_takes_no_room(void **state)
{
	char noise[64 * 16];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	seen_close(*state);
	memset(noise, 0x7f, sizeof(noise));
	assert_int_equal(pwrite(fd, noise, sizeof(noise), 0), sizeof(noise));
	close(fd);
	assert_int_equal(0, seen_open(*state, path));
	assert_int_equal(seen_add(*state, digest(0), NOW, NOW), SEEN_NEW);
}

static void what_finds_no_room_is_not_let_through(void **state)
{
	for (uint16_t n = 0; n < 64; n++)
		assert_int_equal(seen_add(*state, digest(n), NOW + n % 2, NOW), SEEN_NEW);
	assert_int_equal(seen_add(*state, digest(64), NOW, NOW), SEEN_FULL);
	assert_int_equal(seen_add(*state, digest(64), NOW + 9, NOW + SEEN_SECONDS), SEEN_FULL);
	for (uint16_t n = 64; n < 96; n++)
		assert_int_equal(seen_add(*state, digest(n), NOW + 9, NOW + SEEN_SECONDS + 1),
				 SEEN_NEW);
	assert_int_equal(seen_add(*state, digest(96), NOW + 9, NOW + SEEN_SECONDS + 1), SEEN_FULL);
	assert_int_equal(seen_add(*state, digest(63), NOW + 1, NOW + SEEN_SECONDS + 1),
			 SEEN_BEFORE);
}

#define SEEN(name) cmocka_unit_test_setup_teardown(name, open_seen, close_seen)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_is_of_one_request),
		cmocka_unit_test(a_signature_has_one_form),
		cmocka_unit_test(the_port_may_be_signed_or_not),
		SEEN(a_digest_is_new_once),
		SEEN(it_is_remembered_in_the_file),
		SEEN(a_file_that_was_cut_is_filled_again),
		SEEN(what_is_no_entry_takes_no_room),
		SEEN(what_finds_no_room_is_not_let_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
