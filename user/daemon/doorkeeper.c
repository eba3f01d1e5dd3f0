// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "doorkeeper.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../kernel/outgoing.h"
#include "events.h"
#include "log.h"

#define CHANGES (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
#define SHARE	20 /* rest at least so many times what a sweep of the acl took */

/* ---- drops ----------------------------------------------------------------------------- */

static int on_drop(void *context, void *data, size_t size)
{
	event_drop(data);
	return 0;
}

static void on_drops(evutil_socket_t fd, short what, void *argument)
{
	struct doorkeeper *keeper = argument;

	ring_buffer__consume(keeper->ring);
}

static void stop_reading(struct doorkeeper *keeper)
{
	if (keeper->drops)
		event_free(keeper->drops);
	ring_buffer__free(keeper->ring);
	keeper->drops = NULL;
	keeper->ring = NULL;
}

static void start_reading(struct doorkeeper *keeper)
{
	int ring = door_ring(keeper->door);

	if (ring < 0 || keeper->ring)
		return;
	keeper->ring = ring_buffer__new(ring, on_drop, keeper, NULL);
	if (!keeper->ring)
		return;
	keeper->drops = event_new(keeper->base, ring_buffer__epoll_fd(keeper->ring),
				  EV_READ | EV_PERSIST, on_drops, keeper);
	if (keeper->drops)
		event_add(keeper->drops, NULL);
}

void doorkeeper_tell(struct doorkeeper *keeper, bool told)
{
	struct door_control *control = keeper->door ? keeper->door->acl.control : NULL;

	if (control)
		__atomic_store_n(&control->told, told, __ATOMIC_RELAXED);
}

/* ---- interfaces ------------------------------------------------------------------------ */

static void log_report(const struct door_report *report)
{
	char name[IF_NAMESIZE], holder[64];

	if (!if_indextoname(report->ifindex, name))
		return; /* it is gone again */
	if (!report->err)
		log_line(LOG_INFO, "xdp: %s: attached, %s", name,
			 report->native ? "native" : "generic");
	else if (report->err == -EBUSY)
		log_line(LOG_WARN,
			 "xdp: %s: %s holds the interface: lists, limits and the acl are enforced "
			 "after accept there",
			 name, xdp_program_format(&report->holder, holder, sizeof(holder)));
	else
		log_line(LOG_WARN,
			 "xdp: %s: cannot attach: %s: lists, limits and the acl are enforced after "
			 "accept there",
			 name, strerror(-report->err));
}

static void leave(struct doorkeeper *keeper, const char *failed, int err)
{
	log_line(LOG_WARN,
		 "xdp: cannot %s: %s: lists, limits and the acl are enforced after accept", failed,
		 strerror(-err));
	keeper->failed = true;
	stop_reading(keeper);
	door_leave(keeper->door);
}

static void log_accel(uint32_t ifindex, enum accel_state state)
{
	const char *but = accel_text(state);
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		return;
	log_line(but ? LOG_WARN : LOG_INFO, "accel: %s: %s%s", name,
		 but ? "spliced packets go by tc, too: " : "spliced packets are forwarded at XDP",
		 but ? but : "");
}

static void attach(struct doorkeeper *keeper)
{
	int err = door_attach(keeper->door, log_report);

	err = err ? err : accel_follow(keeper->accel, log_accel);
	if (err)
		leave(keeper, "find the interfaces", err);
}

/* What packets are forwarded with, before the door is made for it. */
static void configure_accel(struct doorkeeper *keeper)
{
	int err = accel_configure(keeper->accel, keeper->config);

	if (err)
		log_line(LOG_WARN, "accel: cannot load the program, spliced packets go by tc: %s",
			 strerror(-err));
}

/* ---- frontends that are gone --------------------------------------------------------------- */

/* By frontend id; 0 stands for all of them. */
typedef bool known_frontends[MAX_FRONTENDS + 1];

static void note_frontends(const struct config *config, known_frontends known)
{
	known[0] = true;
	for (size_t i = 0; i < config->n_frontends; i++)
		known[config->frontends[i].o.id] = true;
}

static bool has_lost_some(const struct config *before, const known_frontends known)
{
	for (size_t i = 0; before && i < before->n_frontends; i++)
		if (!known[before->frontends[i].o.id])
			return true;
	return !before;
}

