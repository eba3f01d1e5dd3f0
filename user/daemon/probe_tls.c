// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "tls.h"

/* ---- what is offered --------------------------------------------------------------------- */

/* NULL, or what is wrong. */
static const char *load_trust(SSL_CTX *context, const struct probe *probe)
{
	const char *mistake = probe->verify && probe->ca ? tls_file_mistake(probe->ca) : NULL;
	bool good = true;

	if (mistake)
		return mistake;
	if (probe->verify)
		good = probe->ca ? SSL_CTX_load_verify_file(context, probe->ca) == 1
				 : SSL_CTX_set_default_verify_paths(context) == 1;
	return good ? NULL : tls_mistake();
}

static bool offer_alpn(SSL_CTX *context, const char *name)
{
	unsigned char list[256];
	size_t len = name ? strlen(name) : 0;

	if (!len)
		return true;
	list[0] = len;
	memcpy(list + 1, name, len);
	return !SSL_CTX_set_alpn_protos(context, list, len + 1);
}

SSL_CTX *probe_tls_load(const struct probe *probe, char *failed, size_t size)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	const char *mistake = context ? NULL : "out of memory";

	ERR_clear_error();
	if (!mistake)
		mistake = load_trust(context, probe);
	if (!mistake && !offer_alpn(context, probe->alpn))
		mistake = tls_mistake();
	if (!mistake) {
		/* Its result is looked at after the handshake: so a check can say what is wrong. */
		SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
		return context;
	}
	snprintf(failed, size, "%s: %s", probe->ca ? probe->ca : "trusted certificates", mistake);
	ERR_clear_error();
	SSL_CTX_free(context);
	return NULL;
}

static bool is_ip(const char *text)
{
	uint8_t address[16];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* Of the settings, or else the host of the URL: a name, since RFC 6066 knows no addresses. */
static const char *server_name(const struct probe *probe, char host[256])
{
	const char *path;

	if (probe->sni)
		return probe->sni;
	if (!probe->url || !probe_url_parse(probe->url, host, &path))
		return NULL;
	host[strcspn(host, ":")] = '\0';
	return *host && *host != '[' && !is_ip(host) ? host : NULL;
}

SSL *probe_tls_new(SSL_CTX *context, const struct probe *probe)
{
	SSL *ssl = SSL_new(context);
	char host[256];
	const char *name = server_name(probe, host);

	if (ssl && name)
		(void)SSL_set_tlsext_host_name(ssl, name);
	return ssl;
}

/* ---- what is looked at ------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool refuse(struct check_result *result,
							 const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	result_text(result, text, strlen(text));
	result->status = CHECK_L6_FAILED;
	return false;
}

static bool examine_alpn(SSL *ssl, const char *wanted, struct check_result *result)
{
	const unsigned char *name;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	if (!wanted || (len == strlen(wanted) && !memcmp(name, wanted, len)))
		return true;
	if (!len)
		return refuse(result, "the server selects no ALPN name");
	return refuse(result, "the server selects ALPN %.*s", (int)len, name);
}

static int days_left(const X509 *certificate)
{
	int days = 0, seconds = 0;

	ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate));
	return seconds < 0 ? days - 1 : days;
}

static bool is_for(X509 *certificate, const char *name)
{
	return is_ip(name) ? X509_check_ip_asc(certificate, name, 0) == 1
			   : X509_check_host(certificate, name, 0, 0, NULL) == 1;
}

static bool examine_certificate(SSL *ssl, X509 *certificate, const struct probe *probe,
				struct check_result *result)
{
	int days = days_left(certificate);
	long trust = SSL_get_verify_result(ssl);

	if (probe->verify && trust != X509_V_OK)
		return refuse(result, "certificate: %s", X509_verify_cert_error_string(trust));
	if (probe->cert_name && !is_for(certificate, probe->cert_name))
		return refuse(result, "certificate: is not for %s", probe->cert_name);
	if (probe->cert_days && days < (int)probe->cert_days)
		return days < 0 ? refuse(result, "certificate: has expired")
				: refuse(result, "certificate: %d days left", days);
	return true;
}

static void describe(SSL *ssl, const X509 *certificate, struct check_result *result)
{
	const unsigned char *name;
	unsigned int len;
	char text[512];

	SSL_get0_alpn_selected(ssl, &name, &len);
	snprintf(text, sizeof(text), "%s%s%.*s, certificate: %d days left", SSL_get_version(ssl),
		 len ? ", " : "", (int)len, len ? (const char *)name : "", days_left(certificate));
	result_text(result, text, strlen(text));
	result->status = CHECK_L6_OK;
}

bool probe_tls_examine(SSL *ssl, const struct probe *probe, struct check_result *result)
{
	X509 *certificate = SSL_get1_peer_certificate(ssl);
	bool good;

	if (!certificate)
		return refuse(result, "the server has no certificate");
	good = examine_alpn(ssl, probe->alpn, result) &&
	       examine_certificate(ssl, certificate, probe, result);
	if (good)
		describe(ssl, certificate, result);
	X509_free(certificate);
	return good;
}
