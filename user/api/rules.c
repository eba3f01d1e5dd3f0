// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "resource.h"

const struct api_resource resource_rule = {
	.kind = KIND_RULE,
	.parent = &resource_route,
};
