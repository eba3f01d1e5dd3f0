/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/model/staged.h"

#define TWO_FARMS                                                                                  \
	"farms: [{name: one, servers: [{name: a, address: 10.0.0.1}]}, {name: two}]\n"             \
	"frontends: [{name: web, port: 443, default_farm: one}]\n"

/* ---- helpers --------------------------------------------------------------------------- */

static void stage(struct staged *staged, const char *yaml)
{
	struct problems problems = {0};
	struct document *document = document_parse(yaml, strlen(yaml), &problems);
	struct config *config = config_decode(document, &problems);

	assert_non_null(config);
	assert_int_equal(0, staged_replace(staged, (json_t *)document_root(document), config,
					   staged->config));
	document_free(document);
	problems_free(&problems);
}

static struct staged *start(const char *yaml)
{
	struct staged *staged = calloc(1, sizeof(*staged));

	stage(staged, yaml);
	staged_refreshed(staged, NULL);
	return staged;
}

static void end(struct staged *staged)
{
	staged_free(staged);
	free(staged);
}

static json_t *fields_of(const char *json)
{
	json_t *fields = json_loads(json, 0, NULL);

	assert_non_null(fields);
	return fields;
}

/* The first error, "PATH: MESSAGE", has to begin like that; NULL: there is none. */
static void check_problem(struct problems *problems, const char *begin)
{
	char *line = NULL;

	for (size_t i = 0; i < problems->n && !line; i++)
		if (!problems->v[i].warning)
			line = problem_format(&problems->v[i], NULL);

	if (!begin)
		assert_null(line);
	else if (!line || strncmp(line, begin, strlen(begin)))
		fail_msg("got '%s', wanted '%s'", line ? line : "nothing", begin);
	free(line);
	problems_free(problems);
}

static uint32_t create(struct staged *staged, enum kind kind, uint32_t parent, const char *json)
{
	struct problems problems = {0};
	json_t *fields = fields_of(json);
	uint32_t id;

	assert_int_equal(0, staged_create(staged, kind, parent, fields, &id, &problems));
	problems_free(&problems);
	json_decref(fields);
	return id;
}

static void change(struct staged *staged, enum kind kind, uint32_t parent, uint32_t id,
		   const char *json, int err, const char *problem)
{
	struct problems problems = {0};
	json_t *fields = fields_of(json);

	assert_int_equal(err, staged_change(staged, kind, parent, id, fields, &problems));
	check_problem(&problems, problem);
	json_decref(fields);
}

static void delete (struct staged *staged, enum kind kind, uint32_t parent, uint32_t id, int err,
		    const char *problem)
{
	struct problems problems = {0};

	assert_int_equal(err, staged_delete(staged, kind, parent, id, &problems));
	check_problem(&problems, problem);
}

/* "created farm 3, changed frontend 1": what is pending in a zone. */
static void check_pending(const struct staged *staged, const char *zone, const char *expected)
{
	json_t *changes = staged_pending(staged, zone), *item;
	char text[512] = "";
	size_t i, len = 0;

	json_array_foreach (changes, i, item)
		len += snprintf(text + len, sizeof(text) - len, "%s%s %s %u", i ? ", " : "",
				json_string_value(json_object_get(item, "change")),
				json_string_value(json_object_get(item, "kind")), object_id(item));
	json_decref(changes);
	assert_string_equal(text, expected);
}

/* ---- tests ----------------------------------------------------------------------------- */

static void a_document_gets_ids(void **state)
{
	struct staged *staged = start(TWO_FARMS);

	assert_int_equal(2, staged_id(staged, KIND_FARM, "two"));
	assert_string_equal("a", object_name(staged_object(staged, KIND_SERVER, 1, 1)));
	assert_null(staged_object(staged, KIND_SERVER, 2, 1));
	check_pending(staged, "all", "");
	end(staged);
}

