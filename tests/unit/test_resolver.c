// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Host names of which some are never answered. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/daemon/resolver.h"
#include "../../user/model/decode.h"

static atomic_uint asked;

/* In the place of the library's: "quick" is known from the second time on, others never answer. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **answers)
{
	static struct sockaddr_in address = {.sin_family = AF_INET};
	static struct addrinfo answer = {
		.ai_family = AF_INET,
		.ai_addr = (struct sockaddr *)&address,
		.ai_addrlen = sizeof(address),
	};

	while (strcmp(name, "quick.example") != 0)
		pause();
	inet_pton(AF_INET, "192.0.2.7", &address.sin_addr);
	*answers = &answer;
	return atomic_fetch_add(&asked, 1) ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *answers)
{
}

static void ignore(void *context)
{
}

static struct config *config_of(const char *text)
{
	struct problems problems = {0};
	struct document *document = document_parse(text, strlen(text), &problems);
	struct config *config = config_decode(document, &problems);

	assert_non_null(config);
	document_free(document);
	problems_free(&problems);
	return config;
}

#define SERVER(name) "{ name: " #name ", address: " #name ".example, port: 1 },"
#define REST	     "] } ]\nfrontends: [ { name: f, port: 443, default_farm: a } ]\n"

static void names_that_are_not_answered_hold_up_no_others(void **state)
{
	struct config *quick = config_of("farms: [ { name: a, servers: [" SERVER(quick) REST);
	struct config *all = config_of("farms: [ { name: a, servers: [" SERVER(quick) SERVER(b)
					       SERVER(c) SERVER(d) SERVER(e) SERVER(f) REST);
	struct event_base *base;
	struct resolver *resolver;

	evthread_use_pthreads();
	base = event_base_new();
	assert_int_equal(resolver_start(&resolver, base, ignore, NULL), 0);
	assert_false(resolver_fill(resolver, quick, 5000)); /* asked for, in vain */
	assert_false(resolver_fill(resolver, all, 0));
	for (int tries = 0; tries < 500 && !resolver_fill(resolver, quick, 0); tries++)
		usleep(10000);
	assert_int_equal(quick->farms[0].servers[0].address[15], 7);
	resolver_stop(resolver);
	event_base_free(base);
	config_free(quick);
	config_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_are_not_answered_hold_up_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