static bool is_of_none(const struct acl_entry *entry, void *known)
{
	return entry->frontend_id > MAX_FRONTENDS || !((bool *)known)[entry->frontend_id];
}

/* Whoever gets the number of a frontend that is gone does not get its bans. */
static void forget_bans(const struct doorkeeper *keeper, const struct config *config)
{
	struct acl *acl = &keeper->door->acl;
	known_frontends known = {0};
	int err = 0;

	note_frontends(config, known);
	if (acl->control->bans && has_lost_some(keeper->config, known))
		err = acl_walk(acl, is_of_none, known);
	if (err)
		log_line(LOG_WARN, "acl: cannot remove the bans from frontends that are gone: %s",
			 strerror(-err));
}

/* ---- the configuration ----------------------------------------------------------------- */

static void pin(struct doorkeeper *keeper)
{
	int err = keeper->door->keep ? door_pin(keeper->door) : 0;

	if (err)
		log_line(LOG_WARN, "xdp: cannot pin the program: %s", strerror(-err));
}

static void configure_door(struct doorkeeper *keeper)
{
	struct door *door = keeper->door;
	int err;

	if (!door_is_wanted(door, keeper->config)) {
		stop_reading(keeper);
		door_leave(door);
		return;
	}
	err = door_publish(door, keeper->config);
	if (err) {
		leave(keeper, "load the program", err);
		return;
	}
	start_reading(keeper);
	attach(keeper);
	pin(keeper);
}

void doorkeeper_configure(struct doorkeeper *keeper, const struct config *config)
{
	forget_bans(keeper, config);
	keeper->config = config;
	keeper->failed = false;
	configure_accel(keeper);
	configure_door(keeper);
}

static bool has_changed(const struct doorkeeper *keeper)
{
	return !keeper->failed && door_has_changed(keeper->door, keeper->config);
}

static void on_changes(evutil_socket_t fd, short what, void *argument)
{
	struct doorkeeper *keeper = argument;

	rtnetlink_drain(fd);
	if (!keeper->config)
		return;
	configure_accel(keeper);
	if (has_changed(keeper))
		configure_door(keeper);
	else
		attach(keeper);
	if (keeper->door->programs && door_follow_addresses(keeper->door))
		log_line(LOG_WARN, "xdp: cannot follow the addresses of the host");
}

/* ---- the acl --------------------------------------------------------------------------- */

/* Neither who changes the acl, in its maps, nor who takes an XDP link from an interface tells. */
static void on_tick(evutil_socket_t fd, short what, void *argument)
{
	struct doorkeeper *keeper = argument;
	struct door *door = keeper->door;
	uint64_t now = monotonic_time();

	if (now >= keeper->sweep_at) {
		(void)acl_sweep(&door->acl, now);
		keeper->sweep_at = now + SHARE * (monotonic_time() - now);
	}
	if (keeper->config && has_changed(keeper))
		configure_door(keeper);
	else if (keeper->config && door_waits(keeper->door))
		attach(keeper);
	else
		(void)accel_follow(keeper->accel, log_accel); /* of what rtnetlink does not tell */
}

/* ---- life ------------------------------------------------------------------------------ */

int doorkeeper_start(struct doorkeeper *keeper, struct door *door, struct accel *accel,
		     struct event_base *base)
{
	static const struct timeval second = {1, 0};

	keeper->door = door;
	keeper->accel = accel;
	keeper->base = base;
	keeper->netlink = rtnetlink_watch(CHANGES);
	if (keeper->netlink < 0)
		return keeper->netlink;
	keeper->changes =
		event_new(base, keeper->netlink, EV_READ | EV_PERSIST, on_changes, keeper);
	keeper->tick = event_new(base, -1, EV_PERSIST, on_tick, keeper);
	if (!keeper->changes || !keeper->tick)
		return -ENOMEM;
	event_add(keeper->changes, NULL);
	event_add(keeper->tick, &second);
	doorkeeper_tell(keeper, false); /* an earlier daemon may have been killed */
	return 0;
}

void doorkeeper_stop(struct doorkeeper *keeper)
{
	if (!keeper->door)
		return;
	stop_reading(keeper);
	if (keeper->changes)
		event_free(keeper->changes);
	if (keeper->tick)
		event_free(keeper->tick);
	if (keeper->netlink >= 0)
		close(keeper->netlink);
}
