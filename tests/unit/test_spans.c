/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kernel/spans.h"
#include "../../user/model/prefix.h"

static struct span span(const char *address, uint16_t first, uint16_t last)
{
	struct span s = {.first = first, .last = last};

	assert_int_equal(address_parse(address, s.address), 0);
	return s;
}

/* The blocks of a range follow each other, from its first port to its last, and are few. */
static void check_blocks(uint16_t first, uint16_t last, unsigned int most)
{
	struct span left = span("192.0.2.1", first, last), of;
	uint32_t next = first;
	struct steer_key block;
	unsigned int n = 0;

	while (span_next_block(&left, &block)) {
		span_of_block(&block, &of);
		assert_int_equal(of.first, next);
		assert_true(of.last >= of.first && of.last <= last);
		assert_memory_equal(of.address, left.address, sizeof(of.address));
		next = of.last + 1u;
		n++;
	}
	assert_int_equal(next, last + 1u);
	assert_true(n <= most);
}

static void test_blocks(void **state)
{
	check_blocks(443, 443, 1);
	check_blocks(8000, 8100, 5);
	check_blocks(10000, 19999, 12);
	check_blocks(1, 65535, 16);
	check_blocks(32768, 65535, 1);
	check_blocks(65535, 65535, 1);
	check_blocks(1, 65534, 30);
}

static void test_overlap(void **state)
{
	struct span any4 = span("0.0.0.0", 80, 90), any6 = span("::", 80, 90);
	struct span a = span("192.0.2.1", 90, 99), b = span("192.0.2.2", 90, 99);
	struct span six = span("2001:db8::1", 85, 85), above = span("192.0.2.1", 100, 100);

	assert_true(span_overlaps(&any4, &a) && span_overlaps(&a, &any4));
	assert_true(span_overlaps(&any6, &six) && span_overlaps(&six, &any6));
	assert_true(span_overlaps(&a, &a));
	assert_false(span_overlaps(&a, &b));
	assert_false(span_overlaps(&any4, &any6) || span_overlaps(&any4, &six));
	assert_false(span_overlaps(&a, &above) || span_overlaps(&any4, &above));
}

static void test_cover(void **state)
{
	struct span v[] = {span("0.0.0.0", 80, 90), span("192.0.2.1", 91, 95)};
	struct spans spans = {.v = v, .n = 2};
	struct span inside = span("192.0.2.1", 80, 90), across = span("192.0.2.1", 90, 91);
	struct span own = span("192.0.2.1", 91, 95), all = span("0.0.0.0", 91, 95);
	struct span six = span("::", 80, 90);

	spans_sort(&spans);
	assert_true(spans_cover(&spans, &inside) && spans_cover(&spans, &own));
	assert_false(spans_cover(&spans, &across) || spans_cover(&spans, &all));
	assert_false(spans_cover(&spans, &six));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_cover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
