// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tables.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/anchor.h"
#include "../model/decode.h"
#include "../model/prefix.h"

const size_t table_row_size[TABLE_MAX] = {
#define X(name, row) [TABLE_##name] = sizeof(row),
	TABLES(X)
#undef X
};

const char *const table_name[TABLE_MAX] = {
#define X(name, row) [TABLE_##name] = #name,
	TABLES(X)
#undef X
};

/* A way to reach a route: becomes a candidate behind an anchor, or behind none (hash 0). */
struct entry {
	uint64_t hash;
	struct candidate_row candidate;
};

/* What is known while the routes of one configuration are compiled. */
struct compiler {
	struct tables *tables;
	const struct config *config;
	struct entry *entries; /* of all frontends */
	size_t n_entries, capacity;
	struct frontend_row *row; /* of the frontend being compiled */
	uint32_t frontend_id;
};

/* Adds `n` zeroed rows; *first is the index of the first of them. */
static int table_grow(struct tables *tables, enum table_id id, size_t n, uint32_t *first)
{
	struct table_rows *table = &tables->v[id];
	size_t size = table_row_size[id], capacity = table->capacity;
	void *rows;

	*first = table->n;
	if (!n)
		return 0;
	if (table->n + n > capacity) {
		capacity = (table->n + n) * 2;
		rows = realloc(table->rows, capacity * size);
		if (!rows)
			return -ENOMEM;
		table->rows = rows;
		table->capacity = capacity;
	}
	memset((char *)table->rows + table->n * size, 0, n * size);
	table->n += n;
	return 0;
}

