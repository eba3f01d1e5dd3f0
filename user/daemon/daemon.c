// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon.h"

#include <errno.h>
#include <event2/thread.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../cli/help.h"
#include "../cli/options.h"
#include "../kernel/capabilities.h"
#include "../kernel/features.h"
#include "../kernel/kernel_version.h"
#include "../kernel/local_ports.h"
#include "../kernel/lock.h"
#include "../kernel/spliced.h"
#include "../kernel/sticks.h"
#include "../model/names.h"
#include "limits.h"
#include "log.h"
#include "notify.h"
#include "session.h"
#include "selftest.h"
#include "socket.h"
#include "startup.h"

#define DEFAULT_CONNECTIONS   65536
#define MAX_CONNECTIONS	      (1 << 20)
#define DEFAULT_DRAIN_TIMEOUT 30000 /* milliseconds */

/* SIGTERM or SIGINT came; the main loop looks after them itself once it runs. */
static volatile sig_atomic_t stop_asked;

struct arguments {
	const char *file;
	unsigned int workers;
	uint32_t drain_timeout; /* milliseconds */
	uint32_t connections;
};

/* ---- start ------------------------------------------------------------------------------- */

/* Says what could not be done; returns `err`, which may be 0. */
static int failed_to(const char *what, int err)
{
	if (err)
		log_line(LOG_ERROR, "cannot %s: %s", what, strerror(-err));
	return err;
}

/* The same for a step of the start after which it can be called off. */
static int step(const char *what, int err)
{
	return stop_asked ? -ECANCELED : failed_to(what, err);
}

/* Without these no program can be loaded, and the verifier would say so in a hundred lines. */
static int check_capabilities(void)
{
	static const struct capability needed[] = {
		{CAP_BPF, "CAP_BPF"},
		{CAP_PERFMON, "CAP_PERFMON"},
	};
	char missing[64];

	if (!capabilities_missing(needed, sizeof(needed) / sizeof(*needed), missing,
				  sizeof(missing)))
		return 0;
	log_line(LOG_ERROR, "the daemon may not load BPF programs, missing: %s; %s", missing,
		 capabilities_advice());
	return -EPERM;
}

/* As step(); if the kernel lacks something, that is why. */
static int kernel_step(const char *what, int err)
{
	const struct feature *missing = err && !stop_asked ? feature_missing() : NULL;

	if (!missing)
		return step(what, err);
	log_line(LOG_ERROR, "cannot %s: %s; this kernel lacks: %s (see: alpnlb doctor)", what,
		 strerror(-err), missing->name);
	return err;
}

/* One daemon per instance: whoever holds the lock. */
static int take_lock(struct daemon *daemon)
{
	snprintf(daemon->run_dir, sizeof(daemon->run_dir), RUN_ROOT "/%s", daemon->name);
	daemon->lock = lock_take(daemon->name);
	if (daemon->lock >= 0)
		return 0;
	if (daemon->lock == -EBUSY)
		log_line(LOG_ERROR,
			 "instance '%s' is already run by another daemon; choose another one with "
			 "--instance NAME",
			 daemon->name);
	else
		log_line(LOG_ERROR, "%s: %s", daemon->run_dir, strerror(-daemon->lock));
	return daemon->lock;
}

static int init_slots(struct engine *engine)
{
	uint32_t n = engine->instance.n_conns;
	int err;

	engine->sessions = calloc(n, sizeof(*engine->sessions));
	engine->free_slots = calloc(n, sizeof(*engine->free_slots));
	if (getrandom(&engine->first_serial, sizeof(engine->first_serial), 0) < 0)
		return -errno;
	if (!engine->sessions || !engine->free_slots)
		return -ENOMEM;
	pthread_mutex_init(&engine->slots_lock, NULL);
	pthread_rwlock_init(&engine->tables_lock, NULL);
	for (uint32_t slot = n - 1; slot > 0; slot--) /* slot 0 is the self-test's */
		engine->free_slots[engine->n_free_slots++] = slot;
	err = queues_init(&engine->queues);
	return err ? err : rates_init(&engine->rates);
}

