// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "spans.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../model/prefix.h"

const uint8_t any_v4[16] = {[10] = 0xff, [11] = 0xff}, any_v6[16];
const uint8_t apart_v4[16] = {[10] = 0xff, [11] = 0xff, [15] = 1};
const uint8_t apart_v6[16] = {[0] = 0x01, [15] = 1};

int spans_add(struct spans *spans, const struct span *span)
{
	size_t room = spans->room ? 2 * spans->room : 64;
	struct span *v = spans->v;

	if (spans->n == spans->room) {
		v = reallocarray(v, room, sizeof(*v));
		if (!v)
			return -ENOMEM;
		spans->v = v;
		spans->room = room;
	}
	v[spans->n++] = *span;
	return 0;
}

void spans_free(struct spans *spans)
{
	free(spans->v);
	*spans = (struct spans){0};
}

/* ---- of a frontend ----------------------------------------------------------------------- */

bool frontend_is_wide(const struct frontend *frontend)
{
	const struct prefix_list *addresses = &frontend->dedicated_ipfo;
	size_t v4 = 0;

	if (frontend->n_ports > 1 || frontend->ports[0].first != frontend->ports[0].last)
		return true;
	for (size_t i = 0; i < addresses->n; i++)
		v4 += address_is_mapped(addresses->v[i].address);
	return v4 > 1 || addresses->n - v4 > 1;
}

static int add_address(struct spans *spans, const struct frontend *frontend,
		       const uint8_t address[16])
{
	struct span span = {.frontend_id = frontend->o.id};
	int err = 0;

	memcpy(span.address, address, sizeof(span.address));
	for (size_t i = 0; i < frontend->n_ports && !err; i++) {
		span.first = frontend->ports[i].first;
		span.last = frontend->ports[i].last;
		err = spans_add(spans, &span);
	}
	return err;
}

int spans_add_frontend(struct spans *spans, const struct frontend *frontend)
{
	const struct prefix_list *addresses = &frontend->dedicated_ipfo;
	int err = 0;

	if (!addresses->set) {
		err = add_address(spans, frontend, any_v4);
		err = err ? err : add_address(spans, frontend, any_v6);
	}
	for (size_t i = 0; i < addresses->n && !err; i++)
		err = add_address(spans, frontend, addresses->v[i].address);
	return err;
}

/* ---- one against another ----------------------------------------------------------------- */

/* Is an address one of those that `of` stands for? */
static bool has_address(const uint8_t of[16], const uint8_t address[16])
{
	bool any = !memcmp(of, address_is_mapped(address) ? any_v4 : any_v6, 16);

	return any || !memcmp(of, address, 16);
}

bool span_overlaps(const struct span *a, const struct span *b)
{
	return a->first <= b->last && b->first <= a->last &&
	       (has_address(a->address, b->address) || has_address(b->address, a->address));
}

bool spans_overlap(const struct spans *spans, const struct span *span)
{
	for (size_t i = 0; i < spans->n; i++)
		if (span_overlaps(&spans->v[i], span))
			return true;
	return false;
}

/* IPv4 first. */
static int compare(const void *a, const void *b)
{
	const struct span *left = a, *right = b;
	int order = address_is_mapped(right->address) - address_is_mapped(left->address);

	order = order ? order : memcmp(left->address, right->address, sizeof(left->address));
	return order ? order : (int)left->first - (int)right->first;
}

void spans_sort(struct spans *spans)
{
	if (spans->n)
		qsort(spans->v, spans->n, sizeof(*spans->v), compare);
}

/* The last one that begins there or before, or NULL. */
static const struct span *find_before(const struct spans *spans, const struct span *at)
{
	size_t low = 0, high = spans->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&spans->v[middle], at) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &spans->v[low - 1] : NULL;
}

static bool covered_at(const struct spans *spans, struct span span, const uint8_t address[16])
{
	const struct span *found;

	memcpy(span.address, address, sizeof(span.address));
	found = find_before(spans, &span);
	return found && !memcmp(found->address, address, 16) && found->last >= span.last;
}

bool spans_cover(const struct spans *spans, const struct span *span)
{
	return covered_at(spans, *span, span->address) ||
	       covered_at(spans, *span, address_is_mapped(span->address) ? any_v4 : any_v6);
}

/* ---- blocks ------------------------------------------------------------------------------ */

bool span_next_block(struct span *span, struct steer_key *block)
{
	uint32_t left = (uint32_t)span->last - span->first + 1, size = 1, bits = 16;

	if (span->first > span->last || !span->first)
		return false;
	while (!(span->first & size) && 2 * size <= left) {
		size *= 2;
		bits--;
	}
	memset(block, 0, sizeof(*block));
	memcpy(block->address, span->address, sizeof(block->address));
	block->length = STEER_ADDRESS + bits;
	block->port = htons(span->first);
	span->first += size; /* 0 after the last port there is */
	return true;
}

void span_of_block(const struct steer_key *block, struct span *span)
{
	memset(span, 0, sizeof(*span));
	memcpy(span->address, block->address, sizeof(span->address));
	span->first = ntohs(block->port);
	span->last = span->first | (0xffffu >> (block->length - STEER_ADDRESS));
}
