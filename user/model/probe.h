/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the servers of a farm are probed, as the operator says it. */
#ifndef ALPNLB_PROBE_H
#define ALPNLB_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum probe_type {
	PROBE_TCP = 1,
	PROBE_HTTP,
	PROBE_SMTP,
	PROBE_MYSQL,
	PROBE_PGSQL,
	PROBE_OCO,
	PROBE_INTERNAL,
	PROBE_TLS,
};

enum probe_match {
	PROBE_MATCH_NONE = 0,
	PROBE_MATCH_DEFAULT,
	PROBE_MATCH_STATUS,
	PROBE_MATCH_CONTAINS,
	PROBE_MATCH_MATCHES,
	PROBE_MATCH_INTERNAL,
};

enum probe_method {
	PROBE_METHOD_NONE = 0,
	PROBE_METHOD_GET,
	PROBE_METHOD_HEAD,
	PROBE_METHOD_OPTIONS,
	PROBE_METHOD_INTERNAL,
};

#define PROBE_PORT_OCO 79

struct probe {
	enum probe_type type;
	uint16_t port;	     /* host order; 0 = null, the one that clients are sent to */
	uint32_t interval;   /* milliseconds, from the begin of a check to that of the next */
	uint32_t timeout;    /* milliseconds, for a whole check; 0 = null, see probe_timeout() */
	uint32_t rise, fall; /* checks in a row that bring a server up, and down */
	enum probe_match match;
	char *pattern;
	bool negate;
	enum probe_method method;
	char *url; /* [HOST]/PATH; NULL = / */
	bool force_ssl;
	/* with TLS: */
	char *sni;	    /* NULL = the host of the URL, or none */
	char *alpn;	    /* one name, offered, and to be selected; NULL = none */
	bool verify;	    /* is the certificate to be trusted ... */
	char *ca;	    /* ... by this file (PEM)? NULL = by what the host trusts */
	char *cert_name;    /* that it has to be for; NULL = not looked at */
	uint32_t cert_days; /* for which it has to be valid at least; 0 = not looked at */
};

/* Frees what it owns, not the probe itself. */
void probe_fini(struct probe *probe);

/* A copy that owns all of its own: 0 or -ENOMEM, and in any case probe_fini() follows. */
int probe_copy(const struct probe *from, struct probe *to);

bool probe_equal(const struct probe *a, const struct probe *b);

/* Is the connection encrypted? */
bool probe_uses_tls(const struct probe *probe);

/* Not at once: the protocol itself has a way to begin it. */
bool probe_turns_to_tls(const struct probe *probe);

/* Milliseconds that a check may take. */
uint32_t probe_timeout(const struct probe *probe);

/* The two parts of a URL [HOST]/PATH; false if it is none. `host` may be empty. */
bool probe_url_parse(const char *url, char host[256], const char **path);

/* Is that a pattern of status codes, such as "200", "2xx", "2..|3.." or "200-299, 404"? */
bool probe_status_valid(const char *pattern);
bool probe_status_matches(const char *pattern, unsigned int code);

#endif
