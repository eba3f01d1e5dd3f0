/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/model/decode.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a configuration needs beside its farms. */
#define FRONTEND_OF(farm) "frontends: [{name: w, port: 1, default_farm: " farm "}]\n"

/* An attribute and the message about it; NULL = it is fine. */
struct example {
	const char *yaml;
	const char *message;
};

/* ---- helpers --------------------------------------------------------------------------- */

static struct config *decode_bytes(const char *text, size_t len, struct problems *problems)
{
	struct document *document = document_parse(text, len, problems);
	struct config *config = document ? config_decode(document, problems) : NULL;

	assert_int_equal(!config, problems->errors > 0);
	document_free(document);
	return config;
}

/* Every problem on a line of its own; "LINE: PATH: MESSAGE", errors or warnings or both. */
static char *list_problems(const struct problems *problems, bool errors, bool warnings)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < problems->n; i++) {
		char *line = problem_format(&problems->v[i], NULL);

		if (problems->v[i].warning ? warnings : errors)
			fprintf(out, "%s%s", ftell(out) ? "\n" : "", line);
		free(line);
	}
	fclose(out);
	return text;
}

static void expect_list(const char *yaml, size_t len, bool errors, bool warnings,
			const char *expected)
{
	struct problems problems = {0};
	struct config *config = decode_bytes(yaml, len, &problems);
	char *found = list_problems(&problems, errors, warnings);

	assert_string_equal(found, expected);
	free(found);
	config_free(config);
	problems_free(&problems);
}

static void expect_errors(const char *yaml, const char *expected)
{
	expect_list(yaml, strlen(yaml), true, false, expected);
}

static void expect_warnings(const char *yaml, const char *expected)
{
	expect_list(yaml, strlen(yaml), false, true, expected);
}

/* A configuration that has to be right. */
static struct config *decode(const char *yaml)
{
	struct problems problems = {0};
	struct config *config = decode_bytes(yaml, strlen(yaml), &problems);
	char *found = list_problems(&problems, true, false);

	assert_string_equal(found, "");
	free(found);
	problems_free(&problems);
	return config;
}

/* Decodes `before`, the example, `after` in one line; paths are relative to `path`. */
static void check_examples(const char *before, const char *after, const char *path,
			   const struct example *examples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *yaml, *expected;

		assert_true(asprintf(&yaml, "%s%s%s", before, examples[i].yaml, after) > 0);
		assert_true(asprintf(&expected, "1: %s.%s", path,
				     examples[i].message ? examples[i].message : "") > 0);
		expect_errors(yaml, examples[i].message ? expected : "");
		free(yaml);
		free(expected);
	}
}

static void check_servers(const struct example *examples, size_t n)
{
	check_examples("{farms: [{name: f, servers: [{name: s, address: 10.0.0.1, ",
		       "}]}], frontends: [{name: w, port: 1, default_farm: f}]}",
		       "farms[0].servers[0]", examples, n);
}

static void check_farms(const struct example *examples, size_t n)
{
	check_examples("{farms: [{name: f, ",
		       "}], frontends: [{name: w, port: 1, default_farm: f}]}", "farms[0]",
		       examples, n);
}

static void check_frontends(const struct example *examples, size_t n)
{
	check_examples("{farms: [{name: f}], frontends: [{name: w, default_farm: f, ", "}]}",
		       "frontends[0]", examples, n);
}

static void check_rules(const struct example *examples, size_t n)
{
	check_examples("{farms: [{name: f}], frontends: [{name: w, port: 1}], routes: [{name: r, "
		       "frontend: w, action: {type: farm, target: f}, rules: [{",
		       "}]}]}", "routes[0].rules[0]", examples, n);
}

/* The rule of a configuration with that one only. */
static struct config *decode_rule(const char *rule)
{
	struct config *config;
	char *yaml;

	assert_true(
		asprintf(&yaml,
			 "{farms: [{name: f}], frontends: [{name: w, port: 1}], routes: [{name: r, "
			 "frontend: w, action: {type: farm, target: f}, rules: [{%s}]}]}",
			 rule) > 0);
	config = decode(yaml);
	free(yaml);
	assert_int_equal(config->routes[0].n_rules, 1);
	return config;
}

static const char example_file[] =
	"zone: gra\n"
	"farms:\n"
	"  - name: h2\n"
	"    balance: leastconn\n"
	"    probe: { type: tcp, interval: 5s }\n"
	"    servers:\n"
	"      - { name: a, address: 10.0.0.11, port: 8443, weight: 2, probe: true }\n"
	"      - { name: b, address: \"2001:db8::12\", port: 8443, probe: true }\n"
	"  - name: h1\n"
	"    servers: [ { name: c, address: 10.0.0.21, port: 8443 } ]\n"
	"frontends:\n"
	"  - { name: web, port: \"443\", default_farm: h1 }\n"
	"routes:\n"
	"  - name: http2\n"
	"    frontend: web\n"
	"    action: { type: farm, target: h2 }\n"
	"    rules: [ { field: protocol, match: is, pattern: http/2.0 } ]\n";

/* ---- the file as a whole ----------------------------------------------------------------- */

static void example_file_of_the_design_is_decoded(void **state)
{
	struct config *config = decode(example_file);
	const struct farm *h2 = &config->farms[0];
	const struct route *route = &config->routes[0];
	char text[64];

	assert_string_equal(config->zone, "gra");
	assert_int_equal(config->n_farms, 2);
	assert_int_equal(h2->balance, BALANCE_LEASTCONN);
	assert_int_equal(h2->n_servers, 2);
	assert_int_equal(h2->servers[0].weight, 2);
	assert_string_equal(endpoint_format(h2->servers[1].address, h2->servers[1].port, text, 64),
			    "[2001:db8::12]:8443");
	assert_int_equal(config->frontends[0].ports[0].first, 443);
	assert_ptr_equal(config->frontends[0].default_farm, &config->farms[1]);
	assert_ptr_equal(route->frontend, &config->frontends[0]);
	assert_ptr_equal(route->target, h2);
	assert_int_equal(route->rules[0].patterns[0].protocols, PROTOCOL_HTTP2);
	config_free(config);
}

static void what_is_not_acted_on_is_a_warning(void **state)
{
	expect_warnings("farms:\n  - name: f\n    vrack_network_id: 7\n"
			"    servers: [{name: s, address: 10.0.0.1}]\n"
			"frontends: [{name: w, port: 1, default_farm: f}]\n",
			"3: farms[0].vrack_network_id: stored, not acted on by this version");
}

static void json_is_accepted(void **state)
{
	struct config *config = decode(
		"{\"farms\": [\n\t{\"name\": \"f\", \"port\": null}],\n"
		"\"frontends\": [{\"name\":\"w\",\"port\":\"443\",\"default_farm\":\"f\"}]}");

	assert_string_equal(config->frontends[0].o.name, "w");
	assert_int_equal(config->frontends[0].o.line, 3);
	config_free(config);
}

static void defaults_apply_when_unset(void **state)
{
	struct config *config =
		decode("farms: [{name: f, servers: [{name: s, address: \"::1\"}]}]\n"
		       "frontends: [{name: w, port: 1, default_farm: f}]\n");
	const struct server *server = &config->farms[0].servers[0];
	const struct frontend *frontend = &config->frontends[0];

	assert_int_equal(server->weight, 1);
	assert_int_equal(server->status, STATUS_ACTIVE);
	assert_int_equal(server->port, 0);
	assert_int_equal(server->proxy_protocol, PROXY_PROTOCOL_NONE);
	assert_int_equal(config->farms[0].balance, BALANCE_ROUNDROBIN);
	assert_int_equal(frontend->path, PATH_AUTO);
	assert_int_equal(frontend->hello_timeout, 3000);
	assert_int_equal(frontend->connect_timeout, 3000);
	assert_int_equal(frontend->idle_timeout, 0);
	assert_int_equal(frontend->half_close_timeout, 3600000);
	assert_false(frontend->allowed_source.set);
	config_free(config);
}

static void null_zero_and_unset_differ(void **state)
{
	struct config *config =
		decode("farms: [{name: f, servers: [{name: a, address: \"::1\", weight: 0},{name: "
		       "b, address: \"::1\", weight: null},{name: c, address: \"::1\"}]}]\n"
		       "frontends: [{name: w, port: 1, default_farm: f}]\n");

	assert_int_equal(config->farms[0].servers[0].weight, 0);
	assert_int_equal(config->farms[0].servers[1].weight, 1);
	assert_int_equal(config->farms[0].servers[2].weight, 1);
	config_free(config);
}

static void problems_name_line_and_path_in_order_of_the_file(void **state)
{
	expect_errors("routes:\n"
		      "  - name: r\n"
		      "    frontend: web\n"
		      "    action:\n"
		      "      type: farm\n"
		      "      target: h3\n"
		      "farms:\n"
		      "  - name: h1\n"
		      "    servers:\n"
		      "      - name: a\n"
		      "        address: 10.0.0.300\n"
		      "        weight: 257\n"
		      "  - name: h2\n"
		      "frontends:\n"
		      "  - name: web\n"
		      "    port:\n"
		      "      \"0\"\n"
		      "    default_farm: h1\n",
		      "6: routes[0].action.target: \"h3\" is no farm, allowed: h1, h2\n"
		      "11: farms[0].servers[0].address: \"10.0.0.300\" is not an address, allowed: "
		      "an IPv4 or IPv6 address, or a host name\n"
		      "12: farms[0].servers[0].weight: 257 is out of range, allowed: 0..256, null\n"
		      "16: frontends[0].port: \"0\" is no port, allowed: 1..65535, ranges and "
		      "lists of them such as \"80,8000-8100\"");
}

static void problem_is_formatted_with_its_file(void **state)
{
	struct problem problem = {.line = 3, .path = "zone", .message = "is bad"};
	char *text = problem_format(&problem, "a.yaml");

	assert_string_equal(text, "a.yaml:3: zone: is bad");
	free(text);
	problem.line = 0;
	problem.path = NULL;
	text = problem_format(&problem, "a.yaml");
	assert_string_equal(text, "a.yaml: is bad");
	free(text);
}

static void line_of_a_path_is_found(void **state)
{
	struct problems problems = {0};
	struct document *document = document_parse(example_file, strlen(example_file), &problems);

	assert_int_equal(document_line(document, ""), 1);
	assert_int_equal(document_line(document, "farms"), 2);
	assert_int_equal(document_line(document, "farms[0].servers[1].port"), 8);
	assert_int_equal(document_line(document, "farms[1].name"), 9);
	assert_int_equal(document_line(document, "farms[0].port"), 3);
	assert_int_equal(document_line(document, "farms[9].port"), 2);
	assert_int_equal(document_line(document, "routes[0].action.target"), 16);
	document_free(document);
}

static void unknown_key_gets_a_suggestion(void **state)
{
	expect_errors(
		"zone: gra\nfrontend: []\nfoobar: 1\n",
		"2: frontend: unknown key, did you mean frontends? allowed: display_name, zone, "
		"control_group, api, nat_ip, "
		"nat_ports, max_flows, xdp, accel, farms, "
		"frontends, routes\n"
		"3: foobar: unknown key, allowed: display_name, zone, control_group, api, nat_ip, "
		"nat_ports, max_flows, xdp, accel, farms, "
		"frontends, routes");
	/* as the API calls it */
	expect_errors("farms:\n  - name: a\n    servers: [{name: s, address: 10.0.0.1, port: 1}]\n"
		      "frontends: [{name: w, port: 1, default_farm: a}]\n"
		      "routes: [{name: r, frontend: w, action: {type: reject}, frontendId: w}]\n",
		      "5: routes[0].frontendId: unknown key, did you mean frontend? allowed: id, "
		      "name, display_name, frontend, weight, action, rules");
	expect_errors("displayName: x\nfrontends: []\n",
		      "1: displayName: unknown key, did you mean display_name? allowed: "
		      "display_name, zone, control_group, api, nat_ip, nat_ports, max_flows, xdp, "
		      "accel, farms, frontends, routes");
}

static void wrong_kinds_of_value_are_named(void **state)
{
	expect_errors(
		"- a\n",
		"1: a list is not a mapping, allowed: a mapping with the keys display_name, zone, "
		"control_group, api, nat_ip, nat_ports, max_flows, xdp, accel, farms, frontends, "
		"routes");
	expect_errors("farms: 3\n", "1: farms: 3 is not a list, allowed: a list of farms, null");
	expect_errors("zone: 3\n", "1: zone: 3 is not a string without quotes, allowed: 1..50 of "
				   "A-Z a-z 0-9 . _ -, null");
	expect_errors("zone: [a]\n",
		      "1: zone: a list is not a string, allowed: 1..50 of A-Z a-z 0-9 . _ -, null");
}

static void long_and_binary_values_are_cut_and_escaped(void **state)
{
	expect_errors(
		"zone: 0123456789012345678901234567890123456789xyz\n"
		"farms: \"a\\n\\t\\\"\\u001b\"\n",
		"2: farms: \"a\\n\\x09\\\"\\x1b\" is not a list, allowed: a list of farms, null");
	expect_errors("zone: 01234567890123456789012345678901234567890123456789xyz\n",
		      "1: zone: \"0123456789012345678901234567890123456789...\" is not a name, "
		      "allowed: 1..50 of A-Z a-z 0-9 . _ -, null");
}