/* What `path: auto` and `path: sockmap` mean on this kernel. */
static void choose_paths(struct engine *engine)
{
	struct kernel_version version;
	const char *failed;
	int err = selftest_redirect(&engine->instance, &failed);

	engine->sockmap_works = !err;
	engine->sockmap_auto = !err && engine->instance.sees_sequence &&
			       !kernel_version_running(&version) && sockmap_known_good(&version);
	if (err == -ENETDOWN)
		log_line(LOG_WARN, "lo is down, so sockmap could not be tested: using relay");
	else if (err)
		log_line(LOG_WARN, "sockmap does not work here, using relay: %s: %s", failed,
			 strerror(-err));
	else if (!engine->sockmap_auto)
		log_line(LOG_WARN, "this kernel's sockmap can lose or repeat data (see alpnlb "
				   "doctor): auto uses relay");
}

/* To the kernel the port of a spliced connection is free. */
static void warn_of_local_ports(const struct port_range *range)
{
	struct port_range local;

	if (local_ports_overlap(range, &local))
		log_line(LOG_WARN,
			 "nat_ports %u-%u overlap net.ipv4.ip_local_port_range %u-%u (see alpnlb "
			 "doctor)",
			 range->first, range->last, local.first, local.last);
}

static void warn_of_table_size(const struct flows *flows, uint32_t max_flows)
{
	uint32_t room = flows->programs ? spliced_room(flows_map(flows)) : max_flows;

	if (room != max_flows)
		log_line(LOG_WARN,
			 "max_flows %u: the flow table that is there keeps its room for %u; to "
			 "change it stop the daemon, run alpnlb unload, which ends the spliced "
			 "connections, and start it again",
			 max_flows, room);
}

/* A packet path that cannot be had is no reason not to start. */
static void leave_packet_path(struct daemon *daemon, const char *failed, int err)
{
	if (err == -EPROTO)
		log_line(LOG_WARN,
			 "another version made the spliced connections that are there: they go on, "
			 "but do not expire, and new ones take other paths; to end them stop the "
			 "daemon and run alpnlb unload");
	else
		log_line(LOG_WARN,
			 "the packet path does not work here, using others: cannot %s: %s", failed,
			 strerror(-err));
	sweeper_free(&daemon->sweeper);
	flows_close(&daemon->engine.flows);
}

/* Its programs, and what an earlier daemon's connections need. */
static int load_packet_path(struct daemon *daemon, const struct config *config)
{
	struct engine *engine = &daemon->engine;
	const char *failed;
	int err = step("start the grace thread", grace_start(&engine->grace));

	if (err)
		return err;
	engine->usual_scale = socket_usual_scale();
	ports_init(&engine->ports, &engine->instance.counters[COUNTER_PORTS_IN_USE]);
	ports_configure(&engine->ports, &config->nat_ports, &config->nat_ip);
	err = flows_open(&engine->flows, &engine->instance, config->max_flows, &failed);
	if (!err) {
		failed = "close sockets without a packet (TCP_REPAIR)";
		err = socket_test_silence();
	}
	if (!err) {
		failed = "watch the flow table";
		err = sweeper_init(&daemon->sweeper, engine, daemon->base);
	}
	if (err)
		leave_packet_path(daemon, failed, err);
	else
		warn_of_local_ports(&config->nat_ports);
	return 0;
}

/* From here on packets run through the programs. */
static void attach_packet_path(struct daemon *daemon, const struct config *config)
{
	struct flows *flows = &daemon->engine.flows;
	int err;

	if (!flows->programs)
		return;
	err = flows_attach(flows);
	if (err) {
		leave_packet_path(daemon, "attach to the interfaces", err);
		return;
	}
	err = flows_pin(flows);
	if (err) {
		leave_packet_path(daemon, "pin the flow table", err);
		return;
	}
	sweeper_adopt(&daemon->sweeper, config);
	err = rerouter_start(&daemon->rerouter, flows);
	if (err)
		log_line(LOG_WARN, "spliced connections will not follow changes of the routes: %s",
			 strerror(-err));
}

