/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs and user space share: the compiled tables, the record of a
 * connection, and the counters. Integers are host byte order unless a comment says
 * network order. Every object is addressed by its id (1..MAX_* inclusive; 0 means "none"): a row
 * lives at index `id` of its table, so ids survive a refresh and no translation is needed.
 */
#ifndef ALPNLB_MODEL_H
#define ALPNLB_MODEL_H

#include <linux/types.h>

#define MAX_FRONTENDS	    1024
#define MAX_FARMS	    4096
#define MAX_SERVERS	    16384
#define MAX_ROUTES	    65536
#define ROUTES_PER_FRONTEND 4096
#define RULES_PER_ROUTE	    16
#define MAX_PATTERN	    255
#define MAX_WORKERS	    64
#define MAX_TRIES	    3 /* servers tried for one connection */

/* ---- the hello ----------------------------------------------------------------------- */

/*
 * The largest ClientHello TLS can express, its 4-byte header left out: version, random, 32
 * bytes of session id, 65,534 of cipher suites, 255 of compression methods, 65,535 of
 * extensions and the length fields between them. RFC 8446 section 4.1.2.
 */
#define HELLO_MAX_BODY (2 + 32 + 1 + 32 + 2 + 65534 + 1 + 255 + 2 + 65535)

#define SNI_MAX	       255 /* as OpenSSL: TLSEXT_MAXLEN_host_name */
#define ALPN_MAX                                                                                   \
	120	   /* bytes of the offered list kept in the kernel; a longer list asks the daemon */
#define WORD_PAD 8 /* strings are compared in 8-byte words, which may read past their end */

/* What the first bytes of a client turned out to be. */
enum verdict {
	VERDICT_NEED_MORE = 0, /* not known yet */
	VERDICT_TLS,	       /* a complete, consistent ClientHello */
	VERDICT_MALFORMED,     /* begins like TLS, but is truncated, inconsistent or oversized */
	VERDICT_SSLV2,	       /* an SSLv2-style hello, RFC 5246 appendix E.2 */
	VERDICT_HTTP1,	       /* a request line in clear */
	VERDICT_HTTP2,	       /* the HTTP/2 connection preface in clear, RFC 9113 section 3.4 */
	VERDICT_SSH,	       /* an identification string, RFC 4253 section 4.2 */
	VERDICT_OTHER,	       /* anything else */
	VERDICT_SILENT,	       /* no decision within the hello timeout */
	VERDICT_UNREAD,	       /* the frontend needs no client byte to decide */
	VERDICT_MAX,
};

/*
 * What can be said of a client in one bit each: the protocols it speaks, and what else its hello
 * tells that is one of few values. The fields `protocol`, `tls.version` and `tls.ech` of rules.
 */
enum {
	PROTOCOL_TCP = 1 << 0,	 /* every client */
	PROTOCOL_TLS = 1 << 1,	 /* a well-formed ClientHello */
	PROTOCOL_HTTP = 1 << 2,	 /* HTTP in clear, either version */
	PROTOCOL_HTTPS = 1 << 3, /* TLS that offers an HTTP ALPN, or no ALPN at all */
	PROTOCOL_HTTP1 = 1 << 4, /* offers ALPN http/1.1, or HTTP/1 in clear */
	PROTOCOL_HTTP2 = 1 << 5, /* offers ALPN h2, or the preface in clear */
	PROTOCOL_SSH = 1 << 6,
	/*
	 * No protocol: the client's names are known, and be it that it has none. Not so when it
	 * was silent or slow, or when its hello cannot be read.
	 */
	PROTOCOL_NAMES_KNOWN = 1 << 7,
	/* The highest version offered, in ascending order from here. */
	PROTOCOL_SSL3 = 1 << 8,
	PROTOCOL_TLS10 = 1 << 9,
	PROTOCOL_TLS11 = 1 << 10,
	PROTOCOL_TLS12 = 1 << 11,
	PROTOCOL_TLS13 = 1 << 12,
	PROTOCOL_TLS_LATER = 1 << 13,
	PROTOCOL_VERSIONS = PROTOCOL_SSL3 | PROTOCOL_TLS10 | PROTOCOL_TLS11 | PROTOCOL_TLS12 |
			    PROTOCOL_TLS13 | PROTOCOL_TLS_LATER,
	PROTOCOL_ECH = 1 << 14,	   /* encrypted_client_hello was present ... */
	PROTOCOL_NO_ECH = 1 << 15, /* ... or not, in a ClientHello */
};

