/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "names.h"

#include <string.h>

#include "decode.h"

#define ALLOWED(text, value)                                                                       \
	{                                                                                          \
		text, value, NAME_ALLOWED                                                          \
	}
#define INTERNAL(text, value)                                                                      \
	{                                                                                          \
		text, value, NAME_INTERNAL                                                         \
	}

#define NAMES(table, ...)                                                                          \
	static const struct name table##_entries[] = {__VA_ARGS__};                                \
	const struct names table = {                                                               \
		.v = table##_entries,                                                              \
		.n = sizeof(table##_entries) / sizeof(table##_entries[0]),                         \
	}

/* clang-format off */
NAMES(path_names,
	ALLOWED("auto", PATH_AUTO),
	ALLOWED("packet", PATH_PACKET),
	ALLOWED("sockmap", PATH_SOCKMAP),
	ALLOWED("relay", PATH_RELAY));

NAMES(xdp_names,
	ALLOWED("auto", XDP_AUTO),
	ALLOWED("native", XDP_NATIVE),
	ALLOWED("generic", XDP_GENERIC),
	ALLOWED("off", XDP_OFF));

NAMES(accel_names,
	ALLOWED("auto", ACCEL_AUTO),
	ALLOWED("xdp", ACCEL_XDP),
	ALLOWED("tc", ACCEL_TC));

NAMES(handshake_names,
	ALLOWED("socket", HANDSHAKE_SOCKET),
	ALLOWED("packet", HANDSHAKE_PACKET));

NAMES(balance_names,
	ALLOWED("roundrobin", BALANCE_ROUNDROBIN),
	ALLOWED("source", BALANCE_SOURCE),
	ALLOWED("leastconn", BALANCE_LEASTCONN),
	ALLOWED("first", BALANCE_FIRST),
	ALLOWED("maglev", BALANCE_MAGLEV),
	ALLOWED("random", BALANCE_RANDOM));

NAMES(action_names,
	ALLOWED("farm", ACTION_FARM),
	ALLOWED("reject", ACTION_REJECT),
	INTERNAL("none", ACTION_NONE));

NAMES(field_names,
	ALLOWED("protocol", FIELD_PROTOCOL),
	ALLOWED("source", FIELD_SOURCE),
	ALLOWED("sni", FIELD_SNI),
	ALLOWED("host", FIELD_SNI),
	ALLOWED("alpn", FIELD_ALPN),
	ALLOWED("tls.version", FIELD_TLS_VERSION),
	ALLOWED("tls.ech", FIELD_TLS_ECH));

NAMES(match_names,
	ALLOWED("is", MATCH_IS),
	ALLOWED("in", MATCH_IN),
	ALLOWED("startswith", MATCH_STARTSWITH),
	ALLOWED("endswith", MATCH_ENDSWITH),
	ALLOWED("contains", MATCH_CONTAINS),
	ALLOWED("exists", MATCH_EXISTS),
	ALLOWED("matches", MATCH_MATCHES));

NAMES(protocol_names,
	ALLOWED("tcp", PROTOCOL_TCP),
	ALLOWED("tls", PROTOCOL_TLS),
	ALLOWED("http", PROTOCOL_HTTP),
	ALLOWED("https", PROTOCOL_HTTPS),
	ALLOWED("http/1.1", PROTOCOL_HTTP1),
	ALLOWED("http/2.0", PROTOCOL_HTTP2),
	ALLOWED("ssh", PROTOCOL_SSH));

NAMES(tls_version_names,
	ALLOWED("ssl3", PROTOCOL_SSL3),
	ALLOWED("1.0", PROTOCOL_TLS10),
	ALLOWED("1.1", PROTOCOL_TLS11),
	ALLOWED("1.2", PROTOCOL_TLS12),
	ALLOWED("1.3", PROTOCOL_TLS13),
	INTERNAL("later", PROTOCOL_TLS_LATER));

NAMES(tls_ech_names,
	ALLOWED("present", PROTOCOL_ECH),
	ALLOWED("absent", PROTOCOL_NO_ECH));

NAMES(proxy_protocol_names,
	ALLOWED("v1", PROXY_PROTOCOL_V1),
	ALLOWED("v2", PROXY_PROTOCOL_V2),
	ALLOWED("v2-ssl", PROXY_PROTOCOL_V2_SSL),
	ALLOWED("v2-ssl-cn", PROXY_PROTOCOL_V2_SSL_CN),
	INTERNAL("none", PROXY_PROTOCOL_NONE));

NAMES(proxy_tlv_names,
	ALLOWED("alpn", PROXY_TLV_ALPN),
	ALLOWED("authority", PROXY_TLV_AUTHORITY),
	ALLOWED("unique_id", PROXY_TLV_UNIQUE_ID),
	ALLOWED("crc32c", PROXY_TLV_CRC32C));

NAMES(verdict_names,
	ALLOWED("need_more", VERDICT_NEED_MORE),
	ALLOWED("tls", VERDICT_TLS),
	ALLOWED("malformed", VERDICT_MALFORMED),
	ALLOWED("sslv2", VERDICT_SSLV2),
	ALLOWED("http1", VERDICT_HTTP1),
	ALLOWED("http2", VERDICT_HTTP2),
	ALLOWED("ssh", VERDICT_SSH),
	ALLOWED("other", VERDICT_OTHER),
	ALLOWED("silent", VERDICT_SILENT),
	ALLOWED("unread", VERDICT_UNREAD));

NAMES(status_names,
	ALLOWED("active", STATUS_ACTIVE),
	ALLOWED("inactive", STATUS_INACTIVE),
	ALLOWED("drain", STATUS_DRAIN));

NAMES(stickiness_names,
	ALLOWED("sourceIp", 1));

NAMES(on_marked_down_names,
	ALLOWED("shutdown-sessions", 1));

NAMES(probe_type_names,
	ALLOWED("tcp", PROBE_TCP),
	ALLOWED("http", PROBE_HTTP),
	ALLOWED("smtp", PROBE_SMTP),
	ALLOWED("mysql", PROBE_MYSQL),
	ALLOWED("pgsql", PROBE_PGSQL),
	ALLOWED("oco", PROBE_OCO),
	ALLOWED("internal", PROBE_INTERNAL),
	ALLOWED("tls", PROBE_TLS));

NAMES(probe_match_names,
	ALLOWED("default", PROBE_MATCH_DEFAULT),
	ALLOWED("status", PROBE_MATCH_STATUS),
	ALLOWED("contains", PROBE_MATCH_CONTAINS),
	ALLOWED("matches", PROBE_MATCH_MATCHES),
	ALLOWED("internal", PROBE_MATCH_INTERNAL));

NAMES(probe_method_names,
	ALLOWED("GET", PROBE_METHOD_GET),
	ALLOWED("HEAD", PROBE_METHOD_HEAD),
	ALLOWED("OPTIONS", PROBE_METHOD_OPTIONS),
	ALLOWED("internal", PROBE_METHOD_INTERNAL));

NAMES(server_state_names,
	INTERNAL("unknown", SERVER_UNKNOWN),
	INTERNAL("up", SERVER_UP),
	INTERNAL("down", SERVER_DOWN));

NAMES(check_status_names,
	INTERNAL("L4OK", CHECK_L4_OK),
	INTERNAL("L4TOUT", CHECK_L4_TIMEOUT),
	INTERNAL("L4CON", CHECK_L4_FAILED),
	INTERNAL("L6OK", CHECK_L6_OK),
	INTERNAL("L6TOUT", CHECK_L6_TIMEOUT),
	INTERNAL("L6RSP", CHECK_L6_FAILED),
	INTERNAL("L7OK", CHECK_L7_OK),
	INTERNAL("L7TOUT", CHECK_L7_TIMEOUT),
	INTERNAL("L7STS", CHECK_L7_STATUS),
	INTERNAL("L7RSP", CHECK_L7_FAILED),
	INTERNAL("UNK", CHECK_UNKNOWN));
/* clang-format on */

const struct names *field_words(enum field field)
{
	switch (field) {
	case FIELD_PROTOCOL:
		return &protocol_names;
	case FIELD_TLS_VERSION:
		return &tls_version_names;
	case FIELD_TLS_ECH:
		return &tls_ech_names;
	default:
		return NULL;
	}
}

const struct name *names_find(const struct names *names, const char *text)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->v[i].use != NAME_INTERNAL && !strcmp(names->v[i].text, text))
			return &names->v[i];
	return NULL;
}

const char *names_text(const struct names *names, int value)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->v[i].value == value)
			return names->v[i].text;
	return "?";
}

void names_list(const struct names *names, struct text *text)
{
	const char *separator = "";

	for (size_t i = 0; i < names->n; i++) {
		if (names->v[i].use != NAME_ALLOWED)
			continue;
		text_append(text, "%s%s", separator, names->v[i].text);
		separator = ", ";
	}
}

const char *path_name(enum path_kind path)
{
	return names_text(&path_names, path);
}

const char *balance_name(enum balance balance)
{
	return names_text(&balance_names, balance);
}

const char *server_status_name(enum server_status status)
{
	return names_text(&status_names, status);
}

const char *action_name(enum action action)
{
	return names_text(&action_names, action);
}

const char *field_name(enum field field)
{
	return names_text(&field_names, field);
}

const char *match_name(enum match match)
{
	return names_text(&match_names, match);
}

const char *proxy_protocol_name(enum proxy_protocol proxy_protocol)
{
	return names_text(&proxy_protocol_names, proxy_protocol);
}

const char *verdict_name(enum verdict verdict)
{
	return names_text(&verdict_names, verdict);
}
