// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernel/clock.h"
#include "../kernel/instance.h"
#include "../model/names.h"
#include "events.h"
#include "health_cut.h"
#include "log.h"
#include "probe.h"

#define SPREAD 5   /* milliseconds from one server's first check to that of the next, on average */
#define SOON   100 /* milliseconds between checks out of turn, at least */

/* A server that is looked after. */
struct watch {
	struct health *health;
	uint32_t id, farm_id;
	char *name; /* "FARM/SERVER", for the log */
	bool shutdown_sessions;
	struct probe_target endpoint;
	struct plan *plan;
	struct plan *renewed; /* the same with its files read again, for the next check; or NULL */
	struct check check;
	struct event next;	   /* check */
	uint64_t began;		   /* monotonic_time() of the latest check ... */
	uint64_t good;		   /* ... and of the latest that was good; 0 = none yet */
	unsigned int rises, falls; /* in a row, until there is another */
	bool kept;		   /* by the configuration that is being applied */
};

/* ---- rows of the map ---------------------------------------------------------------------- */

/* Readers see a row as it was before or after, see view_server_health(). */
static void write_row(struct server_health *row, const struct server_health *now)
{
	__u32 odd = row->serial | 1; /* it is odd already if a daemon was killed in here */

	__atomic_store_n(&row->serial, odd, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	row->status = now->status;
	row->code = now->code;
	row->since = now->since;
	row->checked = now->checked;
	memcpy(row->address, now->address, sizeof(row->address));
	memcpy(row->text, now->text, sizeof(row->text));
	__atomic_store_n(&row->state, now->state, __ATOMIC_RELEASE);
	__atomic_store_n(&row->serial, odd + 1, __ATOMIC_RELEASE);
}

static struct server_health *row_of(const struct watch *watch)
{
	return &watch->health->instance->balance.health[watch->id];
}

static void forget_state(struct server_health *row)
{
	struct server_health unknown = {0};

	memcpy(unknown.address, row->address, sizeof(unknown.address));
	if (row->state != SERVER_UNKNOWN || row->status != CHECK_NONE)
		write_row(row, &unknown);
}

/* What is known of another address says nothing of this one. `server` may be NULL. */
static void note_address(struct server_health *row, const struct server *server)
{
	struct server_health unknown = {0};

	if (server)
		memcpy(unknown.address, server->address, sizeof(unknown.address));
	if (memcmp(row->address, unknown.address, sizeof(unknown.address)))
		write_row(row, &unknown);
}

enum server_state health_state(const struct health *health, uint32_t server_id)
{
	return __atomic_load_n(&health->instance->balance.health[server_id].state,
			       __ATOMIC_RELAXED);
}

/* ---- states -------------------------------------------------------------------------------- */

static void tell_state(const struct watch *watch, const struct server_health *row, bool was_known)
{
	bool down = row->state == SERVER_DOWN;
	char why[128];

	snprintf(why, sizeof(why), "%s: %s", names_text(&check_status_names, row->status),
		 row->text);
	if (down)
		log_line(LOG_WARN, "server %s is down: %s", watch->name, why);
	else if (was_known)
		log_line(LOG_INFO, "server %s is up", watch->name);
	event_server(down ? EVENT_SERVER_DOWN : EVENT_SERVER_UP, watch->farm_id, watch->id, why);
}

/* The one place where a server goes up or down. */
static void health_set(struct watch *watch, enum server_state state)
{
	struct server_health *row = row_of(watch), now = *row;
	bool was_known = row->state != SERVER_UNKNOWN;

	now.state = state;
	now.since = real_time() / MILLISECOND;
	if (state == SERVER_UP && was_known)
		instance_server_up(watch->health->instance, watch->id, monotonic_time());
	write_row(row, &now);
	tell_state(watch, &now, was_known);
	if (state == SERVER_DOWN && watch->shutdown_sessions)
		health_cut(watch->health, watch->id);
}

static void note_result(struct watch *watch, const struct check_result *result)
{
	struct server_health *row = row_of(watch), now = *row;

	now.status = result->status;
	now.code = result->code;
	now.checked = real_time() / MILLISECOND;
	memcpy(now.text, result->text, sizeof(now.text));
	write_row(row, &now);
}

/* The first word on a server decides alone; then it takes some in a row to change that. */
static void note_good(struct watch *watch)
{
	enum server_state state = row_of(watch)->state;

	watch->falls = 0;
	watch->rises++;
	if (state == SERVER_UNKNOWN ||
	    (state == SERVER_DOWN && watch->rises >= watch->plan->probe.rise))
		health_set(watch, SERVER_UP);
}

static void note_bad(struct watch *watch, bool alone)
{
	enum server_state state = row_of(watch)->state;

	watch->rises = 0;
	watch->falls++;
	if (state != SERVER_DOWN && (alone || watch->falls >= watch->plan->probe.fall))
		health_set(watch, SERVER_DOWN);
}

/* ---- checks -------------------------------------------------------------------------------- */

static void check_after(struct watch *watch, uint64_t nanoseconds)
{
	struct timeval wait = {nanoseconds / 1000000000, nanoseconds % 1000000000 / 1000};

	event_add(&watch->next, &wait);
}

static uint64_t random_below(uint64_t limit)
{
	uint32_t number;

	evutil_secure_rng_get_bytes(&number, sizeof(number));
	return limit * number >> 32;
}

/* A twentieth more or less each time, so that servers that were checked together drift apart. */
static void check_in_turn(struct watch *watch)
{
	uint64_t interval = watch->plan->probe.interval * MILLISECOND;
	uint64_t next = watch->began + interval - interval / 20 + random_below(interval / 10);
	uint64_t now = monotonic_time();

	check_after(watch, next > now ? next - now : 0);
}

static void on_checked(void *context, bool good, const struct check_result *result)
{
	struct watch *watch = context;

	note_result(watch, result);
	if (good) {
		watch->good = watch->began;
		note_good(watch);
	} else {
		note_bad(watch, row_of(watch)->state == SERVER_UNKNOWN);
	}
	check_in_turn(watch);
}

static void plan_leave(struct plan *plan)
{
	if (plan && !--plan->users)
		plan_free(plan);
}

static void take_renewed(struct watch *watch)
{
	if (!watch->renewed)
		return;
	plan_leave(watch->plan);
	watch->plan = watch->renewed;
	watch->renewed = NULL;
}

/* A file of this host is missing, which says nothing of the server. */
static void note_unchecked(struct watch *watch, const char *failed)
{
	struct check_result result = {.status = CHECK_UNKNOWN};

	result_text(&result, failed, strlen(failed));
	note_result(watch, &result);
}

static void on_next(evutil_socket_t fd, short what, void *context)
{
	struct watch *watch = context;
	char failed[256];

	take_renewed(watch);
	watch->began = monotonic_time();
	if (!plan_load(watch->plan, failed, sizeof(failed))) {
		note_unchecked(watch, failed);
		check_in_turn(watch);
		return;
	}
	check_begin(&watch->check, watch->plan, &watch->endpoint, watch->health->scratch);
}

/* ---- connections that failed --------------------------------------------------------------- */

/* The network's or the server's word; anything else is about this host. */
static bool is_of_server(int err)
{
	return err == ECONNREFUSED || err == ETIMEDOUT || err == EHOSTUNREACH ||
	       err == ENETUNREACH || err == ECONNRESET || err == EHOSTDOWN;
}

static void note_failure(struct watch *watch, int err)
{
	const char *text = err ? strerror(err) : "reset before the first byte";
	struct check_result result = {
		.status = err == ETIMEDOUT ? CHECK_L4_TIMEOUT : CHECK_L4_FAILED,
		.code = err ? err : ECONNRESET,
	};

	snprintf(result.text, sizeof(result.text), "a connection: %s", text);
	note_result(watch, &result);
}

/* Before its turn, but not hot on the heels of the last one. */
static void check_soon(struct watch *watch)
{
	uint64_t next = watch->began + SOON * MILLISECOND, now = monotonic_time();

	if (!check_runs(&watch->check) && row_of(watch)->state != SERVER_DOWN)
		check_after(watch, next > now ? next - now : 0);
}

/*
 * Counts like a failed check. A try older than the last good check says nothing new. A reset may be
 * the client's doing: it has the server checked, and takes it down only if that fails.
 */
static void hear_failure(struct watch *watch, const struct failure *failure)
{
	const struct server_health *row = row_of(watch);

	if (row->state == SERVER_DOWN || failure->began < watch->good)
		return;
	if (row->status == CHECK_UNKNOWN) /* nothing would bring it up again */
		return;
	if (failure->err || watch->falls + 1 < watch->plan->probe.fall) {
		note_failure(watch, failure->err);
		note_bad(watch, false);
	}
	if (!failure->err)
		check_soon(watch);
}

static void on_heard(evutil_socket_t fd, short what, void *context)
{
	struct health *health = context;
	struct failure failures[FAILURES_MAX];
	unsigned int n;

	pthread_mutex_lock(&health->lock);
	n = health->n_failures;
	memcpy(failures, health->failures, n * sizeof(*failures));
	health->n_failures = 0;
	pthread_mutex_unlock(&health->lock);
	for (unsigned int i = 0; i < n; i++)
		if (health->watches[failures[i].server_id])
			hear_failure(health->watches[failures[i].server_id], &failures[i]);
}

void health_failed(struct health *health, uint32_t server_id, int err, uint64_t began)
{
	if (server_id > MAX_SERVERS || !atomic_load(&health->watched[server_id]) ||
	    (err && !is_of_server(err)))
		return;
	pthread_mutex_lock(&health->lock);
	if (health->n_failures < FAILURES_MAX)
		health->failures[health->n_failures++] = (struct failure){server_id, err, began};
	pthread_mutex_unlock(&health->lock);
	event_active(health->heard, EV_READ, 0);
}

/* ---- configurations ------------------------------------------------------------------------ */

static bool is_watched(const struct config *config, const struct farm *farm,
		       const struct server *server)
{
	return farm->probe && server->probe && server_is_found(server) &&
	       server->status != STATUS_INACTIVE && config_in_zone(config, farm->zone);
}

uint32_t health_count(const struct config *config)
{
	uint32_t n = 0;

	for (size_t i = 0; i < config->n_farms; i++)
		for (size_t j = 0; j < config->farms[i].n_servers; j++)
			n += is_watched(config, &config->farms[i], &config->farms[i].servers[j]);
	return n;
}

/* For the servers that want TLS of the farm's probe, or for the others. -EINVAL: it has yet to
 * load. */
static int make_plan(const struct farm *farm, bool ssl, struct plan **plan, char *failed,
		     size_t size)
{
	struct probe probe = *farm->probe;
	char reason[256];
	int err;

	probe.force_ssl |= ssl;
	err = plan_make(&probe, plan);
	if (err)
		snprintf(reason, sizeof(reason), "%s", strerror(-err));
	else if (!plan_load(*plan, reason, sizeof(reason)))
		err = -EINVAL;
	if (err)
		snprintf(failed, size, "the probe of farm %s: %s", farm->o.name, reason);
	return err;
}

/* Each of the two is needed only for servers there are; the plain one tells of mistakes, too. */
static bool needs_plan(const struct farm *farm, bool ssl)
{
	bool any = !ssl;

	for (size_t i = 0; i < farm->n_servers; i++)
		any |= farm->servers[i].probe_ssl == ssl;
	return farm->probe && any;
}

int health_check(const struct config *config, char *failed, size_t size)
{
	for (size_t i = 0; i < 2 * config->n_farms; i++) {
		const struct farm *farm = &config->farms[i / 2];
		struct plan *plan = NULL;
		bool ssl = i % 2;
		int err = needs_plan(farm, ssl) ? make_plan(farm, ssl, &plan, failed, size) : 0;

		plan_free(plan);
		if (err)
			return err;
	}
	return 0;
}

/*
 * Where clients of a farm without a port are sent to: the port they came to, the lowest. 0 where no
 * client comes from, be it by way of a farm that falls back on this one.
 */
static uint16_t port_of_clients(const struct config *config, const struct farm *farm)
{
	for (size_t i = 0; i < config->n_frontends; i++)
		if (config->frontends[i].default_farm == farm)
			return config->frontends[i].ports[0].first;
	for (size_t i = 0; i < config->n_routes; i++)
		if (config->routes[i].target == farm && config->routes[i].frontend)
			return config->routes[i].frontend->ports[0].first;
	for (size_t i = 0; i < config->n_farms; i++) {
		const struct farm *other = &config->farms[i];
		uint16_t port = other->fallback == farm ? port_of_clients(config, other) : 0;

		if (port)
			return port;
	}
	return 0;
}

/* `usual` is that of the farm's clients. */
static uint16_t port_of(const struct probe *probe, const struct server *server, uint16_t usual)
{
	if (probe->type == PROBE_OCO)
		return PROBE_PORT_OCO;
	if (probe->port)
		return probe->port;
	return server->port ? server->port : usual;
}

static void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	plan_leave(watch->plan);
	plan_leave(watch->renewed);
	free(watch->name);
	free(watch);
}

