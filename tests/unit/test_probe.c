/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What probes say, and what they make of answers, however these are cut in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/daemon/probe_answer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Bytes with their length: they may hold NULs. */
struct bytes {
	const char *data;
	size_t len;
};
#define BYTES(text)                                                                                \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}

static struct regex *regex;
static struct regex_scratch *scratch;

static enum answer begin(struct talk *talk, const struct probe *probe)
{
	regex_free(regex);
	regex = NULL;
	if (probe->match == PROBE_MATCH_MATCHES)
		assert_int_equal(regex_compile(probe->pattern, false, &regex, NULL), 0);
	*talk = (struct talk){.probe = probe, .regex = regex, .scratch = scratch};
	return talk_begin(talk);
}

/* What is said on the way to the verdict. */
static struct {
	char text[4096];
	size_t len;
} said;

static void hear_say(struct talk *talk)
{
	memcpy(said.text + said.len, talk->say, talk->say_len);
	said.len += talk->say_len;
	talk->say_len = 0;
}

/*
 * Feeds an answer in pieces of `piece` bytes, and then, if need be, its end. What a look is given
 * lies at the end of its own memory, so that a sanitizer sees whoever reads on.
 */
static enum answer feed(struct talk *talk, const struct bytes *answer, size_t piece, bool ends)
{
	size_t at = 0, have = 0, used;
	enum answer verdict = ANSWER_MORE;
	bool ended = false;

	hear_say(talk);
	while (verdict == ANSWER_MORE && !ended) {
		uint8_t *data;

		if (at + have < answer->len)
			have += answer->len - at - have < piece ? answer->len - at - have : piece;
		else if (ends)
			ended = true;
		else
			break;
		do {
			data = malloc(have ? have : 1);
			memcpy(data, answer->data + at, have);
			verdict = talk_read(talk, data, have, ended, &used);
			free(data);
			assert_true(used <= have);
			at += used;
			have -= used;
			hear_say(talk);
		} while (verdict == ANSWER_MORE && used && have);
	}
	return verdict;
}

struct example {
	struct probe probe;
	struct bytes answer;
	enum answer verdict; /* at the end of the answer */
	enum check_status status;
	uint32_t code;
	const char *text;
};

static void check(const struct example *e, size_t n)
{
	static const size_t pieces[] = {1, 3, 7, 1 << 20};

	for (size_t i = 0; i < n; i++, e++)
		for (size_t p = 0; p < COUNT(pieces); p++) {
			struct talk talk;
			enum answer verdict;

			said.len = 0;
			assert_int_equal(begin(&talk, &e->probe), ANSWER_MORE);
			verdict = feed(&talk, &e->answer, pieces[p], true);
			if (verdict != e->verdict || talk.result.status != e->status ||
			    talk.result.code != e->code ||
			    (e->text && strcmp(talk.result.text, e->text)))
				fail_msg(
					"example %zu in pieces of %zu: verdict %d, status %d, code "
					"%u, text '%s'",
					i, pieces[p], verdict, talk.result.status, talk.result.code,
					talk.result.text);
		}
}

#define GOOD(status)		ANSWER_GOOD, CHECK_##status
#define BAD(status)		ANSWER_BAD, CHECK_##status
#define MATCH(match_, pattern_) .match = PROBE_MATCH_##match_, .pattern = (pattern_)

/* ---- http -------------------------------------------------------------------------------- */

static void assert_said(const struct probe *probe, const char *text)
{
	struct talk talk;

	said.len = 0;
	begin(&talk, probe);
	hear_say(&talk);
	said.text[said.len] = '\0';
	assert_string_equal(said.text, text);
}

static void http_asks_as_it_is_told(void **state)
{
	assert_said(&(struct probe){.type = PROBE_HTTP}, "OPTIONS / HTTP/1.0\r\n\r\n");
	assert_said(&(struct probe){.type = PROBE_HTTP,
				    .method = PROBE_METHOD_GET,
				    .url = (char *)"/up?a=b"},
		    "GET /up?a=b HTTP/1.0\r\n\r\n");
	assert_said(&(struct probe){.type = PROBE_HTTP,
				    .method = PROBE_METHOD_HEAD,
				    .url = (char *)"www.example.com:81/up"},
		    "HEAD /up HTTP/1.1\r\nHost: www.example.com:81\r\nConnection: close\r\n\r\n");
}

