// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe_answer.h"

#include <ctype.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX   1024
#define PACKET_MAX 4096 /* of MySQL and PostgreSQL, while nobody is logged in */
#define USER	   "alpnlb"

void result_text(struct check_result *result, const void *data, size_t len)
{
	const uint8_t *from = data;
	size_t n = 0;

	for (; n < len && n < sizeof(result->text) - 1 && from[n] != '\r' && from[n] != '\n'; n++)
		result->text[n] = from[n] < ' ' || from[n] > '~' ? '.' : from[n];
	result->text[n] = '\0';
}

static enum answer end(struct talk *talk, enum answer answer, enum check_status status)
{
	talk->result.status = status;
	return answer;
}

/* No answer, or none by the protocol. */
static enum answer fail(struct talk *talk, const char *why)
{
	result_text(&talk->result, why, strlen(why));
	return end(talk, ANSWER_BAD, CHECK_L7_FAILED);
}

/* The server has answered by the protocol. */
static enum answer judge(struct talk *talk, bool yes)
{
	return yes != talk->probe->negate ? end(talk, ANSWER_GOOD, CHECK_L7_OK)
					  : end(talk, ANSWER_BAD, CHECK_L7_STATUS);
}

static void say(struct talk *talk, const void *data, size_t len)
{
	if (len > SAY_MAX - talk->say_len)
		return;
	memcpy(talk->say + talk->say_len, data, len);
	talk->say_len += len;
}

static void say_text(struct talk *talk, const char *text)
{
	say(talk, text, strlen(text));
}

/* TLS begins in the midst of it, and has not yet. */
static bool asks_for_tls(const struct talk *talk)
{
	return probe_turns_to_tls(talk->probe) && !talk->encrypted;
}

/* ---- patterns ---------------------------------------------------------------------------- */

static bool wants_pattern(const struct probe *probe)
{
	return probe->match == PROBE_MATCH_CONTAINS || probe->match == PROBE_MATCH_MATCHES;
}

/* An expression is tried again when an eighth has come to what there was, or all is there. */
static enum regex_answer find(struct talk *talk, const uint8_t *text, size_t len, bool all)
{
	const char *pattern = talk->probe->pattern;

	if (talk->probe->match == PROBE_MATCH_CONTAINS)
		return memmem(text, len, pattern, strlen(pattern)) ? REGEX_YES : REGEX_NO;
	if (!all && len <= talk->looked + talk->looked / 8)
		return REGEX_NO;
	talk->looked = len;
	return regex_match_long(talk->regex, text, len, talk->scratch);
}

static enum answer find_pattern(struct talk *talk, const uint8_t *text, size_t len, bool all)
{
	enum regex_answer found;

	all |= len >= ANSWER_MAX;
	found = find(talk, text, len < ANSWER_MAX ? len : ANSWER_MAX, all);
	if (found == REGEX_GAVE_UP)
		return fail(talk, "the pattern was given up at its limit");
	if (found == REGEX_NO && !all)
		return ANSWER_MORE;
	if ((found == REGEX_YES) != talk->probe->negate)
		return end(talk, ANSWER_GOOD, CHECK_L7_OK);
	return fail(talk, found == REGEX_YES ? "the answer has the pattern"
					     : "the answer does not have the pattern");
}

/* ---- tcp, oco ---------------------------------------------------------------------------- */

static enum answer read_tcp(struct talk *talk, const uint8_t *data, size_t len, bool ended)
{
	result_text(&talk->result, data, len);
	return find_pattern(talk, data, len, ended);
}

static enum answer read_oco(struct talk *talk, const uint8_t *data, size_t len, bool ended)
{
	if (len < 3 && !memchr(data, '\n', len) && !ended)
		return ANSWER_MORE;
	if (!len)
		return fail(talk, "closed without an answer");
	result_text(&talk->result, data, len);
	talk->result.code = strtoul(talk->result.text, NULL, 10);
	return judge(talk, *data == '2');
}

/* ---- http -------------------------------------------------------------------------------- */

