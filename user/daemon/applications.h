/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who may use the API on HTTPS. An application is kept with its secret as it is: to check a
 * signature the daemon has to compute it, which a hash of the secret does not allow. The file is
 * for root only.
 */
#ifndef ALPNLB_APPLICATIONS_H
#define ALPNLB_APPLICATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#define APPLICATIONS_MAX      1000
#define APPLICATION_NAME_MAX  50
#define APPLICATION_KEY	      16 /* hexadecimal digits */
#define APPLICATION_SECRET    32
#define APPLICATION_READ_ONLY "read-only"
#define APPLICATION_WRITES    "read-write"

/* Texts are zero up to their ends, so that they can be compared whole. */
struct application {
	char name[APPLICATION_NAME_MAX + 1];
	char key[APPLICATION_KEY + 1];
	char secret[APPLICATION_SECRET + 1];
	char consumer[APPLICATION_SECRET + 1];
	bool writes;
	time_t created;
};

struct applications {
	struct application *v; /* in the order they were made */
	size_t n;
};

void applications_free(struct applications *list);

/* Reads those of an instance; none if there never were any. 0 or -errno, -EINVAL for a bad file. */
int applications_read(const char *instance, struct applications *list);

const struct application *applications_find(const struct applications *list, const char *name);

/* Makes one with keys of its own. 0 or -errno: -EEXIST for the name, -E2BIG for one too many. */
int applications_add(const char *instance, const char *name, bool writes,
		     struct application *added);

/* Changes what it may do, its keys stay. 0 or -errno: -ENOENT when there is none of that name. */
int applications_set(const char *instance, const char *name, bool writes);

/* 0 or -errno: -ENOENT when there is none of that name. */
int applications_delete(const char *instance, const char *name);

/* ---- for a daemon: the list as it is now ---------------------------------------------- */

struct application_store {
	struct applications list;
	int fd; /* of the file that was read, so that no other one gets its number; 0 = none */
	struct stat seen;
};

/*
 * The applications of this very moment: the file is read again when it is another one. None at all
 * when it cannot be read, of which *err tells, once.
 */
const struct applications *application_store_now(struct application_store *store,
						 const char *instance, int *err);

void application_store_free(struct application_store *store);

#endif