static void http_goes_by_its_status(void **state)
{
	static const struct example examples[] = {
		{{.type = PROBE_HTTP},
		 BYTES("HTTP/1.1 200 OK\r\n"),
		 GOOD(L7_OK),
		 200,
		 "HTTP/1.1 200 OK"},
		{{.type = PROBE_HTTP}, BYTES("HTTP/1.0 399\n"), GOOD(L7_OK), 399, NULL},
		{{.type = PROBE_HTTP},
		 BYTES("HTTP/1.1 404 Not Found\r\n\r\n"),
		 BAD(L7_STATUS),
		 404,
		 "HTTP/1.1 404 Not Found"},
		{{.type = PROBE_HTTP},
		 BYTES("HTTP/1.1 503 \x1b[31mred\r\n"),
		 BAD(L7_STATUS),
		 503,
		 "HTTP/1.1 503 .[31mred"},
		{{.type = PROBE_HTTP},
		 BYTES("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 500 No\r\n"),
		 BAD(L7_STATUS),
		 500,
		 NULL},
		{{.type = PROBE_HTTP, .match = PROBE_MATCH_DEFAULT, .negate = true},
		 BYTES("HTTP/1.1 404 Not Found\r\n"),
		 GOOD(L7_OK),
		 404,
		 NULL},
		{{.type = PROBE_HTTP, MATCH(STATUS, (char *)"404, 5xx")},
		 BYTES("HTTP/1.1 404 Not Found\r\n"),
		 GOOD(L7_OK),
		 404,
		 NULL},
		{{.type = PROBE_HTTP, MATCH(STATUS, (char *)"404|50.,511"), .negate = true},
		 BYTES("HTTP/1.1 501 No\r\n"),
		 BAD(L7_STATUS),
		 501,
		 NULL},
		{{.type = PROBE_HTTP, MATCH(STATUS, (char *)"404")},
		 BYTES("HTTP/1.1 200 OK\r\n"),
		 BAD(L7_STATUS),
		 200,
		 NULL},
		{{.type = PROBE_HTTP},
		 BYTES(""),
		 BAD(L7_FAILED),
		 0,
		 "closed without an answer in HTTP"},
		{{.type = PROBE_HTTP}, BYTES("HTTP/1.1 2"), BAD(L7_FAILED), 0, NULL},
		{{.type = PROBE_HTTP},
		 BYTES("220 mail.example.com\r\n"),
		 BAD(L7_FAILED),
		 0,
		 "the answer is not HTTP"},
		{{.type = PROBE_HTTP},
		 BYTES("HTTP/1.1 100 Continue\r\n"),
		 BAD(L7_FAILED),
		 100,
		 NULL},
	};

	check(examples, COUNT(examples));
}

static void http_looks_into_the_body(void **state)
{
	static const struct example examples[] = {
		{{.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"ready")},
		 BYTES("HTTP/1.1 500 No\r\nX: y\r\n\r\nis ready"),
		 GOOD(L7_OK),
		 500,
		 "HTTP/1.1 500 No"},
		{{.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"ready")},
		 BYTES("HTTP/1.1 200 ready\r\nX: ready\r\n\r\nno"),
		 BAD(L7_FAILED),
		 200,
		 "the answer does not have the pattern"},
		{{.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"ready"), .negate = true},
		 BYTES("HTTP/1.1 200 OK\n\nready"),
		 BAD(L7_FAILED),
		 200,
		 "the answer has the pattern"},
		{{.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"down"), .negate = true},
		 BYTES("HTTP/1.1 200 OK\r\n\r\nready"),
		 GOOD(L7_OK),
		 200,
		 NULL},
		{{.type = PROBE_HTTP, MATCH(MATCHES, (char *)"^up [0-9]+$")},
		 BYTES("HTTP/1.1 200 OK\r\n\r\nup 12"),
		 GOOD(L7_OK),
		 200,
		 NULL},
		{{.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"is ready")},
		 BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
		       "4;x=y\r\nis r\r\n4\r\neady\r\n0\r\n\r\n"),
		 GOOD(L7_OK),
		 200,
		 NULL},
		{{.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"4"), .negate = true},
		 BYTES("HTTP/1.1 200 "
		       "OK\r\ntransfer-encoding:chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"),
		 GOOD(L7_OK),
		 200,
		 NULL},
		{{.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"x")},
		 BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx"),
		 BAD(L7_FAILED),
		 200,
		 NULL},
		{{.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"x")},
		 BYTES("HTTP/1.1 200 OK\r\nX: y"),
		 BAD(L7_FAILED),
		 200,
		 "the header does not end"},
	};

	check(examples, COUNT(examples));
}

