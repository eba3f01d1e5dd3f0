/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "../../user/daemon/ports.h"
#include "../../user/model/prefix.h"

#define SERVER_PORT htons(443)

static uint64_t used;

struct address {
	uint8_t bytes[16];
};

static struct address address(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(text, a.bytes), 0);
	return a;
}

/* Ports FIRST..LAST, from `n` addresses; none: the kernel's choice. */
static void configure(struct ports *ports, uint16_t first, uint16_t last, const char *const *from,
		      size_t n)
{
	struct port_range range = {first, last};
	struct prefix prefixes[4];
	struct prefix_list list = {.v = prefixes, .n = n, .set = n};

	for (size_t i = 0; i < n; i++)
		assert_int_equal(prefix_scan(from[i], &prefixes[i]), PREFIX_OK);
	ports_configure(ports, &range, &list);
}

static struct ports ports_of(uint16_t first, uint16_t last, const char *const *from, size_t n)
{
	struct ports ports;

	ports_init(&ports, &used);
	configure(&ports, first, last, from, n);
	return ports;
}

/* A port towards a server; 0 when there is none. */
static uint16_t take(struct ports *ports, const char *server, struct port_lease *lease)
{
	struct port_lease ignored;

	lease = lease ? lease : &ignored;
	return ports_take(ports, address(server).bytes, SERVER_PORT, lease) ? lease->port : 0;
}

static void give(struct ports *ports, const char *server, const char *from, uint16_t port)
{
	struct port_lease lease = {.port = port};

	if (from)
		memcpy(lease.address, address(from).bytes, 16);
	ports_give(ports, address(server).bytes, SERVER_PORT, &lease);
}

static struct flow_key flow(const char *server, const char *from, uint16_t port)
{
	struct flow_key key = {.source_port = SERVER_PORT, .destination_port = htons(port)};

	memcpy(key.source, address(server).bytes, 16);
	memcpy(key.destination, address(from).bytes, 16);
	return key;
}

static void a_port_that_came_back_rests_while_others_are_free(void **state)
{
	struct ports ports = ports_of(2000, 2003, NULL, 0);

	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2001);
	give(&ports, "192.0.2.1", NULL, 2000);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2002);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2003);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000);
	ports_free(&ports);
}

static void an_exhausted_range_gives_nothing_until_one_comes_back(void **state)
{
	struct ports ports = ports_of(2000, 2001, NULL, 0);

	assert_int_equal(used, 0);
	assert_int_not_equal(take(&ports, "192.0.2.1", NULL), 0);
	assert_int_equal(used, 1);
	assert_int_not_equal(take(&ports, "192.0.2.1", NULL), 0);
	assert_int_equal(used, 2);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0);
	give(&ports, "192.0.2.1", NULL, 2001);
	give(&ports, "192.0.2.1", NULL, 2001); /* twice is once */
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2001);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0);
	ports_free(&ports);
}

static void each_server_has_the_whole_range(void **state)
{
	struct ports ports = ports_of(2000, 2000, NULL, 0);
	struct port_lease lease;

	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000);
	assert_int_equal(take(&ports, "192.0.2.2", NULL), 2000);
	assert_int_equal(take(&ports, "2001:db8::1", NULL), 2000);
	assert_true(ports_take(&ports, address("192.0.2.1").bytes, htons(8443), &lease));
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0);
	ports_free(&ports);
}

static void each_address_has_the_whole_range(void **state)
{
	static const char *const from[] = {"198.51.100.1", "198.51.100.2", "2001:db8::9"};
	struct ports ports = ports_of(2000, 2000, from, 3);
	struct port_lease first, second;

	assert_int_equal(take(&ports, "192.0.2.1", &first), 2000);
	assert_memory_equal(first.address, address("198.51.100.1").bytes, 16);
	assert_int_equal(take(&ports, "192.0.2.1", &second), 2000);
	assert_memory_equal(second.address, address("198.51.100.2").bytes, 16);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0); /* not from an IPv6 address */
	assert_int_equal(take(&ports, "2001:db8::1", &second), 2000);
	assert_memory_equal(second.address, address("2001:db8::9").bytes, 16);
	ports_give(&ports, address("192.0.2.1").bytes, SERVER_PORT, &first);
	assert_int_equal(take(&ports, "192.0.2.1", &first), 2000);
	assert_memory_equal(first.address, address("198.51.100.1").bytes, 16);
	ports_free(&ports);
}

