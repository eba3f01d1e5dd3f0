/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where an instance listens without being bound there: frontends with more than one port, or more
 * than one address of a family, have one socket per worker and family, to which the kernel is told
 * to steer their connections.
 */
#ifndef ALPNLB_STEERED_H
#define ALPNLB_STEERED_H

#include <sys/types.h>

#include "../kernel/steering.h"

struct steered {
	struct steering steering;
	bool failed;	    /* it does not work here: every port has sockets */
	struct spans now;   /* in force */
	struct spans next;  /* being prepared */
	int table;	    /* of `next`; -1 = that in force, or nothing is being prepared */
	struct spans taken; /* by other instances, as of steered_look() */
};

/* Makes it work where `config` needs it, or warns, once, that it does not. */
void steered_open(struct steered *steered, const char *instance, const struct config *config);
void steered_close(struct steered *steered);

/* Are that frontend's connections steered? */
bool steered_has(const struct steered *steered, const struct frontend *frontend);

/* Looks what other instances steer. 0 or -errno. */
int steered_look(struct steered *steered, const char *instance);

/* Does another instance steer connections to that address and port? As of steered_look(). */
bool steered_taken(const struct steered *steered, const uint8_t address[16], uint16_t port);

/*
 * What `config` wants, beside sockets of the user `owner`. 0, or -errno with one line in `failed`:
 * as bind() would, it refuses what others listen on and addresses that are not of this host.
 */
int steered_prepare(struct steered *steered, const struct config *config, uid_t owner, char *failed,
		    size_t size);

/* Puts what was prepared in force: new connections go by it from here on. */
void steered_commit(struct steered *steered);
void steered_abort(struct steered *steered);

/* Are connections to that address and port steered, as prepared, or else as in force? */
bool steered_covers(const struct steered *steered, const uint8_t address[16], uint16_t port);

#endif