static void thousands_of_mistakes_are_counted_and_cut(void **state)
{
	char *yaml;
	size_t size;
	FILE *out = open_memstream(&yaml, &size);
	struct problems problems = {0};

	for (int i = 0; i < 3000; i++)
		fprintf(out, "k%d: 1\n", i);
	fclose(out);
	assert_null(decode_bytes(yaml, size, &problems));
	assert_int_equal(problems.errors, 3000);
	assert_true(problems.n < 1100);
	assert_string_equal(problems.v[problems.n - 1].message, "more errors follow");
	free(yaml);
	problems_free(&problems);
}

static void configuration_without_frontends_is_refused(void **state)
{
	expect_errors("{}", "1: frontends: there is none, allowed: 1..1024 frontends");
	expect_errors("zone: gra\nfrontends: []\n",
		      "2: frontends: there is none, allowed: 1..1024 frontends");
	expect_errors("farms: [{name: f}]\nfrontends: null\n",
		      "2: frontends: there is none, allowed: 1..1024 frontends");
}

/* ---- the text ---------------------------------------------------------------------------- */

static void syntax_errors_name_their_line(void **state)
{
	expect_errors("zone: gra\nfarms: a: b\n",
		      "2: not valid YAML: mapping values are not allowed in this context");
	expect_errors(
		"{\"zone\": \"gra\"\n",
		"2: not valid YAML: did not find expected ',' or '}' while parsing a flow mapping");
}

static void unquoted_address_gets_a_hint(void **state)
{
	expect_errors("{farms: [::1]}\n",
		      "1: not valid YAML: did not find expected node content while parsing a flow "
		      "node, allowed: a value that begins with a colon in quotes");
}

static void tabs_get_a_hint(void **state)
{
	const char *message =
		"2: not valid YAML: found character that cannot start any token while "
		"scanning for the next token, allowed: spaces to indent with, not "
		"tabs";

	expect_errors("farms:\n\t- name: f\n", message);
	expect_errors("# \u00e9\u20ac\r\n\tfarms: []\n", message);
	config_free(decode("farms: [{name: f}] #\ttabs\t\n" FRONTEND_OF("f")));
}

static void line_breaks_may_be_of_any_system(void **state)
{
	config_free(decode("farms:\r\n  - name: f\r\n" FRONTEND_OF("f")));
	config_free(decode("farms:\r  - name: f\r" FRONTEND_OF("f")));
	expect_errors("farms:\r\n  - {}\r\n",
		      "2: farms[0].name: is missing, allowed: 1..50 of A-Z a-z 0-9 . _ -");
}

/* `head`, then `n` times `unit`, then `tail`: one error at most, and soon. */
static void expect_long(const char *head, const char *unit, size_t n, const char *tail,
			const char *expected)
{
	char *yaml;
	size_t size;
	FILE *out = open_memstream(&yaml, &size);

	fputs(head, out);
	for (size_t i = 0; i < n; i++)
		fputs(unit, out);
	fputs(tail, out);
	fclose(out);
	expect_list(yaml, size, true, false, expected);
	free(yaml);
}

static void files_of_10_mb_are_read(void **state)
{
	const char *rest = "\nfarms: [{name: f}]\n" FRONTEND_OF("f");

	expect_long("#", "0123456789", 1000000, rest, "");
	expect_long("", "# 3456789\n", 1000000, rest, "");
	expect_long("zone: ", "0123456789", 1000000, rest,
		    "1: zone: \"0123456789012345678901234567890123456789...\" is not a name, "
		    "allowed: 1..50 of A-Z a-z 0-9 . _ -, null");
	expect_long("farms: [", "{name: a},", 1000000, "]\n",
		    "1: farms: 1000000 farms, allowed: at most 4096");
	expect_long("", "a: ", 3000000, "",
		    "1: not valid YAML: mapping values are not allowed in this context");
	expect_long("", "? ", 5000000, "",
		    "1: a list or mapping cannot be a key, allowed: a string");
	expect_long("a:\n", " ", 10000000, "b\n",
		    "1: a: unknown key, did you mean api? allowed: display_name, zone, "
		    "control_group, api, "
		    "nat_ip, nat_ports, max_flows, xdp, accel, farms, frontends, "
		    "routes");
}

static void numbers_are_quoted_as_what_they_are(void **state)
{
	static const struct example examples[] = {
		{"port: 80.0", "port: 80.0 is not an integer, allowed: 1..65535, null"},
		{"port: 1e3", "port: 1000.0 is not an integer, allowed: 1..65535, null"},
		{"port: 1e300", "port: 1e+300 is not an integer, allowed: "
				"1..65535, null"},
		{"port: -0", "port: 0 is out of range, allowed: 1..65535, null"},
		{"weight: -1", "weight: -1 is out of range, allowed: 0..256, null"},
		{"weight: 1e400", "weight: \"1e400\" is not an integer, allowed: 0..256, null"},
		{"weight: .inf", "weight: \".inf\" is not an integer, allowed: 0..256, null"},
		{"weight: -9223372036854775808",
		 "weight: -9223372036854775808 is out of range, allowed: 0..256, null"},
		{"weight: -9223372036854775809", "weight: \"-9223372036854775809\" is not an "
						 "integer, allowed: 0..256, null"},
	};

	check_servers(examples, COUNT(examples));
}

static void no_bytes_confuse_the_decoder(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} texts[] = {
#define BYTES(s) {s, sizeof(s) - 1}
		BYTES("\0"),
		BYTES("\x7f"
		      "ELF\2\1\1\0\0\0"),
		BYTES("\xff\xfe"
		      "f\0a\0"), /* UTF-16 */
		BYTES("\xfe\xff\0f\0a"),
		BYTES("\xc3"),
		BYTES("zone: \xed\xa0\x80\n"), /* a surrogate */
		BYTES("zone: \xf4\x90\x80\x80\n"),
		BYTES("zone: \xc0\xae\n"), /* overlong */
		BYTES("zone: \"\\ud800\"\n"),
		BYTES("<<: {}\n"),
		BYTES("*a : 1\n"),
		BYTES("%YAML 9.9\n---\n{}\n"),
		BYTES("farms: |\n  - {}\n"),
		BYTES("!!binary AAAA\n"),
		BYTES("- - - - -\n"),
		BYTES("{\"farms\": ["),
		BYTES("{}}"),
#undef BYTES
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct problems problems = {0};

		assert_null(decode_bytes(texts[i].text, texts[i].len, &problems));
		assert_true(problems.errors > 0);
		assert_non_null(problems.v[0].message);
		problems_free(&problems);
	}
}

static void names_in_messages_are_escaped(void **state)
{
	expect_errors("farms: [{name: f}]\n"
		      "frontends: [{name: \"a\\nb\", port: 1, default_farm: f}, {name: b, port: 1, "
		      "default_farm: f}]\n",
		      "2: frontends[0].name: \"a\\nb\" is not a name, allowed: 1..50 of A-Z a-z "
		      "0-9 . _ -\n"
		      "2: frontends[1].port: 1 belongs to the frontend \"a\\nb\" in line 2 on the "
		      "same address, allowed: ports of its own");
}

static void keys_given_twice_are_refused(void **state)
{
	expect_errors("zone: a\nzone: b\nfarms:\n  - {name: x, name: y}\n",
		      "2: zone: is given twice, allowed: once\n4: farms[0].name: is given twice, "
		      "allowed: once");
}

static void anchors_and_aliases_are_refused(void **state)
{
	expect_errors("zone: &a b\nfarms: *a\n",
		      "1: zone: anchors are not supported, allowed: the value written out\n"
		      "2: farms: aliases are not supported, allowed: the value written out");
}

static void tags_are_refused(void **state)
{
	expect_errors("zone: !!str a\n",
		      "1: zone: tags are not supported, allowed: the value without");
}

static void second_document_is_refused(void **state)
{
	expect_errors("zone: a\n---\nzone: b\n", "2: a second document begins here, allowed: one");
}

static void empty_text_is_refused(void **state)
{
	expect_errors("", "is empty, allowed: a configuration in YAML or JSON");
	expect_errors("# nothing\n", "is empty, allowed: a configuration in YAML or JSON");
}

static void deep_nesting_is_refused(void **state)
{
	char yaml[5000];
	struct problems problems = {0};

	memset(yaml, '[', sizeof(yaml));
	assert_null(document_parse(yaml, sizeof(yaml), &problems));
	assert_int_equal(problems.n, 1);
	assert_string_equal(problems.v[0].message, "nested too deep, allowed: 64 levels");
	problems_free(&problems);
}

static void mapping_as_a_key_is_refused(void **state)
{
	expect_errors("? [a]\n: b\n", "1: a list or mapping cannot be a key, allowed: a string");
}

static void text_that_is_not_utf8_is_refused(void **state)
{
	expect_errors("zone: a\nfarms: \xff\n", "2: not UTF-8 text: invalid leading UTF-8 octet");
	expect_list("zone: \0a", 8, true, false,
		    "1: not UTF-8 text: control characters are not allowed");
}

static void characters_that_could_not_be_stored_are_refused(void **state)
{
	expect_errors("zone: \"a\\0\"\n", "1: zone: contains the character U+0000, allowed: "
					  "printable ones, tabs and line breaks");
	expect_errors("zone: \"a\\u2028\"\n", "1: zone: contains the character U+2028, allowed: "
					      "printable ones, tabs and line breaks");
}

static void byte_order_mark_is_skipped(void **state)
{
	config_free(decode("\xef\xbb\xbf"
			   "farms: [{name: f}]\n" FRONTEND_OF("f")));
}

static void words_that_other_yaml_takes_for_booleans_are_text(void **state)
{
	static const struct example examples[] = {
		{"backup: yes", "backup: \"yes\" is not a boolean, allowed: true, false, null"},
		{"backup: 1", "backup: 1 is not a boolean, allowed: true, false, null"},
		{"backup: null", NULL},
		{"port: 0443", "port: \"0443\" is not an integer, allowed: 1..65535, null"},
		{"port: 0x10", "port: \"0x10\" is not an integer, allowed: 1..65535, null"},
		{"backup: True", NULL},
		{"port: ~", NULL},
	};

	check_servers(examples, COUNT(examples));
}

static void file_that_cannot_be_read_is_a_problem(void **state)
{
	struct problems problems = {0};

	assert_null(config_load("/nonexistent", &problems));
	assert_null(config_load("/", &problems));
	assert_int_equal(problems.n, 2);
	assert_string_equal(problems.v[0].message, "cannot be read: No such file or directory");
	assert_string_equal(problems.v[1].message, "cannot be read: Is a directory");
	problems_free(&problems);
}

static void file_is_loaded(void **state)
{
	struct problems problems = {0};
	int fd = memfd_create("config", 0);
	struct config *config;
	char path[32];

	assert_int_equal(write(fd, example_file, strlen(example_file)), strlen(example_file));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config = config_load(path, &problems);
	close(fd);
	assert_non_null(config);
	config_free(config);
	problems_free(&problems);
}

/* ---- servers ----------------------------------------------------------------------------- */

static void server_integers_are_checked(void **state)
{
	static const struct example examples[] = {
		{"port: 1", NULL},
		{"port: 65535", NULL},
		{"port: 0", "port: 0 is out of range, allowed: 1..65535, null"},
		{"port: 65536", "port: 65536 is out of range, allowed: 1..65535, null"},
		{"port: -1", "port: -1 is out of range, allowed: 1..65535, null"},
		{"port: \"80\"", "port: \"80\" is not an integer, allowed: 1..65535, null"},
		{"port: 80.5", "port: 80.5 is not an integer, allowed: 1..65535, null"},
		{"port: 99999999999999999999",
		 "port: \"99999999999999999999\" is not an integer, allowed: 1..65535, null"},
		{"weight: 256", NULL},
		{"weight: 257", "weight: 257 is out of range, allowed: 0..256, null"},
		{"id: 16384", NULL},
		{"id: 0", "id: 0 is out of range, allowed: 1..16384"},
		{"id: 16385", "id: 16385 is out of range, allowed: 1..16384"},
	};

	check_servers(examples, COUNT(examples));
}

