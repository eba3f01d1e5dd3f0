/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Attributes that hold addresses, blocks of addresses and ports. */
#include <stdlib.h>
#include <string.h>

#include "decoder.h"
#include "prefix.h"

#define PORTS_MAX  64	   /* ports and ranges of a frontend */
#define BLOCKS_MAX 1000000 /* blocks of a source list */
#define PORT_MAX   65535
#define FORMAT_LEN 64
#define LINK_LOCAL "is link-local, not supported by this version"

/* ---- one address ---------------------------------------------------------------------- */

static bool looks_like_host_name(const char *text)
{
	size_t letters = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-._");

	return *text && !text[letters] && text[strspn(text, "0123456789.")];
}

/* Why no address could be made of `text`. */
static const char *not_an_address(const char *text)
{
	return looks_like_host_name(text) ? "is a host name, not supported by this version"
					  : "is not an address";
}

/* HOST:PORT or [ADDRESS]:PORT, as other balancers want it. */
static bool has_port(const char *text)
{
	const char *colon = strchr(text, *text == '[' ? ']' : ':');

	colon = colon && *text == '[' ? colon + 1 : colon;
	return colon && *colon == ':' && colon[1] && !colon[1 + strspn(colon + 1, "0123456789")];
}

/* It means nothing without an interface. */
static bool is_link_local(const uint8_t address[16])
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* Neither any-address nor multicast: connect() would go to this host, or nowhere. */
static bool is_unicast(const uint8_t address[16])
{
	static const uint8_t any[16];

	if (address_is_mapped(address))
		return address[12] != 0 && address[12] < 224;
	return memcmp(address, any, sizeof(any)) && address[0] != 0xff;
}

bool address_is_host(const uint8_t address[16])
{
	return is_unicast(address) && !is_link_local(address);
}

#define HOST_MAX  253 /* RFC 1035 section 2.3.4, as text */
#define LABEL_MAX 63

/* Labels between dots, the last of which is not a number: RFC 1123 section 2.1. */
bool host_name_is_valid(const char *text)
{
	const char *last = strrchr(text, '.');
	size_t len = 0;

	if (!looks_like_host_name(text) || strlen(text) > HOST_MAX)
		return false;
	for (const char *c = text; *c; c++) {
		bool ends = !c[1] || c[1] == '.';

		if (*c == '.' ? !len : *c == '-' && (!len || ends))
			return false;
		len = *c == '.' ? 0 : len + 1;
		if (len > LABEL_MAX)
			return false;
	}
	last = last ? last + 1 : text;
	return *last && last[strspn(last, "0123456789")];
}

static void decode_host(struct decoder *d, const struct attribute *a, const struct value *value,
			void *object)
{
	struct server *server = object;
	const char *text = decode_text(d, a, value), *problem = NULL;

	if (!text)
		return;
	if (address_parse(text, server->address)) {
		memset(server->address, 0, sizeof(server->address));
		if (host_name_is_valid(text))
			server->host = decode_copy(d, text);
		else
			problem = has_port(text) ? "has a port, which has a key of its own: port"
						 : "is not an address";
	} else if (!is_unicast(server->address))
		problem = "is not the address of a host";
	else if (is_link_local(server->address))
		problem = LINK_LOCAL;
	if (problem)
		decode_refuse(d, a, value, problem);
}

static void allow_host(const struct attribute *a, struct text *text)
{
	text_append(text, "an IPv4 or IPv6 address, or a host name");
}

static json_t *encode_host(const struct attribute *a, const void *object)
{
	const struct server *server = object;
	char text[FORMAT_LEN];

	return json_string(server->host ? server->host
					: endpoint_format(server->address, 0, text, sizeof(text)));
}

const struct type type_host = {decode_host, encode_host, allow_host};

/* ---- lists of blocks ------------------------------------------------------------------ */

static void refuse_prefix(struct decoder *d, const struct value *value, const char *quote,
			  enum prefix_scan why, const struct prefix *prefix)
{
	char network[FORMAT_LEN];

	switch (why) {
	case PREFIX_HOST_BITS:
		decode_error(d, value, "%s has bits set beyond its length, allowed: %s", quote,
			     prefix_format(prefix, network, sizeof(network)));
		break;
	case PREFIX_COVERS_IPV4:
		decode_error(d, value,
			     "%s would hold every IPv4 address, too, allowed: 2000::/3 for the "
			     "IPv6 Internet, 0.0.0.0/0 for IPv4",
			     quote);
		break;
	case PREFIX_BAD_LENGTH:
		decode_error(d, value, "%s has a bad length, allowed: /0../32 of IPv4, /0../128",
			     quote);
		break;
	default:
		decode_error(d, value, "%s is no address block, allowed: an address or CIDR block",
			     quote);
	}
}

