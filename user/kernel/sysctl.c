// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sysctl.h"

#include <inttypes.h>
#include <stdio.h>

int sysctl_read(const char *path, uint64_t *numbers, int n)
{
	FILE *file = fopen(path, "re");
	int i = 0;

	while (file && i < n && fscanf(file, "%" SCNu64, &numbers[i]) == 1)
		i++;
	if (file)
		fclose(file);
	return i;
}