/* A page of 16 kB and more behind a header. */
static void patterns_look_at_16_kB(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
	static char page[sizeof(head) + ANSWER_MAX + 100];
	struct probe probe = {.type = PROBE_HTTP, MATCH(CONTAINS, (char *)"needle")};
	struct bytes answer = {page, sizeof(page)};
	struct talk talk;

	for (int late = 0; late < 2; late++) {
		memset(page, 'x', sizeof(page));
		memcpy(page, head, sizeof(head) - 1);
		memcpy(page + sizeof(head) - 1 + ANSWER_MAX - 6 + late, "needle", 6);
		assert_int_equal(begin(&talk, &probe), ANSWER_MORE);
		assert_int_equal(feed(&talk, &answer, 1000, false),
				 late ? ANSWER_BAD : ANSWER_GOOD);
	}
	probe.match = PROBE_MATCH_MATCHES;
	probe.pattern = (char *)"x.*xn";
	assert_int_equal(begin(&talk, &probe), ANSWER_MORE);
	assert_int_equal(feed(&talk, &answer, 1000, false), ANSWER_GOOD);
	probe.pattern = (char *)"(x+)+[yz]";
	assert_int_equal(begin(&talk, &probe), ANSWER_MORE);
	assert_int_equal(feed(&talk, &answer, 4000, false), ANSWER_BAD);
	assert_string_equal(talk.result.text, "the pattern was given up at its limit");
}

/* ---- tcp, oco, smtp ----------------------------------------------------------------------- */

static void tcp_may_want_no_answer(void **state)
{
	struct talk talk;

	assert_int_equal(begin(&talk, &(struct probe){.type = PROBE_TCP}), ANSWER_GOOD);
	assert_int_equal(begin(&talk, &(struct probe){.type = PROBE_INTERNAL}), ANSWER_GOOD);
	assert_int_equal(begin(&talk, &(struct probe){.type = PROBE_TLS}), ANSWER_GOOD);
}

static void banners_are_looked_at(void **state)
{
	static const struct example examples[] = {
		{{.type = PROBE_TCP, MATCH(MATCHES, (char *)"^SSH-2\\.0-")},
		 BYTES("SSH-2.0-OpenSSH_9.2\r\n"),
		 GOOD(L7_OK),
		 0,
		 NULL},
		{{.type = PROBE_TCP, MATCH(CONTAINS, (char *)"SSH-1")},
		 BYTES("SSH-2.0-OpenSSH\r\n"),
		 BAD(L7_FAILED),
		 0,
		 "the answer does not have the pattern"},
		{{.type = PROBE_TCP, MATCH(CONTAINS, (char *)"busy"), .negate = true},
		 BYTES("hello\n"),
		 GOOD(L7_OK),
		 0,
		 "hello"},
		{{.type = PROBE_OCO}, BYTES("200 fine\n"), GOOD(L7_OK), 200, NULL},
		{{.type = PROBE_OCO}, BYTES("2"), GOOD(L7_OK), 2, NULL},
		{{.type = PROBE_OCO}, BYTES("500\n"), BAD(L7_STATUS), 500, NULL},
		{{.type = PROBE_OCO}, BYTES(""), BAD(L7_FAILED), 0, "closed without an answer"},
	};

	check(examples, COUNT(examples));
}

