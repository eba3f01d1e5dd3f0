/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Looks at the host for what alpnlb needs, and says what to do about what is missing. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../kernel/capabilities.h"
#include "../kernel/features.h"
#include "../kernel/interface.h"
#include "../kernel/kernel_version.h"
#include "../kernel/pin.h"
#include "../kernel/sysctl.h"
#include "cli.h"
#include "control.h"
#include "doctor.h"
#include "output.h"

#define WANTED_FILES   1048576 /* two sockets per connection */
#define WANTED_BACKLOG 4096    /* somaxconn since kernel 5.4 */
#define WANTED_PORTS   16384   /* local ports, per source address and server */

static const struct column columns[] = {
	COLUMN("status", "STATUS"),
	COLUMN("check", "CHECK"),
	COLUMN("found", "FOUND"),
	COLUMN_AS(FORMAT_BELOW, "advice", "do"),
	COLUMNS_END,
};

void finding(json_t *rows, enum status status, const char *check, const char *advice,
	     const char *format, ...)
{
	static const char *const names[] = {"ok", "warn", "fail"};
	char found[512];
	va_list args;

	va_start(args, format);
	vsnprintf(found, sizeof(found), format, args);
	va_end(args);
	json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s?}", "status", names[status],
					      "check", check, "found", found, "advice", advice));
}

/* ---- kernel -------------------------------------------------------------------------- */

static void check_kernel(json_t *rows)
{
	struct kernel_version version;
	struct utsname name;
	bool good;

	if (uname(&name) || kernel_version_running(&version)) {
		finding(rows, STATUS_WARN, "kernel", NULL, "its version cannot be read");
		return;
	}
	good = kernel_version_at_least(&version, 5, 17, 0);
	finding(rows, good ? STATUS_OK : STATUS_FAIL, "kernel",
		good ? NULL : "install a kernel of 5.17 or later", "%s (upstream %u.%u.%u)",
		name.release, version.major, version.minor, version.patch);
	good = sockmap_known_good(&version);
	finding(rows, good ? STATUS_OK : STATUS_WARN, "sockmap",
		good ? NULL
		     : "`path: auto` takes relay here; use 6.6.94, 6.12.34, 6.15.3, 6.16 or later "
		       "of these series for sockmap",
		good ? "no known bug in %u.%u.%u" : "%u.%u.%u can lose or repeat redirected data",
		version.major, version.minor, version.patch);
}

static void check_features(json_t *rows)
{
	for (size_t i = 0; i < n_features; i++) {
		const struct feature *feature = &features[i];
		int err = feature->probe();
		char advice[128];

		snprintf(advice, sizeof(advice), "needs kernel %s", feature->since);
		if (!err)
			finding(rows, STATUS_OK, feature->name, NULL, "works");
		else if (err == -EPERM || err == -EACCES)
			finding(rows, STATUS_WARN, feature->name, "run doctor as root",
				"not tried: %s", strerror(-err));
		else
			finding(rows, STATUS_FAIL, feature->name, advice, "%s", strerror(-err));
	}
}

static void check_jit(json_t *rows)
{
	uint64_t enabled = 1;

	/* A kernel with CONFIG_BPF_JIT_ALWAYS_ON shows 1; one without a JIT has no such file. */
	if (!sysctl_read("/proc/sys/net/core/bpf_jit_enable", &enabled, 1) && geteuid())
		return;
	finding(rows, enabled ? STATUS_OK : STATUS_WARN, "BPF JIT",
		enabled ? NULL : "sysctl -w net.core.bpf_jit_enable=1",
		enabled ? "on" : "off: the programs are interpreted");
}

static void check_bpffs(json_t *rows)
{
	struct statfs fs;

	if (!statfs("/sys/fs/bpf", &fs) && (uint32_t)fs.f_type == BPF_FS_MAGIC)
		finding(rows, STATUS_OK, "bpffs", NULL, "mounted at /sys/fs/bpf");
	else
		finding(rows, STATUS_WARN, "bpffs", "mount -t bpf bpf /sys/fs/bpf",
			"not mounted at /sys/fs/bpf; the daemon mounts it");
}

