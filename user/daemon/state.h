/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What survives the daemon, below STATE_ROOT/INSTANCE. state.json is what is staged, which
 * revision runs, the list of revisions, and the last ids of objects and tasks; it is replaced as a
 * whole, so whoever is killed at any instant leaves what was before or what came after. Each
 * revision is a file of its own that `alpnlb apply` takes; it is there before state.json names it,
 * and is never changed.
 */
#ifndef ALPNLB_STATE_H
#define ALPNLB_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../model/staged.h"
#include "state_directory.h"

#define REVISIONS_KEPT 100
#define REVISION_MAX   999999999 /* the highest number: ids have 9 digits */
#define HASH_LEN       17	 /* with the NUL */

struct state {
	const char *instance;
	char directory[128];   /* of the instance */
	int lock;	       /* the directory; -1 while there is none */
	json_t *index;	       /* state.json without what is staged; a change makes a new one */
	json_t *before;	       /* the index that state_undo() goes back to */
	json_t *unwritten;     /* by number: revisions that could not be written yet */
	json_t *refused;       /* what was staged, where this version does not accept it */
	json_int_t last_task;  /* the highest id a task has had */
	struct stat written;   /* state.json as it was last read or written */
	char hash[HASH_LEN];   /* likewise; empty when it was not there */
	bool held;	       /* what is staged is to be written by the refresh that follows */
	bool strict;	       /* what cannot be written is refused: not so during the start */
	char failed[512];      /* one line about the last failure */
	struct staged *staged; /* NULL for a state that was not opened: it keeps nothing */
};

/* What a refresh is to leave in the state. */
struct refresh {
	const char *zone; /* NULL: every zone */
	const char *comment;
	const char *by;	  /* who asks for it; NULL: nobody but the daemon */
	const char *file; /* hash of the file it comes from, NULL when from none */
	json_t *before;	  /* staged before; see refresh_begin() */
	json_t *lost;	  /* staged before and not refreshed: kept as a revision; may be NULL */
	uint32_t kept;	  /* number of that one, 0 for none */
};

/*
 * Functions return 0 or -errno with a line in `failed`, and nothing changed. -ESTALE: somebody
 * else has changed state.json; -EBUSY: another daemon uses the directory; -EINVAL: what is there
 * is broken; -EIO: something cannot be read or written.
 */

/* Reads what is there; `index` stays NULL when there is nothing yet. */
int state_open(struct state *state, const char *instance, struct staged *staged);
void state_close(struct state *state);

/*
 * Fills `staged`, which is empty, with what was staged and running. Adds to `problems`. What was
 * staged and is not accepted is left in `refused`, and staged is what runs, unless that is not
 * accepted, either: then `running` alone is filled, for -EINVAL.
 */
int state_load(struct state *state, struct problems *problems);

/* Writes what is staged: the commit() of struct staged. */
int state_stage(void *state, const json_t *root);

/* Makes what is staged a new revision, and the running one of a zone. */
int state_refresh(struct state *state, struct refresh *refresh);

/* Takes the last state_refresh() or state_keep() back. */
void state_undo(struct state *state);

/* Makes a root a revision that runs nowhere. */
int state_keep(struct state *state, const json_t *root, const char *comment, uint32_t *number);

/* The line for -errno that a write of struct staged returned. */
const char *state_error(const struct state *state, int err);

/* ---- revisions ------------------------------------------------------------------------ */

/* The revision this instance runs; 0 before the first. */
uint32_t state_running(const struct state *state);

/* The newest revision that is a file and not in the list, as after a crash; 0 for none. */
uint32_t state_unlisted(const struct state *state);

/* The revision that was made of a file last, and that file's hash; false when there is none. */
bool state_file(const struct state *state, uint32_t *number, const char **hash);

/*
 * [{"number", "date", "comment", "zone" (null: ran nowhere), "created", "changed", "deleted"}],
 * ascending; the last three count objects. Borrowed.
 */
json_t *state_revisions(const struct state *state);

/* Borrowed; NULL if there is none. */
json_t *state_revision(const struct state *state, uint32_t number);

/* Its configuration: new reference, or NULL with a line in `failed` and *err, -ENOENT if it is
 * gone.
 */
json_t *state_revision_root(struct state *state, uint32_t number, int *err);

/* Of bytes, and of what a document says; against accidents, not against attackers. */
void state_hash(const char *bytes, size_t len, char hash[HASH_LEN]);
int state_hash_document(const json_t *root, char hash[HASH_LEN]);

#endif
