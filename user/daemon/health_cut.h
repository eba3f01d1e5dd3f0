/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ends the connections of a server that went down: on_marked_down. */
#ifndef ALPNLB_HEALTH_CUT_H
#define ALPNLB_HEALTH_CUT_H

#include <stdint.h>

struct health;

/* Begins to end them, in a thread that passes: a look at all flows takes its time. */
void health_cut(struct health *health, uint32_t server_id);

/* Until all that have begun are through. */
void health_cut_wait(struct health *health);

#endif