enum {
	HELLO_SNI = 1 << 0,	      /* server_name was present */
	HELLO_ALPN = 1 << 1,	      /* application_layer_protocol_negotiation was present */
	HELLO_ECH = 1 << 2,	      /* encrypted_client_hello was present */
	HELLO_VERSIONS = 1 << 3,      /* supported_versions was present */
	HELLO_ALPN_CUT = 1 << 4,      /* the list did not fit: ask the daemon */
	HELLO_OFFERS_H2 = 1 << 5,     /* some offered name is exactly "h2" */
	HELLO_OFFERS_HTTP1 = 1 << 6,  /* ... "http/1.1" */
	HELLO_OFFERS_HTTP10 = 1 << 7, /* ... "http/1.0" */
	HELLO_RENEGOTIATION = 1 << 8, /* renegotiation_info was present */
	HELLO_NEXT_PROTOCOL = 1 << 9, /* next_proto_neg was present */
	HELLO_SNI_CUT = 1 << 10,      /* the name did not fit: only in struct flow_hello */
};

/*
 * A ClientHello as far as it has been read: the parser's state and what it collected.
 * All zero is a parser that has seen nothing. See hello.h.
 */
struct hello {
	__u64 field;	   /* the bytes so far of the number being collected, big-endian */
	__u64 seen;	   /* bit n: extension type n was present (types below 64) */
	__u32 skip;	   /* bytes to pass over before the field being collected */
	__u32 collect;	   /* bytes of that field still to come */
	__u32 body_left;   /* bytes of the handshake message not yet consumed */
	__u32 size;	   /* bytes of the handshake message, its 4-byte header left out */
	__u32 alpn_at;	   /* where the offered list begins in the message, header left out */
	__u16 alpn_size;   /* bytes of the offered list; more than alpn_len when it was cut */
	__u16 alpn_len;	   /* bytes of `alpn` in use */
	__u16 list_left;   /* bytes left in the list being read */
	__u16 record_left; /* bytes left in the current TLS record */
	__u16 version;	   /* legacy_version, then the highest known of supported_versions */
	__u16 flags;	   /* HELLO_* */
	__u8 record[3];	   /* how much of the record header was read; its length field */
	__u8 state;	   /* enum hello_state */
	__u8 verdict;	   /* enum verdict */
	__u8 text;	   /* TEXT_*: plain protocols still possible */
	__u8 have;	   /* bytes of the current name or text read so far */
	__u8 sni_len;	   /* bytes of `sni` in use */
	/* The verifier wants room for 255 + 255 bytes behind sni and 127 + 127 behind alpn. */
	__u8 sni[SNI_MAX + 1 + WORD_PAD]; /* lower case, no trailing dot, zero padded */
	__u8 alpn[ALPN_MAX + WORD_PAD];	  /* offered names, each behind its length byte */
};
_Static_assert(sizeof(struct hello) % 8 == 0, "struct hello has no hidden padding");

/* ---- compiled tables ----------------------------------------------------------------- */

/*
 * One refresh writes a whole new set of tables and then flips `struct control`.active; a
 * connection is decided from one set: the one in force or, when that has its frontend no
 * more, the one before. Each table is an array map inside an array of two.
 */

enum action {
	ACTION_NONE = 0, /* no route matched */
	ACTION_FARM,
	ACTION_REJECT,
};

enum path_kind {
	PATH_AUTO = 0,
	PATH_PACKET,
	PATH_SOCKMAP,
	PATH_RELAY,
	PATH_COUNT,
};

enum balance {
	BALANCE_ROUNDROBIN = 0,
	BALANCE_SOURCE,
	BALANCE_MAGLEV,
	BALANCE_RANDOM, /* up to here by the ring */
	BALANCE_LEASTCONN,
	BALANCE_FIRST,
};

