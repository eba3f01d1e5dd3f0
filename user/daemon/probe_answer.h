/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a probe says to a server, and what the server's answer means: memory in, memory out. The
 * caller moves the bytes.
 */
#ifndef ALPNLB_PROBE_ANSWER_H
#define ALPNLB_PROBE_ANSWER_H

#include "../../bpf/model.h"
#include "../model/probe.h"
#include "../model/regex.h"

#define ANSWER_MAX 16384 /* bytes that `contains` and `matches` look at */
#define HEAD_MAX   16384 /* bytes of an HTTP header that comes before */
#define SAY_MAX	   1024

enum answer {
	ANSWER_MORE = 0, /* not known yet */
	ANSWER_GOOD,
	ANSWER_BAD,
	ANSWER_TLS, /* talk_begin() again, once the connection is encrypted */
};

/* How a check ended, as struct server_health keeps it. */
struct check_result {
	enum check_status status;
	uint32_t code;
	char text[sizeof(((struct server_health *)0)->text)];
};

struct talk {
	const struct probe *probe;
	const struct regex *regex; /* of the match `matches` */
	struct regex_scratch *scratch;
	bool encrypted;	  /* told by the caller, after ANSWER_TLS */
	uint8_t sequence; /* of MySQL: the number of the next packet, meanwhile */
	unsigned int step;
	size_t looked;	      /* bytes there were when the expression was tried last */
	uint8_t say[SAY_MAX]; /* what is to be sent now; the caller empties it */
	size_t say_len;
	struct check_result result; /* once the answer is known */
};

/* Zero but for `probe`, `regex` and `scratch`. ANSWER_GOOD: the probe does not want any answer. */
enum answer talk_begin(struct talk *talk);

/*
 * Looks at all that has come and was not used yet; *used of these bytes are not wanted again.
 * `ended`: no more will come.
 */
enum answer talk_read(struct talk *talk, const uint8_t *data, size_t len, bool ended, size_t *used);

/* Sets the text of a result: the first line of `data`, with what cannot be printed as dots. */
void result_text(struct check_result *result, const void *data, size_t len);

#endif