static void server_enums_are_checked(void **state)
{
	static const struct example examples[] = {
		{"status: active", NULL},
		{"status: inactive", NULL},
		{"status: drain", NULL},
		{"status: up", "status: \"up\" is unknown, allowed: active, inactive, drain"},
		{"proxy_protocol_version: v1", NULL},
		{"proxy_protocol_version: v2", NULL},
		{"proxy_protocol_version: null", NULL},
		{"proxy_protocol_version: none",
		 "proxy_protocol_version: \"none\" is unknown, allowed: v1, v2, v2-ssl, v2-ssl-cn, "
		 "null"},
		{"proxy_protocol_version: v2-ssl", NULL},
		{"proxy_protocol_version: v2-ssl-cn", NULL},
		{"proxy_tlvs: null", NULL},
		{"proxy_tlvs: []", NULL},
		{"proxy_protocol_version: v2, proxy_tlvs: [alpn, authority, unique_id, crc32c]",
		 NULL},
		{"proxy_protocol_version: v2-ssl, proxy_tlvs: [crc32c]", NULL},
		{"proxy_protocol_version: v1, proxy_tlvs: [crc32c]",
		 "proxy_tlvs: needs the proxy_protocol_version v2, v2-ssl or v2-ssl-cn, allowed: "
		 "null"},
		{"proxy_tlvs: [alpn]",
		 "proxy_tlvs: needs the proxy_protocol_version v2, v2-ssl or v2-ssl-cn, allowed: "
		 "null"},
		{"proxy_protocol_version: v2, proxy_tlvs: [sni]",
		 "proxy_tlvs[0]: \"sni\" is unknown, allowed: alpn, authority, unique_id, crc32c"},
		{"proxy_protocol_version: v2, proxy_tlvs: crc32c",
		 "proxy_tlvs: \"crc32c\" is not a list, allowed: a list of alpn, authority, "
		 "unique_id, crc32c, null"},
		{"on_marked_down: shutdown-sessions", NULL},
		{"on_marked_down: no",
		 "on_marked_down: \"no\" is unknown, allowed: shutdown-sessions, null"},
		{"max_connections: 5", NULL},
		{"max_connections: 0",
		 "max_connections: 0 is out of range, allowed: 1..4294967295, null"},
		{"slow_start: 5s", NULL},
		{"slow_start: 5ms", "slow_start: \"5ms\" is out of range, allowed: 1s..1d with a "
				    "unit (ms, s, m, h, d), null"},
	};

	check_servers(examples, COUNT(examples));
}

static void server_attributes_out_of_scope_are_refused(void **state)
{
	static const struct example examples[] = {
		{"ssl: false", NULL},
		{"ssl: true", "ssl: true is out of scope, TLS passes through untouched, allowed: "
			      "false, null, or "
			      "true for the probe alone with probe: true"},
		{"ssl: true, probe: true",
		 "ssl: true is for the probe alone, and the farm has none, allowed: false, null"},
		{"chain: null", NULL},
		{"chain: x",
		 "chain: \"x\" is out of scope, TLS passes through untouched, allowed: null"},
	};

	check_servers(examples, COUNT(examples));
}

static void check_address(const char *address, const char *message)
{
	char *yaml;

	assert_true(asprintf(&yaml,
			     "{farms: [{name: f, servers: [{name: s, address: %s}]}], frontends: "
			     "[{name: w, port: 1, default_farm: f}]}",
			     address) > 0);
	expect_errors(yaml, message);
	free(yaml);
}

static void server_addresses_are_checked(void **state)
{
	static const char *const no_names[] = {
		"10.1.1",     "www.example.com.", "www..example.com", ".example",
		"-a.example", "a-.example",	  "www.example.1",    "a b",
	};

	static const char *const with_port[] = {
		"10.0.0.1:8443",
		"[2001:db8::1]:8443",
		"www.example.com:1",
	};

	check_address("10.0.0.1", "");
	check_address("\"2001:db8::1\"", "");
	check_address("www.example.com", "");
	check_address("db1", "");
	check_address("_x.3com", "");
	for (size_t i = 0; i < COUNT(no_names); i++) {
		char message[512];

		snprintf(message, sizeof(message),
			 "1: farms[0].servers[0].address: \"%s\" is not an address, allowed: an "
			 "IPv4 "
			 "or IPv6 address, or a host name",
			 no_names[i]);
		check_address(no_names[i], message);
	}
	for (size_t i = 0; i < COUNT(with_port); i++) {
		char message[512], address[64];

		snprintf(address, sizeof(address), "\"%s\"", with_port[i]);
		snprintf(message, sizeof(message),
			 "1: farms[0].servers[0].address: %s has a port, which has a key of its "
			 "own: port, allowed: an IPv4 or IPv6 address, or a host name",
			 address);
		check_address(address, message);
	}
	check_address("0123456789012345678901234567890123456789012345678901234567890123a.example",
		      "1: farms[0].servers[0].address: \"0123456789012345678901234567890123456789"
		      "...\" is not an address, allowed: an IPv4 or IPv6 address, or a host name");
	check_address("10.0.0.0/8", "1: farms[0].servers[0].address: \"10.0.0.0/8\" is not an "
				    "address, allowed: an IPv4 or IPv6 address, or a host name");
	check_address("\"[::1]\"", "1: farms[0].servers[0].address: \"[::1]\" is not an address, "
				   "allowed: an IPv4 or IPv6 address, or a host name");
	check_address("0.0.0.0", "1: farms[0].servers[0].address: \"0.0.0.0\" is not the address "
				 "of a host, allowed: an IPv4 or IPv6 address, or a host name");
	check_address("\"ff02::1\"",
		      "1: farms[0].servers[0].address: \"ff02::1\" is not the "
		      "address of a host, allowed: an IPv4 or IPv6 address, or a host name");
	check_address("\"fe80::1\"",
		      "1: farms[0].servers[0].address: \"fe80::1\" is link-local, not supported by "
		      "this version, allowed: an IPv4 or IPv6 address, or a host name");
	check_address("\"fec0::1\"", "");
	check_address("169.254.0.1", "");
	check_address("null", "1: farms[0].servers[0].address: null is not a string without "
			      "quotes, allowed: an IPv4 or IPv6 address, or a host name");
}

static void required_attributes_are_missed(void **state)
{
	expect_errors(
		"farms:\n  - servers:\n      - {}\n"
		"frontends:\n  - {}\n"
		"routes:\n  - rules: [{}]\n",
		"2: farms[0].name: is missing, allowed: 1..50 of A-Z a-z 0-9 . _ -\n"
		"3: farms[0].servers[0].name: is missing, allowed: 1..50 of A-Z a-z 0-9 . _ -\n"
		"3: farms[0].servers[0].address: is missing, allowed: an IPv4 or IPv6 address, or "
		"a host name\n"
		"5: frontends[0].name: is missing, allowed: 1..50 of A-Z a-z 0-9 . _ -\n"
		"5: frontends[0].port: is missing, allowed: 1..65535, ranges and lists of them "
		"such as \"80,8000-8100\"\n"
		"5: frontends[0].default_farm: is missing, allowed: a farm, or null beside a route "
		"with rules\n"
		"7: routes[0].name: is missing, allowed: 1..50 of A-Z a-z 0-9 . _ -\n"
		"7: routes[0].action: is missing, allowed: a mapping with the keys type, target\n"
		"7: routes[0].rules[0].field: is missing, allowed: protocol, source, sni, host, "
		"alpn, tls.version, tls.ech\n"
		"7: routes[0].rules[0].match: is missing, allowed: is, in, startswith, endswith, "
		"contains, exists, matches");
}

static void names_are_checked(void **state)
{
	expect_errors(
		"farms: [{name: a b}, {name: \"\"}, {name: é}, {name: 17}, {name: a.B_c-9}]",
		"1: farms[0].name: \"a b\" is not a name, allowed: 1..50 of A-Z a-z 0-9 . _ -\n"
		"1: farms[1].name: \"\" is not a name, allowed: 1..50 of A-Z a-z 0-9 . _ -\n"
		"1: farms[2].name: \"é\" is not a name, allowed: 1..50 of A-Z a-z 0-9 . _ -\n"
		"1: farms[3].name: 17 is not a string without quotes, allowed: 1..50 of A-Z a-z "
		"0-9 . _ -");
}

static void names_are_unique_per_kind(void **state)
{
	expect_errors("farms:\n  - {name: a}\n  - {name: b}\n  - {name: a}\n",
		      "4: farms[2].name: \"a\" is already the name of the farm in line 2, allowed: "
		      "one of its own");
	config_free(decode("farms: [{name: a}]\n"
			   "frontends: [{name: a, port: 1, default_farm: a}]\n"
			   "routes: [{name: a, action: {type: reject}}]\n"));
}

static void server_names_are_unique_within_their_farm(void **state)
{
	expect_errors("farms:\n"
		      "  - name: a\n"
		      "    servers:\n"
		      "      - {name: s, address: 10.0.0.1}\n"
		      "      - {name: s, address: 10.0.0.2}\n",
		      "5: farms[0].servers[1].name: \"s\" is already the name of the server in "
		      "line 4, allowed: one of its own");
	config_free(decode(
		"farms: [{name: a, servers: [{name: s, address: 10.0.0.1}]},\n"
		"        {name: b, servers: [{name: s, address: 10.0.0.2}]}]\n" FRONTEND_OF("a")));
}

static void ids_are_unique_per_kind(void **state)
{
	expect_errors(
		"farms: [{name: a, id: 3}, {name: b, id: 3}]\n",
		"1: farms[1].id: 3 is already the id of another farm, allowed: one of its own");
}

/* ---- farms ------------------------------------------------------------------------------- */

static void farm_attributes_are_checked(void **state)
{
	static const struct example examples[] = {
		{"balance: roundrobin", NULL},
		{"balance: source", NULL},
		{"balance: leastconn", NULL},
		{"balance: first", NULL},
		{"balance: null", NULL},
		{"balance: maglev", NULL},
		{"balance: random", NULL},
		{"balance: rr", "balance: \"rr\" is unknown, allowed: roundrobin, source, "
				"leastconn, first, maglev, random, null"},
		{"stickiness: null", NULL},
		{"stickiness: sourceIp", NULL},
		{"stickiness: cookie",
		 "stickiness: \"cookie\" is unknown, allowed: sourceIp, null"},
		{"port: 0", "port: 0 is out of range, allowed: 1..65535, null"},
		{"zone: all", NULL},
		{"zone: a b",
		 "zone: \"a b\" is not a name, allowed: 1..50 of A-Z a-z 0-9 . _ -, null"},
		{"vrack_network_id: 12", NULL},
		{"display_name: Any text — ünïcödé", NULL},
	};

	check_farms(examples, COUNT(examples));
}

static void probes_are_checked(void **state)
{
	static const struct example examples[] = {
		{"probe: {type: tcp}", NULL},
		{"probe: null", NULL},
		{"probe: {type: http, port: 80, interval: 100ms, match: contains, pattern: ok, "
		 "negate: true, method: GET, url: a/b, force_ssl: true}",
		 NULL},
		{"probe: {type: oco, port: 79}", NULL},
		{"probe: {port: 79}", "probe.type: is missing, allowed: tcp, http, smtp, mysql, "
				      "pgsql, oco, internal, tls"},
		{"probe: {type: udp}", "probe.type: \"udp\" is unknown, allowed: tcp, http, smtp, "
				       "mysql, pgsql, oco, internal, tls"},
		{"probe: {type: oco, port: 80}", "probe.port: 80 with type oco, allowed: 79, null"},
		{"probe: {type: tcp, interval: 5}", "probe.interval: 5 has no unit, allowed: "
						    "100ms..1h with a unit (ms, s, m, h, d), null"},
		{"probe: {type: tcp, negate: true}",
		 "probe.negate: true without a match, allowed: false, null"},
		{"probe: {type: http, match: matches}",
		 "probe.pattern: is missing, the match matches needs one, allowed: a text of at "
		 "most 255 bytes"},
		{"probe: {type: tcp, match: matches, pattern: \"^220 \"}", NULL},
		{"probe: {type: http, method: GET, match: status, pattern: \"200\", url: /up}",
		 NULL},
		{"probe: {type: internal, method: internal, match: internal}", NULL},
		{"probe: {type: tls, match: default}", NULL},
		{"probe: {type: tcp, match: status, pattern: \"200\"}",
		 "probe.match: \"status\" does not go with the type tcp, allowed: default, "
		 "contains, matches, null"},
		{"probe: {type: smtp, method: GET}",
		 "probe.method: \"GET\" does not go with the type smtp, allowed: null"},
		{"probe: {type: http, method: internal}",
		 "probe.method: \"internal\" does not go with the type http, allowed: GET, HEAD, "
		 "OPTIONS, null"},
		{"probe: {type: smtp, url: /up}",
		 "probe.url: \"/up\" does not go with the type smtp, allowed: null"},
		{"probe: {type: http, match: matches, pattern: \"a(\"}",
		 "probe.pattern: \"a(\" is wrong behind byte 2: missing closing parenthesis, "
		 "allowed: a PCRE2 pattern"},
		{"probe: {type: http, match: contains, pattern: null}",
		 "probe.pattern: is missing, the match contains needs one, allowed: a text of at "
		 "most 255 bytes"},
		{"probe: {type: http, method: POST}",
		 "probe.method: \"POST\" is unknown, allowed: GET, HEAD, OPTIONS, internal, null"},
	};

	check_farms(examples, COUNT(examples));
}