enum {
	FRONTEND_EXISTS = 1 << 0,
	FRONTEND_NEEDS_HELLO = 1 << 1,	 /* some route reads what the client sends */
	FRONTEND_ANCHOR_SNI = 1 << 2,	 /* some route is indexed by a whole SNI */
	FRONTEND_ANCHOR_SUFFIX = 1 << 3, /* ... by the end of an SNI, see suffix_lengths */
	FRONTEND_ANCHOR_ALPN = 1 << 4,	 /* ... by an ALPN name */
	FRONTEND_ANCHOR_SOURCE = 1 << 5, /* ... by a source prefix, see source_lengths */
	FRONTEND_ALLOW_LIST = 1 << 6,	 /* the source list allows; without it, it denies */
};

#define SOURCE_LENGTHS_MAX 32

struct frontend_row {
	__u64 suffix_lengths[4];		 /* bit n: some suffix pattern has n bytes */
	__u8 source_lengths[SOURCE_LENGTHS_MAX]; /* prefix lengths in use, 0..128 */
	__u32 source_lengths_count;
	__u32 anchor_mask;  /* slots of the anchors table - 1 */
	__u32 flags;	    /* FRONTEND_* */
	__u32 default_farm; /* farm id, 0 = none */
	__u32 path;	    /* enum path_kind */
	__u32 plain_first;  /* candidates that no anchor leads to: first, count */
	__u32 plain_count;
	__u32 source_first; /* sources of allowedSource or deniedSource: first, count */
	__u32 source_count;
	__u32 hello_timeout;	  /* milliseconds */
	__u32 connect_timeout;	  /* milliseconds */
	__u32 idle_timeout;	  /* milliseconds, 0 = none */
	__u32 max_connections;	  /* 0 = no limit */
	__u32 rate_limit;	  /* new connections per second, 0 = no limit ... */
	__u32 source_rate_limit;  /* ... of one source */
	__u32 half_close_timeout; /* milliseconds, 0 = none */
	__u32 proxy_first;	  /* sources of proxy_sources: first, count */
	__u32 proxy_count;
	__u32 rate_prefix_v4; /* bits that tell one source from another: of 128, IPv4 mapped ... */
	__u32 rate_prefix_v6; /* ... of IPv6 */
};
_Static_assert(sizeof(struct frontend_row) == 144, "shared with BPF");

struct route_row {
	__u32 action; /* enum action */
	__u32 farm;   /* farm id for ACTION_FARM */
};

/*
 * Routes are found through anchors: the most selective rule of a route is hashed, so that a
 * hello looks up what it carries instead of walking every route. An open-addressing table
 * with linear probing; the compiler grows it until no key is further than ANCHOR_PROBES from home.
 */
enum anchor_kind {
	ANCHOR_SNI = 1,
	ANCHOR_SUFFIX,
	ANCHOR_ALPN,
	ANCHOR_SOURCE,
};
#define ANCHOR_PROBES 8

struct anchor_row {
	__u64 hash;  /* anchor_hash() of kind, frontend and bytes; 0 = empty */
	__u32 first; /* in the candidates table */
	__u32 count;
};

/* A route to try: candidates of one anchor stand in ascending rank. */
struct candidate_row {
	__u32 rank;  /* place in the frontend's order of evaluation, 0 first */
	__u32 route; /* route id */
	__u32 test;  /* where to begin, or TEST_MATCH */
	__u32 pad;
};

/*
 * The rules of a route, compiled to a decision graph: each test names the next one for
 * either outcome, so that AND, the OR of a list and negation need no code of their own.
 */
enum field {
	FIELD_PROTOCOL = 1,
	FIELD_SOURCE,
	FIELD_SNI,
	FIELD_ALPN,
	FIELD_TLS_VERSION, /* as FIELD_TLS_ECH, FIELD_PROTOCOL in the tables */
	FIELD_TLS_ECH,
};