static void new_objects_get_ids_and_names(void **state)
{
	struct staged *staged = start(TWO_FARMS);

	assert_int_equal(3, create(staged, KIND_FARM, 0, "{\"port\": 80}"));
	assert_string_equal("farm-3", object_name(staged_object(staged, KIND_FARM, 0, 3)));
	assert_int_equal(2, create(staged, KIND_SERVER, 3, "{\"address\": \"10.0.0.2\"}"));
	assert_int_equal(4, create(staged, KIND_FARM, 0, "{\"name\": \"farm-5\"}"));
	assert_int_equal(5, create(staged, KIND_FARM, 0, "{}"));
	assert_string_equal("farm-5-2", object_name(staged_object(staged, KIND_FARM, 0, 5)));
	check_pending(staged, "all",
		      "created farm 3, created farm 4, created farm 5, created server 2");
	staged_refreshed(staged, NULL);
	check_pending(staged, "all", "");
	end(staged);
}

static void ids_are_not_given_again(void **state)
{
	struct staged *staged = start(TWO_FARMS);

	delete (staged, KIND_FARM, 0, 2, 0, NULL);
	assert_int_equal(3, create(staged, KIND_FARM, 0, "{}"));
	check_pending(staged, "all", "created farm 3, deleted farm 2");
	end(staged);
}

static void ids_below_the_limit_are_found_past_it(void **state)
{
	struct staged *staged = start("farms: [{name: one, id: 4096}, {name: two, id: 1}]\n"
				      "frontends: [{name: web, port: 1, default_farm: one}]\n");

	assert_int_equal(2, create(staged, KIND_FARM, 0, "{}"));
	delete (staged, KIND_FARM, 0, 1, 0, NULL);
	assert_int_equal(3, create(staged, KIND_FARM, 0, "{}")); /* 1 is still running */
	staged_refreshed(staged, NULL);
	assert_int_equal(1, create(staged, KIND_FARM, 0, "{}"));
	end(staged);
}

static void a_change_is_of_the_given_fields(void **state)
{
	struct staged *staged = start(TWO_FARMS);
	const json_t *server;

	change(staged, KIND_SERVER, 1, 1, "{\"weight\": 0, \"port\": null}", 0, NULL);
	server = staged_object(staged, KIND_SERVER, 1, 1);
	assert_int_equal(0, json_integer_value(json_object_get(server, "weight")));
	assert_true(json_is_integer(json_object_get(server, "weight")));
	assert_true(json_is_null(json_object_get(server, "port")));
	assert_null(json_object_get(server, "status"));
	assert_string_equal("10.0.0.1", json_string_value(json_object_get(server, "address")));
	check_pending(staged, "all", "changed server 1");
	end(staged);
}

static void a_mistake_changes_nothing(void **state)
{
	struct staged *staged = start(TWO_FARMS);
	json_t *root = staged->root;

	change(staged, KIND_SERVER, 1, 1, "{\"weight\": 257}", -EINVAL,
	       "weight: 257 is out of range, allowed: 0..256");
	change(staged, KIND_FARM, 0, 2, "{\"name\": \"one\"}", -EINVAL,
	       "name: \"one\" is already the name of another farm");
	change(staged, KIND_FARM, 0, 9, "{}", -ENOENT, NULL);
	assert_ptr_equal(root, staged->root);
	end(staged);
}

static void frontends_may_lead_nowhere_until_the_refresh(void **state)
{
	struct staged *staged = start(TWO_FARMS);
	struct problems problems = {0};

	change(staged, KIND_FRONTEND, 0, 1, "{\"default_farm\": null}", 0, NULL);
	assert_null(config_decode_tree(staged->root, DECODE_TO_RUN, &problems));
	check_problem(&problems, "frontends[0].default_farm: is missing");
	delete (staged, KIND_FRONTEND, 0, 1, 0, NULL);
	assert_null(config_decode_tree(staged->root, DECODE_TO_RUN, &problems));
	check_problem(&problems, "frontends: there is none");
	end(staged);
}