static void settings_of_probes_are_checked(void **state)
{
	static const struct example examples[] = {
		{"probe: {type: tls, sni: www.example.com, alpn: h2, verify: true, ca: "
		 "/etc/ca.pem, "
		 "cert_name: www.example.com, cert_days: 14, timeout: 50ms, rise: 1, fall: 100}",
		 NULL},
		{"probe: {type: smtp, force_ssl: true, cert_days: 14}", NULL},
		{"probe: {type: tls, rise: 0}",
		 "probe.rise: 0 is out of range, allowed: 1..100, null"},
		{"probe: {type: tcp, sni: a}",
		 "probe.sni: \"a\" goes with TLS, allowed: null, or the type tls, or force_ssl"},
		{"probe: {type: http, cert_days: 7}",
		 "probe.cert_days: 7 goes with TLS, allowed: null, or the type tls, or force_ssl"},
		{"probe: {type: tls, ca: /etc/ca.pem}",
		 "probe.ca: \"/etc/ca.pem\" without verify, allowed: null, or verify: true"},
		{"probe: {type: tls, verify: true, ca: ca.pem}",
		 "probe.ca: \"ca.pem\" is no absolute path, allowed: the path of a file in PEM "
		 "format, beginning with /, null"},
		{"probe: {type: http, force_ssl: true, alpn: h2}",
		 "probe.alpn: \"h2\" does not go with the type http, allowed: null"},
		{"probe: {type: pgsql, force_ssl: true, verify: true}", NULL},
		{"probe: {type: pgsql}, servers: [{name: s, address: 10.0.0.1, probe: true, ssl: "
		 "true}]",
		 NULL},
		{"probe: {type: tls, alpn: \"\"}",
		 "probe.alpn: \"\" is none, allowed: one name such as h2, null"},
		{"probe: {type: http, match: status, pattern: \"2xx, 304,400-499\"}", NULL},
		{"probe: {type: http, match: status, pattern: ok}",
		 "probe.pattern: \"ok\" is none, allowed: status codes such as \"200\", \"2xx\" or "
		 "\"200-299, 404\", null"},
		{"probe: {type: http, match: status, pattern: \"299-200\"}",
		 "probe.pattern: \"299-200\" is none, allowed: status codes such as \"200\", "
		 "\"2xx\" "
		 "or \"200-299, 404\", null"},
		{"probe: {type: http, match: status, pattern: \"200,\"}",
		 "probe.pattern: \"200,\" is none, allowed: status codes such as \"200\", \"2xx\" "
		 "or "
		 "\"200-299, 404\", null"},
		{"probe: {type: http, url: \"www.example.com/up?a=b\"}", NULL},
		{"probe: {type: http, url: up}",
		 "probe.url: \"up\" is none, allowed: [HOST]/PATH such as /up or "
		 "www.example.com/up, null"},
		{"probe: {type: http, url: \"http://www.example.com/\"}",
		 "probe.url: \"http://www.example.com/\" is none, allowed: [HOST]/PATH such as /up "
		 "or www.example.com/up, null"},
		{"probe: {type: http, url: \"/a b\"}",
		 "probe.url: \"/a b\" is none, allowed: [HOST]/PATH such as /up or "
		 "www.example.com/up, null"},
	};

	check_farms(examples, COUNT(examples));
}

static void a_probe_that_does_nothing_is_a_warning(void **state)
{
	expect_warnings(
		"farms:\n"
		"  - name: f\n"
		"    servers:\n"
		"      - {name: s, address: 10.0.0.1, probe: true}\n"
		"  - name: g\n"
		"    probe: {type: tcp}\n"
		"    servers:\n"
		"      - {name: s, address: 10.0.0.1}\n"
		"frontends: [{name: w, port: 1, default_farm: f}]\n",
		"4: farms[0].servers[0].probe: the farm has no probe: nothing looks after "
		"the server\n"
		"6: farms[1].probe: no server of the farm has probe: true: it does nothing");
}

static void fallbacks_are_checked(void **state)
{
	struct config *config =
		decode("farms: [{name: f, fallback_farm: g}, {name: g}]\n" FRONTEND_OF("f"));

	assert_ptr_equal(config->farms[0].fallback, &config->farms[1]);
	config_free(config);
	expect_errors("farms: [{name: f, fallback_farm: h}]\n",
		      "1: farms[0].fallback_farm: \"h\" is no farm, allowed: f");
	expect_errors("farms:\n  - {name: f, fallback_farm: g}\n  - {name: g, fallback_farm: f}\n"
		      "  - {name: h, fallback_farm: h}\n" FRONTEND_OF("f"),
		      "2: farms[0].fallback_farm: \"g\" falls back on this farm in turn, allowed: "
		      "a farm that does not, null\n"
		      "3: farms[1].fallback_farm: \"f\" falls back on this farm in turn, allowed: "
		      "a farm that does not, null\n"
		      "4: farms[2].fallback_farm: \"h\" falls back on this farm in turn, allowed: "
		      "a farm that does not, null");
	expect_errors("zone: gra\nfarms:\n  - {name: f, fallback_farm: g}\n"
		      "  - {name: g, zone: rbx}\n" FRONTEND_OF("f"),
		      "3: farms[0].fallback_farm: \"g\" is a farm of the zone \"rbx\", allowed: a "
		      "farm of \"gra\" or all");
}

static void farm_without_servers_is_a_warning(void **state)
{
	expect_warnings("farms:\n  - name: f\nfrontends: [{name: w, port: 1, default_farm: f}]\n",
			"2: farms[0].servers: no servers: connections to the farm are closed");
}

#define UNUSED(name) "{name: " name ", address: 10.0.0.1, port: 1, status: inactive}"
#define DRAINS(name) "{name: " name ", address: 10.0.0.2, port: 1, status: drain}"
#define EMPTY(name)  "{name: " name ", address: 10.0.0.3, port: 1, weight: 0}"
#define USED(name)   "{name: " name ", address: 10.0.0.4, port: 1, backup: true}"
#define WEB	     "frontends: [{name: w, port: 1, default_farm: f}]\n"
#define NONE	     "none is active with a weight above 0"
#define CLOSED	     ": connections to the farm are closed"

static void a_farm_whose_servers_are_all_out_of_use_is_a_warning(void **state)
{
	static const struct {
		const char *farms, *warning;
	} examples[] = {
		{"- {name: f, servers: [" UNUSED("a") "," DRAINS("b") "," EMPTY("c") "]}\n" WEB,
		 "2: farms[0].servers: " NONE CLOSED},
		{"- {name: f, servers: [" UNUSED("a") "," USED("b") "]}\n" WEB, ""},
		/* nobody goes there */
		{"- {name: f, servers: [" USED("a") "]}\n- {name: g, servers: [" EMPTY(
			 "a") "]}\n" WEB,
		 ""},
		{"- {name: f, servers: [" USED("a") "]}\n- {name: g, servers: [" EMPTY(
			 "a") "]}\n" WEB
			      "routes: [{name: r, frontend: w, action: {type: farm, target: g}, "
			      "rules: [{field: sni, match: exists}]}]",
		 "3: farms[1].servers: " NONE CLOSED},
		{"- {name: f, fallback_farm: g, servers: [" UNUSED(
			 "a") "]}\n"
			      "- {name: g, servers: [" USED("a") "]}\n" WEB,
		 ""},
		{"- {name: f, fallback_farm: g}\n- {name: g, servers: [" EMPTY("a") "]}\n" WEB,
		 "2: farms[0].servers: " NONE ", nor one it falls back on" CLOSED},
	};

	for (size_t i = 0; i < COUNT(examples); i++) {
		char *yaml;

		assert_true(asprintf(&yaml, "farms:\n%s", examples[i].farms) > 0);
		expect_warnings(yaml, examples[i].warning);
		free(yaml);
	}
}

/* ---- frontends --------------------------------------------------------------------------- */

#define PORT_ALLOWED                                                                               \
	" is no port, allowed: 1..65535, ranges and lists of them such as \"80,8000-8100\""

static void ports_are_checked(void **state)
{
	static const struct example examples[] = {
		{"port: 443", NULL},
		{"port: \"443\"", NULL},
		{"port: 8000-8100", NULL},
		{"port: \"80,443,8000-8100\"", NULL},
		{"port: \" 80 , 443 \"", NULL},
		{"port: 1-65535", NULL},
		{"port: 0", "port: \"0\"" PORT_ALLOWED},
		{"port: -1", "port: \"-1\"" PORT_ALLOWED},
		{"port: \"\"", "port: \"\"" PORT_ALLOWED},
		{"port: 65536", "port: \"65536\"" PORT_ALLOWED},
		{"port: \"80,\"", "port: \"80,\"" PORT_ALLOWED},
		{"port: \"80,, 81\"", "port: \"80,, 81\"" PORT_ALLOWED},
		{"port: \" ,80\"", "port: \" ,80\"" PORT_ALLOWED},
		{"port: \"80,x\"", "port: \"x\"" PORT_ALLOWED},
		{"port: \"080\"", "port: \"080\"" PORT_ALLOWED},
		{"port: 8100-8000", "port: \"8100-8000\"" PORT_ALLOWED},
		{"port: 80-", "port: \"80-\"" PORT_ALLOWED},
		{"port: \"80,79-81\"", "port: \"80,79-81\" has port 80 twice, allowed: once"},
		{"port: [80]", "port: a list is not a string, allowed: 1..65535, ranges and lists "
			       "of them such as \"80,8000-8100\""},
	};

	check_frontends(examples, COUNT(examples));
}

static void ports_are_kept_in_order(void **state)
{
	struct config *config =
		decode("farms: [{name: f}]\n"
		       "frontends: [{name: w, port: \"8000-8100,80,443\", default_farm: f}]\n");
	const struct frontend *frontend = &config->frontends[0];

	assert_int_equal(frontend->n_ports, 3);
	assert_int_equal(frontend->ports[0].first, 80);
	assert_int_equal(frontend->ports[0].last, 80);
	assert_int_equal(frontend->ports[2].first, 8000);
	assert_int_equal(frontend->ports[2].last, 8100);
	config_free(config);
}

static void paths_are_checked(void **state)
{
	static const struct example examples[] = {
		{"port: 1, path: auto", NULL},
		{"port: 1, path: sockmap", NULL},
		{"port: 1, path: relay", NULL},
		{"port: 1, path: packet", NULL},
		{"port: 1, path: fast",
		 "path: \"fast\" is unknown, allowed: auto, packet, sockmap, relay, null"},
	};

	check_frontends(examples, COUNT(examples));
}

static void durations_need_a_unit(void **state)
{
	static const struct example examples[] = {
		{"port: 1, hello_timeout: 10ms", NULL},
		{"port: 1, hello_timeout: 1h", NULL},
		{"port: 1, connect_timeout: 5m", NULL},
		{"port: 1, idle_timeout: 0", NULL},
		{"port: 1, idle_timeout: 1d", NULL},
		{"port: 1, hello_timeout: 5", "hello_timeout: 5 has no unit, allowed: 10ms..1h "
					      "with a unit (ms, s, m, h, d), null"},
		{"port: 1, hello_timeout: 0", "hello_timeout: 0 is out of range, allowed: "
					      "10ms..1h with a unit (ms, s, m, h, d), null"},
		{"port: 1, hello_timeout: 9ms", "hello_timeout: \"9ms\" is out of range, allowed: "
						"10ms..1h with a unit (ms, s, m, h, d), null"},
		{"port: 1, connect_timeout: 6m",
		 "connect_timeout: \"6m\" is out of range, allowed: 10ms..5m with a unit (ms, s, "
		 "m, h, d), null"},
		{"port: 1, half_close_timeout: 0", NULL},
		{"port: 1, proxy_sources: null", NULL},
		{"port: 1, proxy_sources: [10.0.0.0/8, \"2000::/3\"]", NULL},
		{"port: 1, proxy_sources: [10.0.0.1/8]",
		 "proxy_sources[0]: \"10.0.0.1/8\" has bits set beyond its length, "
		 "allowed: 10.0.0.0/8"},
		{"port: 1, handshake: packet", NULL},
		{"port: 1, handshake: packet, path: packet, hello_timeout: 1s", NULL},
		{"port: 1, handshake: socket, path: relay, max_connections: 1", NULL},
		{"port: 1, handshake: none",
		 "handshake: \"none\" is unknown, allowed: socket, packet, null"},
		{"port: 1, handshake: packet, path: relay",
		 "handshake: is packet, allowed with path auto or packet"},
		{"port: 1, handshake: packet, denied_source: [10.0.0.0/8]",
		 "handshake: is packet, allowed without denied_source"},
		{"port: 1, handshake: packet, proxy_sources: [10.0.0.1]",
		 "handshake: is packet, allowed without proxy_sources"},
		{"port: 1, handshake: packet, max_connections: 7",
		 "handshake: is packet, allowed without max_connections"},
		{"port: 1, handshake: packet, source_rate_limit: 7",
		 "handshake: is packet, allowed without source_rate_limit"},
		{"port: 1, half_close_timeout: 12h", NULL},
		{"port: 1, half_close_timeout: 13h", "half_close_timeout: \"13h\" is out of range, "
						     "allowed: 0, 1s..12h with a unit (ms, "
						     "s, m, h, d), null"},
		{"port: 1, idle_timeout: 999ms",
		 "idle_timeout: \"999ms\" is out of range, allowed: 0, 1s..30d with a unit (ms, s, "
		 "m, h, d), null"},
		{"port: 1, idle_timeout: 60", "idle_timeout: 60 has no unit, allowed: 0, 1s..30d "
					      "with a unit (ms, s, m, h, d), null"},
		{"port: 1, idle_timeout: 1.5s",
		 "idle_timeout: \"1.5s\" is not a duration, allowed: 0, 1s..30d with a unit (ms, "
		 "s, m, h, d), null"},
		{"port: 1, idle_timeout: 99999999999999999999s",
		 "idle_timeout: \"99999999999999999999s\" is not a duration, allowed: 0, 1s..30d "
		 "with a unit (ms, s, m, h, d), null"},
	};

	check_frontends(examples, COUNT(examples));
}