static void smtp_greets(void **state)
{
	static const struct example examples[] = {
		{{.type = PROBE_SMTP},
		 BYTES("220 mail ESMTP\r\n250 mail\r\n"),
		 GOOD(L7_OK),
		 250,
		 "250 mail"},
		{{.type = PROBE_SMTP},
		 BYTES("220-mail\r\n220 ESMTP\r\n250-mail\r\n250 HELP\r\n"),
		 GOOD(L7_OK),
		 250,
		 NULL},
		{{.type = PROBE_SMTP},
		 BYTES("554 no service\r\n"),
		 BAD(L7_STATUS),
		 554,
		 "554 no service"},
		{{.type = PROBE_SMTP},
		 BYTES("220 mail\r\n421 too busy\r\n"),
		 BAD(L7_STATUS),
		 421,
		 NULL},
		{{.type = PROBE_SMTP}, BYTES("220 mail\r\n"), BAD(L7_FAILED), 220, NULL},
		{{.type = PROBE_SMTP},
		 BYTES("HTTP/1.1 400 Bad Request\r\n"),
		 BAD(L7_FAILED),
		 0,
		 "the answer is not SMTP"},
		{{.type = PROBE_SMTP}, BYTES("22\r\n"), BAD(L7_FAILED), 0, NULL},
	};
	struct bytes answer = BYTES("220 mail\r\n250 mail\r\n");
	struct talk talk;

	check(examples, COUNT(examples));
	said.len = 0;
	begin(&talk, &examples[0].probe);
	assert_int_equal(feed(&talk, &answer, 2, false), ANSWER_GOOD);
	assert_memory_equal(said.text, "HELO localhost\r\nQUIT\r\n", said.len);
}

/* ---- databases ---------------------------------------------------------------------------- */

#define GREETING                                                                                   \
	"\x0d\0\0\0\x0a"                                                                           \
	"10.11.6\0rest"

static void mysql_logs_in_in_vain(void **state)
{
	static const struct example examples[] = {
		{{.type = PROBE_MYSQL},
		 BYTES(GREETING "\x13\0\0\2\xff\x15\x04#28000Access den"),
		 GOOD(L7_OK),
		 0,
		 "10.11.6"},
		{{.type = PROBE_MYSQL},
		 BYTES(GREETING "\x07\0\0\2\0\0\0\2\0\0\0"),
		 GOOD(L7_OK),
		 0,
		 "10.11.6"},
		{{.type = PROBE_MYSQL},
		 BYTES(GREETING "\x03\0\0\2\xfexy\x0c\0\0\4\xff\x15\x04#28000Acc"),
		 GOOD(L7_OK),
		 0,
		 "10.11.6"},
		{{.type = PROBE_MYSQL},
		 BYTES(GREETING "\x01\0\0\2\xfe\x01\0\0\4\xfe\x01\0\0\6\xfe"),
		 BAD(L7_FAILED),
		 0,
		 NULL},
		{{.type = PROBE_MYSQL},
		 BYTES("\x11\0\0\0\xff\x10\x04#08004Too many"),
		 BAD(L7_STATUS),
		 1040,
		 "Too many"},
		{{.type = PROBE_MYSQL},
		 BYTES("\x0f\0\0\0\xff\x69\x04Host blocked"),
		 BAD(L7_STATUS),
		 1129,
		 "Host blocked"},
		{{.type = PROBE_MYSQL}, BYTES("\x01\0\0\0\xff"), BAD(L7_STATUS), 0, NULL},
		{{.type = PROBE_MYSQL}, BYTES("\0\0\0\0"), BAD(L7_FAILED), 0, NULL},
		{{.type = PROBE_MYSQL},
		 BYTES("\x03\0\0\0\x0a"
		       "10"),
		 BAD(L7_FAILED),
		 0,
		 "the answer is not MySQL"},
		{{.type = PROBE_MYSQL},
		 BYTES("HTTP/1.1 400 Bad Request\r\n"),
		 BAD(L7_FAILED),
		 0,
		 "the answer is not MySQL"},
		{{.type = PROBE_MYSQL},
		 BYTES("\x10\0\0\0\x0a"
		       "10"),
		 BAD(L7_FAILED),
		 0,
		 "closed without an answer in MySQL"},
		{{.type = PROBE_MYSQL}, BYTES(GREETING "\0\0\0\2"), BAD(L7_FAILED), 0, NULL},
	};
	struct bytes greeting = BYTES(GREETING);
	struct talk talk;

	check(examples, COUNT(examples));
	said.len = 0;
	begin(&talk, &examples[0].probe);
	assert_int_equal(feed(&talk, &greeting, 100, false), ANSWER_MORE);
	/* The length of the packet, its number, and the user behind 32 bytes. */
	assert_int_equal((uint8_t)said.text[0] + 4, said.len);
	assert_int_equal(said.text[3], 1);
	assert_string_equal(said.text + 36, "alpnlb");
	assert_int_equal(said.text[43], 0);
	assert_string_equal(said.text + 44, "mysql_native_password");
}

