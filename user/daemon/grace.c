// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "grace.h"

#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Waits for a period: MEMBARRIER_CMD_GLOBAL is an RCU wait. */
static void wait_one(void)
{
	/* Not to be had with nohz_full: far longer than a packet takes. */
	static const struct timespec instead = {.tv_nsec = 100 * 1000 * 1000};

	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&instead, NULL);
}

static void *grace_main(void *argument)
{
	struct grace *grace = argument;

	pthread_mutex_lock(&grace->lock);
	while (!grace->stop) {
		uint64_t period = atomic_load(&grace->begun) + 1;

		if (grace->wanted < period) {
			pthread_cond_wait(&grace->wanted_cond, &grace->lock);
			continue;
		}
		atomic_store(&grace->begun, period);
		pthread_mutex_unlock(&grace->lock);
		wait_one();
		atomic_store(&grace->done, period);
		pthread_mutex_lock(&grace->lock);
	}
	pthread_mutex_unlock(&grace->lock);
	return NULL;
}

int grace_start(struct grace *grace)
{
	int err;

	memset(grace, 0, sizeof(*grace));
	pthread_mutex_init(&grace->lock, NULL);
	pthread_cond_init(&grace->wanted_cond, NULL);
	err = pthread_create(&grace->thread, NULL, grace_main, grace);
	grace->running = !err;
	return -err;
}

void grace_stop(struct grace *grace)
{
	if (!grace->running)
		return;
	pthread_mutex_lock(&grace->lock);
	grace->stop = true;
	pthread_cond_signal(&grace->wanted_cond);
	pthread_mutex_unlock(&grace->lock);
	pthread_join(grace->thread, NULL);
	grace->running = false;
}

uint64_t grace_next(struct grace *grace)
{
	uint64_t period;

	pthread_mutex_lock(&grace->lock);
	period = atomic_load(&grace->begun) + 1;
	if (grace->wanted < period) {
		grace->wanted = period;
		pthread_cond_signal(&grace->wanted_cond);
	}
	pthread_mutex_unlock(&grace->lock);
	return period;
}

bool grace_over(const struct grace *grace, uint64_t period)
{
	return atomic_load(&((struct grace *)grace)->done) >= period;
}