static void check_capabilities(json_t *rows)
{
	static const struct capability wanted[] = {
		{CAP_BPF, "CAP_BPF"},
		{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		{CAP_PERFMON, "CAP_PERFMON"},
		{CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"},
		{CAP_NET_RAW, "CAP_NET_RAW"},
		{CAP_CHOWN, "CAP_CHOWN"},
		{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
	};
	char missing[128];

	if (capabilities_missing(wanted, sizeof(wanted) / sizeof(*wanted), missing,
				 sizeof(missing)))
		finding(rows, STATUS_WARN, "capabilities", capabilities_advice(), "missing: %s",
			missing);
	else
		finding(rows, STATUS_OK, "capabilities", NULL, "all that are needed");
}

/* ---- limits -------------------------------------------------------------------------- */

static void check_files(json_t *rows)
{
	bool may_raise = capability_held(CAP_SYS_RESOURCE);
	struct rlimit limit;
	uint64_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	if (sysctl_read("/proc/sys/fs/nr_open", &most, 1) != 1 ||
	    (!may_raise && limit.rlim_max < most))
		most = limit.rlim_max;
	finding(rows, most >= WANTED_FILES ? STATUS_OK : STATUS_WARN, "open files",
		most >= WANTED_FILES ? NULL
				     : "sysctl -w fs.nr_open=1048576, and LimitNOFILE= in the unit",
		"the daemon can raise its limit to %" PRIu64 ", for about %" PRIu64 " connections",
		most, most / 2);
}

static void check_backlog(json_t *rows)
{
	uint64_t backlog;

	if (sysctl_read("/proc/sys/net/core/somaxconn", &backlog, 1) != 1)
		return;
	finding(rows, backlog >= WANTED_BACKLOG ? STATUS_OK : STATUS_WARN, "accept queue",
		backlog >= WANTED_BACKLOG ? NULL : "sysctl -w net.core.somaxconn=4096",
		"net.core.somaxconn is %" PRIu64, backlog);
}

static void check_ports(json_t *rows)
{
	uint64_t range[2], n;

	if (sysctl_read("/proc/sys/net/ipv4/ip_local_port_range", range, 2) != 2)
		return;
	n = range[1] - range[0] + 1;
	finding(rows, n >= WANTED_PORTS ? STATUS_OK : STATUS_WARN, "local ports",
		n >= WANTED_PORTS ? NULL : "sysctl -w net.ipv4.ip_local_port_range='10240 65535'",
		"%" PRIu64 "-%" PRIu64 ": at most %" PRIu64 " connections to one server", range[0],
		range[1], n);
}

static void check_memory(json_t *rows)
{
	uint64_t pages[3], mib;

	if (sysctl_read("/proc/sys/net/ipv4/tcp_mem", pages, 3) != 3)
		return;
	mib = pages[2] * sysconf(_SC_PAGESIZE) >> 20;
	finding(rows, mib >= 64 ? STATUS_OK : STATUS_WARN, "TCP memory",
		mib >= 64 ? NULL : "raise net.ipv4.tcp_mem, or give the host more memory",
		"net.ipv4.tcp_mem allows %" PRIu64 " MiB for all sockets", mib);
}

static void check_loopback(json_t *rows)
{
	bool up = loopback_is_up();

	finding(rows, up ? STATUS_OK : STATUS_WARN, "loopback",
		up ? NULL : "ip link set lo up, before the daemon starts", "%s",
		up ? "lo is up"
		   : "lo is down: sockmap cannot be tested, and connections take relay instead");
}

static void check_conntrack(json_t *rows)
{
	uint64_t count, max;

	if (sysctl_read("/proc/sys/net/netfilter/nf_conntrack_count", &count, 1) != 1 ||
	    sysctl_read("/proc/sys/net/netfilter/nf_conntrack_max", &max, 1) != 1) {
		finding(rows, STATUS_OK, "conntrack", NULL, "not loaded");
		return;
	}
	finding(rows, count < max / 5 * 4 ? STATUS_OK : STATUS_WARN, "conntrack",
		count < max / 5 * 4 ? NULL
				    : "raise net.netfilter.nf_conntrack_max, or exempt alpnlb's "
				      "ports with notrack",
		"%" PRIu64 " of %" PRIu64 " entries; a connection takes two, one per leg", count,
		max);
}

static void check_mptcp(json_t *rows)
{
	uint64_t enabled;

	if (sysctl_read("/proc/sys/net/mptcp/enabled", &enabled, 1) != 1)
		enabled = 0;
	finding(rows, STATUS_OK, "MPTCP", NULL, "%s",
		enabled ? "on; alpnlb listens with plain TCP, to which clients fall back" : "off");
}

/* ---- instances ----------------------------------------------------------------------- */

/* Is something pinned or bound for an instance of this name? */
static bool instance_known(const char *root, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return !access(path, F_OK);
}

/* What else there is to say of it is about the interfaces and settings that it sees. */
static void tell_elsewhere(json_t *rows, const char *check, pid_t pid)
{
	char advice[64];

	snprintf(advice, sizeof(advice), "nsenter -t %d -n alpnlb doctor", (int)pid);
	finding(rows, STATUS_OK, check, advice, "a daemon runs in another network namespace");
}

static void check_instance(json_t *rows, const char *name)
{
	bool alive = control_alive(name), pinned = instance_known(PIN_ROOT, name);
	pid_t elsewhere = alive ? control_elsewhere(name) : 0;
	char check[300];

	snprintf(check, sizeof(check), "instance %s", name);
	if (elsewhere) {
		tell_elsewhere(rows, check, elsewhere);
		return;
	}
	if (alive && !pinned)
		finding(rows, STATUS_WARN, check, "show and stat need the same /sys/fs/bpf",
			"a daemon runs, but its maps are not pinned here");
	else
		finding(rows, STATUS_OK, check, NULL, "%s",
			alive ? "a daemon runs" : "no daemon; its maps are still pinned");
	if (pinned)
		check_packet_instance(rows, name);
	check_door_instance(rows, name);
	if (alive)
		check_steered_instance(rows, name);
}

/* 0, also where there is no such directory, or -errno. */
static int check_instances_in(json_t *rows, const char *root, bool pinned)
{
	DIR *dir = opendir(root);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (!instance_name_valid(entry->d_name))
			continue;
		if (pinned ||
		    (!instance_known(PIN_ROOT, entry->d_name) && control_alive(entry->d_name)))
			check_instance(rows, entry->d_name);
	}
	closedir(dir);
	return 0;
}

static void check_instances(json_t *rows)
{
	size_t before = json_array_size(rows);
	int err = check_instances_in(rows, PIN_ROOT, true);

	err = err ? err : check_instances_in(rows, "/run/alpnlb", false);
	if (err)
		finding(rows, STATUS_WARN, "instances", geteuid() ? "run doctor as root" : NULL,
			"cannot be read: %s", strerror(-err));
	else if (json_array_size(rows) == before)
		finding(rows, STATUS_OK, "instances", NULL, "none");
}

/* ---- the command --------------------------------------------------------------------- */

static bool failed(const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (!strcmp(json_string_value(json_object_get(row, "status")), "fail"))
			return true;
	return false;
}

static int doctor_run(int argc, char **argv)
{
	static void (*const checks[])(json_t *) = {
		check_kernel,	check_features,	 check_packet_path, check_door,
		check_steering, check_jit,	 check_bpffs,	    check_capabilities,
		check_files,	check_backlog,	 check_ports,	    check_memory,
		check_loopback, check_conntrack, check_mptcp,	    check_instances,
	};
	json_t *rows = json_array();
	int code;

	if (argc > 1) {
		json_decref(rows);
		return fail(CLI_USAGE, "unexpected '%s': doctor takes no argument", argv[1]);
	}
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		checks[i](rows);
	code = failed(rows) ? CLI_FAILED : CLI_OK;
	output_show(columns, rows, false);
	return code;
}

const struct noun noun_doctor = {
	.name = "doctor",
	.help = "check that this host can run alpnlb",
	.text = "Exit code 1 if a check fails. Manual: alpnlb-doctor(8).\n",
	.arguments = "",
	.run = doctor_run,
};
