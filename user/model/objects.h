/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The objects of the model, as the operator defines them. The config file, the control
 * socket and the configuration kept in the pinned maps all go through config_decode(), so a
 * wrong value gives the same message everywhere.
 */
#ifndef ALPNLB_OBJECTS_H
#define ALPNLB_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/model.h"
#include "probe.h"

#define MAX_RULES    (MAX_ROUTES * RULES_PER_ROUTE)
#define NAME_MAX_LEN 50 /* displayName of a service is limited likewise */
#define NAME_CHARACTERS                                                                            \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"                                                               \
	"abcdefghijklmnopqrstuvwxyz0123456789._-"

/* An address block; IPv4 is kept mapped (::ffff:a.b.c.d) with 96 added to its length. */
struct prefix {
	uint8_t address[16]; /* host bits are zero */
	uint8_t length;	     /* 0..128 */
};

struct prefix_list {
	struct prefix *v; /* IPv4 first, ascending, each once; not empty if set */
	size_t n;
	bool set; /* false: null, no restriction */
};

struct port_range {
	uint16_t first, last; /* host order, inclusive */
};

/* What every object has. `id` is 0 until config_assign_ids() or the file gives one. */
struct object {
	uint32_t id;
	char *name; /* unique per kind; NULL only for rules */
	char *display_name;
	int line; /* in the file it came from, 0 = unknown */
};

/* Only an active one is chosen. Live connections of one that drains go on, as those of others do.
 */
enum server_status {
	STATUS_INACTIVE,
	STATUS_ACTIVE,
	STATUS_DRAIN,
};

struct server {
	struct object o;
	uint8_t address[16]; /* IPv6, or IPv4 mapped; of a host name 0 until it is known */
	char *host;	     /* name; NULL = the address was given */
	uint16_t port;	     /* host order; 0 = null, the farm's */
	uint16_t weight;     /* 0..256; null = 1 */
	enum server_status status;
	bool backup;
	bool probe;
	bool probe_ssl;		  /* ssl: it acts for the probe alone */
	bool shutdown_sessions;	  /* onMarkedDown */
	uint32_t max_connections; /* at once, 0 = no limit */
	uint32_t slow_start;	  /* milliseconds, 0 = none */
	enum proxy_protocol proxy_protocol;
	uint8_t proxy_tlvs; /* PROXY_TLV_* */
};

struct farm {
	struct object o;
	char *zone;
	uint16_t port; /* host order; 0 = null, the frontend's */
	enum balance balance;
	bool sticky;		/* by the client's address ... */
	bool stick_on_drain;	/* ... also to a server that drains */
	uint32_t stick_size;	/* clients that are remembered */
	uint32_t stick_ttl;	/* milliseconds since it came last */
	uint32_t queue_size;	/* connections that may wait while every server is full */
	uint32_t queue_timeout; /* milliseconds */
	struct probe *probe;	/* NULL = null */
	/* For connections it has no server for; NULL = none; points into config.farms. */
	struct farm *fallback;
	char *fallback_name;
	int64_t vrack_network_id; /* 0 = null; not acted on */
	struct server *servers;
	size_t n_servers;
};

/* Who answers a client's SYN. */
enum handshake_kind {
	HANDSHAKE_SOCKET = 0,
	HANDSHAKE_PACKET, /* the program, see open.h */
};

struct frontend {
	struct object o;
	char *zone;
	struct port_range *ports; /* ascending, without overlap */
	size_t n_ports;
	struct farm *default_farm; /* NULL = none; points into config.farms */
	struct prefix_list allowed_source, denied_source; /* mutually exclusive */
	struct prefix_list dedicated_ipfo;		  /* addresses to bind; not set = all */
	struct prefix_list proxy_sources; /* who sends a PROXY header; not set = nobody */
	bool disabled;
	enum path_kind path;
	enum handshake_kind handshake;
	/* milliseconds; of the last two 0 = none */
	uint32_t hello_timeout, connect_timeout, idle_timeout, half_close_timeout;
	uint32_t max_connections;   /* 0 = no limit */
	uint32_t rate_limit;	    /* new connections per second, 0 = no limit ... */
	uint32_t source_rate_limit; /* ... of one source, which is a block of this length */
	uint32_t source_rate_prefix_v4, source_rate_prefix_v6;
};

