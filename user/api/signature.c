// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define DIGEST 20
#define PREFIX "$1$"

/* ---- what the client should have signed ----------------------------------------------- */

/* Where the port begins in "name:port" or "[address]:port"; the end if there is none. */
static size_t name_len(const char *host)
{
	const char *bracket = strrchr(host, ']');
	const char *colon = strrchr(bracket ? bracket : host, ':');

	return colon ? (size_t)(colon - host) : strlen(host);
}

static void add(EVP_MD_CTX *hash, const char *text, size_t len)
{
	EVP_DigestUpdate(hash, text, len);
}

static void add_part(EVP_MD_CTX *hash, const char *text)
{
	add(hash, text, strlen(text));
	add(hash, "+", 1);
}

/*
 * Clients leave out the port in what they sign when it is 443, and some whatever it is; others
 * write it where the header has none. `other`: the URL is not that of the header, but the other of
 * the two.
 */
static void add_url(EVP_MD_CTX *hash, const struct signed_request *request, bool other)
{
	size_t len = strlen(request->host), name = name_len(request->host);

	if (*request->target == '/') {
		add(hash, "https://", 8);
		add(hash, request->host, other ? name : len);
		if (other && name == len)
			add(hash, ":443", 4);
	}
	add_part(hash, request->target);
}

static bool compute(const struct application *application, const struct signed_request *request,
		    bool other, uint8_t digest[DIGEST])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool works = hash && EVP_DigestInit_ex(hash, EVP_sha1(), NULL);

	if (works) {
		add_part(hash, application->secret);
		add_part(hash, application->consumer);
		add_part(hash, request->method);
		add_url(hash, request, other);
		add(hash, request->body, request->body_len);
		add(hash, "+", 1);
		add(hash, request->timestamp, strlen(request->timestamp));
		works = EVP_DigestFinal_ex(hash, digest, NULL);
	}
	EVP_MD_CTX_free(hash);
	return works;
}

/* ---- comparing ------------------------------------------------------------------------ */

/* `text` is of the client; `size` is that of what it is compared with, which ends in zeros. */
static bool same_text(const char *text, const char *known, size_t size)
{
	char padded[APPLICATION_SECRET + 1] = "";
	size_t len = strlen(text);

	memcpy(padded, text, len < size ? len : size);
	return !CRYPTO_memcmp(padded, known, size) & (len < size);
}

/* All are compared, so that the time taken tells nothing. */
static const struct application *find_key(const struct applications *list, const char *key)
{
	const struct application *found = NULL;

	for (size_t i = 0; i < list->n; i++)
		if (same_text(key, list->v[i].key, sizeof(list->v[i].key)))
			found = &list->v[i];
	return found;
}

/* "$1$" and 40 digits; anything else is read as a digest that fits nothing. */
static bool read_signature(const char *text, uint8_t digest[DIGEST])
{
	size_t prefix = strlen(PREFIX);

	memset(digest, 0, DIGEST);
	if (strncmp(text, PREFIX, prefix) || strlen(text) != prefix + 2 * DIGEST ||
	    text[prefix + strspn(text + prefix, "0123456789abcdef")])
		return false;
	for (int i = 0; i < DIGEST; i++)
		sscanf(text + prefix + 2 * i, "%2hhx", &digest[i]);
	return true;
}

const struct application *signature_check(const struct applications *list,
					  const struct signed_request *request,
					  uint8_t digest[DIGEST])
{
	static const struct application nobody = {.secret = "nobody", .consumer = "nobody"};
	const struct application *found = find_key(list, request->application);
	const struct application *signer = found ? found : &nobody;
	uint8_t expected[DIGEST];
	bool fits = read_signature(request->signature, digest), matches = false;

	for (int other = 0; other < 2; other++) {
		bool works = compute(signer, request, other, expected);

		matches |= works & !CRYPTO_memcmp(expected, digest, DIGEST);
	}
	fits &= matches;
	fits &= same_text(request->consumer, signer->consumer, sizeof(signer->consumer));
	return fits ? found : NULL;
}