static void durations_are_milliseconds(void **state)
{
	struct config *config =
		decode("farms: [{name: f}]\n"
		       "frontends: [{name: w, port: 1, default_farm: f, hello_timeout: 500ms, "
		       "connect_timeout: 2m, idle_timeout: 1h}]\n");

	assert_int_equal(config->frontends[0].hello_timeout, 500);
	assert_int_equal(config->frontends[0].connect_timeout, 120000);
	assert_int_equal(config->frontends[0].idle_timeout, 3600000);
	config_free(config);
}

static void frontend_attributes_out_of_scope_are_refused(void **state)
{
	static const struct example examples[] = {
		{"port: 1, ssl: false, default_ssl: null, rate_limit: null", NULL},
		{"port: 1, ssl: true",
		 "ssl: true is out of scope, TLS passes through untouched, allowed: false, null"},
		{"port: 1, default_ssl: 12",
		 "default_ssl: 12 is out of scope, TLS passes through untouched, allowed: null"},
		{"port: 1, rate_limit: 100", NULL},
		{"port: 1, rate_limit: 0",
		 "rate_limit: 0 is out of range, allowed: 1..4294967295, null"},
		{"port: 1, max_connections: 100", NULL},
		{"port: 1, max_connections: -1",
		 "max_connections: -1 is out of range, allowed: 0..4294967295, null"},
	};

	check_frontends(examples, COUNT(examples));
}

static void source_lists_are_checked(void **state)
{
	static const struct example examples[] = {
		{"port: 1, allowed_source: [10.0.0.0/8, 192.0.2.1, \"2001:db8::/32\"]", NULL},
		{"port: 1, denied_source: null", NULL},
		{"port: 1, allowed_source: 10.0.0.0/8",
		 "allowed_source: \"10.0.0.0/8\" is not a list, allowed: a list of 1..1000000 "
		 "addresses or CIDR blocks, null"},
		{"port: 1, allowed_source: []", "allowed_source: a list is empty, allowed: a list "
						"of 1..1000000 addresses or CIDR blocks, null"},
		{"port: 1, allowed_source: [10.1.2.3/8]",
		 "allowed_source[0]: \"10.1.2.3/8\" has bits set beyond its length, allowed: "
		 "10.0.0.0/8"},
		{"port: 1, allowed_source: [\"2001:db8::1/32\"]",
		 "allowed_source[0]: \"2001:db8::1/32\" has bits set beyond its length, allowed: "
		 "2001:db8::/32"},
		{"port: 1, denied_source: [\"::1\", 10.0.0.0/33]",
		 "denied_source[1]: \"10.0.0.0/33\" has a bad length, allowed: /0../32 of IPv4, "
		 "/0../128"},
		{"port: 1, denied_source: [\"::/0\"]",
		 "denied_source[0]: \"::/0\" would hold every IPv4 address, too, allowed: 2000::/3 "
		 "for the IPv6 Internet, 0.0.0.0/0 for IPv4"},
		{"port: 1, denied_source: [any]", "denied_source[0]: \"any\" is no address block, "
						  "allowed: an address or CIDR block"},
		{"port: 1, allowed_source: [10.0.0.1], denied_source: [10.0.0.2]",
		 "denied_source: stands beside allowed_source, allowed: one of them"},
	};

	check_frontends(examples, COUNT(examples));
}

static void source_lists_are_kept_in_one_order(void **state)
{
	struct config *config =
		decode("farms: [{name: f}]\n"
		       "frontends: [{name: w, port: 1, default_farm: f, allowed_source: [\"::1\", "
		       "192.0.2.1, 10.0.0.0/8, 192.0.2.1]}]\n");
	const struct prefix_list *list = &config->frontends[0].allowed_source;
	char text[64];

	assert_int_equal(list->n, 3);
	assert_string_equal(prefix_format(&list->v[0], text, 64), "10.0.0.0/8");
	assert_string_equal(prefix_format(&list->v[1], text, 64), "192.0.2.1");
	assert_string_equal(prefix_format(&list->v[2], text, 64), "::1");
	config_free(config);
}

static void dedicated_addresses_are_full(void **state)
{
	static const struct example examples[] = {
		{"port: 1, dedicated_ipfo: [192.0.2.1, 192.0.2.2/32, \"::1\"]", NULL},
		{"port: 1, dedicated_ipfo: [192.0.2.0/24]",
		 "dedicated_ipfo[0]: \"192.0.2.0/24\" is a block, allowed: a full address"},
		{"port: 1, dedicated_ipfo: [192.0.2.1/24]",
		 "dedicated_ipfo[0]: \"192.0.2.1/24\" is a block, allowed: a full address"},
		{"port: 1, dedicated_ipfo: [\"::/0\"]",
		 "dedicated_ipfo[0]: \"::/0\" is a block, allowed: a full address"},
		{"port: 1, dedicated_ipfo: [\"[::1]\"]",
		 "dedicated_ipfo[0]: \"[::1]\" is not an address, allowed: a full address"},
		{"port: 1, dedicated_ipfo: [x]",
		 "dedicated_ipfo[0]: \"x\" is a host name, not supported by this version, "
		 "allowed: a full address"},
		{"port: 1, dedicated_ipfo: [5]", "dedicated_ipfo[0]: 5 is not a string without "
						 "quotes, allowed: a full address"},
		{"port: 1, dedicated_ipfo: [\"fe80::1\"]",
		 "dedicated_ipfo[0]: \"fe80::1\" is link-local, not supported by this version, "
		 "allowed: a full address"},
	};

	check_frontends(examples, COUNT(examples));
}

/* ---- the packet path -------------------------------------------------------------------- */

#define SOME_FRONTEND "farms: [{name: f}]\nfrontends: [{name: w, port: 1, default_farm: f}]\n"

static void attributes_of_the_packet_path_are_checked(void **state)
{
	static const struct example examples[] = {
		{"nat_ports: 1024-65535", NULL},
		{"nat_ports: \"20000\"", NULL},
		{"nat_ports: null", NULL},
		{"nat_ports: 1023-2000", "nat_ports: \"1023-2000\" is no range of ports, allowed: "
					 "FIRST-LAST within 1024..65535, null"},
		{"nat_ports: 3000-2000", "nat_ports: \"3000-2000\" is no range of ports, allowed: "
					 "FIRST-LAST within 1024..65535, null"},
		{"nat_ports: 2000-65536", "nat_ports: \"2000-65536\" is no range of ports, "
					  "allowed: FIRST-LAST within 1024..65535, null"},
		{"nat_ports: \"2000-2001,3000\"",
		 "nat_ports: \"2000-2001,3000\" is no range of "
		 "ports, allowed: FIRST-LAST within 1024..65535, null"},
		{"nat_ip: [192.0.2.1, \"2001:db8::1\"]", NULL},
		{"nat_ip: null", NULL},
		{"nat_ip: []",
		 "nat_ip: a list is empty, allowed: a list of 1..256 addresses, null"},
		{"nat_ip: 192.0.2.1", "nat_ip: \"192.0.2.1\" is not a list, allowed: a list of "
				      "1..256 addresses, null"},
		{"nat_ip: [192.0.2.1, 192.0.2.0/24]",
		 "nat_ip[1]: \"192.0.2.0/24\" is a block, allowed: a full address"},
		{"nat_ip: [x/]", "nat_ip[0]: \"x/\" is not an address, allowed: a full address"},
		{"nat_ip: [\"febf::1\"]", "nat_ip[0]: \"febf::1\" is link-local, not supported by "
					  "this version, allowed: a full address"},
		{"max_flows: 1024", NULL},
		{"max_flows: 16777216", NULL},
		{"max_flows: null", NULL},
		{"max_flows: 1023",
		 "max_flows: 1023 is out of range, allowed: 1024..16777216, null"},
		{"max_flows: 16777217",
		 "max_flows: 16777217 is out of range, allowed: 1024..16777216, null"},
		{"accel: tc", NULL},
		{"accel: { eth0: xdp, eth1: auto }", NULL},
		{"accel: fast", "accel: \"fast\" is unknown, allowed: auto, xdp, tc, a mapping of "
				"names of interfaces to these, null"},
		{"accel: { eth0: 3 }", "accel.eth0: 3 is not a string without quotes, allowed: "
				       "auto, xdp, tc"},
		{"accel: { \"a/b\": xdp }", "accel.a/b: is no name of an interface, allowed: 1..15 "
					    "bytes without space, slash and colon"},
		{"max_flows: many",
		 "max_flows: \"many\" is not an integer, allowed: 1024..16777216, null"},
	};

	for (size_t i = 0; i < COUNT(examples); i++) {
		char *expected = NULL, *yaml;

		if (examples[i].message)
			assert_true(asprintf(&expected, "1: %s", examples[i].message) > 0);
		assert_true(asprintf(&yaml, "%s\n" SOME_FRONTEND, examples[i].yaml) > 0);
		expect_errors(yaml, expected ? expected : "");
		free(expected);
		free(yaml);
	}
}

static void attributes_of_the_packet_path_are_kept(void **state)
{
	struct config *preset = decode("zone: null\n" SOME_FRONTEND);
	struct config *config = decode("nat_ip: [\"2001:db8::1\", 192.0.2.2, 192.0.2.1]\n"
				       "nat_ports: 20000-29999\n"
				       "max_flows: 5000\n"
				       "accel: { eth0: xdp, eth1: tc }\n" SOME_FRONTEND);
	json_t *json = config_encode(preset);
	char buf[64];

	assert_int_equal(preset->nat_ports.first, 10240);
	assert_int_equal(preset->nat_ports.last, 32767);
	assert_int_equal(preset->max_flows, 1000000);
	assert_false(preset->nat_ip.set);
	assert_null(json_object_get(json, "nat_ports"));
	assert_null(json_object_get(json, "accel"));
	assert_int_equal(config_accel(preset, "eth0"), ACCEL_AUTO);
	assert_int_equal(config_accel(config, "eth0"), ACCEL_XDP);
	assert_int_equal(config_accel(config, "eth1"), ACCEL_TC);
	assert_int_equal(config_accel(config, "eth2"), ACCEL_AUTO);
	json_decref(json);
	assert_int_equal(config->nat_ports.first, 20000);
	assert_int_equal(config->nat_ports.last, 29999);
	assert_int_equal(config->max_flows, 5000);
	assert_int_equal(config->nat_ip.n, 3);
	assert_string_equal(prefix_format(&config->nat_ip.v[0], buf, sizeof(buf)), "192.0.2.1");
	json = config_encode(config);
	assert_string_equal(json_string_value(json_object_get(json, "nat_ports")), "20000-29999");
	assert_int_equal(json_integer_value(json_object_get(json, "max_flows")), 5000);
	assert_int_equal(json_array_size(json_object_get(json, "nat_ip")), 3);
	assert_int_equal(json_object_size(json_object_get(json, "accel")), 2);
	json_decref(json);
	config_free(config);
	config_free(preset);
}

static void settings_of_the_api_are_checked(void **state)
{
#define LISTEN_ALLOWED                                                                             \
	"allowed: a port, ADDRESS:PORT or [ADDRESS]:PORT, such as 127.0.0.1:8443, null"
	static const struct example examples[] = {
		{"listen: 8443", NULL},
		{"listen: \"8443\"", NULL},
		{"listen: 0.0.0.0:443", NULL},
		{"listen: \"[::]:443\"", NULL},
		{"listen: 0", "listen: 0 is no address and port, " LISTEN_ALLOWED},
		{"listen: 65536", "listen: 65536 is no address and port, " LISTEN_ALLOWED},
		{"listen: \"::1\"", "listen: \"::1\" is no address and port, " LISTEN_ALLOWED},
		{"listen: localhost:8443",
		 "listen: \"localhost:8443\" is no address and port, " LISTEN_ALLOWED},
		{"listen: \"[::1\"", "listen: \"[::1\" is no address and port, " LISTEN_ALLOWED},
		{"listen: \"[10.0.0.1]:1\"",
		 "listen: \"[10.0.0.1]:1\" is no address and port, " LISTEN_ALLOWED},
		{"listen: \":443\"", "listen: \":443\" is no address and port, " LISTEN_ALLOWED},
		{"listen: []", "listen: a list is not a string, " LISTEN_ALLOWED},
	};

	check_examples("{farms: [{name: f}], frontends: [{name: w, port: 1, default_farm: f}], "
		       "api: {certificate: /c, key: /k, ",
		       "}}\n", "api", examples, COUNT(examples));
	expect_errors("api: {certificate: c.pem}\n" SOME_FRONTEND,
		      "1: api.certificate: \"c.pem\" is no absolute path, allowed: the path of a "
		      "file in PEM format, beginning with /\n"
		      "1: api.key: is missing, allowed: the path of a file in PEM format, "
		      "beginning with /");
	expect_errors("api: 8443\n" SOME_FRONTEND,
		      "1: api: 8443 is not a mapping, allowed: a mapping with the keys listen, "
		      "certificate, key");
	expect_errors("api: null\n" SOME_FRONTEND, "");
}

static void settings_of_the_api_are_kept(void **state)
{
	struct config *config = decode("api: {certificate: /c, key: /k}\n" SOME_FRONTEND);
	struct config *other = decode(
		"api: {listen: \"[2001:db8::1]:443\", certificate: /c, key: /k}\n" SOME_FRONTEND);
	struct config *none = decode(SOME_FRONTEND);
	json_t *json = config_encode(other);
	char buf[64];

	assert_string_equal(endpoint_format(config->api.address, config->api.port, buf, 64),
			    "127.0.0.1:8443");
	assert_string_equal(config->api.certificate, "/c");
	assert_string_equal(config->api.key, "/k");
	assert_null(none->api.certificate);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "api"), "listen")),
		"[2001:db8::1]:443");
	json_decref(json);
	json = config_encode(none);
	assert_null(json_object_get(json, "api"));
	json_decref(json);
	config_free(config);
	config_free(other);
	config_free(none);
}