static int start_workers(struct daemon *daemon, unsigned int n)
{
	char what[64];

	daemon->workers = calloc(n, sizeof(*daemon->workers));
	if (!daemon->workers)
		return failed_to("set memory aside for the workers", -ENOMEM);
	for (unsigned int i = 0; i < n; i++) {
		int err = worker_init(&daemon->workers[i], &daemon->engine, i);

		daemon->n_workers = i + 1;
		if (!err)
			err = worker_start(&daemon->workers[i]);
		snprintf(what, sizeof(what), "start worker %u of %u", i + 1, n);
		if (err)
			return step(what, err);
	}
	return step("prepare to listen", listeners_init(&daemon->listeners, daemon->workers, n,
							daemon->base, daemon->name));
}

static int start_doorkeeper(struct daemon *daemon)
{
	struct door *door = &daemon->engine.door;
	int err = door_open(door, &daemon->engine.instance);

	accel_init(&daemon->accel, door, &daemon->engine.flows);
	return step("make the acl", err ? err
					: doorkeeper_start(&daemon->doorkeeper, door,
							   &daemon->accel, daemon->base));
}

static int start_health(struct daemon *daemon)
{
	daemon->engine.health = &daemon->health;
	return step("start the probes", health_start(&daemon->health, &daemon->engine.instance,
						     daemon->workers, daemon->n_workers));
}

/* ---- refresh ----------------------------------------------------------------------------- */

static void lock_tables(void *context)
{
	struct daemon *daemon = context;

	pthread_rwlock_wrlock(&daemon->engine.tables_lock);
}

/* Ports go to their new frontends in the moment the tables change. */
static void unlock_tables(void *context)
{
	struct daemon *daemon = context;

	listeners_retarget(&daemon->listeners);
	pthread_rwlock_unlock(&daemon->engine.tables_lock);
}

/* The shorter one of two timeouts, of which 0 is none. */
static uint32_t shorter(uint32_t a, uint32_t b)
{
	return !a || (b && b < a) ? b : a;
}

static uint32_t shortest_idle_timeout(const struct config *config)
{
	uint32_t shortest = 0;

	for (size_t i = 0; i < config->n_frontends; i++) {
		shortest = shorter(shortest, config->frontends[i].idle_timeout);
		shortest = shorter(shortest, config->frontends[i].half_close_timeout);
	}
	return shortest;
}

static uint32_t sticky_farms(const struct config *config)
{
	uint32_t n = 0;

	for (size_t i = 0; i < config->n_farms; i++)
		n += config->farms[i].sticky;
	return n;
}

/*
 * How many of `wanted` connections there are descriptors for when the sockets of `config` are
 * open beside those that are open now; 0 with one line in `failed` when these find no room.
 */
static uint32_t room_for_connections(struct daemon *daemon, unsigned int workers,
				     const struct config *config, uint32_t wanted, char *failed,
				     size_t size)
{
	size_t endpoints =
		listeners_missing(&daemon->listeners, config) + listeners_open(&daemon->listeners);
	struct descriptors others = {
		.workers = workers,
		.listening = endpoints * workers,
		.probes = health_count(config),
		.tables = sticky_farms(config),
	};
	uint64_t limit, need;
	uint32_t room = limits_raise(wanted, &others, &limit, &need);
	uint32_t live = atomic_load(&daemon->engine.live);

	if (room && room >= live)
		return room;
	snprintf(
		failed, size,
		"no room for %zu addresses and ports with a socket for each of %u workers, %u "
		"probed servers, %u farms with stickiness, and %u connections: RLIMIT_NOFILE stays "
		"at %" PRIu64 ", needed: at least %" PRIu64,
		endpoints, workers, others.probes, others.tables, live, limit,
		need + (uint64_t)live * 2);
	return 0;
}

/* Beside the configuration that runs. */
static bool takes_descriptors(struct daemon *daemon, const struct config *config)
{
	const struct config *before = daemon->config;

	return listeners_missing(&daemon->listeners, config) ||
	       (before && (health_count(config) > health_count(before) ||
			   sticky_farms(config) > sticky_farms(before)));
}