/* A greeting behind the version, with TLS among what the server is capable of, or without. */
#define CAPABLE(low, high)                                                                         \
	"\x1b\0\0\0\x0a"                                                                           \
	"10.11.6\0"                                                                                \
	"1234saltsalt\0" low high "more"

static void mysql_turns_to_tls(void **state)
{
	struct probe probe = {.type = PROBE_MYSQL, .force_ssl = true};
	struct bytes capable = BYTES(CAPABLE("\0", "\x08")), not = BYTES(CAPABLE("\xff", "\xf7"));
	struct talk talk;

	said.len = 0;
	begin(&talk, &probe);
	assert_int_equal(feed(&talk, &capable, 100, false), ANSWER_TLS);
	hear_say(&talk);
	assert_int_equal(said.len, 4 + 32);
	assert_memory_equal(said.text, "\x20\0\0\1\x01\x8a", 6);
	talk.encrypted = true;
	said.len = 0;
	assert_int_equal(talk_begin(&talk), ANSWER_MORE);
	hear_say(&talk);
	assert_int_equal(said.text[3], 2);
	assert_string_equal(said.text + 36, "alpnlb");
	begin(&talk, &probe);
	assert_int_equal(feed(&talk, &not, 100, false), ANSWER_BAD);
	assert_string_equal(talk.result.text, "the server does not take TLS");
}

