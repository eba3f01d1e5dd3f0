/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Host names of servers: threads ask for them, as getaddrinfo(3) does, at once and then again and
 * again. All functions are for the main thread.
 */
#ifndef ALPNLB_RESOLVER_H
#define ALPNLB_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct event_base;
struct resolver;

#define RESOLVER_WAIT 2000 /* milliseconds that a refresh waits for names it has not heard of */

/* on_change() is called from `base` when a name has another address, or has got its first. */
int resolver_start(struct resolver **resolver, struct event_base *base,
		   void (*on_change)(void *context), void *context);

/* Does not wait for an answer that a thread waits for. Accepts NULL. */
void resolver_stop(struct resolver *resolver);

/*
 * Sets the addresses of servers with host names, as far as they are known within so many
 * milliseconds; has others looked up from now on. Did any address change?
 */
bool resolver_fill(struct resolver *resolver, struct config *config, uint32_t wait);

/* Looks up no other names than those of this configuration any more. */
void resolver_keep(struct resolver *resolver, const struct config *config);

#endif