static int add_entry(struct compiler *c, const struct entry *entry)
{
	if (c->n_entries == c->capacity) {
		size_t capacity = c->capacity ? c->capacity * 2 : 64;
		struct entry *entries = realloc(c->entries, capacity * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		c->entries = entries;
		c->capacity = capacity;
	}
	c->entries[c->n_entries++] = *entry;
	return 0;
}

/* ---- patterns and tests ------------------------------------------------------------------ */

static int add_pattern_row(struct compiler *c, uint32_t *index, struct pattern_row **row)
{
	int err = table_grow(c->tables, TABLE_patterns, 1, index);

	*row = err ? NULL : tables_row(c->tables, patterns, *index);
	return err;
}

static int add_prefix(struct compiler *c, const struct prefix *prefix, uint32_t *index)
{
	struct pattern_row *row;
	__u64 mask[2];
	int err = add_pattern_row(c, index, &row);

	if (err)
		return err;
	prefix_mask(prefix->length, mask);
	mask[0] = htobe64(mask[0]);
	mask[1] = htobe64(mask[1]);
	row->len = 32;
	memcpy(row->bytes, prefix->address, 16);
	memcpy(row->bytes + 16, mask, 16);
	return 0;
}

static int add_text(struct compiler *c, const struct pattern *pattern, uint32_t *index)
{
	struct pattern_row *row;
	int err = add_pattern_row(c, index, &row);

	if (err)
		return err;
	row->len = pattern->len;
	memcpy(row->bytes, pattern->text, pattern->len);
	return 0;
}

static int add_test(struct compiler *c, const struct test_row *test, uint32_t *index)
{
	int err = table_grow(c->tables, TABLE_tests, 1, index);

	if (!err)
		*tables_row(c->tables, tests, *index) = *test;
	return err;
}

/* The array has room up to the next power of two. */
static int add_regex(struct tables *tables, const struct rule *rule)
{
	size_t n = tables->n_regexes;
	struct regex **regexes = tables->regexes;
	int err;

	if (!(n & (n - 1))) {
		regexes = realloc(regexes, (n ? 2 * n : 1) * sizeof(*regexes));
		if (!regexes)
			return -ENOMEM;
		tables->regexes = regexes;
	}
	err = regex_compile(rule->patterns->text, rule->field == FIELD_SNI, &regexes[n], NULL);
	if (!err)
		tables->n_regexes++;
	return err;
}

/* The test of one pattern of a rule; `in` is `is` with several patterns. */
static int add_pattern_test(struct compiler *c, const struct rule *rule,
			    const struct pattern *pattern, uint32_t yes, uint32_t no,
			    uint32_t *index)
{
	struct test_row test = {.field = rule->field, .yes = yes, .no = no};
	int err;

	test.match = rule->match == MATCH_IN ? MATCH_IS : rule->match;
	err = rule->field == FIELD_SOURCE ? add_prefix(c, &pattern->source, &test.operand)
					  : add_text(c, pattern, &test.operand);
	return err ? err : add_test(c, &test, index);
}

/* Goes on at `no` without the name, which the program can tell by itself. */
static int add_regex_test(struct compiler *c, const struct rule *rule, uint32_t yes, uint32_t no,
			  uint32_t *index)
{
	struct test_row test = {
		.field = rule->field,
		.match = MATCH_MATCHES,
		.operand = c->tables->n_regexes,
		.yes = yes,
		.no = no,
	};
	struct test_row exists = {.field = rule->field, .match = MATCH_EXISTS, .no = no};
	int err = add_regex(c->tables, rule);

	err = err ? err : add_test(c, &test, &exists.yes);
	exists.yes |= TEST_REGEX;
	return err ? err : add_test(c, &exists, index);
}

/*
 * A hello that cannot be read is not a match for anything but `tcp`, so that `not sni is x`
 * does not let through whoever says x in a broken hello, or late.
 */
static int add_names_known(struct compiler *c, uint32_t next, uint32_t *index)
{
	struct test_row test = {
		.field = FIELD_PROTOCOL,
		.match = MATCH_IS,
		.operand = PROTOCOL_NAMES_KNOWN,
		.yes = next,
		.no = TEST_FAIL,
	};

	return add_test(c, &test, index);
}

/*
 * Compiles a rule that goes on at `next` when it holds. Its patterns are tried from the
 * first to the last, so they are added from the last to the first.
 */
static int add_rule(struct compiler *c, const struct rule *rule, uint32_t next, uint32_t *index)
{
	int err = rule->negate && field_of_hello(rule->field) ? add_names_known(c, next, &next) : 0;
	uint32_t yes = rule->negate ? TEST_FAIL : next, no = rule->negate ? next : TEST_FAIL;
	struct test_row test = {.field = rule->field, .match = rule->match, .yes = yes, .no = no};

	if (err)
		return err;
	test.operand = rule_protocols(rule);
	if (test.operand)
		test.field = FIELD_PROTOCOL;
	if (test.operand || rule->match == MATCH_EXISTS)
		return add_test(c, &test, index);
	if (rule->match == MATCH_MATCHES)
		return add_regex_test(c, rule, yes, no, index);
	for (size_t i = rule->n_patterns; i-- > 0; no = *index) {
		err = add_pattern_test(c, rule, &rule->patterns[i], yes, no, index);
		if (err)
			return err;
	}
	return 0;
}

/* ---- anchors ----------------------------------------------------------------------------- */

static uint64_t text_hash(const struct pattern *pattern, bool from_end)
{
	uint64_t hash = HASH_SEED;

	for (size_t i = 0; i < pattern->len; i++)
		hash = hash_byte(hash, pattern->text[from_end ? pattern->len - 1 - i : i]);
	return hash;
}

static uint64_t prefix_hash(const struct prefix *prefix)
{
	__u64 words[2];

	memcpy(words, prefix->address, sizeof(words));
	words[0] = be64toh(words[0]);
	words[1] = be64toh(words[1]);
	return source_hash(words, prefix->length);
}

/* Notes a prefix length in use. False when the frontend has no room for another one. */
static bool note_source_length(struct frontend_row *row, uint8_t length)
{
	for (uint32_t i = 0; i < row->source_lengths_count; i++)
		if (row->source_lengths[i] == length)
			return true;
	if (row->source_lengths_count == SOURCE_LENGTHS_MAX)
		return false;
	row->source_lengths[row->source_lengths_count++] = length;
	return true;
}

static bool note_source_lengths(struct frontend_row *row, const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_patterns; i++)
		if (!note_source_length(row, rule->patterns[i].source.length))
			return false;
	return true;
}

/* The kind of anchor that a rule can be, 0 for none. */
static enum anchor_kind anchor_kind(const struct rule *rule)
{
	bool exact = match_is_exact(rule->match);

	if (rule->negate)
		return 0;
	switch (rule->field) {
	case FIELD_SNI:
		return exact ? ANCHOR_SNI : rule->match == MATCH_ENDSWITH ? ANCHOR_SUFFIX : 0;
	case FIELD_ALPN:
		return exact ? ANCHOR_ALPN : 0;
	case FIELD_SOURCE:
		return ANCHOR_SOURCE;
	default:
		return 0;
	}
}

