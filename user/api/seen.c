// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A quarter of a million requests; half of them find room for sure, over 400 a second. */
#define BUCKETS	    4096
#define BUCKET_SIZE 64

/* The digest's first bytes: only who has a secret could look for another one that has the same. */
struct seen_entry {
	uint64_t digest;
	int64_t timestamp; /* 0 in an entry that was never used */
};

#define FILE_SIZE (BUCKETS * BUCKET_SIZE * sizeof(struct seen_entry))

/* Others may have written or cut the file: what is no entry of its bucket was never used. */
static int load(struct seen_entry *entries, int fd)
{
	ssize_t n = pread(fd, entries, FILE_SIZE, 0);

	if (n < 0)
		return -errno;
	for (size_t i = 0; i < BUCKETS * BUCKET_SIZE; i++)
		if (entries[i].digest % BUCKETS != i / BUCKET_SIZE)
			entries[i] = (struct seen_entry){0};
	return 0;
}

int seen_open(struct seen *seen, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), err;
	struct seen_entry *entries;

	if (fd < 0)
		return -errno;
	entries = calloc(BUCKETS * BUCKET_SIZE, sizeof(*entries));
	err = entries ? load(entries, fd) : -ENOMEM;
	if (!err) /* room on the disk for all of it */
		err = -posix_fallocate(fd, 0, FILE_SIZE);
	if (err) {
		free(entries);
		close(fd);
		return err;
	}
	seen->entries = entries;
	seen->fd = fd;
	return 0;
}

void seen_close(struct seen *seen)
{
	if (seen->entries)
		close(seen->fd);
	free(seen->entries);
	seen->entries = NULL;
}

static bool keep(const struct seen *seen, const struct seen_entry *entry)
{
	off_t place = (const char *)entry - (const char *)seen->entries;

	return pwrite(seen->fd, entry, sizeof(*entry), place) == sizeof(*entry);
}

enum seen_verdict seen_add(struct seen *seen, const uint8_t digest[20], int64_t timestamp,
			   int64_t now)
{
	struct seen_entry *bucket, *room = NULL;
	uint64_t first;

	memcpy(&first, digest, sizeof(first));
	bucket = &seen->entries[first % BUCKETS * BUCKET_SIZE];
	for (int i = 0; i < BUCKET_SIZE; i++) {
		if (bucket[i].digest == first && bucket[i].timestamp == timestamp)
			return SEEN_BEFORE;
		if (bucket[i].timestamp < now - SEEN_SECONDS)
			room = &bucket[i];
	}
	if (!room)
		return SEEN_FULL;
	*room = (struct seen_entry){first, timestamp};
	return keep(seen, room) ? SEEN_NEW : SEEN_UNKEPT;
}
