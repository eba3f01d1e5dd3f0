/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "control.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* A handle that talks to the instance's socket, NULL when out of memory. */
static CURL *control_open(const char *instance)
{
	CURL *curl = curl_easy_init();
	char path[128];

	if (!curl)
		return NULL;
	snprintf(path, sizeof(path), "/run/alpnlb/%s/control.sock", instance);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
	curl_easy_setopt(curl, CURLOPT_URL, "http://alpnlb/");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)CONTROL_TIMEOUT);
	return curl;
}

static int control_perform(CURL *curl)
{
	CURLcode code = curl_easy_perform(curl);
	long err = 0;

	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &err);
		return err ? -err : -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIME;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EPROTO;
	}
}

bool control_alive(const char *instance)
{
	CURL *curl = control_open(instance);
	int err = -ENOMEM;

	if (curl) {
		curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
		err = control_perform(curl);
	}
	curl_easy_cleanup(curl);
	return !err;
}

static bool same_network(pid_t pid)
{
	struct stat theirs, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &theirs) || stat("/proc/self/ns/net", &ours) ||
	       (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev);
}

pid_t control_elsewhere(const char *instance)
{
	CURL *curl = control_open(instance);
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);
	curl_socket_t fd;

	if (curl)
		curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	if (!curl || control_perform(curl) || curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		peer.pid = 0;
	curl_easy_cleanup(curl);
	return peer.pid && !same_network(peer.pid) ? peer.pid : 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *stream)
{
	return fwrite(data, size, n, stream);
}

/* Without "Expect: 100-continue", which would only add a round trip. */
static struct curl_slist *set_request(CURL *curl, const char *method, const char *path,
				      const char *body, size_t len)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	char url[512];

	headers = curl_slist_append(headers, "X-Alpnlb-File-Names: 1"); /* in messages */
	snprintf(url, sizeof(url), "http://alpnlb%s", path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	return headers;
}

/* An answer that goes on. */
struct following {
	CURL *curl;
	control_line *line;
	void *context;
	struct evbuffer *rest; /* what is no whole line yet; all of a refusal */
};

/* False when no more are wanted. */
static bool pass_lines(struct following *f)
{
	bool wanted = true;
	char *line;
	size_t len;

	while (wanted && (line = evbuffer_readln(f->rest, &len, EVBUFFER_EOL_LF))) {
		wanted = f->line(line, len, f->context);
		free(line);
	}
	return wanted;
}

static size_t on_more(char *data, size_t size, size_t n, void *context)
{
	struct following *f = context;
	long status = 0;

	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (evbuffer_add(f->rest, data, size * n))
		return 0;
	return status != 200 || pass_lines(f) ? size * n : 0;
}

static int follow(struct following *f, const char *path, struct control_answer *answer)
{
	struct curl_slist *headers = set_request(f->curl, "GET", path, NULL, 0);
	int err;

	curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_TIME, 0L);
	curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_more);
	curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
	err = control_perform(f->curl);
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_slist_free_all(headers);
	if (answer->status == 200)
		return 0; /* the daemon, or who asked, has had enough */
	answer->body = json_loadb((const char *)evbuffer_pullup(f->rest, -1),
				  evbuffer_get_length(f->rest), JSON_DECODE_ANY, NULL);
	return err;
}

int control_follow(const char *instance, const char *path, control_line *line, void *context,
		   struct control_answer *answer)
{
	struct following f = {control_open(instance), line, context, evbuffer_new()};
	int err = -ENOMEM;

	*answer = (struct control_answer){0};
	if (f.curl && f.rest)
		err = follow(&f, path, answer);
	if (f.rest)
		evbuffer_free(f.rest);
	curl_easy_cleanup(f.curl);
	return err;
}

int control_call(const char *instance, const char *method, const char *path, const char *body,
		 size_t len, struct control_answer *answer)
{
	CURL *curl = control_open(instance);
	struct curl_slist *headers;
	char *text = NULL;
	size_t text_len = 0;
	FILE *stream = open_memstream(&text, &text_len);
	int err = -ENOMEM;

	*answer = (struct control_answer){0};
	if (curl && stream) {
		headers = set_request(curl, method, path, body, len);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
		err = control_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
		curl_slist_free_all(headers);
	}
	if (stream)
		fclose(stream);
	if (!err) {
		answer->body = json_loadb(text, text_len, JSON_DECODE_ANY, NULL);
		err = answer->body ? 0 : -EPROTO;
	}
	free(text);
	curl_easy_cleanup(curl);
	return err;
}