static void what_is_referred_to_stays(void **state)
{
	struct staged *staged = start(TWO_FARMS);

	create(staged, KIND_ROUTE, 0,
	       "{\"frontend\": \"web\", \"action\": {\"type\": \"farm\", \"target\": \"two\"}}");
	delete (staged, KIND_FARM, 0, 1, -EBUSY, "one is the default farm of the frontend web");
	delete (staged, KIND_FARM, 0, 2, -EBUSY, "two is the target of the route route-1");
	delete (staged, KIND_FRONTEND, 0, 1, -EBUSY, "web is the frontend of the route route-1");
	create(staged, KIND_RULE, 1, "{\"field\": \"sni\", \"match\": \"exists\"}");
	check_pending(staged, "all", "created route 1, created rule 1");
	delete (staged, KIND_ROUTE, 0, 1, 0, NULL);
	delete (staged, KIND_FRONTEND, 0, 1, 0, NULL);
	delete (staged, KIND_FARM, 0, 1, 0, NULL);
	check_pending(staged, "all", "deleted farm 1, deleted server 1, deleted frontend 1");
	end(staged);
}

static void a_new_name_goes_to_references(void **state)
{
	struct staged *staged = start(TWO_FARMS);

	create(staged, KIND_ROUTE, 0,
	       "{\"frontend\": \"web\", \"action\": {\"type\": \"farm\", \"target\": \"one\"}}");
	change(staged, KIND_FARM, 0, 1, "{\"name\": \"blue\"}", 0, NULL);
	change(staged, KIND_FRONTEND, 0, 1, "{\"name\": \"site\"}", 0, NULL);
	assert_string_equal("blue", staged->config->frontends[0].default_farm->o.name);
	assert_string_equal("blue", staged->config->routes[0].target->o.name);
	assert_string_equal("site", staged->config->routes[0].frontend->o.name);
	end(staged);
}

static void changes_count_in_their_zone(void **state)
{
	struct staged *staged = start("zone: gra\n" TWO_FARMS);

	create(staged, KIND_FARM, 0, "{\"zone\": \"rbx\"}");
	check_pending(staged, "gra", "");
	check_pending(staged, "rbx", "created farm 3");
	change(staged, KIND_FARM, 0, 2, "{\"port\": 1}", 0, NULL); /* of all zones */
	staged_refreshed(staged, "rbx");
	check_pending(staged, "rbx", "");
	check_pending(staged, "gra", "changed farm 2");
	staged_refreshed(staged, "gra");
	check_pending(staged, "gra", "");
	end(staged);
}

static void check_zones(const struct staged *staged, const char *expected)
{
	json_t *zones = staged_zones(staged), *wanted = fields_of(expected);

	assert_true(json_equal(zones, wanted));
	json_decref(wanted);
	json_decref(zones);
}

static void another_zone_stays_pending_when_ours_is_refreshed(void **state)
{
	struct staged *staged = start("zone: gra\n" TWO_FARMS);

	create(staged, KIND_FARM, 0, "{\"zone\": \"rbx\"}");
	staged_refreshed(staged, "gra");
	check_pending(staged, "rbx", "created farm 3");
	staged_refreshed(staged, NULL);
	check_pending(staged, "rbx", "");
	end(staged);
}

static void a_zone_that_nothing_names_is_gone_after_a_refresh(void **state)
{
	struct staged *staged = start("zone: gra\n" TWO_FARMS);

	create(staged, KIND_FARM, 0, "{\"zone\": \"tmp\"}");
	staged_refreshed(staged, NULL);
	delete (staged, KIND_FARM, 0, 3, 0, NULL);
	check_zones(staged, "[\"gra\", \"tmp\"]");
	check_pending(staged, "tmp", "deleted farm 3");
	staged_refreshed(staged, NULL);
	check_zones(staged, "[\"gra\"]");
	end(staged);
}