/* Does what is to be opened find room? What is open has it already. */
static int check_descriptors(struct daemon *daemon, const struct config *config, char *failed,
			     size_t size)
{
	uint32_t slots = daemon->engine.instance.n_conns - 1;

	if (!takes_descriptors(daemon, config) ||
	    room_for_connections(daemon, daemon->n_workers, config, slots, failed, size))
		return 0;
	return -EMFILE;
}

/* Everything that can fail before the switch: leaves `tables` and listeners that do not accept. */
static int prepare(struct daemon *daemon, const struct config *config, struct tables *tables,
		   gid_t *group, char *failed, size_t size)
{
	int err;

	steered_open(&daemon->listeners.steered, daemon->name, config);
	err = check_descriptors(daemon, config, failed, size);
	if (err)
		return err;
	err = control_find_group(config, group);
	if (err) {
		snprintf(failed, size, "control_group: %s: %s", config->control_group,
			 err == -ENOENT ? "there is no such group" : strerror(-err));
		return err;
	}
	err = tables_compile(config, tables);
	if (err) {
		snprintf(failed, size, "cannot compile the configuration: %s", strerror(-err));
		return err;
	}
	err = listeners_prepare(&daemon->listeners, config, failed, size);
	if (err)
		return err;
	err = https_prepare(daemon, config, failed, size);
	if (err)
		listeners_abort(&daemon->listeners);
	return err;
}

int daemon_try(struct daemon *daemon, const struct config *config, char *failed, size_t size)
{
	struct tables tables = {0};
	gid_t group;
	int err = health_check(config, failed, size);

	err = err ? err : prepare(daemon, config, &tables, &group, failed, size);
	https_abort(daemon);
	listeners_abort(&daemon->listeners);
	tables_free(&tables);
	return err;
}

static int keep_revision(struct daemon *daemon, struct refresh *refresh, char *failed, size_t size)
{
	int err = refresh ? state_refresh(&daemon->state, refresh) : 0;

	if (err)
		snprintf(failed, size, "%s", state_error(&daemon->state, err));
	return err;
}

static int make_stick_tables(struct daemon *daemon, const struct config *config, int **sticks,
			     char *failed, size_t size)
{
	const struct farm *farm = NULL;
	int err = sticks_prepare(&daemon->engine.instance, config, sticks, &farm);

	if (err)
		snprintf(failed, size, "farm %s: no table for stick_size %u: %s",
			 farm ? farm->o.name : "?", farm ? farm->stick_size : 0, strerror(-err));
	return err;
}

/* Listeners are prepared, those of HTTPS too: what fails now closes them again. */
static int switch_tables(struct daemon *daemon, const struct config *config, struct tables *tables,
			 struct refresh *refresh, char *failed, size_t size)
{
	int *sticks = NULL, err = make_stick_tables(daemon, config, &sticks, failed, size);

	err = err ? err : keep_revision(daemon, refresh, failed, size);
	if (!err) {
		err = instance_publish(&daemon->engine.instance, tables,
				       state_running(&daemon->state), lock_tables, unlock_tables,
				       daemon);
		if (err)
			snprintf(failed, size, "cannot write the tables: %s", strerror(-err));
		if (err && refresh)
			state_undo(&daemon->state);
	}
	if (err) {
		sticks_abort(&sticks);
		https_abort(daemon);
		listeners_abort(&daemon->listeners);
	} else {
		failed_to("put tables of clients that stick in their places",
			  sticks_commit(&daemon->engine.instance, &sticks,
					&daemon->engine.tables_lock));
	}
	return err;
}

static void tell_refresh(const struct daemon *daemon, const struct refresh *refresh)
{
	struct event_record record = {
		.kind = EVENT_REFRESH,
		.number = state_running(&daemon->state),
	};

	if (!event_wanted(EVENT_REFRESH))
		return;
	snprintf(record.text, sizeof(record.text), "%s", refresh->comment);
	snprintf(record.by, sizeof(record.by), "%s", refresh->by ? refresh->by : "");
	event_emit(&record);
}

