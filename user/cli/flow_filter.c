// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "flow_filter.h"

#include "../model/decode.h"
#include "../model/prefix.h"
#include "find.h"
#include "snapshot.h"

enum { CLIENT_VALUE, SERVER_VALUE, FARM_VALUE, FRONTEND_VALUE, OLDER_VALUE, YOUNGER_VALUE };

int prefix_word(const char *what, const char *text, struct prefix *prefix)
{
	char network[64];

	switch (prefix_scan(text, prefix)) {
	case PREFIX_OK:
		return CLI_OK;
	case PREFIX_HOST_BITS:
		return fail(CLI_USAGE, "%s '%s': has bits behind its length, did you mean %s?",
			    what, text, prefix_format(prefix, network, sizeof(network)));
	case PREFIX_BAD_LENGTH:
		return fail(CLI_USAGE, "%s '%s': the length is 0..32 for IPv4 and 0..128 for IPv6",
			    what, text);
	case PREFIX_COVERS_IPV4:
		return fail(CLI_USAGE,
			    "%s '%s': would hold every IPv4 address, too, say 2000::/3 for the "
			    "IPv6 Internet, 0.0.0.0/0 for IPv4",
			    what, text);
	default:
		return fail(CLI_USAGE,
			    "%s '%s': expected an address or a block, such as "
			    "192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
			    what, text);
	}
}

/* The moment a given time ago. */
static int parse_age(const char *keyword, const char *text, uint64_t now, uint64_t *moment)
{
	int64_t milliseconds = duration_parse(text);
	uint64_t ago = milliseconds * 1000000ULL;

	if (milliseconds < 0)
		return fail(CLI_USAGE,
			    "%s '%s': expected a duration such as 500ms, 5s, 2m, 1h or 1d", keyword,
			    text);
	*moment = now > ago ? now - ago : 0;
	return CLI_OK;
}

static int parse_objects(const struct config *config, const char *const *values,
			 struct flow_filter *filter)
{
	const struct frontend *frontend = NULL;
	const struct farm *farm = NULL, *server_farm;
	const struct server *server = NULL;
	int code = CLI_OK;

	if (values[SERVER_VALUE])
		code = find_server(config, values[SERVER_VALUE], NULL, &server, &server_farm);
	if (!code && values[FARM_VALUE])
		code = find_farm(config, values[FARM_VALUE], NULL, &farm);
	if (!code && values[FRONTEND_VALUE])
		code = find_frontend(config, values[FRONTEND_VALUE], NULL, &frontend);
	if (code)
		return code;
	filter->server = server ? server->o.id : 0;
	filter->farm = farm ? farm->o.id : 0;
	filter->frontend = frontend ? frontend->o.id : 0;
	return CLI_OK;
}

int flow_filter_parse(const struct config *config, const char *const *values, uint64_t now,
		      struct flow_filter *filter)
{
	int code = CLI_OK;

	*filter = (struct flow_filter){.started_to = UINT64_MAX};
	if (values[CLIENT_VALUE])
		code = prefix_word("client", values[CLIENT_VALUE], &filter->client);
	if (!code)
		code = parse_objects(config, values, filter);
	if (!code && values[OLDER_VALUE])
		code = parse_age("older", values[OLDER_VALUE], now, &filter->started_to);
	if (!code && values[YOUNGER_VALUE])
		code = parse_age("younger", values[YOUNGER_VALUE], now, &filter->started_from);
	return code;
}

bool flow_filter_matches(const struct flow_filter *filter, const struct flow *server)
{
	return (!filter->frontend || filter->frontend == server->frontend_id) &&
	       (!filter->farm || filter->farm == server->farm_id) &&
	       (!filter->server || filter->server == server->server_id) &&
	       server->started >= filter->started_from && server->started <= filter->started_to &&
	       prefix_contains(&filter->client, server->destination);
}