static void frontend_needs_a_way_out(void **state)
{
	expect_errors("farms: [{name: f}]\n"
		      "frontends:\n"
		      "  - {name: a, port: 1, disabled: true}\n"
		      "  - {name: b, port: 2}\n"
		      "  - {name: c, port: 3, default_farm: f}\n"
		      "  - {name: d, port: 4}\n"
		      "routes:\n"
		      "  - {name: r, frontend: b, action: {type: reject}}\n"
		      "  - name: s\n"
		      "    frontend: d\n"
		      "    action: {type: reject}\n"
		      "    rules: [{field: sni, match: exists}]\n",
		      "3: frontends[0].default_farm: is missing, allowed: a farm, or null beside a "
		      "route with rules\n"
		      "4: frontends[1].default_farm: is missing, allowed: a farm, or null beside a "
		      "route with rules");
}

static void unresolved_reference_is_one_mistake(void **state)
{
	expect_errors("frontends: [{name: w, port: 1, default_farm: x}]\n",
		      "1: frontends[0].default_farm: \"x\" is no farm, allowed: none, there is no "
		      "such object");
	expect_errors(
		"farms: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: g}]\n"
		"frontends: [{name: w, port: 1, default_farm: x}]\n",
		"2: frontends[0].default_farm: \"x\" is no farm, allowed: a, b, c, d, e, ...");
}

static void frontends_may_not_share_a_port(void **state)
{
	expect_errors("farms: [{name: f}]\n"
		      "frontends:\n"
		      "  - {name: a, port: 80-90, default_farm: f}\n"
		      "  - {name: b, port: \"70,85\", default_farm: f}\n",
		      "4: frontends[1].port: 85 belongs to the frontend \"a\" in line 3 on the "
		      "same address, allowed: ports of its own");
}

static void check_neighbours_in(const char *zone, const char *left, const char *right,
				bool conflict)
{
	char *yaml;

	assert_true(asprintf(&yaml,
			     "{zone: %s, farms: [{name: f}],\n"
			     "frontends: [{name: a, port: 80, default_farm: f%s}, "
			     "{name: b, port: 80, default_farm: f%s}]}\n",
			     zone, left, right) > 0);
	expect_errors(yaml,
		      conflict ? "2: frontends[1].port: 80 belongs to the frontend \"a\" in line "
				 "2 on the same address, allowed: ports of its own"
			       : "");
	free(yaml);
}

static void check_neighbours(const char *left, const char *right, bool conflict)
{
	check_neighbours_in("gra", left, right, conflict);
}

static void frontends_may_share_a_port_elsewhere(void **state)
{
	const char *one = ", dedicated_ipfo: [192.0.2.1, 192.0.2.2]";
	const char *two = ", dedicated_ipfo: [192.0.2.3, \"::1\"]";

	check_neighbours(one, two, false);
	check_neighbours(one, one, true);
	check_neighbours(one, "", true);
	check_neighbours("", ", disabled: true", false);
	check_neighbours(", zone: gra", ", zone: rbx", false);
	check_neighbours(", zone: gra", ", zone: all", true);
	check_neighbours(", zone: gra", "", true);
	check_neighbours_in("null", ", zone: gra", ", zone: rbx", true);
}

/* ---- routes and rules -------------------------------------------------------------------- */

static void check_action(const char *action, const char *message)
{
	char *yaml;

	assert_true(asprintf(&yaml,
			     "{farms: [{name: f}], frontends: [{name: w, port: 1, default_farm: "
			     "f}], routes: [{name: r, action: %s}]}",
			     action) > 0);
	expect_errors(yaml, message);
	free(yaml);
}

static void actions_are_checked(void **state)
{
	check_action("{type: farm, target: f}", "");
	check_action("{type: reject}", "");
	check_action("{type: reject, target: null}", "");
	check_action("{type: farm}", "1: routes[0].action.target: is missing, the action farm "
				     "needs one, allowed: the name of a farm");
	check_action("{type: farm, target: null}",
		     "1: routes[0].action.target: is missing, the action farm needs one, allowed: "
		     "the name of a farm");
	check_action("{type: reject, target: f}", "1: routes[0].action.target: \"f\" does not go "
						  "with the action reject, allowed: null");
	check_action("{type: none}",
		     "1: routes[0].action.type: \"none\" is unknown, allowed: farm, reject");
	check_action("{target: f}", "1: routes[0].action.type: is missing, allowed: farm, reject");
	check_action("reject", "1: routes[0].action: \"reject\" is not a mapping, allowed: a "
			       "mapping with the keys type, target");
}

static void route_without_rules_is_a_warning(void **state)
{
	expect_warnings("farms: [{name: f, servers: [{name: s, address: \"::1\"}]}]\n" FRONTEND_OF(
				"f") "routes:\n  - {name: r, action: {type: reject}}\n",
			"4: routes[0].rules: no rules: the route never matches");
}

static void route_weights_are_checked(void **state)
{
	expect_errors("routes: [{name: r, weight: 256, action: {type: reject}}]\n",
		      "1: routes[0].weight: 256 is out of range, allowed: 0..255, null");
}

static void rule_fields_and_matches_are_checked(void **state)
{
	static const struct example examples[] = {
		{"field: uri, match: exists",
		 "field: \"uri\" is unknown, allowed: protocol, source, sni, host, alpn, "
		 "tls.version, tls.ech"},
		{"field: protocol, match: exists",
		 "match: \"exists\" does not go with the field protocol, allowed: is, in"},
		{"field: source, match: startswith, pattern: 10.",
		 "match: \"startswith\" does not go with the field source, allowed: is, in"},
		{"field: tls.version, match: startswith, pattern: \"1.\"",
		 "match: \"startswith\" does not go with the field tls.version, allowed: is, in, "
		 "exists"},
		{"field: tls.ech, match: contains, pattern: x",
		 "match: \"contains\" does not go with the field tls.ech, allowed: is, in, exists"},
		{"field: sni, match: exists, sub_field: x",
		 "sub_field: \"x\" is of no use, no field of this version has sub-fields, allowed: "
		 "null"},
		{"field: sni, match: exists, pattern: null, sub_field: null, negate: true", NULL},
	};

	check_rules(examples, COUNT(examples));
}

static void exists_alone_takes_no_pattern(void **state)
{
	static const struct example examples[] = {
		{"field: alpn, match: exists", NULL},
		{"field: alpn, match: exists, pattern: h2",
		 "pattern: \"h2\" does not go with the match exists, allowed: null"},
		{"field: alpn, match: is",
		 "pattern: is missing, the match is needs one, allowed: a text of 1..255 bytes"},
		{"field: sni, match: in, pattern: null",
		 "pattern: is missing, the match in needs one, allowed: a text of 1..255 bytes"},
	};

	check_rules(examples, COUNT(examples));
}

static void protocol_patterns_are_checked(void **state)
{
	static const struct example examples[] = {
		{"field: protocol, match: is, pattern: tcp", NULL},
		{"field: protocol, match: in, pattern: \"tls, http ,https,http/1.1,ssh\"", NULL},
		{"field: protocol, match: in, pattern: [ssh, http/2.0]", NULL},
		{"field: protocol, match: is, pattern: h2",
		 "pattern: \"h2\" is no protocol, allowed: tcp, tls, http, https, http/1.1, "
		 "http/2.0, ssh"},
		{"field: protocol, match: is, pattern: \"ssh,tls\"",
		 "pattern: \"ssh,tls\" holds a comma, allowed: one pattern, a list needs the match "
		 "in"},
		{"field: protocol, match: in, pattern: [ssh, smtp]",
		 "pattern[1]: \"smtp\" is no protocol, allowed: tcp, tls, http, https, http/1.1, "
		 "http/2.0, ssh"},
	};

	check_rules(examples, COUNT(examples));
}

static void tls_patterns_are_checked(void **state)
{
	static const struct example examples[] = {
		{"field: tls.version, match: exists", NULL},
		{"field: tls.version, match: is, pattern: \"1.3\"", NULL},
		{"field: tls.version, match: in, pattern: \"ssl3, 1.0 , 1.1,1.2\"", NULL},
		{"field: tls.version, match: is, pattern: 1.3",
		 "pattern: 1.3 is not a string without quotes, allowed: a text of 1..255 bytes"},
		{"field: tls.version, match: is, pattern: tls1.3",
		 "pattern: \"tls1.3\" is no TLS version, allowed: ssl3, 1.0, 1.1, 1.2, 1.3"},
		{"field: tls.version, match: is, pattern: later",
		 "pattern: \"later\" is no TLS version, allowed: ssl3, 1.0, 1.1, 1.2, 1.3"},
		{"field: tls.ech, match: exists, negate: true", NULL},
		{"field: tls.ech, match: in, pattern: [present, absent]", NULL},
		{"field: tls.ech, match: is, pattern: \"yes\"",
		 "pattern: \"yes\" is no state of ECH, allowed: present, absent"},
		{"field: tls.ech, match: exists, pattern: present",
		 "pattern: \"present\" does not go with the match exists, allowed: null"},
	};

	check_rules(examples, COUNT(examples));
}

static void expressions_are_checked(void **state)
{
	static const struct example examples[] = {
		{"field: sni, match: matches, pattern: \"^[a-z]{1,3}[.](de|fr)$\"", NULL},
		{"field: alpn, match: matches, pattern: \"^h[23]$\", negate: true", NULL},
		{"field: host, match: matches, pattern: \"x*\"", NULL},
		{"field: sni, match: matches, pattern: \"a(b\"",
		 "pattern: \"a(b\" is wrong behind byte 3: missing closing parenthesis, allowed: a "
		 "PCRE2 pattern"},
		{"field: alpn, match: matches, pattern: \"*a\"",
		 "pattern: \"*a\" is wrong behind byte 0: quantifier does not follow a repeatable "
		 "item, allowed: a PCRE2 pattern"},
		{"field: sni, match: matches, pattern: \"(((a{50}){50}){50}){50}\"",
		 "pattern: \"(((a{50}){50}){50}){50}\" is wrong behind byte 23: regular expression "
		 "is too large, allowed: a PCRE2 pattern"},
		{"field: sni, match: matches, pattern: [a]",
		 "pattern: is a list, allowed: a string, a list needs the match in"},
		{"field: sni, match: matches", "pattern: is missing, the match matches needs one, "
					       "allowed: a text of 1..255 bytes"},
		{"field: sni, match: matches, pattern: \"\"",
		 "pattern: \"\" holds an empty pattern, allowed: 1 byte at least"},
		{"field: source, match: matches, pattern: \"^10[.]\"",
		 "match: \"matches\" does not go with the field source, allowed: is, in"},
		{"field: tls.version, match: matches, pattern: \"1\"",
		 "match: \"matches\" does not go with the field tls.version, allowed: is, in, "
		 "exists"},
	};

	check_rules(examples, COUNT(examples));
}

static void source_patterns_are_checked(void **state)
{
	static const struct example examples[] = {
		{"field: source, match: is, pattern: 10.0.0.0/8", NULL},
		{"field: source, match: in, pattern: \"10.0.0.0/8, 2001:db8::/32\"", NULL},
		{"field: source, match: is, pattern: 10.1.2.3/8",
		 "pattern: \"10.1.2.3/8\" has bits set beyond its length, allowed: 10.0.0.0/8"},
		{"field: source, match: in, pattern: \"10.0.0.0/8, x\"",
		 "pattern: \"x\" is no address block, allowed: an address or CIDR block"},
	};

	check_rules(examples, COUNT(examples));
}

static void server_name_patterns_are_checked(void **state)
{
	static const struct example examples[] = {
		{"field: sni, match: is, pattern: \"\"",
		 "pattern: \"\" holds an empty pattern, allowed: 1 byte at least"},
		{"field: sni, match: is, pattern: .",
		 "pattern: \".\" is nothing without its trailing dot, allowed: a name"},
		{"field: sni, match: in, pattern: \"a, ,b,\"",
		 "pattern: \"a, ,b,\" holds an empty pattern, allowed: 1 byte at least"},
		{"field: sni, match: in, pattern: []",
		 "pattern: is empty, allowed: at least one pattern"},
		{"field: sni, match: is, pattern: [a]",
		 "pattern: is a list, allowed: a string, a list needs the match in"},
		{"field: sni, match: is, pattern: 5",
		 "pattern: 5 is not a string without quotes, allowed: a text of 1..255 bytes"},
		{"field: sni, match: is, pattern: \"*.example.com\"",
		 "pattern: \"*.example.com\" holds *, which is no wildcard, allowed: the match "
		 "endswith or contains "
		 "without it"},
		{"field: sni, match: is, pattern: bücher.example",
		 "pattern: \"bücher.example\" is not ASCII, allowed: its form as xn--..."},
		{"field: sni, match: is, pattern: a b",
		 "pattern: \"a b\" has a space or control character, allowed: a server name"},
	};

	check_rules(examples, COUNT(examples));
}

