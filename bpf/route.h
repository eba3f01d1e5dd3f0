/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which route of a frontend a client takes. The work grows with what the hello carries and
 * with the routes that share its exact name, not with the number of routes: a route is
 * found through its anchor (see model.h), and only then are its rules evaluated.
 *
 * The unit that includes this header provides the rows of one generation of tables:
 *	static const struct X_row *table_X(const struct tables *, __u32 index);
 * for anchor, candidate, test and pattern; NULL when there is no such row.
 */
#ifndef ALPNLB_ROUTE_H
#define ALPNLB_ROUTE_H

#include "anchor.h"

struct tables;
static const struct anchor_row *table_anchor(const struct tables *tables, __u32 index);
static const struct candidate_row *table_candidate(const struct tables *tables, __u32 index);
static const struct test_row *table_test(const struct tables *tables, __u32 index);
static const struct pattern_row *table_pattern(const struct tables *tables, __u32 index);

struct names;

#define TEST_NONE 0xfffffffdu /* between two candidates */
#define ROUTE_ASK TEST_REGEX  /* with a route's id: it may match, by a regular expression */

/* Everything that rules can look at, and how far the evaluation has come. */
struct evaluation {
	const struct tables *tables;
	const struct frontend_row *frontend;
	const struct names *sni;
	const struct names *alpn; /* the offered list, each name behind its length byte */
	__u32 sni_len;		  /* 0 = none */
	__u32 alpn_len;		  /* 0 = none */
	__u32 protocols;	  /* PROTOCOL_* */
	__u32 frontend_id;
	__u64 source[2]; /* IPv6 or mapped address as two numbers, high half first */
	/* the anchors */
	__u64 hash;
	__u32 left; /* bytes left of an ALPN name */
	__u32 sni_steps, alpn_steps;
	/* the walk */
	__u32 candidate, candidates_end;
	__u32 rank, route, test;
	/* the comparison under way */
	__u32 name_at, name_len; /* within alpn */
	__u32 held;
	__u32 match;
	const struct pattern_row *pattern;
	/* the result: the first route that matches */
	__u32 best_rank, best_route;
};

/* ---- tests --------------------------------------------------------------------------- */

/*
 * Memory that names are compared in: an SNI, or a list of ALPN names. The program may read
 * all of it, whatever follows the list in its record; the daemon only what the list holds.
 */
struct names {
	__u8 bytes[SNI_MAX + 1 + WORD_PAD];
};
#ifdef __bpf__
#define NAMES_MAX SNI_MAX
#else
#define NAMES_MAX 0xffff /* a whole extension */
#endif

/* Do the two words at `at` and at `i` agree in the bits of `mask`? */
static __always_inline bool words_equal(const struct names *names, __u32 at,
					const struct pattern_row *pattern, __u32 i, __u64 mask)
{
	__u32 index = at + i;

	OPAQUE(index);
	if (index > NAMES_MAX)
		return false;
	return !((LOAD64((const __u8 *)names + index) ^ LOAD64(pattern->bytes + i)) & mask);
}

/* Do the pattern's bytes stand at `at`? */
static __always_inline bool bytes_equal(const struct names *names, __u32 at,
					const struct pattern_row *pattern)
{
	__u32 len = pattern->len, i;

	for (i = 0; i + 8 <= MAX_PATTERN && i + 8 <= len; i += 8)
		if (!words_equal(names, at, pattern, i, ~0ULL))
			return false;
	OPAQUE(i);
	if (i > MAX_PATTERN)
		return false;
	return words_equal(names, at, pattern, i, FIRST_BYTES(len & 7));
}

struct search {
	const struct names *names;
	const struct pattern_row *pattern;
	__u32 at;
	__u32 found;
};

static long contains_step(__u32 index, void *context)
{
	struct search *s = context;

	s->found = bytes_equal(s->names, s->at + index, s->pattern);
	return s->found != 0;
}

/* Does the name of `len` bytes at `at` hold the pattern, in the sense of `match`? */
GLOBAL_SUBPROGRAM int name_matches(const struct names *names, const struct pattern_row *pattern,
				   __u32 match, __u32 at, __u32 len)
{
	struct search search = {.names = names, .pattern = pattern, .at = at};
	__u32 pattern_len;

	if (!names || !pattern)
		return false;
	pattern_len = pattern->len;
	if (pattern_len > len)
		return false;
	switch (match) {
	case MATCH_IS:
		if (pattern_len < len)
			return false;
		break;
	case MATCH_STARTSWITH:
		break;
	case MATCH_ENDSWITH:
		at += len - pattern_len;
		break;
	case MATCH_CONTAINS:
		LOOP(len - pattern_len + 1, contains_step, &search);
		return search.found;
	default:
		return false;
	}
	return bytes_equal(names, at, pattern);
}

