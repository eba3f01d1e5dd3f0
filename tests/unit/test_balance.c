// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How connections are spread over the servers of a farm: by weight, whoever comes and goes, and
 * never more than a server may have.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../user/kernel/clock.h"
#include "../../user/model/decode.h"
#include "balance_memory.h"
#include "choose.h"

#define SERVERS 5
#define FARM	1

/* Farm 1 with servers 10.0.0.1 to .n of ids 1 to n: attributes[i] are those of server i + 1. */
static void farm_of(struct tables *tables, const char *balance, const char *const *attributes,
		    size_t n)
{
	struct problems problems = {0};
	struct document *document;
	struct config *config;
	char *text;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	memset(farm_stats, 0, sizeof(farm_stats));
	memset(server_stats, 0, sizeof(server_stats));
	memset(health, 0, sizeof(health));
	fprintf(file, "farms: [{id: 1, name: f, port: 80, balance: %s, servers: [", balance);
	for (size_t i = 0; i < n; i++)
		fprintf(file, "{id: %zu, name: s%zu, address: 10.0.0.%zu, %s},", i + 1, i + 1,
			i + 1, attributes[i]);
	fprintf(file, "]}]\nfrontends: [{name: web, port: 443, default_farm: f}]\n");
	fclose(file);
	document = document_parse(text, len, &problems);
	free(text);
	config = document ? config_decode(document, &problems) : NULL;
	if (problems.errors)
		print_error("%s\n", problems.v[0].message);
	assert_non_null(config);
	assert_int_equal(config_assign_ids(config, NULL, NULL), 0);
	memset(tables, 0, sizeof(*tables));
	assert_int_equal(tables_compile(config, tables), 0);
	config_free(config);
	document_free(document);
	problems_free(&problems);
}

/* For client number `client`. */
static uint32_t choose(const struct tables *tables, uint32_t client)
{
	uint8_t source[16] = {0x20, 1, 0xd, 0xb8};

	memcpy(source + 12, &client, sizeof(client));
	return choose_server(tables, &stats, FARM, source, NULL, 0);
}

static void leave(uint32_t server)
{
	__atomic_fetch_sub(&server_stats[server].live, 1, __ATOMIC_RELAXED);
}

/* ---- distribution ------------------------------------------------------------------------ */

static const char *const weighted[SERVERS] = {"weight: 1", "weight: 2", "weight: 3", "weight: 10",
					      "weight: 0"};
static const unsigned int weights[SERVERS] = {1, 2, 3, 10, 0};
#define WEIGHTS 16

/* Chi-square of counts against the weights; 3 degrees of freedom: 21.1 in one of 10,000 cases. */
#define CHI_SQUARE_MAX 21.1

static void assert_by_weight(const char *balance, const unsigned int *counts, unsigned int n)
{
	double sum = 0;

	assert_int_equal(counts[SERVERS - 1], 0);
	for (size_t i = 0; i + 1 < SERVERS; i++) {
		double expected = (double)n * weights[i] / WEIGHTS;

		sum += (counts[i] - expected) * (counts[i] - expected) / expected;
	}
	if (sum >= CHI_SQUARE_MAX)
		print_error("%s: chi-square %f\n", balance, sum);
	assert_true(sum < CHI_SQUARE_MAX);
}

#define CHOICES 100000
#define AT_ONCE 400

/* Connections of which the oldest leaves when another one comes, as it would if all last alike. */
static void connections_are_spread_by_weight(void **state)
{
	static const char *const balances[] = {"roundrobin", "random", "leastconn", "source",
					       "maglev"};
	static uint32_t servers[AT_ONCE];

	for (size_t b = 0; b < sizeof(balances) / sizeof(*balances); b++) {
		unsigned int counts[SERVERS] = {0};
		struct tables tables;

		farm_of(&tables, balances[b], weighted, SERVERS);
		for (uint32_t i = 0; i < CHOICES; i++) {
			uint32_t *server = &servers[i % AT_ONCE];

			if (i >= AT_ONCE)
				leave(*server);
			*server = choose(&tables, i);
			assert_in_range(*server, 1, SERVERS);
			counts[*server - 1]++;
		}
		assert_by_weight(balances[b], counts, CHOICES);
		tables_free(&tables);
	}
}

/* What leastconn is for: who keeps connections for longer gets fewer of them. */
static void leastconn_keeps_the_live_ones_even(void **state)
{
	static const char *const alike[3] = {"weight: 1", "weight: 1", "weight: 2"};
	struct tables tables;

	farm_of(&tables, "leastconn", alike, 3);
	for (uint32_t i = 0; i < 10000; i++) {
		uint32_t server = choose(&tables, i);

		if (server != 1 && i % 3)
			leave(server); /* at once */
	}
	assert_in_range(server_stats[2].live + 1, server_stats[1].live, server_stats[1].live + 2);
	assert_in_range(server_stats[3].live + 2, 2 * server_stats[1].live,
			2 * server_stats[1].live + 4);
	tables_free(&tables);
}