/* Servers that were not told to drain before. */
static void tell_drains(const struct config *before, const struct config *after)
{
	bool *drained = before && event_wanted(EVENT_SERVER_DRAIN)
				? calloc(MAX_SERVERS + 1, sizeof(*drained))
				: NULL;

	if (!drained)
		return;
	for (size_t i = 0; i < before->n_farms; i++)
		for (size_t j = 0; j < before->farms[i].n_servers; j++)
			drained[before->farms[i].servers[j].o.id] =
				before->farms[i].servers[j].status == STATUS_DRAIN;
	for (size_t i = 0; i < after->n_farms; i++)
		for (size_t j = 0; j < after->farms[i].n_servers; j++) {
			const struct server *server = &after->farms[i].servers[j];

			if (server->status == STATUS_DRAIN && !drained[server->o.id])
				event_server(EVENT_SERVER_DRAIN, after->farms[i].o.id, server->o.id,
					     NULL);
		}
	free(drained);
}

int daemon_apply(struct daemon *daemon, struct config *config, struct refresh *refresh,
		 char *failed, size_t size)
{
	struct tables tables = {0};
	struct port_range range;
	gid_t group;
	/* What ran before is no reason not to start. */
	int err = refresh ? health_check(config, failed, size) : 0;

	if (!err)
		(void)resolver_fill(daemon->resolver, config, RESOLVER_WAIT);
	err = err ? err : prepare(daemon, config, &tables, &group, failed, size);
	if (!err) {
		handshake_pause(&daemon->handshake, config);
		err = switch_tables(daemon, config, &tables, refresh, failed, size);
		if (err)
			handshake_resume(&daemon->handshake);
	}
	tables_free(&tables);
	if (err) {
		config_free(config);
		return err;
	}
	doorkeeper_configure(&daemon->doorkeeper, config);
	sweeper_claim(&daemon->sweeper, config); /* first: who finds an older one opens nothing */
	handshake_configure(&daemon->handshake, config);
	range = handshake_others(&daemon->handshake, &config->nat_ports);
	ports_configure(&daemon->engine.ports, &range, &config->nat_ip);
	warn_of_table_size(&daemon->engine.flows, config->max_flows);
	sweeper_start(&daemon->sweeper, shortest_idle_timeout(config));
	health_configure(&daemon->health, config);
	listeners_commit(&daemon->listeners);
	https_commit(daemon);
	failed_to("open the control socket to the group", control_open_to(daemon, group));
	resolver_keep(daemon->resolver, config);
	monitors_forget_names(&daemon->monitors);
	tell_drains(daemon->config, config);
	config_free(daemon->config);
	daemon->config = config;
	daemon->refreshed = time(NULL);
	if (refresh)
		tell_refresh(daemon, refresh);
	return 0;
}

static struct config *copy_config(const struct config *config)
{
	struct problems problems = {0};
	json_t *tree = config_encode(config);
	struct config *copy = tree ? config_decode_tree(tree, DECODE_TO_RUN, &problems) : NULL;

	problems_free(&problems);
	json_decref(tree);
	return copy;
}

/* What runs is compiled again, with the addresses as they are now. */
static void follow_names(evutil_socket_t fd, short what, void *argument)
{
	static const struct timeval again = {5, 0};
	struct daemon *daemon = argument;
	struct config *config = copy_config(daemon->config);
	char failed[512] = "out of memory";

	if (config && !daemon_apply(daemon, config, NULL, failed, sizeof(failed)))
		return;
	log_line(LOG_ERROR, "cannot follow a host name yet: %s", failed);
	event_add(daemon->follow_names, &again);
}

/* Host names lead elsewhere. */
static void on_names(void *context)
{
	struct daemon *daemon = context;

	if (daemon->config && !daemon->draining &&
	    resolver_fill(daemon->resolver, daemon->config, 0))
		follow_names(-1, 0, daemon);
}

/* ---- drain ------------------------------------------------------------------------------- */

static void on_drain_poll(evutil_socket_t fd, short what, void *argument)
{
	struct daemon *daemon = argument;

	if (!atomic_load(&daemon->engine.live))
		event_base_loopbreak(daemon->base);
}

