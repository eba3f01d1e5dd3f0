// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "reroute.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../kernel/clock.h"
#include "../kernel/interface.h"
#include "../kernel/outgoing.h"
#include "log.h"

#define SETTLE (100 * MILLISECOND) /* a change of the routes rarely comes alone */
#define SHARE  20		   /* rest at least so many times what a look at all flows took */

/* Of routes, and of the interfaces and addresses they come and go with. */
#define ROUTE_CHANGES                                                                              \
	(RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_IFADDR |                \
	 RTMGRP_IPV6_IFADDR)

#define MTUS 16

/* One look at all flows. */
struct look {
	const struct rerouter *rerouter;
	struct {
		uint32_t ifindex, mtu;
	} mtus[MTUS]; /* of interfaces it came by, those of the last ones */
	uint32_t n_mtus;
	uint32_t moved;
};

static uint32_t known_mtu(struct look *look, uint32_t ifindex)
{
	uint32_t mtu;

	for (uint32_t i = 0; i < look->n_mtus && i < MTUS; i++)
		if (look->mtus[i].ifindex == ifindex)
			return look->mtus[i].mtu;
	mtu = interface_mtu(ifindex);
	look->mtus[look->n_mtus % MTUS].ifindex = ifindex;
	look->mtus[look->n_mtus++ % MTUS].mtu = mtu;
	return mtu;
}

static void look_at(const struct flow_key *key, const struct flow *flow, void *context)
{
	struct look *look = context;
	struct move_request request = {.key = *key};
	struct outgoing way;

	if (outgoing_find(look->rerouter->query, flow->source, flow->destination, &way))
		return;
	request.ifindex = way.ifindex;
	request.mtu = outgoing_mtu(&way, known_mtu(look, way.ifindex));
	if (!request.mtu || (way.ifindex == flow->ifindex && request.mtu >= flow->mtu))
		return;
	look->moved += !flows_move(look->rerouter->flows, &request);
}

/* How long the next look has to wait, nanoseconds. */
static uint64_t look_at_all(const struct rerouter *rerouter)
{
	struct look look = {.rerouter = rerouter};
	uint64_t start = monotonic_time();

	(void)flows_walk(flows_map(rerouter->flows), look_at, &look);
	if (look.moved)
		log_line(LOG_INFO, "spliced connections follow the routes: %u entries moved",
			 look.moved);
	return SETTLE + SHARE * (monotonic_time() - start);
}

/* Is it to stop? Waits for so many milliseconds, at most; -1 = for a change. */
static bool stops_within(const struct rerouter *rerouter, int timeout)
{
	struct pollfd fds[] = {
		{.fd = rerouter->stop, .events = POLLIN},
		{.fd = timeout < 0 ? rerouter->watch : -1, .events = POLLIN},
	};

	while (poll(fds, 2, timeout) < 0 && errno == EINTR)
		;
	return fds[0].revents;
}

static void *rerouter_main(void *argument)
{
	const struct rerouter *rerouter = argument;
	uint64_t rest = SETTLE;

	while (!stops_within(rerouter, rest / MILLISECOND)) {
		rtnetlink_drain(rerouter->watch);
		rest = look_at_all(rerouter);
		if (stops_within(rerouter, -1))
			break;
	}
	return NULL;
}

static void close_all(const struct rerouter *rerouter)
{
	const int fds[] = {rerouter->watch, rerouter->query, rerouter->stop};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int rerouter_start(struct rerouter *rerouter, const struct flows *flows)
{
	int err = 0;

	rerouter->flows = flows;
	rerouter->watch = rtnetlink_watch(ROUTE_CHANGES);
	rerouter->query = outgoing_open();
	rerouter->stop = eventfd(0, EFD_CLOEXEC);
	if (rerouter->watch < 0)
		err = rerouter->watch;
	else if (rerouter->query < 0)
		err = rerouter->query;
	else if (rerouter->stop < 0)
		err = -errno;
	else
		err = -pthread_create(&rerouter->thread, NULL, rerouter_main, rerouter);
	rerouter->running = !err;
	if (err)
		close_all(rerouter);
	return err;
}

void rerouter_stop(struct rerouter *rerouter)
{
	if (!rerouter->running)
		return;
	eventfd_write(rerouter->stop, 1);
	pthread_join(rerouter->thread, NULL);
	close_all(rerouter);
	rerouter->running = false;
}
