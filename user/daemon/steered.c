// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "steered.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/occupied.h"
#include "../model/decode.h"
#include "log.h"
#include "socket.h"

static bool is_needed(const struct config *config)
{
	for (size_t i = 0; i < config->n_frontends; i++)
		if (frontend_listens(config, &config->frontends[i]) &&
		    frontend_is_wide(&config->frontends[i]))
			return true;
	return false;
}

/* Ports that are not bound must be seen to be free. */
static int see_others(const char **failed)
{
	struct spans others = {0};
	int err = occupied_ports(NOBODY, &others);

	spans_free(&others);
	*failed = "see what other programs listen on";
	return err;
}

void steered_open(struct steered *steered, const char *instance, const struct config *config)
{
	const char *failed;
	int err;

	if (steered->steering.programs || steered->failed || !is_needed(config))
		return;
	steered->table = -1;
	err = see_others(&failed);
	err = err ? err : steering_open(&steered->steering, instance, &failed);
	steered->failed = err;
	if (err)
		log_line(LOG_WARN,
			 "connections cannot be steered here, so each address and port of a "
			 "frontend takes a socket per worker: cannot %s: %s",
			 failed, strerror(-err));
}

void steered_close(struct steered *steered)
{
	steered_abort(steered);
	steering_close(&steered->steering);
	spans_free(&steered->now);
	spans_free(&steered->taken);
}

bool steered_has(const struct steered *steered, const struct frontend *frontend)
{
	return steered->steering.programs && frontend_is_wide(frontend);
}

/* ---- what is taken ----------------------------------------------------------------------- */

int steered_look(struct steered *steered, const char *instance)
{
	spans_free(&steered->taken);
	return steering_of_others(instance, &steered->taken);
}

static struct span span_of(const uint8_t address[16], uint16_t port)
{
	struct span span = {.first = port, .last = port};

	memcpy(span.address, address, sizeof(span.address));
	return span;
}

bool steered_taken(const struct steered *steered, const uint8_t address[16], uint16_t port)
{
	struct span span = span_of(address, port);

	return spans_overlap(&steered->taken, &span);
}

bool steered_covers(const struct steered *steered, const uint8_t address[16], uint16_t port)
{
	struct span span = span_of(address, port);

	return spans_overlap(steered->table < 0 ? &steered->now : &steered->next, &span);
}

/* ---- preparing --------------------------------------------------------------------------- */

/* What one line says of a failure. */
struct failure {
	const struct config *config;
	char *line;
	size_t size;
};

static const char *name_of(const struct config *config, uint32_t frontend_id)
{
	for (size_t i = 0; i < config->n_frontends; i++)
		if (config->frontends[i].o.id == frontend_id)
			return config->frontends[i].o.name;
	return "";
}

static int refuse(const struct failure *failure, const struct span *span, uint16_t port, int err)
{
	char text[64];

	snprintf(failure->line, failure->size, "frontend %s: cannot listen on %s: %s",
		 name_of(failure->config, span->frontend_id),
		 endpoint_format(span->address, port, text, sizeof(text)), strerror(-err));
	return err;
}

/* What is steered already stays so: who came later and listens there as well is no hindrance. */
static int check_against(const struct steered *steered, const struct span *span,
			 const struct spans *others, const struct failure *failure)
{
	for (size_t i = 0; i < others->n; i++) {
		const struct span *other = &others->v[i];
		struct span common = *span;

		if (!span_overlaps(span, other))
			continue;
		if (other->first > common.first)
			common.first = other->first;
		if (other->last < common.last)
			common.last = other->last;
		if (!spans_cover(&steered->now, &common))
			return refuse(failure, span, common.first, -EADDRINUSE);
	}
	return 0;
}

static int check_address(const struct steered *steered, const struct span *span,
			 const struct failure *failure)
{
	int err = spans_cover(&steered->now, span) ? 0 : socket_test_address(span->address);
	bool any = !memcmp(span->address, any_v6, sizeof(span->address));

	/* A host without IPv6 has no clients there. */
	return err && !any ? refuse(failure, span, span->first, err) : 0;
}

static int check(const struct steered *steered, uid_t owner, const struct failure *failure)
{
	struct spans others = {0};
	int err = occupied_ports(owner, &others);

	if (err)
		snprintf(failure->line, failure->size,
			 "cannot see which ports other programs listen on: %s", strerror(-err));
	for (size_t i = 0; i < steered->next.n && !err; i++) {
		const struct span *span = &steered->next.v[i];

		if (!i || memcmp(span[-1].address, span->address, sizeof(span->address)))
			err = check_address(steered, span, failure);
		err = err ? err : check_against(steered, span, &others, failure);
		err = err ? err : check_against(steered, span, &steered->taken, failure);
	}
	spans_free(&others);
	return err;
}

static int add_all(struct steered *steered, const struct config *config)
{
	int err = 0;

	for (size_t i = 0; i < config->n_frontends && !err; i++)
		if (frontend_listens(config, &config->frontends[i]) &&
		    steered_has(steered, &config->frontends[i]))
			err = spans_add_frontend(&steered->next, &config->frontends[i]);
	spans_sort(&steered->next);
	return err;
}

static bool is_same(const struct spans *a, const struct spans *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->v, b->v, a->n * sizeof(*a->v)));
}

static int compile(struct steered *steered, const struct failure *failure)
{
	int table = steering_compile(&steered->next);

	if (table == -E2BIG)
		snprintf(failure->line, failure->size,
			 "too many addresses and ports in frontends, allowed: at most %d blocks of "
			 "ports at an address",
			 STEER_BLOCKS);
	else if (table < 0)
		snprintf(failure->line, failure->size, "cannot make the table of ports: %s",
			 strerror(-table));
	steered->table = table < 0 ? -1 : table;
	return table < 0 ? table : 0;
}

int steered_prepare(struct steered *steered, const struct config *config, uid_t owner, char *failed,
		    size_t size)
{
	const struct failure failure = {config, failed, size};
	int err;

	if (!steered->steering.programs)
		return 0;
	steered_abort(steered);
	err = add_all(steered, config);
	if (err)
		snprintf(failed, size, "cannot steer connections: %s", strerror(-err));
	if (err || is_same(&steered->now, &steered->next))
		return err;
	err = check(steered, owner, &failure);
	return err ? err : compile(steered, &failure);
}

void steered_abort(struct steered *steered)
{
	if (!steered->steering.programs)
		return;
	if (steered->table >= 0)
		close(steered->table);
	steered->table = -1;
	spans_free(&steered->next);
}

void steered_commit(struct steered *steered)
{
	int err;

	if (!steered->steering.programs || steered->table < 0)
		return;
	err = steering_publish(&steered->steering, steered->table);
	if (err)
		log_line(LOG_ERROR, "cannot steer connections to the new ports: %s",
			 strerror(-err));
	spans_free(&steered->now);
	steered->now = steered->next;
	steered->next = (struct spans){0};
	steered_abort(steered);
}
