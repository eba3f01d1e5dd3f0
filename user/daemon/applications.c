// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "applications.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "file_replace.h"
#include "state_directory.h"

#define FILE_NAME "applications.json"
#define LOCK_NAME "applications.lock"

void applications_free(struct applications *list)
{
	if (list->v)
		OPENSSL_cleanse(list->v, list->n * sizeof(*list->v));
	free(list->v);
	*list = (struct applications){0};
}

const struct application *applications_find(const struct applications *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->v[i].name, name))
			return &list->v[i];
	return NULL;
}

/* ---- the file ------------------------------------------------------------------------- */

/* `exact`: all of `size` but the end has to be there. */
static bool take_text(const json_t *object, const char *key, char *to, size_t size, bool exact)
{
	const char *text = json_string_value(json_object_get(object, key));
	size_t len = text ? strlen(text) : 0;

	if (!len || len >= size || (exact && len + 1 != size))
		return false;
	memcpy(to, text, len);
	return true;
}

static bool take_application(const json_t *object, struct application *to)
{
	char access[16] = "";

	to->created = json_integer_value(json_object_get(object, "created"));
	if (!take_text(object, "name", to->name, sizeof(to->name), false) ||
	    !take_text(object, "key", to->key, sizeof(to->key), true) ||
	    !take_text(object, "secret", to->secret, sizeof(to->secret), true) ||
	    !take_text(object, "consumer", to->consumer, sizeof(to->consumer), true) ||
	    !take_text(object, "access", access, sizeof(access), false))
		return false;
	to->writes = !strcmp(access, APPLICATION_WRITES);
	return to->writes || !strcmp(access, APPLICATION_READ_ONLY);
}

static int take_list(const json_t *array, struct applications *list)
{
	size_t n = json_array_size(array);

	if (!json_is_array(array) || n > APPLICATIONS_MAX)
		return -EINVAL;
	list->v = calloc(n + 1, sizeof(*list->v));
	if (!list->v)
		return -ENOMEM;
	for (; list->n < n; list->n++)
		if (!take_application(json_array_get(array, list->n), &list->v[list->n]))
			return -EINVAL;
	return 0;
}

static int read_fd(int fd, struct applications *list)
{
	json_t *root = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	int err = take_list(json_object_get(root, "applications"), list);

	if (err)
		applications_free(list);
	json_decref(root);
	return err;
}

static int open_file(const char *instance)
{
	char path[STATE_PATH];
	int fd = open(state_directory_path(instance, FILE_NAME, path),
		      O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int applications_read(const char *instance, struct applications *list)
{
	int fd = open_file(instance), err;

	*list = (struct applications){0};
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = read_fd(fd, list);
	close(fd);
	return err;
}

static json_t *application_json(const struct application *a)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "name", a->name, "access",
			 a->writes ? APPLICATION_WRITES : APPLICATION_READ_ONLY, "key", a->key,
			 "secret", a->secret, "consumer", a->consumer, "created",
			 (json_int_t)a->created);
}

static int write_file(const char *instance, const struct applications *list)
{
	json_t *array = json_array(), *root = json_pack("{s:o}", "applications", array);
	char path[STATE_PATH], *text;
	int err = 0;

	for (size_t i = 0; i < list->n; i++)
		err |= json_array_append_new(array, application_json(&list->v[i]));
	text = err ? NULL : json_dumps(root, JSON_INDENT(2));
	err = text ? file_replace(state_directory_path(instance, FILE_NAME, path), text,
				  strlen(text), 0600)
		   : -ENOMEM;
	free(text);
	json_decref(root);
	return err;
}

/* ---- changing it ---------------------------------------------------------------------- */

/* One writer at a time. The fd of the lock, or -errno. */
static int lock_file(const char *instance)
{
	char path[STATE_PATH];
	int err = state_directory_make(instance), fd;

	if (err)
		return err;
	fd = open(state_directory_path(instance, LOCK_NAME, path), O_RDWR | O_CREAT | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int random_digits(char *to, size_t n)
{
	unsigned char bytes[APPLICATION_SECRET / 2];

	if (getrandom(bytes, n / 2, 0) != (ssize_t)n / 2)
		return -EIO;
	for (size_t i = 0; i < n / 2; i++)
		snprintf(to + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int make_application(const char *name, bool writes, struct application *a)
{
	int err;

	*a = (struct application){.writes = writes, .created = time(NULL)};
	snprintf(a->name, sizeof(a->name), "%s", name);
	err = random_digits(a->key, APPLICATION_KEY);
	err = err ? err : random_digits(a->secret, APPLICATION_SECRET);
	return err ? err : random_digits(a->consumer, APPLICATION_SECRET);
}

static int append(const char *instance, struct applications *list, const struct application *a)
{
	struct application *more;

	if (list->n >= APPLICATIONS_MAX)
		return -E2BIG;
	more = reallocarray(list->v, list->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	list->v = more;
	list->v[list->n++] = *a;
	return write_file(instance, list);
}

int applications_add(const char *instance, const char *name, bool writes, struct application *added)
{
	struct applications list = {0};
	int lock = lock_file(instance), err;

	if (lock < 0)
		return lock;
	err = applications_read(instance, &list);
	if (!err && applications_find(&list, name))
		err = -EEXIST;
	err = err ? err : make_application(name, writes, added);
	err = err ? err : append(instance, &list, added);
	applications_free(&list);
	close(lock);
	return err;
}

/* ---- changing what there is ----------------------------------------------------------- */

typedef void (*changer)(struct applications *list, struct application *found);

static void drop(struct applications *list, struct application *found)
{
	size_t behind = list->v + list->n - (found + 1);

	memmove(found, found + 1, behind * sizeof(*found));
	list->n--;
}

static void let_write(struct applications *list, struct application *found)
{
	found->writes = true;
}

static void let_read(struct applications *list, struct application *found)
{
	found->writes = false;
}

static int change_one(const char *instance, const char *name, changer change)
{
	struct applications list = {0};
	int lock = lock_file(instance), err;
	const struct application *found;

	if (lock < 0)
		return lock;
	err = applications_read(instance, &list);
	found = err ? NULL : applications_find(&list, name);
	if (found)
		change(&list, &list.v[found - list.v]);
	if (!err)
		err = found ? write_file(instance, &list) : -ENOENT;
	applications_free(&list);
	close(lock);
	return err;
}

int applications_set(const char *instance, const char *name, bool writes)
{
	return change_one(instance, name, writes ? let_write : let_read);
}

int applications_delete(const char *instance, const char *name)
{
	return change_one(instance, name, drop);
}

/* ---- the list as it is now ------------------------------------------------------------ */

void application_store_free(struct application_store *store)
{
	applications_free(&store->list);
	if (store->fd > 0)
		close(store->fd);
	*store = (struct application_store){0};
}

static int reload(struct application_store *store, const char *instance)
{
	int fd = open_file(instance), err;

	application_store_free(store);
	if (fd < 0)
		return fd;
	store->fd = fd;
	err = fstat(fd, &store->seen) ? -errno : 0;
	return err ? err : read_fd(fd, &store->list);
}

const struct applications *application_store_now(struct application_store *store,
						 const char *instance, int *err)
{
	char path[STATE_PATH];
	struct stat now;

	*err = 0;
	if (lstat(state_directory_path(instance, FILE_NAME, path), &now)) {
		*err = errno == ENOENT ? 0 : -errno;
		application_store_free(store);
	} else if (store->fd <= 0 || !file_is_same(&now, &store->seen)) {
		*err = reload(store, instance);
	}
	return &store->list;
}