static void pgsql_turns_to_tls(void **state)
{
	struct probe probe = {.type = PROBE_PGSQL, .force_ssl = true};
	struct bytes yes = BYTES("S"), no = BYTES("N"), more = BYTES("SR\0\0\0\x08\0\0\0\0");
	struct talk talk;

	said.len = 0;
	begin(&talk, &probe);
	hear_say(&talk);
	assert_int_equal(said.len, 8);
	assert_memory_equal(said.text, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
	assert_int_equal(feed(&talk, &yes, 100, false), ANSWER_TLS);
	talk.encrypted = true;
	said.len = 0;
	assert_int_equal(talk_begin(&talk), ANSWER_MORE);
	hear_say(&talk);
	assert_memory_equal(said.text + 4, "\0\3\0\0user", 8);
	begin(&talk, &probe);
	assert_int_equal(feed(&talk, &no, 100, false), ANSWER_BAD);
	assert_string_equal(talk.result.text, "the server does not take TLS");
	begin(&talk, &probe);
	assert_int_equal(feed(&talk, &more, 100, false), ANSWER_BAD);
}

static void pgsql_begins_a_session(void **state)
{
	static const struct example examples[] = {
		{{.type = PROBE_PGSQL},
		 BYTES("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
		 GOOD(L7_OK),
		 0,
		 NULL},
		{{.type = PROBE_PGSQL}, BYTES("R\0\0\0\x08\0\0\0\0"), GOOD(L7_OK), 0, NULL},
		{{.type = PROBE_PGSQL},
		 BYTES("E\0\0\0\x21SFATAL\0C28000\0Mno such role\0\0"),
		 GOOD(L7_OK),
		 0,
		 "no such role"},
		{{.type = PROBE_PGSQL},
		 BYTES("E\0\0\0\x1dSFATAL\0C57P03\0Mstarting\0\0"),
		 BAD(L7_STATUS),
		 0,
		 "starting"},
		{{.type = PROBE_PGSQL},
		 BYTES("E\0\0\0\x0dSFATAL\0C5"),
		 BAD(L7_FAILED),
		 0,
		 "the answer is not PostgreSQL"},
		{{.type = PROBE_PGSQL}, BYTES("E\0\0\0\4"), BAD(L7_FAILED), 0, NULL},
		{{.type = PROBE_PGSQL}, BYTES("R\0\0\0\4"), BAD(L7_FAILED), 0, NULL},
		{{.type = PROBE_PGSQL}, BYTES("R\0\0\0\3...."), BAD(L7_FAILED), 0, NULL},
		{{.type = PROBE_PGSQL}, BYTES("R\xff\xff\xff\xff...."), BAD(L7_FAILED), 0, NULL},
		{{.type = PROBE_PGSQL},
		 BYTES("N"),
		 BAD(L7_FAILED),
		 0,
		 "the answer is not PostgreSQL"},
		{{.type = PROBE_PGSQL},
		 BYTES("R\0\0"),
		 BAD(L7_FAILED),
		 0,
		 "closed without an answer in PostgreSQL"},
	};
	struct talk talk;

	check(examples, COUNT(examples));
	said.len = 0;
	begin(&talk, &examples[0].probe);
	hear_say(&talk);
	assert_int_equal(said.text[3], said.len);
	assert_memory_equal(said.text + 4, "\0\3\0\0user\0alpnlb\0database\0postgres\0", 34);
	assert_memory_equal(said.text + said.len - 8, "alpnlb\0", 8);
}

/* ---- settings ----------------------------------------------------------------------------- */

static void defaults_of_timeouts(void **state)
{
	assert_int_equal(probe_timeout(&(struct probe){.interval = 100}), 1000);
	assert_int_equal(probe_timeout(&(struct probe){.interval = 3000}), 3000);
	assert_int_equal(probe_timeout(&(struct probe){.interval = 30000}), 5000);
	assert_int_equal(probe_timeout(&(struct probe){.interval = 30000, .timeout = 70}), 70);
}

static void copies_are_equal_until_they_differ(void **state)
{
	struct probe probe = {.type = PROBE_TLS, .sni = (char *)"a", .cert_days = 3}, copy;

	assert_int_equal(probe_copy(&probe, &copy), 0);
	assert_true(probe_equal(&probe, &copy));
	assert_ptr_not_equal(probe.sni, copy.sni);
	copy.sni[0] = 'b';
	assert_false(probe_equal(&probe, &copy));
	probe.sni = copy.sni;
	probe.rise = 1;
	assert_false(probe_equal(&probe, &copy));
	probe_fini(&copy);
}

static void texts_are_printable_and_cut(void **state)
{
	struct check_result result;
	char text[200];

	memset(text, 'x', sizeof(text));
	memcpy(text, "a\t\xc3\xa9", 4);
	result_text(&result, text, sizeof(text));
	assert_memory_equal(result.text, "a...xxx", 7);
	assert_int_equal(strlen(result.text), sizeof(result.text) - 1);
	result_text(&result, "one\rtwo", 7);
	assert_string_equal(result.text, "one");
	result_text(&result, "", 0);
	assert_string_equal(result.text, "");
}

static int open_scratch(void **state)
{
	scratch = regex_scratch_new();
	return scratch ? 0 : -1;
}

static int close_scratch(void **state)
{
	regex_free(regex);
	regex_scratch_free(scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_asks_as_it_is_told),
		cmocka_unit_test(http_goes_by_its_status),
		cmocka_unit_test(http_looks_into_the_body),
		cmocka_unit_test(patterns_look_at_16_kB),
		cmocka_unit_test(tcp_may_want_no_answer),
		cmocka_unit_test(banners_are_looked_at),
		cmocka_unit_test(smtp_greets),
		cmocka_unit_test(mysql_logs_in_in_vain),
		cmocka_unit_test(pgsql_begins_a_session),
		cmocka_unit_test(mysql_turns_to_tls),
		cmocka_unit_test(pgsql_turns_to_tls),
		cmocka_unit_test(defaults_of_timeouts),
		cmocka_unit_test(copies_are_equal_until_they_differ),
		cmocka_unit_test(texts_are_printable_and_cut),
	};

	return cmocka_run_group_tests_name("probes", tests, open_scratch, close_scratch);
}
