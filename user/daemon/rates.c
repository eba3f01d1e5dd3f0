// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../bpf/anchor.h"
#include "../model/prefix.h"

#define SECOND_NS 1000000000ULL
#define SETS	  8192 /* a power of two */
#define WAYS	  8

struct source_bucket {
	uint8_t source[16];
	uint64_t full_at;
	uint32_t frontend_id; /* 0 = not in use */
	uint32_t pad;
};

int rates_init(struct rates *rates)
{
	rates->frontends = calloc(MAX_FRONTENDS + 1, sizeof(*rates->frontends));
	rates->sources = calloc(SETS * WAYS, sizeof(*rates->sources));
	for (int i = 0; i < RATE_LOCKS; i++)
		pthread_mutex_init(&rates->locks[i], NULL);
	if (!rates->frontends || !rates->sources)
		return -ENOMEM;
	return getrandom(&rates->seed, sizeof(rates->seed), 0) < 0 ? -errno : 0;
}

void rates_free(struct rates *rates)
{
	free(rates->frontends);
	free(rates->sources);
	rates->frontends = NULL;
	rates->sources = NULL;
}

/* When a bucket is full again after one more token is taken; 0 if there is none in it. */
static uint64_t take_token(uint64_t full_at, uint32_t rate, uint64_t now)
{
	uint64_t after = (full_at > now ? full_at : now) + SECOND_NS / rate;

	return after <= now + SECOND_NS ? after : 0;
}

static bool frontend_admits(_Atomic uint64_t *full_at, uint32_t rate, uint64_t now)
{
	uint64_t before = atomic_load(full_at), after;

	do {
		after = take_token(before, rate, now);
		if (!after)
			return false;
	} while (!atomic_compare_exchange_weak(full_at, &before, after));
	return true;
}

/* The bucket of a source; or the fullest of its set, emptied of whoever had it. */
static struct source_bucket *find_bucket(struct source_bucket *set, uint32_t frontend_id,
					 const uint8_t source[16])
{
	struct source_bucket *fullest = set;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].frontend_id == frontend_id && !memcmp(set[i].source, source, 16))
			return &set[i];
		if (set[i].full_at < fullest->full_at)
			fullest = &set[i];
	}
	*fullest = (struct source_bucket){.frontend_id = frontend_id};
	memcpy(fullest->source, source, 16);
	return fullest;
}

static bool source_admits(struct rates *rates, uint32_t frontend_id, uint32_t rate,
			  const uint8_t source[16], uint64_t now)
{
	uint64_t hash = hash_word(rates->seed, LOAD64(source));
	uint32_t set = hash_word(hash_word(hash, LOAD64(source + 8)), frontend_id) % SETS;
	pthread_mutex_t *lock = &rates->locks[set % RATE_LOCKS];
	struct source_bucket *bucket;
	uint64_t after;

	pthread_mutex_lock(lock);
	bucket = find_bucket(&rates->sources[set * WAYS], frontend_id, source);
	after = take_token(bucket->full_at, rate, now);
	if (after)
		bucket->full_at = after;
	pthread_mutex_unlock(lock);
	return after;
}

/* What all have in common who count as one. */
static struct prefix source_block(const struct rate_limits *limits, const uint8_t source[16])
{
	struct prefix block = {.length = address_is_mapped(source) ? limits->prefix_v4
								   : limits->prefix_v6};

	memcpy(block.address, source, sizeof(block.address));
	prefix_clear(&block);
	return block;
}

bool rates_admit(struct rates *rates, const struct rate_limits *limits, const uint8_t source[16],
		 uint64_t now)
{
	struct prefix block = source_block(limits, source);
	uint32_t id = limits->frontend_id;

	if (limits->source && !source_admits(rates, id, limits->source, block.address, now))
		return false;
	return !limits->all || frontend_admits(&rates->frontends[id], limits->all, now);
}