/* The most selective rule of a route: a whole SNI before its end, before source and ALPN. */
static const struct rule *find_anchor(struct compiler *c, const struct route *route)
{
	static const enum anchor_kind order[] = {ANCHOR_SNI, ANCHOR_SUFFIX, ANCHOR_SOURCE,
						 ANCHOR_ALPN};

	for (size_t k = 0; k < sizeof(order) / sizeof(*order); k++)
		for (size_t i = 0; i < route->n_rules; i++) {
			const struct rule *rule = &route->rules[i];

			if (anchor_kind(rule) == order[k] &&
			    (order[k] != ANCHOR_SOURCE || note_source_lengths(c->row, rule)))
				return rule;
		}
	return NULL;
}

/* One candidate for each pattern of the anchor; the pattern itself is tested first. */
static int add_anchor(struct compiler *c, const struct rule *rule, struct entry *entry,
		      uint32_t next)
{
	static const uint32_t flag[] = {[ANCHOR_SNI] = FRONTEND_ANCHOR_SNI,
					[ANCHOR_SUFFIX] = FRONTEND_ANCHOR_SUFFIX,
					[ANCHOR_ALPN] = FRONTEND_ANCHOR_ALPN,
					[ANCHOR_SOURCE] = FRONTEND_ANCHOR_SOURCE};
	enum anchor_kind kind = anchor_kind(rule);
	int err = 0;

	c->row->flags |= flag[kind];
	for (size_t i = 0; i < rule->n_patterns && !err; i++) {
		const struct pattern *pattern = &rule->patterns[i];
		uint64_t hash = kind == ANCHOR_SOURCE ? prefix_hash(&pattern->source)
						      : text_hash(pattern, kind != ANCHOR_ALPN);

		if (kind == ANCHOR_SUFFIX)
			c->row->suffix_lengths[pattern->len >> 6] |= 1ULL << (pattern->len & 63);
		entry->hash = anchor_hash(kind, c->frontend_id, hash);
		err = add_pattern_test(c, rule, pattern, next, TEST_FAIL, &entry->candidate.test);
		if (!err)
			err = add_entry(c, entry);
	}
	return err;
}

/* ---- routes ------------------------------------------------------------------------------ */

static bool needs_hello(const struct rule *rule)
{
	if (rule->field == FIELD_PROTOCOL)
		return !(rule_protocols(rule) & PROTOCOL_TCP);
	return rule->field != FIELD_SOURCE;
}

/* All rules but the anchor that are regular expressions, or all that are none. */
static int add_rules(struct compiler *c, const struct route *route, const struct rule *anchor,
		     bool regexes, uint32_t *next)
{
	int err = 0;

	for (size_t i = route->n_rules; i-- > 0 && !err;) {
		const struct rule *rule = &route->rules[i];

		if (rule != anchor && (rule->match == MATCH_MATCHES) == regexes)
			err = add_rule(c, rule, *next, next);
	}
	return err;
}

static int compile_route(struct compiler *c, const struct route *route, uint32_t rank)
{
	struct entry entry = {.candidate = {.rank = rank, .route = route->o.id}};
	const struct rule *anchor = find_anchor(c, route);
	uint32_t next = TEST_MATCH;
	int err;

	for (size_t i = 0; i < route->n_rules; i++)
		if (needs_hello(&route->rules[i]))
			c->row->flags |= FRONTEND_NEEDS_HELLO;
	/* Added last, tried first: regular expressions only when the rest of the route holds. */
	err = add_rules(c, route, anchor, true, &next);
	err = err ? err : add_rules(c, route, anchor, false, &next);
	if (err)
		return err;
	if (anchor)
		return add_anchor(c, anchor, &entry, next);
	entry.candidate.test = next;
	/* No hash: reached through frontend_row.plain_first. */
	return add_entry(c, &entry);
}

static int by_hash_and_rank(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->candidate.rank != y->candidate.rank)
		return x->candidate.rank < y->candidate.rank ? -1 : 1;
	return 0;
}