/* One name of the offered list. */
static long alpn_name_step(__u32 index, void *context)
{
	struct evaluation *e = context;
	__u32 at = e->name_at + e->name_len; /* the next length byte */

	OPAQUE(at);
	if (at >= e->alpn_len || at > NAMES_MAX)
		return 1;
	e->name_len = e->alpn->bytes[at];
	e->name_at = at + 1;
	e->held = name_matches(e->alpn, e->pattern, e->match, e->name_at, e->name_len);
	return e->held != 0;
}

static __always_inline bool alpn_matches(struct evaluation *e)
{
	e->held = false;
	e->name_at = e->name_len = 0;
	LOOP(e->alpn_len, alpn_name_step, e);
	return e->held != 0;
}

static __always_inline bool source_matches(const __u64 source[2], const struct pattern_row *pattern)
{
	__u64 high = bpf_be64_to_cpu(LOAD64(pattern->bytes));
	__u64 low = bpf_be64_to_cpu(LOAD64(pattern->bytes + 8));

	return (source[0] & bpf_be64_to_cpu(LOAD64(pattern->bytes + 16))) == high &&
	       (source[1] & bpf_be64_to_cpu(LOAD64(pattern->bytes + 24))) == low;
}

static __always_inline bool test_holds(struct evaluation *e, const struct test_row *test)
{
	if (test->field == FIELD_PROTOCOL)
		return e->protocols & test->operand;
	if (test->match == MATCH_EXISTS)
		return test->field == FIELD_SNI ? e->sni_len : e->alpn_len;
	e->match = test->match;
	e->pattern = table_pattern(e->tables, test->operand);
	if (!e->pattern)
		return false;
	switch (test->field) {
	case FIELD_SOURCE:
		return source_matches(e->source, e->pattern);
	case FIELD_SNI:
		return e->sni_len && name_matches(e->sni, e->pattern, e->match, 0, e->sni_len);
	case FIELD_ALPN:
		return alpn_matches(e);
	}
	return false;
}

/* ---- the walk ------------------------------------------------------------------------ */

/*
 * The test that comes next has no row under its number. Out of the way of tests that have: those
 * without regular expressions do not pay for them.
 */
#ifdef __bpf__
static __always_inline long walk_regex(struct evaluation *e)
{
	__u32 ask = e->test & TEST_REGEX;

	if (ask) {
		e->best_rank = e->rank;
		e->best_route = e->route | ask; /* no constant: the verifier would keep it apart */
	}
	return 1;
}
#else
static long walk_regex(struct evaluation *e);
#endif

/* Takes the next candidate, or one test of the current one; 1 = done with this range. */
static long walk_step(__u32 index, void *context)
{
	struct evaluation *e = context;
	const struct candidate_row *candidate;
	const struct test_row *test;

	if (e->test == TEST_NONE) {
		if (e->candidate >= e->candidates_end)
			return 1;
		candidate = table_candidate(e->tables, e->candidate++);
		if (!candidate || candidate->rank >= e->best_rank)
			return 1; /* ascending: the rest cannot be first either */
		e->rank = candidate->rank;
		e->route = candidate->route;
		e->test = candidate->test;
	}
	if (e->test == TEST_MATCH) {
		e->best_rank = e->rank;
		e->best_route = e->route;
		return 1;
	}
	if (e->test == TEST_FAIL) {
		e->test = TEST_NONE;
		return 0;
	}
	test = table_test(e->tables, e->test);
	if (!test)
		return walk_regex(e);
	e->test = test_holds(e, test) ? test->yes : test->no;
	return 0;
}

#define WALK_MAX (1 << 22) /* steps: 4,096 routes of 16 rules of 64 patterns, and ends */

static __always_inline void try_candidates(struct evaluation *e, __u32 first, __u32 count)
{
	e->candidate = first;
	e->candidates_end = first + count;
	e->test = TEST_NONE;
	LOOP(WALK_MAX, walk_step, e);
}

/* ---- the anchors --------------------------------------------------------------------- */

