// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "decide.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../bpf/balance.h"
#include "../../bpf/hello.h"
#include "../model/prefix.h"
#include "clock.h"

#define TABLE_ROW(name, plural, row)                                                               \
	static const row *table_##name(const struct tables *t, __u32 index)                        \
	{                                                                                          \
		return tables_row(t, plural, index);                                               \
	}
TABLE_ROW(anchor, anchors, struct anchor_row)
TABLE_ROW(candidate, candidates, struct candidate_row)
TABLE_ROW(test, tests, struct test_row)
TABLE_ROW(pattern, patterns, struct pattern_row)
TABLE_ROW(member, members, struct member_row)
TABLE_ROW(ring, ring, struct member_row)
TABLE_ROW(server, servers, struct server_row)

/* The headers ask for statistics without saying whose: set around every choice. */
static __thread const struct balance_stats *choosing;

static struct farm_stats *stats_farm(__u32 id)
{
	return id <= MAX_FARMS ? &choosing->farms[id] : NULL;
}

static struct server_stats *stats_server(__u32 id)
{
	return id <= MAX_SERVERS ? &choosing->servers[id] : NULL;
}

static const struct server_health *health_server(__u32 id)
{
	return id <= MAX_SERVERS ? &choosing->health[id] : NULL;
}

static int stick_table(__u32 farm_id)
{
	return choosing->sticks ? choosing->sticks[farm_id] : -1;
}

static bool stick_load(__u32 farm_id, const __u8 *client, struct stick_row *row)
{
	return !bpf_map_lookup_elem(stick_table(farm_id), client, row);
}

static void stick_store(__u32 farm_id, const __u8 *client, const struct stick_row *row)
{
	(void)bpf_map_update_elem(stick_table(farm_id), client, row, BPF_ANY);
}

static __u64 clock_now(void)
{
	return monotonic_time();
}

static long hello_load(void *source, __u32 offset, void *to, __u32 len)
{
	memcpy(to, (const char *)source + offset, len);
	return 0;
}

enum verdict hello_read(struct hello *hello, const void *data, size_t len)
{
	return hello_feed(hello, (void *)data, len);
}

enum verdict hello_cut_short(const struct hello *hello)
{
	if (hello->state == HELLO_FIRST_BYTE)
		return VERDICT_SILENT;
	return hello->state >= HELLO_HEADER ? VERDICT_MALFORMED : VERDICT_OTHER;
}

uint32_t hello_speaks(const struct hello *hello)
{
	return hello_protocols(hello->verdict, hello->flags, hello->version);
}

void subject_init(struct subject *subject, const struct hello *hello, const uint8_t source[16])
{
	subject->hello = hello;
	subject->alpn = hello->alpn;
	subject->alpn_len = hello->alpn_len;
	memcpy(subject->source, source, sizeof(subject->source));
}

/* Copies `size` bytes at `at` of the handshake message in `data`, across its records. */
static int message_copy(const uint8_t *data, size_t len, size_t at, uint8_t *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t record, skip, take;

		if (len < RECORD_HEADER)
			return -EINVAL;
		record = data[3] << 8 | data[4];
		if (len - RECORD_HEADER < record)
			record = len - RECORD_HEADER;
		skip = MIN(at, record);
		take = MIN(record - skip, size - done);
		memcpy(to + done, data + RECORD_HEADER + skip, take);
		at -= skip;
		done += take;
		data += RECORD_HEADER + record;
		len -= RECORD_HEADER + record;
	}
	return 0;
}

int subject_whole_alpn(struct subject *subject, const void *data, size_t len, uint8_t **list)
{
	const struct hello *hello = subject->hello;
	int err;

	*list = calloc(1, hello->alpn_size + sizeof(struct names));
	if (!*list)
		return -ENOMEM;
	/* 4: the message's own header */
	err = message_copy(data, len, 4 + hello->alpn_at, *list, hello->alpn_size);
	if (err)
		return err;
	subject->alpn = *list;
	subject->alpn_len = hello->alpn_size;
	return 0;
}

/* ---- regular expressions ----------------------------------------------------------------- */

/* An evaluation, and what its regular expressions have come to. */
struct walk {
	struct evaluation e; /* first: the headers know only this */
	struct decision *decision;
	struct regex_note *notes; /* NULL = nobody wants to know */
	struct regex_scratch *scratch;
	uint64_t spent, allowed; /* nanoseconds */
};

