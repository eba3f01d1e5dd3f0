/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets as alpnlb uses them, and their addresses in the form the tables have. */
#ifndef ALPNLB_SOCKET_H
#define ALPNLB_SOCKET_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/*
 * The buffers of both legs, doubled by the kernel for its overhead. They bound what a sender
 * can make the host hold for a reader that has stopped; left to itself the kernel would grow
 * them to net.ipv4.tcp_rmem[2] (6 to 32 MB) and tcp_wmem[2] (4 MB). See SEND_ROOM, too.
 */
#define LEG_RECEIVE_BUFFER (1 << 19)
#define LEG_SEND_BUFFER	   (640 << 10)

/*
 * The largest window scale that clients are told: 32 MB, in steps of 512 bytes, which is what a
 * server's window is rounded to.
 */
#define CLIENT_LEG_SCALE 9

/* Address and port (network order) to a sockaddr; IPv4 mapped addresses become IPv4. */
socklen_t socket_address(const uint8_t address[16], __be16 port, struct sockaddr_storage *to);

/* The inverse: fills the address, IPv4 mapped, and returns the port in network order. */
__be16 socket_endpoint(const struct sockaddr_storage *from, uint8_t address[16]);

/* A non-blocking socket to connect with: its fd, or -errno. */
int socket_for_leg(int family);

/* Urgent data is data, and stops no read. */
void socket_keep_urgent(int fd);

/*
 * Prepares a leg to carry the connection as long as it lives: bounded memory, keepalive. Legs that
 * become spliced do without, so that the kernel chooses larger windows for both ends. With
 * `redirect`, the send buffer takes all that the program gives it, see SEND_ROOM.
 */
void socket_carry(int fd, bool redirect);

/* Ends the connection when its peer has been gone, or has taken nothing, for so long. */
void socket_end_with_peer(int fd, int seconds);

/* The address that the kernel chooses to connect there from. 0 or -errno. */
int socket_source(const uint8_t to[16], uint8_t address[16]);

/*
 * A listening socket of a SO_REUSEPORT group, hidden: its fd, or -errno. The kernel lets sockets
 * of one user alone share a port: with an `owner` that nobody else is, no other program's can join
 * in and take connections (needs CAP_CHOWN). What is set here is inherited by the sockets it
 * accepts; with `carry` they are prepared by socket_carry(), and acknowledge what comes first with
 * the answer to it, see socket_set_quickack().
 */
int socket_listen(const uint8_t address[16], __be16 port, bool carry, uid_t owner);

/*
 * The same, not hidden, for connections that are steered to it: at an address that need not be one
 * of this host. *port is that of the group, or 0, and then set to one the kernel chooses.
 */
int socket_listen_apart(const uint8_t address[16], __be16 *port, bool carry, uid_t owner);

/* Would socket_listen() find the address here? 0 or -errno. */
int socket_test_address(const uint8_t address[16]);

/*
 * New connections pass by a listening socket that is hidden, as if it were not there; handshakes
 * it has begun are completed. To show it needs CAP_NET_RAW. 0 or -errno.
 */
int socket_hide(int fd, bool hide);

/*
 * Off: an acknowledgement waits for data to ride on, the handshake's last one for the hello.
 * On: the kernel's usual behaviour for a young connection.
 */
void socket_set_quickack(int fd, bool on);

/* Allows to bind to a port that other connections, or ones in TIME_WAIT, have as well. */
void socket_reuse_address(int fd);

/*
 * Neither announces nor sends larger segments: before connect(), or for what a listener accepts.
 * 0 = as the kernel does; so is what the option (TCP_MAXSEG) does not take.
 */
void socket_limit_segments(int fd, unsigned int size);

/* The window scale (RFC 7323) that the kernel announces by itself. */
uint8_t socket_usual_scale(void);

/*
 * Announces no larger one: before connect(), or for what a listener accepts. It costs no window:
 * what the scale cannot say is out of reach anyway.
 */
void socket_limit_scale(int fd, uint8_t scale);

/* close() will send nothing, and leave nothing behind (TCP_REPAIR; needs CAP_NET_ADMIN). */
int socket_silence(int fd);

/* Is that allowed? 0 or -errno. */
int socket_test_silence(void);

/* close() will send RST and forget what is still queued. */
void socket_reset_on_close(int fd);

#endif