/* Puts the entries from `first` on in order and turns those without an anchor into rows. */
static int add_plain_candidates(struct compiler *c, size_t first)
{
	size_t n = 0;
	uint32_t at;
	int err;

	c->row->plain_first = c->row->plain_count = 0;
	if (c->n_entries == first)
		return 0;
	qsort(c->entries + first, c->n_entries - first, sizeof(*c->entries), by_hash_and_rank);
	while (first + n < c->n_entries && !c->entries[first + n].hash)
		n++;
	err = table_grow(c->tables, TABLE_candidates, n, &at);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		*tables_row(c->tables, candidates, at + i) = c->entries[first + i].candidate;
	c->row->plain_first = at;
	c->row->plain_count = n;
	memmove(c->entries + first, c->entries + first + n,
		(c->n_entries - first - n) * sizeof(*c->entries));
	c->n_entries -= n;
	return 0;
}

static int compile_routes(struct compiler *c, const struct frontend *frontend)
{
	size_t first = c->n_entries, n;
	struct route **routes = config_routes_in_order(c->config, frontend, &n);
	int err = routes ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < n; i++) {
		struct route *route = routes[i];
		struct route_row *row = tables_row(c->tables, routes, route->o.id);

		if (!route->n_rules)
			continue; /* never matches: it is still being made */
		row->action = route->action;
		row->farm = route->target ? route->target->o.id : 0;
		err = compile_route(c, route, i);
	}
	free(routes);
	return err ? err : add_plain_candidates(c, first);
}

/* Puts a group of candidates under its hash; false when it would be too far from home. */
static bool place_anchor(struct anchor_row *slots, size_t mask, const struct anchor_row *anchor)
{
	for (size_t i = 0; i < ANCHOR_PROBES; i++) {
		struct anchor_row *slot = &slots[(anchor->hash + i) & mask];

		if (!slot->hash) {
			*slot = *anchor;
			return true;
		}
	}
	return false;
}

/* All groups of entries with the same hash into `slots`, candidates from `first` on. */
static bool place_anchors(const struct compiler *c, struct anchor_row *slots, size_t mask,
			  uint32_t first)
{
	size_t n;

	memset(slots, 0, (mask + 1) * sizeof(*slots));
	for (size_t i = 0; i < c->n_entries; i += n) {
		struct anchor_row anchor = {.hash = c->entries[i].hash, .first = first + i};

		for (n = 1; i + n < c->n_entries && c->entries[i + n].hash == anchor.hash; n++)
			;
		anchor.count = n;
		if (!place_anchor(slots, mask, &anchor))
			return false;
	}
	return true;
}

static int compile_anchors(struct compiler *c)
{
	size_t size = 8;
	uint32_t first, ignored;
	int err;

	if (c->n_entries)
		qsort(c->entries, c->n_entries, sizeof(*c->entries), by_hash_and_rank);
	err = table_grow(c->tables, TABLE_candidates, c->n_entries, &first);
	if (err)
		return err;
	for (size_t i = 0; i < c->n_entries; i++)
		*tables_row(c->tables, candidates, first + i) = c->entries[i].candidate;
	while (size < c->n_entries * 2)
		size *= 2;
	for (;; size *= 2) {
		err = table_grow(c->tables, TABLE_anchors, size - c->tables->v[TABLE_anchors].n,
				 &ignored);
		if (err)
			return err;
		if (place_anchors(c, tables_row(c->tables, anchors, 0), size - 1, first))
			break;
	}
	for (size_t i = 0; i < c->config->n_frontends; i++)
		tables_row(c->tables, frontends, c->config->frontends[i].o.id)->anchor_mask =
			size - 1;
	return 0;
}

/* ---- frontends --------------------------------------------------------------------------- */

/* The list is in order: a block comes right behind the one it is within. */
static int add_sources(struct compiler *c, const struct prefix_list *list, uint32_t *first,
		       uint32_t *count)
{
	const struct prefix *last = NULL;
	struct source_row *row;
	int err = table_grow(c->tables, TABLE_sources, list->n, first);

	*count = 0;
	for (size_t i = 0; i < list->n && !err; i++) {
		const struct prefix *prefix = &list->v[i];

		if (last && prefix_contains(last, prefix->address))
			continue;
		last = prefix;
		row = tables_row(c->tables, sources, *first + *count);
		++*count;
		memcpy(row->address, prefix->address, sizeof(row->address));
		row->length = prefix->length;
	}
	return err;
}

static int compile_sources(struct compiler *c, const struct frontend *frontend)
{
	const struct prefix_list *list = &frontend->denied_source;
	int err;

	if (frontend->allowed_source.set) {
		list = &frontend->allowed_source;
		c->row->flags |= FRONTEND_ALLOW_LIST;
	}
	err = add_sources(c, list, &c->row->source_first, &c->row->source_count);
	return err ? err
		   : add_sources(c, &frontend->proxy_sources, &c->row->proxy_first,
				 &c->row->proxy_count);
}