static uint64_t processor_time(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static enum regex_answer match_timed(struct walk *walk, const struct regex *regex,
				     const uint8_t *name, size_t len)
{
	uint64_t begin = processor_time(), took;
	enum regex_answer answer;

	if (!walk->scratch)
		walk->scratch = regex_scratch_new();
	answer = regex_match(regex, name, len, walk->scratch);
	took = processor_time() - begin;
	walk->spent += MIN(took, REGEX_TIME_ONE);
	return answer;
}

static enum regex_answer match_name(struct walk *walk, const struct regex *regex,
				    const uint8_t *name, size_t len)
{
	bool exhausted = walk->decision->gave_up >= GIVE_UPS_MAX || walk->spent >= walk->allowed;
	enum regex_answer answer = exhausted ? REGEX_GAVE_UP : match_timed(walk, regex, name, len);

	if (answer == REGEX_GAVE_UP) {
		walk->decision->gave_up++;
		walk->decision->gave_up_on = regex;
	}
	return answer;
}

/* One of the names is enough; without one, those that are not known count. */
static enum regex_answer match_names(struct walk *walk, const struct test_row *test)
{
	const struct evaluation *e = &walk->e;
	const struct regex *regex = e->tables->regexes[test->operand];
	const uint8_t *alpn = e->alpn->bytes;
	enum regex_answer all = REGEX_NO;

	walk->allowed += REGEX_SHARE;
	if (test->field == FIELD_SNI)
		return match_name(walk, regex, e->sni->bytes, e->sni_len);
	for (size_t at = 0; at < e->alpn_len && all != REGEX_YES; at += 1 + alpn[at]) {
		enum regex_answer one = match_name(walk, regex, alpn + at + 1, alpn[at]);

		all = one == REGEX_NO ? all : one;
	}
	return all;
}

static long walk_regex(struct evaluation *e)
{
	struct walk *walk = (struct walk *)e;
	const struct test_row *test =
		e->test & TEST_REGEX ? table_test(e->tables, e->test & ~TEST_REGEX) : NULL;
	enum regex_answer answer;

	if (!test)
		return 1;
	answer = match_names(walk, test);
	if (walk->notes)
		walk->notes[test->operand] = (struct regex_note){e->route, test->field, answer};
	switch (answer) {
	case REGEX_YES:
		e->test = test->yes;
		break;
	case REGEX_NO:
		e->test = test->no;
		break;
	case REGEX_GAVE_UP: /* the rule does not hold, negated neither */
		e->test = TEST_FAIL;
		break;
	}
	return 0;
}

/* ---- decisions --------------------------------------------------------------------------- */

/* HELLO_OFFERS_* of a whole list. */
static uint32_t list_offers(const struct subject *subject)
{
	uint32_t flags = 0;

	for (size_t at = 0; at < subject->alpn_len; at += 1 + subject->alpn[at])
		flags |= hello_offers(subject->alpn + at + 1, subject->alpn[at]);
	return flags;
}

static void evaluation_init(struct evaluation *e, const struct tables *tables,
			    const struct subject *subject)
{
	const struct hello *hello = subject->hello;

	memset(e, 0, sizeof(*e));
	e->tables = tables;
	e->sni = (const struct names *)hello->sni;
	e->alpn = (const struct names *)subject->alpn;
	if (hello->verdict == VERDICT_TLS) {
		e->sni_len = hello->sni_len;
		e->alpn_len = subject->alpn_len;
	}
	e->protocols = hello_protocols(hello->verdict, hello->flags | list_offers(subject),
				       hello->version);
	e->source[0] = be64toh(LOAD64(subject->source));
	e->source[1] = be64toh(LOAD64(subject->source + 8));
}

void decide(const struct tables *tables, uint32_t frontend_id, const struct subject *subject,
	    struct decision *decision)
{
	decide_and_note(tables, frontend_id, subject, decision, NULL);
}

void decide_and_note(const struct tables *tables, uint32_t frontend_id,
		     const struct subject *subject, struct decision *decision,
		     struct regex_note *notes)
{
	struct walk walk = {.decision = decision, .notes = notes, .allowed = REGEX_TIME};
	struct evaluation *e = &walk.e;
	const struct route_row *route;

	memset(decision, 0, sizeof(*decision));
	evaluation_init(e, tables, subject);
	e->frontend_id = frontend_id;
	e->frontend = tables_row(tables, frontends, frontend_id);
	if (!e->frontend)
		return;
	decision->route_id = route_evaluate(e);
	regex_scratch_free(walk.scratch);
	route = decision->route_id ? tables_row(tables, routes, decision->route_id) : NULL;
	decision->action = route_action(e->frontend, route, &decision->farm_id);
}

static struct prefix prefix_of(const struct source_row *row)
{
	struct prefix prefix = {.length = row->length};

	memcpy(prefix.address, row->address, sizeof(prefix.address));
	return prefix;
}

/* Of those that begin before the source, only the last one can have it. */
static bool is_listed(const struct tables *tables, uint32_t first, uint32_t count,
		      const uint8_t source[16])
{
	struct prefix wanted = {.length = 128}, block;
	uint32_t low = 0, high = count;

	memcpy(wanted.address, source, sizeof(wanted.address));
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		block = prefix_of(tables_row(tables, sources, first + middle));
		if (prefix_compare(&block, &wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	block = prefix_of(tables_row(tables, sources, first + low - 1));
	return prefix_contains(&block, source);
}

bool source_admitted(const struct tables *tables, const struct frontend_row *frontend,
		     const uint8_t source[16])
{
	bool listed = is_listed(tables, frontend->source_first, frontend->source_count, source);

	return listed == !!(frontend->flags & FRONTEND_ALLOW_LIST);
}

bool source_is_proxy(const struct tables *tables, const struct frontend_row *frontend,
		     const uint8_t source[16])
{
	return is_listed(tables, frontend->proxy_first, frontend->proxy_count, source);
}

/* Where another one took the last place in this moment, there may be places elsewhere. */
#define CHOICES_MAX 4

uint32_t choose_server_or_wait(const struct tables *tables, const struct balance_stats *stats,
			       struct asker *asker)
{
	__u64 words[2] = {be64toh(LOAD64(asker->source)), be64toh(LOAD64(asker->source + 8))};
	struct choice choice = {.lost = 1};
	uint32_t server = 0;

	for (int i = 0; i < CHOICES_MAX && choice.lost; i++) {
		choice = (struct choice){
			.tables = tables,
			.farm = tables_row(tables, farms, asker->farm_id),
			.client = asker->source,
			.tried = asker->tried,
			.tried_count = asker->tried_count,
			.waited = asker->waited,
		};
		if (!choice.farm || !stats->farms)
			break;
		choosing = stats;
		server = server_choose(&choice, asker->farm_id, words);
	}
	asker->full = choice.full;
	asker->stuck = choice.stuck;
	return server;
}
