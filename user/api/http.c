// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#define LINES_MAX 16384 /* bytes of request line and headers, and so of trailers */

/* RFC 9110, 5.6.2 */
#define TOKEN                                                                                      \
	"!#$%&'*+-.^_`|~0123456789"                                                                \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static void refuse(struct http_request *request, int status, const char *mistake)
{
	request->status = status;
	request->mistake = mistake;
	request->last = true;
}

/* A line without its end, which may be a bare LF; NULL if there is none yet, or after refusing. */
static char *read_line(struct http_request *request, struct evbuffer *input)
{
	size_t before = evbuffer_get_length(input), after, len;
	char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_CRLF);

	after = evbuffer_get_length(input);
	request->lines_len += before - after;
	if (request->lines_len + (line ? 0 : after) > LINES_MAX)
		refuse(request, 400, "the headers are larger than 16 kB");
	else if (line && strlen(line) != len)
		refuse(request, 400, "there is a zero byte in the headers");
	if (!request->status)
		return line;
	free(line);
	return NULL;
}

static bool is_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' ? *text != '\t' : *text == 0x7f)
			return false;
	return true;
}

static bool read_number(const char *text, int base, uint64_t *number)
{
	size_t digits = strspn(text, base == 10 ? "0123456789" : "0123456789abcdefABCDEF");

	/* Of any size; what does not fit is more than any body may have. */
	*number = strtoull(text, NULL, base);
	return digits && !text[digits + strspn(text + digits, " \t")];
}

/* ---- the head ------------------------------------------------------------------------- */

static void take_request_line(struct http_request *request, char *line)
{
	size_t method = strspn(line, TOKEN);
	char *target = line + method, *version;

	if (!*line)
		return; /* RFC 9112, 2.2: may stand before a request */
	version = *target == ' ' ? strchr(++target, ' ') : NULL;
	if (!method || !version || version == target || !is_text(target)) {
		refuse(request, 400, "the request line is not METHOD URL HTTP/1.1");
		return;
	}
	*version++ = '\0';
	request->old = !strcmp(version, "HTTP/1.0");
	if (!request->old && strcmp(version, "HTTP/1.1") != 0) {
		refuse(request, 400, "the version of HTTP is unknown, allowed: HTTP/1.0, HTTP/1.1");
		return;
	}
	if (method > HTTP_METHOD_MAX) {
		refuse(request, 400, "the method is longer than any");
		return;
	}
	memcpy(request->method, line, method);
	request->target = strdup(target);
	request->uri = evhttp_uri_parse_with_flags(target, EVHTTP_URI_NONCONFORMANT);
	request->last = request->old || !strcmp(request->method, "CONNECT");
	request->state = FIELD_LINES;
	if (!request->target)
		refuse(request, 500, "out of memory");
}

static void take_field(struct http_request *request, char *line)
{
	size_t name = strspn(line, TOKEN), len;
	char *value = line + name + 1;

	if (!name || line[name] != ':' || !is_text(value)) {
		refuse(request, 400, "a header is not NAME: VALUE");
		return;
	}
	line[name] = '\0';
	value += strspn(value, " \t");
	for (len = strlen(value); len && strchr(" \t", value[len - 1]); len--)
		value[len - 1] = '\0';
	if (evhttp_add_header(&request->headers, line, value))
		refuse(request, 500, "out of memory");
}

/* The header's value if it is there once; *n is how often it is. */
static const char *only(const struct http_request *request, const char *name, int *n)
{
	const char *value = NULL;

	*n = 0;
	for (struct evkeyval *pair = request->headers.tqh_first; pair; pair = pair->next.tqe_next) {
		if (strcasecmp(pair->key, name))
			continue;
		value = pair->value;
		++*n;
	}
	return *n == 1 ? value : NULL;
}

/* Anything but one plain length, or one coding, is how requests are smuggled (RFC 9112, 11.2). */
static void find_body(struct http_request *request)
{
	int lengths, codings;
	const char *length = only(request, "Content-Length", &lengths);
	const char *coding = only(request, "Transfer-Encoding", &codings);

	request->state = WHOLE;
	if (lengths + codings > 1) {
		refuse(request, 400,
		       "Content-Length or Transfer-Encoding is there, allowed: one of them, once");
	} else if (coding) {
		request->state = CHUNK_SIZE;
		if (strcasecmp(coding, "chunked") != 0 || request->old)
			refuse(request, 400,
			       "Transfer-Encoding: is unknown, allowed: chunked, with HTTP/1.1");
	} else if (length) {
		if (!read_number(length, 10, &request->left))
			refuse(request, 400, "Content-Length: is no number of bytes");
		else if (request->left)
			request->state = BODY;
	}
}