enum match {
	MATCH_IS = 1,
	MATCH_IN,
	MATCH_STARTSWITH,
	MATCH_ENDSWITH,
	MATCH_CONTAINS,
	MATCH_EXISTS,
	MATCH_MATCHES,
};

#define TEST_MATCH 0xffffffffu
#define TEST_FAIL  0xfffffffeu

/*
 * Set in the number of a test for a regular expression, which no program can do: the rest of
 * the number is its row, and the operand there an index of the daemon's.
 */
#define TEST_REGEX 0x80000000u

struct test_row {
	__u16 field;   /* enum field */
	__u16 match;   /* enum match; MATCH_IN never reaches the tables */
	__u32 operand; /* pattern index, or the PROTOCOL_* mask */
	__u32 yes;     /* test to go on with, TEST_MATCH or TEST_FAIL */
	__u32 no;
};

/* A block of a list, in which they are in order (IPv4 first) and none is within another. */
struct source_row {
	__u8 address[16]; /* IPv6, or IPv4 mapped; host bits are zero */
	__u8 length;	  /* 0..128 */
	__u8 pad[7];
};

/* SNI patterns are lower case without a trailing dot; a source pattern is address, then mask. */
struct pattern_row {
	__u32 len;
	__u32 pad;
	__u8 bytes[MAX_PATTERN + 1 + WORD_PAD]; /* zero padded */
};
_Static_assert(sizeof(struct pattern_row) == 272, "shared with BPF");

struct farm_row {
	__u32 balance;	    /* enum balance */
	__u32 member_first; /* members table: server ids, primaries before backups */
	__u32 member_count; /* servers that may be chosen: active, weight not 0 */
	__u32 primary_count;
	__u32 ring_first;    /* ring table: server ids interleaved by weight, or a Maglev table */
	__u32 ring_count;    /* 0 = the farm has no server to choose */
	__u32 fallback;	     /* farm id, 0 = none: for when there is no server to choose */
	__u32 stick_ttl;     /* milliseconds; 0 = clients stick to no server */
	__u32 queue_size;    /* connections that may wait while every server is full */
	__u32 queue_timeout; /* milliseconds */
};

/* A row of `members` and of `ring`. */
struct member_row {
	__u32 server; /* id */
	__u32 pad;    /* rows of a mapped array are 8 bytes at least */
};

enum proxy_protocol {
	PROXY_PROTOCOL_NONE = 0,
	PROXY_PROTOCOL_V1,
	PROXY_PROTOCOL_V2,
	PROXY_PROTOCOL_V2_SSL,
	PROXY_PROTOCOL_V2_SSL_CN,
};

/* In one byte with it: what a header of version 2 has beside addresses and PP2_TYPE_SSL. */
#define PROXY_VERSION 0x0f
enum {
	PROXY_TLV_ALPN = 1 << 4,
	PROXY_TLV_AUTHORITY = 1 << 5,
	PROXY_TLV_UNIQUE_ID = 1 << 6,
	PROXY_TLV_CRC32C = 1 << 7,
};

enum server_use {
	USE_NONE = 0,
	USE_STICKY, /* only clients that stick to it already */
	USE_NEW,    /* any client */
};

struct server_row {
	__u8 address[16]; /* IPv6, or IPv4 mapped into it (::ffff:a.b.c.d), RFC 4291 2.5.5.2 */
	__be16 port;	  /* network order; 0 = the port the client came to */
	__u8 exists;
	__u8 proxy_protocol;   /* enum proxy_protocol | PROXY_TLV_* */
	__u32 weight;	       /* 1..256 */
	__u32 farm;	       /* farm id */
	__u32 max_connections; /* 0 = no limit */
	__u32 slow_start;      /* milliseconds, 0 = none */
	__u32 use;	       /* enum server_use */
};
_Static_assert(sizeof(struct server_row) == 40, "shared with BPF");

/* To which server of a farm a client sticks; the key is its address, IPv6 or mapped. */
struct stick_row {
	__u64 used; /* CLOCK_MONOTONIC, nanoseconds: when it was last chosen */
	__u32 server;
	__u32 pad;
};