static struct watch *watch_new(struct health *health, const struct farm *farm,
			       const struct server *server, struct plan *plan, uint16_t port)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->health = health;
	watch->id = server->o.id;
	watch->farm_id = farm->o.id;
	watch->plan = plan;
	plan->users++;
	watch->shutdown_sessions = server->shutdown_sessions;
	memcpy(watch->endpoint.address, server->address, sizeof(server->address));
	watch->endpoint.port = htobe16(port);
	watch->endpoint.proxy_protocol = server->proxy_protocol;
	if (asprintf(&watch->name, "%s/%s", farm->o.name, server->o.name) >= 0)
		return watch;
	watch->name = NULL;
	watch_free(watch);
	return NULL;
}

/* What the thread is given: its new watches, which it takes over. */
struct change {
	struct health *health;
	/* By id. */
	const struct server **servers;
	struct watch **watches;
	uint32_t last;	/* the greatest */
	unsigned int n; /* watches */
	sem_t done;
};

/* The servers of a farm that are to be watched by this plan; plan->users is 1 meanwhile. */
static void add_watches(struct change *change, const struct config *config, const struct farm *farm,
			bool ssl, struct plan *plan)
{
	uint16_t usual = farm->port ? farm->port : port_of_clients(config, farm);

	for (size_t i = 0; i < farm->n_servers; i++) {
		const struct server *server = &farm->servers[i];
		uint16_t port = port_of(farm->probe, server, usual);

		if (!port || server->probe_ssl != ssl || !is_watched(config, farm, server))
			continue;
		change->watches[server->o.id] = watch_new(change->health, farm, server, plan, port);
		change->n++;
	}
}