/* One pattern of a rule: a rule with `in` has several, `exists` has none. */
struct pattern {
	char *text;	      /* sni: lower case, no trailing dot; alpn: as given */
	size_t len;	      /* 0..MAX_PATTERN */
	uint32_t protocols;   /* protocol, tls.version, tls.ech: a PROTOCOL_* bit */
	struct prefix source; /* FIELD_SOURCE */
};

struct rule {
	struct object o;
	enum field field;
	enum match match;
	bool negate;
	char *text; /* the pattern as it was written, NULL for exists */
	struct pattern *patterns;
	size_t n_patterns;
};

struct route {
	struct object o;
	struct frontend *frontend; /* NULL = attached to none; points into config.frontends */
	enum action action;	   /* ACTION_FARM or ACTION_REJECT */
	struct farm *target;	   /* for ACTION_FARM; points into config.farms */
	uint8_t weight;
	struct rule *rules; /* ANDed; a route without rules never matches */
	size_t n_rules;
};

/* Where the program at the door is attached: by the network driver, or behind it. */
enum xdp_mode {
	XDP_AUTO, /* when there is something to enforce, and by the driver if it can */
	XDP_NATIVE,
	XDP_GENERIC,
	XDP_OFF,
};

/* Which program forwards the packets of spliced connections. */
enum accel_choice {
	ACCEL_AUTO = 0, /* the one at XDP where that is known to be right */
	ACCEL_XDP,
	ACCEL_TC,
};

struct accel_interface {
	char *name;
	enum accel_choice accel;
};

struct accel_settings {
	enum accel_choice all;	   /* interfaces that are not named */
	struct accel_interface *v; /* in the order of the file */
	size_t n;
};

#define API_PORT 8443 /* unless another one is given */

/* The API on HTTPS; without a certificate there is none. */
struct api_settings {
	uint8_t address[16];
	uint16_t port;		 /* host order */
	char *certificate, *key; /* absolute paths of PEM files */
};

/* Owns everything below it; arrays keep the order of the file. */
struct config {
	char *display_name;  /* of the service; NULL = null */
	char *zone;	     /* of this instance, NULL = none given */
	char *control_group; /* may use the control socket, as root may; NULL = none */
	struct api_settings api;
	struct prefix_list nat_ip;   /* to connect from; not set = the kernel's choice */
	struct port_range nat_ports; /* to connect from on the packet path */
	uint32_t max_flows;	     /* connections on the packet path */
	enum xdp_mode xdp;
	struct accel_settings accel;
	struct farm *farms;
	size_t n_farms;
	struct frontend *frontends;
	size_t n_frontends;
	struct route *routes;
	size_t n_routes;
};

/* Frees the configuration and all it owns. Accepts NULL and half-built ones. */
void config_free(struct config *config);

/* What is wished for an interface. */
enum accel_choice config_accel(const struct config *config, const char *interface);

/* Is it one that new connections may go to? */
bool server_is_used(const struct server *server);

/* Is its address known? */
bool server_is_found(const struct server *server);

/* Does it look at what only a ClientHello has? */
bool field_of_hello(enum field field);

/* Are the patterns compared as a whole? */
bool match_is_exact(enum match match);

/*
 * For a rule on protocol, tls.version or tls.ech: the PROTOCOL_* of which a client needs one; 0
 * for any other rule.
 */
uint32_t rule_protocols(const struct rule *rule);

/*
 * The routes of a frontend, or of NULL all there are, in order of evaluation: reject routes
 * first, then ascending weight, then age (place in the file). Returns a malloc()ed array of *n
 * pointers into config->routes, or NULL when out of memory.
 */
struct route **config_routes_in_order(const struct config *config, const struct frontend *frontend,
				      size_t *n);

/* Is that every zone? NULL is, as well as "all". */
bool zone_is_all(const char *zone);

/* Does an object of `zone` belong to this instance? It does if the instance has no zone. */
bool config_in_zone(const struct config *config, const char *zone);

/* Does the instance open that frontend to clients? */
bool frontend_listens(const struct config *config, const struct frontend *frontend);

#endif