static const char *method_name(enum probe_method method)
{
	return method == PROBE_METHOD_GET    ? "GET"
	       : method == PROBE_METHOD_HEAD ? "HEAD"
					     : "OPTIONS";
}

static void begin_http(struct talk *talk)
{
	const struct probe *probe = talk->probe;
	char host[256] = "", request[SAY_MAX];
	const char *path = "/";

	if (probe->url)
		(void)probe_url_parse(probe->url, host, &path);
	if (*host)
		snprintf(request, sizeof(request),
			 "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
			 method_name(probe->method), path, host);
	else
		snprintf(request, sizeof(request), "%s %s HTTP/1.0\r\n\r\n",
			 method_name(probe->method), path);
	say_text(talk, request);
}

/* Behind the empty line that ends a header; 0 if that has not come. */
static size_t head_size(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (data[i] != '\n')
			continue;
		if (data[i + 1] == '\n')
			return i + 2;
		if (data[i + 1] == '\r' && i + 2 < len && data[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

static bool is_chunked(const uint8_t *head, size_t size)
{
	static const char name[] = "\ntransfer-encoding:";
	const size_t name_len = sizeof(name) - 1;

	for (size_t i = 0; i + name_len <= size; i++) {
		const uint8_t *value = head + i + name_len, *eol;

		if (strncasecmp((const char *)head + i, name, name_len))
			continue;
		eol = memchr(value, '\n', size - i - name_len);
		for (; eol && value + 7 <= eol; value++)
			if (!strncasecmp((const char *)value, "chunked", 7))
				return true;
	}
	return false;
}

/* The size of a chunk and where its line ends; 0 when the line is not there or is no size. */
static size_t chunk_line(const uint8_t *data, size_t len, size_t *size)
{
	const uint8_t *eol = memchr(data, '\n', len);
	size_t digits = 0;

	*size = 0;
	for (; eol && digits < 7 && isxdigit(data[digits]); digits++)
		*size = *size * 16 + (isdigit(data[digits]) ? data[digits] - '0'
							    : (data[digits] | 0x20) - 'a' + 10);
	return digits ? eol - data + 1 : 0;
}

/* RFC 9112 section 7.1. What is of no such form ends the body. */
static size_t unchunk(const uint8_t *data, size_t len, uint8_t body[ANSWER_MAX], bool *all)
{
	size_t at = 0, n = 0, size, line, take;

	while (n < ANSWER_MAX && at < len) {
		line = chunk_line(data + at, len - at, &size);
		if (!line) {
			*all |= memchr(data + at, '\n', len - at) != NULL;
			break;
		}
		at += line;
		if (!size) {
			*all = true;
			break;
		}
		take = size < len - at ? size : len - at;
		take = take < ANSWER_MAX - n ? take : ANSWER_MAX - n;
		memcpy(body + n, data + at, take);
		n += take;
		at += size < len - at ? size + 2 : len - at; /* the line break behind it */
	}
	return n;
}

static enum answer read_body(struct talk *talk, const uint8_t *data, size_t len, bool ended)
{
	size_t head = head_size(data, len), size;
	uint8_t body[ANSWER_MAX];

	if (!head && len > HEAD_MAX)
		return fail(talk, "the header is too long");
	if (!head)
		return ended ? fail(talk, "the header does not end") : ANSWER_MORE;
	ended |= talk->probe->method == PROBE_METHOD_HEAD;
	if (!is_chunked(data, head))
		return find_pattern(talk, data + head, len - head, ended);
	size = unchunk(data + head, len - head, body, &ended);
	return find_pattern(talk, body, size, ended);
}

/* "HTTP/1.1 200 OK" */
static bool read_status_line(const uint8_t *line, size_t len, uint32_t *code)
{
	char text[16] = "";
	unsigned int major, minor;

	memcpy(text, line, len < 15 ? len : 15);
	return sscanf(text, "HTTP/%1u.%1u %3u", &major, &minor, code) == 3 && *code >= 100;
}

static enum answer read_http(struct talk *talk, const uint8_t *data, size_t len, bool ended)
{
	const struct probe *probe = talk->probe;
	const uint8_t *eol = memchr(data, '\n', len);
	size_t head;

	if (!eol && len < LINE_MAX)
		return ended ? fail(talk, "closed without an answer in HTTP") : ANSWER_MORE;
	if (!eol || !read_status_line(data, eol - data, &talk->result.code))
		return fail(talk, "the answer is not HTTP");
	if (talk->result.code < 200) { /* for now: another one follows */
		head = head_size(data, len);
		return head			 ? read_http(talk, data + head, len - head, ended)
		       : ended || len > HEAD_MAX ? fail(talk, "the header does not end")
						 : ANSWER_MORE;
	}
	result_text(&talk->result, data, eol - data);
	if (wants_pattern(probe))
		return read_body(talk, data, len, ended);
	if (probe->match == PROBE_MATCH_STATUS)
		return judge(talk, probe_status_matches(probe->pattern, talk->result.code));
	return judge(talk, talk->result.code < 400);
}

/* ---- smtp -------------------------------------------------------------------------------- */

/* A reply of one line or several, RFC 5321 section 4.2.1. Sets *size when all of it is there. */
static enum answer read_reply(const uint8_t *data, size_t len, uint32_t *code, size_t *size)
{
	const uint8_t *line = data, *eol;

	while ((eol = memchr(line, '\n', data + len - line))) {
		if (eol - line < 3 || !isdigit(line[0]) || !isdigit(line[1]) || !isdigit(line[2]))
			return ANSWER_BAD;
		*code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
		*size = eol + 1 - data;
		if (line[3] != '-')
			return ANSWER_GOOD;
		line = eol + 1;
	}
	return len > PACKET_MAX ? ANSWER_BAD : ANSWER_MORE;
}

static enum answer read_smtp(struct talk *talk, const uint8_t *data, size_t len, bool ended,
			     size_t *used)
{
	enum answer reply = read_reply(data, len, &talk->result.code, used);

	if (reply == ANSWER_BAD)
		return fail(talk, "the answer is not SMTP");
	if (reply == ANSWER_MORE) {
		*used = 0;
		return ended ? fail(talk, "closed without an answer in SMTP") : ANSWER_MORE;
	}
	result_text(&talk->result, data, len);
	if (talk->result.code / 100 == 2 && !talk->step++) {
		say_text(talk, "HELO localhost\r\n");
		return ANSWER_MORE;
	}
	say_text(talk, "QUIT\r\n");
	return judge(talk, talk->result.code / 100 == 2);
}

/* ---- mysql ------------------------------------------------------------------------------- */

enum {
	MYSQL_OK = 0x00,
	MYSQL_PROTOCOL = 0x0a,
	MYSQL_OTHER_METHOD = 0xfe,
	MYSQL_ERROR = 0xff,
};

static void say_mysql(struct talk *talk, uint8_t sequence, const void *payload, size_t size)
{
	say(talk, (uint8_t[]){size, size >> 8, size >> 16, sequence}, 4);
	say(talk, payload, size);
}

/*
 * A login that is refused. Without one the server would count an error of this host, and after
 * max_connect_errors of them let nobody in from here.
 */
#define MYSQL_TLS	  0x0800 /* of the capabilities: CLIENT_SSL */
#define MYSQL_TLS_REQUEST 32	 /* of a login, its first bytes ask for TLS */

/* `size` bytes of it, 0 = all. */
static void log_in(struct talk *talk, uint8_t sequence, size_t size)
{
	uint8_t login[] = "\x01\x82\x08\x00" /* long password, 4.1, secure, plugin */
			  "\x00\x00\x00\x01" /* longest packet */
			  "\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* UTF-8 */
		USER "\0\0"						       /* no password */
			  "mysql_native_password";

	if (probe_turns_to_tls(talk->probe))
		login[1] |= MYSQL_TLS >> 8;
	say_mysql(talk, sequence, login, size ? size : sizeof(login));
}

/* Behind the version: a number (4), random bytes (8), one more, and what the server is capable of.
 */
static bool takes_tls(const uint8_t *payload, size_t size)
{
	size_t at = strlen((const char *)payload + 1) + 2 + 13;

	return at + 2 <= size && (payload[at] | payload[at + 1] << 8) & MYSQL_TLS;
}

static enum answer ask_mysql_for_tls(struct talk *talk, const uint8_t *payload, size_t size,
				     uint8_t sequence)
{
	if (!takes_tls(payload, size))
		return fail(talk, "the server does not take TLS");
	log_in(talk, sequence + 1, MYSQL_TLS_REQUEST);
	talk->sequence = sequence + 2;
	return ANSWER_TLS;
}

static void begin_mysql(struct talk *talk)
{
	if (!talk->encrypted)
		return; /* the server speaks first */
	log_in(talk, talk->sequence, 0);
	talk->step = 1;
}

/* An error, behind its 0xff: the number, a state of 5 digits behind #, and words. */
static void note_error(struct talk *talk, const uint8_t *error, size_t size)
{
	if (size < 2)
		return;
	talk->result.code = error[0] | error[1] << 8;
	error += 2;
	size -= 2;
	if (size >= 6 && *error == '#') {
		error += 6;
		size -= 6;
	}
	result_text(&talk->result, error, size);
}

/* Not this user, or not without TLS: it is the answer of a server that works. */
static bool is_refusal(uint32_t error)
{
	return error == 1045 || error == 1698 || error == 3159 || error == 4031;
}

static enum answer read_greeting(struct talk *talk, const uint8_t *payload, size_t size,
				 uint8_t sequence)
{
	if (size && *payload == MYSQL_ERROR) {
		note_error(talk, payload + 1, size - 1);
		return judge(talk, false);
	}
	if (!size || *payload != MYSQL_PROTOCOL || !memchr(payload, '\0', size))
		return fail(talk, "the answer is not MySQL");
	result_text(&talk->result, payload + 1, strlen((const char *)payload + 1));
	if (asks_for_tls(talk))
		return ask_mysql_for_tls(talk, payload, size, sequence);
	log_in(talk, sequence + 1, 0);
	talk->step = 1;
	return ANSWER_MORE;
}

static enum answer read_login(struct talk *talk, const uint8_t *payload, size_t size,
			      uint8_t sequence)
{
	struct check_result greeting = talk->result;

	if (!size)
		return fail(talk, "the answer is not MySQL");
	switch (*payload) {
	case MYSQL_OK:
		say_mysql(talk, 0, "\x01", 1); /* COM_QUIT */
		return judge(talk, true);
	case MYSQL_OTHER_METHOD:
		if (talk->step++ > 1)
			break;
		say_mysql(talk, sequence + 1, "", 1);
		return ANSWER_MORE;
	case MYSQL_ERROR:
		note_error(talk, payload + 1, size - 1);
		if (!is_refusal(talk->result.code))
			return judge(talk, false);
		talk->result = greeting;
		return judge(talk, true);
	}
	return fail(talk, "the answer to a login is not MySQL");
}

static enum answer read_mysql(struct talk *talk, const uint8_t *data, size_t len, bool ended,
			      size_t *used)
{
	size_t size = len < 4 ? 0 : data[0] | data[1] << 8 | data[2] << 16;

	if (size > PACKET_MAX)
		return fail(talk, "the answer is not MySQL");
	if (len < 4 || len - 4 < size)
		return ended ? fail(talk, "closed without an answer in MySQL") : ANSWER_MORE;
	*used = 4 + size;
	return talk->step ? read_login(talk, data + 4, size, data[3])
			  : read_greeting(talk, data + 4, size, data[3]);
}

/* ---- pgsql ------------------------------------------------------------------------------- */

static uint32_t be32_at(const uint8_t *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return be32toh(value);
}

static void begin_pgsql(struct talk *talk)
{
	static const char startup[] = "\0\3\0\0" /* version 3.0 */
				      "user\0" USER "\0database\0postgres\0"
				      "application_name\0" USER "\0"; /* and one more */
	uint32_t size = htobe32(sizeof(size) + sizeof(startup));

	if (asks_for_tls(talk)) {
		say(talk, "\0\0\0\x08\x04\xd2\x16\x2f", 8); /* SSLRequest */
		return;
	}
	say(talk, &size, sizeof(size));
	say(talk, startup, sizeof(startup));
}

/* A field of an error, NULL if it has none: each is its letter and a text, NUL behind both. */
static const char *error_field(const uint8_t *body, size_t size, char letter)
{
	for (size_t at = 0; at < size && body[at];) {
		const uint8_t *nul = memchr(body + at, '\0', size - at);

		if (!nul)
			return NULL;
		if (body[at] == (uint8_t)letter)
			return (const char *)body + at + 1;
		at = nul + 1 - body;
	}
	return NULL;
}

/* No such user or database (SQLSTATE classes 28 and 3D): the answer of a server that works. */
static enum answer read_pgsql_error(struct talk *talk, const uint8_t *body, size_t size)
{
	const char *state = error_field(body, size, 'C'), *words = error_field(body, size, 'M');

	if (!state)
		return fail(talk, "the answer is not PostgreSQL");
	words = words ? words : state;
	result_text(&talk->result, words, strlen(words));
	return judge(talk, !strncmp(state, "28", 2) || !strncmp(state, "3D", 2));
}

/* One byte; what came with it in the clear would be taken for encrypted. */
static enum answer read_pgsql_tls(struct talk *talk, const uint8_t *data, size_t len, size_t *used)
{
	if (*data == 'N')
		return fail(talk, "the server does not take TLS");
	if (*data != 'S' || len > 1)
		return fail(talk, "the answer is not PostgreSQL");
	*used = 1;
	return ANSWER_TLS;
}

static enum answer read_pgsql(struct talk *talk, const uint8_t *data, size_t len, bool ended,
			      size_t *used)
{
	uint32_t size = len < 5 ? 4 : be32_at(data + 1);

	if (len && asks_for_tls(talk) && *data != 'E')
		return read_pgsql_tls(talk, data, len, used);
	if (len && *data != 'R' && *data != 'E')
		return fail(talk, "the answer is not PostgreSQL");
	if (size < 4 || size > PACKET_MAX)
		return fail(talk, "the answer is not PostgreSQL");
	if (len < 5 || len - 1 < size)
		return ended ? fail(talk, "closed without an answer in PostgreSQL") : ANSWER_MORE;
	if (*data == 'E')
		return read_pgsql_error(talk, data + 5, size - 4);
	if (size < 8)
		return fail(talk, "the answer is not PostgreSQL");
	if (!be32_at(data + 5)) /* logged in: say goodbye */
		say(talk, "X\0\0\0\4", 5);
	return judge(talk, true);
}

/* ---- all of them ------------------------------------------------------------------------- */

enum answer talk_begin(struct talk *talk)
{
	switch (talk->probe->type) {
	case PROBE_HTTP:
		begin_http(talk);
		return ANSWER_MORE;
	case PROBE_PGSQL:
		begin_pgsql(talk);
		return ANSWER_MORE;
	case PROBE_MYSQL:
		begin_mysql(talk);
		return ANSWER_MORE;
	case PROBE_SMTP:
	case PROBE_OCO:
		return ANSWER_MORE;
	default:
		return wants_pattern(talk->probe) ? ANSWER_MORE : ANSWER_GOOD;
	}
}

enum answer talk_read(struct talk *talk, const uint8_t *data, size_t len, bool ended, size_t *used)
{
	*used = 0;
	switch (talk->probe->type) {
	case PROBE_HTTP:
		return read_http(talk, data, len, ended);
	case PROBE_SMTP:
		return read_smtp(talk, data, len, ended, used);
	case PROBE_MYSQL:
		return read_mysql(talk, data, len, ended, used);
	case PROBE_PGSQL:
		return read_pgsql(talk, data, len, ended, used);
	case PROBE_OCO:
		return read_oco(talk, data, len, ended);
	default:
		return read_tcp(talk, data, len, ended);
	}
}