static void add_plan(struct change *change, const struct config *config, const struct farm *farm,
		     bool ssl)
{
	struct plan *plan = NULL;
	char failed[512];

	if (!needs_plan(farm, ssl))
		return;
	/* it could be made when the configuration was refreshed */
	if (make_plan(farm, ssl, &plan, failed, sizeof(failed)))
		log_line(LOG_ERROR, "%s", failed);
	if (!plan)
		return;
	plan->users = 1;
	add_watches(change, config, farm, ssl, plan);
	plan_leave(plan);
}

static void add_farm(struct change *change, const struct config *config, const struct farm *farm)
{
	for (size_t i = 0; i < farm->n_servers; i++) {
		uint32_t id = farm->servers[i].o.id;

		change->servers[id] = &farm->servers[i];
		change->last = id > change->last ? id : change->last;
	}
	add_plan(change, config, farm, false);
	add_plan(change, config, farm, true);
}

/* Goes on as it is, under what may be another name; a check that runs has the plan it began with.
 */
static bool keep(struct watch *old, struct watch *now)
{
	char *name = old->name;

	if (memcmp(&old->endpoint, &now->endpoint, sizeof(old->endpoint)) ||
	    !probe_equal(&old->plan->probe, &now->plan->probe))
		return false;
	old->name = now->name;
	now->name = name;
	old->shutdown_sessions = now->shutdown_sessions;
	plan_leave(old->renewed);
	old->renewed = now->plan;
	now->plan = NULL;
	watch_free(now);
	return true;
}

