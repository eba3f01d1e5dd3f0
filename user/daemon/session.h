/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One connection in user space: from accept to the last close. What the kernel and the CLI
 * see of it is its `struct conn`; this is the rest.
 *
 *	[header --->] hello ---> connect ---> open ---> closed
 *	                   queue ---^
 *
 * header:  a proxy says who its client is (PROXY protocol), before anything else
 * hello:   the program (sockmap) or hello_read() (relay) looks at the first bytes
 * queue:   every server of the farm is full, see queue.h
 * connect: a server was chosen; a refused or late connect chooses another one
 * open:    each direction is moved by a half, see half.h
 */
#ifndef ALPNLB_SESSION_H
#define ALPNLB_SESSION_H

#include "half.h"
#include "proxy_protocol.h"
#include "worker.h"

enum phase {
	PHASE_FREE = 0,
	PHASE_HEADER,
	PHASE_HELLO,
	PHASE_QUEUE,
	PHASE_CONNECT,
	PHASE_OPEN,
};

struct session {
	struct worker *worker;
	struct conn *conn; /* shared with the kernel */
	uint32_t slot;
	enum phase phase;
	int fd[2];	     /* by side; -1 = none */
	uint64_t cookie[2];  /* by side; 0 = not in the sockhash */
	uint32_t watched[2]; /* by side: the epoll events asked for, 0 = not added */
	struct half half[2]; /* by source side */
	struct event timer;
	uint64_t counted[2];  /* by side: bytes that the totals hold already */
	uint64_t activity;    /* leg_progress() of both when the idle timer last looked */
	uint32_t quiet;	      /* its looks in a row without a new byte */
	uint32_t settle_wait; /* milliseconds */
	uint32_t connect_timeout, idle_timeout, half_close_timeout; /* milliseconds */
	uint32_t tried[MAX_TRIES];
	uint32_t n_tried;
	enum counter failure;	/* what it is closed for if nobody is left: the last one's */
	int connect_error;	/* errno of the latest connect that failed */
	struct proxied proxied; /* what a proxy has told; size 0 = no header came */
	bool refused;		/* by its frontend */
	enum counter reason;	/* why it is closed; COUNTER_MAX: by its two ends */
	uint32_t queue_size, queue_timeout;	   /* of the farm; milliseconds */
	uint32_t queue_farm;			   /* whose queue it stands in */
	struct session *prev_queued, *next_queued; /* in the farm's queue or worker->served */
	bool in_line;				   /* waits for any server, others behind it */
	bool served;				   /* a choice was made for it in the queue */
	bool queued;				   /* in worker->again */
	bool wants_packet;			   /* its frontend asks for that path by name */
	bool fell_back;				   /* counted so */
	struct session *next;			   /* in worker->again or worker->dead */
	LIST_ENTRY(session) live;		   /* of the worker */
	/* for the packet path, see splice.h */
	struct port_lease lease;	/* the server leg's source port; 0 = the kernel's choice */
	LIST_ENTRY(session) in_spliced; /* of the worker, if `spliced` */
	struct flow_key server_key;	/* of packets from the server */
	uint64_t grace;			/* the period after which no packet can reach a socket */
	bool told_fin[2];		/* ... and that its end was passed on */
	uint64_t told[2];		/* by side: bytes of the stream that the program knows of */
	uint64_t moved[2];		/* by side: those moved before the flow began */
	bool spliced;			/* its flow has all that is to be accounted for */
	bool carries;			/* the server leg is prepared for a long life */
	bool behind;			/* to be spliced at a quiet moment, relayed until then */
};

/*
 * Takes over a client socket that came to a listener, with a slot taken for it. Counts it,
 * and closes it when the frontend does not want it. Which frontend that is, is read
 * together with the tables.
 */
void session_accept(struct worker *worker, uint32_t slot, int fd, const struct listener *listener,
		    const struct sockaddr_storage *peer);

enum chosen {
	CHOSEN_NONE = 0, /* there is nobody to wait for */
	CHOSEN_SERVER,	 /* conn->server_id, counted as live */
	CHOSEN_FULL,	 /* every server is full */
	/* Those it may have are: it sticks to one, others have failed it, or it fell back. */
	CHOSEN_OWN_FULL,
};

/*
 * Chooses a server for a session, which is this worker's, or stands in a queue that the caller has
 * locked: then it `waited`.
 */
enum chosen session_choose(struct session *session, bool waited);

/* Goes on with what was chosen for a session in the queue, which it has left. */
void session_served(struct session *session);

/* epoll events of one leg. */
void session_event(struct session *session, enum side side, uint32_t events);

/* Goes on with a direction that had more to do. */
void session_continue(struct session *session);

/* The program stopped redirecting what comes from `side`. */
void session_throttled(struct session *session, enum side side);

/*
 * Now and then, in its worker: brings the totals of bytes up to date, which nobody else writes
 * for this session, and finds what the full ring did not tell.
 */
void session_sweep(struct session *session);

/*
 * Ends the session; `reset` closes with RST, so that nobody takes the end for the end of the
 * data. Its slot is free when worker_reap() has run.
 */
void session_close(struct session *session, bool reset);

/*
 * One of these servers, by their ids, is the session's, and went down: ends it if it is connected,
 * else has it choose another one.
 */
void session_servers_down(struct session *session, const bool servers[MAX_SERVERS + 1]);

/* Closes both sockets of a spliced connection without a packet: its flow lives on. */
void session_vanish(struct session *session);

/* Frees the slots of closed sessions. */
void worker_reap(struct worker *worker);

/*
 * Prepares the server leg to carry the connection, as socket_carry(), once it is clear that it
 * lives for a while, or moves more than a little: for a short one that is three system calls for
 * nothing.
 */
void session_carry(struct session *session);

/* Asks epoll for these events of a leg (0 = none but errors). */
void session_watch(struct session *session, enum side side, uint32_t events);

/*
 * Nothing is to be read from the client at this moment. On the sockmap path behind a PROXY header:
 * puts its leg under the program, which has not seen what was read so far.
 */
void session_join(struct session *session);

/* Puts a session on the worker's list of those that go on after this turn. */
void session_queue(struct session *session);

#endif