static void without_an_address_of_its_family_a_server_gets_none(void **state)
{
	static const char *const from[] = {"198.51.100.1"};
	struct ports ports = ports_of(2000, 2009, from, 1);

	assert_int_equal(take(&ports, "2001:db8::1", NULL), 0);
	ports_free(&ports);
}

static void ports_of_an_earlier_daemons_flows_are_taken(void **state)
{
	struct ports ports = ports_of(2000, 2002, NULL, 0);
	struct flow_key key = flow("192.0.2.1", "198.51.100.1", 2001);

	ports_take_flow(&ports, &key);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2002);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0);
	ports_give_flow(&ports, &key);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2001);
	ports_free(&ports);
}

static void a_flow_keeps_its_port_over_a_change_of_addresses(void **state)
{
	static const char *const from[] = {"198.51.100.1"};
	struct ports ports = ports_of(2000, 2000, from, 1);
	struct flow_key key = flow("192.0.2.1", "198.51.100.1", 2000);

	ports_take_flow(&ports, &key);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0);
	configure(&ports, 2000, 2000, NULL, 0); /* the kernel may choose the same address */
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0);
	ports_give_flow(&ports, &key);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000);
	ports_free(&ports);
}

static void a_flow_keeps_its_port_when_addresses_are_given(void **state)
{
	static const char *const from[] = {"198.51.100.1", "198.51.100.2"};
	struct ports ports = ports_of(2000, 2001, NULL, 0);
	struct port_lease early, late;
	struct flow_key key = flow("192.0.2.1", "198.51.100.1", 2000);

	assert_int_equal(take(&ports, "192.0.2.1", &early), 2000);
	assert_true(ports_settle(&ports, address("192.0.2.1").bytes, SERVER_PORT, &early,
				 address("198.51.100.1").bytes));
	assert_int_equal(take(&ports, "192.0.2.1", &late), 2001);
	configure(&ports, 2000, 2001, from, 1);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0); /* 2001 may be from there as well */
	configure(&ports, 2000, 2001, from, 2);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000); /* from the other address */
	assert_int_equal(used, 3);
	configure(&ports, 2000, 2001, from, 1);
	assert_true(ports_give_flow(&ports, &key));
	assert_false(ports_give_flow(&ports, &key));
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000);
	ports_give(&ports, address("192.0.2.1").bytes, SERVER_PORT, &late);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2001);
	ports_free(&ports);
}

static void a_flow_of_one_address_leaves_another_its_port(void **state)
{
	static const char *const from[] = {"198.51.100.1", "198.51.100.2"};
	struct ports ports = ports_of(2000, 2000, from, 2);
	struct flow_key first = flow("192.0.2.1", "198.51.100.1", 2000);
	struct flow_key second = flow("192.0.2.1", "198.51.100.2", 2000);

	assert_true(ports_take_flow(&ports, &first));
	assert_true(ports_take_flow(&ports, &second));
	configure(&ports, 2000, 2000, NULL, 0);
	assert_true(ports_give_flow(&ports, &first));
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0); /* the kernel may choose the other */
	assert_true(ports_give_flow(&ports, &second));
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000);
	ports_free(&ports);
}

static void a_changed_range_is_used_at_once(void **state)
{
	struct ports ports = ports_of(2000, 2001, NULL, 0);

	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2000);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 2001);
	configure(&ports, 3000, 3001, NULL, 0);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 3000);
	give(&ports, "192.0.2.1", NULL, 2000);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 3001);
	assert_int_equal(take(&ports, "192.0.2.1", NULL), 0);
	ports_free(&ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_came_back_rests_while_others_are_free),
		cmocka_unit_test(an_exhausted_range_gives_nothing_until_one_comes_back),
		cmocka_unit_test(each_server_has_the_whole_range),
		cmocka_unit_test(each_address_has_the_whole_range),
		cmocka_unit_test(without_an_address_of_its_family_a_server_gets_none),
		cmocka_unit_test(ports_of_an_earlier_daemons_flows_are_taken),
		cmocka_unit_test(a_flow_keeps_its_port_over_a_change_of_addresses),
		cmocka_unit_test(a_flow_keeps_its_port_when_addresses_are_given),
		cmocka_unit_test(a_flow_of_one_address_leaves_another_its_port),
		cmocka_unit_test(a_changed_range_is_used_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