/* ---- disruption -------------------------------------------------------------------------- */

#define CLIENTS 20000
#define MOST	250 /* servers */

static const unsigned int sizes[] = {2, 3, 10, 11, 100, MOST};
static const char *any[MOST];

static int fill_any(void **state)
{
	for (size_t i = 0; i < MOST; i++)
		any[i] = "weight: 1";
	return 0;
}

static void assert_few_moved(const uint16_t *before, const uint16_t *after, unsigned int n)
{
	unsigned int moved = 0;

	for (unsigned int i = 0; i < CLIENTS; i++)
		moved += before[i] != after[i];
	assert_in_range(moved, 1, CLIENTS / n + CLIENTS / 50); /* 1/n and 2 % */
}

static void serve_all(const struct tables *tables, uint16_t *serves)
{
	for (unsigned int i = 0; i < CLIENTS; i++) {
		serves[i] = choose(tables, i);
		assert_int_not_equal(serves[i], 0);
	}
}

static void few_clients_move_when_one_is_down(const char *balance, unsigned int n)
{
	static uint16_t before[CLIENTS], down[CLIENTS], back[CLIENTS];
	struct tables tables;

	farm_of(&tables, balance, any, n);
	serve_all(&tables, before);
	health[n].state = SERVER_DOWN;
	serve_all(&tables, down);
	assert_few_moved(before, down, n);
	health[n].state = SERVER_UP;
	serve_all(&tables, back);
	assert_memory_equal(back, before, sizeof(before));
	tables_free(&tables);
}

static void few_clients_move_when_a_server_is_down_and_come_back(void **state)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		few_clients_move_when_one_is_down("source", sizes[i]);
		few_clients_move_when_one_is_down("maglev", sizes[i]);
	}
}

/* With server n / 3 + 1 like this. */
static void serve_all_with(const char *balance, unsigned int n, const char *attributes,
			   uint16_t *serves)
{
	const char *changed[MOST];
	struct tables tables;

	memcpy(changed, any, sizeof(any));
	changed[n / 3] = attributes;
	farm_of(&tables, balance, changed, n);
	serve_all(&tables, serves);
	tables_free(&tables);
}

/* Of the last server and, with the ids kept, of one that stops to be used, or gets another weight.
 */
static void few_clients_move_when_one_changes(const char *balance, unsigned int n)
{
	static uint16_t before[CLIENTS], after[CLIENTS];

	serve_all_with(balance, n, any[0], before);
	serve_all_with(balance, n - 1, any[0], after);
	assert_few_moved(before, after, n);
	serve_all_with(balance, n, "status: drain", after);
	assert_few_moved(before, after, n);
	serve_all_with(balance, n, "weight: 2", after);
	assert_few_moved(before, after, n);
}

static void few_clients_move_when_servers_come_and_go_or_weigh_more(void **state)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		few_clients_move_when_one_changes("source", sizes[i]);
		few_clients_move_when_one_changes("maglev", sizes[i]);
	}
}

/* ---- max_connections --------------------------------------------------------------------- */

static struct tables limited;
static unsigned int most[SERVERS + 1];

static void *take_and_leave(void *context)
{
	unsigned int *got = context;

	for (uint32_t i = 0; i < 50000; i++) {
		uint32_t server = choose(&limited, i);

		if (!server)
			continue;
		++*got;
		if (__atomic_add_fetch(&most[server], 1, __ATOMIC_SEQ_CST) > server)
			abort(); /* each may have as many as its number */
		__atomic_sub_fetch(&most[server], 1, __ATOMIC_SEQ_CST);
		leave(server);
	}
	return NULL;
}

static void no_server_has_more_than_its_limit_at_any_moment(void **state)
{
	static const char *const limits[3] = {"max_connections: 1", "max_connections: 2",
					      "max_connections: 3"};
	static const char *const balances[] = {"roundrobin", "leastconn", "random", "first"};

	for (size_t b = 0; b < 4; b++) {
		unsigned int got[4] = {0};
		pthread_t threads[4];

		farm_of(&limited, balances[b], limits, 3);
		for (int i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, take_and_leave, &got[i]),
					 0);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		for (int i = 0; i < 4; i++)
			assert_true(got[i] > 25000);
		for (int i = 1; i <= 3; i++)
			assert_int_equal(server_stats[i].live, 0);
		tables_free(&limited);
	}
}

static struct asker ask(const struct tables *tables, bool waited, uint32_t *server)
{
	static const uint8_t source[16] = {0x20, 1};
	struct asker asker = {.farm_id = FARM, .source = source, .waited = waited};

	*server = choose_server_or_wait(tables, &stats, &asker);
	return asker;
}