/* Does some server of it, or of those it falls back on, want to be told what the hello says? */
static bool farm_asks_for_hello(const struct farm *farm)
{
	for (; farm; farm = farm->fallback)
		for (size_t i = 0; i < farm->n_servers; i++)
			if (farm->servers[i].proxy_tlvs & (PROXY_TLV_ALPN | PROXY_TLV_AUTHORITY))
				return true;
	return false;
}

static bool servers_ask_for_hello(const struct config *config, const struct frontend *frontend)
{
	if (farm_asks_for_hello(frontend->default_farm))
		return true;
	for (size_t i = 0; i < config->n_routes; i++)
		if (config->routes[i].frontend == frontend &&
		    farm_asks_for_hello(config->routes[i].target))
			return true;
	return false;
}

static int compile_frontend(struct compiler *c, const struct frontend *frontend)
{
	int err;

	c->frontend_id = frontend->o.id;
	c->row = tables_row(c->tables, frontends, frontend->o.id);
	c->row->default_farm = frontend->default_farm ? frontend->default_farm->o.id : 0;
	c->row->path = frontend->path;
	c->row->hello_timeout = frontend->hello_timeout;
	c->row->connect_timeout = frontend->connect_timeout;
	c->row->idle_timeout = frontend->idle_timeout;
	c->row->half_close_timeout = frontend->half_close_timeout;
	c->row->max_connections = frontend->max_connections;
	c->row->rate_limit = frontend->rate_limit;
	c->row->source_rate_limit = frontend->source_rate_limit;
	c->row->rate_prefix_v4 = 96 + frontend->source_rate_prefix_v4;
	c->row->rate_prefix_v6 = frontend->source_rate_prefix_v6;
	if (frontend_listens(c->config, frontend))
		c->row->flags |= FRONTEND_EXISTS;
	err = compile_sources(c, frontend);
	err = err ? err : compile_routes(c, frontend);
	if (!(c->row->flags & FRONTEND_NEEDS_HELLO) && servers_ask_for_hello(c->config, frontend))
		c->row->flags |= FRONTEND_NEEDS_HELLO;
	return err;
}

/* ---- farms ------------------------------------------------------------------------------- */

/*
 * Sizes of Maglev tables, which are primes. `source` is content with less memory: there may be
 * thousands of such farms. Another size is another server for nearly every client: so it must not
 * follow from weights, nor from a server more or less of the farms that there usually are.
 */
#define MAGLEV_SIZE 65537
#define SOURCE_SIZE 16381
#define SOURCE_MOST 256 /* servers */

/* A place in the ring: servers stand at even distances, so that weights interleave. */
struct place {
	uint64_t at; /* fraction of the ring, in units of 2^-32 */
	uint32_t server;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->server < y->server ? -1 : x->server > y->server;
}

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static uint32_t divisor_of_weights(const struct server *const *servers, size_t n)
{
	uint32_t divisor = 0;

	for (size_t i = 0; i < n; i++)
		divisor = greatest_common_divisor(servers[i]->weight, divisor);
	return divisor;
}

/* Places that servers need, if each stands there as often as its weight says, and seldom. */
static uint32_t places_of_weights(const struct server *const *servers, size_t n)
{
	uint32_t divisor = divisor_of_weights(servers, n), total = 0;

	for (size_t i = 0; i < n; i++)
		total += servers[i]->weight / divisor;
	return total;
}

/* The members of a farm in turn, as often as their weights say. */
static int compile_ring(struct tables *tables, struct farm_row *row,
			const struct server *const *servers, size_t n)
{
	uint32_t divisor = divisor_of_weights(servers, n), total = places_of_weights(servers, n);
	uint32_t first, k = 0;
	struct place *places;
	int err;

	places = calloc(total ? total : 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t weight = servers[i]->weight / divisor;

		for (uint32_t j = 0; j < weight; j++)
			places[k++] = (struct place){((2ULL * j + 1) << 32) / (2 * weight),
						     servers[i]->o.id};
	}
	qsort(places, total, sizeof(*places), by_place);
	err = table_grow(tables, TABLE_ring, total, &first);
	for (k = 0; !err && k < total; k++)
		tables_row(tables, ring, first + k)->server = places[k].server;
	free(places);
	row->ring_first = first;
	row->ring_count = total;
	return err;
}