static void watch_end(struct watch *watch)
{
	if (!watch)
		return;
	event_del(&watch->next);
	check_cancel(&watch->check);
	watch_free(watch);
}

/* Another server under an old id begins anew; the same with another probe keeps its state. */
static void replace(struct health *health, struct watch *old, struct watch *now, unsigned int n)
{
	uint64_t spread = (uint64_t)n * SPREAD, interval = now->plan->probe.interval;

	if (old && memcmp(&old->endpoint, &now->endpoint, sizeof(old->endpoint)))
		forget_state(row_of(now));
	watch_end(old);
	health->watches[now->id] = now;
	check_init(&now->check, health->base, on_checked, now);
	evtimer_assign(&now->next, health->base, on_next, now);
	check_after(now, random_below((spread < interval ? spread : interval) * MILLISECOND));
}

static void apply(struct change *change, uint32_t id)
{
	struct health *health = change->health;
	struct watch *old = health->watches[id], *now = change->watches[id];

	note_address(&health->instance->balance.health[id], change->servers[id]);
	atomic_store(&health->watched[id], now != NULL);
	if (old && now && keep(old, now))
		return;
	if (now) {
		replace(health, old, now, change->n);
		return;
	}
	watch_end(old);
	health->watches[id] = NULL;
	forget_state(&health->instance->balance.health[id]);
}

