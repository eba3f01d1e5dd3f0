// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a leg has received, told by its socket: real ones, over the loopback interface. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/daemon/half.h"

struct pair {
	int leg, peer;
};

static struct pair connected(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct pair pair = {.peer = socket(AF_INET, SOCK_STREAM, 0)};

	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(pair.peer, (struct sockaddr *)&address, size), 0);
	pair.leg = accept(listener, NULL, NULL);
	assert_true(pair.leg >= 0);
	close(listener);
	return pair;
}

static void await(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
}

static void received_is(const struct pair *pair, uint64_t wanted)
{
	uint64_t bytes;

	assert_int_equal(leg_received(pair->leg, &bytes), 0);
	assert_int_equal(bytes, wanted);
}

static void close_pair(const struct pair *pair)
{
	close(pair->leg);
	close(pair->peer);
}

static void bytes_are_counted_and_the_fin_is_none(void **state)
{
	struct pair pair = connected();

	received_is(&pair, 0);
	assert_int_equal(send(pair.peer, "hello", 5, 0), 5);
	await(pair.leg, POLLIN);
	received_is(&pair, 5);
	shutdown(pair.peer, SHUT_WR);
	await(pair.leg, POLLRDHUP);
	received_is(&pair, 5);
	close_pair(&pair);
}

static void nor_is_it_behind_an_empty_stream(void **state)
{
	struct pair pair = connected();

	shutdown(pair.peer, SHUT_WR);
	await(pair.leg, POLLRDHUP);
	received_is(&pair, 0);
	close_pair(&pair);
}

/* The socket is in TCP_CLOSE then: TIME_WAIT is not its own. */
static void nor_when_the_leg_had_ended_first(void **state)
{
	struct pair pair = connected();

	shutdown(pair.leg, SHUT_WR);
	await(pair.peer, POLLRDHUP);
	assert_int_equal(send(pair.peer, "hello", 5, 0), 5);
	await(pair.leg, POLLIN);
	received_is(&pair, 5);
	shutdown(pair.peer, SHUT_WR);
	await(pair.leg, POLLHUP);
	received_is(&pair, 5);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_counted_and_the_fin_is_none),
		cmocka_unit_test(nor_is_it_behind_an_empty_stream),
		cmocka_unit_test(nor_when_the_leg_had_ended_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
