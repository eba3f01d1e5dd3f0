// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "socket.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "../kernel/outgoing.h"
#include "../kernel/sysctl.h"

/* The largest TCP_MAXSEG takes (MAX_TCP_WINDOW). */
#define MAXSEG_MAX    32767

#define TCP_SCALE_MAX 14 /* RFC 7323 section 2.3 */

#define BACKLOG	      4096 /* bounded by net.core.somaxconn */

#define NO_INTERFACE  INT_MAX

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

socklen_t socket_address(const uint8_t address[16], __be16 port, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (!memcmp(address, mapped_prefix, sizeof(mapped_prefix))) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		memcpy(&v4->sin_addr, address + 12, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = port;
	memcpy(&v6->sin6_addr, address, 16);
	return sizeof(*v6);
}

__be16 socket_endpoint(const struct sockaddr_storage *from, uint8_t address[16])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	if (from->ss_family == AF_INET) {
		memcpy(address, mapped_prefix, sizeof(mapped_prefix));
		memcpy(address + 12, &v4->sin_addr, 4);
		return v4->sin_port;
	}
	memcpy(address, &v6->sin6_addr, 16);
	return v6->sin6_port;
}

static void set_option(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* FORCE goes beyond net.core.[rw]mem_max and needs CAP_NET_ADMIN. */
static void set_buffer(int fd, int force, int option, int size)
{
	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)))
		set_option(fd, SOL_SOCKET, option, size);
}

/* Plain TCP, not MPTCP: the sockhash takes no MPTCP sockets. */
static int tcp_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return -errno;
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	return fd;
}

void socket_keep_urgent(int fd)
{
	set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

void socket_carry(int fd, bool redirect)
{
	socket_keep_urgent(fd);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, LEG_RECEIVE_BUFFER);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, LEG_SEND_BUFFER);
	if (redirect) /* no other limit than the buffer */
		set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1);
}

void socket_end_with_peer(int fd, int seconds)
{
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds / 2);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds / 4);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

void socket_reuse_address(int fd)
{
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

int socket_silence(int fd)
{
	int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) ? -errno : 0;
}

int socket_test_silence(void)
{
	int fd = socket_for_leg(AF_INET), err;

	if (fd < 0)
		return fd;
	err = socket_silence(fd);
	close(fd);
	return err;
}

int socket_for_leg(int family)
{
	return tcp_socket(family);
}

/* A socket of a SO_REUSEPORT group, bound to the address: its fd, or -errno. */
static int bound_socket(const uint8_t address[16], __be16 port, uid_t owner, bool anywhere)
{
	struct sockaddr_storage storage;
	socklen_t size = socket_address(address, port, &storage);
	int fd = tcp_socket(storage.ss_family), err;

	if (fd < 0)
		return fd;
	socket_reuse_address(fd);
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (storage.ss_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (anywhere && storage.ss_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	else if (anywhere)
		set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (!fchown(fd, owner, -1) && !bind(fd, (struct sockaddr *)&storage, size))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int socket_hide(int fd, bool hide)
{
	int interface = hide ? NO_INTERFACE : 0;

	return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &interface, sizeof(interface)) ? -errno
											   : 0;
}

/* What is set here is inherited by the sockets it accepts. Takes fd over; returns it, or -errno. */
static int start_listening(int fd, bool carry, bool hidden)
{
	int err = 0;

	socket_limit_scale(fd, CLIENT_LEG_SCALE);
	if (carry)
		socket_carry(fd, true);
	if (hidden)
		err = socket_hide(fd, true);
	/* The kernel asks for the same capability as when it is shown, which must not fail. */
	if (hidden && !err)
		err = socket_hide(fd, true);
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	if (!err && carry) /* listen() begins anew with it */
		socket_set_quickack(fd, false);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* bind() looks for it at the interfaces alone, with IPv6. */
static bool is_routed_here(const uint8_t address[16])
{
	int netlink = outgoing_open();
	bool is = netlink >= 0 && route_is_local(netlink, address);

	if (netlink >= 0)
		close(netlink);
	return is;
}

int socket_listen(const uint8_t address[16], __be16 port, bool carry, uid_t owner)
{
	int fd = bound_socket(address, port, owner, false);

	if (fd == -EADDRNOTAVAIL && is_routed_here(address))
		fd = bound_socket(address, port, owner, true);
	return fd < 0 ? fd : start_listening(fd, carry, true);
}

int socket_listen_apart(const uint8_t address[16], __be16 *port, bool carry, uid_t owner)
{
	struct sockaddr_storage storage;
	socklen_t size = sizeof(storage);
	int fd = bound_socket(address, *port, owner, true), err;
	uint8_t ignored[16];

	if (fd < 0)
		return fd;
	if (!getsockname(fd, (struct sockaddr *)&storage, &size)) {
		*port = socket_endpoint(&storage, ignored);
		return start_listening(fd, carry, false);
	}
	err = -errno;
	close(fd);
	return err;
}

int socket_test_address(const uint8_t address[16])
{
	struct sockaddr_storage storage;
	socklen_t size = socket_address(address, 0, &storage);
	int fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&storage, size))
		err = -errno;
	close(fd);
	return err == -EADDRNOTAVAIL && is_routed_here(address) ? 0 : err;
}

int socket_source(const uint8_t to[16], uint8_t address[16])
{
	struct sockaddr_storage peer, own;
	socklen_t size = socket_address(to, htons(9), &peer), own_size = sizeof(own);
	int fd = socket(peer.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&peer, size) || /* sends nothing */
	    getsockname(fd, (struct sockaddr *)&own, &own_size))
		err = -errno;
	else
		(void)socket_endpoint(&own, address);
	close(fd);
	return err;
}

void socket_set_quickack(int fd, bool on)
{
	set_option(fd, IPPROTO_TCP, TCP_QUICKACK, on);
}

/* As tcp_select_initial_window() does. */
uint8_t socket_usual_scale(void)
{
	uint64_t memory[3] = {0}, most = 0;
	uint8_t scale = 0;

	(void)sysctl_read("/proc/sys/net/ipv4/tcp_rmem", memory, 3);
	(void)sysctl_read("/proc/sys/net/core/rmem_max", &most, 1); /* not in a namespace */
	if (most < memory[2])
		most = memory[2];
	while (scale < TCP_SCALE_MAX && most >> 16 >> scale)
		scale++;
	return scale;
}

void socket_limit_scale(int fd, uint8_t scale)
{
	set_option(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, 0xffff << scale);
}

void socket_limit_segments(int fd, unsigned int size)
{
	set_option(fd, IPPROTO_TCP, TCP_MAXSEG, size <= MAXSEG_MAX ? size : 0);
}

void socket_reset_on_close(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}
