// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a proxy sends first: an answer for some bytes stays one when more come, and a header is no
 * longer than what was there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/daemon/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxied before = {0}, after;
	enum proxy_answer answer = PROXY_NEED_MORE;

	for (size_t n = 0; n <= size; n += 1 + n / 64) {
		uint8_t *copy = malloc(n ? n : 1);
		enum proxy_answer now;

		memcpy(copy, data, n);
		now = proxy_read(copy, n, &after);
		free(copy);
		if (answer != PROXY_NEED_MORE &&
		    (now != answer ||
		     (now == PROXY_DONE && memcmp(&before, &after, sizeof(after)))))
			abort();
		if (now == PROXY_DONE && (!after.size || after.size > n))
			abort();
		answer = now;
		before = after;
	}
	return 0;
}
