/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which kernel this is, and what is known to be wrong with it. */
#ifndef ALPNLB_KERNEL_VERSION_H
#define ALPNLB_KERNEL_VERSION_H

#include <stdbool.h>
#include <stddef.h>

struct kernel_version {
	unsigned int major, minor, patch;
};

/* Reads "6.1.142", "6.18.44-fc", "6.16-rc1". Returns 0, or -EINVAL. */
int kernel_version_parse(const char *text, struct kernel_version *version);

/*
 * The upstream version behind what uname(2) says. Debian and Ubuntu put an ABI number where
 * the patch level would be (6.1.0-42-amd64): the former gives the upstream version in
 * `version` ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)"), the latter in
 * /proc/version_signature ("Ubuntu 5.15.0-91.101-generic 5.15.131"; NULL where there is none).
 * Returns 0, or -EINVAL.
 */
int kernel_version_upstream(const char *release, const char *version, const char *signature,
			    struct kernel_version *upstream);

/* That of the running kernel. Returns 0, or -errno. */
int kernel_version_running(struct kernel_version *version);

/*
 * Is sockmap redirection on this kernel free of what loses or repeats data? The bug where a
 * redirected send meets EAGAIN was fixed in 6.6.94, 6.12.34, 6.15.3 and 6.16; kernels in
 * between that got no such release count as bad. In 5.15 and 6.1 it was fixed, too, but before
 * 6.2 the program cannot see which bytes of a packet came before.
 */
bool sockmap_known_good(const struct kernel_version *version);

/* Is a at least b? */
bool kernel_version_at_least(const struct kernel_version *a, unsigned int major, unsigned int minor,
			     unsigned int patch);

#endif