static void the_zone_is_that_of_what_runs(void **state)
{
	struct staged *staged = start("zone: gra\n" TWO_FARMS);

	stage(staged, "zone: rbx\n" TWO_FARMS);
	assert_string_equal("gra", staged_zone(staged));
	check_pending(staged, "gra", "changed service 0");
	assert_true(staged_is_ours(staged, "gra"));
	assert_false(staged_is_ours(staged, "rbx"));
	staged_refreshed(staged, "gra");
	assert_string_equal("rbx", staged_zone(staged));
	check_pending(staged, "rbx", "");
	check_pending(staged, "gra", "");
	end(staged);
}

static void check_route(const struct staged *staged, enum route_change change)
{
	assert_int_equal(change,
			 staged_route_change(staged, staged_object(staged, KIND_ROUTE, 0, 1)));
}

static void a_route_changes_in_the_zone_of_its_frontend(void **state)
{
	struct staged *staged = start("zone: gra\n" TWO_FARMS);

	create(staged, KIND_FRONTEND, 0,
	       "{\"name\": \"f\", \"zone\": \"rbx\", \"port\": 80, \"default_farm\": \"one\"}");
	create(staged, KIND_ROUTE, 0, "{\"frontend\": \"f\", \"action\": {\"type\": \"reject\"}}");
	check_route(staged, ROUTE_CREATED);
	staged_refreshed(staged, "rbx");
	check_route(staged, ROUTE_UNCHANGED);
	create(staged, KIND_RULE, 1, "{\"field\": \"sni\", \"match\": \"exists\"}");
	staged_refreshed(staged, "gra");
	check_route(staged, ROUTE_CHANGED);
	staged_refreshed(staged, "rbx");
	change(staged, KIND_ROUTE, 0, 1, "{\"weight\": 0, \"display_name\": null}", 0, NULL);
	check_route(staged, ROUTE_UNCHANGED);
	end(staged);
}

static void a_change_tells_the_attributes_that_differ(void **state)
{
	struct staged *staged = start(TWO_FARMS);
	json_t *changes, *wanted;

	change(staged, KIND_SERVER, 1, 1, "{\"weight\": 0, \"port\": 80}", 0, NULL);
	change(staged, KIND_SERVER, 1, 1, "{\"weight\": 7}", 0, NULL);
	changes = staged_pending(staged, "all");
	wanted = fields_of("[{\"kind\": \"server\", \"id\": 1, \"name\": \"a\", \"in\": \"one\","
			   "\"change\": \"changed\", \"before\": {},"
			   "\"after\": {\"weight\": 7, \"port\": 80}}]");
	assert_true(json_equal(changes, wanted));
	json_decref(wanted);
	json_decref(changes);
	end(staged);
}

static void another_spelling_is_no_change(void **state)
{
	struct staged *staged =
		start("farms: [{name: one, servers: [{name: a, address: 10.0.0.1}],\n"
		      "         probe: {type: http, interval: 5s}}, {name: two, zone: all}]\n"
		      "frontends: [{name: web, port: 443, default_farm: one, hello_timeout: 5s}]\n"
		      "routes: [{name: r, action: {type: reject},\n"
		      "          rules: [{field: host, match: in, pattern: [a.test, b.test]}]}]\n");

	change(staged, KIND_FARM, 0, 1,
	       "{\"display_name\": null, \"balance\": null, \"zone\": \"all\","
	       " \"probe\": {\"type\": \"http\", \"interval\": \"5000ms\", \"port\": null}}",
	       0, NULL);
	change(staged, KIND_FARM, 0, 2, "{\"zone\": null}", 0, NULL);
	change(staged, KIND_SERVER, 1, 1,
	       "{\"weight\": 1, \"status\": \"active\", \"ssl\": false, \"port\": null}", 0, NULL);
	change(staged, KIND_FRONTEND, 0, 1,
	       "{\"port\": \"443\", \"hello_timeout\": \"5000ms\", \"allowed_source\": null}", 0,
	       NULL);
	change(staged, KIND_ROUTE, 0, 1,
	       "{\"weight\": 0, \"action\": {\"type\": \"reject\", \"target\": null}}", 0, NULL);
	change(staged, KIND_RULE, 1, 1, "{\"field\": \"sni\", \"pattern\": \"a.test,b.test\"}", 0,
	       NULL);
	check_pending(staged, "all", "");
	assert_false(staged_is_pending(staged));
	change(staged, KIND_FRONTEND, 0, 1, "{\"hello_timeout\": \"5001ms\"}", 0, NULL);
	check_pending(staged, "all", "changed frontend 1");
	end(staged);
}

