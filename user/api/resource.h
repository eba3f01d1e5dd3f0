/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kinds of object have in common in the API, and what sets each apart. */
#ifndef ALPNLB_API_RESOURCE_H
#define ALPNLB_API_RESOURCE_H

#include "call.h"

struct api_filter {
	const char *key; /* of the query, and of the object as the API shows it; NULL ends a list */
	json_type type;
	const struct names *names; /* that a string has to be one of; may be NULL */
	bool address;		   /* however it is written */
	bool ports;		   /* all of them among those of the object */
};

struct api_resource {
	enum kind kind;
	const struct api_resource *parent; /* of servers and rules */
	const struct api_filter *filters;  /* may be NULL */
	const char *const *fixed; /* fields that cannot change; ends with NULL; may be NULL */
	/* Adds what is computed to an object as the API shows it; may be NULL. */
	void (*add_computed)(const struct api_call *call, const json_t *object, json_t *shown);
	/* Objects in the order of the list, when that is not by id; new reference, as a list. */
	json_t *(*in_order)(const struct api_call *call);
};

extern const struct api_resource resource_farm, resource_server, resource_frontend, resource_route,
	resource_rule;

/* An object as the API shows it. New reference. */
json_t *resource_show(const struct api_call *call, const struct api_resource *resource,
		      const json_t *object);

/* The handlers of a resource. */
void resource_list(struct api_call *call, const struct api_resource *resource);
void resource_create(struct api_call *call, const struct api_resource *resource);
void resource_get(struct api_call *call, const struct api_resource *resource);
void resource_change(struct api_call *call, const struct api_resource *resource);
void resource_delete(struct api_call *call, const struct api_resource *resource);

#endif