static void on_drain_end(evutil_socket_t fd, short what, void *argument)
{
	struct daemon *daemon = argument;

	log_line(LOG_WARN, "drain timeout: closing %u connections",
		 atomic_load(&daemon->engine.live));
	event_base_loopbreak(daemon->base);
}

static void on_stop(evutil_socket_t sig, short what, void *argument)
{
	static const struct timeval poll = {0, 20 * 1000};
	struct daemon *daemon = argument;
	uint32_t timeout = daemon->engine.drain_timeout;
	struct timeval end = {timeout / 1000, timeout % 1000 * 1000};

	if (daemon->draining) {
		log_line(LOG_WARN, "told to stop again: closing %u connections",
			 atomic_load(&daemon->engine.live));
		event_base_loopbreak(daemon->base);
		return;
	}
	daemon->draining = true;
	event_del(daemon->follow_names);
	notify("STOPPING=1");
	handshake_stop(&daemon->handshake);
	listeners_close(&daemon->listeners);
	log_line(LOG_INFO, "draining: %u connections, up to %g s",
		 atomic_load(&daemon->engine.live), timeout / 1000.0);
	event_add(daemon->drain_poll, &poll);
	event_add(daemon->drain_end, &end);
}

/* By these others reload or stop; the default would cut connections. */
static void on_other_signal(evutil_socket_t sig, short what, void *argument)
{
	const struct daemon *daemon = argument;

	log_line(LOG_WARN,
		 "SIG%s does nothing here; to make a changed file run: alpnlb --instance %s apply "
		 "FILE; to drain and stop: SIGTERM",
		 sigabbrev_np(sig), daemon->name);
}

static const struct {
	int number;
	event_callback_fn call;
} signals[] = {
	{SIGTERM, on_stop},	    {SIGINT, on_stop},		{SIGHUP, on_other_signal},
	{SIGUSR1, on_other_signal}, {SIGUSR2, on_other_signal},
};

#define N_SIGNALS (sizeof(signals) / sizeof(*signals))

static void watch_signals(struct daemon *daemon, struct event *events[N_SIGNALS])
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		events[i] = evsignal_new(daemon->base, signals[i].number, signals[i].call, daemon);
		event_add(events[i], NULL);
	}
}

/* ---- life -------------------------------------------------------------------------------- */

static int init_main_loop(struct daemon *daemon)
{
	evthread_use_pthreads();
	daemon->base = event_base_new();
	if (!daemon->base)
		return -ENOMEM;
	monitors_init(&daemon->monitors, daemon);
	daemon->drain_poll = event_new(daemon->base, -1, EV_PERSIST, on_drain_poll, daemon);
	daemon->drain_end = event_new(daemon->base, -1, 0, on_drain_end, daemon);
	daemon->follow_names = event_new(daemon->base, -1, 0, follow_names, daemon);
	return daemon->drain_poll && daemon->drain_end && daemon->follow_names ? 0 : -ENOMEM;
}

static void on_early_stop(int sig)
{
	stop_asked = 1;
}

/* System calls end with EINTR, so that a start that waits for something stops, too. */
static void watch_early_stop(void)
{
	struct sigaction action = {.sa_handler = on_early_stop};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
}

/* What the first configuration is applied to: programs, threads and sockets. Logs what fails. */
static int start_engine(struct daemon *daemon, const struct arguments *arguments,
			const struct config *config)
{
	const char *failed = NULL;
	char line[512];
	uint32_t n;
	int err;

	steered_open(&daemon->listeners.steered, daemon->name, config);
	n = room_for_connections(daemon, arguments->workers, config, arguments->connections, line,
				 sizeof(line));
	if (!n) {
		log_line(LOG_ERROR, "%s", line);
		return -EMFILE;
	}
	err = instance_open(&daemon->engine.instance, daemon->name, n + 1, &failed);
	err = kernel_step(failed, err);
	err = err ? err : step("set memory aside for connections", init_slots(&daemon->engine));
	err = err ? err : step("make the main loop", init_main_loop(daemon));
	if (err)
		return err;
	handshake_init(&daemon->handshake, &daemon->engine, daemon->base);
	choose_paths(&daemon->engine);
	err = start_doorkeeper(daemon);
	err = err ? err : load_packet_path(daemon, config);
	err = err ? err : start_workers(daemon, arguments->workers);
	err = err ? err : start_health(daemon);
	err = err ? err
		  : step("start the resolver",
			 resolver_start(&daemon->resolver, daemon->base, on_names, daemon));
	snprintf(line, sizeof(line), "open the control socket in %s", daemon->run_dir);
	return err ? err : step(line, control_open(daemon));
}