/* The running configuration as JSON text with its ids; the first 8 bytes are its length. */
#define CONFIG_CHUNK 4096
struct config_chunk {
	__u8 bytes[CONFIG_CHUNK];
};

struct control {
	__u32 active;	/* which half of every table is in force: 0 or 1 */
	__u32 revision; /* that is in force; 0 before the first */
	__u64 began;	/* the daemon in charge: CLOCK_MONOTONIC, nanoseconds */
};

/* ---- connections --------------------------------------------------------------------- */

enum side {
	CLIENT = 0, /* client leg: bytes from the client */
	SERVER = 1, /* server leg */
};

/* The value of `legs`, keyed by socket cookie; slot << 1 | side is also the key in `sockets`. */
struct leg {
	__u32 slot;
	__u32 side; /* enum side */
};

enum conn_state {
	CONN_FREE = 0,
	CONN_HELLO,    /* the program reads the client's first bytes */
	CONN_DECIDING, /* whoever moved it here, program or worker, writes the decision */
	CONN_DECIDED,  /* route, farm and server are set */
	CONN_ASK,      /* the program cannot decide: the worker has to */
	CONN_OPEN,     /* both legs are up */
	CONN_SPLICING, /* packets are rewritten, and the sockets about to leave */
	CONN_CLOSING,  /* at least one side has finished */
	CONN_QUEUED,   /* waits until a server of its farm may have one more connection */
};

/*
 * flow[side] counts the bytes that came in on a leg, and says in its top bit what happens to
 * them. The program adds a packet's length and reads the bit in one atomic step; the worker
 * sets the bit by compare-and-swap, and only when it has forwarded exactly that many bytes.
 * So no byte can be redirected past one that is still in the worker's hands.
 */
#define FLOW_REDIRECT (1ULL << 63)
#define FLOW_BYTES    (FLOW_REDIRECT - 1)

/* The program looks at the target's send buffer after so many redirected bytes or packets. */
#define LOOK_BYTES   65536
#define LOOK_PACKETS 64

struct conn {
	struct hello hello; /* first: see the note inside it */
	__u64 flow[2];	    /* by side: FLOW_REDIRECT | bytes received */
	__u64 resume[2];    /* by side: bytes redirected when the program stopped, see throttle */
	__u64 extra[2]; /* by side: bytes the worker wrote to the *other* leg by itself (PROXY) */
	__u64 taken[2]; /* by side: of those, bytes that are no longer the socket's to keep */
	__u32 recent_bytes[2]; /* by side: since the program last looked at the target */
	__u32 recent_packets[2];
	__u64 passed_since[2]; /* by side: value of `taken` since which ... */
	__u32 passed[2];       /* ... so many packets were left to the socket */
	__u64 accepted;	       /* CLOCK_MONOTONIC, nanoseconds */
	__u8 client[16];       /* IPv6, or IPv4 mapped */
	__u8 local[16];	       /* address the client connected to, likewise */
	__u8 server[16];       /* address of the chosen server, likewise */
	__be16 client_port;    /* network order, as the next two */
	__be16 local_port;
	__be16 server_port;
	__u8 path;   /* enum path_kind, PATH_AUTO until it is chosen */
	__u8 action; /* enum action of the decision */
	__u32 state; /* enum conn_state */
	__u32 worker;
	__u32 frontend_id;
	__u32 route_id; /* 0 = default farm */
	__u32 farm_id;
	__u32 server_id;
	__u32 serial;	     /* changes whenever the slot is reused */
	__u8 proxy_protocol; /* enum proxy_protocol of the server | PROXY_TLV_* */
	__u8 throttled[2];   /* by side: the program stopped redirecting */
	__u8 overrun;	     /* the program dropped a packet: the connection must end */
	__u8 half;	     /* of the tables: which decided */
	__u8 client_scale;   /* of its window, as it announced (RFC 7323) */
	__u8 pad[2];
	/* for the packet path, see flow.h */
	__u32 owned;	  /* bit by side: its socket has sent what is not acknowledged; OWNED_* */
	__u32 start;	  /* sequence number of the client's first byte */
	__u16 client_mss; /* as it announced, 0 = not known yet */
	__u8 has_start;	  /* `start` is known */
	__u8 syn_without; /* SYN_WITHOUT_*: options the client does not have */
	__u32 refusal;	  /* enum splice_result: why the path is not packet */
	__u8 via[16];	  /* the proxy that has told of the client: where its packets come from */
	__be16 via_port;  /* network order, 0 = none */
	__u16 header;	  /* bytes of its header, in front of the client's first one */
};
_Static_assert(sizeof(struct conn) % 8 == 0, "shared with BPF");

