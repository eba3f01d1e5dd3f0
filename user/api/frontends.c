// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "resource.h"

static const struct api_filter filters[] = {{"defaultFarmId", JSON_INTEGER},
					    {"defaultSslId", JSON_INTEGER},
					    {"port", JSON_STRING},
					    {"zone", JSON_STRING},
					    {NULL, JSON_NULL}};

const struct api_resource resource_frontend = {
	.kind = KIND_FRONTEND,
	.filters = filters,
};
