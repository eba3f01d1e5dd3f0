/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* the command line has one, too */

#include "../../user/cli/flow_filter.h"
#include "../../user/kernel/spliced.h"
#include "../../user/model/decode.h"
#include "../../user/model/prefix.h"

#define SECOND 1000000000ULL
#define NOW    (1000 * SECOND)

enum { CLIENT_FILTER, SERVER_FILTER, FARM_FILTER, FRONTEND_FILTER, OLDER_FILTER, YOUNGER_FILTER };

static struct config *config;

static int set_up(void **state)
{
	static const char text[] =
		"farms:\n"
		"- {name: f, servers: [{name: s, address: 192.0.2.1, id: 7}], id: 3}\n"
		"- {name: g, servers: [{name: s, address: 192.0.2.2, id: 8}], id: 4}\n"
		"frontends: [{name: w, port: 1, default_farm: f, id: 5}]\n";
	struct problems problems = {0};
	struct document *document = document_parse(text, strlen(text), &problems);

	config = document ? config_decode(document, &problems) : NULL;
	document_free(document);
	problems_free(&problems);
	return config ? 0 : -1;
}

static int tear_down(void **state)
{
	config_free(config);
	return 0;
}

/* A flow of frontend w, farm f, server f/s, client 198.51.100.7, a minute old. */
static struct flow example(void)
{
	struct flow flow = {.frontend_id = 5, .farm_id = 3, .server_id = 7};

	flow.started = NOW - 60 * SECOND;
	assert_int_equal(address_parse("198.51.100.7", flow.destination), 0);
	return flow;
}

/* What keyword number `keyword` makes of the example: matches, or an exit code. */
static int filtered(int keyword, const char *text, bool *matches)
{
	const char *values[FLOW_FILTER_COUNT] = {NULL};
	struct flow_filter filter;
	struct flow flow = example();
	int code;

	values[keyword] = text;
	code = flow_filter_parse(config, values, NOW, &filter);
	*matches = !code && flow_filter_matches(&filter, &flow);
	return code;
}

static void each_filter_lets_its_own_through(void **state)
{
	static const struct {
		int keyword;
		const char *text;
		bool matches;
	} examples[] = {
		{CLIENT_FILTER, "198.51.100.7", true},
		{CLIENT_FILTER, "198.51.100.8", false},
		{CLIENT_FILTER, "198.51.100.0/24", true},
		{CLIENT_FILTER, "198.51.101.0/24", false},
		{CLIENT_FILTER, "0.0.0.0/0", true},
		{CLIENT_FILTER, "2001:db8::/32", false},
		{SERVER_FILTER, "f/s", true},
		{SERVER_FILTER, "g/s", false},
		{FARM_FILTER, "f", true},
		{FARM_FILTER, "g", false},
		{FRONTEND_FILTER, "w", true},
		{OLDER_FILTER, "59s", true},
		{OLDER_FILTER, "61s", false},
		{OLDER_FILTER, "9999d", false}, /* before the machine was started */
		{YOUNGER_FILTER, "61s", true},
		{YOUNGER_FILTER, "59s", false},
		{YOUNGER_FILTER, "9999d", true},
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		bool matches;

		assert_int_equal(filtered(examples[i].keyword, examples[i].text, &matches), CLI_OK);
		if (matches != examples[i].matches)
			print_error("%s\n", examples[i].text);
		assert_int_equal(matches, examples[i].matches);
	}
}

static void filters_add_up(void **state)
{
	const char *values[FLOW_FILTER_COUNT] = {[CLIENT_FILTER] = "198.51.100.0/24",
						 [FARM_FILTER] = "f",
						 [OLDER_FILTER] = "10s",
						 [YOUNGER_FILTER] = "2m"};
	struct flow_filter filter;
	struct flow flow = example();

	assert_int_equal(flow_filter_parse(config, values, NOW, &filter), CLI_OK);
	assert_true(flow_filter_matches(&filter, &flow));
	flow.farm_id = 4;
	assert_false(flow_filter_matches(&filter, &flow));
}

static void without_a_filter_everything_matches(void **state)
{
	const char *values[FLOW_FILTER_COUNT] = {NULL};
	struct flow_filter filter;
	struct flow flow = {0};

	assert_int_equal(flow_filter_parse(config, values, NOW, &filter), CLI_OK);
	assert_true(flow_filter_matches(&filter, &flow));
}

static void bad_values_are_refused(void **state)
{
	static const struct {
		int keyword;
		const char *text;
		int code;
	} examples[] = {
		{CLIENT_FILTER, "www", CLI_USAGE},
		{CLIENT_FILTER, "192.0.2.1/33", CLI_USAGE},
		{CLIENT_FILTER, "192.0.2.1/24", CLI_USAGE},
		{CLIENT_FILTER, "", CLI_USAGE},
		{SERVER_FILTER, "s", CLI_USAGE}, /* in two farms */
		{SERVER_FILTER, "f/t", CLI_NOT_FOUND},
		{FARM_FILTER, "h", CLI_NOT_FOUND},
		{FRONTEND_FILTER, "v", CLI_NOT_FOUND},
		{OLDER_FILTER, "60", CLI_USAGE},
		{YOUNGER_FILTER, "soon", CLI_USAGE},
		{YOUNGER_FILTER, "-1s", CLI_USAGE},
	};

	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		bool matches;

		assert_int_equal(filtered(examples[i].keyword, examples[i].text, &matches),
				 examples[i].code);
	}
}

static void the_state_of_a_flow_comes_from_both_entries(void **state)
{
	struct spliced spliced = {.paired = true};
	struct flow *client = &spliced.flow[CLIENT], *server = &spliced.flow[SERVER];

	assert_int_equal(spliced_state(&spliced), SPLICED_OPEN);
	client->state = FLOW_FIN;
	assert_int_equal(spliced_state(&spliced), SPLICED_CLOSING);
	server->state = FLOW_FIN | FLOW_FIN_ACKED;
	assert_int_equal(spliced_state(&spliced), SPLICED_CLOSING);
	client->state |= FLOW_FIN_ACKED;
	assert_int_equal(spliced_state(&spliced), SPLICED_CLOSED);
	client->state = 0;
	server->state = FLOW_GOT_RESET;
	assert_int_equal(spliced_state(&spliced), SPLICED_RESET);
	server->state = 0; /* it went on: the reset was not believed */
	assert_int_equal(spliced_state(&spliced), SPLICED_OPEN);
	spliced.paired = false;
	assert_int_equal(spliced_state(&spliced), SPLICED_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_filter_lets_its_own_through),
		cmocka_unit_test(filters_add_up),
		cmocka_unit_test(without_a_filter_everything_matches),
		cmocka_unit_test(bad_values_are_refused),
		cmocka_unit_test(the_state_of_a_flow_comes_from_both_entries),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