static __always_inline __u64 source_key(const struct evaluation *e, __u32 index)
{
	if (index >= SOURCE_LENGTHS_MAX)
		return 0;
	return anchor_hash(ANCHOR_SOURCE, e->frontend_id,
			   source_hash(e->source, e->frontend->source_lengths[index]));
}

/* Hashes the name from its end, so that every suffix is seen on the way to the whole. */
static __always_inline __u64 sni_key(struct evaluation *e, __u32 index)
{
	__u32 len = index + 1;

	if (!index)
		e->hash = HASH_SEED;
	if (index == e->sni_len)
		return e->frontend->flags & FRONTEND_ANCHOR_SNI
			       ? anchor_hash(ANCHOR_SNI, e->frontend_id, e->hash)
			       : 0;
	e->hash = hash_byte(e->hash, e->sni->bytes[(e->sni_len - len) & 0xff]);
	if (!(e->frontend->suffix_lengths[len >> 6 & 3] >> (len & 63) & 1))
		return 0;
	return anchor_hash(ANCHOR_SUFFIX, e->frontend_id, e->hash);
}

/* At the last byte of a name. */
static __always_inline __u64 alpn_key(struct evaluation *e, __u32 index)
{
	if (index > NAMES_MAX)
		return 0;
	if (!e->left) {
		e->left = e->alpn->bytes[index];
		e->hash = HASH_SEED;
		return 0;
	}
	e->hash = hash_byte(e->hash, e->alpn->bytes[index]);
	return --e->left ? 0 : anchor_hash(ANCHOR_ALPN, e->frontend_id, e->hash);
}

/* The anchor that a step of the hello leads to, 0 = none. */
static __always_inline __u64 anchor_key(struct evaluation *e, __u32 step)
{
	if (step < e->sni_steps)
		return sni_key(e, step);
	step -= e->sni_steps;
	return step < e->alpn_steps ? alpn_key(e, step) : source_key(e, step - e->alpn_steps);
}

static __always_inline const struct anchor_row *find_anchor(const struct evaluation *e, __u64 key)
{
	for (__u32 i = 0; i < ANCHOR_PROBES; i++) {
		const struct anchor_row *anchor =
			table_anchor(e->tables, (key + i) & e->frontend->anchor_mask);

		if (!anchor || !anchor->hash)
			return NULL;
		if (anchor->hash == key)
			return anchor;
	}
	return NULL;
}

/*
 * The routes without an anchor, then those of the anchors of all that the hello carries. One loop
 * for all of them: the verifier goes through what it calls once for each call.
 */
static long route_step(__u32 index, void *context)
{
	struct evaluation *e = context;
	__u32 first = e->frontend->plain_first, count = e->frontend->plain_count;

	if (index) {
		__u64 key = anchor_key(e, index - 1);
		const struct anchor_row *anchor = key ? find_anchor(e, key) : NULL;

		if (!anchor)
			return 0;
		first = anchor->first;
		count = anchor->count;
	}
	try_candidates(e, first, count);
	return 0;
}

/*
 * Finds the first route in order that matches; returns its id, or 0 when none does; in a program
 * with ROUTE_ASK. The fields of `e` up to `source` are the caller's.
 */
static __always_inline __u32 route_evaluate(struct evaluation *e)
{
	__u32 flags = e->frontend->flags, sources = 0;

	e->best_rank = ~0u;
	e->best_route = e->left = 0;
	e->sni_steps = e->alpn_steps = 0;
	if (e->sni_len && flags & (FRONTEND_ANCHOR_SNI | FRONTEND_ANCHOR_SUFFIX))
		e->sni_steps = e->sni_len + 1;
	if (flags & FRONTEND_ANCHOR_ALPN)
		e->alpn_steps = e->alpn_len;
	if (flags & FRONTEND_ANCHOR_SOURCE)
		sources = e->frontend->source_lengths_count;
	LOOP(1 + e->sni_steps + e->alpn_steps + sources, route_step, e);
	return e->best_route;
}

/* What a client gets whose route is this one, NULL = none matched: enum action, and the farm. */
static __always_inline __u32 route_action(const struct frontend_row *frontend,
					  const struct route_row *route, __u32 *farm_id)
{
	__u32 action = route ? route->action : ACTION_FARM;

	*farm_id = route ? route->farm : frontend->default_farm;
	return action == ACTION_FARM && !*farm_id ? ACTION_NONE : action;
}

#endif