/*
 * Where a server wants to stand in a Maglev table: at offset, offset + skip, ... (Eisenbud et al.,
 * NSDI 2016, section 3.4). By its address, or its host name, so that balancers with the same
 * servers agree.
 */
struct permutation {
	uint32_t at, skip; /* modulo the size of the table */
	uint32_t credit;   /* at the greatest weight it takes a place, and loses as much */
	const struct server *server;
};

static struct permutation permutation_of(const struct server *server, uint32_t size)
{
	uint64_t words[2], hash = HASH_SEED;

	memcpy(words, server->address, sizeof(words));
	for (const char *c = server->host; c && *c; c++)
		hash = hash_byte(hash, *c);
	if (!server->host)
		hash = hash_word(hash_word(hash, words[0]), words[1]);
	hash = hash_word(hash, server->port);
	return (struct permutation){
		.at = hash % size,
		.skip = hash_word(hash, 1) % (size - 1) + 1,
		.server = server,
	};
}

/* The next free place the server wants. The size is a prime: there is one. */
static void take_place(struct member_row *ring, uint32_t size, struct permutation *p)
{
	while (ring[p->at].server)
		p->at = (p->at + p->skip) % size;
	ring[p->at].server = p->server->o.id;
}

static void fill_maglev(struct member_row *ring, uint32_t size, struct permutation *permutations,
			size_t n)
{
	uint32_t greatest = 0;

	for (size_t i = 0; i < n; i++)
		greatest = greater(permutations[i].server->weight, greatest);
	for (size_t i = 0, filled = 0; filled < size; i = (i + 1) % n) {
		struct permutation *p = &permutations[i];

		p->credit += p->server->weight;
		if (p->credit < greatest)
			continue;
		p->credit -= greatest;
		take_place(ring, size, p);
		filled++;
	}
}

static int compile_maglev(struct tables *tables, struct farm_row *row,
			  const struct server *const *servers, size_t n)
{
	struct permutation *permutations;
	uint32_t size;
	int err;

	size = row->balance == BALANCE_SOURCE && n <= SOURCE_MOST ? SOURCE_SIZE : MAGLEV_SIZE;
	permutations = calloc(n, sizeof(*permutations));
	if (!permutations)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		permutations[i] = permutation_of(servers[i], size);
	err = table_grow(tables, TABLE_ring, size, &row->ring_first);
	if (!err)
		fill_maglev(tables_row(tables, ring, row->ring_first), size, permutations, n);
	row->ring_count = size;
	free(permutations);
	return err;
}

/* Primaries before backups, each in ascending id. */
static int by_role_and_id(const void *a, const void *b)
{
	const struct server *x = *(const struct server *const *)a;
	const struct server *y = *(const struct server *const *)b;

	if (x->backup != y->backup)
		return x->backup ? 1 : -1;
	return x->o.id < y->o.id ? -1 : x->o.id > y->o.id;
}

static int compile_members(struct tables *tables, struct farm_row *row,
			   const struct server **members, size_t n)
{
	size_t primaries = 0;
	int err;

	qsort(members, n, sizeof(*members), by_role_and_id);
	while (primaries < n && !members[primaries]->backup)
		primaries++;
	row->member_count = n;
	row->primary_count = primaries;
	err = table_grow(tables, TABLE_members, n, &row->member_first);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		tables_row(tables, members, row->member_first + i)->server = members[i]->o.id;
	/* Backups are for when no primary is up: then they share the connections. */
	n = primaries ? primaries : n;
	/* One alone needs no table: there may be thousands of such farms. */
	return n > 1 && (row->balance == BALANCE_MAGLEV || row->balance == BALANCE_SOURCE)
		       ? compile_maglev(tables, row, members, n)
		       : compile_ring(tables, row, members, n);
}

static enum server_use use_of(const struct config *config, const struct farm *farm,
			      const struct server *server)
{
	if (!config_in_zone(config, farm->zone) || !server_is_found(server))
		return USE_NONE;
	if (server_is_used(server))
		return USE_NEW;
	return server->status == STATUS_DRAIN && farm->stick_on_drain ? USE_STICKY : USE_NONE;
}

