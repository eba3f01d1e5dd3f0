// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "control.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../api/call.h"

#define BODY_MAX (80 << 20) /* the largest file, and what clients put around it */
#define BACKLOG	 128
#define NO_GROUP ((gid_t)-1)

/* ---- who may -------------------------------------------------------------------------- */

static bool in_groups(int fd, gid_t group)
{
	gid_t *groups = NULL;
	socklen_t size = 0;
	bool found = false;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) && errno == ERANGE)
		groups = malloc(size);
	if (groups && !getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		for (size_t i = 0; i < size / sizeof(*groups) && !found; i++)
			found = groups[i] == group;
	free(groups);
	return found;
}

/* The socket's mode keeps others out; this holds should somebody have changed it. */
static bool may_control(const struct daemon *daemon, const struct ucred *peer, int fd)
{
	gid_t group = daemon->control.group;

	return peer->uid == 0 ||
	       (group != NO_GROUP && (peer->gid == group || in_groups(fd, group)));
}

static void permit(struct api_call *call, const struct http_request *request, int fd)
{
	struct ucred peer = {.uid = -1, .gid = -1}; /* nobody */
	socklen_t size = sizeof(peer);

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	snprintf(call->by, sizeof(call->by), "uid %u", peer.uid);
	if (!may_control(call->daemon, &peer, fd))
		api_refuse(call, 403, "only root and the group control_group may do this");
}

/* ---- the socket ----------------------------------------------------------------------- */

int control_open(struct daemon *daemon)
{
	struct control_server *control = &daemon->control;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask;
	int err;

	if (fd < 0)
		return -errno;
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
		     daemon->run_dir) >= (int)sizeof(address.sun_path)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	unlink(address.sun_path); /* of a daemon that was killed: we hold the lock */
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (!err)
		snprintf(control->path, sizeof(control->path), "%s", address.sun_path);
	if (!err && listen(fd, BACKLOG))
		err = -errno;
	control->group = NO_GROUP;
	control->service = (struct api_service){
		.name = "control socket",
		.daemon = daemon,
		.permit = permit,
		.body_max = BODY_MAX,
		.connections_max = CONTROL_CONNECTIONS,
	};
	api_service_init(&control->service);
	err = err ? err : api_listen(&control->listener, &control->service, fd);
	if (err)
		close(fd);
	return err;
}

int control_find_group(const struct config *config, gid_t *gid)
{
	const struct group *group;

	*gid = NO_GROUP;
	if (!config->control_group)
		return 0;
	errno = 0;
	group = getgrnam(config->control_group);
	if (!group)
		return errno ? -errno : -ENOENT;
	*gid = group->gr_gid;
	return 0;
}

int control_open_to(struct daemon *daemon, gid_t gid)
{
	struct control_server *control = &daemon->control;
	bool any = gid != NO_GROUP;

	control->group = gid;
	if (chown(daemon->run_dir, 0, any ? gid : 0) || chmod(daemon->run_dir, any ? 0710 : 0700) ||
	    chown(control->path, 0, any ? gid : 0) || chmod(control->path, any ? 0660 : 0600))
		return -errno;
	return 0;
}

void control_close(struct daemon *daemon)
{
	struct control_server *control = &daemon->control;

	api_listener_close(&control->listener);
	api_service_close(&control->service);
	if (control->path[0])
		unlink(control->path);
	control->path[0] = 0;
}
