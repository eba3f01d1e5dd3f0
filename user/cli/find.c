/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "find.h"

#include <string.h>

#include "../model/text.h"
#include "cli.h"

/* What a word, or a half of FARM/SERVER, may mean. */
struct term {
	char name[NAME_MAX_LEN + 1]; /* "" = no name */
	uint32_t id;		     /* 0 = no id */
};

/* What is looked for, and the first two that it fits. */
struct search {
	struct term object, parent;
	bool has_parent;
	struct found found[2];
	size_t n;
};

static bool named(const struct object *object, const char *name)
{
	return object->name && !strcmp(object->name, name);
}

static bool fits(const struct term *term, const struct object *object)
{
	return (term->id && term->id == object->id) || named(object, term->name);
}

static void consider(struct search *search, const struct object *object,
		     const struct object *parent)
{
	if (search->n < 2 && fits(&search->object, object) &&
	    (!search->has_parent || fits(&search->parent, parent)))
		search->found[search->n++] = (struct found){object, parent};
}

static void search_servers(struct search *search, const struct farm *farm)
{
	for (size_t i = 0; i < farm->n_servers; i++)
		consider(search, &farm->servers[i].o, &farm->o);
}

static void search_rules(struct search *search, const struct route *route)
{
	for (size_t i = 0; i < route->n_rules; i++)
		consider(search, &route->rules[i].o, &route->o);
}

static void search_kind(struct search *search, const struct config *config, enum kind kind)
{
	for (size_t i = 0; kind == KIND_FRONTEND && i < config->n_frontends; i++)
		consider(search, &config->frontends[i].o, NULL);
	for (size_t i = 0; kind == KIND_FARM && i < config->n_farms; i++)
		consider(search, &config->farms[i].o, NULL);
	for (size_t i = 0; kind == KIND_ROUTE && i < config->n_routes; i++)
		consider(search, &config->routes[i].o, NULL);
	for (size_t i = 0; kind == KIND_SERVER && i < config->n_farms; i++)
		search_servers(search, &config->farms[i]);
	for (size_t i = 0; kind == KIND_RULE && i < config->n_routes; i++)
		search_rules(search, &config->routes[i]);
}

/* ---- by name or id -------------------------------------------------------------------- */

/* Without a prefix the `len` bytes may be either. Returns an exit code. */
static int term_parse(enum kind kind, const char *text, size_t len, struct term *term)
{
	bool is_id = !strncmp(text, "id:", 3), is_name = !strncmp(text, "name:", 5);
	size_t prefix = is_id ? 3 : is_name ? 5 : 0;
	char word[NAME_MAX_LEN + 1] = "";

	*term = (struct term){0};
	if (len - prefix < sizeof(word)) /* what is longer is no name and no id */
		memcpy(word, text + prefix, len - prefix);
	if (!is_id)
		strcpy(term->name, word);
	if (!is_name)
		term->id = id_parse(word, kind_limit(kind));
	if (is_id && !term->id)
		return fail(CLI_USAGE, "%s id '%s': expected 1..%u", kind_name(kind), word,
			    kind_limit(kind));
	return CLI_OK;
}

static enum kind parent_kind(enum kind kind)
{
	return kind == KIND_SERVER ? KIND_FARM : kind == KIND_RULE ? KIND_ROUTE : KIND_MAX;
}

static int ambiguous(enum kind kind, const char *word, const struct search *search)
{
	const struct found *found = search->found;
	const char *name = search->object.name, *noun = kind_name(kind);

	if (named(found[0].object, name) && named(found[1].object, name))
		return fail(CLI_USAGE, "%s '%s' is in several %ss: %s/%s, %s/%s", noun, word,
			    kind_name(parent_kind(kind)), found[0].parent->name,
			    found[0].object->name, found[1].parent->name, found[1].object->name);
	return fail(CLI_USAGE,
		    "%s '%s' is the name of one and the id of another: say name:%s or id:%u", noun,
		    word, name, search->object.id);
}

/* What is only staged does not run, and what was refreshed in another zone only is neither. */
static int not_found(const struct config *config, enum kind kind, const char *word,
		     const char *state)
{
	const char *noun = kind_name(kind);
	struct text elsewhere = {0};

	if (!*state)
		text_append(&elsewhere, "; before a refresh: alpnlb %s show staged", noun);
	if (!*state && !zone_is_all(config->zone))
		text_append(&elsewhere, "; of another zone: alpnlb %s show zone ZONE", noun);
	return fail(CLI_NOT_FOUND, "no %s '%s'%s%s, see: alpnlb %s show%s%s%s", noun, word,
		    *state ? " is " : "", state, noun, *state ? " " : "", state, elsewhere.s);
}

/* `state` is what those are that were looked at: "" or "staged". */
static int find_in(const struct config *config, enum kind kind, const char *word, const char *state,
		   struct found *found)
{
	const char *slash = parent_kind(kind) != KIND_MAX ? strchr(word, '/') : NULL;
	const char *own = slash ? slash + 1 : word;
	struct search search = {.has_parent = slash};
	int code = term_parse(kind, own, strlen(own), &search.object);

	if (!code && slash)
		code = term_parse(parent_kind(kind), word, slash - word, &search.parent);
	if (code)
		return code;
	search_kind(&search, config, kind);
	if (search.n > 1)
		return ambiguous(kind, word, &search);
	*found = search.found[0];
	return search.n ? CLI_OK : not_found(config, kind, word, state);
}

int find_staged(const struct config *config, enum kind kind, const char *word, struct found *found)
{
	return find_in(config, kind, word, "staged", found);
}

int find_object(const struct config *config, enum kind kind, const char *word, const char *id,
		struct found *found)
{
	struct search search = {.object.id = id ? id_parse(id, kind_limit(kind)) : 0};
	const char *noun = kind_name(kind);

	if (word && id)
		return fail(CLI_USAGE, "%s: give either name or id, not both", noun);
	if (word)
		return find_in(config, kind, word, "", found);
	if (!search.object.id)
		return fail(CLI_USAGE, "%s id '%s': expected 1..%u", noun, id, kind_limit(kind));
	search_kind(&search, config, kind);
	*found = search.found[0];
	return search.n ? CLI_OK
			: fail(CLI_NOT_FOUND, "no %s with id '%s', see: alpnlb %s show", noun, id,
			       noun);
}

/* ---- of a known kind ------------------------------------------------------------------ */

int find_frontend(const struct config *config, const char *word, const char *id,
		  const struct frontend **found)
{
	struct found any = {0};
	int code = find_object(config, KIND_FRONTEND, word, id, &any);

	*found = (const struct frontend *)any.object;
	return code;
}

int find_farm(const struct config *config, const char *word, const char *id,
	      const struct farm **found)
{
	struct found any = {0};
	int code = find_object(config, KIND_FARM, word, id, &any);

	*found = (const struct farm *)any.object;
	return code;
}

int find_server(const struct config *config, const char *word, const char *id,
		const struct server **found, const struct farm **farm)
{
	struct found any = {0};
	int code = find_object(config, KIND_SERVER, word, id, &any);

	*found = (const struct server *)any.object;
	*farm = (const struct farm *)any.parent;
	return code;
}

int find_route(const struct config *config, const char *word, const char *id,
	       const struct route **found)
{
	struct found any = {0};
	int code = find_object(config, KIND_ROUTE, word, id, &any);

	*found = (const struct route *)any.object;
	return code;
}