/* One server with what was read last helps out all that have its plan. */
static void inherit(const struct watch *old, struct watch *now)
{
	if (old && now)
		plan_inherit(now->plan, old->renewed ? old->renewed : old->plan);
}

static void on_change(evutil_socket_t fd, short what, void *context)
{
	struct change *change = context;
	struct health *health = change->health;
	uint32_t last = change->last > health->last ? change->last : health->last;

	for (uint32_t id = 1; id <= last; id++)
		inherit(health->watches[id], change->watches[id]);
	for (uint32_t id = 1; id <= last; id++)
		apply(change, id);
	health->last = change->last;
	sem_post(&change->done);
}

void health_configure(struct health *health, const struct config *config)
{
	struct change change = {.health = health,
				.servers = calloc(MAX_SERVERS + 1, sizeof(*change.servers)),
				.watches = calloc(MAX_SERVERS + 1, sizeof(*change.watches))};

	if (!change.watches || !change.servers) {
		log_line(LOG_ERROR, "out of memory: servers are probed as before");
		free(change.watches);
		free(change.servers);
		return;
	}
	for (size_t i = 0; i < config->n_farms; i++)
		add_farm(&change, config, &config->farms[i]);
	sem_init(&change.done, 0, 0);
	if (!event_base_once(health->base, -1, EV_TIMEOUT, on_change, &change, NULL))
		while (sem_wait(&change.done))
			;
	sem_destroy(&change.done);
	free(change.watches);
	free(change.servers);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void *health_main(void *argument)
{
	struct health *health = argument;

	event_base_loop(health->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

void health_free(struct health *health)
{
	if (!health->base)
		return;
	for (uint32_t id = 1; health->watches && id <= MAX_SERVERS; id++)
		watch_end(health->watches[id]);
	/* The TLS of a check that was cut off frees what is below it in the loop's next turn. */
	(void)event_base_loop(health->base, EVLOOP_NONBLOCK);
	free(health->watches);
	free(health->watched);
	free(health->to_cut);
	if (health->heard)
		event_free(health->heard);
	event_base_free(health->base);
	regex_scratch_free(health->scratch);
	pthread_mutex_destroy(&health->lock);
	*health = (struct health){0};
}

int health_start(struct health *health, const struct instance *instance, struct worker *workers,
		 unsigned int n_workers)
{
	int err = -ENOMEM;

	evthread_use_pthreads();
	*health = (struct health){
		.instance = instance,
		.workers = workers,
		.n_workers = n_workers,
		.last = MAX_SERVERS, /* an earlier daemon may have left something anywhere */
	};
	pthread_mutex_init(&health->lock, NULL);
	health->watches = calloc(MAX_SERVERS + 1, sizeof(struct watch *));
	health->watched = calloc(MAX_SERVERS + 1, sizeof(*health->watched));
	health->scratch = regex_scratch_new();
	health->base = event_base_new();
	if (health->base)
		health->heard = event_new(health->base, -1, 0, on_heard, health);
	if (health->watches && health->watched && health->scratch && health->heard)
		err = -pthread_create(&health->thread, NULL, health_main, health);
	if (err)
		health_free(health);
	return err;
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
	struct health *health = context;

	event_base_loopbreak(health->base);
}

void health_stop(struct health *health)
{
	if (!health->base)
		return;
	event_base_once(health->base, -1, EV_TIMEOUT, on_stop, health, NULL);
	pthread_join(health->thread, NULL);
	health_cut_wait(health);
}