static int compile_farm(struct tables *tables, const struct config *config, const struct farm *farm)
{
	struct farm_row *row = tables_row(tables, farms, farm->o.id);
	const struct server **members = calloc(farm->n_servers + 1, sizeof(*members));
	size_t n = 0;
	int err;

	if (!members)
		return -ENOMEM;
	row->balance = farm->balance;
	row->fallback = farm->fallback ? farm->fallback->o.id : 0;
	row->stick_ttl = farm->sticky ? farm->stick_ttl : 0;
	row->queue_size = farm->queue_size;
	row->queue_timeout = farm->queue_timeout;
	for (size_t i = 0; i < farm->n_servers; i++) {
		const struct server *server = &farm->servers[i];
		struct server_row *server_row = tables_row(tables, servers, server->o.id);

		memcpy(server_row->address, server->address, sizeof(server_row->address));
		server_row->port = htobe16(server->port ? server->port : farm->port);
		server_row->exists = 1;
		server_row->proxy_protocol = server->proxy_protocol | server->proxy_tlvs;
		server_row->weight = server->weight;
		server_row->farm = farm->o.id;
		server_row->max_connections = server->max_connections;
		server_row->slow_start = server->slow_start;
		server_row->use = use_of(config, farm, server);
		if (server_row->use == USE_NEW)
			members[n++] = server;
	}
	err = compile_members(tables, row, members, n);
	free(members);
	return err;
}

/* ---- the whole --------------------------------------------------------------------------- */

/* Tables that are indexed by id get all their rows at once. */
static int size_tables(const struct config *config, struct tables *tables)
{
	uint32_t frontend = 0, route = 0, farm = 0, server = 0, ignored;
	int err;

	for (size_t i = 0; i < config->n_frontends; i++)
		frontend = greater(config->frontends[i].o.id, frontend);
	for (size_t i = 0; i < config->n_routes; i++)
		route = greater(config->routes[i].o.id, route);
	for (size_t i = 0; i < config->n_farms; i++) {
		farm = greater(config->farms[i].o.id, farm);
		for (size_t j = 0; j < config->farms[i].n_servers; j++)
			server = greater(config->farms[i].servers[j].o.id, server);
	}
	err = table_grow(tables, TABLE_frontends, frontend + 1, &ignored);
	err = err ? err : table_grow(tables, TABLE_routes, route + 1, &ignored);
	err = err ? err : table_grow(tables, TABLE_farms, farm + 1, &ignored);
	return err ? err : table_grow(tables, TABLE_servers, server + 1, &ignored);
}

static int compile_config_text(const struct config *config, struct tables *tables)
{
	json_t *tree = config_encode(config);
	char *text = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
	uint64_t length = text ? strlen(text) : 0;
	size_t size = sizeof(length) + length;
	uint32_t first;
	int err = text ? table_grow(tables, TABLE_config, (size + CONFIG_CHUNK - 1) / CONFIG_CHUNK,
				    &first)
		       : -ENOMEM;

	if (!err) {
		char *rows = tables->v[TABLE_config].rows;

		memcpy(rows, &length, sizeof(length));
		memcpy(rows + sizeof(length), text, length);
	}
	free(text);
	json_decref(tree);
	return err;
}

/* A map cannot be empty. */
static int fill_empty_tables(struct tables *tables)
{
	uint32_t ignored;
	int err = 0;

	for (int i = 0; i < TABLE_MAX && !err; i++)
		if (!tables->v[i].n)
			err = table_grow(tables, i, 1, &ignored);
	return err;
}

int tables_compile(const struct config *config, struct tables *tables)
{
	struct compiler c = {.tables = tables, .config = config};
	int err = size_tables(config, tables);

	for (size_t i = 0; i < config->n_farms && !err; i++)
		err = compile_farm(tables, config, &config->farms[i]);
	for (size_t i = 0; i < config->n_frontends && !err; i++)
		err = compile_frontend(&c, &config->frontends[i]);
	err = err ? err : compile_anchors(&c);
	err = err ? err : compile_config_text(config, tables);
	err = err ? err : fill_empty_tables(tables);
	free(c.entries);
	return err;
}

void tables_free_regexes(struct tables *tables)
{
	for (size_t i = 0; i < tables->n_regexes; i++)
		regex_free(tables->regexes[i]);
	free(tables->regexes);
	tables->regexes = NULL;
	tables->n_regexes = 0;
}

void tables_free(struct tables *tables)
{
	tables_free_regexes(tables);
	for (int i = 0; i < TABLE_MAX; i++)
		if (tables->v[i].capacity)
			free(tables->v[i].rows);
	memset(tables, 0, sizeof(*tables));
}
