// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "resource.h"

static const struct api_filter filters[] = {{.key = "defaultFarmId", .type = JSON_INTEGER},
					    {.key = "defaultSslId", .type = JSON_INTEGER},
					    {.key = "port", .type = JSON_STRING, .ports = true},
					    {.key = "zone", .type = JSON_STRING},
					    {.key = NULL}};

const struct api_resource resource_frontend = {
	.kind = KIND_FRONTEND,
	.filters = filters,
};