static void check_server_name(const char *rule, const char *expected)
{
	struct config *config = decode_rule(rule);
	const struct rule *decoded = &config->routes[0].rules[0];

	assert_int_equal(decoded->field, FIELD_SNI);
	assert_string_equal(decoded->patterns[0].text, expected);
	assert_int_equal(decoded->patterns[0].len, strlen(expected));
	config_free(config);
}

static void server_name_patterns_are_lower_case_without_a_trailing_dot(void **state)
{
	check_server_name("field: sni, match: is, pattern: WWW.Example.COM.", "www.example.com");
	check_server_name("field: host, match: in, pattern: [A.]", "a");
	check_server_name("field: sni, match: endswith, pattern: .Example.com.", ".example.com");
	check_server_name("field: sni, match: startswith, pattern: WWW.", "www.");
	check_server_name("field: sni, match: contains, pattern: .B.", ".b.");
}

static void rule_keeps_its_pattern_as_written(void **state)
{
	struct config *config = decode_rule("field: sni, match: in, pattern: \"A. ,  b\"");

	assert_string_equal(config->routes[0].rules[0].text, "A. ,  b");
	assert_int_equal(config->routes[0].rules[0].n_patterns, 2);
	assert_string_equal(config->routes[0].rules[0].patterns[1].text, "b");
	config_free(config);
}

static void alpn_patterns_are_bytes(void **state)
{
	struct config *config = decode_rule("field: alpn, match: is, pattern: \"a,H2 .\\x01\"");

	assert_string_equal(config->routes[0].rules[0].patterns[0].text, "a,H2 .\x01");
	config_free(config);
}

static void alpn_list_cannot_hold_a_comma(void **state)
{
	static const struct example examples[] = {
		{"field: alpn, match: in, pattern: [h2, \"http/1.1\"]", NULL},
		{"field: alpn, match: in, pattern: [h2, \"a,b\"]",
		 "pattern[1]: \"a,b\" holds a comma, allowed: a list of patterns that do not, or a "
		 "rule with the match is"},
		{"field: alpn, match: in, pattern: [\" h2\"]",
		 "pattern[0]: \" h2\" begins or ends with a space, allowed: a list of patterns "
		 "that do not, or a rule with the match is"},
	};

	check_rules(examples, COUNT(examples));
}

static void check_pattern_length(int len, const char *message)
{
	char *rule;
	struct example example = {.message = message};

	assert_true(asprintf(&rule, "field: alpn, match: is, pattern: %0*d", len, 0) > 0);
	rule[strlen(rule) - 1] = 'a';
	example.yaml = rule;
	check_rules(&example, 1);
	free(rule);
}

static void patterns_have_at_most_255_bytes(void **state)
{
	check_pattern_length(255, NULL);
	check_pattern_length(256, "pattern: \"0000000000000000000000000000000000000000...\" has "
				  "256 bytes, allowed: at most 255");
}

static void route_has_at_most_16_rules(void **state)
{
	char *yaml;
	size_t size;
	FILE *out = open_memstream(&yaml, &size);

	fputs("routes: [{name: r, action: {type: reject}, rules: [", out);
	for (int i = 0; i < RULES_PER_ROUTE + 1; i++)
		fputs("{field: sni, match: exists}, ", out);
	fputs("]}]\n", out);
	fclose(out);
	expect_errors(yaml, "1: routes[0].rules: 17 rules, allowed: at most 16");
	free(yaml);
}

static char *many_routes(int n)
{
	char *yaml;
	size_t size;
	FILE *out = open_memstream(&yaml, &size);

	fputs("farms: [{name: f}]\nfrontends:\n  - {name: w, port: 1, default_farm: f}\nroutes:\n",
	      out);
	for (int i = 0; i < n; i++)
		fprintf(out, "  - {name: r%d, frontend: w, action: {type: reject}}\n", i);
	fclose(out);
	return yaml;
}

static void frontend_has_at_most_4096_routes(void **state)
{
	char *yaml = many_routes(ROUTES_PER_FRONTEND);

	expect_errors(yaml, "");
	free(yaml);
	yaml = many_routes(ROUTES_PER_FRONTEND + 1);
	expect_errors(yaml, "3: frontends[0]: 4097 routes, allowed: at most 4096");
	free(yaml);
}

/* Routes r0.. in file order, as "r2 r0 r1" in order of evaluation. */
static void check_order(const char *routes, const char *expected)
{
	char *yaml, order[64] = "";
	struct config *config;
	struct route **sorted;
	size_t n;

	assert_true(asprintf(&yaml,
			     "farms: [{name: f}]\n"
			     "frontends: [{name: w, port: 1, default_farm: f}]\n"
			     "routes:\n%s",
			     routes) > 0);
	config = decode(yaml);
	sorted = config_routes_in_order(config, &config->frontends[0], &n);
	for (size_t i = 0; i < n; i++)
		strcat(strcat(order, i ? " " : ""), sorted[i]->o.name);
	assert_string_equal(order, expected);
	free(sorted);
	config_free(config);
	free(yaml);
}

static void routes_stand_in_order_of_evaluation(void **state)
{
	check_order("  - {name: r0, frontend: w, weight: 9, action: {type: farm, target: f}}\n"
		    "  - {name: r1, frontend: w, weight: 1, action: {type: farm, target: f}}\n"
		    "  - {name: r2, frontend: w, weight: 200, action: {type: reject}}\n"
		    "  - {name: r3, action: {type: reject}}\n"
		    "  - {name: r4, frontend: w, weight: 1, action: {type: farm, target: f}}\n"
		    "  - {name: r5, frontend: w, action: {type: farm, target: f}}\n",
		    "r2 r5 r1 r4 r0");
}

/* ---- zones ------------------------------------------------------------------------------- */

static void objects_belong_to_their_zone(void **state)
{
	struct config *config = decode("zone: gra\nfarms: [{name: f}]\n" FRONTEND_OF("f"));

	assert_true(config_in_zone(config, "gra"));
	assert_true(config_in_zone(config, "all"));
	assert_true(config_in_zone(config, NULL));
	assert_false(config_in_zone(config, "rbx"));
	config_free(config);
	config = decode("zone: null\nfarms: [{name: f}]\n" FRONTEND_OF("f"));
	assert_true(config_in_zone(config, "rbx"));
	config_free(config);
}

static void farm_of_another_zone_is_no_use_to_a_frontend(void **state)
{
	expect_errors("zone: gra\n"
		      "farms: [{name: f, zone: rbx}, {name: g, zone: all}]\n"
		      "frontends:\n"
		      "  - {name: a, port: 1, default_farm: f}\n"
		      "  - {name: b, port: 2, default_farm: f, zone: rbx}\n"
		      "  - {name: c, port: 3, default_farm: g}\n"
		      "routes:\n"
		      "  - name: r\n"
		      "    frontend: c\n"
		      "    action: {type: farm, target: f}\n",
		      "4: frontends[0].default_farm: \"f\" is a farm of the zone \"rbx\", allowed: "
		      "a farm of \"gra\" or all\n"
		      "10: routes[0].action.target: \"f\" is a farm of the zone \"rbx\", allowed: "
		      "a farm of \"gra\" or all");
}

static void an_instance_that_opens_nothing_is_a_warning(void **state)
{
	static const char farm[] = "farms: [{name: f, servers: [" USED("s") "]}]\n";
	static const struct {
		const char *zone, *frontends, *warning;
	} examples[] = {
		{"zone: gra", "{name: w, zone: GRA, port: 1, default_farm: f}",
		 "3: frontends: none listens here: each is disabled, or not of the zone \"gra\""},
		{"zone: gra",
		 "{name: w, zone: GRA, port: 1, default_farm: f}, {name: v, port: 2, default_farm: "
		 "f}",
		 ""},
		{"nat_ports: null", "{name: w, disabled: true, port: 1, default_farm: f}",
		 "3: frontends: none listens here: each is disabled"},
		{"nat_ports: null", "{name: w, zone: rbx, port: 1, default_farm: f}", ""},
	};

	for (size_t i = 0; i < COUNT(examples); i++) {
		char *yaml;

		assert_true(asprintf(&yaml, "%s\n%sfrontends: [%s]\n", examples[i].zone, farm,
				     examples[i].frontends) > 0);
		expect_warnings(yaml, examples[i].warning);
		free(yaml);
	}
}

static void instance_has_one_zone(void **state)
{
	expect_errors(
		"zone: all\n",
		"1: zone: \"all\" is of objects, allowed: the name of this instance's zone, null");
}

/* ---- encoding and ids -------------------------------------------------------------------- */

static const char everything[] =
	"zone: gra\n"
	"farms:\n"
	"  - {id: 7, name: f, display_name: \"d \\u0007 é\", zone: gra, port: 8443, balance: "
	"first,\n"
	"     stickiness: sourceIp, probe: {type: tcp, interval: 1s}, vrack_network_id: 5, "
	"servers: [\n"
	"     {id: 9, name: s, display_name: x, address: \"::1\", port: 1, status: inactive,\n"
	"      weight: 0, backup: true, probe: true, proxy_protocol_version: v2-ssl,\n"
	"      proxy_tlvs: [crc32c, alpn],\n"
	"      on_marked_down: shutdown-sessions, max_connections: 7, slow_start: 3s}]}\n"
	"frontends:\n"
	"  - {id: 3, name: w, zone: all, port: \"1,3-5\", default_farm: f,\n"
	"     denied_source: [10.0.0.0/8], dedicated_ipfo: [\"::1\"], disabled: true, path: "
	"relay,\n"
	"     hello_timeout: 90s, connect_timeout: 10ms, idle_timeout: 1d, half_close_timeout: "
	"5s,\n"
	"     proxy_sources: [\"2001:db8::/32\"], max_connections: 4,\n"
	"     rate_limit: 9}\n"
	"routes:\n"
	"  - {id: 2, name: r, display_name: z, frontend: w, weight: 255,\n"
	"     action: {type: farm, target: f}, rules: [\n"
	"     {id: 11, name: n, display_name: y, field: host, match: in, negate: true,\n"
	"      pattern: [A., b]}, {field: alpn, match: exists}]}\n"
	"  - {name: q, action: {type: reject}}\n";

static void encoding_leaves_defaults_out(void **state)
{
	struct config *config = decode("farms: [{name: f, balance: roundrobin, port: null}]\n"
				       "frontends: [{name: w, port: 443, default_farm: f, path: "
				       "auto, idle_timeout: 0, hello_timeout: 3s}]\n");
	json_t *json = config_encode(config);
	char *text = json_dumps(json, JSON_COMPACT);

	assert_string_equal(text, "{\"farms\":[{\"name\":\"f\"}],\"frontends\":[{\"name\":\"w\","
				  "\"port\":\"443\",\"default_farm\":\"f\"}]}");
	free(text);
	json_decref(json);
	config_free(config);
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
	struct config *config = decode(everything), *again;
	json_t *first = config_encode(config), *second;
	char *text = json_dumps(first, 0);

	again = decode(text);
	second = config_encode(again);
	assert_true(json_equal(first, second));
	assert_int_equal(again->farms[0].o.id, 7);
	assert_int_equal(again->farms[0].servers[0].o.id, 9);
	assert_int_equal(again->frontends[0].idle_timeout, 86400000);
	assert_int_equal(again->routes[0].rules[0].o.id, 11);
	assert_string_equal(again->farms[0].o.display_name, "d \a é");
	free(text);
	json_decref(first);
	json_decref(second);
	config_free(config);
	config_free(again);
}

static void new_objects_get_ids_in_order(void **state)
{
	struct config *config = decode(example_file);

	assert_int_equal(config_assign_ids(config, NULL, NULL), 0);
	assert_int_equal(config->farms[0].o.id, 1);
	assert_int_equal(config->farms[1].o.id, 2);
	assert_int_equal(config->farms[1].servers[0].o.id, 3);
	assert_int_equal(config->routes[0].rules[0].o.id, 1);
	config_free(config);
}

static void ids_of_the_file_are_kept(void **state)
{
	struct config *config =
		decode("farms: [{name: a}, {name: b, id: 2}, {name: c}]\n" FRONTEND_OF("a"));

	assert_int_equal(config_assign_ids(config, NULL, NULL), 0);
	assert_int_equal(config->farms[0].o.id, 3);
	assert_int_equal(config->farms[1].o.id, 2);
	assert_int_equal(config->farms[2].o.id, 4);
	config_free(config);
}

static void ids_stay_with_names_over_a_change(void **state)
{
	struct config *before = decode(
		"farms: [{name: a, servers: [{name: s, address: \"::1\"}]},\n"
		"        {name: b, servers: [{name: s, address: \"::1\"}]}]\n" FRONTEND_OF("a"));
	struct config *after = decode("farms: [{name: c, servers: [{name: s, address: \"::1\"}]},\n"
				      "        {name: b, servers: [{name: t, address: \"::1\"}, "
				      "{name: s, address: \"::2\"}]}]\n" FRONTEND_OF("b"));

	assert_int_equal(config_assign_ids(before, NULL, NULL), 0);
	assert_int_equal(config_assign_ids(after, before, NULL), 0);
	assert_int_equal(after->farms[0].o.id, 3); /* 1 was a's */
	assert_int_equal(after->farms[1].o.id, 2);
	assert_int_equal(after->farms[0].servers[0].o.id, 3);
	assert_int_equal(after->farms[1].servers[0].o.id, 4);
	assert_int_equal(after->farms[1].servers[1].o.id, 2);
	config_free(before);
	config_free(after);
}