/* What the program tells a worker through its ring buffer. */
struct throttle_event {
	__u32 slot;
	__u32 serial;
	__u32 side;
	__u32 pad;
};

/* ---- counters ------------------------------------------------------------------------ */

/* Totals of the instance: one __u64 each in the map `counters`. */
#define COUNTERS(X)                                                                                \
	X(ACCEPTED, "accepted", "connections accepted")                                            \
	X(CLOSED, "closed", "connections that ended, in any way")                                  \
	X(REFUSED_SOURCE, "refused_source", "closed: source not allowed by the frontend")          \
	X(REFUSED_ACL, "refused_acl", "closed: source banned by alpnlb acl")                       \
	X(REFUSED_LIMIT, "refused_limit", "closed: the frontend is at max_connections")            \
	X(REFUSED_RATE, "refused_rate", "closed: more new connections than the frontend allows")   \
	X(REFUSED_PROXY, "refused_proxy", "closed: no PROXY header, or a bad one, from a proxy")   \
	X(REJECTED, "rejected", "closed by a reject route")                                        \
	X(NO_FARM, "no_farm", "closed: no route matched and no default farm")                      \
	X(NO_SERVER, "no_server", "closed: the farm has no server to choose")                      \
	X(FALLBACKS, "fallbacks", "times a farm without a server gave way to its fallback farm")   \
	X(MARKED_DOWN, "marked_down", "closed: the server went down (on_marked_down)")             \
	X(DELETED, "deleted", "closed: by flow delete")                                            \
	X(CONNECT_FAILED, "connect_failed", "closed: every server tried failed")                   \
	X(CONNECT_TIMEOUTS, "connect_timeouts",                                                    \
	  "closed: every server tried failed, the last by the connect timeout")                    \
	X(QUEUED, "queued", "connections that waited: every server was at max_connections")        \
	X(QUEUE_TIMEOUTS, "queue_timeouts", "closed: no server was free within queue_timeout")     \
	X(QUEUE_FULL, "queue_full", "closed: every server full, and queue_size waiting")           \
	X(ACCEPT_PAUSED, "accept_paused", "times accepting waited for a free slot or descriptor")  \
	X(RETRIES, "retries", "connects repeated on another server")                               \
	X(HELLO_TIMEOUTS, "hello_timeouts", "no decision within the hello timeout")                \
	X(IDLE_TIMEOUTS, "idle_timeouts", "closed: idle for longer than the idle timeout")         \
	X(HALF_CLOSE_TIMEOUTS, "half_close_timeouts",                                              \
	  "closed: one side had finished, idle too long")                                          \
	X(CLIENT_GONE, "client_gone", "client left before a server was connected")                 \
	X(CLIENT_RESETS, "client_resets", "connections the client reset")                          \
	X(SERVER_RESETS, "server_resets", "connections the server reset")                          \
	X(ASKED, "asked", "decisions left to the daemon")                                          \
	X(REGEX_LIMITS, "regex_limits", "regular expressions given up: their rules did not hold")  \
	X(THROTTLED, "throttled", "times a reader was too slow for redirection")                   \
	X(SOCKMAP_FAILED, "sockmap_failed", "legs the kernel did not take into the sockhash")      \
	X(PATH_FALLBACKS, "path_fallbacks", "connections on another path than asked for")          \
	X(SPLICED, "spliced", "connections handed over to the packet path")                        \
	X(OPENED, "opened", "... of them, opened there: no socket was in them")                    \
	X(SPLICE_REFUSED, "splice_refused", "connections the packet path could not take")          \
	X(PORTS_IN_USE, "ports_in_use", "source ports that the packet path has in use now")        \
	X(SPLICE_DROPPED, "splice_dropped", "packets of spliced connections that were dropped")    \
	X(SPLICE_TOO_BIG, "splice_too_big", "packets whose sender was told the other leg's MTU")   \
	X(LEG_UNKNOWN, "leg_unknown", "packets of a socket without a connection")                  \
	X(REDIRECT_FAILED, "redirect_failed", "packets whose peer was not in the sockhash")        \
	X(HELD_BACK, "held_back", "packets the sender has to repeat: too many wait to be read")    \
	X(OVERRUNS, "overruns", "closed: a packet could not be freed of bytes that came before")   \
	X(INTERNAL_ERRORS, "internal_errors", "connections closed by an error of the host")

