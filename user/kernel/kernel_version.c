/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "kernel_version.h"

int kernel_version_parse(const char *text, struct kernel_version *version)
{
	*version = (struct kernel_version){0};
	if (sscanf(text, "%u.%u.%u", &version->major, &version->minor, &version->patch) < 2)
		return -EINVAL;
	return 0;
}

int kernel_version_upstream(const char *release, const char *version, const char *signature,
			    struct kernel_version *upstream)
{
	const char *debian = strstr(version, "Debian ");
	const char *ubuntu = signature ? strrchr(signature, ' ') : NULL;

	if (debian && !kernel_version_parse(debian + strlen("Debian "), upstream))
		return 0;
	if (ubuntu && !kernel_version_parse(ubuntu + 1, upstream))
		return 0;
	return kernel_version_parse(release, upstream);
}

int kernel_version_running(struct kernel_version *version)
{
	FILE *file = fopen("/proc/version_signature", "re");
	char signature[256];
	struct utsname name;
	bool signed_by = file && fgets(signature, sizeof(signature), file);

	if (file)
		fclose(file);
	if (uname(&name))
		return -errno;
	return kernel_version_upstream(name.release, name.version, signed_by ? signature : NULL,
				       version);
}

bool kernel_version_at_least(const struct kernel_version *a, unsigned int major, unsigned int minor,
			     unsigned int patch)
{
	if (a->major != major)
		return a->major > major;
	if (a->minor != minor)
		return a->minor > minor;
	return a->patch >= patch;
}

bool sockmap_known_good(const struct kernel_version *version)
{
	static const struct kernel_version fixed[] = {
		{6, 6, 94},
		{6, 12, 34},
		{6, 15, 3},
	};

	if (kernel_version_at_least(version, 6, 16, 0))
		return true;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (version->major == fixed[i].major && version->minor == fixed[i].minor)
			return version->patch >= fixed[i].patch;
	return false;
}