/* Everything up to the first accepted connection. Logs what fails. */
static int daemon_start(struct daemon *daemon, const struct arguments *arguments)
{
	struct startup startup;
	int err = startup_read(&startup, arguments->file);

	err = err ? err : check_capabilities();
	err = err ? err : take_lock(daemon);
	err = err ? err : startup_stage(&startup, daemon);
	err = err ? err : start_engine(daemon, arguments, startup_config(&startup, daemon));
	if (!err) {
		attach_packet_path(daemon, startup_config(&startup, daemon));
		err = startup_run(&startup, daemon);
	}
	startup_free(&startup);
	if (err)
		return err;
	err = instance_pin(&daemon->engine.instance);
	err = failed_to("pin programs and maps", err ? err : door_pin(&daemon->engine.door));
	daemon->engine.flows.keep = daemon->engine.door.keep = !err;
	return err;
}

static void daemon_end(struct daemon *daemon)
{
	listeners_close(&daemon->listeners);
	https_close(&daemon->https);
	control_close(daemon);
	resolver_stop(daemon->resolver);
	health_stop(&daemon->health);
	for (unsigned int i = 0; i < daemon->n_workers; i++)
		worker_stop(&daemon->workers[i]);
	health_free(&daemon->health);
	free(daemon->workers);
	grace_stop(&daemon->engine.grace);
	rerouter_stop(&daemon->rerouter);
	doorkeeper_stop(&daemon->doorkeeper);
	handshake_free(&daemon->handshake);
	sweeper_free(&daemon->sweeper);
	ports_free(&daemon->engine.ports);
	flows_close(&daemon->engine.flows);
	door_close(&daemon->engine.door);
	accel_close(&daemon->accel);
	instance_close(&daemon->engine.instance);
	free(daemon->engine.sessions);
	free(daemon->engine.free_slots);
	queues_free(&daemon->engine.queues);
	rates_free(&daemon->engine.rates);
	config_free(daemon->config);
	staged_free(&daemon->staged);
	tasks_free(&daemon->tasks);
	state_close(&daemon->state);
	monitors_free(&daemon->monitors);
	if (daemon->drain_poll)
		event_free(daemon->drain_poll);
	if (daemon->drain_end)
		event_free(daemon->drain_end);
	if (daemon->follow_names)
		event_free(daemon->follow_names);
	if (daemon->base)
		event_base_free(daemon->base);
	if (daemon->lock >= 0)
		close(daemon->lock);
}

static int daemon_run(struct daemon *daemon, const struct arguments *arguments)
{
	struct event *events[N_SIGNALS];
	int err;

	watch_early_stop();
	err = daemon_start(daemon, arguments);
	if (!err) {
		watch_signals(daemon, events);
		log_line(LOG_INFO, "ready: instance '%s', %u workers, %zu frontends, %zu routes",
			 daemon->name, daemon->n_workers, daemon->config->n_frontends,
			 daemon->config->n_routes);
		notify("READY=1");
		if (stop_asked) /* before the loop watched */
			on_stop(SIGTERM, EV_SIGNAL, daemon);
		event_base_dispatch(daemon->base);
		for (size_t i = 0; i < N_SIGNALS; i++)
			event_free(events[i]);
	}
	if (err && stop_asked)
		log_line(LOG_INFO, "stopped during the start");
	daemon_end(daemon);
	return err && !stop_asked ? CLI_FAILED : CLI_OK;
}