enum counter {
#define X(id, name, help) COUNTER_##id,
	COUNTERS(X)
#undef X
		COUNTER_MAX,
};

struct frontend_stats {
	__u64 accepted;
	__u64 live;
	__u64 refused;		     /* source lists, limits */
	__u64 bytes[2];		     /* by side: received from clients, from servers */
	__u64 packets[2];	     /* likewise, of spliced connections */
	__u64 verdicts[VERDICT_MAX]; /* by enum verdict */
	__u64 paths[PATH_COUNT];     /* connections by enum path_kind */
	__u64 default_farm;	     /* no route matched */
	__u64 ech;		     /* hellos with encrypted_client_hello */
};

struct route_stats {
	__u64 matched;
	__u64 live;
	__u64 bytes[2];
	__u64 packets[2];
};

struct farm_stats {
	__u64 chosen;
	__u64 next;    /* round-robin position */
	__u64 queued;  /* connections that wait now ... */
	__u64 in_line; /* ... of them, those for any server: who comes later stands behind them */
};

struct server_stats {
	__u64 chosen; /* picked, including by a retry */
	__u64 connected;
	__u64 live; /* connecting or connected */
	__u64 refused;
	__u64 timeouts;
	__u64 errors; /* other connect errors */
	__u64 bytes[2];
	__u64 packets[2];
	__u64 up_since; /* CLOCK_MONOTONIC, nanoseconds; 0 = as long as anybody knows */
};

/* ---- health of servers --------------------------------------------------------------- */

enum server_state {
	SERVER_UNKNOWN = 0, /* nobody looks after it: it counts as up */
	SERVER_UP,
	SERVER_DOWN,
};

/* How a check ended, by the layer that decided. */
enum check_status {
	CHECK_NONE = 0,
	CHECK_L4_OK,	  /* connected, and nothing else was asked for */
	CHECK_L4_TIMEOUT, /* not connected in time */
	CHECK_L4_FAILED,  /* refused, unreachable, reset */
	CHECK_L6_OK,	  /* TLS is as wanted, and nothing else was asked for */
	CHECK_L6_TIMEOUT,
	CHECK_L6_FAILED,
	CHECK_L7_OK,
	CHECK_L7_TIMEOUT,
	CHECK_L7_STATUS, /* an answer by the protocol, which says no */
	CHECK_L7_FAILED, /* no answer, or none by the protocol */
	CHECK_UNKNOWN,	 /* not made: something of the balancer's own is missing */
};

/* Written by the daemon's probes; the programs read no more than its state. */
struct server_health {
	__u32 state;	  /* enum server_state */
	__u32 status;	  /* enum check_status of the last check */
	__u32 code;	  /* what the server said by it, or the errno; 0 = nothing */
	__u32 serial;	  /* odd while the row is being written */
	__u64 since;	  /* of the state: milliseconds since 1970, as the next one; 0 = never */
	__u64 checked;	  /* end of the last check */
	__u8 address[16]; /* of the server: IPv6, or IPv4 mapped; 0 = not known */
	__u8 text[80];	  /* what it said, or what failed; printable, NUL-terminated */
};
_Static_assert(sizeof(struct server_health) == 128, "shared with BPF");

#endif
