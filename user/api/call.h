/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One request of the API and its answer, free of how it came. Handlers either api_answer() or
 * api_refuse(); who reaches the API, and by what transport, is the business of server.h.
 */
#ifndef ALPNLB_API_CALL_H
#define ALPNLB_API_CALL_H

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../daemon/daemon.h"
#include "../model/names.h"
#include "../model/problems.h"

/* The id of the only instance that this API tells about: the daemon itself. */
#define API_INSTANCE 1

struct api_call {
	struct daemon *daemon;
	const char *method; /* GET, POST, PUT, DELETE, or another that is refused */
	const char *path;
	/* the variable parts of the path */
	uint32_t parent, id; /* /tcp/farm/{parent}/server/{id} */
	char name[64];
	char missing[96]; /* "farm with the id -1": no id that one may have; else "" */
	struct evkeyvalq query;
	const char *body;
	size_t body_len;
	json_t *fields; /* the body's object, empty when there is no body; NULL for raw ones */
	int status;	/* of the answer: 0 until there is one */
	json_t *answer;
	char *text;		 /* in the place of `answer`: what is no JSON ... */
	const char *type;	 /* ... but of this media type */
	char allow[64];		 /* methods, with status 405 */
	struct monitor *monitor; /* the answer goes on with lines for it; NULL: it ends */
	char by[64];		 /* who asks: an application, or "uid 0" on the control socket */
	bool file_names; /* mistakes are told in the words of a file, for the command line */
};

/* Answers with 200; takes `answer` over. */
void api_answer(struct api_call *call, json_t *answer);

/* Answers with a text, which is taken over, of a media type, which is not. */
void api_answer_text(struct api_call *call, char *text, const char *type);

/* Answers with {"message", "class"}; the class follows from the status. */
__attribute__((format(printf, 3, 4))) void api_refuse(struct api_call *call, int status,
						      const char *format, ...);

/*
 * The same for mistakes in an object of a kind, or with KIND_MAX in a configuration: the first one
 * is the message, all are in "problems".
 */
void api_refuse_problems(struct api_call *call, int status, enum kind kind,
			 const struct problems *problems);

/* Mistakes and warnings as the API shows them. New reference. */
json_t *api_problems(const struct api_call *call, enum kind kind, const struct problems *problems);

/* The same for -errno of a write that could not be kept on disk. */
void api_refuse_unkept(struct api_call *call, int err);

/* The words for the status in HTTP. */
const char *api_reason(const struct api_call *call);

/* NULL when the query does not have it. */
const char *api_query(const struct api_call *call, const char *key);

/* Is it one of the names, or not in the query? Otherwise refuses. */
bool api_query_is_name(struct api_call *call, const char *key, const struct names *names);

/* The number of an id, as a path or a query has it: 1..9 digits. Is it one? */
bool api_number(const char *text, uint32_t *number);

/*
 * Finds the path, checks the method and what the query may hold, parses the body and calls the
 * handler. Afterwards the call has an answer. See paths.c.
 */
void api_dispatch(struct api_call *call);

void api_call_free(struct api_call *call);

#endif
