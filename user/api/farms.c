// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "resource.h"

static const struct api_filter filters[] = {
	{"zone", JSON_STRING}, {"vrackNetworkId", JSON_INTEGER}, {NULL, JSON_NULL}};
static const char *const fixed[] = {"zone", NULL};

const struct api_resource resource_farm = {
	.kind = KIND_FARM,
	.filters = filters,
	.fixed = fixed,
};