bool decode_prefix(struct decoder *d, const struct value *value, const char *text,
		   struct prefix *prefix)
{
	enum prefix_scan why = prefix_scan(text, prefix);

	if (why != PREFIX_OK)
		refuse_prefix(d, value, text_quoted(text, strlen(text)).s, why, prefix);
	return why == PREFIX_OK;
}

/* decode_prefix() for an address of this host, as which a block of one passes. */
static bool decode_full_address(struct decoder *d, const struct value *value, const char *text,
				struct prefix *prefix)
{
	enum prefix_scan scan = prefix_scan(text, prefix);
	const char *problem = "is a block";

	if (scan == PREFIX_NOT_AN_ADDRESS)
		problem = not_an_address(text);
	else if (scan == PREFIX_OK && prefix->length == 128)
		problem = is_link_local(prefix->address) ? LINK_LOCAL : NULL;
	if (problem)
		decode_error(d, value, "%s %s, allowed: a full address",
			     text_quoted(text, strlen(text)).s, problem);
	return !problem;
}

static void sort_prefixes(struct prefix_list *list)
{
	size_t kept = 0;

	qsort(list->v, list->n, sizeof(*list->v), prefix_compare);
	for (size_t i = 0; i < list->n; i++)
		if (!kept || prefix_compare(&list->v[kept - 1], &list->v[i]))
			list->v[kept++] = list->v[i];
	list->n = kept;
}

static void allow_blocks(const struct attribute *a, struct text *text)
{
	text_append(text, "a list of 1..%d addresses or CIDR blocks", BLOCKS_MAX);
}

static void allow_addresses(const struct attribute *a, struct text *text)
{
	text_append(text, "a list of 1..%d addresses", (int)a->max);
}

static void decode_prefix_list(struct decoder *d, const struct attribute *a,
			       const struct value *value, void *object, size_t max, bool full)
{
	struct prefix_list *list = (struct prefix_list *)((char *)object + a->offset);
	size_t n = json_array_size(value->json);

	list->set = true;
	if (!json_is_array(value->json))
		return decode_refuse(d, a, value, "is not a list");
	if (!n || n > max)
		return decode_refuse(d, a, value, n ? "is too long" : "is empty");
	list->v = decode_alloc(d, n, sizeof(*list->v));
	for (size_t i = 0; i < n && list->v; i++) {
		struct value item = value_item(value, i);
		const char *text = decode_item_text(
			d, &item, full ? "a full address" : "an address or CIDR block");
		struct prefix *prefix = &list->v[list->n];

		if (text && (full ? decode_full_address(d, &item, text, prefix)
				  : decode_prefix(d, &item, text, prefix)))
			list->n++;
	}
	if (list->v)
		sort_prefixes(list);
}

static void decode_prefixes(struct decoder *d, const struct attribute *a, const struct value *value,
			    void *object)
{
	decode_prefix_list(d, a, value, object, BLOCKS_MAX, false);
}

static void decode_addresses(struct decoder *d, const struct attribute *a,
			     const struct value *value, void *object)
{
	decode_prefix_list(d, a, value, object, a->max, true);
}