static void a_full_server_is_awaited_and_not_replaced_by_a_backup(void **state)
{
	static const char *const attributes[3] = {"max_connections: 1", "max_connections: 1",
						  "backup: true"};
	static const char *const balances[] = {"roundrobin", "leastconn", "random",
					       "first",	     "source",	  "maglev"};

	for (size_t b = 0; b < 6; b++) {
		struct tables tables;
		uint32_t first, second, none;

		farm_of(&tables, balances[b], attributes, 3);
		assert_true(ask(&tables, false, &first).full || first);
		ask(&tables, false, &second);
		assert_int_equal(first + second, 3);
		assert_true(ask(&tables, false, &none).full);
		assert_int_equal(none, 0);
		health[1].state = SERVER_DOWN;
		assert_true(ask(&tables, false, &none).full);
		health[2].state = SERVER_DOWN; /* now it is for the backup */
		assert_false(ask(&tables, false, &none).full && !none);
		assert_int_equal(none, 3);
		tables_free(&tables);
	}
}

static void who_comes_later_stands_behind_those_who_wait(void **state)
{
	struct tables tables;
	uint32_t server;

	farm_of(&tables, "roundrobin", any, 2);
	farm_stats[FARM].in_line = 1;
	assert_true(ask(&tables, false, &server).full);
	assert_int_equal(server, 0);
	ask(&tables, true, &server);
	assert_int_not_equal(server, 0);
	tables_free(&tables);
}

/* ---- slow start -------------------------------------------------------------------------- */

static void set_age(uint32_t server, double seconds)
{
	server_stats[server].up_since = monotonic_time() - (uint64_t)(seconds * 1e9);
}

/* Of 4,000 new connections, while each of the servers has 100 that are live. */
static unsigned int share_of_first(const struct tables *tables)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t server = choose(tables, i);

		assert_in_range(server, 1, 3);
		n += server == 1;
		leave(server);
	}
	return n;
}

static void the_share_of_a_new_server_rises(void **state)
{
	static const char *const attributes[3] = {"slow_start: 1h", "weight: 1", "weight: 1"};
	static const char *const balances[] = {"roundrobin", "random", "source", "maglev"};
	static const double ages[] = {0, 900, 1800, 2700, 3600};

	for (size_t b = 0; b < 4; b++) {
		struct tables tables;

		farm_of(&tables, balances[b], attributes, 3);
		for (size_t a = 0; a < 5; a++) {
			/* Of its places it takes a quarter, a half ...; what is left is shared. */
			double part = a / 4.0, share = part / 3 / (part / 3 + 2 / 3.0);
			unsigned int n;

			set_age(1, ages[a]);
			n = share_of_first(&tables);
			assert_in_range(n + 150, 4000 * share, 4000 * share + 300);
		}
		tables_free(&tables);
	}
}

static void clients_come_to_a_new_server_once(void **state)
{
	static const char *const attributes[3] = {"slow_start: 1h", "weight: 1", "weight: 1"};
	static uint16_t before[CLIENTS], after[CLIENTS];
	struct tables tables;

	farm_of(&tables, "source", attributes, 3);
	set_age(1, 0);
	serve_all(&tables, before);
	for (int age = 600; age <= 3600; age += 600) {
		set_age(1, age);
		serve_all(&tables, after);
		for (int i = 0; i < CLIENTS; i++)
			assert_true(after[i] == before[i] || after[i] == 1);
		memcpy(before, after, sizeof(before));
	}
	tables_free(&tables);
}

static void leastconn_fills_a_new_server_by_and_by(void **state)
{
	static const char *const attributes[2] = {"slow_start: 1h", "weight: 1"};
	struct tables tables;

	farm_of(&tables, "leastconn", attributes, 2);
	set_age(1, 1800);
	for (uint32_t i = 0; i < 300; i++)
		choose(&tables, i);
	assert_in_range(server_stats[1].live, 95, 105); /* half the weight of the other */
	tables_free(&tables);
}

static void a_new_server_alone_takes_all(void **state)
{
	static const char *const attributes[2] = {"slow_start: 1h", "backup: true"};
	static const char *const balances[] = {"roundrobin", "leastconn", "random",
					       "first",	     "source",	  "maglev"};

	for (size_t b = 0; b < 6; b++) {
		struct tables tables;

		farm_of(&tables, balances[b], attributes, 2);
		set_age(1, 0);
		for (uint32_t i = 0; i < 100; i++)
			assert_int_equal(choose(&tables, i), 1);
		tables_free(&tables);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_spread_by_weight),
		cmocka_unit_test(leastconn_keeps_the_live_ones_even),
		cmocka_unit_test(few_clients_move_when_a_server_is_down_and_come_back),
		cmocka_unit_test(few_clients_move_when_servers_come_and_go_or_weigh_more),
		cmocka_unit_test(no_server_has_more_than_its_limit_at_any_moment),
		cmocka_unit_test(a_full_server_is_awaited_and_not_replaced_by_a_backup),
		cmocka_unit_test(who_comes_later_stands_behind_those_who_wait),
		cmocka_unit_test(the_share_of_a_new_server_rises),
		cmocka_unit_test(clients_come_to_a_new_server_once),
		cmocka_unit_test(leastconn_fills_a_new_server_by_and_by),
		cmocka_unit_test(a_new_server_alone_takes_all),
	};

	return cmocka_run_group_tests(tests, fill_any, NULL);
}
