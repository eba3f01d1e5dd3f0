/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "hello_row.h"

#include "../../bpf/portable.h"
#include "../model/decode.h"
#include "format.h"

static void set_flag(json_t *row, const char *key, const struct hello *hello, uint32_t flag)
{
	json_object_set_new(row, key, hello ? json_boolean(hello->flags & flag) : json_null());
}

void set_hello(json_t *row, const struct hello *hello)
{
	uint32_t flags = hello ? hello->flags : 0;
	json_t *sni = NULL, *alpn = NULL;

	if (flags & HELLO_SNI)
		sni = json_bytes(hello->sni, hello->sni_len, flags & HELLO_SNI_CUT);
	if (flags & HELLO_ALPN)
		alpn = json_alpn(hello->alpn, MIN(hello->alpn_len, ALPN_MAX),
				 flags & HELLO_ALPN_CUT);
	set_string(row, "verdict", hello ? verdict_name(hello->verdict) : NULL);
	json_object_set_new(row, "sni", sni ? sni : json_null());
	set_flag(row, "sni_cut", hello, HELLO_SNI_CUT);
	json_object_set_new(row, "alpn", alpn ? alpn : json_null());
	set_flag(row, "alpn_cut", hello, HELLO_ALPN_CUT);
	set_flag(row, "ech", hello, HELLO_ECH);
}