static void a_document_without_ids_keeps_those_of_its_names(void **state)
{
	struct staged *staged = start(TWO_FARMS);

	stage(staged, "farms: [{name: three}, {name: two}]\n"
		      "frontends: [{name: web, port: 443, default_farm: two}]\n");
	check_pending(staged, "all",
		      "created farm 3, deleted farm 1, deleted server 1, changed frontend 1");
	end(staged);
}

static int refuse(void *context, const json_t *root)
{
	(*(int *)context)++;
	return -EROFS;
}

static void what_cannot_be_kept_is_not_staged(void **state)
{
	struct staged *staged = start(TWO_FARMS);
	json_t *root = staged->root;
	int calls = 0;

	staged->commit = refuse;
	staged->context = &calls;
	change(staged, KIND_FARM, 0, 1, "{\"port\": 1}", -EROFS, NULL);
	delete (staged, KIND_FARM, 0, 2, -EROFS, NULL);
	assert_int_equal(-EROFS, staged_restore(staged, root));
	assert_int_equal(3, calls);
	assert_ptr_equal(root, staged->root);
	end(staged);
}

#define FARM_OF(servers)                                                                           \
	"farms: [{name: one, servers: [" servers "]}]\n"                                           \
	"frontends: [{name: web, port: 443, default_farm: one}]\n"

static void a_document_does_not_give_ids_again_that_an_earlier_one_had(void **state)
{
	struct staged *staged =
		start(FARM_OF("{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}"));

	stage(staged, FARM_OF("{name: a, address: 10.0.0.1}"));
	stage(staged, FARM_OF("{name: a, address: 10.0.0.1}, {name: c, address: 10.0.0.3}"));
	assert_int_equal(staged->config->farms[0].servers[0].o.id, 1);
	assert_int_equal(staged->config->farms[0].servers[1].o.id, 3);
	end(staged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_does_not_give_ids_again_that_an_earlier_one_had),
		cmocka_unit_test(a_document_gets_ids),
		cmocka_unit_test(new_objects_get_ids_and_names),
		cmocka_unit_test(ids_are_not_given_again),
		cmocka_unit_test(ids_below_the_limit_are_found_past_it),
		cmocka_unit_test(a_change_is_of_the_given_fields),
		cmocka_unit_test(a_mistake_changes_nothing),
		cmocka_unit_test(frontends_may_lead_nowhere_until_the_refresh),
		cmocka_unit_test(what_is_referred_to_stays),
		cmocka_unit_test(a_new_name_goes_to_references),
		cmocka_unit_test(changes_count_in_their_zone),
		cmocka_unit_test(another_zone_stays_pending_when_ours_is_refreshed),
		cmocka_unit_test(a_zone_that_nothing_names_is_gone_after_a_refresh),
		cmocka_unit_test(the_zone_is_that_of_what_runs),
		cmocka_unit_test(a_route_changes_in_the_zone_of_its_frontend),
		cmocka_unit_test(a_change_tells_the_attributes_that_differ),
		cmocka_unit_test(another_spelling_is_no_change),
		cmocka_unit_test(a_document_without_ids_keeps_those_of_its_names),
		cmocka_unit_test(what_cannot_be_kept_is_not_staged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