/* ---- the command ------------------------------------------------------------------------- */

static int parse_count(const char *option, const char *text, uint32_t max, uint32_t *value)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > max)
		return fail(CLI_USAGE, "%s: '%s' is not a number from 1 to %u", option, text, max);
	*value = n;
	return 0;
}

static int parse_drain_timeout(const char *text, struct arguments *arguments)
{
	int64_t milliseconds = duration_parse(text);

	if (milliseconds < 0 || milliseconds > UINT32_MAX)
		return fail(CLI_USAGE,
			    "--drain-timeout: '%s' is not a duration such as 500ms, 5s, 2m or 1h",
			    text);
	arguments->drain_timeout = milliseconds;
	return 0;
}

static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"workers", required_argument, NULL, 'w'},
		{"drain-timeout", required_argument, NULL, 'd'},
		{"max-connections", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},
		OPTIONS_LONG,
		{0},
	};
	int option, err = 0;

	optind = 1;
	while (!err && (option = getopt_long(argc, argv, "+:c:h" OPTIONS_SHORT, long_options,
					     NULL)) != -1) {
		switch (option) {
		case 'c':
			if (arguments->file)
				return fail(CLI_USAGE, "daemon: -c is given twice: '%s' and '%s'",
					    arguments->file, optarg);
			arguments->file = optarg;
			break;
		case 'w':
			err = parse_count("--workers", optarg, MAX_WORKERS, &arguments->workers);
			break;
		case 'm':
			err = parse_count("--max-connections", optarg, MAX_CONNECTIONS,
					  &arguments->connections);
			break;
		case 'd':
			err = parse_drain_timeout(optarg, arguments);
			break;
		case 'j':
		case 'p':
		case OPTION_INSTANCE:
			err = option_take(option, optarg);
			break;
		case 'h':
			exit(noun_help(&noun_daemon));
		case ':':
			return fail(CLI_USAGE, "daemon: %s needs a value", argv[optind - 1]);
		default:
			return fail(CLI_USAGE,
				    "daemon: unknown option '%s', expected one of: -c FILE, "
				    "--workers N, --drain-timeout D, --max-connections N, -j, -p, "
				    "--instance NAME",
				    argv[optind - 1]);
		}
	}
	if (!err && optind < argc)
		return fail(CLI_USAGE, "daemon: unexpected '%s'; see: alpnlb daemon help",
			    argv[optind]);
	return err;
}

static unsigned int default_workers(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 1 ? 1 : cpus > MAX_WORKERS ? MAX_WORKERS : cpus;
}

static int run_daemon(int argc, char **argv)
{
	struct arguments arguments = {
		.workers = default_workers(),
		.drain_timeout = DEFAULT_DRAIN_TIMEOUT,
		.connections = DEFAULT_CONNECTIONS,
	};
	struct daemon daemon = {
		.lock = -1,
		.state.lock = -1,
		.engine.instance.link = -1,
		.started = time(NULL),
	};
	int err = parse_arguments(argc, argv, &arguments);

	if (err)
		return err;
	daemon.name = options.instance;
	daemon.engine.drain_timeout = arguments.drain_timeout;
	signal(SIGPIPE, SIG_IGN); /* splice(2) has no MSG_NOSIGNAL */
	log_adopt_libbpf();
	return daemon_run(&daemon, &arguments);
}

const struct noun noun_daemon = {
	.name = "daemon",
	.help = "balance connections, in the foreground",
	.arguments = "[-c FILE] [--workers N] [--drain-timeout DURATION] [--max-connections N]",
	.text = "  -c FILE                 configuration, YAML or JSON; needed the first time. "
		"Later the\n"
		"                          daemon goes on with what it ran, unless FILE has "
		"changed\n"
		"  --workers N             threads (default: one per CPU)\n"
		"  --drain-timeout D       after SIGTERM, how long connections may go on (30s)\n"
		"  --max-connections N     connections at once, for which memory is set aside "
		"(65536)\n"
		"Ready is told on stderr and to the service manager. Manual: alpnlb-daemon(8).\n",
	.run = run_daemon,
	.options = true,
};