static json_t *encode_prefixes(const struct attribute *a, const void *object)
{
	const struct prefix_list *list = (const void *)((const char *)object + a->offset);
	json_t *json = list->set ? json_array() : NULL;
	char text[FORMAT_LEN];

	for (size_t i = 0; i < list->n; i++) {
		prefix_format(&list->v[i], text, sizeof(text));
		if (json_array_append_new(json, json_string(text))) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

const struct type type_prefixes = {decode_prefixes, encode_prefixes, allow_blocks};
const struct type type_addresses = {decode_addresses, encode_prefixes, allow_addresses};

/* ---- ports ---------------------------------------------------------------------------- */

/* Reads a port and returns what follows, or NULL. */
static const char *scan_port(const char *text, uint16_t *port)
{
	size_t digits = strspn(text, "0123456789");
	long number = digits && digits <= 5 ? atol(text) : 0;

	*port = number;
	return *text != '0' && number >= 1 && number <= PORT_MAX ? text + digits : NULL;
}

/* "443" or "8000-8100", spaces around it allowed, up to a comma or the end. */
static const char *scan_range(const char *text, struct port_range *range)
{
	text = scan_port(text + strspn(text, " "), &range->first);
	range->last = range->first;
	if (text && *text == '-')
		text = scan_port(text + 1, &range->last);
	if (!text || range->last < range->first)
		return NULL;
	text += strspn(text, " ");
	return !*text || *text == ',' ? text : NULL;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct port_range *left = a, *right = b;

	return (int)left->first - (int)right->first;
}

/* Reads up to PORTS_MAX of them, sorted. Returns how many; 0 when there are more, with *text set to
 * NULL, or when something is wrong, with *text set to that. */
static size_t scan_ports(const char **text, struct port_range ranges[PORTS_MAX])
{
	const char *next;
	size_t n = 0;

	do {
		if (n == PORTS_MAX) {
			*text = NULL;
			return 0;
		}
		next = scan_range(*text, &ranges[n++]);
		if (!next)
			return 0;
		*text = next + (*next == ',');
	} while (*next);
	qsort(ranges, n, sizeof(*ranges), compare_ranges);
	return n;
}

bool ports_valid(const char *text)
{
	struct port_range ranges[PORTS_MAX];

	return scan_ports(&text, ranges);
}

bool ports_include(const char *text, const char *wanted)
{
	struct port_range ranges[PORTS_MAX], range;
	size_t n = scan_ports(&text, ranges);

	while (*wanted) {
		const char *next = scan_range(wanted, &range);
		uint32_t port = range.first;

		for (size_t i = 0; i < n && port <= range.last; i++)
			if (port >= ranges[i].first && port <= ranges[i].last)
				port = ranges[i].last + 1U;
		if (!next || port <= range.last)
			return false;
		wanted = next + (*next == ',');
	}
	return true;
}

static void check_overlap(struct decoder *d, const struct value *value, struct port_range *ranges,
			  size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (ranges[i].first <= ranges[i - 1].last) {
			decode_error(d, value, "%s has port %u twice, allowed: once",
				     value_quoted(value).s, ranges[i].first);
			return;
		}
}

/* Quotes the port that is wrong; where it is missing, what it is missing from. */
static void refuse_port(struct decoder *d, const struct value *value, const char *text, size_t len)
{
	bool missing = strspn(text, " ") >= len;

	decode_error(d, value, "%s is no port, allowed: " PORTS_ALLOWED,
		     missing ? value_quoted(value).s : text_quoted(text, len).s);
}

/* Returns how many ranges there are, 0 after adding a problem. */
static size_t parse_ports(struct decoder *d, const struct value *value, const char *text,
			  struct port_range ranges[PORTS_MAX])
{
	size_t n = scan_ports(&text, ranges);

	if (n)
		check_overlap(d, value, ranges, n);
	else if (text)
		refuse_port(d, value, text, strcspn(text, ","));
	else
		decode_error(d, value, "too many ports, allowed: at most %d ports or ranges",
			     PORTS_MAX);
	return n;
}

static void decode_ports(struct decoder *d, const struct attribute *a, const struct value *value,
			 void *object)
{
	struct frontend *frontend = object;
	struct port_range ranges[PORTS_MAX];
	struct text number = {0};
	const char *text;
	size_t n;

	if (json_is_integer(value->json)) {
		text_append_value(&number, value->json);
		text = number.s;
	} else {
		text = decode_text(d, a, value);
	}
	n = text ? parse_ports(d, value, text, ranges) : 0;
	frontend->ports = n ? decode_alloc(d, n, sizeof(*ranges)) : NULL;
	if (!frontend->ports)
		return;
	memcpy(frontend->ports, ranges, n * sizeof(*ranges));
	frontend->n_ports = n;
}

static json_t *encode_ports(const struct attribute *a, const void *object)
{
	const struct frontend *frontend = object;
	struct text text = {0};

	for (size_t i = 0; i < frontend->n_ports; i++) {
		const struct port_range *range = &frontend->ports[i];

		text_append(&text, "%s%u", i ? "," : "", range->first);
		if (range->last != range->first)
			text_append(&text, "-%u", range->last);
	}
	return json_string(text.s);
}

static void allow_ports(const struct attribute *a, struct text *text)
{
	text_append(text, PORTS_ALLOWED);
}

const struct type type_ports = {decode_ports, encode_ports, allow_ports};

static void decode_port_range(struct decoder *d, const struct attribute *a,
			      const struct value *value, void *object)
{
	struct port_range *range = (struct port_range *)((char *)object + a->offset);
	const char *text = decode_text(d, a, value), *end = text ? scan_range(text, range) : NULL;

	if (text && (!end || *end || range->first < a->min))
		decode_refuse(d, a, value, "is no range of ports");
}

static json_t *encode_port_range(const struct attribute *a, const void *object)
{
	const struct port_range *range =
		(const struct port_range *)((const char *)object + a->offset);

	return PORT_RANGE(range->first, range->last) == a->preset
		       ? NULL
		       : json_sprintf("%u-%u", range->first, range->last);
}

static void allow_port_range(const struct attribute *a, struct text *text)
{
	text_append(text, "FIRST-LAST within %d..%d", (int)a->min, PORT_MAX);
}

const struct type type_port_range = {decode_port_range, encode_port_range, allow_port_range};