static void rules_keep_ids_by_place(void **state)
{
	const char *yaml = "farms: [{name: f}]\n" FRONTEND_OF(
		"f") "routes: [{name: r, action: {type: reject}, rules: [{field: sni, match: "
		     "exists}, {field: alpn, match: exists}]}]\n";
	struct config *before = decode(yaml), *after = decode(yaml);

	before->routes[0].rules[0].o.id = 30;
	before->routes[0].rules[1].o.id = 20;
	assert_int_equal(config_assign_ids(after, before, NULL), 0);
	assert_int_equal(after->routes[0].rules[0].o.id, 30);
	assert_int_equal(after->routes[0].rules[1].o.id, 20);
	config_free(before);
	config_free(after);
}

static void free_ids_are_reused_when_the_highest_is_taken(void **state)
{
	struct config *before = decode("farms: [{name: x, id: 1}]\n" FRONTEND_OF("x"));
	struct config *after = decode(
		"farms: [{name: a, id: 4096}, {name: b}, {name: c, id: 2}]\n" FRONTEND_OF("a"));

	assert_int_equal(config_assign_ids(after, before, NULL), 0);
	assert_int_equal(after->farms[1].o.id, 3); /* 1 belonged to another one */
	config_free(before);
	config_free(after);
}

static char *many_farms(int n, char prefix)
{
	char *yaml;
	size_t size;
	FILE *out = open_memstream(&yaml, &size);

	fprintf(out, "frontends: [{name: w, port: 1, default_farm: %c0}]\nfarms:\n", prefix);
	for (int i = 0; i < n; i++)
		fprintf(out, "  - {name: %c%d}\n", prefix, i);
	fclose(out);
	return yaml;
}

static void every_object_can_be_replaced_at_the_limit(void **state)
{
	char *old = many_farms(MAX_FARMS, 'a'), *new = many_farms(MAX_FARMS, 'b');
	struct config *before = decode(old), *after = decode(new);

	assert_int_equal(config_assign_ids(before, NULL, NULL), 0);
	assert_int_equal(before->farms[MAX_FARMS - 1].o.id, MAX_FARMS);
	assert_int_equal(config_assign_ids(after, before, NULL), 0);
	assert_int_equal(after->farms[0].o.id, 1);
	config_free(before);
	config_free(after);
	free(old);
	free(new);
}

static void who_refers_to_an_object_without_a_name_is_not_at_fault(void **state)
{
	expect_errors("farms: [{name: null}, {name: two}]\n"
		      "frontends: [{name: w, port: 1, default_farm: one}]\n",
		      "1: farms[0].name: null is not a string without quotes, allowed: 1..50 of "
		      "A-Z a-z 0-9 . _ -");
}

static void farms_have_a_limit(void **state)
{
	char *yaml = many_farms(MAX_FARMS + 1, 'a');

	expect_errors(yaml, "1: frontends[0].default_farm: \"a0\" is no farm, allowed: none, there "
			    "is no such object\n"
			    "2: farms: 4097 farms, allowed: at most 4096");
	free(yaml);
}

/* ---- addresses and names ------------------------------------------------------------------ */

static void check_prefix(const char *text, const char *formatted)
{
	struct prefix prefix;
	char buf[64];

	assert_int_equal(prefix_parse(text, &prefix), 0);
	assert_string_equal(prefix_format(&prefix, buf, sizeof(buf)), formatted);
}

static void prefixes_are_parsed_and_formatted(void **state)
{
	struct prefix prefix;

	check_prefix("10.0.0.0/8", "10.0.0.0/8");
	check_prefix("10.0.0.1", "10.0.0.1");
	check_prefix("10.0.0.1/32", "10.0.0.1");
	check_prefix("0.0.0.0/0", "0.0.0.0/0");
	check_prefix("::ffff:10.0.0.0/104", "10.0.0.0/8");
	check_prefix("2001:DB8::/32", "2001:db8::/32");
	check_prefix("::1", "::1");
	assert_int_equal(prefix_parse("10.0.0.0/8", &prefix), 0);
	assert_int_equal(prefix.length, 104);
}

static void bad_prefixes_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"/8",
		"10.0.0.1/8",
		"10.0.0.0/",
		"10.0.0.0/08",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0",
		"::/129",
		"::1/64",
		"::/0",
		"a.b.c.d",
		" ::1",
		"::1%lo",
		"::/99999999999999999999",
	};
	struct prefix prefix;

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_not_equal(prefix_parse(bad[i], &prefix), 0);
}

static void endpoints_are_formatted(void **state)
{
	struct prefix prefix;
	char buf[64];

	prefix_parse("10.0.0.1", &prefix);
	assert_string_equal(endpoint_format(prefix.address, 443, buf, 64), "10.0.0.1:443");
	assert_string_equal(endpoint_format(prefix.address, 0, buf, 64), "10.0.0.1");
	prefix_parse("2001:db8::1", &prefix);
	assert_string_equal(endpoint_format(prefix.address, 443, buf, 64), "[2001:db8::1]:443");
	assert_string_equal(endpoint_format(prefix.address, 0, buf, 64), "2001:db8::1");
}

static void enum_values_have_names(void **state)
{
	assert_string_equal(path_name(PATH_PACKET), "packet");
	assert_string_equal(balance_name(BALANCE_FIRST), "first");
	assert_string_equal(action_name(ACTION_NONE), "none");
	assert_string_equal(field_name(FIELD_SNI), "sni");
	assert_string_equal(match_name(MATCH_EXISTS), "exists");
	assert_string_equal(proxy_protocol_name(PROXY_PROTOCOL_NONE), "none");
	assert_string_equal(verdict_name(VERDICT_SSLV2), "sslv2");
	assert_string_equal(verdict_name(VERDICT_MAX), "?");
	for (int i = 0; i < VERDICT_MAX; i++)
		assert_string_not_equal(verdict_name(i), "?");
}

static void half_built_configurations_are_freed(void **state)
{
	config_free(NULL);
	config_free(calloc(1, sizeof(struct config)));
	document_free(NULL);
	problems_free(NULL);
}

/* ---- all of them -------------------------------------------------------------------------- */

static const struct CMUnitTest of_text[] = {
	cmocka_unit_test(example_file_of_the_design_is_decoded),
	cmocka_unit_test(what_is_not_acted_on_is_a_warning),
	cmocka_unit_test(json_is_accepted),
	cmocka_unit_test(defaults_apply_when_unset),
	cmocka_unit_test(null_zero_and_unset_differ),
	cmocka_unit_test(problems_name_line_and_path_in_order_of_the_file),
	cmocka_unit_test(problem_is_formatted_with_its_file),
	cmocka_unit_test(line_of_a_path_is_found),
	cmocka_unit_test(unknown_key_gets_a_suggestion),
	cmocka_unit_test(wrong_kinds_of_value_are_named),
	cmocka_unit_test(long_and_binary_values_are_cut_and_escaped),
	cmocka_unit_test(thousands_of_mistakes_are_counted_and_cut),
	cmocka_unit_test(configuration_without_frontends_is_refused),
	cmocka_unit_test(syntax_errors_name_their_line),
	cmocka_unit_test(unquoted_address_gets_a_hint),
	cmocka_unit_test(tabs_get_a_hint),
	cmocka_unit_test(line_breaks_may_be_of_any_system),
	cmocka_unit_test(files_of_10_mb_are_read),
	cmocka_unit_test(numbers_are_quoted_as_what_they_are),
	cmocka_unit_test(no_bytes_confuse_the_decoder),
	cmocka_unit_test(names_in_messages_are_escaped),
	cmocka_unit_test(keys_given_twice_are_refused),
	cmocka_unit_test(anchors_and_aliases_are_refused),
	cmocka_unit_test(tags_are_refused),
	cmocka_unit_test(second_document_is_refused),
	cmocka_unit_test(empty_text_is_refused),
	cmocka_unit_test(deep_nesting_is_refused),
	cmocka_unit_test(mapping_as_a_key_is_refused),
	cmocka_unit_test(text_that_is_not_utf8_is_refused),
	cmocka_unit_test(characters_that_could_not_be_stored_are_refused),
	cmocka_unit_test(byte_order_mark_is_skipped),
	cmocka_unit_test(words_that_other_yaml_takes_for_booleans_are_text),
	cmocka_unit_test(file_that_cannot_be_read_is_a_problem),
	cmocka_unit_test(file_is_loaded),
};

static const struct CMUnitTest of_objects[] = {
	cmocka_unit_test(server_integers_are_checked),
	cmocka_unit_test(server_enums_are_checked),
	cmocka_unit_test(server_attributes_out_of_scope_are_refused),
	cmocka_unit_test(server_addresses_are_checked),
	cmocka_unit_test(required_attributes_are_missed),
	cmocka_unit_test(names_are_checked),
	cmocka_unit_test(names_are_unique_per_kind),
	cmocka_unit_test(server_names_are_unique_within_their_farm),
	cmocka_unit_test(ids_are_unique_per_kind),
	cmocka_unit_test(farm_attributes_are_checked),
	cmocka_unit_test(probes_are_checked),
	cmocka_unit_test(settings_of_probes_are_checked),
	cmocka_unit_test(a_probe_that_does_nothing_is_a_warning),
	cmocka_unit_test(fallbacks_are_checked),
	cmocka_unit_test(farm_without_servers_is_a_warning),
	cmocka_unit_test(a_farm_whose_servers_are_all_out_of_use_is_a_warning),
	cmocka_unit_test(ports_are_checked),
	cmocka_unit_test(ports_are_kept_in_order),
	cmocka_unit_test(paths_are_checked),
	cmocka_unit_test(durations_need_a_unit),
	cmocka_unit_test(durations_are_milliseconds),
	cmocka_unit_test(frontend_attributes_out_of_scope_are_refused),
	cmocka_unit_test(source_lists_are_checked),
	cmocka_unit_test(source_lists_are_kept_in_one_order),
	cmocka_unit_test(dedicated_addresses_are_full),
	cmocka_unit_test(attributes_of_the_packet_path_are_checked),
	cmocka_unit_test(attributes_of_the_packet_path_are_kept),
	cmocka_unit_test(settings_of_the_api_are_checked),
	cmocka_unit_test(settings_of_the_api_are_kept),
	cmocka_unit_test(frontend_needs_a_way_out),
	cmocka_unit_test(unresolved_reference_is_one_mistake),
	cmocka_unit_test(frontends_may_not_share_a_port),
	cmocka_unit_test(frontends_may_share_a_port_elsewhere),
	cmocka_unit_test(actions_are_checked),
	cmocka_unit_test(route_without_rules_is_a_warning),
	cmocka_unit_test(route_weights_are_checked),
	cmocka_unit_test(rule_fields_and_matches_are_checked),
	cmocka_unit_test(exists_alone_takes_no_pattern),
	cmocka_unit_test(protocol_patterns_are_checked),
	cmocka_unit_test(tls_patterns_are_checked),
	cmocka_unit_test(expressions_are_checked),
	cmocka_unit_test(source_patterns_are_checked),
	cmocka_unit_test(server_name_patterns_are_checked),
	cmocka_unit_test(server_name_patterns_are_lower_case_without_a_trailing_dot),
	cmocka_unit_test(rule_keeps_its_pattern_as_written),
	cmocka_unit_test(alpn_patterns_are_bytes),
	cmocka_unit_test(alpn_list_cannot_hold_a_comma),
	cmocka_unit_test(patterns_have_at_most_255_bytes),
	cmocka_unit_test(route_has_at_most_16_rules),
	cmocka_unit_test(frontend_has_at_most_4096_routes),
	cmocka_unit_test(routes_stand_in_order_of_evaluation),
	cmocka_unit_test(objects_belong_to_their_zone),
	cmocka_unit_test(farm_of_another_zone_is_no_use_to_a_frontend),
	cmocka_unit_test(an_instance_that_opens_nothing_is_a_warning),
	cmocka_unit_test(instance_has_one_zone),
};

static const struct CMUnitTest of_values[] = {
	cmocka_unit_test(encoding_leaves_defaults_out),
	cmocka_unit_test(what_is_encoded_decodes_to_the_same),
	cmocka_unit_test(new_objects_get_ids_in_order),
	cmocka_unit_test(ids_of_the_file_are_kept),
	cmocka_unit_test(ids_stay_with_names_over_a_change),
	cmocka_unit_test(rules_keep_ids_by_place),
	cmocka_unit_test(free_ids_are_reused_when_the_highest_is_taken),
	cmocka_unit_test(every_object_can_be_replaced_at_the_limit),
	cmocka_unit_test(who_refers_to_an_object_without_a_name_is_not_at_fault),
	cmocka_unit_test(farms_have_a_limit),
	cmocka_unit_test(prefixes_are_parsed_and_formatted),
	cmocka_unit_test(bad_prefixes_are_refused),
	cmocka_unit_test(endpoints_are_formatted),
	cmocka_unit_test(enum_values_have_names),
	cmocka_unit_test(half_built_configurations_are_freed),
};

int main(void)
{
	int failed = cmocka_run_group_tests(of_text, NULL, NULL);

	failed += cmocka_run_group_tests(of_objects, NULL, NULL);
	failed += cmocka_run_group_tests(of_values, NULL, NULL);
	return failed;
}
