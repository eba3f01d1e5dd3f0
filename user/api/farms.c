// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "resource.h"

static const struct api_filter filters[] = {{.key = "zone", .type = JSON_STRING},
					    {.key = "vrackNetworkId", .type = JSON_INTEGER},
					    {.key = NULL}};
static const char *const fixed[] = {"zone", NULL};

const struct api_resource resource_farm = {
	.kind = KIND_FARM,
	.filters = filters,
	.fixed = fixed,
};
