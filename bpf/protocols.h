/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From what was collected of a hello to what rules look at. */
#ifndef ALPNLB_PROTOCOLS_H
#define ALPNLB_PROTOCOLS_H

#include "portable.h"

/* The bit of the highest version offered, 0 if none is known. */
static __always_inline __u32 hello_highest_version(__u32 flags, __u32 version)
{
	/* RFC 8446 section 4.2.1: without supported_versions that is TLS 1.2 at most. */
	__u32 most = flags & HELLO_VERSIONS ? 0x0305 : 0x0303;

	return version >> 8 >= 3 ? PROTOCOL_SSL3 << (MIN(version, most) & 7) : 0;
}

/* What can be said of a client: a set of PROTOCOL_*. */
static __always_inline __u32 hello_protocols(enum verdict verdict, __u32 flags, __u32 version)
{
	const __u32 http = HELLO_OFFERS_H2 | HELLO_OFFERS_HTTP1 | HELLO_OFFERS_HTTP10;
	__u32 protocols = PROTOCOL_TCP;

	switch (verdict) {
	case VERDICT_TLS:
		protocols |= PROTOCOL_NAMES_KNOWN | PROTOCOL_TLS;
		protocols |= hello_highest_version(flags, version);
		protocols |= flags & HELLO_ECH ? PROTOCOL_ECH : PROTOCOL_NO_ECH;
		if (!(flags & HELLO_ALPN) || flags & http)
			protocols |= PROTOCOL_HTTPS;
		if (flags & HELLO_OFFERS_H2)
			protocols |= PROTOCOL_HTTP2;
		if (flags & HELLO_OFFERS_HTTP1)
			protocols |= PROTOCOL_HTTP1;
		break;
	case VERDICT_HTTP1:
		protocols |= PROTOCOL_NAMES_KNOWN | PROTOCOL_HTTP | PROTOCOL_HTTP1;
		break;
	case VERDICT_HTTP2:
		protocols |= PROTOCOL_NAMES_KNOWN | PROTOCOL_HTTP | PROTOCOL_HTTP2;
		break;
	case VERDICT_SSH:
		protocols |= PROTOCOL_NAMES_KNOWN | PROTOCOL_SSH;
		break;
	case VERDICT_OTHER:
		protocols |= PROTOCOL_NAMES_KNOWN;
		break;
	default:
		break;
	}
	return protocols;
}

#endif
