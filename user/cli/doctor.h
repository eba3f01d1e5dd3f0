/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef ALPNLB_DOCTOR_H
#define ALPNLB_DOCTOR_H

#include <jansson.h>

enum status { STATUS_OK, STATUS_WARN, STATUS_FAIL };

/* Appends a finding; `advice` may be NULL. */
__attribute__((format(printf, 5, 6))) void finding(json_t *rows, enum status status,
						   const char *check, const char *advice,
						   const char *format, ...);

/* Can connections be spliced on this host? */
void check_packet_path(json_t *rows);

/* What an instance with pinned maps has of it. */
void check_packet_instance(json_t *rows, const char *instance);

/* Can connections to many ports be steered to few sockets? */
void check_steering(json_t *rows);

/* Who listens in vain where a running instance has them steered? */
void check_steered_instance(json_t *rows, const char *instance);

/* Can the door be loaded on this host, and where is that of an instance missing? */
void check_door(json_t *rows);
void check_door_instance(json_t *rows, const char *instance);

#endif
