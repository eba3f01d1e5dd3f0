/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One table per enum of the model, for decoding, for output and for "allowed:" in messages. */
#ifndef ALPNLB_NAMES_H
#define ALPNLB_NAMES_H

#include <stddef.h>

#include "../../bpf/model.h"
#include "probe.h"
#include "text.h"

enum name_use {
	NAME_ALLOWED = 0,
	NAME_INTERNAL, /* for output only */
};

struct name {
	const char *text;
	int value;
	enum name_use use;
};

struct names {
	const struct name *v;
	size_t n;
};

extern const struct names path_names;
extern const struct names xdp_names;
extern const struct names accel_names;
extern const struct names handshake_names;
extern const struct names balance_names;
extern const struct names action_names;
extern const struct names field_names;
extern const struct names match_names;
/* PROTOCOL_* bits */
extern const struct names protocol_names;
extern const struct names tls_version_names;
extern const struct names tls_ech_names;
extern const struct names proxy_protocol_names;
extern const struct names proxy_tlv_names; /* PROXY_TLV_* bits */
extern const struct names verdict_names;
extern const struct names status_names;		/* of a server */
extern const struct names stickiness_names;	/* 1 = sourceIp */
extern const struct names on_marked_down_names; /* 1 = shutdown-sessions */
extern const struct names probe_type_names;
extern const struct names probe_match_names;
extern const struct names probe_method_names;
extern const struct names server_state_names;
extern const struct names check_status_names; /* as HAProxy calls them */

/* The words that patterns of a field are, NULL where they are not words. */
const struct names *field_words(enum field field);

/* The entry of that name; NULL if there is none, or it is for output only. */
const struct name *names_find(const struct names *names, const char *text);

/* The first name of that value, "?" if there is none. */
const char *names_text(const struct names *names, int value);

/* Appends the names a user may give: "a, b, c". */
void names_list(const struct names *names, struct text *text);

#endif