/* Which one was meant, and signed, nobody can tell (RFC 9112, 3.2). */
static void check_host(struct http_request *request)
{
	int hosts;

	only(request, "Host", &hosts);
	if (hosts > 1)
		refuse(request, 400, "Host is there more than once");
}

static void refuse_large(struct http_request *request)
{
	refuse(request, 413, "the body is too large");
}

static void end_head(struct http_request *request)
{
	const char *expect = evhttp_find_header(&request->headers, "Expect");

	for (struct evkeyval *pair = request->headers.tqh_first; pair; pair = pair->next.tqe_next)
		if (!strcasecmp(pair->key, "Connection") && strcasestr(pair->value, "close"))
			request->last = true;
	request->expects = expect && !strcasecmp(expect, "100-continue");
	find_body(request);
	check_host(request);
	if (!request->status && request->left > request->body_max)
		refuse_large(request);
}

/* ---- the body ------------------------------------------------------------------------- */

/* Takes what is there of what is left; true once nothing is. */
static bool take_body(struct http_request *request, struct evbuffer *input)
{
	size_t there = evbuffer_get_length(input);
	size_t n = there < request->left ? there : request->left;

	if (n && evbuffer_remove_buffer(input, request->body, n) != (int)n) {
		refuse(request, 500, "out of memory");
		return false;
	}
	request->left -= n;
	return !request->left;
}

static void take_chunk_size(struct http_request *request, char *line)
{
	line[strcspn(line, ";")] = '\0'; /* extensions mean nothing here */
	if (!read_number(line, 16, &request->left))
		refuse(request, 400, "the size of a chunk is no hexadecimal number");
	else if (request->left > request->body_max - evbuffer_get_length(request->body))
		refuse_large(request);
	request->state = request->left ? CHUNK_DATA : TRAILERS;
	request->lines_len = 0;
}

static void take_chunk_end(struct http_request *request, const char *line)
{
	if (*line)
		refuse(request, 400, "a chunk is longer than its size");
	request->state = CHUNK_SIZE;
	request->lines_len = 0;
}

/* ---- together ------------------------------------------------------------------------- */

static void take_line(struct http_request *request, char *line)
{
	switch (request->state) {
	case REQUEST_LINE:
		take_request_line(request, line);
		break;
	case FIELD_LINES:
		if (*line)
			take_field(request, line);
		else
			end_head(request);
		break;
	case CHUNK_SIZE:
		take_chunk_size(request, line);
		break;
	case CHUNK_END:
		take_chunk_end(request, line);
		break;
	default: /* trailers mean nothing here */
		if (!*line)
			request->state = WHOLE;
	}
}

/* One line, or of the body what is there; false when more has to come first. */
static bool step(struct http_request *request, struct evbuffer *input)
{
	char *line;

	if (request->state == BODY || request->state == CHUNK_DATA) {
		if (!take_body(request, input))
			return false;
		request->state = request->state == BODY ? WHOLE : CHUNK_END;
		return true;
	}
	line = read_line(request, input);
	if (!line)
		return false;
	take_line(request, line);
	free(line);
	return true;
}

enum http_progress http_read(struct http_request *request, struct evbuffer *input)
{
	bool in_head = request->state <= FIELD_LINES, more = true;

	while (more && !request->status && request->state != WHOLE) {
		more = step(request, input);
		if (in_head && !request->status && request->state > FIELD_LINES &&
		    request->state != WHOLE)
			return HTTP_HEAD;
	}
	if (request->status)
		return HTTP_REFUSED;
	return request->state == WHOLE ? HTTP_DONE : HTTP_NEED_MORE;
}

int http_begin(struct http_request *request, size_t body_max)
{
	*request = (struct http_request){.body_max = body_max, .body = evbuffer_new()};
	TAILQ_INIT(&request->headers);
	return request->body ? 0 : -ENOMEM;
}

void http_end(struct http_request *request)
{
	evhttp_clear_headers(&request->headers);
	if (request->uri)
		evhttp_uri_free(request->uri);
	if (request->body)
		evbuffer_free(request->body);
	free(request->target);
	*request = (struct http_request){0};
	TAILQ_INIT(&request->headers);
}
